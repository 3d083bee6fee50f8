package schedule

import (
	"cmp"
	"slices"

	"github.com/muster-queue/muster/job"
)

// maxHeadsSeen bounds the search for heads among shapes that look possible but
// are too large for every single agent.
const maxHeadsSeen = 64

// reservation keeps a worker for the first job of a shape: of what comes behind
// it, only jobs that end before start go there.
type reservation struct {
	shape  *shape
	worker *worker
	start  job.Time // zero: not known, so nothing ends before it
	made   job.Time
	stale  bool // what the worker holds changed
}

// search looks for the worker on which a head can start soonest, some workers
// at a time.
type search struct {
	shape *shape
	pos   int // in Scheduler.agents
	best  prospect
}

// without goes on without an agent that stood at i: from the start if it was the
// best one yet.
func (se *search) without(w *worker, i int) {
	switch {
	case se.best.worker == w:
		se.pos, se.best = 0, prospect{}
	case i < se.pos:
		se.pos--
	}
}

// prospect is what a worker promises a head.
type prospect struct {
	worker  *worker
	known   bool
	start   job.Time
	missing int64 // size of what must become free, if the start is not known
}

// better reports whether p is to be preferred.
func (p *prospect) better(o *prospect) bool {
	if o.worker == nil || p.known != o.known {
		return o.worker == nil || p.known
	}
	if c := cmp.Or(cmp.Compare(p.start, o.start), cmp.Compare(p.missing, o.missing)); c != 0 {
		return c < 0
	}
	return p.worker.id < o.worker.id
}

// cancelReservation ends the reservation for a shape, if it has one.
func (s *Scheduler) cancelReservation(sh *shape) {
	r := sh.reserved
	if s.search != nil && s.search.shape == sh {
		s.search = nil
	}
	if r == nil {
		return
	}
	sh.reserved, r.worker.reserved = nil, nil
	s.reservations = slices.DeleteFunc(s.reservations, func(o *reservation) bool { return o == r })
	s.refileWorker(r.worker)
	s.wake(r.worker)
}

// replan notes that what the worker holds changed.
func (s *Scheduler) replan(w *worker) {
	if w.reserved != nil {
		w.reserved.stale = true
	}
}

// reviseStarts brings the planned starts up to date.
func (s *Scheduler) reviseStarts() {
	for _, r := range s.reservations {
		if !r.stale {
			continue
		}
		r.stale = false
		was := r.start
		r.start = s.prospect(r.worker, r.shape.demand).plannedStart()
		if r.start != was {
			s.refileWorker(r.worker)
		}
		if r.start > was {
			s.wake(r.worker)
		}
	}
}

func (p prospect) plannedStart() job.Time {
	if !p.known {
		return 0
	}
	return p.start
}

// plan keeps reservations for the heads, the first shapes in the order of service
// that could run on some agent, when they have waited long enough. It reports whether it came to the end.
func (s *Scheduler) plan() (done bool) {
	s.reviseStarts()
	s.review()
	for s.budget > 0 {
		if s.search == nil {
			sh := s.due()
			if sh == nil {
				return true
			}
			s.search = &search{shape: sh}
		}
		s.goOn()
	}
	return false
}

// review ends reservations whose head cannot use them at present.
func (s *Scheduler) review() {
	for i := len(s.reservations) - 1; i >= 0; i-- {
		if sh := s.reservations[i].shape; !sh.lane.open() || !sh.suits() {
			s.cancelReservation(sh)
		}
	}
}

// due is a head to look for a worker for: one that has waited long enough, or
// whose reservation is so old that another worker may be the better one by now.
func (s *Scheduler) due() *shape {
	s.nextWake = 0
	for _, r := range s.reservations {
		if !s.wait(r.made) {
			return r.shape
		}
	}
	for _, sh := range s.heads() {
		if sh.waiting == 0 {
			sh.waiting = s.now
		}
		if sh.reserved == nil && len(s.reservations) < s.maxReservations() && !s.wait(sh.waiting) {
			return sh
		}
	}
	return nil
}

// wait reports whether less than HeadWait has passed since then, and sees to a
// pass when it has.
func (s *Scheduler) wait(since job.Time) bool {
	t := since.Add(s.cfg.HeadWait)
	if s.now >= t {
		return false
	}
	if s.nextWake == 0 || t < s.nextWake {
		s.nextWake = t
	}
	return true
}

