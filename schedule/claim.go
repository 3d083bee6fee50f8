package schedule

// claim makes the held job wait for the end of another on the same worker.
func (h *hold) claim(victim *hold, it Item) {
	h.victim, h.item, h.price = victim, it, h.cost
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
// where they were when their worker takes nothing any more.
func (s *Scheduler) settleClaims() {
	for _, h := range s.ripe {
		if s.held[h.seq] != h || !h.ripe {
			continue
		}
		h.ripe = false
		if h.worker.takes() {
			s.placed = append(s.placed, Placement{Seq: h.seq, Shape: h.shape, Worker: h.worker.id, Level: h.level})
			h.ends = h.demand.ends(s.now)
			s.replan(h.worker)
		} else {
			s.giveBack(h)
		}
	}
	clear(s.ripe)
	s.ripe = s.ripe[:0]
}

// giveBack makes a job ready again that never got the place it claimed, and gives
// its account back what it had paid for it.
func (s *Scheduler) giveBack(h *hold) {
	s.Release(h.seq)
	if a := h.account; a.known {
		a.value, a.changed = a.value.Add(h.price), true
	}
	if s.shapes[h.shape] != nil {
		s.Push(h.shape, h.item)
	}
}

// drop ends a claim, of a job that is no longer ready for it; false if it has none.
func (s *Scheduler) drop(h *hold) bool {
	if h == nil || h.victim == nil && !h.ripe {
		return false
	}
	return s.Release(h.seq)
}
