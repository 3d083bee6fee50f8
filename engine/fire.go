package engine

import (
	"context"
	"errors"
	"time"

	"github.com/muster-queue/muster/cron"
	"github.com/muster-queue/muster/job"
	"github.com/muster-queue/muster/queue"
)

// A schedule fires in two steps. Off the writer its jobs are described, and their
// keys looked up in history. Then one turn adds them and notes that their times are
// done with, in one commit: whatever is killed when, no time makes two jobs, and none
// is forgotten. A schedule that was changed in between is left alone and comes again.

const (
	// firingATurn bounds the schedules that fire in one turn.
	firingATurn = 64
	// fireAgain is after how long a job that there was no room for is tried again.
	fireAgain = 10 * time.Second
)

// checkCron lets the schedules fire that are due.
func (w *writer) checkCron(now job.Time) {
	c := &w.cron
	if at, ok := c.next(); !ok || at > now {
		return
	}
	c.busy = true
	due := c.due(now, firingATurn)
	n, loads := w.ns, w.ns.loads.Load()
	n.background.Go(func() {
		err := n.fire(due, now, loads)
		if err != nil && !errors.Is(err, job.ErrClosed) {
			w.log.Warn("schedules could not fire; tried again soon", "namespace", n.name, "err", err)
		}
		_ = n.post(context.Background(), func(w *writer) {
			if n.loads.Load() != loads {
				return
			}
			if w.cron.busy = false; err != nil {
				w.cron.again = w.state.Now().Add(fireAgain)
			}
		})
	})
}

// firing is a schedule with the times for which it fires now.
type firing struct {
	*recurring
	times  []time.Time
	missed int
	adding
	// bad is why its job cannot be made at all.
	bad error
}

// fire makes the jobs of the schedules that are due. The error is what keeps all of
// them from it.
func (n *Namespace) fire(due []*recurring, now job.Time, loads uint64) error {
	all := make([]*firing, len(due))
	for i, s := range due {
		f, err := n.firing(s, now)
		if err != nil {
			return err
		}
		all[i] = f
	}
	_, err := call(context.Background(), n, normal, func(w *writer) (struct{}, error) {
		if n.loads.Load() != loads {
			return struct{}{}, nil
		}
		var full error
		for _, f := range all {
			if w.cron.get(f.Name) != f.recurring || !f.fresh(w) {
				continue // it comes again
			}
			if err := w.fire(f, now); err != nil {
				full = err
			}
		}
		return struct{}{}, full
	})
	return err
}

// firing makes the jobs of a schedule ready.
func (n *Namespace) firing(s *recurring, now job.Time) (*firing, error) {
	f := &firing{recurring: s, adding: adding{ns: n}}
	if s.expression.After() != 0 {
		f.times = []time.Time{s.Next.Std()}
	} else {
		f.times, f.missed = s.Due(s.expression, s.Seen.Std(), now.Std())
	}
	for _, at := range f.times {
		p, err := prepare(s.JobAt(at))
		if err != nil {
			f.bad = err
			return f, nil
		}
		f.todo = append(f.todo, p)
	}
	return f, f.lookUp()
}

// fresh reports whether what was looked up is still good.
func (f *firing) fresh(w *writer) bool {
	for i := range f.todo {
		if w.state.Foresee(&f.todo[i], queue.AddOptions{}).Status == queue.AddStale {
			return false
		}
	}
	return true
}

// fire adds a schedule's jobs and keeps that its times are done with. The error is
// Exhausted: there is no room, so that some of them are to come.
func (w *writer) fire(f *firing, now job.Time) error {
	s := *f.recurring
	s.Seen, s.Error = now, ""
	s.Missed += int64(f.missed)
	if f.bad != nil {
		s.Error = f.bad.Error()
	}
	var full error
	for i := range f.todo {
		at := job.TimeOf(f.times[i])
		if full = w.fireOne(&s, &f.todo[i], at); full != nil {
			s.Seen, s.Error = at-1, full.Error()
			break
		}
	}
	if err := w.keepSchedule(&s); err != nil {
		return err
	}
	return full
}

// fireOne adds the job for one time. The error is Exhausted.
func (w *writer) fireOne(s *recurring, p *queue.Prepared, at job.Time) error {
	if last, ok := w.state.BySeq(s.Last.Seq); ok && s.Overlap != cron.OverlapAllow && w.unfinished(s.Last.Seq) {
		// Whether a lost job is over is not known: nothing may take its place.
		if s.Overlap == cron.OverlapSkip || last.State == job.Lost {
			s.Skipped++
			return nil
		}
		if _, err := w.state.Cancel(s.Last.Seq); err != nil {
			return err
		}
		w.feed()
	}
	err := w.addScheduled(s, p, at)
	if err == nil || job.IsKind(err, job.Exhausted) {
		return err
	}
	s.Error = err.Error()
	return nil
}

// addScheduled adds a job and makes it the schedule's last.
func (w *writer) addScheduled(s *recurring, p *queue.Prepared, at job.Time) error {
	a := w.state.Add([]queue.Prepared{*p}, queue.AddOptions{})[0]
	w.feed()
	if a.Err != nil {
		return a.Err
	}
	s.Fired++
	if a.Seq == 0 { // somebody added it by hand, and it is complete
		s.Last = LastFiring{Key: p.Job.Key, At: at, Made: w.state.Now(), Ended: w.state.Now(), State: job.Complete}
		return nil
	}
	item := AddItem{Status: a.Status, Seq: a.Seq, State: a.State}
	w.refuseTooLarge(&item)
	s.Last = LastFiring{Seq: a.Seq, Key: p.Job.Key, At: at, Made: w.state.Now(), State: item.State}
	return nil
}

// RunSchedule makes a job of a schedule now, whatever it says about when, about
// overlap and pauses; its times stay as they are. It returns the key. Errors: NotFound,
// those of adding.
func (n *Namespace) RunSchedule(ctx context.Context, name string, once ...Once) (ScheduleState, error) {
	return n.changeSchedule(ctx, "run schedule", once, func(w *writer) (*recurring, error) {
		old := w.cron.get(name)
		if old == nil {
			return nil, errNoSchedule(name)
		}
		s, at := *old, w.state.Now()
		p, err := prepare(s.JobAt(at.Std()))
		for err == nil { // two in one turn
			if _, there := w.state.Lookup(p.Digest); !there {
				break
			}
			at++
			p, err = prepare(s.JobAt(at.Std()))
		}
		if err != nil {
			return nil, err
		}
		// Engine time never comes back, so that no key of now is in history but
		// those that are still remembered.
		p.Reach = w.state.Meta().NextEnd
		if err := w.addScheduled(&s, &p, at); err != nil {
			return nil, err
		}
		w.record(job.EventRow{Kind: job.EventScheduleRun, Who: whoOf(ctx), Details: map[string]string{"schedule": name, "key": string(s.Last.Key)}})
		return &s, nil
	})
}
