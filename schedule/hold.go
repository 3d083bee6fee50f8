package schedule

import (
	"fmt"

	"github.com/muster-queue/muster/job"
)

// hold is an attempt that is accounted: on its queue, and on its worker.
type hold struct {
	seq        job.Seq
	shape      job.ShapeID
	queue      *queue
	demand     *demand
	worker     *worker // nil when nobody in particular holds it
	pos        int     // in worker.holds
	ends       job.Time
	prefetched bool
}

// Hold accounts an attempt that was granted (after a reload), or changes one:
// a prefetched job that started, a start that was later than the grant. Pass and
// Pull hold what they place. The shape must be defined; a later change of it
// does not matter to what is held.
func (s *Scheduler) Hold(h Held) {
	old := s.held[h.Seq]
	if old != nil && old.is(&h) {
		s.update(old, &h)
		return
	}
	if old != nil {
		s.Release(h.Seq)
	}
	sh := s.shapes[h.Shape]
	if sh == nil {
		panic(fmt.Sprintf("schedule: job %d held with undefined shape %d", h.Seq, h.Shape))
	}
	var w *worker
	if h.Worker != 0 {
		w = s.workerOf(h.Worker)
	}
	s.hold(sh, w, &h)
}

// is reports whether the attempt is of that shape on that worker.
func (o *hold) is(h *Held) bool {
	if o.worker == nil {
		return h.Worker == 0 && o.shape == h.Shape
	}
	return o.worker.id == h.Worker && o.shape == h.Shape
}

// update changes start and kind of an attempt.
func (s *Scheduler) update(o *hold, h *Held) {
	o.ends = o.demand.ends(h.Since)
	w := o.worker
	if w == nil {
		return
	}
	if o.prefetched != h.Prefetched {
		o.prefetched = h.Prefetched
		if h.Prefetched {
			w.backlog++
		} else {
			w.backlog--
		}
		s.refileWorker(w)
		s.wake(w)
	}
	s.replan(w)
}

func (s *Scheduler) hold(sh *shape, w *worker, h *Held) {
	o := &hold{
		seq: h.Seq, shape: sh.id, queue: sh.lane.queue, demand: sh.demand, worker: w,
		ends: sh.demand.ends(h.Since), prefetched: h.Prefetched,
	}
	s.held[h.Seq] = o
	s.count(o.queue, 1)
	if w == nil {
		return
	}
	o.pos = len(w.holds)
	w.holds = append(w.holds, o)
	w.free.add(&o.demand.amounts, -1)
	if o.prefetched {
		w.backlog++
	}
	s.refileWorker(w)
	s.replan(w)
}

// Release ends the account of an attempt; false if it was not held.
func (s *Scheduler) Release(seq job.Seq) bool {
	o := s.held[seq]
	if o == nil {
		return false
	}
	delete(s.held, seq)
	s.count(o.queue, -1)
	s.discard(o.queue)
	w := o.worker
	if w == nil {
		return true
	}
	last := len(w.holds) - 1
	w.holds[o.pos] = w.holds[last]
	w.holds[o.pos].pos = o.pos
	w.holds[last] = nil
	w.holds = w.holds[:last]
	w.free.add(&o.demand.amounts, 1)
	if o.prefetched {
		w.backlog--
	}
	s.refileWorker(w)
	s.replan(w)
	s.wake(w)
	s.forget(w)
	return true
}
