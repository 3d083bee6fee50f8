package pebble

import (
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/muster-queue/muster/job"
	"github.com/muster-queue/muster/store"
)

// syncTimes are the times of the last fsyncs of the log.
type syncTimes struct {
	mu    sync.Mutex
	times [256]time.Duration
	n     int
}

func (s *syncTimes) add(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.times[s.n%len(s.times)] = d
	s.n++
}

// median is the middle of them, zero if there are none.
func (s *syncTimes) median() time.Duration {
	s.mu.Lock()
	last := slices.Clone(s.times[:min(s.n, len(s.times))])
	s.mu.Unlock()
	if len(last) == 0 {
		return 0
	}
	slices.Sort(last)
	return last[len(last)/2]
}

// space watches the free space of the disk.
type space struct {
	fs  vfs.FS
	dir string
	cfg *Config

	mu   sync.Mutex
	at   time.Time
	low  atomic.Bool
	free int64
}

// look is how many bytes are free, by a look that may be a little old.
func (s *space) look() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.at.IsZero() && time.Since(s.at) < s.cfg.SpaceEvery {
		return s.free
	}
	s.at = time.Now()
	usage, err := s.fs.GetDiskUsage(s.dir)
	if err != nil {
		s.low.Store(false) // unknown; writes will tell
		s.free = 0
		return 0
	}
	s.free = int64(usage.AvailBytes)
	s.low.Store(s.free < s.reserve(int64(usage.TotalBytes)))
	return s.free
}

func (s *space) reserve(total int64) int64 {
	if s.cfg.Reserve > 0 {
		return s.cfg.Reserve
	}
	return min(max(total/100, minReserve), maxReserve)
}

// spaceToOpen is a NoSpace error when what the log has would not fit as tables,
// which is the first thing a database does when it is opened.
func (s *Store) spaceToOpen() error {
	usage, err := s.fs.GetDiskUsage(s.dir)
	if err != nil {
		return nil // unknown; writes will tell
	}
	names, err := s.fs.List(s.layout.dbDir())
	if err != nil {
		return openError(s.dir, err)
	}
	need := uint64(1 << 20)
	for _, name := range names {
		if !strings.HasSuffix(name, ".log") {
			continue
		}
		if info, err := s.fs.Stat(s.fs.PathJoin(s.layout.dbDir(), name)); err == nil {
			need += uint64(info.Size())
		}
	}
	if usage.AvailBytes < need && usage.TotalBytes > 0 {
		return job.Errorf(job.NoSpace, "open store %s: the disk is full: %d MiB are free, %d MiB are needed", s.dir, usage.AvailBytes>>20, need>>20)
	}
	return nil
}

// Health implements store.Store. It is cheap enough to ask before every request.
func (s *Store) Health() error {
	s.mu.Lock()
	db, down, closed := s.db, s.down, s.closed
	s.mu.Unlock()
	switch {
	case closed:
		return job.Errorf(job.Unavailable, "the store %s is closed", s.dir)
	case db == nil:
		return down
	}
	if damage := db.damage.Load(); damage != nil {
		return damaged(s.dir, *damage)
	}
	free := s.space.look()
	if s.space.low.Load() {
		return job.Errorf(job.NoSpace, "the disk of %s is full (%d MiB free): no new work is accepted until there is space; "+
			"what runs may still report", s.dir, free>>20)
	}
	return nil
}

// Stats implements store.Store.
func (s *Store) Stats() store.Stats {
	st := store.Stats{Kind: "pebble", Dir: s.dir, FreeBytes: s.space.look(), SyncP50: s.syncs.median()}
	if db, err := s.database(); err == nil {
		st.DiskBytes = int64(db.db.Metrics().DiskSpaceUsage())
		db.release()
	}
	return st
}
