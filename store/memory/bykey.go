package memory

import (
	"slices"

	"github.com/muster-queue/muster/internal/sorted"
	"github.com/muster-queue/muster/job"
)

// keyEnd is a complete job of a queue that is ordered by key.
type keyEnd struct {
	key job.Key
	end uint64
}

var byKey = &sorted.Order[keyEnd]{Before: func(a, b *keyEnd) bool { return a.key < b.key }}

// applyKeys keeps the keys of jobs, live and complete. What is not complete any
// more comes first: its key may have completed again.
func (r *records) applyKeys(c *job.Changes) {
	for _, k := range c.Keys {
		if k.Gone {
			delete(r.keys, k.Seq)
		} else {
			r.keys[k.Seq] = k.Key
		}
	}
	for i := range c.Forgotten {
		if f := &c.Forgotten[i]; f.Keyed && r.keyed[f.Queue] != nil {
			r.keyed[f.Queue].Remove(&keyEnd{key: f.Key}, byKey)
		}
	}
	for i := range c.Finished {
		if f := &c.Finished[i]; f.Keyed {
			l := r.keyed[f.Queue]
			if l == nil {
				l = &sorted.List[keyEnd]{}
				r.keyed[f.Queue] = l
			}
			e := keyEnd{f.Key, f.End}
			l.Remove(&e, byKey)
			l.Push(e, byKey)
		}
	}
}

// FinishedMany implements store.Namespace.
func (n *namespace) FinishedMany(ends []uint64) ([]job.Finished, error) {
	n.mu.RLock()
	defer n.mu.RUnlock()
	all := make([]job.Finished, len(ends))
	for i, end := range ends {
		all[i] = n.finished[end]
	}
	return all, nil
}

// FinishedByKey implements store.Namespace.
func (n *namespace) FinishedByKey(queue job.QueueID, after *job.Key, limit int) ([]job.Finished, error) {
	n.mu.RLock()
	defer n.mu.RUnlock()
	l := n.keyed[queue]
	if l == nil || limit <= 0 {
		return nil, nil
	}
	var from *keyEnd
	if after != nil {
		from = &keyEnd{key: *after}
	}
	var all []job.Finished
	l.Each(from, byKey, func(e *keyEnd) bool {
		all = append(all, n.finished[e.end])
		return len(all) < limit
	})
	return all, nil
}

// FinishedKeys implements store.Namespace.
func (n *namespace) FinishedKeys(queue job.QueueID, keys []job.Key) ([]job.Finished, error) {
	n.mu.RLock()
	defer n.mu.RUnlock()
	all := make([]job.Finished, len(keys))
	l := n.keyed[queue]
	if l == nil {
		return all, nil
	}
	for i, key := range keys {
		if e, found := l.Find(&keyEnd{key: key}, byKey); found {
			all[i] = n.finished[e.end]
		}
	}
	return all, nil
}

// AttemptRows implements store.Namespace.
func (n *namespace) AttemptRows(refs []job.AttemptRef) ([]job.AttemptRow, error) {
	n.mu.RLock()
	defer n.mu.RUnlock()
	found := make([]job.AttemptRow, len(refs))
	for i, ref := range refs {
		u := n.jobs[ref.Seq]
		if u == nil {
			continue
		}
		for _, row := range u.attempts {
			if row.n != ref.Number {
				continue
			}
			found[i].Seq = ref.Seq
			if err := job.Decode(row.body, &found[i].Attempt); err != nil {
				return nil, err
			}
		}
	}
	return found, nil
}

// FinishedIn implements store.Namespace.
func (n *namespace) FinishedIn(queue job.QueueID, from uint64, visit func(*job.Finished) bool) error {
	n.mu.RLock()
	ends := n.ends // only ever appended to, or made anew
	n.mu.RUnlock()
	i, _ := slices.BinarySearch(ends, from)
	for _, end := range ends[i:] {
		f, err := n.Finished(end)
		if err != nil || f.Queue != queue {
			continue // forgotten, or not asked for
		}
		if !visit(&f) {
			return nil
		}
	}
	return nil
}
