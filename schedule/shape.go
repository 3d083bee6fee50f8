package schedule

import (
	"fmt"

	"github.com/muster-queue/muster/job"
)

// shape is the ready jobs that are alike, and what they need.
type shape struct {
	id    job.ShapeID
	slot  int // in Scheduler.slots
	kind  job.KindID
	fixed bool // its jobs are never victims
	// account is the name of who pays; fanout is nil where nobody shares.
	account string
	fanout  *fanout
	wait    bool
	class   *class // of what it must have
	lane    *lane
	demand  *demand
	items   line

	// labels are those it must have; offers where it stands for service,
	// the last one in lane. It is listed there when it has ready jobs.
	labels     job.Labels
	prefer     job.Labels
	offers     []*offer
	listed     bool
	inKind     int // where it is among the listed ones of its kind
	strandedAt int // and among the stranded ones of its class

	// waiting is since when the shape has been among the first in the order of
	// service without getting anything.
	waiting  job.Time
	reserved *reservation
	// possible remembers whether an open agent is large enough, as of version.
	possible bool
	version  uint64
	checked  uint64 // sweep of Impossible that last looked at it
	toCheck  bool   // it waits for Impossible
}

// head is the rank of the first job in its lane; there is one.
func (sh *shape) head() rank {
	r := sh.items.rank(sh.items.front())
	r.owner = uint64(sh.id)
	return r
}

// rank is the rank of the first job in the order of service, where it is offered
// to any worker; there is one.
func (sh *shape) rank() rank { return sh.head().in(sh.lane) }

// DefineShape makes a shape known, before its jobs are pushed, or changes it
// (learned needs); attempts that are held keep what they were granted. A job
// without needs fits anywhere at any time: the caller fills in defaults.
func (s *Scheduler) DefineShape(id job.ShapeID, def *job.Shape) {
	sh := s.shapes[id]
	if sh == nil {
		sh = &shape{id: id}
		s.shapes[id] = sh
		s.slot(sh)
	}
	s.delist(sh)
	sh.labels, sh.prefer, sh.account = def.Labels, def.Prefer, def.Account
	sh.fixed = def.NotPreemptible
	s.post(sh, s.queueOf(def.Queue), s.limitsOf(def.Limits), def.Command)
	sh.kind, sh.wait, sh.version, sh.checked = def.Kind, def.Wait, 0, 0
	sh.demand = newDemand(def.Needs, def.Time)
	sh.items.orderBy(s.keyOf(sh.lane.queue))
	if sh.items.len() > 0 {
		s.enlist(sh)
		s.announce(sh)
	}
}

// DropShape forgets a shape with the ready jobs it may have. Attempts that are
// held stay accounted.
func (s *Scheduler) DropShape(id job.ShapeID) {
	sh := s.shapes[id]
	if sh == nil {
		return
	}
	s.delist(sh)
	s.cancelReservation(sh)
	s.ready -= int64(sh.items.len())
	sh.lane.countReady(-sh.items.len())
	if s.groups != nil {
		s.groups.forget(sh)
	}
	sh.items.clear()
	s.unstrand(sh)
	s.unpost(sh.offers, sh.class)
	sh.fanout.without(sh)
	s.slots[sh.slot] = nil
	s.freeSlots = append(s.freeSlots, sh.slot)
	delete(s.shapes, id)
}

// slot gives the shape a number as small as possible.
func (s *Scheduler) slot(sh *shape) {
	if n := len(s.freeSlots); n > 0 {
		sh.slot = s.freeSlots[n-1]
		s.freeSlots = s.freeSlots[:n-1]
		s.slots[sh.slot] = sh
		return
	}
	sh.slot = len(s.slots)
	s.slots = append(s.slots, sh)
}

// Push adds a job that became ready. The shape must be defined.
func (s *Scheduler) Push(id job.ShapeID, it Item) {
	sh := s.shapes[id]
	if sh == nil {
		panic(fmt.Sprintf("schedule: job %d pushed to undefined shape %d", it.Seq, id))
	}
	if !sh.items.push(it) {
		return
	}
	s.ready++
	sh.lane.countReady(1)
	if s.groups != nil {
		s.groups.push(sh, it)
	}
	if !sh.listed {
		s.enlist(sh)
		s.announce(sh)
		return
	}
	if *sh.items.front() == it {
		s.advanced(sh)
	}
}

// advanced brings everything up to date after a better job became the first of a
// shape that had others. What walks have passed, or not yet come to, is left to
// an entry of its own.
func (s *Scheduler) advanced(sh *shape) {
	for _, o := range sh.offers {
		if o.head().less(o.key) {
			s.refile(o)
			s.front = false
		}
		if !o.lane.command || !o.lane.open() {
			continue
		}
		if p := o.lane.party; o.queued && o.rank().less(o.at) || !o.queued && p.busy() {
			p.enqueue(s, o)
		}
	}
}

// Remove takes a job out that is no longer ready, found by priority, place and
// number; false if it was not there.
func (s *Scheduler) Remove(id job.ShapeID, it Item) bool {
	sh := s.shapes[id]
	if sh == nil {
		return false
	}
	was, found := sh.items.remove(&it)
	if !found {
		return s.drop(s.held[it.Seq])
	}
	s.taken(sh, &was)
	s.settle(sh)
	return true
}

// settle files a shape anew after a job left it, unless its turn is to come.
func (s *Scheduler) settle(sh *shape) {
	for _, o := range sh.offers {
		if o.listed && !o.queued {
			s.refile(o)
		}
	}
}

// taken brings everything up to date after a job left its shape, but for the
// shape's key.
func (s *Scheduler) taken(sh *shape, it *Item) {
	s.ready--
	sh.lane.countReady(-1)
	if s.groups != nil {
		s.groups.remove(sh, it)
	}
	if sh.items.len() == 0 {
		s.delist(sh)
		s.cancelReservation(sh)
		sh.items.clear()
		return
	}
	for _, o := range sh.offers {
		o.stale = true
	}
}

// enlist puts a shape with ready jobs into its lanes.
func (s *Scheduler) enlist(sh *shape) {
	s.unfold(sh)
	for _, o := range sh.offers {
		s.listOffer(o)
	}
	sh.listed = true
	sh.inKind = len(s.kinds[sh.kind])
	s.kinds[sh.kind] = append(s.kinds[sh.kind], sh)
}

// delist takes a shape out of its lanes and off the agenda.
func (s *Scheduler) delist(sh *shape) {
	for _, o := range sh.offers {
		s.unlistOffer(o)
	}
	sh.waiting = 0
	if !sh.listed {
		return
	}
	sh.listed = false
	alike := withoutAt(s.kinds[sh.kind], sh.inKind)
	if sh.inKind < len(alike) {
		alike[sh.inKind].inKind = sh.inKind
	}
	if s.kinds[sh.kind] = alike; len(alike) == 0 {
		delete(s.kinds, sh.kind)
	}
}

// announce puts a shape that got its first ready job on the agenda.
func (s *Scheduler) announce(sh *shape) {
	if !sh.lane.command {
		return
	}
	sh.lane.account.eager = true
	s.stir(sh.lane.account)
	if sh.checked != s.sweep && !sh.toCheck {
		sh.toCheck = true
		s.unchecked = append(s.unchecked, sh)
	}
	for _, o := range sh.offers {
		if o.lane.open() && o.lane.class.staffed() {
			o.lane.party.enqueue(s, o)
		}
	}
}
