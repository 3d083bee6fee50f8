package schedule

import (
	"math"
	"slices"
	"time"

	"github.com/muster-queue/muster/job"
)

// Accounts are looked at only when something about them may be another: when they
// are stirred, or when by what they gain and spend the time has come.

// forever is a time that does not come.
const forever = job.Time(math.MaxInt64)

// stir has the next pass assess the account.
func (s *Scheduler) stir(a *account) {
	if s.fair && !a.stirred {
		a.stirred = true
		s.stirred = append(s.stirred, a)
	}
}

// assess finds the levels that accounts have now. Within a pass they stay what they
// were at its beginning.
func (s *Scheduler) assess() {
	if !s.fair || s.underway {
		return
	}
	if s.now >= s.nextAssess {
		for _, a := range s.accounts {
			s.stir(a)
		}
		s.nextAssess = forever
	}
	for _, a := range s.stirred {
		if a.stirred = false; a.known {
			s.settleAccount(a)
			s.relevel(a)
			if s.attend(a); !a.restless {
				s.nextAssess = min(s.nextAssess, s.dueOf(a))
			}
		}
	}
	clear(s.stirred)
	s.stirred = s.stirred[:0]
}

// relevel notes the account's level.
func (s *Scheduler) relevel(a *account) {
	level := Free
	if a.known {
		level = a.value.Level()
	}
	a.eager = a.eager || level < a.level
	a.level = level
}

// attend has the account be looked at when levels end, if that may come to anything.
func (s *Scheduler) attend(a *account) {
	if a.restless || !a.known {
		return
	}
	s.settleAccount(a)
	if a.unbalanced() || s.hungry(a) && s.now >= s.huntOf(a) {
		a.restless = true
		s.restless = append(s.restless, a)
	}
}

// calm ends a pass for those that were looked at.
func (s *Scheduler) calm() {
	for _, a := range s.restless {
		a.restless = false
		s.nextAssess = min(s.nextAssess, s.dueOf(a))
		if a.unbalanced() {
			s.stir(a)
		}
	}
	clear(s.restless)
	s.restless = s.restless[:0]
	if s.shifted {
		s.shifted = false
		s.encourage()
	}
}

// unbalanced reports whether the account has runs that belong to another level.
func (a *account) unbalanced() bool {
	for p := range Free {
		if a.overdrawn(p) || a.ample(p) && a.worse(p) {
			return true
		}
	}
	return false
}

// overdrawn reports whether the account is deep in debt at the level and has more
// running there than its rate allows.
func (a *account) overdrawn(p Level) bool { return a.value[p] < -threshold && a.spend[p] > a.Rate[p] }

// ample reports whether the account has much left at the level and less running
// there than its rate allows.
func (a *account) ample(p Level) bool { return a.value[p] > threshold && a.spend[p] < a.Rate[p] }

// worse reports whether the account runs anything at a level that is worse.
func (a *account) worse(than Level) bool {
	for level := than + 1; level <= Free; level++ {
		if len(a.runs[level]) > 0 {
			return true
		}
	}
	return false
}

// hungry reports whether the account would preempt if it could: it has jobs to run
// and quota for them, and nothing that runs at a worse level, which it had better
// promote.
func (s *Scheduler) hungry(a *account) bool {
	if s.cfg.NoPreemption || a.level == Free || a.ready == 0 || a.worse(a.level) {
		return false
	}
	return slices.ContainsFunc(a.parties, func(p *party) bool { return p.commands.n > 0 })
}

// huntOf is when a hungry account may try to preempt. When that was in vain and
// nothing new came, it is after a while.
func (s *Scheduler) huntOf(a *account) job.Time {
	if a.eager {
		return a.rested
	}
	return a.hunted.Add(s.cfg.Recheck)
}

// dueOf is when an account is to be assessed again though nothing happens to it; one
// that has nothing to run is not, unless somebody else may have started something.
func (s *Scheduler) dueOf(a *account) job.Time {
	if a.ready == 0 && a.running() == 0 && !s.cfg.Shared {
		return forever
	}
	due := s.now.Add(a.steady())
	if s.hungry(a) {
		due = min(due, max(s.huntOf(a), s.now.Add(1)))
	}
	return due
}

// steady is for how long the account's level stays, and what is done at its levels.
func (a *account) steady() time.Duration {
	least := math.Inf(1)
	for p, v := range a.value {
		limit, slope := a.Rate[p]*a.Window.Seconds(), a.Rate[p]-a.spend[p]
		switch {
		case v > limit && a.spend[p] > 0:
			return 1 // above the cap, it matters when the balance is reckoned
		case v >= limit:
			slope = min(slope, 0)
		}
		for _, at := range [...]float64{-threshold, 0, threshold} {
			if slope < 0 && v >= at || slope > 0 && v <= at && at < limit {
				least = min(least, (at-v)/slope)
			}
		}
	}
	if least > math.MaxInt32 {
		return math.MaxInt64 / 4
	}
	return max(1, time.Duration(least*float64(time.Second)))
}
