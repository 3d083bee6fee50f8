package server

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/muster-queue/muster/job"
)

// Layout is where things are in a server's data directory:
//
//	lock         held by the server that runs here, with its process id
//	store/       the namespaces, unless Config.Store says otherwise
//	token        the admin token made at first start; only its owner reads it
//	tokens.json  what is known of all tokens, their SHA-256 but not themselves
//	ca.pem       the TLS authority made here, which clients must trust
//	ca.key       its key
//	cert.pem     the TLS certificate made here, with its key
//	secret.key   the key that secrets are sealed with; not part of a backup
//	lend.key     the key of the tokens that are lent to jobs; not part of a backup
//	drained      there when the last server was drained to its end
//	server.json  where the running server listens (Discovery); gone at a stop
//
// Everything but ca.pem is readable by its owner only.
type Layout struct{ Dir string }

// Store is the default directory of the store.
func (l Layout) Store() string { return filepath.Join(l.Dir, "store") }

// Token is the file of the first token.
func (l Layout) Token() string { return filepath.Join(l.Dir, "token") }

// Tokens is the file of all tokens.
func (l Layout) Tokens() string { return filepath.Join(l.Dir, "tokens.json") }

// CA is the file of the TLS authority.
func (l Layout) CA() string { return filepath.Join(l.Dir, "ca.pem") }

// CAKey is the file of the TLS authority's key.
func (l Layout) CAKey() string { return filepath.Join(l.Dir, "ca.key") }

// Cert is the file of the TLS certificate made here.
func (l Layout) Cert() string { return filepath.Join(l.Dir, "cert.pem") }

// SecretKey is the file of the key that secrets are sealed with.
func (l Layout) SecretKey() string { return filepath.Join(l.Dir, "secret.key") }

// LendKey is the file of the key of the tokens that are lent to jobs.
func (l Layout) LendKey() string { return filepath.Join(l.Dir, "lend.key") }

// Discovery is the file that tells where the server listens.
func (l Layout) Discovery() string { return filepath.Join(l.Dir, "server.json") }

// Drained is there when the last server was drained to its end.
func (l Layout) Drained() string { return filepath.Join(l.Dir, "drained") }

// Lock is the file that the running server holds.
func (l Layout) Lock() string { return filepath.Join(l.Dir, "lock") }

// make makes the directory, for its owner only.
func (l Layout) make() error {
	if err := os.MkdirAll(l.Dir, 0o700); err != nil {
		return job.Errorf(job.Invalid, "make the data directory: %w", err)
	}
	return nil
}

// dirLock is the right to run on a data directory. The kernel gives it back
// however the process ends.
type dirLock struct{ file *os.File }

// Free reports whether no server runs on the directory.
func (l Layout) Free() bool {
	f, err := os.Open(l.Lock())
	if err != nil {
		return errors.Is(err, fs.ErrNotExist)
	}
	defer f.Close()
	return unix.Flock(int(f.Fd()), unix.LOCK_SH|unix.LOCK_NB) == nil
}

// Who only looks whether a directory is free has its lock for a moment, so a
// server tries several times.
const (
	lockTries = 5
	lockPause = 20 * time.Millisecond
)

// acquire takes the lock; a Conflict error names who has it.
func (l Layout) acquire() (*dirLock, error) {
	f, err := os.OpenFile(l.Lock(), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, job.Errorf(job.Invalid, "use the data directory: %w", err)
	}
	for try := 1; ; try++ {
		err = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		if try == lockTries || !errors.Is(err, unix.EWOULDBLOCK) {
			break
		}
		time.Sleep(lockPause)
	}
	if errors.Is(err, unix.EWOULDBLOCK) {
		defer f.Close()
		return nil, job.Errorf(job.Conflict, "another server%s runs on %s already; stop that one first, or give this one a data directory of its own",
			holder(f), l.Dir)
	}
	if err == nil {
		err = writeHolder(f)
	}
	if err != nil {
		f.Close()
		return nil, job.Errorf(job.Internal, "lock the data directory %s: %w", l.Dir, err)
	}
	return &dirLock{f}, nil
}

func holder(f *os.File) string {
	b := make([]byte, 32)
	n, _ := f.ReadAt(b, 0)
	if pid := strings.TrimSpace(string(b[:n])); pid != "" {
		return fmt.Sprintf(" (process %s)", pid)
	}
	return ""
}

func writeHolder(f *os.File) error {
	if err := f.Truncate(0); err != nil {
		return err
	}
	_, err := f.WriteAt(fmt.Appendf(nil, "%d\n", os.Getpid()), 0)
	return err
}

// release lets others run here. The file stays: removing it would let two
// servers lock two files of one name.
func (l *dirLock) release() { _ = l.file.Close() }
