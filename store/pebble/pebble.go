// Package pebble keeps namespaces in one directory on the local disk, in one
// Pebble database for all of them: one log, shared fsyncs, nothing to install.
// Servers open it; package engine writes to it through the interfaces of
// package store.
//
// Commits go to the log in order and are pipelined; what Commit.Wait confirmed
// survives a crash. After a failure of the disk the database is given up and
// another opened on the same files, in this process, without a retry of the
// write that failed. A directory that lacks a part, or has one that cannot be
// read, is refused with a Damaged error; one thing cannot be told from a crash:
// when the end of the newest log file was cut off or altered while no server
// ran, and the last server had not been stopped in an orderly way, the records
// there count as never acknowledged.
package pebble

import (
	"context"
	"errors"
	"io"
	"maps"
	"path/filepath"
	"slices"
	"sync"
	"time"

	pdb "github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/muster-queue/muster/job"
	"github.com/muster-queue/muster/store"
)

// Store is an open directory. It implements store.Store.
type Store struct {
	cfg    Config
	fs     vfs.FS
	dir    string
	layout *layout
	lock   io.Closer
	cache  *pdb.Cache
	blobs  *blobs
	syncs  syncTimes
	space  space

	mu sync.Mutex
	// db is the database in use, nil between a failure and its reopening; down
	// says why, and opened is closed when that state ends or an attempt failed.
	db     *database
	down   error
	opened chan struct{}
	closed bool
	names  map[string]*shared
	nextID nsID

	naming sync.Mutex // one Create or Destroy at a time
	backup sync.Mutex // one at a time
	quit   chan struct{}
	work   sync.WaitGroup // background goroutines
	old    sync.WaitGroup // databases given up, while they close
}

var _ store.Store = (*Store)(nil)

// Open opens the store in cfg.Dir, or makes one there. It fails with a Conflict
// error if another process has it open or a newer release wrote it, and with a
// Damaged error if it cannot be read.
func Open(cfg Config) (*Store, error) {
	cfg = cfg.withDefaults()
	if cfg.Dir == "" {
		return nil, job.Errorf(job.Invalid, "a store needs a directory")
	}
	if cfg.FS == vfs.Default {
		if dir, err := filepath.Abs(cfg.Dir); err == nil {
			cfg.Dir = dir
		}
	}
	s := &Store{cfg: cfg, fs: cfg.FS, dir: cfg.Dir, quit: make(chan struct{}), opened: make(chan struct{}), names: map[string]*shared{}}
	if err := s.open(); err != nil {
		return nil, err
	}
	s.work.Go(s.sweeper)
	s.blobs.sweepSoon()
	for _, n := range s.names {
		n.startIndexing()
	}
	return s, nil
}

func (s *Store) open() (err error) {
	if err := makeDir(s.fs, s.dir); err != nil {
		return job.Wrap(osError(err), "make store", s.dir)
	}
	if s.lock, err = lockDir(s.fs, s.dir); err != nil {
		return err
	}
	s.cache = pdb.NewCache(s.cfg.Cache)
	defer func() {
		if err != nil {
			s.cache.Unref()
			err = errors.Join(err, s.lock.Close())
		}
	}()
	if err := s.prepare(); err != nil {
		return err
	}
	s.blobs = newBlobs(s.fs, s.layout.path(blobDir))
	s.space = space{fs: s.fs, dir: s.dir, cfg: &s.cfg}
	db, err := s.openDatabase(true)
	if err != nil {
		return err
	}
	if err := s.readNames(db); err != nil {
		return errors.Join(openError(s.dir, err), s.end(db))
	}
	s.use(db)
	return nil
}

// use puts a database in use. One that failed before it was is given up now.
func (s *Store) use(db *database) {
	s.mu.Lock()
	s.db, s.down = db, nil
	s.mu.Unlock()
	select {
	case <-db.failed:
		s.databaseFailed(db)
	default:
	}
}

// database is the one in use, acquired.
func (s *Store) database() (*database, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, job.Errorf(job.Unavailable, "the store %s is closed", s.dir)
	}
	if s.db == nil || !s.db.acquire() {
		return nil, s.down
	}
	return s.db, nil
}

// Namespaces implements store.Store.
func (s *Store) Namespaces(context.Context) ([]string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Sorted(maps.Keys(s.names)), nil
}

// Create implements store.Store.
func (s *Store) Create(_ context.Context, name string) error {
	if err := job.CheckName("namespace", name); err != nil {
		return err
	}
	s.naming.Lock()
	defer s.naming.Unlock()
	db, err := s.database()
	if err != nil {
		return err
	}
	defer db.release()
	if s.named(name) != nil {
		return job.Errorf(job.Exists, "namespace %s exists", name)
	}
	id := s.nextID
	s.nextID++ // a number is never used twice, even if this fails
	if err := s.storeName(db, name, id); err != nil {
		return job.Wrap(err, "create namespace", name)
	}
	n := newShared(s, name, id)
	s.mu.Lock()
	s.names[name] = n
	s.mu.Unlock()
	n.startIndexing()
	return nil
}

// Destroy implements store.Store.
func (s *Store) Destroy(_ context.Context, name string) error {
	s.naming.Lock()
	defer s.naming.Unlock()
	db, err := s.database()
	if err != nil {
		return err
	}
	defer db.release()
	n := s.named(name)
	if n == nil {
		return noNamespace(name)
	}
	n.stopIndexing()
	n.mu.Lock()
	defer n.mu.Unlock()
	n.gone = true // no commit comes after the deletion
	if err := s.removeName(db, name, n.id); err != nil {
		return job.Wrap(err, "destroy namespace", name)
	}
	s.mu.Lock()
	delete(s.names, name)
	s.mu.Unlock()
	s.blobs.sweepSoon()
	return nil
}

func (s *Store) named(name string) *shared {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.names[name]
}

func noNamespace(name string) error { return job.Errorf(job.NotFound, "no namespace %q", name) }

// Close waits for commits under way and closes the store. What the log has is
// written as tables, so that the next Open is quick.
func (s *Store) Close() error {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return nil
	}
	s.closed = true
	close(s.quit)
	s.mu.Unlock()
	for _, n := range s.namespaces() {
		n.stopIndexing()
	}
	s.work.Wait()
	s.mu.Lock()
	db := s.db
	s.db = nil
	s.mu.Unlock()
	var err error
	if db != nil {
		err = s.end(db)
	}
	s.awaitOld()
	s.cache.Unref()
	return errors.Join(err, s.lock.Close())
}

// end closes the database in use. One that failed is given up.
func (s *Store) end(db *database) error {
	if err := db.flush(); err != nil {
		db.fence.lower()
		s.old.Go(func() { _ = db.close() })
		return job.Wrap(err, "close store", s.dir)
	}
	return db.close()
}

// flush writes what the log has as tables.
func (d *database) flush() error {
	d.closing.Store(true)
	var flushed <-chan struct{}
	err := d.run(func() (err error) { flushed, err = d.db.AsyncFlush(); return err })
	if err != nil {
		return err
	}
	select {
	case <-flushed:
		return nil
	case <-d.failed:
		return d.err()
	}
}

// oldPatience is how long Close waits for databases that were given up; one may
// never end (see database).
const oldPatience = time.Second

func (s *Store) awaitOld() {
	ended := make(chan struct{})
	go func() {
		s.old.Wait()
		close(ended)
	}()
	timer := time.NewTimer(oldPatience)
	defer timer.Stop()
	select {
	case <-ended:
	case <-timer.C:
	}
}
