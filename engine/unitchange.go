package engine

import (
	"context"

	"github.com/muster-queue/muster/job"
)

// DeleteUnits deletes jobs of a queue that is ordered by key, live and complete,
// and says how many. Pulled ones that are held go at once: reports on them are
// refused, and their keys can be added again. Errors: job.ErrNoQueue, Conflict if
// the queue is in another order.
func (n *Namespace) DeleteUnits(ctx context.Context, s UnitsSelector) (deleted int64, err error) {
	err = n.changeUnits(ctx, &s, func(w *writer, l *located) error {
		err := w.deleteUnit(l)
		if err == nil {
			deleted++
		}
		return err
	})
	return deleted, err
}

func (w *writer) deleteUnit(l *located) error {
	if l.finished != nil {
		return w.state.DeleteFinished(l.finished)
	}
	return w.state.Delete(l.live.Seq, true)
}

// PrioritiseUnits sets the priority of jobs, or, with set nil, adds adjust to it,
// in any state: of complete and buried ones it counts when they run again. Errors:
// job.ErrNoQueue, Conflict if the queue is in another order, Invalid.
func (n *Namespace) PrioritiseUnits(ctx context.Context, s UnitsSelector, set *float64, adjust float64) error {
	return n.changeUnits(ctx, &s, func(w *writer, l *located) error {
		priority := l.live.Priority + adjust
		if set != nil {
			priority = *set
		}
		if l.finished != nil {
			return w.state.PrioritiseFinished(l.finished, priority)
		}
		return w.state.Prioritise(l.live.Seq, priority)
	})
}

// changeUnits has the writer change what is selected, in steps.
func (n *Namespace) changeUnits(ctx context.Context, s *UnitsSelector, do func(*writer, *located) error) error {
	if s.Keys == nil && s.States == nil && s.After == nil && s.Limit == 0 && !s.All {
		return nil
	}
	b, err := n.byKey(ctx, s.Queue)
	if err != nil {
		return err
	}
	c := &unitChange{byKey: b, selector: s, states: setOf(s.States), do: do}
	if s.Keys != nil {
		err = c.named(ctx, s.wanted())
	} else {
		err = c.ranged(ctx)
	}
	if c.failed != nil {
		return c.failed
	}
	return err
}

// unitChange is a change of selected jobs under way.
type unitChange struct {
	*byKey
	selector *UnitsSelector
	states   uint16
	do       func(*writer, *located) error
	selected int
	failed   error
}

// wanted are the keys that lie where they must, each once.
func (s *UnitsSelector) wanted() []job.Key {
	var keys []job.Key
	seen := make(map[job.Key]bool, len(s.Keys))
	for _, key := range s.Keys {
		if !seen[key] && (s.After == nil || key > *s.After) {
			seen[key] = true
			keys = append(keys, key)
		}
	}
	return keys
}

// full reports whether as many were selected as shall be.
func (c *unitChange) full() bool {
	return c.failed != nil || c.selector.Limit > 0 && c.selected >= c.selector.Limit
}

// one changes one job, if it is selected.
func (c *unitChange) one(w *writer, l *located) {
	if c.full() || c.states&(1<<l.live.State) == 0 {
		return
	}
	c.selected++
	if err := c.do(w, l); err != nil && !job.IsKind(err, job.NotFound) {
		c.failed = err
	}
}

func (c *unitChange) named(ctx context.Context, keys []job.Key) error {
	return c.byKey.named(ctx, keys, func(w *writer, _ int, l *located) { c.one(w, l) })
}

func (c *unitChange) ranged(ctx context.Context) error {
	after := c.selector.After
	for c.states != 0 && !c.full() {
		var again []job.Key
		next, err := c.page(ctx, c.states, after, unitStep, func(w *writer, l *located) {
			if l.unread() {
				again = append(again, l.key)
			} else {
				c.one(w, l)
			}
		})
		if err == nil && len(again) > 0 {
			err = c.named(ctx, again)
		}
		if err != nil || next == nil {
			return err
		}
		after = next
	}
	return nil
}
