package schedule

import "github.com/muster-queue/muster/job"

// queue is a queue's settings and what it has running.
type queue struct {
	id job.QueueID
	QueueSettings
	rank    uint64
	running int64  // held jobs, prefetched ones included
	served  uint64 // see Contender
	lanes   []*lane
}

// open reports whether the queue may get another job now.
func (q *queue) open() bool {
	return !q.Paused && q.Weight >= 0 && (q.MaxRunning <= 0 || q.running < q.MaxRunning)
}

// SetQueue sets what the scheduler knows of a queue. A queue never set has
// priority zero, no cap, and is not ordered by key; ByKey is set before shapes of
// the queue are defined, and stays.
func (s *Scheduler) SetQueue(id job.QueueID, settings QueueSettings) {
	q := s.queueOf(id)
	if q.Priority == settings.Priority && (q.Weight == 0) == (settings.Weight == 0) {
		s.change(q, func() { q.QueueSettings = settings })
		return
	}
	for _, l := range q.lanes {
		s.unlist(l)
	}
	q.QueueSettings, q.rank = settings, queueRank(settings.Priority)
	for _, l := range q.lanes {
		s.join(l)
		s.list(l)
	}
	s.everything()
}

// keyOf is how lines of the queue find the key behind a place; nil when places
// themselves are the order.
func (s *Scheduler) keyOf(q *queue) func(uint64) []byte {
	if q.ByKey {
		return s.cfg.Key
	}
	return nil
}

// DropQueue forgets a queue's settings.
func (s *Scheduler) DropQueue(id job.QueueID) {
	q := s.queues[id]
	if q == nil {
		return
	}
	s.SetQueue(id, QueueSettings{})
	s.discard(q)
}

// discard forgets a queue nothing refers to and nothing is set of.
func (s *Scheduler) discard(q *queue) {
	if len(q.lanes) == 0 && q.running == 0 && q.QueueSettings == (QueueSettings{}) {
		delete(s.queues, q.id)
	}
}

func (s *Scheduler) queueOf(id job.QueueID) *queue {
	q := s.queues[id]
	if q == nil {
		q = &queue{id: id, rank: queueRank(0)}
		s.queues[id] = q
	}
	return q
}

// count adds n to what the queue has running.
func (s *Scheduler) count(q *queue, n int64) {
	s.change(q, func() { q.running += n })
}

// change does something to the queue and takes its lanes out of the order of
// service, or puts them back, when that closed or opened it.
func (s *Scheduler) change(q *queue, do func()) {
	was := q.open()
	do()
	if q.open() == was {
		return
	}
	for _, l := range q.lanes {
		if was {
			s.unlist(l)
		} else {
			s.list(l)
		}
	}
	if !was {
		s.reopened(q)
	}
}

// reopened puts on the agenda what became ready or found no room while the queue
// was closed.
func (s *Scheduler) reopened(q *queue) {
	if len(q.lanes) > s.tune.lanes {
		s.everything()
		return
	}
	for _, l := range q.lanes {
		if l.command && l.shapes.n > 0 {
			l.party.add(s, s.walkLane(l))
		}
	}
}

// lane is the shapes of one queue and account that want the same labels, in their
// order. It is what the order of service is merged from: as a queue with nothing
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

	inQueue, inClass int // where it is among their lanes
}

type laneKey struct {
	queue   *queue
	account *account
	class   *class
	command bool
	grade   uint64
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

// list puts a lane with ready jobs of an open queue into the order of service.
func (s *Scheduler) list(l *lane) {
	if l.order != nil || l.shapes.n == 0 || !l.queue.open() {
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
