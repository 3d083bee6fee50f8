package pebble

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	pdb "github.com/cockroachdb/pebble/v2"

	"github.com/muster-queue/muster/job"
)

// The indexes of history, by key and by group, are not written with the history
// records: their keys come in no order, which is dear. A goroutine per namespace
// writes them in segments, each in the order of its keys, and notes with each
// how far they reach. What a crash takes of them is written again from history.

const (
	// segment is how many history records are indexed at once; a commit that
	// forgets some of just these waits as long.
	segment = 16 << 10
	// portion is how many index entries go into one batch; commits wait behind it.
	portion = 512
)

// noteFinished tells the indexer about a commit.
func (n *shared) noteFinished(c *job.Changes) {
	if len(c.Finished) == 0 {
		return
	}
	n.ended.Store(c.Finished[len(c.Finished)-1].End + 1)
	n.kick()
}

func (n *shared) kick() {
	select {
	case n.wake <- struct{}{}:
	default:
	}
}

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
		for n.pending() > 0 && (due || n.pending() >= n.store.cfg.IndexEvery) {
			if err := n.indexSegment(ctx); err != nil {
				if ctx.Err() == nil && !job.IsKind(err, job.Unavailable) && !job.IsKind(err, job.NoSpace) {
					n.store.cfg.Log.Error("could not index history", "namespace", n.name, "error", err)
				}
				break
			}
		}
		if n.pending() > 0 {
			timer.Reset(n.store.cfg.IndexAfter)
		}
	}
}

// indexEntry is what the indexes need of a history record.
type indexEntry struct {
	digest job.Digest
	group  job.GroupID
	end    uint64
}

// indexSegment indexes the next history records.
func (n *shared) indexSegment(ctx context.Context) error {
	n.mu.Lock()
	n.indexing.Lock()
	defer n.indexing.Unlock()
	last := n.last.Load()
	n.mu.Unlock()
	if last != nil {
		last.visible()
	}
	db, err := n.store.database()
	if err != nil {
		return err
	}
	defer db.release()
	upto := n.ended.Load()
	entries, full, err := n.segment(db, n.reach.Load())
	if err != nil {
		return n.store.readError("read history", err)
	}
	if full {
		upto = entries[len(entries)-1].end + 1
	}
	if err := n.writeIndex(ctx, db, entries, upto); err != nil {
		return err
	}
	n.reach.Store(upto)
	return nil
}

var errFull = errors.New("the segment is full")

// segment reads the history from an end number on, and tells whether there may
// be more.
func (n *shared) segment(db *database, from uint64) (entries []indexEntry, full bool, err error) {
	err = db.scan(n.id.key64(nil, kindHistory, from), n.id.end(kindHistory), func(key, value []byte) error {
		if len(entries) == segment {
			return errFull
		}
		var f job.Finished
		if err := decodeFinished(value, last64(key), &f); err != nil {
			return err
		}
		entries = append(entries, indexEntry{digest: f.Digest, group: f.Group, end: f.End})
		return nil
	})
	if errors.Is(err, errFull) {
		return entries, true, nil
	}
	return entries, false, err
}

// writeIndex writes the entries in the order of either index, and how far they
// reach with the last of them. None of it is waited for: the log keeps the order.
func (n *shared) writeIndex(ctx context.Context, db *database, entries []indexEntry, upto uint64) error {
	slices.SortFunc(entries, func(a, b indexEntry) int { return bytes.Compare(a.digest[:], b.digest[:]) })
	err := n.portions(ctx, db, entries, func(key []byte, e *indexEntry) []byte { return n.id.byKey(key, e.digest, e.end) })
	if err != nil {
		return err
	}
	slices.SortFunc(entries, func(a, b indexEntry) int { return cmp.Or(cmp.Compare(a.group, b.group), cmp.Compare(a.end, b.end)) })
	entries = slices.DeleteFunc(entries, func(e indexEntry) bool { return e.group == 0 })
	err = n.portions(ctx, db, entries, func(key []byte, e *indexEntry) []byte { return n.id.byGroup(key, e.group, e.end) })
	if err != nil {
		return err
	}
	reach, err := job.Encode(nil, upto)
	if err != nil {
		return err
	}
	return db.guard(func() error { return db.db.Set(n.id.key(nil, kindReach), reach, pdb.NoSync) })
}

func (n *shared) portions(ctx context.Context, db *database, entries []indexEntry, key func([]byte, *indexEntry) []byte) error {
	var k []byte
	for part := range slices.Chunk(entries, portion) {
		if err := ctx.Err(); err != nil {
			return err
		}
		b := db.db.NewBatchWithSize(64 * len(part))
		for i := range part {
			k = key(k[:0], &part[i])
			if err := b.Set(k, nil, nil); err != nil {
				return err
			}
		}
		if err := db.guard(func() error { return db.db.Apply(b, pdb.NoSync) }); err != nil {
			return err
		}
		if err := b.Close(); err != nil {
			return err
		}
	}
	return nil
}

// Reach implements store.Namespace.
func (n *namespace) Reach() uint64 { return n.shared.reach.Load() }

// Index brings the indexes of a namespace's history up to date now.
func (s *Store) Index(ctx context.Context, name string) error {
	n := s.named(name)
	if n == nil {
		return noNamespace(name)
	}
	for n.pending() > 0 {
		if err := n.indexSegment(ctx); err != nil {
			return job.Wrap(err, "index namespace", name)
		}
	}
	return nil
}
