package schedule

// tuning are the sizes at which one way of working gives way to another. Tests
// set small ones, to go both ways.
type tuning struct {
	// news is how many single entries the agenda takes between passes, and walks
	// for how many workers at a time; with more, one walk over everything
	// replaces them.
	news, walks int
	// lanes that open together are walked one by one up to this number; turns is how
	// many one call outside of passes opens or closes.
	lanes, turns int
	// listed is up to how many shapes of the kinds asked for are gone through one
	// by one; with more, the order of service is walked and others passed over.
	listed int
	// indexed is how many jobs one call adds to the index by group.
	indexed int
}

var defaultTuning = tuning{news: 1024, walks: 256, lanes: 64, turns: 500, listed: 1024, indexed: 50_000}

// task is an entry of the agenda: an offer whose first job is to be placed, or a
// walk that goes on, at the position at which its turn comes. A task that is not
// at the position its offer or walk says is out of date.
type task struct {
	at    rank
	offer *offer
	walk  *walker
}

// agenda is a heap of tasks, the one to be served next first.
type agenda []task

func (a *agenda) push(t task) {
	*a = append(*a, t)
	h := *a
	i := len(h) - 1
	for i > 0 {
		up := (i - 1) / 2
		if !t.at.less(h[up].at) {
			break
		}
		h[i] = h[up]
		i = up
	}
	h[i] = t
}

func (a *agenda) pop() task {
	h := *a
	top := h[0]
	last := len(h) - 1
	t := h[last]
	h[last] = task{}
	h = h[:last]
	*a = h
	if last == 0 {
		return top
	}
	i := 0
	for {
		down := 2*i + 1
		if down >= last {
			break
		}
		if down+1 < last && h[down+1].at.less(h[down].at) {
			down++
		}
		if !h[down].at.less(t.at) {
			break
		}
		h[i] = h[down]
		i = down
	}
	h[i] = t
	return top
}

// next is the position of the next task.
func (a agenda) next() rank {
	if len(a) == 0 {
		return lastRank
	}
	return a[0].at
}

// everything puts walks over all ready shapes on the agendas.
func (s *Scheduler) everything() {
	for _, p := range s.parties {
		p.everything(s)
	}
}

// everything puts a walk over all ready shapes on the agenda in place of all that
// stands there.
func (p *party) everything(s *Scheduler) {
	if p.fresh() {
		return
	}
	p.clear()
	p.all = s.walkAll(p)
	p.agenda.push(task{walk: p.all})
}

// clear takes everything off the agenda.
func (p *party) clear() {
	for _, t := range append(p.agenda, p.spill...) {
		if t.offer != nil {
			t.offer.queued = false
		} else {
			t.walk.done = true
		}
	}
	clear(p.agenda)
	clear(p.spill)
	clear(p.walks)
	p.agenda, p.spill = p.agenda[:0], p.spill[:0]
	p.news = 0
	p.all = nil
}

// fresh reports whether a walk over everything is about to begin, so that nothing
// need be added.
func (p *party) fresh() bool { return p.all != nil && p.all.at == (rank{}) }

// crowded counts an entry that comes from outside of a pass, and reports whether
// it is needless, since everything is to be walked anyway.
func (p *party) crowded(s *Scheduler) bool {
	if p.news++; p.news > s.tune.news || len(p.agenda) > 2*len(s.shapes)+s.tune.news {
		p.everything(s)
	}
	return p.fresh()
}

// enqueue puts an offer with ready jobs on the agenda.
func (p *party) enqueue(s *Scheduler, o *offer) {
	if !p.crowded(s) {
		p.agenda.queue(o)
	}
}

// queue adds an offer with ready jobs.
func (a *agenda) queue(o *offer) {
	o.queued, o.at = true, o.rank()
	a.push(task{at: o.at, offer: o})
}

// add puts a walk on the agenda, at its beginning.
func (p *party) add(s *Scheduler, w *walker) {
	if !p.crowded(s) {
		p.agenda.push(task{at: w.at, walk: w})
	}
}

// wake puts a worker that may have become freer on the agendas.
func (s *Scheduler) wake(w *worker) {
	if !w.takes() {
		return
	}
	reach := w.reach()
	for _, c := range w.classes {
		c.reconsider(&reach)
	}
	for _, p := range s.parties {
		p.wake(s, w)
	}
}

func (p *party) wake(s *Scheduler, w *worker) {
	old := p.walks[w]
	if p.fresh() || old != nil && old.at == (rank{}) || p.commands.n == 0 && old == nil {
		return
	}
	p.stop(w)
	if len(p.walks) >= s.tune.walks {
		p.everything(s)
	}
	if p.crowded(s) {
		return
	}
	if walk := s.walkWorker(p, w); walk.order != nil || len(walk.open) > 0 {
		p.walks[w] = walk
		p.agenda.push(task{walk: walk})
	}
}

// stop takes a worker's walks off the agendas.
func (s *Scheduler) stop(w *worker) {
	for _, p := range s.parties {
		p.stop(w)
	}
}

func (p *party) stop(w *worker) {
	if walk := p.walks[w]; walk != nil {
		walk.done = true
		delete(p.walks, w)
	}
}
