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
	if q.open() != was {
		s.turn(q.lanes)
	}
}
