package schedule

import "github.com/muster-queue/muster/job"

// Use is what an account has running, and waiting.
type Use struct {
	// Runs and Workers are what it pays for by level, and last what runs for free:
	// how many, and how much of workers they take. A job that waits for the end of
	// another, see Preemption, is among them; the one that is being stopped is not.
	Runs    [Levels + 1]int64
	Workers [Levels + 1]float64
	// Ready is how many jobs are ready.
	Ready int64
}

// Use is what an account has running and waiting at present.
func (s *Scheduler) Use(name string) Use {
	var u Use
	a := s.accounts[name]
	if a == nil {
		return u
	}
	for level, runs := range a.runs {
		u.Runs[level] = int64(len(runs))
		for _, h := range runs {
			u.Workers[level] += h.share
		}
	}
	u.Ready = a.ready
	return u
}

// Balance is what an account has now; nothing if there is none of that name.
func (s *Scheduler) Balance(name string, now job.Time) Balance {
	s.Advance(now)
	if a := s.accounts[name]; a != nil && a.known {
		return a.balance(s.now)
	}
	return Balance{}
}
