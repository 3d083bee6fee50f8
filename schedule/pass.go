package schedule

import "github.com/muster-queue/muster/job"

// Pass places ready commands on agents, in the order of service, until nothing
// more fits or about max units of work (a job placed, a shape tried, an agent
// looked at for a reservation, a lane opened or closed) are done; then more is true and it wants to be
// called again. It looks only at what changed since the last pass. The slice is
// valid until the next call. What else it did tell Preemptions and Moves.
func (s *Scheduler) Pass(now job.Time, max int) (placed []Placement, more bool) {
	s.begin(now)
	s.budget = max
	if !s.arrive() || !s.turnLanes() {
		return s.placed, true
	}
	s.assess() // those who have jobs for agents that came
	s.open()
	if s.cfg.Strict {
		more = s.passStrict()
		return s.placed, more
	}
	for {
		s.work()
		if s.budget <= 0 || !s.plan() {
			return s.placed, true
		}
		if len(s.turning) == 0 && s.next().party == nil {
			s.underway = false
			return s.placed, false
		}
	}
}

// begin starts a call of Pass or Pull.
func (s *Scheduler) begin(now job.Time) {
	s.Advance(now)
	s.tick()
	s.placed, s.preempted, s.moves = s.placed[:0], s.preempted[:0], s.moves[:0]
	s.assess()
	s.dropGroups()
	s.reviseStarts()
}

// open begins a pass, unless one is under way.
func (s *Scheduler) open() {
	for _, p := range s.parties {
		p.news = 0
	}
	if s.underway {
		return
	}
	s.underway = true
	s.passes++
	s.stage = Free
	if s.fair {
		s.stage = 0
	}
	s.settleClaims()
}

// work serves the agendas, level by level.
func (s *Scheduler) work() {
	for s.budget > 0 && s.turnLanes() {
		b := s.next()
		switch {
		case s.stage < Free && (b.party == nil || b.level > s.stage):
			s.endLevel()
		case b.party == nil:
			return
		default:
			s.serveBid(b)
		}
	}
}

// serveBid serves a bid, and what the party has next as long as nothing is placed
// and its turn stays the same.
func (s *Scheduler) serveBid(b bid) {
	placed := len(s.placed)
	for {
		s.try(b.party, b.agenda)
		next, ok := b.party.bid()
		if !ok || s.budget <= 0 || len(s.placed) > placed || next != b || len(b.party.account.parties) > 1 {
			return
		}
	}
}

// try serves the next task of an agenda.
func (s *Scheduler) try(p *party, a *agenda) {
	o := s.candidate(p, a, a.pop())
	if o == nil {
		return
	}
	if a != &p.spill && o.shape.items.len() > 0 && s.throttled(o.shape) {
		s.budget--
		if s.refile(o); !p.account.NoFree {
			p.spill.queue(o)
		}
		return
	}
	s.serve(o, a)
}

// candidate is the offer to try for a task, nil if the task is out of date or
// turned out to belong later.
func (s *Scheduler) candidate(p *party, a *agenda, t task) *offer {
	if t.walk != nil {
		return s.stroll(p, a, t)
	}
	o := t.offer
	if !o.queued || o.at != t.at {
		return nil
	}
	if o.shape.items.len() > 0 && o.rank() != t.at {
		a.queue(o)
		return nil
	}
	o.queued = false
	return o
}

// stroll takes a walk one step further.
func (s *Scheduler) stroll(p *party, a *agenda, t task) *offer {
	w := t.walk
	if w.done || w.at != t.at {
		return nil
	}
	s.budget--
	o, r, ok := w.next(s)
	if !ok {
		p.finish(w)
		return nil
	}
	if a.next().less(r) || len(s.parties) > 1 && (r.queue != t.at.queue || r.sweep() != t.at.sweep()) {
		w.at = r
		a.push(task{at: r, walk: w})
		return nil
	}
	w.skip()
	w.at = r.after()
	a.push(task{at: w.at, walk: w})
	return o
}

// finish ends a walk that has come to the end.
func (p *party) finish(w *walker) {
	w.done = true
	if w.worker != nil && p.walks[w.worker] == w {
		delete(p.walks, w.worker)
	}
	if w == p.all {
		p.all = nil
	}
}

