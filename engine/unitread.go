package engine

import (
	"context"
	"slices"
	"strings"

	"github.com/muster-queue/muster/job"
	"github.com/muster-queue/muster/queue"
)

// Live jobs of a queue that is ordered by key are in the writer's memory, complete
// ones in the store's index by key, and a job may go from one to the other at any
// time. So the index is read first, and the writer, asked for the live ones, says
// what has changed since in what was read.

// located is a job met by key: live, or complete with its record. A complete one
// without a record changed too lately for the index: it is looked up again.
type located struct {
	key      job.Key
	live     job.Live
	end      uint64
	finished *job.Finished // nil: it is live, or to be looked up again
	worker   string
	deadline job.Time
}

// unread reports whether the job must be looked up again.
func (l *located) unread() bool { return l.end != 0 && l.finished == nil }

// byKey is a walk over the jobs of such a queue.
type byKey struct {
	ns   *Namespace
	name string

	id    job.QueueID
	loads uint64
	// version is up to which change of complete jobs the store has them all.
	version uint64
}

// start finds out what the store's index has at the least.
func (n *Namespace) byKey(ctx context.Context, queueName string) (*byKey, error) {
	b := &byKey{ns: n, name: queueName}
	return b, b.start(ctx)
}

func (b *byKey) start(ctx context.Context) error {
	_, err := call(ctx, b.ns, normal, func(w *writer) (struct{}, error) {
		q, ok := w.state.QueueNamed(b.name)
		if !ok {
			return struct{}{}, job.Wrap(job.ErrNoQueue, "read jobs by key of queue", b.name)
		}
		b.id, b.loads, b.version = job.QueueID(q.ID), b.ns.loads.Load(), w.state.KeyedVersion()
		if def, _ := w.state.Queue(b.id); def.Order != job.OrderKey {
			return struct{}{}, job.Errorf(job.Conflict, "queue %s is not ordered by key: its jobs can be listed, but not read by key", b.name)
		}
		return struct{}{}, nil
	})
	return err
}

// maxByKeyRounds bounds how often a look is repeated because more changed since the
// index was read than is remembered.
const maxByKeyRounds = 10

// page looks at jobs in one of the states (nil: any) behind a key, at most limit,
// and has the writer do something with each. next is where to go on; nil at the end.
func (b *byKey) page(ctx context.Context, states uint16, after *job.Key, limit int, do func(*writer, *located)) (next *job.Key, err error) {
	for range maxByKeyRounds {
		var finished []job.Finished
		if states&(1<<job.Complete) != 0 {
			if finished, err = b.ns.store.FinishedByKey(b.id, after, limit); err != nil {
				return nil, job.Wrap(err, "read jobs by key of queue", b.name)
			}
		}
		var fresh bool
		fresh, err = call(ctx, b.ns, normal, func(w *writer) (bool, error) {
			changed, err := b.changed(w)
			if changed == nil || err != nil {
				return false, err
			}
			live, _ := w.state.ByKey(b.id, states, after, limit)
			var all []located
			all, next = merge(live, finished, changed, states, after, limit)
			for i := range all {
				do(w, &all[i])
			}
			w.feed()
			return true, nil
		})
		if fresh || err != nil {
			return next, err
		}
		if err := b.start(ctx); err != nil {
			return nil, err
		}
	}
	return nil, job.Errorf(job.Unavailable, "the jobs of queue %s change too fast to be read; try again", b.name)
}

// changed are the complete jobs that changed since the index was read; nil when
// that must be read again.
func (b *byKey) changed(w *writer) ([]queue.KeyedChange, error) {
	if b.loads != b.ns.loads.Load() {
		return nil, nil
	}
	if q, ok := w.state.QueueNamed(b.name); !ok || job.QueueID(q.ID) != b.id {
		return nil, job.Wrap(job.ErrNoQueue, "read jobs by key of queue", b.name)
	}
	changed, ok := w.state.KeyedSince(b.id, b.version)
	if !ok {
		return nil, nil
	}
	b.version = w.state.KeyedVersion()
	return append([]queue.KeyedChange{}, changed...), nil
}

