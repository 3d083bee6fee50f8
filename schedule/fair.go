package schedule

import (
	"slices"

	"github.com/muster-queue/muster/job"
)

// Contender is a queue that could be served next.
type Contender struct {
	Queue    job.QueueID
	Priority int64
	// Weight is its share among queues of equal priority; it is positive.
	Weight int64
	// Pending is how many jobs of it are held.
	Pending int64
	// Served is when it was last served, as a number that grows with each service;
	// zero: never.
	Served uint64
}

// Fairest is the contender to be served next, which is the rule of queue weights:
// of those with the highest priority the one with the largest score, that is
// weight·(P+1) − W·pending with W and P the sums over them; of equal scores the
// longest unserved, then the first made. What a queue holds is thus driven to its
// share of what all hold. At least one contender must be given.
func Fairest(all []Contender) Contender {
	top := slices.MaxFunc(all, func(a, b Contender) int {
		switch {
		case a.Priority < b.Priority:
			return -1
		case a.Priority > b.Priority:
			return 1
		}
		return 0
	}).Priority
	var weights, pending int64
	for i := range all {
		if c := &all[i]; c.Priority == top {
			weights += c.Weight
			pending += c.Pending
		}
	}
	best, bestScore := -1, int64(0)
	for i := range all {
		c := &all[i]
		if c.Priority != top {
			continue
		}
		score := c.Weight*(pending+1) - weights*c.Pending
		if best < 0 || score > bestScore || score == bestScore && c.before(&all[best]) {
			best, bestScore = i, score
		}
	}
	return all[best]
}

// before breaks the tie of equal scores.
func (c *Contender) before(o *Contender) bool {
	if c.Served != o.Served {
		return c.Served < o.Served
	}
	return c.Queue < o.Queue
}

// Contenders are the queues that could serve the pull now: those named in it, or
// all, that are open, and have a ready job that the worker may get or are among
// those in idle, which have none but can make one. They are in no order.
func (s *Scheduler) Contenders(req Pull, idle []job.QueueID) []Contender {
	p := s.newPull(req)
	var all []Contender
	seen := map[job.QueueID]bool{}
	enter := func(q *queue) {
		if !seen[q.id] && q.open() {
			seen[q.id] = true
			all = append(all, Contender{
				Queue: q.id, Priority: q.Priority, Weight: job.Share(q.Weight), Pending: q.running, Served: q.served,
			})
		}
	}
	for _, id := range idle {
		if q := s.queues[id]; q != nil && (p.queues == nil || p.queues[id]) {
			enter(q)
		}
	}
	for q := range p.queuesAsked() {
		if p.canServe(q) {
			enter(q)
		}
	}
	return all
}

// queuesAsked visits the queues named in the pull, or all.
func (p *pull) queuesAsked() func(func(*queue) bool) {
	return func(visit func(*queue) bool) {
		if p.queues == nil {
			for _, q := range p.Scheduler.queues {
				if !visit(q) {
					return
				}
			}
			return
		}
		for id := range p.queues {
			if q := p.Scheduler.queues[id]; q != nil && !visit(q) {
				return
			}
		}
	}
}

// canServe reports whether the queue has a ready job that the worker may get;
// whether it fits is seen when it is pulled.
func (p *pull) canServe(q *queue) bool {
	for _, l := range q.lanes {
		if l.shapes.n > 0 && p.wantsLane(l) {
			return true
		}
	}
	return false
}

// Served notes that the queue was served now.
func (s *Scheduler) Served(id job.QueueID) {
	if q := s.queues[id]; q != nil {
		s.serves++
		q.served = s.serves
	}
}
