package pebble

import (
	"bytes"
	"errors"

	pdb "github.com/cockroachdb/pebble/v2"

	"github.com/muster-queue/muster/job"
)

// Finished implements store.Namespace.
func (n *namespace) Finished(end uint64) (job.Finished, error) {
	var f job.Finished
	found, err := n.value(n.shared.id.key64(nil, kindHistory, end), func(v []byte) error {
		return decodeFinished(v, end, &f)
	})
	if err == nil && !found {
		err = job.Errorf(job.NotFound, "namespace %s has no history record %d", n.shared.name, end)
	}
	return f, err
}

// Request implements store.Namespace.
func (n *namespace) Request(client, id string) (job.Request, bool, error) {
	var row requestRow
	found, err := n.value(n.shared.id.request(nil, client, id), func(v []byte) error { return job.Decode(v, &row) })
	if !found || err != nil {
		return job.Request{}, false, err
	}
	return job.Request{Client: client, ID: id, At: row.At, Outcome: row.Outcome}, true, nil
}

// Attempts implements store.Namespace.
func (n *namespace) Attempts(seq job.Seq) ([]job.AttemptRow, error) {
	db, err := n.reader()
	if err != nil {
		return nil, err
	}
	defer db.release()
	id := n.shared.id
	var rows []job.AttemptRow
	err = db.scan(id.key64(nil, kindAttempt, uint64(seq)), id.key64(nil, kindAttempt, uint64(seq)+1), func(_, value []byte) error {
		rows = append(rows, job.AttemptRow{Seq: seq})
		return job.Decode(value, &rows[len(rows)-1].Attempt)
	})
	return rows, n.store.readError("read attempts", err)
}

// Blob implements store.Namespace.
func (n *namespace) Blob(digest string) ([]byte, error) {
	var body []byte
	found, err := n.value(n.shared.id.blob(nil, digest), func(v []byte) (err error) {
		body, err = n.store.content(v)
		return err
	})
	if err == nil && !found {
		err = job.Errorf(job.NotFound, "no blob %s in namespace %s", digest, n.shared.name)
	}
	return body, err
}

// HasBlob implements store.Namespace.
func (n *namespace) HasBlob(digest string) (bool, error) {
	return n.value(n.shared.id.blob(nil, digest), func([]byte) error { return nil })
}

// value hands one record to use, if it is there.
func (n *namespace) value(key []byte, use func([]byte) error) (found bool, err error) {
	db, err := n.reader()
	if err != nil {
		return false, err
	}
	defer db.release()
	found, err = db.value(key, use)
	return found, n.store.readError("read a record", err)
}

// content is the body a stored value stands for.
func (s *Store) content(v []byte) ([]byte, error) {
	switch {
	case len(v) > 0 && v[0] == formatInline:
		return append([]byte{}, v[1:]...), nil
	case len(v) > 0 && v[0] == formatFile:
		return s.blobs.get(string(v[1:]))
	}
	return nil, job.Errorf(job.Damaged, "unknown format of stored content; was it written by a newer release?")
}

// Payloads implements store.Namespace. One iterator serves all refs, and steps to
// those that are neighbours.
func (n *namespace) Payloads(refs []job.PayloadRef) ([]job.Payload, error) {
	db, err := n.reader()
	if err != nil {
		return nil, err
	}
	defer db.release()
	id := n.shared.id
	iter, err := db.db.NewIter(&pdb.IterOptions{LowerBound: id.key(nil, kindPayload), UpperBound: id.end(kindPayload)})
	if err != nil {
		return nil, n.store.readError("read descriptions", err)
	}
	found := make([]job.Payload, len(refs))
	var key []byte
	for i, ref := range refs {
		key = id.seqKey(key[:0], kindPayload, ref.Seq, ref.Version)
		found[i] = job.Payload{Seq: ref.Seq, Version: ref.Version}
		near := i > 0 && ref.Seq-refs[i-1].Seq <= 1
		if !goTo(iter, key, near) {
			err = iter.Error() // the next seek would forget it
		} else {
			found[i].Body, err = n.body(iter)
		}
		if err != nil {
			break
		}
	}
	err = errors.Join(err, iter.Error(), iter.Close())
	return found, n.store.readError("read descriptions", err)
}

// goTo brings an iterator to a key; false if that is not there. If the key is
// likely to be the next one, a step is tried first, which costs much less than a
// seek; in vain, it may cost the reading of a block.
func goTo(iter *pdb.Iterator, key []byte, near bool) bool {
	if near && iter.Valid() && iter.Next() && bytes.Equal(iter.Key(), key) {
		return true
	}
	return iter.Error() == nil && iter.SeekGE(key) && bytes.Equal(iter.Key(), key)
}

// body is the content the iterator stands on.
func (n *namespace) body(iter *pdb.Iterator) ([]byte, error) {
	v, err := iter.ValueAndErr()
	if err != nil {
		return nil, err
	}
	return n.store.content(v)
}

// PayloadsFrom implements store.Namespace.
func (n *namespace) PayloadsFrom(seq job.Seq, count, maxBytes int) ([]job.Payload, error) {
	db, err := n.reader()
	if err != nil {
		return nil, err
	}
	defer db.release()
	id := n.shared.id
	iter, err := db.db.NewIter(&pdb.IterOptions{
		LowerBound: id.key64(nil, kindPayload, uint64(seq)), UpperBound: id.end(kindPayload),
	})
	if err != nil {
		return nil, n.store.readError("read descriptions", err)
	}
	found, err := n.newest(iter, count, maxBytes)
	err = errors.Join(err, iter.Error(), iter.Close())
	return found, n.store.readError("read descriptions", err)
}

// newest reads the last version of each job the iterator comes by.
func (n *namespace) newest(iter *pdb.Iterator, count, maxBytes int) ([]job.Payload, error) {
	var found []job.Payload
	size := 0
	for ok := iter.First(); ok; ok = iter.Next() {
		seq := seqOf(iter.Key())
		last := len(found) - 1
		if older := last >= 0 && found[last].Seq == seq; older {
			size -= len(found[last].Body)
			found = found[:last]
		} else if len(found) >= count || size >= maxBytes {
			break
		}
		body, err := n.body(iter)
		if err != nil {
			return nil, err
		}
		found = append(found, job.Payload{Seq: seq, Version: subOf(iter.Key()), Body: body})
		size += len(body)
	}
	return found, nil
}
