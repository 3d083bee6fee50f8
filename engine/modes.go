package engine

import (
	"context"
	"errors"
	"strconv"
	"time"

	"github.com/muster-queue/muster/job"
	"github.com/muster-queue/muster/queue"
)

// Pause stops giving out jobs; running ones go on. It is kept over restarts.
func (n *Namespace) Pause(ctx context.Context) error {
	return n.mode(ctx, job.EventPaused, func(s *queue.State) { s.Pause() })
}

// Resume ends a pause and a drain.
func (n *Namespace) Resume(ctx context.Context) error {
	return n.mode(ctx, job.EventResumed, func(s *queue.State) { s.Resume(); s.Drain(false) })
}

// mode changes a mode; the log tells of it if it was another before.
func (n *Namespace) mode(ctx context.Context, kind string, set func(*queue.State)) error {
	_, err := call(ctx, n, urgent, func(w *writer) (struct{}, error) {
		w.changeMode(ctx, kind, set)
		w.fresh = true // whoever waits may be served now
		return struct{}{}, nil
	})
	return err
}

func (w *writer) changeMode(ctx context.Context, kind string, set func(*queue.State)) {
	before := w.state.Meta()
	set(w.state)
	if now := w.state.Meta(); now.Paused != before.Paused || now.Draining != before.Draining {
		w.record(job.EventRow{Kind: kind, Who: whoOf(ctx)})
	}
}

// Drain gives out no more jobs and tells how many still run, and the time until
// the slowest of them should end. It may be repeated to see the progress.
func (n *Namespace) Drain(ctx context.Context) (DrainStatus, error) {
	return call(ctx, n, urgent, func(w *writer) (DrainStatus, error) {
		w.changeMode(ctx, job.EventDraining, func(s *queue.State) { s.Drain(true) })
		for _, q := range w.waiters.list {
			q.err = job.ErrDraining
			w.settle(q, nil)
		}
		w.waiters = waiters{}
		held, rest := w.state.Progress()
		return DrainStatus{Running: int(held), SlowestEnds: rest}, nil
	})
}

// Stats are the namespace's figures.
func (n *Namespace) Stats(ctx context.Context) (Stats, error) {
	return call(ctx, n, normal, func(w *writer) (Stats, error) {
		m := w.state.Meta()
		_, rest := w.state.Progress()
		s := Stats{Epoch: m.Epoch, Counts: w.state.Counts(), Agents: len(w.sessions), Paused: m.Paused, Mode: "started", SlowestEnds: rest}
		if m.Draining {
			s.Mode = "draining"
		}
		return s, nil
	})
}

// HasAgents reports whether an agent is attached.
func (n *Namespace) HasAgents(ctx context.Context) (bool, error) {
	return call(ctx, n, normal, func(w *writer) (bool, error) { return len(w.sessions) > 0, nil })
}

// SetQueue creates or changes a queue.
func (n *Namespace) SetQueue(ctx context.Context, def job.Queue, once ...Once) error {
	if err := def.Validate(); err != nil {
		return err
	}
	return n.setQueue(ctx, "set queue", once, func(*writer) (job.Queue, error) { return def, nil })
}

// setQueue has the writer take the settings that make comes up with.
func (n *Namespace) setQueue(ctx context.Context, verb string, once []Once, make func(*writer) (job.Queue, error)) error {
	c := newChanging(n, verb, once)
	_, err := c.run(ctx, func() error {
		return c.step(ctx, func(w *writer, _ *ChangeResult) (bool, error) {
			def, err := make(w)
			if err != nil {
				return false, err
			}
			before, _ := w.queueNamed(def.Name)
			_, err = w.state.SetQueue(def)
			if after, ok := w.queueNamed(def.Name); ok && err == nil {
				w.recordQueue(ctx, &before, &after)
			}
			w.feed()
			w.fresh = true
			return true, err
		})
	})
	return err
}

// queueNamed is the definition of a queue; its zero value if there is none.
func (w *writer) queueNamed(name string) (def job.Queue, ok bool) {
	q, ok := w.state.QueueNamed(name)
	if ok {
		def, ok = w.state.Queue(job.QueueID(q.ID))
	}
	return def, ok
}

