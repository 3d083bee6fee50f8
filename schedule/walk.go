package schedule

import "iter"

// stride is how many hopeless shapes a walk passes over as one unit of work.
const stride = 32

// walker visits shapes with ready jobs in the order of service: lanes are opened
// when the order comes to their first job, and merged. It meets only shapes whose
// need is within bound. It can be kept while everything around it changes: it
// only remembers positions.
type walker struct {
	at     rank    // of its task on the agenda
	worker *worker // the worker it is for, if it is for one
	done   bool

	order  *index[*lane] // where lanes are found; nil: only those opened at the start
	ahead  rank          // lanes from here on are not open yet
	coming rank          // none of them begins before this
	open   []station     // a heap
	opened map[*lane]struct{}
	// bound is the most a job of the lane may need, false to leave the lane out;
	// for a nil lane, the most that any job may need. Positions before from do
	// not matter any more.
	bound func(l *lane, from rank) (vec, bool)
	// suits, if not nil, says which lanes to open at all.
	suits func(*lane) bool
	// wanted, if not nil, says which shapes to stop at.
	wanted func(*offer) bool
}

// station is where a walk stands in a lane.
type station struct {
	at   rank
	lane *lane
}

// next gives the next offer and its position, without going beyond it.
func (w *walker) next(s *Scheduler) (*offer, rank, bool) {
	for {
		w.openLanes(s)
		if len(w.open) == 0 {
			return nil, rank{}, false
		}
		top := &w.open[0]
		o, r, ok := w.in(s, top)
		if !ok {
			w.close()
			continue
		}
		if top.at == r {
			return o, r, true
		}
		top.at = r
		w.sink()
	}
}

// skip goes beyond the shape that next gave.
func (w *walker) skip() {
	w.open[0].at = w.open[0].at.after()
	w.sink()
}

// openLanes opens the lanes whose first job comes before all that are open.
func (w *walker) openLanes(s *Scheduler) {
	if w.order == nil || len(w.open) > 0 && w.open[0].at.less(w.coming) {
		return
	}
	for {
		bound, ok := w.bound(nil, w.ahead)
		if !ok {
			w.order = nil
			return
		}
		q := bound.negated()
		r, l, ok := w.order.first(w.ahead, &q, w.suits)
		if !ok {
			w.order = nil
			return
		}
		w.coming = r
		if len(w.open) > 0 && w.open[0].at.less(r) {
			return
		}
		if l.key.less(l.file(l.shapes.head())) {
			s.refresh(l)
			continue
		}
		w.ahead = r.after()
		if _, again := w.opened[l]; again {
			continue
		}
		if w.opened == nil {
			w.opened = map[*lane]struct{}{}
		}
		w.opened[l] = struct{}{}
		r.owner = 0
		w.enter(l, r)
	}
}

// in finds the first shape of a lane from the station on.
func (w *walker) in(s *Scheduler, st *station) (*offer, rank, bool) {
	l := st.lane
	from, ok := l.from(st.at)
	if !ok || l.shapes.n == 0 {
		return nil, rank{}, false
	}
	bound, ok := w.bound(l, st.at)
	if !ok {
		return nil, rank{}, false
	}
	q := bound.negated()
	for {
		r, o, ok := l.shapes.first(from, &q, w.wanted)
		if !ok {
			return nil, rank{}, false
		}
		if !o.stale || o.head() == r {
			return o, r.in(l), true
		}
		s.budget--
		s.refile(o)
	}
}

// enter adds a lane at a position.
func (w *walker) enter(l *lane, at rank) {
	w.open = append(w.open, station{at, l})
	i := len(w.open) - 1
	for i > 0 && w.open[i].at.less(w.open[(i-1)/2].at) {
		w.open[i], w.open[(i-1)/2] = w.open[(i-1)/2], w.open[i]
		i = (i - 1) / 2
	}
}

// close leaves the lane in front for good.
func (w *walker) close() {
	last := len(w.open) - 1
	w.open[0] = w.open[last]
	w.open[last] = station{}
	w.open = w.open[:last]
	w.sink()
}

// sink restores the heap after the lane in front moved on.
func (w *walker) sink() {
	h := w.open
	for i := 0; ; {
		down := 2*i + 1
		if down >= len(h) {
			return
		}
		if down+1 < len(h) && h[down+1].at.less(h[down].at) {
			down++
		}
		if !h[down].at.less(h[i].at) {
			return
		}
		h[i], h[down] = h[down], h[i]
		i = down
	}
}

