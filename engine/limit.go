package engine

import (
	"context"
	"time"

	"github.com/muster-queue/muster/job"
	"github.com/muster-queue/muster/schedule"
)

// LimitState is a limit as it stands.
type LimitState struct {
	job.Limit
	// Known: somebody set it. Others are what jobs carry; they let everything pass, and
	// are counted.
	Known bool `cbor:"20,keyasint,omitempty"`
	// Used is how many units are held; Started, of a rate, how many of the present
	// period are used up.
	Used    int64 `cbor:"21,keyasint,omitempty"`
	Started int64 `cbor:"22,keyasint,omitempty"`
	// Ready is how many ready jobs carry it.
	Ready int64 `cbor:"23,keyasint,omitempty"`
	// Full: there is no room for one more unit. Opens is when time gives it some: a
	// window opens, or units of a rate come back; zero if time alone does not.
	Full  bool      `cbor:"24,keyasint,omitempty"`
	Opens time.Time `cbor:"25,keyasint,omitzero"`
}

// MaxLimits is how many limits may be set in a namespace.
const MaxLimits = 10_000

// SetLimit sets a limit, from now on: nothing that was granted is stopped. Errors:
// Invalid, Exhausted.
func (n *Namespace) SetLimit(ctx context.Context, l job.Limit, once ...Once) (LimitState, error) {
	return n.ChangeLimit(ctx, l.Name, func(kept *job.Limit) error {
		*kept = l
		return nil
	}, once...)
}

// ChangeLimit is SetLimit where edit gets the limit as it is: any number at any time, if
// nobody set it. Errors: Invalid, Exhausted, what edit says.
func (n *Namespace) ChangeLimit(ctx context.Context, name string, edit func(*job.Limit) error, once ...Once) (LimitState, error) {
	if err := job.CheckLimitName(name); err != nil {
		return LimitState{}, err
	}
	return doOnce(ctx, n, "set limit", one(once), func(w *writer) (LimitState, error) {
		before, _ := w.sched.Limit(name, w.state.Now())
		l := job.Limit{Name: name, Max: job.AnyNumber}
		if before.Known {
			l = before.Limit
		}
		if err := edit(&l); err != nil {
			return LimitState{}, err
		}
		if err := l.Validate(); err != nil {
			return LimitState{}, err
		}
		switch {
		case before.Known:
		case w.limits >= MaxLimits:
			return LimitState{}, job.Errorf(job.Exhausted, "set limit %s: there are %d already, which is as many as a namespace may have", l.Name, MaxLimits)
		default:
			w.limits++
		}
		w.sched.SetLimit(&l)
		w.recordLimit(ctx, &before, &l)
		return w.limitState(l.Name), nil
	})
}

// recordLimit tells of a limit that was made or changed; one that is as it was is
// nothing to tell.
func (w *writer) recordLimit(ctx context.Context, before *schedule.LimitState, after *job.Limit) {
	was := map[string]string{}
	if before.Known {
		was = before.Settings()
	}
	details := job.Differences(was, after.Settings())
	if !before.Known {
		details["new"] = "true"
	} else if len(details) == 0 {
		return
	}
	details["limit"] = after.Name
	w.record(job.EventRow{Kind: job.EventLimitSet, Who: whoOf(ctx), Details: details})
}

// RemoveLimit lifts a limit. Jobs that carry it are counted on, so that it is exact if
// it is set again. Errors: NotFound.
func (n *Namespace) RemoveLimit(ctx context.Context, name string, once ...Once) error {
	_, err := doOnce(ctx, n, "remove limit", one(once), func(w *writer) (struct{}, error) {
		was, _ := w.sched.Limit(name, w.state.Now())
		if !w.sched.DropLimit(name) {
			return struct{}{}, errNoLimit(name)
		}
		w.limits--
		details := was.Settings()
		details["limit"] = name
		w.record(job.EventRow{Kind: job.EventLimitRemoved, Who: whoOf(ctx), Details: details})
		return struct{}{}, nil
	})
	return err
}

// Limit is one limit that is set, or carried by jobs. Errors: NotFound.
func (n *Namespace) Limit(ctx context.Context, name string) (LimitState, error) {
	return call(ctx, n, normal, func(w *writer) (LimitState, error) {
		if _, ok := w.sched.Limit(name, w.state.Now()); !ok {
			return LimitState{}, errNoLimit(name)
		}
		return w.limitState(name), nil
	})
}

// Limits are the limits that are set, and those that jobs carry, by name.
func (n *Namespace) Limits(ctx context.Context) ([]LimitState, error) {
	return call(ctx, n, normal, func(w *writer) ([]LimitState, error) {
		list := w.sched.Limits(w.state.Now())
		all := make([]LimitState, len(list))
		for i := range list {
			all[i] = limitState(&list[i])
		}
		return all, nil
	})
}

func errNoLimit(name string) error {
	return job.Errorf(job.NotFound, "there is no limit %q", name)
}

func (w *writer) limitState(name string) LimitState {
	l, _ := w.sched.Limit(name, w.state.Now())
	return limitState(&l)
}

func limitState(l *schedule.LimitState) LimitState {
	return LimitState{
		Limit: l.Limit, Known: l.Known, Used: l.Used, Started: l.Started, Ready: l.Ready, Full: l.Room == 0, Opens: l.Opens.Std(),
	}
}

// loadLimits begins with the limits that were stored; what is held of them follows
// from the jobs.
func (w *writer) loadLimits(rows []job.LimitRow) {
	w.limits = len(rows)
	for i := range rows {
		w.sched.RestoreLimit(&rows[i])
	}
}
