package dispatch

import (
	"time"

	"github.com/muster-queue/muster/schedule"
)

// IdleWorkers is how many workers run nothing.
func (s *Scheduler) IdleWorkers() int { return len(s.workers) - s.RunningRequests() }

// Accounts is how many accounts there are.
func (s *Scheduler) Accounts() (n int) {
	for _, p := range s.payers {
		if p.config != nil {
			n++
		}
	}
	return n
}

// AccountConfig is a copy of an account's settings; false if there is no such
// account.
func (s *Scheduler) AccountConfig(id AccountID) (*AccountConfig, bool) {
	p := s.payers[id]
	if p == nil || p.config == nil {
		return nil, false
	}
	return p.config.clone(), true
}

// Balance is what an account has; nothing if there is no such account.
func (s *Scheduler) Balance(id AccountID) Balance { return s.reckoned()[id] }

// Use is what an account has running and queued.
func (s *Scheduler) Use(id AccountID) schedule.Use { return s.core.Use(string(id)) }

// Confirmed visits all requests with the time of the latest news of them, in no
// order.
func (s *Scheduler) Confirmed(visit func(id RequestID, at time.Time, running bool)) {
	for id, r := range s.requests {
		visit(id, r.confirmed, r.worker != nil)
	}
}

// ConfirmedWorkers visits all workers with the times of the latest news of them and of
// what they run, empty if they are idle; in no order.
func (s *Scheduler) ConfirmedWorkers(visit func(id WorkerID, at time.Time, running RequestID, runningAt time.Time)) {
	for id, w := range s.workers {
		if w.run == nil {
			visit(id, w.confirmed, "", time.Time{})
		} else {
			visit(id, w.confirmed, w.run.id, w.run.confirmed)
		}
	}
}

// Unacknowledged is how many workers have a decision that is not acknowledged.
func (r *Reconciler) Unacknowledged() int { return len(r.queues) }

// TaskErrors is how many tasks something is wrong with.
func (r *Reconciler) TaskErrors() int { return len(r.errors) }
