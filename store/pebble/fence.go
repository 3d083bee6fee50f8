package pebble

import (
	"errors"
	"io"
	"path"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// errFenced is what a database that was given up gets for every attempt to
// change a file.
var errFenced = errors.New("this database was given up after a failure")

// fence is the file system one incarnation of the database sees. Once the
// incarnation failed, the fence lets nothing through that would change a file:
// its goroutines, which cannot be stopped, can do no harm to its successor. It
// also sees failures of the log and the manifest first, and times fsyncs.
//
// Pebble ends the process when it cannot change its log, or sync its directory.
// So a failed sync of the directory and, once the database runs, a failed
// operation on the log do not return to it; nor does any operation on its files
// once the fence is down. They wait until nobody commits any more, which is when
// Pebble only closes its files and may know.
type fence struct {
	vfs.FS
	dir string // of the database
	// failed is told the first error of a file whose loss the database does not
	// survive.
	failed func(error)
	// created is told of a new log file, when it durably exists.
	created func(name string) error
	syncs   *syncTimes

	mu   sync.RWMutex // held for reading by every change under way
	down atomic.Bool

	// running is set when the database is open; release, closed by let, ends the
	// waiting of failed operations on the log.
	running atomic.Bool
	release chan struct{}
	once    sync.Once

	// retry is until when (Unix nanoseconds) new tables wait, after one could not
	// be written; quit, closed by lower, ends the wait.
	retry atomic.Int64
	quit  chan struct{}
}

func newFence(fs vfs.FS, dir string, syncs *syncTimes) *fence {
	return &fence{
		FS: fs, dir: dir, syncs: syncs, quit: make(chan struct{}), release: make(chan struct{}),
		failed: func(error) {}, created: func(string) error { return nil },
	}
}

// lower lets nothing through from now on. It does not wait for what is under way.
func (f *fence) lower() {
	if f.down.CompareAndSwap(false, true) {
		close(f.quit)
	}
}

// drain waits for the changes that were under way.
func (f *fence) drain() {
	f.mu.Lock()
	defer f.mu.Unlock()
}

// let lets what failed return.
func (f *fence) let() { f.once.Do(func() { close(f.release) }) }

// change runs one change of the file name.
func (f *fence) change(name string, do func() error) error {
	err := f.try(do)
	if err != nil {
		f.report(name, err)
	}
	return err
}

func (f *fence) try(do func() error) error {
	f.mu.RLock()
	defer f.mu.RUnlock()
	if f.down.Load() {
		return errFenced
	}
	return do()
}

// role is what a file is to the database; others than its own have none.
type role int

const (
	roleOther role = iota
	roleTable
	roleDir // the directory itself, which is synced with each new log and manifest
	roleLog
	roleManifest // and the marker that points to it
)

func (f *fence) role(name string) role {
	base := path.Base(name)
	switch {
	case name == f.dir:
		return roleDir
	case path.Dir(name) != f.dir:
		return roleOther
	case strings.HasSuffix(base, ".sst"):
		return roleTable
	case strings.HasSuffix(base, ".log"):
		return roleLog
	case strings.HasPrefix(base, "MANIFEST"), strings.HasPrefix(base, "marker."):
		return roleManifest
	}
	return roleOther
}

// report decides what the failure of a change means. Tables are written anew by
// the database itself, after a pause; it does not survive a failure of its log
// or its manifest.
func (f *fence) report(name string, err error) {
	role := f.role(name)
	switch role {
	case roleOther:
		return
	case roleTable:
		f.retry.Store(time.Now().Add(retryPause).UnixNano())
	default:
		f.failed(err)
	}
	if role == roleDir || f.running.Load() && (role == roleLog || f.down.Load()) {
		<-f.release
	}
}

// retryPause is how long the database waits before it writes a table anew; by
// itself it would try in a tight loop.
const retryPause = 100 * time.Millisecond

// pause delays a new table after one failed, until the end of the database if
// that failed.
func (f *fence) pause(name string) {
	wait := time.Until(time.Unix(0, f.retry.Load()))
	if wait <= 0 && !f.down.Load() || f.role(name) != roleTable {
		return
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-f.quit:
	}
	if f.down.Load() {
		<-f.release
	}
}

func (f *fence) Create(name string, cat vfs.DiskWriteCategory) (vfs.File, error) {
	f.pause(name)
	return f.open(name, func() (vfs.File, error) { return f.FS.Create(name, cat) })
}

func (f *fence) OpenReadWrite(name string, cat vfs.DiskWriteCategory, opts ...vfs.OpenOption) (vfs.File, error) {
	return f.open(name, func() (vfs.File, error) { return f.FS.OpenReadWrite(name, cat, opts...) })
}

func (f *fence) OpenDir(name string) (vfs.File, error) {
	dir, err := f.FS.OpenDir(name)
	if err != nil {
		return nil, err
	}
	return &fencedFile{File: dir, fence: f, name: name}, nil
}

func (f *fence) ReuseForWrite(from, to string, cat vfs.DiskWriteCategory) (vfs.File, error) {
	return f.open(to, func() (vfs.File, error) { return f.FS.ReuseForWrite(from, to, cat) })
}

func (f *fence) open(name string, do func() (vfs.File, error)) (file vfs.File, err error) {
	err = f.change(name, func() (err error) {
		if file, err = do(); err != nil {
			return err
		}
		switch f.role(name) {
		case roleLog:
			return f.created(name)
		case roleManifest:
			// Pebble makes the name of a manifest durable together with the marker
			// that points to it; the marker alone would be a database without one.
			return syncDir(f.FS, f.dir)
		}
		return nil
	})
	if err != nil {
		if file != nil {
			_ = file.Close() // the error of the change is the one that counts
		}
		return nil, err
	}
	return &fencedFile{File: file, fence: f, name: name, log: f.role(name) == roleLog}, nil
}

func (f *fence) Link(from, to string) error {
	return f.change(to, func() error { return f.FS.Link(from, to) })
}

// Remove and RemoveAll of what is no longer needed may fail without harm.
func (f *fence) Remove(name string) error {
	return f.change("", func() error { return f.FS.Remove(name) })
}

func (f *fence) RemoveAll(name string) error {
	return f.change("", func() error { return f.FS.RemoveAll(name) })
}

func (f *fence) Rename(from, to string) error {
	return f.change(to, func() error { return f.FS.Rename(from, to) })
}

// Lock does nothing: the store holds the lock of the directory for as long as
// it is open, whichever database is behind it.
func (f *fence) Lock(string) (io.Closer, error) { return io.NopCloser(nil), nil }

func (f *fence) Unwrap() vfs.FS { return f.FS }

// fencedFile is a file behind a fence.
type fencedFile struct {
	vfs.File
	fence *fence
	name  string
	log   bool
}

// Close of a log does not fail: what matters was synced before.
func (f *fencedFile) Close() error {
	err := f.File.Close()
	if f.log {
		return nil
	}
	return err
}

func (f *fencedFile) Stat() (info vfs.FileInfo, err error) {
	info, err = f.File.Stat()
	if err != nil && f.log {
		f.fence.report(f.name, err)
	}
	return info, err
}

func (f *fencedFile) Write(p []byte) (n int, err error) {
	err = f.fence.change(f.name, func() (err error) { n, err = f.File.Write(p); return err })
	return n, err
}

func (f *fencedFile) WriteAt(p []byte, at int64) (n int, err error) {
	err = f.fence.change(f.name, func() (err error) { n, err = f.File.WriteAt(p, at); return err })
	return n, err
}

func (f *fencedFile) Preallocate(offset, length int64) error {
	return f.fence.change("", func() error { return f.File.Preallocate(offset, length) })
}

func (f *fencedFile) Sync() error { return f.sync(f.File.Sync) }

func (f *fencedFile) SyncData() error { return f.sync(f.File.SyncData) }

func (f *fencedFile) sync(do func() error) error {
	if !f.log {
		return f.fence.change(f.name, do)
	}
	start := time.Now()
	err := f.fence.change(f.name, do)
	f.fence.syncs.add(time.Since(start))
	return err
}

func (f *fencedFile) SyncTo(length int64) (full bool, err error) {
	err = f.fence.change(f.name, func() (err error) { full, err = f.File.SyncTo(length); return err })
	return full, err
}
