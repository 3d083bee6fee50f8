package pebble

import (
	"bytes"
	"encoding/binary"
	"errors"

	pdb "github.com/cockroachdb/pebble/v2"

	"github.com/muster-queue/muster/job"
)

// Complete jobs of queues that are ordered by key are found there by their key:
// a record from queue and key to the end number, written with the history
// record, so that it never lags behind.

func (n nsID) keyed(b []byte, queue job.QueueID, key job.Key) []byte {
	return append(n.key32(b, kindKeyed, uint32(queue)), key...)
}

// keys stores and deletes the keys of jobs, live and complete. What is not
// complete any more comes first: its key may have completed again.
func (w *writer) keys(c *job.Changes) {
	for i := range c.Keys {
		k := &c.Keys[i]
		w.key = w.id.key64(w.key[:0], kindName, uint64(k.Seq))
		if k.Gone {
			w.del()
			continue
		}
		w.value = append(append(w.value[:0], formatInline), k.Key...)
		w.set()
	}
	for i := range c.Forgotten {
		if f := &c.Forgotten[i]; f.Keyed {
			w.key = w.id.keyed(w.key[:0], f.Queue, f.Key)
			w.del()
		}
	}
	for i := range c.Finished {
		if f := &c.Finished[i]; f.Keyed {
			w.key = w.id.keyed(w.key[:0], f.Queue, f.Key)
			w.value = binary.BigEndian.AppendUint64(w.value[:0], f.End)
			w.set()
		}
	}
}

// names reads the keys of live jobs.
func (l *loading) names(from job.Seq) error {
	id := l.ns.shared.id
	n := 0
	return l.db.scan(id.key64(nil, kindName, uint64(from)), id.end(kindName), func(key, value []byte) error {
		if len(value) == 0 || value[0] != formatInline {
			return job.Errorf(job.Damaged, "the key of job %d: unknown record format; was it written by a newer release?", seqOf(key))
		}
		l.to.LoadKey(&job.KeyRow{Seq: seqOf(key), Key: job.Key(value[1:])})
		if n++; n%checkEvery == 0 {
			return l.ctx.Err()
		}
		return nil
	})
}

// FinishedByKey implements store.Namespace.
func (n *namespace) FinishedByKey(queue job.QueueID, after *job.Key, limit int) ([]job.Finished, error) {
	db, err := n.reader()
	if err != nil {
		return nil, err
	}
	defer db.release()
	// Index and history are read as of one moment: what leaves between the two would
	// make the page short, as at the end of the queue.
	view := db.db.NewSnapshot()
	ends, err := n.endsByKey(view, queue, after, limit)
	var all []job.Finished
	if err == nil {
		all, err = n.finishedMany(view, ends)
	}
	err = errors.Join(err, view.Close())
	var found []job.Finished
	for _, f := range all {
		if f.End != 0 {
			found = append(found, f)
		}
	}
	return found, n.store.readError("read complete jobs by key", err)
}

func (n *namespace) endsByKey(view pdb.Reader, queue job.QueueID, after *job.Key, limit int) (ends []uint64, err error) {
	id := n.shared.id
	from, to := id.key32(nil, kindKeyed, uint32(queue)), id.key32(nil, kindKeyed, uint32(queue)+1)
	if after != nil {
		from = append(id.keyed(from[:0], queue, *after), 0) // the next key there can be
	}
	err = scan(view, from, to, func(_, value []byte) error {
		if len(ends) == limit {
			return errFull
		}
		ends = append(ends, last64(value))
		return nil
	})
	if errors.Is(err, errFull) {
		err = nil
	}
	return ends, err
}

// FinishedKeys implements store.Namespace.
func (n *namespace) FinishedKeys(queue job.QueueID, keys []job.Key) ([]job.Finished, error) {
	db, err := n.reader()
	if err != nil {
		return nil, err
	}
	defer db.release()
	id := n.shared.id
	iter, err := db.db.NewIter(&pdb.IterOptions{LowerBound: id.key(nil, kindKeyed), UpperBound: id.end(kindKeyed)})
	if err != nil {
		return nil, n.store.readError("read complete jobs by key", err)
	}
	ends := make([]uint64, len(keys))
	var at []byte
	for i, key := range keys {
		at = id.keyed(at[:0], queue, key)
		if iter.SeekGE(at) && bytes.Equal(iter.Key(), at) {
			ends[i] = last64(iter.Value())
		} else if err = iter.Error(); err != nil {
			break
		}
	}
	var all []job.Finished
	if err = errors.Join(err, iter.Close()); err == nil {
		all, err = n.finishedMany(db.db, ends)
	}
	return all, n.store.readError("read complete jobs by key", err)
}

// FinishedMany implements store.Namespace.
func (n *namespace) FinishedMany(ends []uint64) ([]job.Finished, error) {
	db, err := n.reader()
	if err != nil {
		return nil, err
	}
	defer db.release()
	all, err := n.finishedMany(db.db, ends)
	return all, n.store.readError("read history", err)
}

func (n *namespace) finishedMany(view pdb.Reader, ends []uint64) ([]job.Finished, error) {
	id := n.shared.id
	iter, err := view.NewIter(&pdb.IterOptions{LowerBound: id.key(nil, kindHistory), UpperBound: id.end(kindHistory)})
	if err != nil {
		return nil, err
	}
	all := make([]job.Finished, len(ends))
	var at []byte
	for i, end := range ends {
		if end == 0 {
			continue
		}
		at = id.key64(at[:0], kindHistory, end)
		if iter.SeekGE(at) && bytes.Equal(iter.Key(), at) {
			err = decodeFinished(iter.Value(), end, &all[i])
		} else {
			err = iter.Error()
		}
		if err != nil {
			break
		}
	}
	return all, errors.Join(err, iter.Close())
}

// AttemptRows implements store.Namespace.
func (n *namespace) AttemptRows(refs []job.AttemptRef) ([]job.AttemptRow, error) {
	db, err := n.reader()
	if err != nil {
		return nil, err
	}
	defer db.release()
	id := n.shared.id
	iter, err := db.db.NewIter(&pdb.IterOptions{LowerBound: id.key(nil, kindAttempt), UpperBound: id.end(kindAttempt)})
	if err != nil {
		return nil, n.store.readError("read attempts", err)
	}
	rows := make([]job.AttemptRow, len(refs))
	var at []byte
	for i, ref := range refs {
		at = id.seqKey(at[:0], kindAttempt, ref.Seq, ref.Number)
		if iter.SeekGE(at) && bytes.Equal(iter.Key(), at) {
			rows[i].Seq = ref.Seq
			err = job.Decode(iter.Value(), &rows[i].Attempt)
		} else {
			err = iter.Error()
		}
		if err != nil {
			break
		}
	}
	return rows, n.store.readError("read attempts", errors.Join(err, iter.Close()))
}
