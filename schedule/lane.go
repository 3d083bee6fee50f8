package schedule

// lane is the shapes of one queue and account that want the same labels and count
// against the same limits, in their order. It is what the order of service is merged from: as a queue with nothing
// to give is passed over as a whole, so is a lane that no worker suits.
type lane struct {
	id uint64
	laneKey
	party *party
	refs  int // offers in the lane, those without ready jobs included

	shapes index[*offer]
	// order is the one the lane is in, under key and with need, nil if it has
	// nothing to give; key is not behind the first shape and need covers all.
	order *index[*lane]
	key   rank
	need  vec

	inQueue, inClass, inLimits int // where it is among their lanes

	turning bool // it is in Scheduler.turning
}

type laneKey struct {
	queue   *queue
	account *account
	class   *class
	command bool
	grade   uint64
	limits  *limitSet // nil for none
}

func (s *Scheduler) laneOf(k laneKey) *lane {
	l := s.lanes[k]
	if l == nil {
		s.numLanes++
		l = &lane{id: s.numLanes, laneKey: k}
		s.lanes[k] = l
		s.man(k.class)
		l.inQueue, l.inClass = len(k.queue.lanes), len(k.class.lanes)
		k.queue.lanes, k.class.lanes = append(k.queue.lanes, l), append(k.class.lanes, l)
		l.limits.enter(l)
		s.join(l)
	}
	l.refs++
	return l
}

// join makes the lane part of the party that it belongs to by now.
func (s *Scheduler) join(l *lane) {
	p := s.partyOf(l.account, l.queue)
	if p == l.party {
		return
	}
	p.lanes++
	if l.party != nil {
		s.leave(l.party)
	}
	l.party = p
}

func (s *Scheduler) releaseLane(l *lane) {
	if l.refs--; l.refs > 0 {
		return
	}
	s.unlist(l)
	delete(s.lanes, l.laneKey)
	l.queue.lanes = withoutAt(l.queue.lanes, l.inQueue)
	if l.inQueue < len(l.queue.lanes) {
		l.queue.lanes[l.inQueue].inQueue = l.inQueue
	}
	l.class.lanes = withoutAt(l.class.lanes, l.inClass)
	if l.inClass < len(l.class.lanes) {
		l.class.lanes[l.inClass].inClass = l.inClass
	}
	s.leave(l.party)
	s.discard(l.queue)
	s.releaseClass(l.class)
	s.leaveLimits(l)
}

// open reports whether jobs of the lane may be given out now.
func (l *lane) open() bool { return l.queue.open() && l.limits.open() }

// countReady notes that so many jobs of the lane became ready, or are no more.
func (l *lane) countReady(n int) {
	l.account.ready += int64(n)
	if l.limits != nil {
		l.limits.ready += int64(n)
	}
}

// orderOf is the order of service that the lane belongs in.
func (s *Scheduler) orderOf(l *lane) *index[*lane] {
	switch {
	case !l.command:
		return &l.party.data
	case l.class == s.nobody:
		return &l.party.stranded
	}
	return &l.party.commands
}

// list puts an open lane with ready jobs into the order of service.
func (s *Scheduler) list(l *lane) {
	if l.order != nil || l.shapes.n == 0 || !l.open() {
		return
	}
	l.order, l.key, l.need = s.orderOf(l), l.file(l.shapes.head()), l.shapes.roughBound()
	l.order.insert(l.key, l.need, l)
	s.stir(l.account)
}

func (s *Scheduler) unlist(l *lane) {
	if l.order != nil {
		l.order.remove(l.key)
		l.order = nil
	}
}

// refresh files a lane anew under its first shape of now.
func (s *Scheduler) refresh(l *lane) {
	s.unlist(l)
	s.list(l)
}

// cover makes sure that the lane is filed not behind a shape that came, and with
// enough need.
func (s *Scheduler) cover(l *lane, key rank, need *vec) {
	if l.order == nil {
		s.list(l)
		return
	}
	key = l.file(key)
	if !key.less(l.key) && l.need.covers(need) {
		return
	}
	l.order.remove(l.key)
	if key.less(l.key) {
		l.key = key
	}
	l.need.raise(need)
	l.order.insert(l.key, l.need, l)
}

// sweep is the sweep in which the lane is served.
func (l *lane) sweep() uint64 { return l.grade >> 32 }

// file is where the lane is to be filed when r is its first shape's rank.
func (l *lane) file(r rank) rank {
	r = r.in(l)
	r.owner = l.id
	return r
}

// from is the position of r in the lane; false when the whole lane is before it.
func (l *lane) from(r rank) (rank, bool) {
	switch {
	case r.queue < l.queue.rank:
		return rank{}, true
	case r.queue > l.queue.rank:
		return rank{}, false
	}
	switch r.queue = 0; {
	case r.grade < l.grade:
		return rank{priority: r.priority}, true
	case r.grade > l.grade:
		return rank{priority: r.priority + 1}, true
	}
	r.grade = 0
	return r, true
}

// turn has lanes leave the order of service or come back to it, as their queues and
// limits say by then. There may be many: turnLanes does it, a part at a time.
func (s *Scheduler) turn(lanes []*lane) {
	for _, l := range lanes {
		if !l.turning {
			l.turning = true
			s.turning = append(s.turning, l)
		}
	}
}

// turnLanes does what turn asked for, within the budget; it reports whether it came to
// the end. Nothing may be served before that.
func (s *Scheduler) turnLanes() bool {
	for n := len(s.turning); n > 0; n-- {
		if s.budget <= 0 {
			return false
		}
		s.budget--
		l := s.turning[n-1]
		s.turning[n-1] = nil
		s.turning = s.turning[:n-1]
		l.turning = false
		if l.open() {
			s.reopen(l, n > s.tune.lanes)
		} else {
			s.unlist(l)
		}
	}
	return true
}

// reopen puts a lane back, and on the agenda what became ready or found no room while
// it was closed: everything, if it is one of many.
func (s *Scheduler) reopen(l *lane, many bool) {
	s.list(l)
	switch {
	case l.order == nil:
		return
	case !l.command:
	case many:
		l.party.everything(s)
	default:
		l.party.add(s, s.walkLane(l))
	}
	s.opened = true
}
