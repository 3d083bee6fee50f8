package schedule

import (
	"slices"

	"github.com/muster-queue/muster/job"
)

// pull is a request being answered.
type pull struct {
	*Scheduler
	Pull
	worker *worker  // nil: nobody known
	room   *amounts // what is left of Capacity
	exact  *demand  // what Exactly says
	shapes map[job.ShapeID]bool
	kinds  map[job.KindID]bool
	queues map[job.QueueID]bool
	// spilling: those are served now whose accounts do not pay for more alike;
	// spilled is whether there are any.
	spilling, spilled bool
	// stopped: in strict mode, a job that does not fit holds up the rest.
	stopped bool
}

// Pull places up to N jobs on one worker, in the order of service, and grants
// nothing beyond what it has free, if it said what it has. With a filter by group
// it may have to build an index first, or many lanes are to be opened or closed: then
// more is true, and the same request wants to be made again. The slice is valid until the next call.
func (s *Scheduler) Pull(now job.Time, req Pull) (placed []Placement, more bool) {
	s.begin(now)
	p := s.newPull(req)
	if req.N <= 0 || p.worker != nil && p.worker.closed {
		return nil, false
	}
	if s.budget = s.tune.turns; !s.turnLanes() {
		return nil, true
	}
	switch {
	case len(req.Groups) > 0:
		if !s.indexGroups() {
			return nil, true
		}
		p.serve(p.byGroup)
	case len(req.Shapes) > 0:
		p.serve(func() { p.list(req.Shapes) })
	default:
		p.serve(p.byOrder)
	}
	return s.placed, false
}

// serve serves what is paid for, then what is not though others of the account are.
func (p *pull) serve(what func()) {
	if what(); p.spilled && !p.enough() {
		p.spilling = true
		what()
	}
}

func (s *Scheduler) newPull(req Pull) *pull {
	p := &pull{Scheduler: s, Pull: req, worker: s.workers[req.Worker]}
	if req.Capacity != nil {
		room := amountsOf(req.Capacity)
		p.room = &room
	}
	if req.Exactly != nil {
		p.exact = newDemand(req.Exactly.Needs, req.Exactly.Time)
	}
	p.shapes, p.kinds, p.queues = setOf(req.Shapes), setOf(req.Kinds), setOf(req.Queues)
	return p
}

func setOf[T comparable](list []T) map[T]bool {
	if len(list) == 0 {
		return nil
	}
	set := make(map[T]bool, len(list))
	for _, x := range list {
		set[x] = true
	}
	return set
}

// wantsLane reports whether the worker may get jobs of the lane.
func (p *pull) wantsLane(l *lane) bool {
	if l.command && !p.Command || !l.command && !p.Data || !l.open() || p.queues != nil && !p.queues[l.queue.id] {
		return false
	}
	return p.has(l.class) && !l.account.barred()
}

// has reports whether the worker has the labels of a class.
func (p *pull) has(c *class) bool {
	return len(c.labels) == 0 || p.worker != nil && c.accepts(p.worker)
}

// wants reports whether the request's filters let the shape pass.
func (p *pull) wants(sh *shape) bool {
	if !p.has(sh.class) {
		return false
	}
	if throttled := p.throttled(sh); throttled != p.spilling {
		p.spilled = p.spilled || throttled
		return false
	}
	if !p.mayRun(sh) || p.worker != nil && sh.lane.account.atLimit(p.worker) {
		return false
	}
	if p.exact != nil && !p.exact.equal(sh.demand) {
		return false
	}
	return (p.kinds == nil || p.kinds[sh.kind]) && (p.shapes == nil || p.shapes[sh.id])
}

// limited reports whether the worker said what it has.
func (p *pull) limited() bool { return p.worker != nil && p.worker.bounded && p.worker.present }

// fits reports whether one more job of the shape fits now.
func (p *pull) fits(sh *shape) bool {
	if p.room != nil && !sh.demand.fit(p.room) {
		return false
	}
	if !p.limited() {
		return true
	}
	need := sh.demand.from(p.now)
	reach := columnsOf(&p.worker.free)
	if p.worker.until != 0 {
		reach[colUntil] = int64(p.worker.until)
	}
	if r := p.worker.reserved; r != nil && !sh.outranks(r) {
		reach[colStart] = int64(r.start)
	}
	return reach.covers(&need) && sh.demand.restFit(&p.worker.free)
}

// bound is the most a job of the party may need, for a walk.
func (p *pull) bound(of *party, l *lane, from rank) (vec, bool) {
	if l != nil && !p.wantsLane(l) {
		return vec{}, false
	}
	b := anything
	if p.limited() {
		b = columnsOf(&p.worker.free)
		if p.worker.until != 0 {
			b[colUntil] = int64(p.worker.until)
		}
		if r := p.worker.reserved; r != nil && r.holdsBack(of, from) {
			b[colStart] = int64(r.start)
		}
	}
	if p.room != nil {
		room := columnsOf(p.room)
		b.lower(&room)
	}
	if p.exact != nil { // what needs more is not even looked at
		exact := columnsOf(&p.exact.amounts)
		b.lower(&exact)
	}
	return b.at(p.now), true
}

// blocks reports whether, in strict mode, a shape that does not fit now holds up
// what is behind it: it could run there.
func (p *pull) blocks(sh *shape) bool {
	if !p.cfg.Strict {
		return false
	}
	if p.Capacity != nil {
		all := amountsOf(p.Capacity)
		if !sh.demand.fit(&all) {
			return false
		}
	}
	return !p.limited() || sh.demand.fit(&p.worker.capacity)
}