// NextWake is when a pass is needed though nothing happens: when a head will have
// waited long enough. It is known after a pass that had nothing more to do.
//
// Where accounts share, quota changes with time: then it is also when an account
// that has anything waiting or running comes to another level, or may try again to
// preempt, but not before Recheck.
//
// With limits that time opens, it is when one of these does for jobs that wait.
func (s *Scheduler) NextWake(now job.Time) (job.Time, bool) {
	wake := s.nextWake
	if t := max(s.nextAssess, s.now.Add(s.cfg.Recheck)); s.fair && s.nextAssess != forever && (wake == 0 || t < wake) {
		wake = t
	}
	if t, ok := s.NextOpening(); ok && (wake == 0 || t < wake) {
		wake = t
	}
	return max(wake, now), wake != 0
}

// maxReservations is how many workers may be reserved at present.
func (s *Scheduler) maxReservations() int {
	if len(s.agents) == 0 {
		return 0
	}
	return min(s.cfg.MaxReservations, max(1, int(s.cfg.ReservedShare*float64(len(s.agents)))))
}

// heads are the first shapes in the order of service that some agent is large
// enough for, as many as there may be reservations: of each account in turn one.
func (s *Scheduler) heads() []*shape {
	s.headList = s.headList[:0]
	if s.cfg.MaxReservations <= 0 || s.ready == 0 {
		return nil
	}
	parties := s.partiesInTurn()
	var walks []*walker
	for seen := 0; seen < maxHeadsSeen && len(s.headList) < s.cfg.MaxReservations; seen++ {
		var w *walker
		switch {
		case len(parties) > 0:
			w = &walker{order: &parties[0].commands, bound: s.roomOf}
			parties = parties[1:]
		case len(walks) > 0:
			w = walks[0]
			walks = walks[1:]
		default:
			return s.headList
		}
		o, _, ok := w.next(s)
		if !ok {
			continue
		}
		w.skip()
		if walks = append(walks, w); o.shape.suits() && s.mayRun(o.shape) && !slices.Contains(s.headList, o.shape) {
			s.headList = append(s.headList, o.shape)
		}
	}
	return s.headList
}

// goOn continues the search and makes the reservation at its end.
func (s *Scheduler) goOn() {
	se := s.search
	for ; se.pos < len(s.agents); se.pos++ {
		if s.budget <= 0 {
			return
		}
		s.budget--
		w := s.agents[se.pos]
		if w.reserved != nil && w.reserved.shape != se.shape || !w.in(se.shape.class) || !se.shape.demand.fit(&w.capacity) {
			continue
		}
		s.budget -= len(w.holds) / 8
		if p := s.prospect(w, se.shape.demand); p.worker != nil && p.better(&se.best) {
			se.best = p
		}
	}
	s.search = nil
	s.reserve(se.shape, se.best)
}

// reserve keeps the worker for the shape, or tries again later if there is none.
func (s *Scheduler) reserve(sh *shape, p prospect) {
	if r := sh.reserved; r != nil && r.worker == p.worker {
		r.made = s.now
		return
	}
	s.cancelReservation(sh)
	if p.worker == nil {
		sh.waiting = s.now
		return
	}
	r := &reservation{shape: sh, worker: p.worker, start: p.plannedStart(), made: s.now}
	sh.reserved, p.worker.reserved = r, r
	s.reservations = append(s.reservations, r)
	s.refileWorker(p.worker)
}

// prospect tells when the demand could start on a worker, going by the time
// bounds of what runs there. No worker in it: not before its alloc ends.
func (s *Scheduler) prospect(w *worker, d *demand) prospect {
	free := w.free.clone()
	p := prospect{worker: w, known: true, start: s.now}
	if !d.fit(&free) {
		p.known, p.start = s.drain(w, d, &free)
	}
	if !p.known {
		p.start, p.missing = 0, missing(d, &w.free)
	} else if d.time > 0 && w.until != 0 && p.start.Add(d.time) > w.until {
		return prospect{}
	}
	return p
}

// drain adds to free what the held attempts give back, the first to end first,
// until the demand fits.
func (s *Scheduler) drain(w *worker, d *demand, free *amounts) (known bool, start job.Time) {
	ending := s.ending[:0]
	for _, o := range w.holds {
		if o.ends != 0 {
			ending = append(ending, o)
		}
	}
	s.ending = ending
	slices.SortFunc(ending, func(a, b *hold) int {
		return cmp.Or(cmp.Compare(a.ends, b.ends), cmp.Compare(a.seq, b.seq))
	})
	for _, o := range ending {
		free.add(&o.demand.amounts, 1)
		if d.fit(free) {
			return true, max(o.ends, s.now)
		}
	}
	return false, 0
}

// missing is the size of what the demand lacks.
func missing(d *demand, free *amounts) int64 {
	lack := amounts{}
	for i, v := range d.col {
		if v > 0 {
			lack.col[i] = max(0, v-free.col[i])
		}
	}
	for _, x := range d.rest {
		lack.rest = append(lack.rest, amount{x.name, max(0, x.v-free.get(x.name))})
	}
	return lack.size()
}
