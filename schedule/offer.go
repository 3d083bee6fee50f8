package schedule

import "github.com/muster-queue/muster/job"

// offer is the standing of a shape in one lane. A shape that prefers labels has
// two: in the first sweep it is offered to workers that have them, in the second
// to any.
type offer struct {
	shape *shape
	lane  *lane

	// listed offers are of shapes with ready jobs and are in their lane under key:
	// the rank of the first job, or a smaller one when stale, since a pass places
	// many jobs of a shape. A walk that meets a stale key brings it up to date.
	listed bool
	stale  bool
	key    rank
	// queued offers are on the agenda at the position at.
	queued bool
	at     rank
}

// head is the rank of the first job in its lane; there is one.
func (o *offer) head() rank { return o.shape.head() }

// rank is the rank of the first job in the order of service; there is one.
func (o *offer) rank() rank { return o.head().in(o.lane) }

// last reports whether it is the offer to any worker with the base labels, which
// every shape has.
func (o *offer) last() bool { return o.shape.lane == o.lane }

// offer files a shape in its lanes.
func (s *Scheduler) offer(sh *shape, q *queue, command bool) {
	if sh.offers = nil; sh.lane != nil {
		sh.lane.account.ready -= int64(sh.items.len())
	}
	k := laneKey{queue: q, account: s.accountOf(sh.account), command: command}
	k.account.ready += int64(sh.items.len())
	k.account.spread(s, sh)
	file := func(sweep int, labels job.Labels) {
		k.class, k.grade = s.classOf(labels), s.gradeOf(sweep, len(sh.labels))
		sh.lane = s.laneOf(k)
		sh.offers = append(sh.offers, &offer{shape: sh, lane: sh.lane})
	}
	sweep := 0
	if command && !sh.prefer.SubsetOf(sh.labels) {
		file(0, append(sh.labels.Sorted(), sh.prefer...))
		sweep = 1
	}
	file(sweep, sh.labels)
}

// gradeOf is what orders lanes of equal priority: the sweep, then, where accounts
// share, how many labels are wanted, more first.
func (s *Scheduler) gradeOf(sweep, labels int) uint64 {
	grade := uint64(sweep) << 32
	if s.fair {
		grade |= uint64(^uint32(labels))
	}
	return grade
}

// sweep is the sweep in which a position comes.
func (r rank) sweep() uint64 { return r.grade >> 32 }

// listOffer puts the offer into its lane.
func (s *Scheduler) listOffer(o *offer) {
	o.listed, o.stale, o.key = true, false, o.head()
	need := o.shape.demand.want.negated()
	o.lane.shapes.insert(o.key, need, o)
	s.cover(o.lane, o.key, &need)
}

// unlistOffer takes the offer out of its lane and off the agenda.
func (s *Scheduler) unlistOffer(o *offer) {
	o.queued = false
	if !o.listed {
		return
	}
	o.listed = false
	o.lane.shapes.remove(o.key)
	if o.lane.shapes.n == 0 {
		s.unlist(o.lane)
	}
}

// refile files a listed offer under the first job of now.
func (s *Scheduler) refile(o *offer) {
	key := o.head()
	o.stale = false
	if key == o.key {
		return
	}
	need := o.shape.demand.want.negated()
	o.lane.shapes.remove(o.key)
	o.lane.shapes.insert(key, need, o)
	o.key = key
	s.cover(o.lane, key, &need)
}
