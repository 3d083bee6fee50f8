package engine

import (
	"context"

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
		case job.Buried, job.Delayed, job.Lost, job.Blocked:
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