// inOrder are the offers to any worker of a party's commands, or data, in the
// order of service.
func (s *Scheduler) inOrder(p *party, command bool) iter.Seq2[*offer, rank] {
	orders := []*index[*lane]{&p.data}
	if command {
		orders = []*index[*lane]{&p.commands, &p.stranded}
	}
	return func(yield func(*offer, rank) bool) {
		var merged agenda
		for _, order := range orders {
			merged.push(task{walk: &walker{order: order, bound: openLanes, wanted: (*offer).last}})
		}
		for len(merged) > 0 {
			w := merged.pop().walk
			o, r, ok := w.next(s)
			switch {
			case !ok:
				continue
			case !merged.next().less(r):
				if !yield(o, r) {
					return
				}
				w.skip()
			}
			merged.push(task{at: r, walk: w})
		}
	}
}

// walkAll is a walk over all commands of a party that may fit on any agent.
func (s *Scheduler) walkAll(p *party) *walker {
	return &walker{order: &p.commands, wanted: s.untried(), bound: s.reachOfAll(p)}
}

// untried says which shapes a pass stops at: not those that are on the agenda
// themselves, and of those known to fit nowhere only one in a while, to keep the
// account of work.
func (s *Scheduler) untried() func(*offer) bool {
	passed := 0
	return func(o *offer) bool {
		if o.queued {
			return false
		}
		if len(s.reservations) > 0 || !o.lane.class.refuses(o.shape.demand) {
			return true
		}
		passed++
		return passed%stride == 0
	}
}

// walkLane is a walk over one lane of commands. As every walk it begins before
// everything: what it comes to tells whose turn it is.
func (s *Scheduler) walkLane(l *lane) *walker {
	w := &walker{wanted: s.untried(), bound: s.reachOfAll(l.party)}
	w.enter(l, rank{}.in(l))
	return w
}

// walkWorker is a walk over the commands of a party that may fit on one agent.
func (s *Scheduler) walkWorker(p *party, w *worker) *walker {
	bound := func(l *lane, from rank) (vec, bool) {
		if l != nil && !l.open() {
			return vec{}, false
		}
		reach := w.reach()
		if w.reserved != nil && !w.reserved.holdsBack(p, from) {
			reach[colStart] = always
		}
		return reach.at(s.now), true
	}
	walk := &walker{worker: w, wanted: s.untried(), bound: bound}
	if w.numLanes() >= p.commands.n {
		walk.order, walk.suits = &p.commands, func(l *lane) bool { return w.in(l.class) }
		return walk
	}
	for _, c := range w.classes {
		for _, l := range c.lanes {
			if l.party == p && l.order != nil {
				walk.enter(l, rank{}.in(l))
			}
		}
	}
	return walk
}

// numLanes is how many lanes the worker's classes have, of all parties.
func (w *worker) numLanes() (n int) {
	for _, c := range w.classes {
		n += len(c.lanes)
	}
	return n
}

// reachOfAll is the most that any agent of a lane's class may be given now.
func (s *Scheduler) reachOfAll(p *party) func(l *lane, from rank) (vec, bool) {
	return func(l *lane, from rank) (vec, bool) {
		c := s.anyone
		if l != nil {
			if c = l.class; !l.open() {
				return vec{}, false
			}
		}
		if c.free.n == 0 {
			return vec{}, false
		}
		reach := c.free.top
		if c.spare.n > 0 {
			reach.raise(&c.spare.top)
		}
		for _, r := range s.reservations {
			if r.worker.in(c) && !r.holdsBack(p, from) {
				reach.raise(&r.worker.vec)
				reach[colStart] = always
			}
		}
		return reach.at(s.now), true
	}
}

// holdsBack reports whether the reservation is for a shape that comes before a
// position in the order of the party. Between accounts only the level counts: were
// it the turn, which changes all the time, a large job would wait for ever.
func (r *reservation) holdsBack(p *party, from rank) bool {
	if a := r.shape.lane.account; a != p.account {
		return a.level <= p.account.level
	}
	return r.shape.rank().less(from)
}

// outranks reports whether a reservation does not hold back the shape: it is for
// it, or for one behind it.
func (sh *shape) outranks(r *reservation) bool {
	return sh == r.shape || !r.holdsBack(sh.lane.party, sh.rank())
}
