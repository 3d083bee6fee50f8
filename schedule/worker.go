package schedule

import (
	"slices"
	"strconv"
	"strings"

	"github.com/muster-queue/muster/job"
)

// worker is a worker and what it holds. One that is not present was dropped, or
// not announced since the start, but still holds attempts.
type worker struct {
	id       job.WorkerID
	present  bool
	agent    bool
	closed   bool
	bounded  bool // it said what it has
	names    job.Labels
	labels   []labelID // the same, sorted
	until    job.Time
	prefetch int

	capacity, free amounts // free is less than nothing with jobs prefetched
	sizeKey        string
	holds          []*hold
	backlog        int    // prefetched jobs among them
	preempted      uint64 // the pass that last found a victim here

	number   uint32 // of an agent; freed numbers are given again
	classes  []*class
	member   set // the same by class number
	reserved *reservation

	// Filed in its classes as free under key with vec, and when it may be given
	// more than that, as spare under spareKey with room.
	key      rank
	vec      vec
	spared   bool
	spareKey rank
	room     vec
}

// takes reports whether jobs may be pushed to the worker.
func (w *worker) takes() bool { return w.present && w.agent && !w.closed }

// columnsOf is what a worker with these amounts has, as far as columns tell.
func columnsOf(a *amounts) vec {
	v := vec{colRest: a.largestRest(), colUntil: always, colStart: always}
	copy(v[:named], a.col[:])
	return v
}

// SetWorker makes a worker known or changes it. What it holds stays.
func (s *Scheduler) SetWorker(id job.WorkerID, def Worker) {
	w := s.workerOf(id)
	capacity := amountsOf(def.Capacity)
	labels := s.labels.intern(def.Labels)
	if w.present && w.alike(&def, &capacity, labels) {
		if w.until == def.Until && w.prefetch == def.Prefetch {
			return
		}
		w.until, w.prefetch = def.Until, def.Prefetch
		s.refileWorker(w)
		s.replan(w)
		s.wake(w)
		return
	}
	s.retire(w)
	w.present, w.agent, w.closed = true, def.Agent, def.Closed
	w.bounded = def.Agent || def.Capacity != nil
	s.labels.hold(labels)
	s.labels.drop(w.labels)
	w.names, w.labels, w.until, w.prefetch = s.labels.names(labels), labels, def.Until, def.Prefetch
	w.capacity, w.free = capacity, capacity.clone()
	w.sizeKey = capacity.key()
	for _, h := range w.holds {
		w.free.add(&h.demand.amounts, -1)
		if s.uncountLabels(h); h.share == 0 {
			h.share = shareOf(h.demand, w)
		}
		h.countLabels()
	}
	s.enrol(w)
}

// DropWorker forgets a worker that is gone. Attempts it held stay counted for
// their queues until they are released.
func (s *Scheduler) DropWorker(id job.WorkerID) {
	if w := s.workers[id]; w != nil {
		s.retire(w)
		s.labels.drop(w.labels)
		w.present, w.closed, w.names, w.labels = false, false, nil, nil
		s.forget(w)
	}
}

// forget removes a worker that is neither present nor holds anything.
func (s *Scheduler) forget(w *worker) {
	if !w.present && len(w.holds) == 0 {
		delete(s.workers, w.id)
	}
}

func (s *Scheduler) workerOf(id job.WorkerID) *worker {
	w := s.workers[id]
	if w == nil {
		w = &worker{id: id}
		s.workers[id] = w
	}
	return w
}

// alike reports whether the definition changes neither class nor capacity.
func (w *worker) alike(def *Worker, capacity *amounts, labels []labelID) bool {
	return w.agent == def.Agent && w.closed == def.Closed && w.bounded == (def.Agent || def.Capacity != nil) &&
		w.sizeKey == capacity.key() && slices.Equal(w.labels, labels)
}

// key is the same for equal amounts.
func (a *amounts) key() string {
	var b strings.Builder
	for _, v := range a.col {
		b.WriteString(strconv.FormatInt(v, 36))
		b.WriteByte(' ')
	}
	for _, x := range a.rest {
		b.WriteString(x.name + "=" + strconv.FormatInt(x.v, 36) + " ")
	}
	return b.String()
}

// enrol files an agent in its classes and wakes it.
func (s *Scheduler) enrol(w *worker) {
	if !w.takes() {
		return
	}
	s.agents = append(s.agents, w)
	s.numberAgent(w)
	w.measure()
	s.admit(w, s.anyone)
	s.labels.join(w, func(c *class) { s.admit(w, c) })
	if len(w.holds) > 0 {
		s.encourage()
	}
	s.wake(w)
}

// numberAgent gives an agent a number as small as possible.
func (s *Scheduler) numberAgent(w *worker) {
	if n := len(s.freeAgents); n > 0 {
		w.number = s.freeAgents[n-1]
		s.freeAgents = s.freeAgents[:n-1]
		s.numbered[w.number] = w
		return
	}
	w.number = uint32(len(s.numbered))
	s.numbered = append(s.numbered, w)
}

// retire takes an agent out of its classes and ends what was planned with it.
func (s *Scheduler) retire(w *worker) {
	if !w.takes() {
		return
	}
	s.giveBackAll(w)
	if w.reserved != nil {
		s.cancelReservation(w.reserved.shape)
	}
	for _, c := range w.classes {
		s.expel(w, c)
	}
	s.labels.leave(w)
	s.numbered[w.number] = nil
	s.freeAgents = append(s.freeAgents, w.number)
	w.classes, w.member = nil, nil
	i := slices.Index(s.agents, w)
	s.agents = slices.Delete(s.agents, i, i+1)
	if s.search != nil {
		s.search.without(w, i)
	}
	s.stop(w)
}

// measure brings up to date what the worker is filed under.
func (w *worker) measure() {
	w.vec = columnsOf(&w.free)
	if w.until != 0 {
		w.vec[colUntil] = int64(w.until)
	}
	if w.reserved != nil {
		w.vec[colStart] = int64(w.reserved.start)
	}
	w.key = rank{place: uint64(w.free.size()), seq: uint64(len(w.labels))<<32 | uint64(w.id)}
	w.spared = w.prefetch > w.backlog && w.reserved == nil
	w.spareKey = rank{place: uint64(w.backlog), seq: uint64(w.id)}
	w.room = columnsOf(&w.capacity)
	w.room[colUntil] = w.vec[colUntil]
}

// refileWorker files a worker anew in its classes after something changed.
func (s *Scheduler) refileWorker(w *worker) {
	if len(w.classes) == 0 {
		return
	}
	key, vec := w.key, w.vec
	spared, spareKey, room := w.spared, w.spareKey, w.room
	w.measure()
	moved := key != w.key || vec != w.vec
	lent := spared != w.spared || w.spared && (spareKey != w.spareKey || room != w.room)
	for _, c := range w.classes {
		if moved {
			c.free.remove(key)
			c.free.insert(w.key, w.vec, w)
		}
		if lent && spared {
			c.spare.remove(spareKey)
		}
		if lent && w.spared {
			c.spare.insert(w.spareKey, w.room, w)
		}
	}
}

// reach is the most a job may need to be given to the worker now, reservations
// apart.
func (w *worker) reach() vec {
	v := w.vec
	if w.spared {
		v.raise(&w.room)
	}
	return v
}
