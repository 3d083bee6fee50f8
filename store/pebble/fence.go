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
type fence struct {
	vfs.FS
	// failed is told the first error of a file whose loss the database does not
	// survive.
	failed func(error)
	// created is told of a new log file, when it durably exists.
	created func(name string) error
	syncs   *syncTimes

	mu   sync.RWMutex // held for reading by every change under way
	down atomic.Bool

	// retry is until when (Unix nanoseconds) new tables wait, after one could not
	// be written; quit, closed by lower, ends the wait.
	retry atomic.Int64
	quit  chan struct{}
}

func newFence(fs vfs.FS, syncs *syncTimes) *fence {
	return &fence{FS: fs, syncs: syncs, quit: make(chan struct{}), failed: func(error) {}, created: func(string) error { return nil }}
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

// change runs one change of the file name.
func (f *fence) change(name string, do func() error) error {
	f.mu.RLock()
	defer f.mu.RUnlock()
	if f.down.Load() {
		return errFenced
	}
	err := do()
	if err != nil {
		f.report(name, err)
	}
	return err
}

// report decides what the failure of a change means. Tables are written anew by
// the database itself, after a pause; it does not survive a failure of its log
// or manifest.
func (f *fence) report(name string, err error) {
	base := path.Base(name)
	if strings.HasSuffix(base, ".sst") || strings.HasSuffix(base, ".blob") {
		f.retry.Store(time.Now().Add(retryPause).UnixNano())
		return
	}
	if strings.HasSuffix(base, ".log") || strings.HasPrefix(base, "MANIFEST") || strings.HasPrefix(base, "marker.") {
		f.failed(err)
	}
}

// retryPause is how long the database waits before it writes a table anew; by
// itself it would try in a tight loop.
const retryPause = 100 * time.Millisecond

func (f *fence) pause(name string) {
	wait := time.Until(time.Unix(0, f.retry.Load()))
	if wait <= 0 || !strings.HasSuffix(name, ".sst") {
		return
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-f.quit:
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

func (f *fence) open(name string, do func() (vfs.File, error)) (vfs.File, error) {
	var file vfs.File
	err := f.change(name, func() (err error) {
		file, err = do()
		if err == nil && strings.HasSuffix(name, ".log") {
			err = f.created(name)
		}
		return err
	})
	if err != nil {
		if file != nil {
			_ = file.Close() // the error of the change is the one that counts
		}
		return nil, err
	}
	return &fencedFile{File: file, fence: f, name: name, log: strings.HasSuffix(name, ".log")}, nil
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
