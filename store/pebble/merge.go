package pebble

import (
	"container/heap"
	"context"
	"encoding/binary"
	"errors"
	"slices"

	pdb "github.com/cockroachdb/pebble/v2"
)

// mergeFan is how many segments of a size become one: few segments make finding
// quick, few merges cost little.
const mergeFan = 4

// mergeable is how many of the newest segments should become one, zero if none: a
// segment is merged when those after it have grown to mergeFan - 1 times its size.
func mergeable(segs []*segment) (n int) {
	newer := 0
	for i, seg := range slices.Backward(segs) {
		if segs[len(segs)-1].To-seg.From >= maxCovered {
			return n
		}
		if k := len(segs) - i; k > 1 && newer >= (mergeFan-1)*seg.Count {
			n = k
		}
		newer += seg.Count
	}
	return n
}

// merge writes one segment that has what several neighbours have, but for what
// lies before the history there is. It does not commit them.
func (n *shared) merge(ctx context.Context, db *database, segs []*segment, id, first uint64) (*segment, error) {
	count := 0
	for _, s := range segs {
		count += s.Count
	}
	merged := newSegment(id, segs[0].From, segs[len(segs)-1].To, count)
	for _, s := range segs {
		merged.Queues = merged.Queues && s.Queues
	}
	if err := n.building(db, merged); err != nil {
		return nil, err
	}
	w := newSegmentWriter(db, n.id, merged)
	err := n.mergeKeys(ctx, db, segs, first, w)
	if err == nil {
		err = n.mergeLists(ctx, db, kindByGroup, segs, first, w)
	}
	if err == nil && merged.Queues {
		err = n.mergeLists(ctx, db, kindByQueue, segs, first, w)
	}
	if err == nil {
		err = w.finish()
	}
	merged.Building = false
	return merged, err
}

// source is a segment's keys, one after the other.
type source struct {
	seg  *segment
	iter *pdb.Iterator
	rest []byte // of the bucket
	indexEntry
}

// next moves to the next key; false at the end.
func (s *source) next() bool {
	for len(s.rest) < entryLen {
		if !s.iter.Next() {
			return false
		}
		s.rest = s.iter.Value()
	}
	s.hash = binary.BigEndian.Uint64(s.rest)
	s.end = s.seg.From + uint64(binary.BigEndian.Uint32(s.rest[8:]))
	s.rest = s.rest[entryLen:]
	return true
}

// sources is a heap of them, least key first.
type sources []*source

func (s sources) Len() int           { return len(s) }
func (s sources) Less(i, j int) bool { return byHash(s[i].indexEntry, s[j].indexEntry) < 0 }
func (s sources) Swap(i, j int)      { s[i], s[j] = s[j], s[i] }
func (s *sources) Push(x any)        { *s = append(*s, x.(*source)) }
func (s *sources) Pop() any {
	last := (*s)[len(*s)-1]
	*s = (*s)[:len(*s)-1]
	return last
}

func (n *shared) mergeKeys(ctx context.Context, db *database, segs []*segment, first uint64, w *segmentWriter) (err error) {
	var open sources
	var all []*pdb.Iterator
	defer func() {
		for _, iter := range all {
			err = errors.Join(err, iter.Error(), iter.Close())
		}
	}()
	for _, seg := range segs {
		iter, err := db.db.NewIter(&pdb.IterOptions{
			LowerBound: n.id.key64(nil, kindByKey, seg.ID), UpperBound: n.id.key64(nil, kindByKey, seg.ID+1),
		})
		if err != nil {
			return err
		}
		all = append(all, iter)
		s := &source{seg: seg, iter: iter}
		if iter.First() {
			s.rest = iter.Value()
		}
		if s.next() {
			open = append(open, s)
		}
	}
	heap.Init(&open)
	for i := 1; len(open) > 0; i++ {
		if i%checkEvery == 0 && ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if s := open[0]; s.end >= first {
			if err := w.add(s.hash, s.end); err != nil {
				return err
			}
		}
		if open[0].next() {
			heap.Fix(&open, 0)
		} else {
			heap.Pop(&open)
		}
	}
	return nil
}

// mergeLists copies the numbers of groups or queues: of each, the older segments'
// first.
func (n *shared) mergeLists(ctx context.Context, db *database, kind byte, segs []*segment, first uint64, w *segmentWriter) (err error) {
	iters := make([]*pdb.Iterator, len(segs))
	for i, seg := range segs {
		iters[i], err = db.db.NewIter(&pdb.IterOptions{
			LowerBound: n.id.key64(nil, kind, seg.ID), UpperBound: n.id.key64(nil, kind, seg.ID+1),
		})
		if err != nil {
			return errors.Join(err, closeAll(iters[:i]))
		}
		iters[i].First()
	}
	for {
		of, more := leastList(iters)
		if !more || err != nil || ctx.Err() != nil {
			return errors.Join(err, context.Cause(ctx), closeAll(iters))
		}
		for _, iter := range iters {
			if err == nil {
				err = copyList(iter, kind, of, first, w)
			}
		}
	}
}

func closeAll(iters []*pdb.Iterator) (err error) {
	for _, iter := range iters {
		err = errors.Join(err, iter.Error(), iter.Close())
	}
	return err
}

// listOf is the group or queue of a listRow key.
func listOf(key []byte) uint32 { return binary.BigEndian.Uint32(key[prefixLen+8:]) }

func leastList(iters []*pdb.Iterator) (least uint32, more bool) {
	for _, iter := range iters {
		if iter.Valid() && (!more || listOf(iter.Key()) < least) {
			least, more = listOf(iter.Key()), true
		}
	}
	return least, more
}

// copyList copies the numbers of one group or queue from where the iterator stands.
func copyList(iter *pdb.Iterator, kind byte, of uint32, first uint64, w *segmentWriter) error {
	for ; iter.Valid() && listOf(iter.Key()) == of; iter.Next() {
		ends, err := decodeEnds(iter.Value())
		if err != nil {
			return err
		}
		for _, end := range ends {
			if end < first {
				continue
			}
			if err := w.addTo(kind, of, end); err != nil {
				return err
			}
		}
	}
	return nil
}
