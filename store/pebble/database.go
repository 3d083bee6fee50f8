package pebble

import (
	"errors"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	pdb "github.com/cockroachdb/pebble/v2"

	"github.com/muster-queue/muster/job"
)

// database is one incarnation of the store's Pebble database. When it fails it
// is fenced off and given up, never repaired in place, and the store opens
// another on the same files.
//
// Commits are applied by one goroutine and waited for by another, so that nobody
// else is caught in a database that does not return (see fence). Where Pebble
// calls Logger.Fatalf, as it does when its manifest fails, its state in memory is
// not to be relied on: the goroutine ends there, all others end at the fence, and
// the memory is lost to the process.
type database struct {
	db    *pdb.DB
	fence *fence

	commits chan *commit // to be applied, in order
	applied chan *commit // to be waited for, in order
	// failed is closed at the first failure; cause is set before.
	failed chan struct{}
	once   sync.Once
	cause  error
	onFail func(*database)

	// broken is set when Pebble called Fatalf.
	broken atomic.Bool
	// damage is set when a table was found to be corrupt.
	damage atomic.Pointer[error]
	// stalled counts write stalls under way, flushErrors failed flushes in a row.
	stalled, flushErrors atomic.Int32
	// closing is set while Close waits for a flush.
	closing atomic.Bool

	users   sync.WaitGroup
	applier sync.WaitGroup
	syncer  sync.WaitGroup
	mu      sync.Mutex // guards shut against new users
	shut    bool
}

// maxFlushErrors is how many flushes in a row may fail while commits wait for
// them, before the database is given up.
const maxFlushErrors = 5

// commitQueue is how many commits may wait to be applied.
const commitQueue = 64

// openDatabase opens the Pebble database of the layout.
func (s *Store) openDatabase(mustExist bool) (*database, error) {
	ledger, err := openLedger(s.fs, s.layout.dbDir(), mustExist)
	if err != nil {
		return nil, openError(s.dir, err)
	}
	d := &database{
		fence:   newFence(s.fs, s.layout.dbDir(), &s.syncs),
		commits: make(chan *commit, commitQueue),
		applied: make(chan *commit, commitQueue),
		failed:  make(chan struct{}),
		onFail:  s.databaseFailed,
	}
	d.fence.failed = func(err error) { go d.fail(err) }
	d.fence.created = ledger.add
	opts := s.cfg.options(s.cache, d.fence, d.listener(s.cfg.Log.Error), logger{d, s.cfg.Log})
	opts.ErrorIfNotExists = mustExist
	if err := s.spaceToOpen(); err != nil {
		return nil, err
	}
	if err := d.open(s.layout.dbDir(), opts); err != nil {
		d.fence.lower()
		return nil, openError(s.dir, err)
	}
	d.fence.running.Store(true)
	d.applier.Go(d.applyCommits)
	d.syncer.Go(d.syncCommits)
	return d, nil
}

// openPatience is how long a database that failed while it was opened may take
// to say so itself. If it waits at the fence, or its log cannot be written as
// tables, it never does.
const openPatience = 250 * time.Millisecond

// open opens the Pebble database.
func (d *database) open(dir string, opts *pdb.Options) error {
	type result struct {
		db  *pdb.DB
		err error
	}
	opened := make(chan result, 1)
	go func() {
		db, err := openPebble(dir, opts)
		opened <- result{db, err}
	}()
	select {
	case r := <-opened:
		d.db = r.db
		return r.err
	case <-d.failed:
	}
	timer := time.NewTimer(openPatience)
	defer timer.Stop()
	select {
	case r := <-opened:
		if r.err == nil {
			r.err = errors.Join(d.cause, r.db.Close())
		}
		return r.err
	case <-timer.C:
		return d.cause
	}
}

// openPebble opens a Pebble database; where Pebble panics over what it reads,
// that is an error.
func openPebble(dir string, opts *pdb.Options) (db *pdb.DB, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = panicked(r)
		}
	}()
	return pdb.Open(dir, opts)
}

// panicked is what a panic says, as an error.
func panicked(r any) error {
	if err, ok := r.(error); ok {
		return err
	}
	return fmt.Errorf("%v", r)
}

