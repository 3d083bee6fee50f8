package schedule

// offer is the standing of a shape in one lane. A shape that prefers labels has
// two: in the first sweep it is offered to workers that have them, in the second
// to any. The first is made when there is any agent at all.
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

// post gives a shape its standing: in the lane of what it wants or, while there is
// no agent for that, in one with others like that. It takes it out of where it was.
func (s *Scheduler) post(sh *shape, q *queue, limits *limitSet, command bool) {
	s.delist(sh)
	s.cancelReservation(sh)
	was, of := sh.offers, sh.class
	s.unstrand(sh)
	k := laneKey{queue: q, account: s.accountOf(sh.account), limits: limits, command: command, class: s.classOf(sh.labels)}
	k.account.spread(sh)
	if sh.lane != nil {
		sh.lane.countReady(-sh.items.len())
	}
	sh.class = k.class
	sh.class.shapes++
	if command && !sh.class.staffed() && sh.class != s.anyone {
		k.class, sh.strandedAt = s.nobody, len(sh.class.stranded)
		sh.class.stranded = append(sh.class.stranded, sh)
	}
	sweep := 0
	if command && !sh.prefer.SubsetOf(sh.labels) {
		sweep = 1
	}
	k.grade = s.gradeOf(sweep, len(sh.class.labels))
	sh.lane = s.laneOf(k)
	sh.lane.countReady(sh.items.len())
	sh.offers = []*offer{{shape: sh, lane: sh.lane}}
	if of != nil {
		s.unpost(was, of)
	}
}

// unpost gives back the standing that a shape had.
func (s *Scheduler) unpost(was []*offer, of *class) {
	for _, o := range was {
		s.releaseLane(o.lane)
	}
	of.shapes--
	s.releaseClass(of)
}

// unstrand takes the shape out of those that wait for the first agent.
func (s *Scheduler) unstrand(sh *shape) {
	if sh.lane == nil || sh.lane.class != s.nobody {
		return
	}
	c := sh.class
	c.stranded = withoutAt(c.stranded, sh.strandedAt)
	if sh.strandedAt < len(c.stranded) {
		c.stranded[sh.strandedAt].strandedAt = sh.strandedAt
	}
}

// arrive gives the shapes of classes that got agents their own standing; it reports
// whether it came to the end.
func (s *Scheduler) arrive() bool {
	for len(s.arriving) > 0 {
		last := len(s.arriving) - 1
		c := s.arriving[last]
		for ; c.staffed() && len(c.stranded) > 0; s.budget-- {
			if s.budget <= 0 {
				return false
			}
			sh := c.stranded[len(c.stranded)-1]
			s.post(sh, sh.lane.queue, sh.lane.limits, true)
			if sh.items.len() > 0 {
				s.enlist(sh)
				s.announce(sh)
			}
		}
		c.arriving = false
		s.arriving = withoutAt(s.arriving, last)
	}
	return true
}

// unfold offers a shape that prefers labels in the first sweep too, if there are
// agents with what it must have.
func (s *Scheduler) unfold(sh *shape) {
	if sh.lane.sweep() == 0 || len(sh.offers) > 1 || sh.lane.class == s.nobody {
		return
	}
	k := sh.lane.laneKey
	k.class, k.grade = s.classOf(sh.labels.With(sh.prefer)), s.gradeOf(0, len(sh.class.labels))
	sh.offers = []*offer{{shape: sh, lane: s.laneOf(k)}, sh.offers[0]}
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
