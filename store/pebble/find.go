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

// FindMany implements store.Namespace. One iterator looks the digests up in
// their order; for one that is absent only the Bloom filters are asked.
func (n *namespace) FindMany(digests []job.Digest, ends []uint64) error {
	db, err := n.store.database()
	if err != nil {
		return err
	}
	defer db.release()
	from := n.shared.id.key(nil, kindByKey)
	iter, err := db.db.NewIter(&pdb.IterOptions{LowerBound: from, UpperBound: after(from), UseL6Filters: true})
	if err != nil {
		return n.store.readError("look keys up", err)
	}
	key := make([]byte, 0, byKeyLen)
	for _, i := range sorted(digests) {
		key = append(append(key[:0], from...), digests[i][:]...)
		ends[i] = 0
		for ok := iter.SeekPrefixGE(key); ok; ok = iter.Next() {
			ends[i] = last64(iter.Key())
		}
	}
	err = errors.Join(iter.Error(), iter.Close())
	return n.store.readError("look keys up", err)
}

// sorted are the indexes of the digests in their order.
func sorted(digests []job.Digest) []int {
	order := make([]int, len(digests))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int { return bytes.Compare(digests[a][:], digests[b][:]) })
	return order
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
	reach := n.shared.reach.Load()
	more := true
	if before > reach {
		more, err = n.backwards(db, reach, before, func(f *job.Finished) bool { return f.Group != group || visit(f) })
	}
	if err == nil && more {
		err = n.groupBackwards(db, group, min(before, reach), visit)
	}
	return n.store.readError("read history", err)
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

// groupBackwards visits the indexed history of a group.
func (n *namespace) groupBackwards(db *database, group job.GroupID, before uint64, visit func(*job.Finished) bool) error {
	id := n.shared.id
	iter, err := db.db.NewIter(&pdb.IterOptions{LowerBound: id.byGroup(nil, group, 0), UpperBound: id.byGroup(nil, group, before)})
	if err != nil {
		return err
	}
	more := true
	for ok := iter.Last(); ok && more && err == nil; ok = iter.Prev() {
		var f job.Finished
		if f, err = n.Finished(last64(iter.Key())); err == nil {
			more = visit(&f)
		} else if job.IsKind(err, job.NotFound) {
			err = nil // forgotten since the visit began
		}
	}
	return errors.Join(err, iter.Error(), iter.Close())
}
