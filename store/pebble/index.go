package pebble

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"
	"time"

	pdb "github.com/cockroachdb/pebble/v2"

	"github.com/muster-queue/muster/job"
)

// The index of history, by key and by group, is not written with the history
// records but by a goroutine per namespace, in segments. What a crash takes of it
// is written again from history.

// indexMost is how many history records a new segment has at most.
const indexMost = 64 << 10

// segments are the index of a namespace's history, oldest first.
type segments struct {
	// work is held by whoever changes the index.
	work sync.Mutex
	// mu is held for reading as long as the segments are read; when set returns,
	// nobody reads the earlier ones.
	mu  sync.RWMutex
	all []*segment
	// next is the number of the newest segment.
	next uint64
}

// noteFinished tells the indexer about a commit.
func (n *shared) noteFinished(c *job.Changes) {
	if len(c.Finished) > 0 {
		n.ended.Store(c.Finished[len(c.Finished)-1].End + 1)
	}
	if len(c.Finished)+len(c.Forgotten) > 0 {
		n.kick()
	}
}

func (n *shared) kick() {
	select {
	case n.wake <- struct{}{}:
	default:
	}
}

// idle tells whether there is nothing to index or to delete.
func (n *shared) idle() bool { return n.pending() == 0 && !n.forgot.Load() }

// pending is how many history numbers are not indexed.
func (n *shared) pending() int { return int(n.ended.Load() - n.reach.Load()) }

func (n *shared) startIndexing() {
	ctx, stop := context.WithCancel(context.Background())
	n.stop = stop
	n.indexer.Go(func() { n.index(ctx) })
	n.kick()
}

func (n *shared) stopIndexing() {
	n.stop()
	n.indexer.Wait()
}

// index runs until the namespace or the store is closed.
func (n *shared) index(ctx context.Context) {
	timer := time.NewTimer(n.store.cfg.IndexAfter)
	defer timer.Stop()
	for {
		due := false
		select {
		case <-n.wake:
		case <-timer.C:
			due = true
		case <-ctx.Done():
			return
		}
		if due && !n.idle() || n.pending() >= n.store.cfg.IndexEvery {
			if err := n.indexAll(ctx); err != nil && ctx.Err() == nil && !job.IsKind(err, job.Unavailable) && !job.IsKind(err, job.NoSpace) {
				n.store.cfg.Log.Error("could not index history", "namespace", n.name, "error", err)
			}
		}
		if !n.idle() {
			timer.Reset(n.store.cfg.IndexAfter)
		}
	}
}

// Index brings the indexes of a namespace's history up to date now.
func (s *Store) Index(ctx context.Context, name string) error {
	n := s.named(name)
	if n == nil {
		return noNamespace(name)
	}
	return job.Wrap(n.indexAll(ctx), "index namespace", name)
}

// indexAll indexes what is not, and merges what has become many.
func (n *shared) indexAll(ctx context.Context) error {
	n.segments.work.Lock()
	defer n.segments.work.Unlock()
	db, err := n.store.database()
	if err != nil {
		return err
	}
	defer db.release()
	return n.store.readError("index history", n.indexIn(ctx, db))
}

