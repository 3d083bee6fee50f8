package schedule

// tuning are the sizes at which one way of working gives way to another. Tests
// set small ones, to go both ways.
type tuning struct {
	// news is how many single entries the agenda takes between passes, and walks
	// for how many workers at a time; with more, one walk over everything
	// replaces them.
	news, walks int
	// lanes of a queue that opens again are walked one by one up to this number.
	lanes int
	// listed is up to how many shapes of the kinds asked for are gone through one
	// by one; with more, the order of service is walked and others passed over.
	listed int
	// indexed is how many jobs one call adds to the index by group.
	indexed int
}

var defaultTuning = tuning{news: 1024, walks: 256, lanes: 64, listed: 1024, indexed: 50_000}

// task is an entry of the agenda: a shape whose first job is to be placed, or a
// walk that goes on, at the position at which its turn comes. A task that is not
// at the position its shape or walk says is out of date.
type task struct {
	at    rank
	shape *shape
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

// everything puts a walk over all ready shapes on the agenda in place of all that
// stands there.
func (s *Scheduler) everything() {
	if s.fresh() {
		return
	}
	s.clearAgenda()
	s.all = s.walkAll()
	s.agenda.push(task{walk: s.all})
}

// clearAgenda takes everything off the agenda.
func (s *Scheduler) clearAgenda() {
	for _, t := range s.agenda {
		if t.shape != nil {
			t.shape.queued = false
		} else if w := t.walk.worker; w != nil {
			s.stop(w)
		}
	}
	clear(s.agenda)
	s.agenda = s.agenda[:0]
	s.news = 0
	s.all = nil
}

// fresh reports whether a walk over everything is about to begin, so that nothing
// need be added.
func (s *Scheduler) fresh() bool { return s.all != nil && s.all.at == (rank{}) }

// crowded counts an entry that comes from outside of a pass, and reports whether
// it is needless, since everything is to be walked anyway.
func (s *Scheduler) crowded() bool {
	if s.news++; s.news > s.tune.news || len(s.agenda) > 2*len(s.shapes)+s.tune.news {
		s.everything()
	}
	return s.fresh()
}

// enqueue puts a shape with ready jobs on the agenda.
func (s *Scheduler) enqueue(sh *shape) {
	if !s.crowded() {
		s.requeue(sh)
	}
}

// requeue is enqueue within a pass.
func (s *Scheduler) requeue(sh *shape) {
	sh.queued, sh.at = true, sh.rank()
	s.agenda.push(task{at: sh.at, shape: sh})
}

// add puts a walk on the agenda, at its beginning.
func (s *Scheduler) add(w *walker) {
	if !s.crowded() {
		s.agenda.push(task{at: w.at, walk: w})
	}
}

// wake puts a worker that may have become freer on the agenda.
func (s *Scheduler) wake(w *worker) {
	if !w.takes() {
		return
	}
	reach := w.reach()
	for _, c := range w.classes {
		c.reconsider(&reach)
	}
	if s.fresh() || w.walk != nil && w.walk.at == (rank{}) {
		return
	}
	s.stop(w)
	if s.walking >= s.tune.walks {
		s.everything()
	}
	if s.crowded() {
		return
	}
	w.walk = s.walkWorker(w)
	s.walking++
	s.agenda.push(task{walk: w.walk})
}

// stop takes a worker's walk off the agenda.
func (s *Scheduler) stop(w *worker) {
	if w.walk != nil {
		w.walk.done = true
		w.walk = nil
		s.walking--
	}
}
