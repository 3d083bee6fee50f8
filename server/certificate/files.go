package certificate

import (
	"crypto/tls"
	"io/fs"
	"log/slog"
	"os"
	"time"

	"github.com/muster-queue/muster/job"
)

// FromFiles uses a certificate (with its chain) and a key that a person or a
// tool keeps in PEM files; they are read again when either file changes.
func FromFiles(cert, key string, log *slog.Logger) (*Source, error) {
	f := &files{cert: cert, key: key}
	return newSource(filesEvery, log, f.refresh)
}

type files struct {
	cert, key string
	seen      [2]stamp
}

// stamp tells versions of a file apart.
type stamp struct {
	at   time.Time
	size int64
}

func (f *files) refresh(_ time.Time, present *tls.Certificate) (*tls.Certificate, error) {
	var now [2]stamp
	for i, path := range []string{f.cert, f.key} {
		info, err := os.Stat(path)
		if err != nil {
			return nil, job.Errorf(job.Invalid, "TLS: %w; give the paths of a certificate and its key in PEM", err)
		}
		now[i] = stampOf(info)
	}
	if present != nil && now == f.seen {
		return nil, nil
	}
	c, err := tls.LoadX509KeyPair(f.cert, f.key)
	if err != nil {
		// While the two files are being replaced they do not fit each other:
		// the next look finds them both.
		return nil, job.Errorf(job.Invalid, "TLS certificate %s with key %s: %w", f.cert, f.key, err)
	}
	f.seen = now
	return withLeaf(c)
}

func stampOf(info fs.FileInfo) stamp { return stamp{info.ModTime(), info.Size()} }