// recordQueue tells of a queue that was made or changed; one that is as it was is
// nothing to tell.
func (w *writer) recordQueue(ctx context.Context, before, after *job.Queue) {
	details := job.Differences(before.Settings(), after.Settings())
	if before.Name == "" {
		details["new"] = "true"
	} else if len(details) == 0 {
		return
	}
	details["queue"] = after.Name
	w.record(job.EventRow{Kind: job.EventQueueSet, Who: whoOf(ctx), Details: details})
}

// UpdateQueue changes a queue that exists: edit gets its present definition.
func (n *Namespace) UpdateQueue(ctx context.Context, name string, edit func(*job.Queue), once ...Once) error {
	return n.setQueue(ctx, "update queue", once, func(w *writer) (job.Queue, error) {
		q, ok := w.state.QueueNamed(name)
		if !ok {
			return job.Queue{}, job.Wrap(job.ErrNoQueue, "change queue", name)
		}
		def, _ := w.state.Queue(job.QueueID(q.ID))
		edit(&def)
		return def, def.Validate()
	})
}

// Queue is one queue with its counters.
func (n *Namespace) Queue(ctx context.Context, name string) (QueueInfo, error) {
	return call(ctx, n, normal, func(w *writer) (QueueInfo, error) {
		q, ok := w.state.QueueNamed(name)
		if !ok {
			return QueueInfo{}, job.Wrap(job.ErrNoQueue, "get queue", name)
		}
		def, _ := w.state.Queue(job.QueueID(q.ID))
		return QueueInfo{Queue: def, Counts: q.Counts, Next: q.Next.Std()}, nil
	})
}

// Queues lists queues in the order of their names, after one.
func (n *Namespace) Queues(ctx context.Context, after string, limit int) ([]QueueInfo, error) {
	if limit <= 0 || limit > MaxPage {
		limit = MaxPage
	}
	return call(ctx, n, normal, func(w *writer) ([]QueueInfo, error) {
		var all []QueueInfo
		for _, q := range w.state.Queues(after, limit) {
			def, _ := w.state.Queue(job.QueueID(q.ID))
			all = append(all, QueueInfo{Queue: def, Counts: q.Counts, Next: q.Next.Std()})
		}
		return all, nil
	})
}

// DeleteQueue deletes a queue and tells how many jobs it had. One that has jobs is
// refused unless all is set, which deletes them too; commands that agents hold
// refuse it until they have ended.
func (n *Namespace) DeleteQueue(ctx context.Context, name string, all bool, once ...Once) (jobs int64, err error) {
	c := newChanging(n, "delete queue", once)
	r, err := c.run(ctx, func() error {
		info, err := n.Queue(ctx, name)
		if err != nil {
			return err
		}
		return n.tell(ctx, c.deleteQueue(ctx, name, all, info.Counts.Total()), JobID{})
	})
	if err != nil {
		return 0, err
	}
	return r.Changed, nil
}

// deleteQueue deletes a queue and its jobs, in steps; the complete ones when no
// other is left that could become complete.
func (c *changing) deleteQueue(ctx context.Context, name string, all bool, jobs int64) error {
	for !c.over {
		err := c.step(ctx, func(w *writer, r *ChangeResult) (bool, error) {
			more, err := w.state.DeleteQueue(name, all, pruneStep)
			if !more && err == nil {
				w.record(job.EventRow{Kind: job.EventQueueDeleted, Who: whoOf(ctx),
					Details: map[string]string{"queue": name, "jobs": strconv.FormatInt(jobs, 10)}})
			}
			w.feed()
			r.Changed = jobs
			return !more, err
		})
		if errors.Is(err, queue.ErrFinishedLeft) {
			_, err = c.ns.removeFinished(ctx, name, 0, func(*writer, *job.Finished) bool { return true })
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// PutBlob stores content (a captured environment) under its digest, once.
func (n *Namespace) PutBlob(ctx context.Context, digest string, body []byte) error {
	if has, err := n.store.HasBlob(digest); err != nil || has {
		return err
	}
	_, err := callSized(ctx, n, normal, int64(len(body)), true, func(w *writer) (struct{}, error) {
		w.blobs = append(w.blobs, job.Blob{Digest: digest, Body: body})
		return struct{}{}, nil
	})
	return err
}

// HasBlob reports whether content of that digest is stored.
func (n *Namespace) HasBlob(digest string) (bool, error) { return n.store.HasBlob(digest) }

// Now is the namespace's time.
func (n *Namespace) Now(ctx context.Context) (time.Time, error) {
	return call(ctx, n, normal, func(w *writer) (time.Time, error) { return w.state.Now().Std(), nil })
}
