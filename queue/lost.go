package queue

import (
	"time"

	"github.com/muster-queue/muster/job"
)

// deadline is when the attempt's lease ends, in engine time. What an agent holds
// lives as long as its agent is heard; pulled attempts have a deadline each.
func (s *State) deadline(w *worker, t *try) job.Time {
	if w.Agent {
		return max(w.heard.Add(t.lease+s.deaf), w.hold)
	}
	return t.deadline.Add(s.deaf)
}

// leaseEnd is when the job may be granted again: the margin covers the error of
// clocks. Pulled work has none.
func (s *State) leaseEnd(w *worker, t *try) job.Time {
	d := s.deadline(w, t)
	if w.Agent {
		d = d.Add(margin(t.lease))
	}
	return d
}

// Latest is when the attempt that holds a job is over at the latest, should its
// worker never be heard again; zero if nobody holds it.
func (s *State) Latest(seq job.Seq) job.Time {
	_, r := s.find(seq)
	if r == nil || !r.state.Held() {
		return 0
	}
	t := s.tries.at(r.try)
	return s.leaseEnd(s.workers.rows[t.worker], t)
}

func margin(lease time.Duration) time.Duration { return max(2*time.Second, lease/100) }

// overdue reports whether a held attempt's lease has ended.
func (s *State) overdue(r *rec) bool {
	t := s.tries.at(r.try)
	return s.leaseEnd(s.workers.rows[t.worker], t) <= s.now
}

// arm gives a pulled attempt a lease from now. For an agent's, its silence must
// be noticed in time.
func (s *State) arm(try uint32, t *try, ws uint32, w *worker) {
	if w.Agent {
		w.noteLease(t.lease, s.cfg.Silence)
		s.wake(ws, w)
		return
	}
	t.deadline = s.clock().Add(t.lease)
	end := s.leaseEnd(w, t)
	if t.timer == 0 || end < s.timers.slot(t.timer-1).at {
		s.timers.set(t.timer, try, end) // a later end is noticed when the timer fires
	}
}

// hold gives an attempt that was just granted to its worker.
func (s *State) hold(try uint32, t *try, ws uint32, w *worker) {
	s.link(try, t)
	s.arm(try, t, ws, w)
}

// link puts a try first into its worker's list.
func (s *State) link(try uint32, t *try) {
	w := s.workers.rows[t.worker]
	t.held, t.prev, t.next = true, 0, w.first
	if w.first != 0 {
		s.tries.at(w.first).prev = try
	}
	w.first = try
	w.held++
}

// unhold ends the hold of a job's attempt: lease, timers and mark are gone, the
// scheduler is told. The caller moves the job on.
func (s *State) unhold(r *rec, t *try) {
	s.feedJob(FeedRelease, r)
	s.unlose(r, t)
	s.timers.remove(t.timer)
	s.ends.remove(t.end)
	w := s.workers.rows[t.worker]
	if t.prev != 0 {
		s.tries.at(t.prev).next = t.next
	} else {
		w.first = t.next
	}
	if t.next != 0 {
		s.tries.at(t.next).prev = t.prev
	}
	t.held, t.next, t.prev = false, 0, 0
	if w.held--; w.held == 0 {
		w.quiet = 0
		s.wake(t.worker, w)
	}
	r.mark = job.MarkNone
	r.flags &^= job.FlagPrefetched
}

// unlose: the job is not lost any more, as far as its worker's count goes, which
// has no ghosts in it.
func (s *State) unlose(r *rec, t *try) {
	if r.state == job.Lost && !r.ghost() {
		s.workers.rows[t.worker].lost--
	}
}

// lost records how an attempt ended that its worker never reported on.
func (s *State) lost(r *rec, t *try, o job.Outcome, reason job.Reason) {
	t.outcome, r.reason, t.exit = o, reason, -1
	s.record(r, t, &End{Result: job.Result{Reason: reason, ExitCode: -1}})
}

