package engine

import (
	"context"
	"errors"
	"slices"

	"github.com/muster-queue/muster/job"
)

// ChangeResult says how many jobs a command changed.
type ChangeResult struct {
	Changed, Skipped int64
	// Refusals are why named jobs were not changed; at most MaxPage.
	Refusals []Refusal
}

// Refusal is why one job was not changed.
type Refusal struct {
	ID  JobID
	Err error
}

// Kick makes buried and delayed jobs ready, with fresh budgets. On a lost job it
// is a person's word that its attempt is dead.
func (n *Namespace) Kick(ctx context.Context, s Selector, once ...Once) (*ChangeResult, error) {
	return n.change(ctx, "kick", s, once, func(w *writer, l *job.Live) error {
		switch l.State {
		case job.Buried, job.Delayed, job.Lost:
			return w.state.Kick(l.Seq)
		}
		return errNothingToDo
	})
}

// Cancel buries jobs; running ones are stopped first. On a lost job it is a
// person's word that its attempt is dead.
func (n *Namespace) Cancel(ctx context.Context, s Selector, once ...Once) (*ChangeResult, error) {
	return n.change(ctx, "cancel", s, once, func(w *writer, l *job.Live) error {
		if l.State == job.Buried {
			return errNothingToDo
		}
		_, err := w.state.Cancel(l.Seq)
		return err
	})
}

// errNothingToDo skips a job that is as wanted already.
var errNothingToDo = job.Errorf(job.Conflict, "nothing to do")

// change applies do to the selected live jobs.
func (n *Namespace) change(ctx context.Context, verb string, s Selector, once []Once, do changeFunc) (*ChangeResult, error) {
	c := newChanging(n, verb, once)
	return c.run(ctx, func() error {
		if s.Filter == nil {
			return c.named(ctx, s.IDs, do, func(*ChangeResult) bool { return true })
		}
		return c.filtered(ctx, s.Filter, do, true)
	})
}

// Delete removes jobs, complete ones too. Held ones are refused unless force is
// set, which revokes their leases.
func (n *Namespace) Delete(ctx context.Context, s Selector, force bool, once ...Once) (*ChangeResult, error) {
	c := newChanging(n, "delete", once)
	do := func(w *writer, l *job.Live) error { return w.state.Delete(l.Seq, force) }
	return c.run(ctx, func() error {
		if s.Filter == nil {
			if err := c.named(ctx, s.IDs, do, allLive); err != nil {
				return err
			}
			return c.deleteNamed(ctx)
		}
		if err := c.filtered(ctx, s.Filter, do, false); err != nil {
			return err
		}
		return c.deleteFinished(ctx, s.Filter)
	})
}

// allLive reports whether every job that was named is a live one.
func allLive(r *ChangeResult) bool {
	return !slices.ContainsFunc(r.Refusals, func(r Refusal) bool { return errors.Is(r.Err, job.ErrNoJob) })
}

// deleteFinished removes the complete jobs that match a filter, a page at a time.
func (c *changing) deleteFinished(ctx context.Context, f *Filter) error {
	var page []found
	var failed error
	err := c.ns.eachFinished(ctx, f, 0, false, func(f *found, _ *job.Job) bool {
		if page = append(page, *f); len(page) == scanPage {
			failed = c.remove(ctx, page, false)
			page = page[:0]
		}
		return failed == nil
	})
	if err = errors.Join(failed, err); err != nil || len(page) == 0 {
		return err
	}
	return c.remove(ctx, page, true)
}

// deleteNamed removes those named jobs that turned out not to be live.
func (c *changing) deleteNamed(ctx context.Context) error {
	if c.over {
		return nil
	}
	var left []Refusal
	var finished []found
	for _, refusal := range c.result.Refusals {
		f, err := (*found)(nil), error(nil)
		if errors.Is(refusal.Err, job.ErrNoJob) {
			f, err = c.ns.find(ctx, refusal.ID)
		}
		if err != nil || f == nil || f.end == 0 {
			left = append(left, refusal)
			continue
		}
		finished = append(finished, *f)
	}
	c.result.Refusals = left
	c.result.Skipped -= int64(len(finished))
	return c.remove(ctx, finished, true)
}

// remove deletes complete jobs; last says that nothing else is to be done.
func (c *changing) remove(ctx context.Context, page []found, last bool) error {
	return c.step(ctx, func(w *writer, r *ChangeResult) (bool, error) {
		for _, f := range page {
			if w.state.DeleteFinished(f.past) == nil {
				r.Changed++
			}
		}
		return last, nil
	})
}

func (w *writer) changeOne(id JobID, do func(*writer, *job.Live) error) error {
	l, ok := w.lookup(id)
	if !ok {
		return job.Wrap(job.ErrNoJob, "change job", id.String())
	}
	err := do(w, &l)
	w.feed()
	return err
}

func (w *writer) lookup(id JobID) (job.Live, bool) {
	if id.Seq != 0 {
		return w.state.BySeq(id.Seq)
	}
	return w.state.Lookup(id.digest())
}

func (r *ChangeResult) refuse(id JobID, err error) {
	r.Skipped++
	if len(r.Refusals) < MaxPage {
		r.Refusals = append(r.Refusals, Refusal{ID: id, Err: err})
	}
}