// merge puts live jobs and complete ones in the order of their keys, as far as all
// in between is known. next is the last key looked at if there may be more.
func merge(live []queue.Keyed, finished []job.Finished, changed []queue.KeyedChange, states uint16, after *job.Key, limit int) (all []located, next *job.Key) {
	bound := func(key job.Key) {
		if next == nil || key < *next {
			next = &key
		}
	}
	if len(live) == limit {
		bound(live[limit-1].Key)
	}
	if len(finished) == limit {
		bound(finished[limit-1].Key)
	}
	for i := range live {
		all = append(all, locatedLive(&live[i]))
	}
	lately := make(map[job.Key]bool, len(changed))
	for _, c := range changed {
		lately[c.Key] = true
		if c.End != 0 && states&(1<<job.Complete) != 0 && (after == nil || c.Key > *after) {
			all = append(all, located{key: c.Key, end: c.End})
		}
	}
	for i := range finished {
		if f := &finished[i]; !lately[f.Key] {
			all = append(all, locatedFinished(f))
		}
	}
	slices.SortFunc(all, func(a, b located) int { return strings.Compare(string(a.key), string(b.key)) })
	if next != nil {
		known, _ := slices.BinarySearchFunc(all, *next, func(l located, key job.Key) int {
			if l.key <= key {
				return -1
			}
			return 1
		})
		all = all[:known]
	}
	if len(all) > limit {
		all = all[:limit]
		next = &all[limit-1].key
	}
	return all, next
}

func locatedLive(k *queue.Keyed) located {
	return located{key: k.Key, live: k.Live, worker: k.Worker, deadline: k.Deadline}
}

func locatedFinished(f *job.Finished) located {
	return located{key: f.Key, live: f.Live, end: f.End, finished: f}
}

// named looks at the jobs of several keys, with the index of each key, and has the
// writer do something with those that are there. It looks again at those that
// changed too lately.
func (b *byKey) named(ctx context.Context, keys []job.Key, do func(*writer, int, *located)) error {
	index := make([]int, len(keys))
	for i := range keys {
		index[i] = i
	}
	for round := 0; len(index) > 0; round++ {
		if round == maxByKeyRounds {
			return job.Errorf(job.Unavailable, "the jobs of queue %s change too fast to be read; try again", b.name)
		}
		var again []int
		for part := range slices.Chunk(index, unitStep) {
			left, err := b.namedStep(ctx, keys, part, do)
			if err != nil {
				return err
			}
			again = append(again, left...)
		}
		index = again
	}
	return nil
}

// unitStep is how many units one turn of the writer looks at.
const unitStep = 500

func (b *byKey) namedStep(ctx context.Context, keys []job.Key, index []int, do func(*writer, int, *located)) (again []int, err error) {
	asked := make([]job.Key, len(index))
	digests := make([]job.Digest, len(index))
	for i, of := range index {
		asked[i] = keys[of]
		digests[i] = job.DigestOf(b.name, keys[of])
	}
	finished, err := b.ns.store.FinishedKeys(b.id, asked)
	if err != nil {
		return nil, job.Wrap(err, "read jobs by key of queue", b.name)
	}
	fresh, err := call(ctx, b.ns, normal, func(w *writer) (bool, error) {
		changed, err := b.changed(w)
		if changed == nil || err != nil {
			return false, err
		}
		lately := make(map[job.Key]uint64, len(changed))
		for _, c := range changed {
			lately[c.Key] = c.End
		}
		for i, of := range index {
			l, there := w.locate(digests[i], asked[i], &finished[i], lately)
			switch {
			case there && l.unread():
				again = append(again, of)
			case there:
				do(w, of, &l)
			}
		}
		w.feed()
		return true, nil
	})
	if err == nil && !fresh {
		return index, b.start(ctx)
	}
	return again, err
}

// locate finds one job by key.
func (w *writer) locate(d job.Digest, key job.Key, f *job.Finished, lately map[job.Key]uint64) (l located, there bool) {
	if k, ok := w.state.KeyedJob(d); ok {
		return locatedLive(&k), true
	}
	if end, changed := lately[key]; changed {
		return located{key: key, end: end}, end != 0
	}
	if f.End == 0 {
		return l, false
	}
	return locatedFinished(f), true
}
