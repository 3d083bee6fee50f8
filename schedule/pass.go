package schedule

import "github.com/muster-queue/muster/job"

// Pass places ready commands on agents, in the order of service, until nothing
// more fits or about max units of work (a job placed, a shape tried, an agent
// looked at for a reservation) are done; then more is true and it wants to be
// called again. It looks only at what changed since the last pass. The slice is
// valid until the next call.
func (s *Scheduler) Pass(now job.Time, max int) (placed []Placement, more bool) {
	s.begin(now)
	s.budget, s.news = max, 0
	if s.cfg.Strict {
		more = s.passStrict()
		return s.placed, more
	}
	for {
		s.work()
		if s.budget <= 0 || !s.plan() {
			return s.placed, true
		}
		if len(s.agenda) == 0 {
			return s.placed, false
		}
	}
}

// begin starts a pass or a pull.
func (s *Scheduler) begin(now job.Time) {
	s.now = max(s.now, now)
	s.placed = s.placed[:0]
	s.dropGroups()
	s.reviseStarts()
}

// work serves the agenda.
func (s *Scheduler) work() {
	for s.budget > 0 && len(s.agenda) > 0 {
		if sh := s.candidate(s.agenda.pop()); sh != nil {
			s.serve(sh)
		}
	}
}

// candidate is the shape to try for a task, nil if the task is out of date or
// turned out to belong later.
func (s *Scheduler) candidate(t task) *shape {
	if t.walk != nil {
		return s.stroll(t)
	}
	sh := t.shape
	if !sh.queued || sh.at != t.at {
		return nil
	}
	if sh.items.len() > 0 && sh.rank() != t.at {
		s.requeue(sh)
		return nil
	}
	sh.queued = false
	return sh
}

// stroll takes a walk one step further.
func (s *Scheduler) stroll(t task) *shape {
	w := t.walk
	if w.done || w.at != t.at {
		return nil
	}
	s.budget--
	sh, r, ok := w.next(s)
	if !ok {
		s.finish(w)
		return nil
	}
	if s.agenda.next().less(r) {
		w.at = r
		s.agenda.push(task{at: r, walk: w})
		return nil
	}
	w.skip()
	w.at = r.after()
	s.agenda.push(task{at: w.at, walk: w})
	return sh
}

// finish ends a walk that has come to the end.
func (s *Scheduler) finish(w *walker) {
	w.done = true
	if w.worker != nil {
		s.stop(w.worker)
	}
	if w == s.all {
		s.all = nil
	}
}

// serve places jobs of a shape as long as it is its turn and they fit.
func (s *Scheduler) serve(sh *shape) {
	for {
		s.budget--
		if sh.items.len() == 0 {
			return
		}
		if !sh.lane.queue.open() || !s.place(sh) {
			s.refile(sh)
			return
		}
		if sh.items.len() > 0 && (s.budget <= 0 || s.agenda.next().less(sh.rank())) {
			s.requeue(sh)
			return
		}
	}
}

// place gives the first job of the shape to the best worker, if there is one.
func (s *Scheduler) place(sh *shape) bool {
	w, prefetched := s.choose(sh)
	if w == nil {
		return false
	}
	it := sh.items.pop()
	s.grant(sh, it, w, w.id, prefetched)
	return true
}

// grant accounts a job that was taken out of its shape for the worker.
func (s *Scheduler) grant(sh *shape, it Item, w *worker, id job.WorkerID, prefetched bool) {
	s.placed = append(s.placed, Placement{Seq: it.Seq, Shape: sh.id, Worker: id, Prefetched: prefetched})
	s.hold(sh, w, &Held{Seq: it.Seq, Shape: sh.id, Worker: id, Since: s.now, Prefetched: prefetched})
	sh.waiting = 0
	s.cancelReservation(sh)
	s.taken(sh, &it)
}

// choose finds the worker for the shape's first job: the one with the least free
// that it fits into; if there is none, the least loaded one that may be given
// jobs beyond what it has free.
func (s *Scheduler) choose(sh *shape) (w *worker, prefetched bool) {
	d, c := sh.demand, sh.lane.class
	need := d.from(s.now)
	best := s.chooseReserved(sh, need)
	if c.refuses(d) {
		return best, false
	}
	if w := firstFit(&c.free, rank{place: uint64(d.vol)}, &need, d, false); w != nil && (best == nil || w.key.less(best.key)) {
		best = w
	}
	if best != nil {
		return best, false
	}
	if w := firstFit(&c.spare, rank{}, &need, d, true); w != nil {
		return w, true
	}
	c.refuse(d)
	return nil, false
}

// chooseReserved finds the best worker among those with a reservation that does
// not hold back the shape.
func (s *Scheduler) chooseReserved(sh *shape, need vec) *worker {
	var best *worker
	need[colStart] = never
	for _, r := range s.reservations {
		w := r.worker
		if (best == nil || w.key.less(best.key)) && sh.outranks(r) && w.in(sh.lane.class) &&
			w.vec.covers(&need) && sh.demand.restFit(&w.free) {
			best = w
		}
	}
	return best
}

// firstFit is the first worker of an index that has what the demand needs, also
// of the resources without a column, free or (with whole) in all.
func firstFit(x *index[*worker], from rank, need *vec, d *demand, whole bool) *worker {
	var wanted func(*worker) bool
	if len(d.rest) > 0 {
		wanted = func(w *worker) bool {
			if whole {
				return d.restFit(&w.capacity)
			}
			return d.restFit(&w.free)
		}
	}
	_, w, _ := x.first(from, need, wanted)
	return w
}

// passStrict serves from the front until the first job that does not fit now but
// could. It goes on where the last call stopped unless something changed.
func (s *Scheduler) passStrict() (more bool) {
	if s.front == nil || len(s.agenda) > 0 {
		s.clearAgenda()
		s.front = &walker{order: &s.commands, bound: s.roomOf}
	}
	for ; s.budget > 0; s.budget-- {
		sh, _, ok := s.front.next(s)
		switch {
		case !ok:
			s.front = nil
			return false
		case !sh.suits():
			s.front.skip()
		case !s.place(sh):
			s.front = nil
			return false
		default:
			s.settle(sh)
		}
	}
	return true
}

// roomOf is the most that any agent of the lane's class has in all.
func (s *Scheduler) roomOf(l *lane, _ rank) (vec, bool) {
	c := s.anyone
	if l != nil {
		if c = l.class; !l.queue.open() {
			return vec{}, false
		}
	}
	return c.largest, c.free.n > 0
}
