package schedule

import (
	"slices"

	"github.com/muster-queue/muster/job"
)

// claim makes the held job wait for the end of another on the same worker; price is
// what it has paid for the place.
func (h *hold) claim(victim *hold, it Item, price Balance) {
	h.victim, h.item, h.price = victim, it, price
	victim.claimant = h
}

// unclaim ends a claim, whether it came to something or not.
func (h *hold) unclaim() {
	if h.victim != nil {
		h.victim.claimant = nil
		h.victim = nil
	}
}

// settleClaims places the jobs whose victims have ended, or lets them go back to
// where they were when their worker takes nothing any more, or their queue or limits
// give nothing out.
func (s *Scheduler) settleClaims() {
	for _, h := range s.ripe {
		if s.held[h.seq] != h || !h.ripe {
			continue
		}
		h.ripe = false
		if h.worker.takes() && !h.queue.Paused && h.limits.inHours(s.now) {
			h.given = true
			s.placed = append(s.placed, Placement{Seq: h.seq, Shape: h.of.id, Worker: h.worker.id, Level: h.level})
			h.ends = h.demand.ends(s.now)
			s.replan(h.worker)
		} else {
			s.giveBack(h)
		}
	}
	clear(s.ripe)
	s.ripe = s.ripe[:0]
}

// GiveBack ends what a Preemption promised to a job, or the placement that came of
// it: the job is ready again at its old place, and its account has back what it had
// paid for the other's. False if it was promised nothing, or has got it.
func (s *Scheduler) GiveBack(seq job.Seq) bool {
	h := s.held[seq]
	if h == nil || h.victim == nil && !h.ripe && !h.given {
		return false
	}
	s.giveBack(h)
	return true
}

// giveBackAll gives back what is promised on a worker that goes.
func (s *Scheduler) giveBackAll(w *worker) {
	for _, h := range slices.Clone(w.holds) {
		if h.victim != nil || h.ripe {
			s.giveBack(h)
		}
	}
}

// giveBack makes a job ready again that never got the place it claimed, and gives
// its account back what it had paid for it.
func (s *Scheduler) giveBack(h *hold) {
	s.Release(h.seq)
	if a := h.account; a.known {
		s.settleAccount(a)
		a.value = a.value.Add(h.price)
		s.touch(a)
	}
	if s.shapes[h.of.id] != nil {
		s.Push(h.of.id, h.item)
	}
}

// drop ends a claim, of a job that is no longer ready for it; false if it has none.
// What it has paid stays paid: the other was stopped for it.
func (s *Scheduler) drop(h *hold) bool {
	if h == nil || h.victim == nil && !h.ripe {
		return false
	}
	return s.Release(h.seq)
}

// Stopping tells that a run is being stopped: it is no victim from now on. One that
// was preempted costs nothing either.
func (s *Scheduler) Stopping(seq job.Seq, preempted bool) {
	h := s.held[seq]
	if h == nil {
		return
	}
	h.fixed = true
	if preempted {
		s.uncharge(h)
		h.stopped = true
	}
}
