package run

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"time"

	"github.com/muster-queue/muster/agent/home"
	"github.com/muster-queue/muster/job"
)

// workdir is where a command runs. A unique one is "…/NUMBER/cwd", with a
// directory for temporary files, "…/NUMBER/tmp", beside it.
type workdir struct {
	cwd, tmp string
	root     string // what is removed; empty when the directory was given
	pool     *pool
	was      [2]stamp // of cwd and tmp when made
	empty    bool     // both are, as used found last
}

// stamp tells whether a directory is still the one it was.
type stamp struct {
	mode uint32
	uid  uint32
	ino  uint64
}

func (d *workdir) unique() bool { return d.root != "" }

// givenDir is a directory that the job names.
func givenDir(path string) (*workdir, error) {
	info, err := os.Stat(path)
	switch {
	case !filepath.IsAbs(path):
		return nil, failed(job.ReasonCwd, "the directory %q is not an absolute path", path)
	case err != nil:
		return nil, failed(job.ReasonCwd, "the directory cannot be used: %w", err)
	case !info.IsDir():
		return nil, failed(job.ReasonCwd, "the directory cannot be used: %s is a file", path)
	}
	return &workdir{cwd: path}, nil
}

// dirs makes unique directories. Making and removing one costs more than
// starting a process on many file systems, so one that a command left as it got
// it is given to the next.
type dirs struct {
	id     string // the agent's
	name   string // of the directories below a base: unique to the agent's incarnation
	bases  *bases
	tidied sync.WaitGroup

	mu     sync.Mutex
	pools  map[poolKey]*pool
	number int // of the last directory made
}

// Directories of different owners are not exchanged.
type poolKey struct {
	base string
	uid  uint32
}

// pool is the directories below one base that are in use or wait for it.
type pool struct {
	dirs *dirs
	key  poolKey
	base string
	who  *identity

	mu     sync.Mutex
	inUse  int
	free   []*workdir
	tidy   *time.Timer // removes free ones when nothing runs here for a while
	closed bool
}

const (
	// level is how many directories share a parent.
	level = 1000
	// tidyAfter is how long unused directories are kept for the next command.
	tidyAfter = time.Second
	// workName is what people see below the base directory.
	workName = "muster-work"
)

func newDirs(h *home.Home) *dirs {
	ds := &dirs{id: h.ID, name: fmt.Sprintf("%s-%d", h.ID, h.Incarnation), pools: map[poolKey]*pool{}}
	var before []string
	ds.bases, before = openBases(h.Path(basesName))
	ds.tidied.Go(func() { ds.tidy(before) })
	return ds
}

func (ds *dirs) pool(base string, who *identity) *pool {
	ds.mu.Lock()
	defer ds.mu.Unlock()
	key := poolKey{base: base}
	if who != nil {
		key.uid = who.uid
	}
	p := ds.pools[key]
	if p == nil {
		name := ds.name
		if who != nil {
			name += "-" + strconv.Itoa(int(who.uid))
		}
		p = &pool{dirs: ds, key: key, base: filepath.Join(base, workName, name), who: who}
		ds.pools[key] = p
		ds.bases.note(base)
	}
	return p
}

// get returns an empty directory below base.
func (ds *dirs) get(base string, who *identity) (*workdir, error) {
	if !filepath.IsAbs(base) {
		return nil, failed(job.ReasonCwd, "the base directory %q is not an absolute path", base)
	}
	p := ds.pool(base, who)
	p.mu.Lock()
	p.inUse++
	if n := len(p.free); n > 0 {
		d := p.free[n-1]
		p.free = p.free[:n-1]
		p.mu.Unlock()
		return d, nil
	}
	p.mu.Unlock()
	d, err := p.make(ds.next())
	if err != nil {
		p.done(nil)
		return nil, failed(job.ReasonCwd, "make a working directory: %w", err)
	}
	return d, nil
}

// next numbers a new directory.
func (ds *dirs) next() int {
	ds.mu.Lock()
	defer ds.mu.Unlock()
	ds.number++
	return ds.number
}