// fail gives the database up.
func (d *database) fail(cause error) {
	d.once.Do(func() {
		d.cause = cause
		d.fence.lower()
		close(d.failed)
		d.onFail(d)
	})
}

// err is why the database was given up, as its users are told.
func (d *database) err() error {
	<-d.failed
	return job.Wrap(&job.Error{Kind: kindOfOS(d.cause), Err: d.cause}, "write to the store", "")
}

// acquire keeps the database open until release; false once it is closed.
func (d *database) acquire() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.shut {
		return false
	}
	d.users.Add(1)
	return true
}

func (d *database) release() { d.users.Done() }

// close ends the database when its users are done. Of one that failed the
// goroutine that applies may never return; then it stays as it is.
func (d *database) close() error {
	d.mu.Lock()
	d.shut = true
	d.mu.Unlock()
	d.users.Wait()
	if d.broken.Load() {
		return d.err()
	}
	close(d.commits)
	d.applier.Wait()
	d.fence.let()
	d.syncer.Wait()
	closed := make(chan error, 1)
	go func() { closed <- closePebble(d.db) }()
	select {
	case err := <-closed:
		return err
	case <-d.failed:
	}
	// What Pebble was doing beside may have ended in the middle, at Logger.Fatalf; then
	// it waits for that for ever, and the database stays as it is.
	timer := time.NewTimer(closePatience)
	defer timer.Stop()
	for {
		select {
		case err := <-closed:
			return err
		case <-timer.C:
			if d.broken.Load() {
				return d.err()
			}
			timer.Reset(closePatience)
		}
	}
}

// closePatience is after how long it is looked whether a database that failed can be
// closed at all.
const closePatience = 250 * time.Millisecond

// closePebble closes a Pebble database; where it panics, that is an error.
func closePebble(db *pdb.DB) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = panicked(r)
		}
	}()
	return db.Close()
}

// guard runs a change of the database and turns a panic of Pebble into a failure.
func (d *database) guard(change func() error) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = panicked(r)
			d.fail(err)
		}
	}()
	select {
	case <-d.failed:
		return d.err()
	default:
	}
	return change()
}

// listener follows what the database says of itself.
func (d *database) listener(report func(msg string, args ...any)) *pdb.EventListener {
	return &pdb.EventListener{
		BackgroundError: func(err error) {
			if d.fence.down.Load() {
				return
			}
			report("the store's database has trouble", "error", err)
		},
		DataCorruption: func(info pdb.DataCorruptionInfo) {
			err := fmt.Errorf("%s: %w", info.Path, info.Details)
			if d.damage.CompareAndSwap(nil, &err) {
				report("the store's database is damaged", "error", err)
			}
		},
		WriteStallBegin: func(pdb.WriteStallBeginInfo) { d.stalled.Add(1) },
		WriteStallEnd:   func() { d.stalled.Add(-1) },
		FlushEnd:        d.flushed,
	}
}

// flushed counts flushes that failed. When commits, the opening or the closing wait for
// them for long, the database is given up: its users get an answer, and the next one
// starts over.
func (d *database) flushed(info pdb.FlushInfo) {
	if info.Err == nil {
		d.flushErrors.Store(0)
		return
	}
	if d.flushErrors.Add(1) >= maxFlushErrors && (d.stalled.Load() > 0 || d.closing.Load() || !d.fence.running.Load()) {
		go d.fail(info.Err)
	}
}

// logger takes Pebble's log.
type logger struct {
	d   *database
	log interface {
		Error(msg string, args ...any)
		Debug(msg string, args ...any)
	}
}

func (l logger) Infof(format string, args ...any) {
	l.log.Debug("pebble: " + fmt.Sprintf(format, args...))
}
func (l logger) Errorf(format string, args ...any) {
	if !l.d.fence.down.Load() {
		l.log.Error("pebble: " + fmt.Sprintf(format, args...))
	}
}

// Fatalf is called where Pebble cannot go on; it does not return.
func (l logger) Fatalf(format string, args ...any) {
	err := fmt.Errorf(format, args...)
	for _, arg := range args {
		if cause, ok := arg.(error); ok {
			err = cause // %s would hide what kind of error it is
		}
	}
	l.d.broken.Store(true)
	l.d.fence.lower()
	go l.d.fail(err)
	runtime.Goexit()
}
