package queue

import (
	"github.com/muster-queue/muster/job"
)

// OrderKind is what a worker is told to do.
type OrderKind uint8

// The orders.
const (
	// OrderStop: end the attempt's command and report.
	OrderStop OrderKind = iota + 1
	// OrderWithdraw: give a prefetched job back, if it has not started.
	OrderWithdraw
)

// Order is something a worker must be told. Orders may get lost on the way:
// Renewal.Mark and Held repeat them.
type Order struct {
	Kind   OrderKind
	Worker job.WorkerID
	Ref
	Mark job.Mark
}

// order tells the worker that holds a job to stop, once per mark.
func (s *State) order(slot uint32, r *rec, kind OrderKind, mark job.Mark) {
	r.mark = mark
	t := s.tries.at(r.try)
	s.turn.orders = append(s.turn.orders, Order{
		Kind: kind, Worker: s.workers.rows[t.worker].ID, Ref: Ref{r.seq, t.attempt()}, Mark: mark,
	})
	s.feedJob(FeedStopping, r)
	s.touch(slot, r)
}

// Cancel buries a waiting or lost job at once, for the reason cancelled (of a lost
// one it is a person's word that it is dead); a held one is marked and its worker
// told.
// Buried jobs stay as they are. It returns the state after. Error: job.ErrNoJob.
func (s *State) Cancel(seq job.Seq) (job.State, error) {
	slot, r := s.find(seq)
	if r == nil {
		return job.Absent, job.ErrNoJob
	}
	switch {
	case r.state == job.Buried:
	case r.state == job.Lost:
		t := s.tries.at(r.try)
		s.unhold(r, t)
		s.lost(r, t, job.OutcomeCancelled, job.ReasonCancelled)
		s.move(slot, r, job.Buried, CauseCancel)
	case r.state.Held():
		if r.mark != job.MarkCancelled {
			s.order(slot, r, OrderStop, job.MarkCancelled)
			s.event(r, r.state, r.state, CauseCancel)
		}
	default:
		s.bury(slot, r, job.ReasonCancelled, CauseCancel)
	}
	return r.state, nil
}

// Preempt marks a held attempt: when it ends, the job is ready at its old place.
// Errors: job.ErrNoJob; Conflict if it is not held, not preemptible, or stopping
// already.
func (s *State) Preempt(seq job.Seq) error {
	slot, r := s.find(seq)
	switch {
	case r == nil:
		return job.ErrNoJob
	case !r.state.Held() || r.flags&job.FlagNotPreemptible != 0:
		return job.Errorf(job.Conflict, "preempt job %d: it is %v, or not preemptible", seq, r.state)
	case r.mark != job.MarkNone && r.mark != job.MarkWithdrawn:
		return job.Errorf(job.Conflict, "preempt job %d: it is being stopped already (%v)", seq, r.mark)
	}
	s.order(slot, r, OrderStop, job.MarkPreempted)
	s.event(r, r.state, r.state, CausePreempt)
	return nil
}

// Withdraw asks a prefetched job back from its worker. Errors: job.ErrNoJob;
// Conflict if it is not prefetched any more, or stopping already.
func (s *State) Withdraw(seq job.Seq) error {
	slot, r := s.find(seq)
	switch {
	case r == nil:
		return job.ErrNoJob
	case r.flags&job.FlagPrefetched == 0 || r.mark != job.MarkNone:
		return job.Errorf(job.Conflict, "withdraw job %d: it is %v and not waiting at a worker", seq, r.state)
	}
	s.order(slot, r, OrderWithdraw, job.MarkWithdrawn)
	s.event(r, r.state, r.state, CauseWithdraw)
	return nil
}

// Delete removes a live job with all that is kept of it. Held ones are refused
// (Conflict) unless force, which revokes the lease: people see the job no more,
// reports on it are refused, but what it takes stays taken until its agent
// reports the end or its lease ends. Error: job.ErrNoJob.
func (s *State) Delete(seq job.Seq, force bool) error {
	return s.DeleteWith(seq, DeleteOptions{Force: force})
}

