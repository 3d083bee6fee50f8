package engine

import (
	"context"
	"errors"
	"time"

	"github.com/muster-queue/muster/job"
	"github.com/muster-queue/muster/queue"
)

// pruneStep is how many complete jobs one turn of the writer deletes.
const pruneStep = 200

// pruneEvery is how often at most a queue is pruned in the background.
const pruneEvery = time.Second

// Prune deletes those complete jobs of a queue, oldest first, that are more than
// its KeepFinished or older than its KeepFinishedFor, and says how many. It is done
// in the background as well, about once a second while there are such. Errors:
// job.ErrNoQueue.
func (n *Namespace) Prune(ctx context.Context, queueName string) (removed int64, err error) {
	removed, _, err = n.prune(ctx, queueName)
	return removed, err
}

// prune also tells when the oldest job that is left ended.
func (n *Namespace) prune(ctx context.Context, queueName string) (removed int64, oldest job.Time, err error) {
	q, err := n.kept(ctx, queueName)
	if err != nil || !q.Limited() {
		return 0, 0, err
	}
	removed, err = n.removeFinished(ctx, queueName, q.Oldest, func(w *writer, f *job.Finished) bool {
		q, err := w.kept(queueName)
		if err != nil || !q.Excess(f.Ended, w.state.Now()) {
			oldest = f.Ended
			return false
		}
		return true
	})
	return removed, oldest, err
}

// kept is what rules there are for the complete jobs of a queue.
func (n *Namespace) kept(ctx context.Context, queueName string) (queue.Kept, error) {
	return call(ctx, n, normal, func(w *writer) (queue.Kept, error) { return w.kept(queueName) })
}

func (w *writer) kept(queueName string) (queue.Kept, error) {
	q, ok := w.state.QueueNamed(queueName)
	if !ok {
		return queue.Kept{}, job.Wrap(job.ErrNoQueue, "prune queue", queueName)
	}
	return w.state.Kept(job.QueueID(q.ID)), nil
}

// removeFinished deletes complete jobs of a queue, oldest first, from an end number
// on, until wanted says no.
func (n *Namespace) removeFinished(ctx context.Context, queueName string, from uint64, wanted func(*writer, *job.Finished) bool) (removed int64, err error) {
	q, err := n.kept(ctx, queueName)
	if err != nil {
		return 0, err
	}
	for {
		loads, reach := n.loads.Load(), n.store.Reach()
		var page []job.Finished
		if err := n.store.FinishedIn(q.ID, from, func(f *job.Finished) bool {
			page = append(page, *f)
			return len(page) < pruneStep
		}); err != nil {
			return removed, job.Wrap(err, "read the complete jobs of queue", queueName)
		}
		next := from
		more, err := call(ctx, n, normal, func(w *writer) (bool, error) {
			if loads != n.loads.Load() || !w.state.Remembers(reach) {
				return true, nil // the page is too old: read it again
			}
			for i := range page {
				if !wanted(w, &page[i]) {
					return false, nil
				}
				if w.state.DeleteFinished(&page[i]) == nil {
					removed++
				}
				w.state.Pruned(q.ID, page[i].End)
				next = page[i].End + 1
			}
			w.feed()
			return len(page) == pruneStep, nil
		})
		if err != nil || !more {
			return removed, err
		}
		from = next
	}
}

// pruning is when queues are pruned in the background.
type pruning struct {
	queues map[job.QueueID]*pruned
	// next is when the next queue is due; zero for none.
	next job.Time
}

// pruned is when a queue was pruned, and when the oldest job that was left ended.
type pruned struct {
	busy         bool
	last, oldest job.Time
}

// checkPrune begins to prune the queues that are due.
func (w *writer) checkPrune(now job.Time) {
	p := &w.pruning
	p.next = 0
	for _, q := range w.state.KeptQueues() {
		at, ok := p.due(&q)
		switch {
		case !ok:
		case at <= now:
			w.startPruning(&q)
		case p.next == 0 || at < p.next:
			p.next = at
		}
	}
}

// due is when the queue is to be pruned next.
func (p *pruning) due(q *queue.Kept) (at job.Time, ok bool) {
	if q.Done == 0 {
		return 0, false
	}
	known := p.queues[q.ID]
	switch {
	case known == nil:
		return 0, true
	case known.busy:
		return 0, false
	}
	at = known.last.Add(pruneEvery)
	switch {
	case q.Keep != nil && q.Done > *q.Keep:
		return at, true
	case q.For == 0:
		return 0, false
	}
	return max(at, known.oldest.Add(q.For)), true
}

func (w *writer) startPruning(q *queue.Kept) {
	p := &w.pruning
	if p.queues == nil {
		p.queues = map[job.QueueID]*pruned{}
	}
	state := &pruned{busy: true}
	p.queues[q.ID] = state
	n, loads := w.ns, w.ns.loads.Load()
	n.background.Go(func() {
		_, oldest, err := n.prune(context.Background(), q.Name)
		if err != nil && !errors.Is(err, job.ErrNoQueue) && !errors.Is(err, job.ErrClosed) {
			w.log.Warn("complete jobs could not be pruned; tried again later", "namespace", n.name, "queue", q.Name, "err", err)
		}
		_ = n.post(context.Background(), func(w *writer) {
			if n.loads.Load() == loads {
				state.busy, state.last, state.oldest = false, w.state.Now(), oldest
			}
		})
	})
}
