package schedule

import (
	"slices"
	"time"

	"github.com/muster-queue/muster/job"
)

// Requirement is what the ready jobs of a shape would need of new machines: the
// least one of them must have, and how many jobs there are.
type Requirement struct {
	Shape  job.ShapeID
	Queue  job.QueueID
	Labels job.Labels
	Min    job.Resources
	// Time is how long one of them may run; zero means without bound.
	Time time.Duration
	// Jobs is how many could run at once as far as the queue and its limits allow,
	// less what those before it in the list take of the limits.
	Jobs int64
}

// Requirements lists what the ready commands would need, in the order of service,
// for at most max shapes.
func (s *Scheduler) Requirements(max int) []Requirement {
	var list []Requirement
	taken := map[*limit]int64{}
	for _, p := range s.partiesInTurn() {
		for o := range s.inOrder(p, true) {
			if len(list) >= max {
				return list
			}
			sh := o.shape
			n := int64(sh.items.len())
			if q := sh.lane.queue; q.MaxRunning > 0 {
				n = min(n, q.MaxRunning-q.running)
			}
			if n = sh.lane.limits.takeFrom(taken, n); n == 0 {
				continue
			}
			list = append(list, Requirement{
				Shape: sh.id, Queue: sh.lane.queue.id, Labels: sh.labels.Sorted(),
				Min: sh.demand.resources(), Time: sh.demand.time, Jobs: n,
			})
		}
	}
	return list
}

// openLanes is a bound that lets everything pass of queues that are open.
func openLanes(l *lane, _ rank) (vec, bool) { return anything, l == nil || l.open() }

// partiesInTurn are the parties whose jobs may run, in the order in which their
// accounts would be served.
func (s *Scheduler) partiesInTurn() []*party {
	s.bids = s.bids[:0]
	for _, p := range s.parties {
		if !p.account.barred() {
			s.bids = append(s.bids, bid{party: p, level: p.account.level})
		}
	}
	slices.SortStableFunc(s.bids, func(a, b bid) int {
		switch {
		case a.less(&b):
			return -1
		case b.less(&a):
			return 1
		}
		return 0
	})
	list := make([]*party, len(s.bids))
	for i := range s.bids {
		list[i] = s.bids[i].party
	}
	return list
}

// Shortage says that a shape needs more than any open agent with its labels has
// in all. Where each resource alone would do, but not together on one agent, it
// names the one lacking on the agent that comes nearest.
type Shortage struct {
	Shape         job.ShapeID
	Resource      string
	Need, Largest int64
	// Agents is how many there are with the shape's labels.
	Agents int
}

// TooLarge tells whether no open agent with the shape's labels is large enough
// for it. With no such agent at all nothing can be said and it is false, as it is
// for data jobs and for shapes that may wait.
func (s *Scheduler) TooLarge(id job.ShapeID) (Shortage, bool) {
	if sh := s.shapes[id]; sh == nil || sh.wait {
		return Shortage{}, false
	}
	return s.Short(id)
}

// Short is TooLarge for shapes that may wait, too.
func (s *Scheduler) Short(id job.ShapeID) (Shortage, bool) {
	sh := s.shapes[id]
	if sh == nil {
		return Shortage{}, false
	}
	return s.shortage(sh)
}

func (s *Scheduler) shortage(sh *shape) (Shortage, bool) {
	c := sh.class
	if !sh.lane.command || len(c.sizes) == 0 || sh.suits() {
		return Shortage{}, false
	}
	return sh.shortage(), true
}

// shortage compares a shape that does not suit with the agents there are.
func (sh *shape) shortage() Shortage {
	c, d := sh.class, sh.demand
	out := Shortage{Shape: sh.id, Agents: c.free.n}
	nearest := c.nearest(d, &demand{})
	var inAll, there string
	for name, need := range d.resources() {
		if need > c.most(name) && (inAll == "" || name < inAll) {
			inAll = name
		}
		if need > nearest.get(name) && (there == "" || name < there) {
			there = name
		}
	}
	out.Resource = inAll
	out.Largest = c.most(inAll)
	if inAll == "" {
		out.Resource, out.Largest = there, nearest.get(there)
	}
	out.Need = d.get(out.Resource)
	return out
}

// Nearest is what the agent has in all that lacks least of a shape's needs, among those
// with its labels that are large enough for what it must have; false if none is.
func (s *Scheduler) Nearest(id job.ShapeID, must job.Resources) (job.Resources, bool) {
	sh := s.shapes[id]
	if sh == nil {
		return nil, false
	}
	size := sh.class.nearest(sh.demand, newDemand(must, sh.demand.time))
	if size == nil {
		return nil, false
	}
	return size.resources(), true
}

// nearest is the capacity that lacks least of the demand, among those large enough for
// what it must have; nil if none is.
func (c *class) nearest(d, must *demand) *capacity {
	var nearest *capacity
	var least int64
	var key string
	for k, size := range c.sizes {
		if !must.fit(&size.amounts) {
			continue
		}
		n := missing(d, &size.amounts)
		if nearest == nil || n < least || n == least && k < key {
			nearest, least, key = size, n, k
		}
	}
	return nearest
}

// most is the largest capacity of one resource in the class.
func (c *class) most(name string) int64 {
	n := int64(0)
	for _, size := range c.sizes {
		n = max(n, size.get(name))
	}
	return n
}

// Impossible lists shapes with ready commands that are too large for every open
// agent (see TooLarge). It looks only at shapes that got jobs, or all of them
// when agents went, and at most at max of them; more asks for another call.
func (s *Scheduler) Impossible(max int) (list []Shortage, more bool) {
	for ; max > 0; max-- {
		sh, ok := s.toCheck()
		if !ok {
			return list, false
		}
		if sh == nil || sh.items.len() == 0 || sh.checked == s.sweep {
			continue
		}
		sh.checked = s.sweep
		if short, yes := s.shortage(sh); yes && !sh.wait {
			list = append(list, short)
		}
	}
	return list, len(s.unchecked) > 0 || s.swept < len(s.slots)
}

// toCheck is the next shape for Impossible, false when there is none.
func (s *Scheduler) toCheck() (sh *shape, ok bool) {
	if n := len(s.unchecked); n > 0 {
		sh = s.unchecked[n-1]
		s.unchecked[n-1] = nil
		s.unchecked = s.unchecked[:n-1]
		sh.toCheck = false
		return sh, true
	}
	if s.swept >= len(s.slots) {
		return nil, false
	}
	sh = s.slots[s.swept]
	s.swept++
	return sh, true
}

// resweep makes Impossible look at every shape again.
func (s *Scheduler) resweep() {
	s.sweep++
	s.swept = 0
}
