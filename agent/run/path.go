package run

import (
	"errors"
	"io/fs"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/muster-queue/muster/job"
)

// paths remembers for a moment where programs were found, as shells do for
// longer: a search costs some ten system calls.
type paths struct {
	mu    sync.Mutex
	at    time.Time
	found map[[2]string]string // by PATH and name
}

const (
	pathsAge  = time.Second
	pathsMost = 1000
)

func newPaths() *paths { return &paths{found: map[[2]string]string{}} }

func (p *paths) get(path, name string) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	if time.Since(p.at) > pathsAge || len(p.found) > pathsMost {
		clear(p.found)
		p.at = time.Now()
	}
	return p.found[[2]string{path, name}]
}

func (p *paths) put(path, name, found string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.found[[2]string{path, name}] = found
}

// find looks a program up as a shell would, with the command's PATH, from its
// directory.
func (x *attempt) find(name string) (string, error) {
	if strings.Contains(name, "/") {
		return name, nil // the kernel resolves it in the command's directory
	}
	list := getenv(x.env, "PATH")
	if found := x.r.paths.get(list, name); found != "" {
		return found, nil
	}
	denied, relative := "", false
	for dir := range strings.SplitSeq(list, ":") {
		path := filepath.Join(dir, name)
		if !filepath.IsAbs(dir) {
			relative = true // depends on the command's directory
			path = filepath.Join(x.dir.cwd, path)
		}
		err := executable(path)
		if err == nil {
			if !relative {
				x.r.paths.put(list, name, path)
			}
			return path, nil
		}
		if errors.Is(err, fs.ErrPermission) {
			denied = path
		}
	}
	if denied != "" {
		return "", failed(job.ReasonPermission, "start %s: no permission to execute it", denied)
	}
	return "", failed(job.ReasonNotFound, "start %s: no such program in its PATH %q", name, list)
}

func executable(path string) error {
	var st unix.Stat_t
	if err := unix.Stat(path, &st); err != nil {
		return err
	}
	if st.Mode&unix.S_IFMT == unix.S_IFDIR {
		return fs.ErrNotExist
	}
	if st.Mode&0o111 == 0 {
		return fs.ErrPermission
	}
	return nil
}