// lapse ends a held attempt without a report: its lease ended, or its processes
// are known to have ended.
func (s *State) lapse(slot uint32, r *rec, t *try, c Cause) {
	mark, prefetched := r.mark, r.flags&job.FlagPrefetched != 0
	if mark == job.MarkDeleted {
		s.unhold(r, t)
		s.vanish(slot, r)
		return
	}
	if r.flags&job.FlagHold != 0 && c == CauseLeaseEnd && s.workers.rows[t.worker].Agent &&
		mark != job.MarkCancelled && mark != job.MarkRevoked {
		s.linger(slot, r, t)
		return
	}
	s.unhold(r, t)
	t.due = 0
	switch mark {
	case job.MarkCancelled:
		s.lost(r, t, job.OutcomeCancelled, job.ReasonCancelled)
		s.move(slot, r, job.Buried, c)
	case job.MarkPreempted, job.MarkWithdrawn:
		s.lost(r, t, job.OutcomeLost, job.ReasonPreempted)
		s.move(slot, r, s.line(slot, r, 0), c)
	case job.MarkRevoked:
		s.lost(r, t, job.OutcomeRevoked, job.ReasonNone)
		s.move(slot, r, s.line(slot, r, 0), c)
	default:
		s.lost(r, t, job.OutcomeLost, job.ReasonLost)
		s.charge(slot, r, t, c, prefetched)
	}
}

// linger: policy hold keeps the job from being granted without a person's word.
func (s *State) linger(slot uint32, r *rec, t *try) {
	s.timers.remove(t.timer)
	if r.state != job.Lost {
		s.workers.rows[t.worker].lost++
		s.move(slot, r, job.Lost, CauseLeaseEnd)
	}
}

// charge counts a loss and decides whether the job may run again. One that only
// waited at its worker is not charged.
func (s *State) charge(slot uint32, r *rec, t *try, c Cause, prefetched bool) {
	if !prefetched {
		t.losses++
	}
	tooOften := !s.unit(r) && int64(t.losses) > s.losses(r)
	held := r.flags&job.FlagHold != 0 && c == CauseSuperseded
	if tooOften || held {
		s.move(slot, r, job.Buried, c)
	} else {
		s.move(slot, r, s.line(slot, r, 0), c)
	}
}

func (s *State) losses(r *rec) int64 {
	if q := &s.shapes.rows[r.shape].queue.Def; q.Losses != nil {
		return int64(*q.Losses)
	}
	return int64(*s.cfg.Losses)
}

// fall: the agent is silent for too long: its running jobs are shown lost, and
// each gets a timer for the end of its lease.
func (s *State) fall(w *worker) {
	w.silent = true
	s.feed(Feed{Op: FeedSilent, Worker: w.ID})
	for i := w.first; i != 0; {
		t := s.tries.at(i)
		r := s.recs.at(t.job)
		if r.state == job.Running && !r.ghost() {
			w.lost++
			s.move(t.job, r, job.Lost, CauseSilence)
		}
		s.timers.set(t.timer, i, s.leaseEnd(w, t))
		i = t.next
	}
}

// rise: the agent is heard again: what it was thought to have lost goes on.
func (s *State) rise(slot uint32, w *worker) {
	if w.silent {
		s.feed(Feed{Op: FeedSilent, Worker: w.ID})
	}
	w.silent, w.lost = false, 0
	for i := w.first; i != 0; {
		t := s.tries.at(i)
		r := s.recs.at(t.job)
		s.timers.remove(t.timer)
		switch {
		case r.state != job.Lost || r.ghost():
		case t.started == 0:
			s.move(t.job, r, job.Reserved, CauseHeard)
		default:
			s.move(t.job, r, job.Running, CauseHeard)
		}
		i = t.next
	}
	s.wake(slot, w)
}

// signOfLife: whoever speaks of an attempt is alive. That renews the leases of a
// puller's attempts no more than it says, and of an agent's not at all, unless it
// was taken for silent.
func (s *State) signOfLife(t *try) {
	if w := s.workers.rows[t.worker]; !w.Agent || w.silent || w.lost > 0 {
		s.hear(t.worker, w)
	}
}
