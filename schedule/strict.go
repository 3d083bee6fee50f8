package schedule

import "slices"

// passStrict serves from the front until the first job that does not fit now but
// could. It goes on where the last call stopped unless something changed.
func (s *Scheduler) passStrict() (more bool) {
	if !s.front || slices.ContainsFunc(s.parties, (*party).busy) {
		s.front = true
		for _, p := range s.parties {
			p.clear()
			p.front = &walker{order: &p.commands, bound: s.roomOf}
		}
	}
	for ; s.budget > 0; s.budget-- {
		if !s.turnLanes() {
			return true
		}
		p := s.foremost()
		if p == nil || !s.serveFront(p) {
			s.endStrict()
			return false
		}
	}
	return true
}

// endStrict ends a pass in strict mode.
func (s *Scheduler) endStrict() {
	for s.stage < Free {
		s.endLevel()
	}
	s.front, s.underway = false, false
}

// foremost is the party whose turn it is in strict mode.
func (s *Scheduler) foremost() *party {
	s.bids = s.bids[:0]
	for _, p := range s.parties {
		if p.front != nil && !p.account.barred() {
			s.bids = append(s.bids, bid{party: p, agenda: &agenda{{walk: p.front}}, level: p.account.level})
		}
	}
	return best(s.bids).party
}

// serveFront places the first job of the party; false if it has to wait, and
// everything with it.
func (s *Scheduler) serveFront(p *party) bool {
	o, _, ok := p.front.next(s)
	switch {
	case !ok:
		p.front = nil
	case !o.shape.suits() || !s.mayRun(o.shape):
		p.front.skip()
	case s.place(o):
		s.settle(o.shape)
	default:
		if o.last() {
			return false
		}
		p.front.skip()
	}
	return true
}