// give grants one job of the shape to the worker.
func (p *pull) give(sh *shape, it Item) {
	if p.room != nil {
		p.room.add(&sh.demand.amounts, -1)
	}
	if p.worker == nil && p.Worker != 0 {
		p.worker = p.workerOf(p.Worker)
	}
	p.grant(sh, it, p.worker, p.Worker, false)
	p.settle(sh)
}

// enough reports whether the request is answered.
func (p *pull) enough() bool { return p.stopped || len(p.placed) >= p.N }

// byOrder walks the order of service, or the lanes of the queues asked for.
func (p *pull) byOrder() {
	if p.kinds != nil {
		n := 0
		for k := range p.kinds {
			n += len(p.Scheduler.kinds[k])
		}
		if n <= p.tune.listed {
			p.listKinds()
			return
		}
	}
	merged := p.walks()
	for !p.enough() {
		b := p.next(merged)
		if b.party == nil {
			return
		}
		w := b.agenda.pop().walk
		o, r, ok := w.next(p.Scheduler)
		switch {
		case !ok:
			continue
		case b.agenda.next().less(r) || len(merged) > 1 && (r.queue != w.at.queue || r.sweep() != w.at.sweep()):
			w.at = r
			b.agenda.push(task{at: r, walk: w})
			continue
		case !p.wants(o.shape):
			w.skip()
		case p.fits(o.shape):
			p.give(o.shape, o.shape.items.pop())
		default:
			p.stopped = p.blocks(o.shape)
			w.skip()
		}
		w.at = r
		b.agenda.push(task{at: r, walk: w})
	}
}

// next is the bid to be served next.
func (p *pull) next(merged map[*party]*agenda) bid {
	p.bids = p.bids[:0]
	for of, a := range merged {
		if len(*a) > 0 {
			b := bid{party: of, agenda: a, level: of.account.level, sweep: (*a)[0].at.sweep()}
			p.bids = append(p.bids, b)
		}
	}
	return best(p.bids)
}

// walks are the walks that together meet what was asked for, by party.
func (p *pull) walks() map[*party]*agenda {
	merged := map[*party]*agenda{}
	add := func(of *party, w *walker) {
		if merged[of] == nil {
			merged[of] = &agenda{}
		}
		w.bound = func(l *lane, from rank) (vec, bool) { return p.bound(of, l, from) }
		if p.cfg.Strict { // what does not fit must be met too
			w.bound = func(l *lane, _ rank) (vec, bool) { return anything, l == nil || p.wantsLane(l) }
		}
		merged[of].push(task{walk: w})
	}
	if p.queues != nil {
		walks := map[*party]*walker{}
		for id := range p.queues {
			if q := p.Scheduler.queues[id]; q != nil {
				for _, l := range q.lanes {
					if l.order == nil {
						continue
					}
					if walks[l.party] == nil {
						walks[l.party] = &walker{}
					}
					walks[l.party].enter(l, rank{}.in(l))
				}
			}
		}
		for of, w := range walks {
			add(of, w)
		}
		return merged
	}
	for _, of := range p.parties {
		if p.Command {
			add(of, &walker{order: &of.commands, suits: p.wantsLane})
			add(of, &walker{order: &of.stranded, suits: p.wantsLane})
		}
		if p.Data {
			add(of, &walker{order: &of.data, suits: p.wantsLane})
		}
	}
	return merged
}

// list serves the shapes of a list in their order.
func (p *pull) list(ids []job.ShapeID) {
	var merged agenda
	for _, id := range slices.Compact(slices.Sorted(slices.Values(ids))) {
		if sh := p.Scheduler.shapes[id]; sh != nil {
			p.enter(&merged, sh)
		}
	}
	p.serveList(merged)
}

func (p *pull) listKinds() {
	var merged agenda
	for k := range p.kinds {
		for _, sh := range p.Scheduler.kinds[k] {
			p.enter(&merged, sh)
		}
	}
	p.serveList(merged)
}

// enter adds a shape to a list if it may be served.
func (p *pull) enter(merged *agenda, sh *shape) {
	if sh.items.len() > 0 && p.wantsLane(sh.lane) && p.wants(sh) {
		merged.push(task{at: sh.rank(), offer: sh.offers[len(sh.offers)-1]})
	}
}

func (p *pull) serveList(merged agenda) {
	for len(merged) > 0 && !p.enough() {
		sh := merged.pop().offer.shape
		switch {
		case !p.wantsLane(sh.lane): // its queue has enough by now
		case p.fits(sh):
			p.give(sh, sh.items.pop())
			p.enter(&merged, sh)
		default:
			p.stopped = p.blocks(sh)
		}
	}
}

// byGroup serves the jobs of the groups asked for in their order.
func (p *pull) byGroup() {
	var merged groupHeap
	for g := range setOf(p.Groups) {
		for sh, l := range p.groups.lines[g] {
			if p.wantsLane(sh.lane) && p.wants(sh) {
				merged.push(sh, l)
			}
		}
	}
	for len(merged) > 0 && !p.enough() {
		e := merged.pop()
		if !p.wantsLane(e.shape.lane) {
			continue
		}
		if !p.fits(e.shape) {
			p.stopped = p.blocks(e.shape)
			continue
		}
		it := *e.line.front()
		e.shape.items.remove(&it)
		p.give(e.shape, it)
		if e.line.len() > 0 {
			merged.push(e.shape, e.line)
		}
	}
}
