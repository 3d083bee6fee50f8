package pebble

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	pdb "github.com/cockroachdb/pebble/v2"

	"github.com/muster-queue/muster/job"
)

// creatingFile is there while a store is made: what it stands beside was never
// used and may be thrown away.
const creatingFile = "CREATING"

// storeRow is the store's identity inside the database.
type storeRow struct {
	ID string `cbor:"1,keyasint"`
	// NextID is the number of the next namespace.
	NextID nsID `cbor:"2,keyasint"`
}

// prepare finds out what is in the directory, and makes a store if there is none.
func (s *Store) prepare() error {
	l, err := readLayout(s.fs, s.dir)
	if err != nil {
		return openError(s.dir, err)
	}
	if l == nil {
		l, err = s.make()
	} else {
		err = l.checkFormat()
	}
	if err != nil {
		return openError(s.dir, err)
	}
	s.layout = l
	return openError(s.dir, s.settle())
}

// make makes an empty store, unless there are the remains of one.
func (s *Store) make() (*layout, error) {
	l := &layout{fs: s.fs, dir: s.dir, format: formatNumber, id: newID(), line: newID(), db: firstDB}
	names, err := s.fs.List(s.dir)
	if err != nil {
		return nil, err
	}
	begun := false
	for _, name := range names {
		begun = begun || name == creatingFile
	}
	for _, name := range names {
		if !begun && (strings.HasPrefix(name, "db-") || name == blobDir || name == backupFile) {
			return nil, damaged(s.dir, fmt.Errorf("its file %s is missing", formatFile_))
		}
	}
	if err := writeFile(s.fs, l.path(creatingFile), nil); err != nil {
		return nil, err
	}
	if err := s.fs.RemoveAll(l.dbDir()); err != nil && !isNotExist(err) {
		return nil, err
	}
	s.layout = l
	if err := s.makeDatabase(l); err != nil {
		return nil, err
	}
	return l, l.write()
}

func (s *Store) makeDatabase(l *layout) error {
	db, err := s.openDatabase(false)
	if err != nil {
		return err
	}
	err = db.write(func(b *pdb.Batch) error { return setStoreRow(b, storeRow{ID: l.id, NextID: 1}) })
	return errors.Join(err, db.close())
}

func setStoreRow(b *pdb.Batch, row storeRow) error {
	v, err := job.Encode(nil, &row)
	if err != nil {
		return err
	}
	return b.Set(nsID(0).key(nil, kindStore), v, nil)
}

// settle finishes what may have been left half done: the making of a store, the
// first opening of a backup. A backup that is opened starts a life of its own.
func (s *Store) settle() error {
	l := s.layout
	backup, err := exists(s.fs, l.path(backupFile))
	if err != nil {
		return err
	}
	if backup {
		l.line = newID()
		if err := l.write(); err != nil {
			return err
		}
	}
	for _, name := range []string{creatingFile, backupFile} {
		if err := removeIfThere(s.fs, l.path(name)); err != nil {
			return err
		}
	}
	return errors.Join(l.tidy(), syncDir(s.fs, s.dir))
}

// write commits a small batch durably.
func (d *database) write(fill func(b *pdb.Batch) error) error {
	b := d.db.NewBatch()
	if err := fill(b); err != nil {
		return err
	}
	c, err := d.submit(b, nil)
	if err != nil {
		return err
	}
	return c.Wait()
}

// flushLog makes everything durable that was committed before.
func (d *database) flushLog() error {
	return d.write(func(b *pdb.Batch) error { return b.LogData(nil, nil) })
}

// readNames reads the store's identity and its namespaces.
func (s *Store) readNames(db *database) error {
	var row storeRow
	if err := db.get(nsID(0).key(nil, kindStore), &row); err != nil {
		return err
	}
	if row.ID != s.layout.id {
		return fmt.Errorf("its file %s and its database %s belong to different stores", formatFile_, s.layout.db)
	}
	s.nextID = row.NextID
	from := nsID(0).key(nil, kindNamespace)
	return db.scan(from, after(from), func(key, value []byte) error {
		var id nsID
		if err := job.Decode(value, &id); err != nil {
			return err
		}
		name := string(key[prefixLen:])
		s.names[name] = newShared(s, name, id)
		return s.names[name].read(db)
	})
}

func (s *Store) storeName(db *database, name string, id nsID) error {
	v, err := job.Encode(nil, id)
	if err != nil {
		return err
	}
	return db.write(func(b *pdb.Batch) error {
		return errors.Join(
			setStoreRow(b, storeRow{ID: s.layout.id, NextID: id + 1}),
			b.Set(append(nsID(0).key(nil, kindNamespace), name...), v, nil))
	})
}

func (s *Store) removeName(db *database, name string, id nsID) error {
	return db.write(func(b *pdb.Batch) error {
		err := b.Delete(append(nsID(0).key(nil, kindNamespace), name...), nil)
		for _, kind := range []byte(allKinds) {
			err = errors.Join(err, b.DeleteRange(id.key(nil, kind), (id+1).key(nil, kind), nil))
		}
		return err
	})
}

// databaseFailed gives a database up and has another opened.
func (s *Store) databaseFailed(d *database) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.db != d {
		return // not in use yet, or any more
	}
	s.db, s.down = nil, d.err()
	s.cfg.Log.Error("the store failed and is opened anew", "store", s.dir, "error", d.cause)
	s.old.Go(func() { _ = d.close() }) // what it says about its failure is known
	if !s.closed {
		s.work.Go(func() { s.reopen(d) })
	}
}

// reopen opens another database on the files of one that failed, however long
// that takes.
func (s *Store) reopen(failed *database) {
	failed.fence.drain()
	for pause := 10 * time.Millisecond; ; pause = min(2*pause, s.cfg.ReopenMax) {
		db, err := s.openDatabase(true)
		if err == nil {
			err = s.reread(db)
		}
		if s.reopened(db, err) {
			return
		}
		timer := time.NewTimer(pause)
		select {
		case <-timer.C:
		case <-s.quit:
			timer.Stop()
			return
		}
	}
}

// reread reads of every namespace what a failure may have taken.
func (s *Store) reread(db *database) error {
	for _, n := range s.namespaces() {
		if err := n.read(db); err != nil {
			db.fence.lower()
			s.old.Go(func() { _ = db.close() })
			return openError(s.dir, err)
		}
	}
	return nil
}

// reopened puts the new database in use, or notes why there is none yet.
func (s *Store) reopened(db *database, err error) (done bool) {
	defer s.attempted()
	if err != nil {
		s.mu.Lock()
		s.down = err
		s.mu.Unlock()
		return false
	}
	s.mu.Lock()
	closed := s.closed
	s.mu.Unlock()
	if closed {
		s.old.Go(func() { _ = db.close() })
		return true
	}
	s.use(db)
	s.cfg.Log.Info("the store is open again", "store", s.dir)
	for _, n := range s.namespaces() {
		n.kick()
	}
	return true
}

// attempted wakes those who wait for an attempt to open the database again.
func (s *Store) attempted() {
	s.mu.Lock()
	defer s.mu.Unlock()
	close(s.opened)
	s.opened = make(chan struct{})
}

func (s *Store) namespaces() []*shared {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Collect(maps.Values(s.names))
}
