package engine

import (
	"context"
	"errors"
	"time"

	"github.com/muster-queue/muster/job"
)

// trimStep is how many entries of a log one commit deletes at most.
const trimStep = 10_000

// trimEvery is how often at most a log is trimmed for the age of its entries.
const trimEvery = time.Minute

// trimming is when a log is trimmed in the background.
type trimming struct {
	busy bool
	// next is when it is due for the age of its oldest entry; zero: that is not
	// known yet.
	next job.Time
	// retry is when it may be tried again after it failed.
	retry job.Time
}

// kept is for how long and how many entries of a log are kept.
func (c *Config) kept(log job.EventLog) (age time.Duration, entries uint64) {
	if log == job.AuditLog {
		return c.AuditKept, uint64(c.EventsKept)
	}
	return c.TasksKept, uint64(c.EventsKept)
}

// checkTrim begins to trim the logs that are due, and tells when one is next.
func (w *writer) checkTrim(now job.Time) {
	m := w.state.Meta()
	for log := range job.EventLogs {
		t := &w.trims[log]
		age, entries := w.cfg.kept(log)
		there := m.Events[log] - m.Trimmed[log]
		over, old := there > entries+entries/100, age >= 0 && now >= t.next
		switch {
		case t.busy || now < t.retry:
		case there == 0 || age < 0 && !over:
			t.next = 0
		case over || old:
			t.busy = true
			w.startTrim(log, t)
		}
	}
}

// nextTrim is when an entry will be too old.
func (w *writer) nextTrim() (at job.Time, ok bool) {
	for log := range w.trims {
		if t := &w.trims[log]; !t.busy && t.next != 0 && (!ok || t.next < at) {
			at, ok = t.next, true
		}
	}
	return at, ok
}

func (w *writer) startTrim(log job.EventLog, t *trimming) {
	n, loads := w.ns, w.ns.loads.Load()
	n.background.Go(func() {
		oldest, err := n.trim(context.Background(), log)
		if err != nil && !errors.Is(err, job.ErrClosed) {
			w.log.Warn("a log could not be trimmed; tried again later", "namespace", n.name, "err", err)
		}
		_ = n.post(context.Background(), func(w *writer) {
			if n.loads.Load() == loads {
				t.busy, t.next = false, w.trimAgain(log, oldest)
				if err != nil {
					t.retry = w.state.Now().Add(trimEvery)
					t.next = t.retry
				}
			}
		})
	})
}

// trimAgain is when a log is due again whose oldest entry is of that time, zero if
// it has none: then it is looked at when one comes.
func (w *writer) trimAgain(log job.EventLog, oldest job.Time) job.Time {
	age, _ := w.cfg.kept(log)
	if age < 0 || oldest == 0 {
		return 0
	}
	return max(w.state.Now().Add(trimEvery), oldest.Add(age))
}

// trim deletes entries of a log that are too old or too many, in steps, and tells
// the time of the oldest one left; zero if there is none.
func (n *Namespace) trim(ctx context.Context, log job.EventLog) (oldest job.Time, err error) {
	for {
		b, err := call(ctx, n, normal, func(w *writer) (trimBounds, error) { return w.trimBounds(log), nil })
		if err != nil || b.end == 0 {
			return 0, err
		}
		before, err := n.eventsUntil(log, b.end, b.drops)
		if err != nil {
			return 0, err
		}
		last, first, err := n.eventsAround(log, before, b.end)
		if err != nil || last == nil {
			return first, err
		}
		if _, err := call(ctx, n, normal, func(w *writer) (struct{}, error) {
			w.state.TrimEvents(last)
			w.trimBefore[log] = max(w.trimBefore[log], before)
			return struct{}{}, nil
		}); err != nil || last.Count < b.step {
			return first, err
		}
	}
}

// trimBounds say what to delete of a log in one step: those from before a time and
// those up to a count, but no more than a step.
type trimBounds struct {
	end    uint64
	before job.Time
	upTo   uint64
	step   uint64
}

func (w *writer) trimBounds(log job.EventLog) trimBounds {
	m := w.state.Meta()
	age, entries := w.cfg.kept(log)
	b := trimBounds{end: m.NextEvent, step: m.Trimmed[log] + trimStep}
	if age >= 0 {
		b.before = w.state.Now().Add(-age)
	}
	b.upTo = m.Events[log] - min(entries, m.Events[log])
	return b
}

// drops reports whether an entry is among those to delete, which are the oldest.
func (b *trimBounds) drops(e *job.EventRow) bool {
	return e.Count <= b.step && (e.At < b.before || e.Count <= b.upTo)
}

// eventsAround is the last entry of a log below a number, and the time of the next
// after it below end.
func (n *Namespace) eventsAround(log job.EventLog, before, end uint64) (last *job.EventRow, first job.Time, err error) {
	if before < end { // the entry of that number is the first that stays
		err = n.store.Events(log, before+1, func(e *job.EventRow) bool { first = e.At; return false })
	}
	if err == nil {
		err = n.store.Events(log, before, func(e *job.EventRow) bool { last = e; return false })
	}
	return last, first, err
}
