package queue

import (
	"github.com/muster-queue/muster/job"
)

// Expire does what is due: delays that are over, leases that ended, agents that
// fell silent, workers and requests to forget. It does at most max things; more
// says that there is more to do now.
func (s *State) Expire(max int) (more bool) {
	s.endHeldTime()
	for ; max > 0; max-- {
		switch {
		case s.timers.n > 0 && s.timers.first().at <= s.now:
			s.fire(s.timers.first().ref)
		case s.wakeups.n > 0 && s.wakeups.first().at <= s.now:
			s.woken(s.wakeups.first().ref)
		case s.expireRequest():
		default:
			return false
		}
	}
	at, any := s.NextTimer()
	return any && at <= s.now
}

// endHeldTime forgets a HoldUntil that has passed.
func (s *State) endHeldTime() {
	if s.meta.HoldUntil != 0 && s.meta.HoldUntil <= s.now {
		s.meta.HoldUntil = 0
	}
}

// fire does what a job's timer asks for. A lease may have been extended since
// the timer was set; then it is set anew.
func (s *State) fire(try uint32) {
	t := s.tries.at(try)
	slot, r := t.job, s.recs.at(t.job)
	if r.state == job.Delayed {
		if s.blocked(slot, r) {
			s.block(slot, r)
			return
		}
		s.undelay(r)
		s.move(slot, r, job.Ready, CauseDue)
		return
	}
	if end := s.leaseEnd(s.workers.rows[t.worker], t); end > s.now {
		s.timers.set(t.timer, try, end)
		return
	}
	s.lapse(slot, r, t, CauseLeaseEnd)
}

// NextTimer is when Expire has something to do; false if never.
func (s *State) NextTimer() (job.Time, bool) {
	at, any := s.requests.next()
	for _, h := range []*timers{&s.timers, &s.wakeups} {
		if h.n > 0 && (!any || h.first().at < at) {
			at, any = h.first().at, true
		}
	}
	return at, any
}
