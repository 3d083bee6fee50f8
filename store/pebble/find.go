package pebble

import (
	"bytes"
	"errors"
	"slices"

	pdb "github.com/cockroachdb/pebble/v2"

	"github.com/muster-queue/muster/job"
)

// Find implements store.Namespace.
func (n *namespace) Find(digest job.Digest) (uint64, bool, error) {
	var ends [1]uint64
	err := n.FindMany([]job.Digest{digest}, ends[:])
	return ends[0], ends[0] != 0, err
}

// FindMany implements store.Namespace. For a digest that is absent only the
// filters in memory are asked.
func (n *namespace) FindMany(digests []job.Digest, ends []uint64) error {
	n.shared.segments.mu.RLock()
	defer n.shared.segments.mu.RUnlock()
	db, err := n.store.database()
	if err != nil {
		return err
	}
	defer db.release()
	clear(ends[:len(digests)])
	for _, seg := range slices.Backward(n.shared.segments.all) {
		for i := range digests {
			if ends[i] != 0 || !seg.filter.has(hashOf(digests[i])) {
				continue
			}
			if ends[i], err = n.lookup(db, seg, digests[i]); err != nil {
				return n.store.readError("look a key up", err)
			}
		}
	}
	return nil
}

// lookup is the newest end number of a key that a segment has, zero if none.
func (n *namespace) lookup(db *database, seg *segment, digest job.Digest) (end uint64, err error) {
	id, hash := n.shared.id, hashOf(digest)
	var ends []uint64
	_, err = db.value(id.bucket(nil, seg.ID, seg.bucketOf(hash)), func(bucket []byte) error {
		return seg.search(bucket, hash, func(end uint64) { ends = append(ends, end) })
	})
	for _, end := range ends {
		if err != nil {
			break
		}
		var f job.Finished
		var found bool
		found, err = db.value(id.key64(nil, kindHistory, end), func(v []byte) error { return decodeFinished(v, end, &f) })
		if found && f.Digest == digest {
			return end, err
		}
	}
	return 0, err
}

// History implements store.Namespace. What the index of groups does not have
// yet is picked out of history itself.
func (n *namespace) History(before uint64, group job.GroupID, visit func(*job.Finished) bool) error {
	db, err := n.reader()
	if err != nil {
		return err
	}
	defer db.release()
	if before == 0 {
		before = ^uint64(0)
	}
	if group == 0 {
		_, err = n.backwards(db, 0, before, visit)
		return n.store.readError("read history", err)
	}
	g, err := n.shared.groupIndex(db, group)
	if err != nil {
		return n.store.readError("read history", err)
	}
	more := true
	if before > g.reach {
		more, err = n.backwards(db, g.reach, before, func(f *job.Finished) bool { return f.Group != group || visit(f) })
	}
	if err == nil && more {
		err = g.backwards(min(before, g.reach), visit)
	}
	return n.store.readError("read history", errors.Join(err, g.iter.Error(), g.iter.Close()))
}

// backwards visits history from before down to from; more is false when visit
// wanted no more.
func (n *namespace) backwards(db *database, from, before uint64, visit func(*job.Finished) bool) (more bool, err error) {
	id := n.shared.id
	iter, err := db.db.NewIter(&pdb.IterOptions{LowerBound: id.key64(nil, kindHistory, from), UpperBound: id.key64(nil, kindHistory, before)})
	if err != nil {
		return false, err
	}
	more = true
	for ok := iter.Last(); ok && more && err == nil; ok = iter.Prev() {
		var f job.Finished
		var v []byte
		if v, err = iter.ValueAndErr(); err == nil {
			err = decodeFinished(v, last64(iter.Key()), &f)
		}
		if err == nil {
			more = visit(&f)
		}
	}
	return more, errors.Join(err, iter.Error(), iter.Close())
}

// groupIndex reads the history of a group by the index, as it was at one moment.
type groupIndex struct {
	db    *database
	id    nsID
	group job.GroupID
	segs  []*segment
	reach uint64
	iter  *pdb.Iterator
}

func (n *shared) groupIndex(db *database, group job.GroupID) (*groupIndex, error) {
	n.segments.mu.RLock()
	defer n.segments.mu.RUnlock()
	iter, err := db.db.NewIter(&pdb.IterOptions{LowerBound: n.id.key(nil, kindByGroup), UpperBound: n.id.end(kindByGroup)})
	return &groupIndex{db: db, id: n.id, group: group, segs: n.segments.all, reach: n.reach.Load(), iter: iter}, err
}

// backwards visits the group's history before an end number.
func (g *groupIndex) backwards(before uint64, visit func(*job.Finished) bool) error {
	for _, seg := range slices.Backward(g.segs) {
		if seg.From >= before {
			continue
		}
		if more, err := g.segment(seg, before, visit); !more || err != nil {
			return err
		}
	}
	return nil
}

func (g *groupIndex) segment(seg *segment, before uint64, visit func(*job.Finished) bool) (more bool, err error) {
	least := g.id.listRow(nil, kindByGroup, seg.ID, uint32(g.group), 0)
	for ok := g.iter.SeekLT(g.id.listRow(nil, kindByGroup, seg.ID, uint32(g.group), before)); ok; ok = g.iter.Prev() {
		if bytes.Compare(g.iter.Key(), least) < 0 {
			break
		}
		ends, err := decodeEnds(g.iter.Value())
		if err != nil {
			return false, err
		}
		for _, end := range slices.Backward(ends) {
			if end >= before {
				continue
			}
			if more, err := g.visit(end, visit); !more || err != nil {
				return false, err
			}
		}
	}
	return true, g.iter.Error() // before the next seek forgets it
}

// visit visits one record, unless it is forgotten.
func (g *groupIndex) visit(end uint64, visit func(*job.Finished) bool) (more bool, err error) {
	var f job.Finished
	found, err := g.db.value(g.id.key64(nil, kindHistory, end), func(v []byte) error { return decodeFinished(v, end, &f) })
	if err != nil || !found {
		return true, err
	}
	return visit(&f), nil
}
