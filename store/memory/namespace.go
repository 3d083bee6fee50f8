package memory

import (
	"cmp"
	"context"
	"maps"
	"slices"

	"github.com/muster-queue/muster/job"
	"github.com/muster-queue/muster/store"
)

// namespace is an owner's hold on records.
type namespace struct {
	*records
	epoch  uint32
	loaded bool
	closed bool
}

var _ store.Namespace = (*namespace)(nil)

// Epoch implements store.Namespace.
func (n *namespace) Epoch() uint32 { return n.epoch }

// durable is a commit that waits for nothing.
type durable struct{}

func (durable) Wait() error { return nil }

// Commit implements store.Namespace.
func (n *namespace) Commit(c *job.Changes) (store.Commit, error) {
	rows, err := encode(c)
	if err != nil {
		return nil, job.Wrap(err, "commit to namespace", n.name)
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if err := n.owned(); err != nil {
		return nil, err
	}
	if !n.loaded {
		return nil, job.Errorf(job.Unavailable, "namespace %s must be loaded before it is written to", n.name)
	}
	n.apply(c, rows)
	return durable{}, nil
}

// owned tells whether this owner is the newest.
func (n *namespace) owned() error {
	if n.records.epoch != n.epoch || n.gone || n.closed {
		return job.Errorf(job.Conflict, "namespace %s was taken over or given up: this owner may not use it any more", n.name)
	}
	return nil
}

// Close implements store.Namespace.
func (n *namespace) Close() error {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.closed = true
	return nil
}

// Load implements store.Namespace.
func (n *namespace) Load(ctx context.Context, l store.Loader) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if err := n.owned(); err != nil {
		return err
	}
	n.loaded = true
	meta := n.meta
	meta.Epoch = n.epoch
	l.LoadMeta(meta)
	for _, err := range []error{
		rows(n.queues, l.LoadQueue), rows(n.groups, l.LoadGroup), rows(n.kinds, l.LoadKind),
		rows(n.shapes, l.LoadShape), rows(n.workers, l.LoadWorker),
		rows(n.locks, l.LoadLock), rows(n.accounts, l.LoadAccount), rows(n.charges, l.LoadCharge),
		rows(n.limits, l.LoadLimit), rows(n.learned, l.LoadLearned),
		rows(n.depGroups, l.LoadDepGroup), rows(n.depends, l.LoadDepend),
	} {
		if err != nil {
			return err
		}
	}
	for _, seq := range slices.Sorted(maps.Keys(n.live)) {
		live := n.live[seq]
		l.LoadLive(&live)
	}
	for _, seq := range slices.Sorted(maps.Keys(n.keys)) {
		l.LoadKey(&job.KeyRow{Seq: seq, Key: n.keys[seq]})
	}
	return ctx.Err()
}

// rows decodes the rows of a kind in the order of their numbers.
func rows[K cmp.Ordered, R any](from map[K][]byte, load func(R)) error {
	for _, k := range slices.Sorted(maps.Keys(from)) {
		var row R
		if err := job.Decode(from[k], &row); err != nil {
			return err
		}
		load(row)
	}
	return nil
}

// Find implements store.Namespace.
func (n *namespace) Find(digest job.Digest) (uint64, bool, error) {
	n.mu.RLock()
	defer n.mu.RUnlock()
	ends := n.byKey[digest]
	if len(ends) == 0 {
		return 0, false, nil
	}
	return ends[len(ends)-1], true, nil
}

// FindMany implements store.Namespace.
func (n *namespace) FindMany(digests []job.Digest, ends []uint64) error {
	for i, d := range digests {
		ends[i], _, _ = n.Find(d)
	}
	return nil
}

// Reach implements store.Namespace: every key is known at once.
func (n *namespace) Reach() uint64 {
	n.mu.RLock()
	defer n.mu.RUnlock()
	return n.reach
}

// Finished implements store.Namespace.
func (n *namespace) Finished(end uint64) (job.Finished, error) {
	n.mu.RLock()
	defer n.mu.RUnlock()
	f, ok := n.finished[end]
	if !ok {
		return f, job.Errorf(job.NotFound, "namespace %s has no history record %d", n.name, end)
	}
	return f, nil
}

// Attempts implements store.Namespace.
func (n *namespace) Attempts(seq job.Seq) ([]job.AttemptRow, error) {
	n.mu.RLock()
	defer n.mu.RUnlock()
	u := n.jobs[seq]
	if u == nil {
		return nil, nil
	}
	found := make([]job.AttemptRow, len(u.attempts))
	for i, row := range u.attempts {
		found[i].Seq = seq
		if err := job.Decode(row.body, &found[i].Attempt); err != nil {
			return nil, err
		}
	}
	return found, nil
}

// Payloads implements store.Namespace.
func (n *namespace) Payloads(refs []job.PayloadRef) ([]job.Payload, error) {
	n.mu.RLock()
	defer n.mu.RUnlock()
	found := make([]job.Payload, len(refs))
	for i, ref := range refs {
		found[i] = job.Payload{Seq: ref.Seq, Version: ref.Version}
		if u := n.jobs[ref.Seq]; u != nil {
			for _, p := range u.payloads {
				if p.n == ref.Version {
					found[i].Body = slices.Clone(p.body)
				}
			}
		}
	}
	return found, nil
}

// PayloadsFrom implements store.Namespace.
func (n *namespace) PayloadsFrom(seq job.Seq, count, maxBytes int) ([]job.Payload, error) {
	n.mu.RLock()
	defer n.mu.RUnlock()
	var found []job.Payload
	size := 0
	for ; seq <= n.lastSeq && len(found) < count && size < maxBytes; seq++ {
		u := n.jobs[seq]
		if u == nil || len(u.payloads) == 0 {
			continue
		}
		p := u.payloads[len(u.payloads)-1]
		found = append(found, job.Payload{Seq: seq, Version: p.n, Body: slices.Clone(p.body)})
		size += len(p.body)
	}
	return found, nil
}

// History implements store.Namespace.
func (n *namespace) History(before uint64, group job.GroupID, visit func(*job.Finished) bool) error {
	n.mu.RLock()
	ends := n.ends // only ever appended to, or made anew
	n.mu.RUnlock()
	if before != 0 {
		i, _ := slices.BinarySearch(ends, before)
		ends = ends[:i]
	}
	for _, end := range slices.Backward(ends) {
		f, err := n.Finished(end)
		if err != nil || group != 0 && f.Group != group {
			continue // forgotten, or not asked for
		}
		if !visit(&f) {
			return nil
		}
	}
	return nil
}

// Request implements store.Namespace.
func (n *namespace) Request(client, id string) (job.Request, bool, error) {
	n.mu.RLock()
	defer n.mu.RUnlock()
	r, ok := n.requests[requestKey{client, id}]
	r.Outcome = slices.Clone(r.Outcome)
	return r, ok, nil
}

// Blob implements store.Namespace.
func (n *namespace) Blob(digest string) ([]byte, error) {
	n.mu.RLock()
	defer n.mu.RUnlock()
	body, ok := n.blobs[digest]
	if !ok {
		return nil, job.Errorf(job.NotFound, "no blob %s in namespace %s", digest, n.name)
	}
	return slices.Clone(body), nil
}

// HasBlob implements store.Namespace.
func (n *namespace) HasBlob(digest string) (bool, error) {
	n.mu.RLock()
	defer n.mu.RUnlock()
	_, ok := n.blobs[digest]
	return ok, nil
}