func (p *pool) make(number int) (*workdir, error) {
	root := filepath.Join(p.base, strconv.Itoa(number/level), strconv.Itoa(number))
	d := &workdir{root: root, cwd: filepath.Join(root, "cwd"), tmp: filepath.Join(root, "tmp"), pool: p}
	// Another command's end may remove the empty parents meanwhile.
	var err error
	for range 10 {
		if err = os.Mkdir(root, 0o777); !errors.Is(err, fs.ErrNotExist) {
			break
		}
		if err = os.MkdirAll(filepath.Dir(root), 0o777); err != nil {
			return nil, err
		}
	}
	if err != nil {
		return nil, err
	}
	for _, dir := range []string{d.cwd, d.tmp} {
		if err := os.Mkdir(dir, 0o777); err != nil {
			return nil, err
		}
		if err := p.who.own(dir); err != nil {
			return nil, err
		}
	}
	d.was = [2]stamp{stampOf(d.cwd), stampOf(d.tmp)}
	return d, nil
}

// leave takes a directory back, after used has looked into it. One to be kept stays as it is, unless it is
// empty; left tells whether it did.
func (ds *dirs) leave(d *workdir, keep bool) (left bool, err error) {
	if !d.unique() {
		return true, nil
	}
	switch {
	case d.untouched():
		d.empty = false
		d.pool.done(d)
		return false, nil
	case keep && !d.empty && !empty(d.cwd) && stampOf(d.cwd) != stamp{}:
		err = os.RemoveAll(d.tmp)
		left = true
	default:
		err = os.RemoveAll(d.root)
	}
	d.pool.done(nil)
	return left, err
}

// untouched reports whether the directory is as it was made.
func (d *workdir) untouched() bool {
	return d.empty && d.was == [2]stamp{stampOf(d.cwd), stampOf(d.tmp)}
}

// done notes that a command is done with a directory of the pool, and keeps the
// directory for the next command when there is one to keep.
func (p *pool) done(d *workdir) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.inUse--
	if d != nil {
		p.free = append(p.free, d)
	}
	if p.closed {
		p.sweep()
	} else if p.inUse == 0 && p.tidy == nil {
		p.tidy = time.AfterFunc(tidyAfter, p.idle)
	}
}

// idle sweeps when nothing has run for a while.
func (p *pool) idle() {
	p.dirs.mu.Lock()
	defer p.dirs.mu.Unlock()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.tidy = nil
	if p.inUse == 0 {
		p.sweep()
		if p.dirs.pools[p.key] == p {
			delete(p.dirs.pools, p.key)
		}
	}
}

// sweep removes the unused directories and their empty parents.
func (p *pool) sweep() {
	for _, d := range p.free {
		for _, dir := range []string{d.cwd, d.tmp, d.root, filepath.Dir(d.root)} {
			_ = syscall.Rmdir(dir)
		}
	}
	p.free = nil
	_ = syscall.Rmdir(p.base)
	_ = syscall.Rmdir(filepath.Dir(p.base))
}

func (ds *dirs) close() {
	ds.tidied.Wait()
	defer ds.bases.close()
	ds.mu.Lock()
	defer ds.mu.Unlock()
	for _, p := range ds.pools {
		p.mu.Lock()
		p.closed = true
		if p.tidy != nil {
			p.tidy.Stop()
		}
		p.sweep()
		p.mu.Unlock()
	}
}

// empty reports whether dir is a directory without entries.
func empty(dir string) bool {
	fd, err := syscall.Open(dir, syscall.O_RDONLY|syscall.O_DIRECTORY|syscall.O_NOFOLLOW|syscall.O_CLOEXEC, 0)
	if err != nil {
		return false
	}
	defer syscall.Close(fd)
	var buf [512]byte
	for {
		n, err := syscall.ReadDirent(fd, buf[:])
		if err != nil {
			return false
		}
		if n == 0 {
			return true
		}
		if _, _, names := syscall.ParseDirent(buf[:n], 1, nil); len(names) > 0 {
			return false
		}
	}
}

func stampOf(dir string) stamp {
	var st syscall.Stat_t
	if syscall.Lstat(dir, &st) != nil {
		return stamp{}
	}
	return stamp{mode: st.Mode, uid: st.Uid, ino: st.Ino}
}
