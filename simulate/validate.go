package simulate

import (
	"time"

	"github.com/muster-queue/muster/job"
)

// check checks a workload with its defaults, which stay as they are.
func (w *Workload) check() error {
	c := w.clone()
	c.settle()
	return c.validate()
}

// validate checks a settled workload. Errors: Invalid; they name the part.
func (w *Workload) validate() error {
	for _, check := range []func() error{w.checkSelf, w.checkAccounts, w.checkQueues, w.checkWorkers, w.checkJobs, w.checkSize} {
		if err := check(); err != nil {
			return err
		}
	}
	return nil
}

func invalid(format string, args ...any) error { return job.Errorf(job.Invalid, format, args...) }

// checkTimes checks times by name: none negative or absurd.
func checkTimes(times map[string]time.Duration) error {
	for name, d := range times {
		if d < 0 || d > job.MaxTime {
			return invalid("%s: %v; a time is positive and at most ten years", name, d)
		}
	}
	return nil
}

func (w *Workload) checkSelf() error {
	switch {
	case len(w.Jobs) == 0:
		return invalid("there are no jobs; describe them under jobs:")
	case len(w.Workers) == 0:
		return invalid("there are no workers; describe them under workers:")
	case w.Sample != 0 && w.Sample < time.Millisecond:
		return invalid("sample: %v; at least a millisecond", w.Sample)
	}
	return checkTimes(map[string]time.Duration{"duration": w.Duration, "grace": w.Grace, "sample": w.Sample})
}

func (w *Workload) checkAccounts() error {
	if len(w.Accounts) > MaxAccounts {
		return invalid("%d accounts; at most %d can be simulated", len(w.Accounts), MaxAccounts)
	}
	names := map[string]bool{}
	for i := range w.Accounts {
		a := &w.Accounts[i]
		if names[a.Name] {
			return invalid("account %s is there twice", a.Name)
		}
		names[a.Name] = true
		if err := a.check(); err != nil {
			return err
		}
	}
	return nil
}

func (a *Account) check() error {
	s := a.Settings
	account := s.account(a.Name)
	if err := account.Validate(); err != nil {
		return err
	}
	if len(a.Changes) > maxChanges {
		return invalid("account %s: %d changes; at most %d", a.Name, len(a.Changes), maxChanges)
	}
	if err := checkTimes(map[string]time.Duration{"arrive": a.Arrive}); err != nil {
		return job.Wrap(err, "account", a.Name)
	}
	for i := range a.Changes {
		c := &a.Changes[i]
		s = s.with(&c.Settings)
		account := s.account(a.Name)
		if err := account.Validate(); err != nil {
			return err
		}
		if c.At < a.Arrive || c.At > job.MaxTime {
			return invalid("account %s: a change at %v; it arrives at %v", a.Name, c.At, a.Arrive)
		}
		if i > 0 && c.At < a.Changes[i-1].At {
			return invalid("account %s: the change at %v comes after the one at %v; write them in order", a.Name, c.At, a.Changes[i-1].At)
		}
	}
	return nil
}

func (w *Workload) checkQueues() error {
	if len(w.Queues) > MaxStreams {
		return invalid("%d queues; at most %d can be simulated", len(w.Queues), MaxStreams)
	}
	names := map[string]bool{}
	for i := range w.Queues {
		q := &w.Queues[i]
		if err := job.CheckName("queue", q.Name); err != nil {
			return err
		}
		if names[q.Name] {
			return invalid("queue %s is there twice", q.Name)
		}
		names[q.Name] = true
		if q.MaxRunning < 0 {
			return invalid("queue %s: max_running %d; it must not be negative", q.Name, q.MaxRunning)
		}
	}
	return nil
}

func (w *Workload) checkWorkers() error {
	n := 0
	for i := range w.Workers {
		g := &w.Workers[i]
		if g.Count < 0 || g.Count > MaxWorkers {
			return invalid("workers %s: %d of them; at most %d can be simulated", g.Name, g.Count, MaxWorkers)
		}
		n += g.Count
		if err := g.check(); err != nil {
			return job.Wrap(err, "workers", g.Name)
		}
	}
	if n == 0 || n > MaxWorkers {
		return invalid("%d workers; there must be some, and at most %d can be simulated", n, MaxWorkers)
	}
	return nil
}