func (n *shared) indexIn(ctx context.Context, db *database) error {
	n.forgot.Store(false)
	first, err := db.firstEnd(n.id, n.ended.Load())
	if err != nil {
		return err
	}
	for n.pending() > 0 {
		if err := n.indexNext(db, first); err != nil {
			return err
		}
		for {
			all := n.segments.list()
			k := mergeable(all)
			if k == 0 {
				break
			}
			if err := n.mergeLast(ctx, db, all, k, first); err != nil {
				return err
			}
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
	}
	return n.trimIndex(db, first)
}

// list is the segments there are; nobody changes it.
func (s *segments) list() []*segment {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.all
}

// indexNext writes a segment of the next history records.
func (n *shared) indexNext(db *database, first uint64) error {
	from, to := n.reach.Load(), n.ended.Load()
	if last := n.last.Load(); last != nil { // not earlier than the one ended is of
		last.visible()
	}
	entries, full, err := n.unindexed(db, max(from, first))
	if err != nil {
		return err
	}
	if full {
		to = entries[len(entries)-1].end + 1
	}
	if len(entries) == 0 {
		return n.replace(db, n.segments.list(), nil, 0, to)
	}
	seg := newSegment(n.segments.number(), entries[0].end, to, len(entries))
	if err := n.building(db, seg); err != nil {
		return err
	}
	if err := writeEntries(newSegmentWriter(db, n.id, seg), entries); err != nil {
		return err
	}
	seg.Building = false
	return n.replace(db, n.segments.list(), seg, 0, to)
}

func (s *segments) number() uint64 {
	s.next++
	return s.next
}

// writeEntries writes the entries, which come in the order of their numbers.
func writeEntries(w *segmentWriter, entries []indexEntry) error {
	groups, queues := map[uint32][]uint64{}, map[uint32][]uint64{}
	for i := range entries {
		e := &entries[i]
		if e.group != 0 {
			groups[uint32(e.group)] = append(groups[uint32(e.group)], e.end)
		}
		queues[uint32(e.queue)] = append(queues[uint32(e.queue)], e.end)
	}
	slices.SortFunc(entries, byHash)
	for i := range entries {
		if err := w.add(entries[i].hash, entries[i].end); err != nil {
			return err
		}
	}
	if err := writeLists(w, kindByGroup, groups); err != nil {
		return err
	}
	if err := writeLists(w, kindByQueue, queues); err != nil {
		return err
	}
	return w.finish()
}

func writeLists(w *segmentWriter, kind byte, lists map[uint32][]uint64) error {
	for _, of := range slices.Sorted(maps.Keys(lists)) {
		for _, end := range lists[of] {
			if err := w.addTo(kind, of, end); err != nil {
				return err
			}
		}
	}
	return nil
}

var errFull = errors.New("the segment is full")

// unindexed reads the history from an end number on, and tells whether there may
// be more.
func (n *shared) unindexed(db *database, from uint64) (entries []indexEntry, full bool, err error) {
	var f job.Finished
	err = db.scan(n.id.key64(nil, kindHistory, from), n.id.end(kindHistory), func(key, value []byte) error {
		if len(entries) == indexMost || len(entries) > 0 && last64(key)-entries[0].end >= maxCovered {
			return errFull
		}
		if err := decodeFinished(value, last64(key), &f); err != nil {
			return err
		}
		entries = append(entries, indexEntry{hash: hashOf(f.Digest), group: f.Group, queue: f.Queue, end: f.End})
		return nil
	})
	if errors.Is(err, errFull) {
		return entries, true, nil
	}
	return entries, false, err
}

// mergeLast makes one of the last k segments.
func (n *shared) mergeLast(ctx context.Context, db *database, all []*segment, k int, first uint64) error {
	merged, err := n.merge(ctx, db, all[len(all)-k:], n.segments.number(), first)
	if err != nil {
		return err
	}
	return n.replace(db, all, merged, k, n.reach.Load())
}

// building notes a segment as begun: what a crash leaves of it is deleted.
func (n *shared) building(db *database, seg *segment) error {
	b := db.db.NewBatch()
	if err := n.setSegment(b, seg); err != nil {
		return err
	}
	return db.applyNoSync(b)
}

func (n *shared) setSegment(b *pdb.Batch, seg *segment) error {
	row, err := job.Encode(nil, seg)
	if err != nil {
		return err
	}
	return b.Set(n.id.segment(nil, seg.ID), row, nil)
}

// replace puts a segment in the place of the last k, and notes how far the index
// reaches now.
func (n *shared) replace(db *database, all []*segment, seg *segment, k int, reach uint64) error {
	b := db.db.NewBatch()
	row, err := job.Encode(nil, reach)
	if err != nil {
		return err
	}
	err = b.Set(n.id.key(nil, kindReach), row, nil)
	last := len(all) - k
	kept := slices.Clone(all[:last])
	if seg != nil {
		err = errors.Join(err, n.setSegment(b, seg))
		kept = append(kept, seg)
	}
	if err == nil {
		err = n.change(db, b, kept, all[last:])
	}
	if err == nil {
		n.reach.Store(reach)
	}
	return err
}

// change makes kept the segments there are, and deletes those that are old when
// nobody reads them any more. Until then they are marked, for the case of a crash.
func (n *shared) change(db *database, b *pdb.Batch, kept, old []*segment) error {
	drop := db.db.NewBatch()
	for _, seg := range old {
		marked := *seg
		marked.Building = true
		if err := errors.Join(n.setSegment(b, &marked), dropSegment(drop, n.id, seg.ID)); err != nil {
			return err
		}
	}
	if err := db.applyNoSync(b); err != nil {
		return err
	}
	n.segments.set(kept)
	if len(old) == 0 {
		return nil
	}
	return db.applyNoSync(drop)
}

func (s *segments) set(all []*segment) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.all = all
}

// trimIndex deletes the segments of history that is forgotten.
func (n *shared) trimIndex(db *database, first uint64) error {
	all := n.segments.list()
	gone := 0
	for gone < len(all) && all[gone].To <= first {
		gone++
	}
	if gone == 0 {
		return nil
	}
	b := db.db.NewBatch()
	// Tombstones of single records would be read over and over.
	if err := b.DeleteRange(n.id.key(nil, kindHistory), n.id.key64(nil, kindHistory, all[gone-1].To), nil); err != nil {
		return err
	}
	return n.change(db, b, slices.Clone(all[gone:]), all[:gone])
}

// readSegments reads what segments there are, and deletes those that a crash
// left unfinished.
func (n *shared) readSegments(db *database) error {
	var all []*segment
	var unfinished []uint64
	from := n.id.key(nil, kindSegment)
	err := db.scan(from, after(from), func(_, value []byte) error {
		seg := &segment{}
		if err := job.Decode(value, seg); err != nil {
			return err
		}
		n.segments.next = max(n.segments.next, seg.ID)
		if seg.Building {
			unfinished = append(unfinished, seg.ID)
			return nil
		}
		all = append(all, seg)
		return seg.readFilter(db, n.id)
	})
	if err != nil {
		return err
	}
	slices.SortFunc(all, func(a, b *segment) int { return int(int64(a.From - b.From)) })
	n.segments.set(all)
	b := db.db.NewBatch()
	for _, id := range unfinished {
		err = errors.Join(err, dropSegment(b, n.id, id))
	}
	if err != nil || len(unfinished) == 0 {
		return err
	}
	return db.applyNoSync(b)
}

// Reach implements store.Namespace.
func (n *namespace) Reach() uint64 { return n.shared.reach.Load() }