// DeleteWith is Delete with a choice of what becomes of jobs that wait for this one, or
// for a group that it is the last member of. Unless they go too, or are released, it is
// refused (Conflict with an ErrAwaited).
func (s *State) DeleteWith(seq job.Seq, o DeleteOptions) error {
	slot, r := s.find(seq)
	if r == nil {
		return job.ErrNoJob
	}
	if err := s.awaited(slot, r, &o); err != nil {
		return err
	}
	if r.state.Held() && !o.Force {
		return job.Errorf(job.Conflict, "delete job %d: it is %v; cancel it first, or delete it by force", seq, r.state)
	}
	check(r.seq, r.state, job.Absent, CauseDelete)
	s.release(slot, r, &o)
	s.erase(slot, r)
	return nil
}

// erase deletes a job whatever waits for it; one that an agent holds is a ghost until
// its lease has ended.
func (s *State) erase(slot uint32, r *rec) {
	s.event(r, r.state, job.Absent, CauseDelete)
	if r.state.Held() && s.workers.rows[s.tries.at(r.try).worker].Agent && !s.overdue(r) {
		s.count(r, -1)
		s.unlink(slot, r)
		s.unlose(r, s.tries.at(r.try))
		s.order(slot, r, OrderStop, job.MarkDeleted)
		return
	}
	switch {
	case r.state == job.Ready:
		s.feedJob(FeedRemove, r)
	case r.state.Held():
		s.unhold(r, s.tries.at(r.try))
	}
	s.count(r, -1)
	s.vanish(slot, r)
}

// vanish deletes a job that is counted no more.
func (s *State) vanish(slot uint32, r *rec) {
	s.turn.deleted = append(s.turn.deleted, r.seq)
	s.leave(slot, r)
}

// Kick makes a buried or delayed job ready and resets its budgets. A lost one of
// policy hold whose lease has ended is taken for dead and made ready. A ready one
// stays so. Errors: job.ErrNoJob; Conflict if it is held.
func (s *State) Kick(seq job.Seq) error {
	slot, r := s.find(seq)
	switch {
	case r == nil:
		return job.ErrNoJob
	case r.state == job.Ready:
		return nil
	case r.state == job.Lost && s.overdue(r):
		t := s.tries.at(r.try)
		s.unhold(r, t)
		s.lost(r, t, job.OutcomeLost, job.ReasonLost)
	case r.state == job.Lost:
		return job.Errorf(job.Conflict, "kick job %d: it is lost, but its lease has not ended; cancel it first if you know that it is dead", seq)
	case r.state.Held():
		return job.Errorf(job.Conflict, "kick job %d: it is %v", seq, r.state)
	case r.state == job.Blocked:
		return job.Errorf(job.Conflict, "kick job %d: it waits for other jobs; see what for, kick those that are buried, or change what it depends on", seq)
	}
	s.kick(slot, r)
	return nil
}

func (s *State) kick(slot uint32, r *rec) {
	s.resetBudgets(r)
	s.requeue(slot, r, 0, CauseKick)
}

// Bury buries a waiting job for a reason, as when no machine can ever run it.
// Errors: job.ErrNoJob; Conflict if it does not wait.
func (s *State) Bury(seq job.Seq, reason job.Reason) error {
	slot, r := s.find(seq)
	switch {
	case r == nil:
		return job.ErrNoJob
	case r.state != job.Ready && r.state != job.Delayed:
		return job.Errorf(job.Conflict, "bury job %d: it is %v", seq, r.state)
	}
	s.bury(slot, r, reason, CauseBury)
	return nil
}

func (s *State) bury(slot uint32, r *rec, reason job.Reason, c Cause) {
	s.undelay(r)
	r.reason = reason
	s.move(slot, r, job.Buried, c)
}