func (g *Workers) check() error {
	if err := g.Capacity.Validate(); err != nil {
		return err
	}
	if err := g.Labels.Validate("labels"); err != nil {
		return err
	}
	if err := checkTimes(map[string]time.Duration{"arrive": g.Arrive, "leave": g.Leave}); err != nil {
		return err
	}
	if g.Leave != 0 && g.Leave <= g.Arrive {
		return invalid("they leave at %v, and arrive at %v", g.Leave, g.Arrive)
	}
	for _, v := range g.Capacity {
		if v > 0 {
			return nil
		}
	}
	return invalid("they have nothing; give them slots or resources")
}

func (w *Workload) checkJobs() error {
	if len(w.Jobs) > MaxStreams {
		return invalid("%d kinds of jobs; at most %d can be simulated", len(w.Jobs), MaxStreams)
	}
	names := map[string]bool{}
	for i := range w.Jobs {
		s := &w.Jobs[i]
		if names[s.Name] {
			return invalid("jobs %s are there twice", s.Name)
		}
		names[s.Name] = true
		if err := s.check(); err != nil {
			return job.Wrap(err, "jobs", s.Name)
		}
	}
	return nil
}

func (s *Stream) check() error {
	like := job.Job{
		Queue: s.Queue, Key: "k", Data: []byte{0}, Account: s.Account, Priority: s.Priority,
		Labels: s.Labels, Prefer: s.Prefer, Needs: s.Needs, Time: s.Time,
	}
	if err := like.Validate(); err != nil {
		return err
	}
	if s.Recorded != nil {
		return s.checkRecorded()
	}
	if err := s.Arrivals.check(); err != nil {
		return err
	}
	return s.Lasts.check()
}

func (s *Stream) checkRecorded() error {
	last := time.Duration(0)
	for _, r := range s.Recorded {
		if r.At < last || r.At > job.MaxTime || r.Lasts < 0 || r.Lasts > job.MaxTime {
			return invalid("a recorded job at %v that takes %v; they are in order of time, and no time is negative or above ten years", r.At, r.Lasts)
		}
		last = r.At
	}
	return nil
}

func (a *Arrivals) check() error {
	ways := 0
	for _, given := range []bool{a.Every != 0, a.Rate != 0, a.At != nil} {
		if given {
			ways++
		}
	}
	switch {
	case ways > 1:
		return invalid("jobs arrive either every so often, or poisson, or at times; give one of them")
	case a.Every < 0 || a.Every > 0 && a.Every < time.Microsecond:
		return invalid("every: %v; at least a microsecond", a.Every)
	case !(a.Rate >= 0 && a.Rate <= 1e6):
		return invalid("poisson: %v a second; at most a million", a.Rate)
	case a.Burst < 1 || a.Burst > MaxJobs:
		return invalid("burst: %d; it must be 1 to %d", a.Burst, MaxJobs)
	case a.Count < 0 || a.Count > MaxJobs:
		return invalid("count: %d; at most %d jobs can be simulated", a.Count, MaxJobs)
	case a.Until != 0 && a.Until < a.From:
		return invalid("they come until %v, and from %v", a.Until, a.From)
	}
	for i, t := range a.At {
		if t < 0 || t > job.MaxTime || i > 0 && t < a.At[i-1] {
			return invalid("at: %v; the times are in order, and at most ten years", t)
		}
	}
	return checkTimes(map[string]time.Duration{"from": a.From, "until": a.Until, "every": a.Every})
}

// checkSize refuses what would take too long or too much memory.
func (w *Workload) checkSize() error {
	jobs := 0.0
	for i := range w.Jobs {
		n := w.Jobs[i].expected(w.Duration)
		if w.Duration == 0 && n > MaxJobs {
			return invalid("jobs %s: without an end they come for ever; give them a count or until, or the simulation a duration", w.Jobs[i].Name)
		}
		jobs += n
	}
	if jobs > MaxJobs {
		return tooManyJobs(jobs)
	}
	if w.Sample == 0 || w.Duration == 0 {
		return nil
	}
	samples := w.Duration / w.Sample
	if samples > MaxSamples || int(samples)*(len(w.Accounts)+1) > maxCells {
		return invalid("a sample every %v of %v is too much: %d of %d accounts; take fewer", w.Sample, w.Duration, samples, len(w.Accounts))
	}
	return nil
}

func tooManyJobs(n float64) error {
	return invalid("about %.0f jobs would come; at most %d can be simulated: shorten the duration, or let fewer come", n, MaxJobs)
}
