package pebble

import (
	"bytes"
	"errors"
	"slices"

	pdb "github.com/cockroachdb/pebble/v2"

	"github.com/muster-queue/muster/job"
)

// FinishedIn implements store.Namespace. What the index of queues does not have
// is picked out of history itself: what is newer, and what an earlier release
// indexed.
func (n *namespace) FinishedIn(queue job.QueueID, from uint64, visit func(*job.Finished) bool) error {
	db, err := n.reader()
	if err != nil {
		return err
	}
	defer db.release()
	q, err := n.shared.queueIndex(db, queue)
	if err != nil {
		return n.store.readError("read history", err)
	}
	more := true
	for _, seg := range q.segs {
		if !more || err != nil || seg.To <= from {
			continue
		}
		if seg.Queues {
			more, err = q.listed(seg, from, visit)
		} else {
			more, err = q.forwards(max(from, seg.From), seg.To, visit)
		}
	}
	if more && err == nil {
		_, err = q.forwards(max(from, q.reach), ^uint64(0), visit)
	}
	return n.store.readError("read history", errors.Join(err, q.iter.Close()))
}

// queueIndex reads the history of a queue by the index, as it was at one moment.
type queueIndex struct {
	db    *database
	id    nsID
	queue job.QueueID
	segs  []*segment
	reach uint64
	iter  *pdb.Iterator // over the lists of queues
}

func (n *shared) queueIndex(db *database, queue job.QueueID) (*queueIndex, error) {
	n.segments.mu.RLock()
	defer n.segments.mu.RUnlock()
	iter, err := db.db.NewIter(&pdb.IterOptions{LowerBound: n.id.key(nil, kindByQueue), UpperBound: n.id.end(kindByQueue)})
	return &queueIndex{db: db, id: n.id, queue: queue, segs: n.segments.all, reach: n.reach.Load(), iter: iter}, err
}

// listed visits what a segment lists for the queue.
func (q *queueIndex) listed(seg *segment, from uint64, visit func(*job.Finished) bool) (more bool, err error) {
	to := q.id.listRow(nil, kindByQueue, seg.ID, uint32(q.queue)+1, 0)
	least := q.id.listRow(nil, kindByQueue, seg.ID, uint32(q.queue), 0)
	// The list that has from begins with it or before it.
	ok := q.iter.SeekLT(q.id.listRow(nil, kindByQueue, seg.ID, uint32(q.queue), from+1))
	if !ok || bytes.Compare(q.iter.Key(), least) < 0 {
		ok = q.iter.SeekGE(least)
	}
	for ; ok && bytes.Compare(q.iter.Key(), to) < 0; ok = q.iter.Next() {
		ends, err := decodeEnds(q.iter.Value())
		if err != nil {
			return false, err
		}
		i, _ := slices.BinarySearch(ends, from)
		for _, end := range ends[i:] {
			if more, err := q.visit(end, visit); !more || err != nil {
				return false, err
			}
		}
	}
	return true, q.iter.Error()
}

// visit visits one record, unless it is forgotten.
func (q *queueIndex) visit(end uint64, visit func(*job.Finished) bool) (more bool, err error) {
	var f job.Finished
	found, err := q.db.value(q.id.key64(nil, kindHistory, end), func(v []byte) error { return decodeFinished(v, end, &f) })
	if err != nil || !found {
		return true, err
	}
	return visit(&f), nil
}

// forwards picks the queue's records out of a part of history.
func (q *queueIndex) forwards(from, to uint64, visit func(*job.Finished) bool) (more bool, err error) {
	err = q.db.scan(q.id.key64(nil, kindHistory, from), q.id.key64(nil, kindHistory, to), func(key, value []byte) error {
		var f job.Finished
		if err := decodeFinished(value, last64(key), &f); err != nil {
			return err
		}
		if f.Queue == q.queue && !visit(&f) {
			return errFull
		}
		return nil
	})
	if errors.Is(err, errFull) {
		return false, nil
	}
	return err == nil, err
}