// serve places jobs of an offer as long as it is its turn and they fit.
func (s *Scheduler) serve(o *offer, a *agenda) {
	sh := o.shape
	for {
		s.budget--
		if sh.items.len() == 0 {
			return
		}
		if !sh.lane.open() || !s.place(o) {
			s.refile(o)
			return
		}
		if sh.items.len() > 0 && (s.budget <= 0 || s.fair || len(s.parties) > 1 || a.next().less(o.rank())) {
			a.queue(o)
			return
		}
	}
}

// place gives the first job of the shape to the best worker, if there is one.
func (s *Scheduler) place(o *offer) bool {
	w, prefetched := s.choose(o)
	if w == nil {
		return false
	}
	it := o.shape.items.pop()
	s.grant(o.shape, it, w, w.id, prefetched)
	return true
}

// grant accounts a job that was taken out of its shape for the worker.
func (s *Scheduler) grant(sh *shape, it Item, w *worker, id job.WorkerID, prefetched bool) {
	level := s.levelOf(sh)
	s.placed = append(s.placed, Placement{Seq: it.Seq, Shape: sh.id, Worker: id, Prefetched: prefetched, Level: level})
	h := s.hold(sh, w, &Held{Seq: it.Seq, Shape: sh.id, Worker: id, Since: s.now, Prefetched: prefetched})
	h.untold = true
	s.useRates(h.limits)
	s.pay(h, level, Balance{})
	s.served(sh)
	sh.waiting = 0
	s.cancelReservation(sh)
	s.taken(sh, &it)
}

// served notes whose turn it was.
func (s *Scheduler) served(sh *shape) {
	s.serves++
	sh.lane.account.served = s.serves
	if sh.lane.party.queue != nil {
		sh.lane.queue.served = s.serves
	}
}

// choose finds the worker for the shape's first job: the one with the least free
// that it fits into; if there is none, the least loaded one that may be given
// jobs beyond what it has free, but only in the last sweep: to wait on a worker it
// prefers is worse for a job than to run on another.
func (s *Scheduler) choose(o *offer) (w *worker, prefetched bool) {
	d, c := o.shape.demand, o.lane.class
	need := d.from(s.now)
	best := s.chooseReserved(o, need)
	if c.refuses(d) {
		return best, false
	}
	full := o.lane.account.full()
	if w := firstFit(&c.free, rank{place: uint64(d.vol)}, &need, d, fit{not: full}); w != nil && (best == nil || w.key.less(best.key)) {
		best = w
	}
	if best != nil {
		return best, false
	}
	beyond := fit{whole: true, not: full}
	w = firstFit(&c.spare, rank{}, &need, d, beyond)
	switch {
	case w == nil && full == nil:
		c.refuse(d)
	case w == nil || !o.last() || o.lane.limits.timed():
		return nil, false // a rate or window is for when it starts, and it would later
	case len(o.shape.offers) > 1:
		if better := firstFit(&o.shape.offers[0].lane.class.spare, rank{}, &need, d, beyond); better != nil {
			w = better
		}
	}
	return w, w != nil
}

// chooseReserved finds the best worker among those with a reservation that does
// not hold back the shape.
func (s *Scheduler) chooseReserved(o *offer, need vec) *worker {
	var best *worker
	need[colStart] = never
	for _, r := range s.reservations {
		w := r.worker
		if (best == nil || w.key.less(best.key)) && o.shape.outranks(r) && w.in(o.lane.class) &&
			w.vec.covers(&need) && o.shape.demand.restFit(&w.free) && !o.lane.account.atLimit(w) {
			best = w
		}
	}
	return best
}

// fit is how firstFit looks at workers: at what they have in all instead of what
// is free, and passing over those that are not wanted.
type fit struct {
	whole bool
	not   func(*worker) bool
}

// firstFit is the first worker of an index that has what the demand needs, also
// of the resources without a column.
func firstFit(x *index[*worker], from rank, need *vec, d *demand, f fit) *worker {
	var wanted func(*worker) bool
	if len(d.rest) > 0 || f.not != nil {
		wanted = func(w *worker) bool {
			room := &w.free
			if f.whole {
				room = &w.capacity
			}
			return d.restFit(room) && (f.not == nil || !f.not(w))
		}
	}
	_, w, _ := x.first(from, need, wanted)
	return w
}

// roomOf is the most that any agent of the lane's class has in all.
func (s *Scheduler) roomOf(l *lane, _ rank) (vec, bool) {
	c := s.anyone
	if l != nil {
		if c = l.class; !l.open() {
			return vec{}, false
		}
	}
	return c.largest, c.free.n > 0
}
