package dispatch

import (
	"slices"
	"time"

	"github.com/muster-queue/muster/job"
)

// AddRequest tells that a task was waiting at a time. One that is not known is
// queued. One that seems to be running is queued anew, unless there are later news
// of it or of its worker; the worker is forgotten. Errors: Invalid.
func (s *Scheduler) AddRequest(req *TaskRequest, t time.Time, tags []string, events EventSink) error {
	if err := req.Validate(); err != nil {
		return err
	}
	t = normal(t)
	r := s.requests[req.ID]
	switch {
	case r == nil:
	case r.worker == nil:
		r.confirm(t)
		s.touchRequest(r)
		return nil
	case t.Before(r.confirmed) || t.Before(r.worker.confirmed):
		return nil
	default:
		w := r.worker
		s.forget(r)
		s.drop(w)
	}
	fresh := *req
	fresh.ConfirmedTime, fresh.ExaminedTime = t, unixZero
	r = s.enter(&fresh)
	s.queue(r)
	if listening(events) {
		e := s.event(Enqueued, r, nil, t)
		e.Tags = slices.Clone(tags)
		events.AddEvent(e)
	}
	return nil
}

// MarkIdle tells that a worker was idle at a time, and its labels. What it seemed to
// run has ended. Earlier news than what is known is ignored. Errors: Invalid.
func (s *Scheduler) MarkIdle(id WorkerID, labels Labels, t time.Time, events EventSink) error {
	if err := checkWorker(id, labels); err != nil {
		return err
	}
	t = normal(t)
	sorted := setOf(labels)
	w := s.workers[id]
	if w == nil {
		w = s.enrol(id, sorted, t, s.now)
		s.watch(w)
		s.touchWorker(w)
		return nil
	}
	if t.Before(w.latest()) {
		return nil
	}
	if r := w.run; r != nil {
		s.complete(r, BotIdle, t, events, nil)
		w.modified = s.now
	}
	if !slices.Equal(sorted, w.labels) {
		s.label(w, sorted)
		w.modified = s.now
	}
	w.confirm(t)
	s.watch(w)
	s.touchWorker(w)
	return nil
}

func checkWorker(id WorkerID, labels Labels) error {
	if err := job.CheckName("worker", string(id)); err != nil {
		return err
	}
	return job.Wrap(checkLabels("labels", labels), "worker", string(id))
}

// NotifyTaskRunning tells that a task was running on a worker at a time. One that
// waits here runs there from now on. What contradicts the news, and is not later, is
// forgotten. Errors: Invalid.
func (s *Scheduler) NotifyTaskRunning(id RequestID, worker WorkerID, t time.Time, events EventSink) error {
	if err := job.CheckName("task", string(id)); err != nil {
		return err
	}
	if err := job.CheckName("worker", string(worker)); err != nil {
		return job.Wrap(err, "running task", string(id))
	}
	t = normal(t)
	r, w := s.requests[id], s.workers[worker]
	switch {
	case r == nil:
		s.contradict(w, id, t, events)
	case t.Before(r.confirmed):
	case r.worker == nil:
		s.find(r, worker, t, events)
	case r.worker == w:
		r.confirm(t)
		w.confirm(t)
		s.touchRequest(r)
		s.touchWorker(w)
	default:
		other := r.worker
		s.complete(r, InconsistentBotForTask, t, events, func(e *Event) { e.OtherWorker = worker })
		s.drop(other)
		s.contradict(w, id, t, events)
	}
	return nil
}

// contradict forgets a worker that turned out to run something else than was known.
func (s *Scheduler) contradict(w *worker, id RequestID, t time.Time, events EventSink) {
	if w != nil && !t.Before(w.latest()) {
		s.endOther(w, id, t, events)
		s.drop(w)
	}
}

// endOther forgets what a worker runs, since it turned out to run something else.
func (s *Scheduler) endOther(w *worker, id RequestID, t time.Time, events EventSink) {
	if w.run != nil {
		s.complete(w.run, InconsistentTaskForBot, t, events, func(e *Event) { e.OtherTask = id })
	}
}

// find makes a request that was queued run on the worker where it turned out to. When
// there are later news of that worker, it has ended there by now.
func (s *Scheduler) find(r *request, worker WorkerID, t time.Time, events EventSink) {
	w := s.workers[worker]
	if w != nil && t.Before(w.latest()) {
		s.complete(r, InconsistentBotForTask, t, events, func(e *Event) { e.OtherWorker = worker })
		return
	}
	if w == nil {
		w = s.enrol(worker, nil, t, s.now)
	}
	s.endOther(w, r.id, t, events)
	level, _ := s.core.Standing(r.shape.id)
	s.withdraw(r)
	s.run(r, w, s.charge(level, Balance{}))
	r.confirm(t)
	w.confirm(t)
	s.touchWorker(w)
}

// NotifyTaskAbsent tells that a task was neither waiting nor running at a time. If it
// seemed to run, its worker is forgotten too: it comes back when it is idle. Later
// news prevail. Errors: Invalid.
func (s *Scheduler) NotifyTaskAbsent(id RequestID, t time.Time, events EventSink) error {
	if err := job.CheckName("task", string(id)); err != nil {
		return err
	}
	t = normal(t)
	r := s.requests[id]
	if r == nil || t.Before(r.confirmed) {
		return nil
	}
	w := r.worker
	switch {
	case w == nil:
		s.complete(r, IdleTaskAbsent, t, events, nil)
	case !t.Before(w.confirmed):
		s.complete(r, RunningTaskAbsent, t, events, nil)
		s.drop(w)
	}
	return nil
}

// complete forgets a request and tells why; with adds to the event.
func (s *Scheduler) complete(r *request, reason CompletedReason, t time.Time, events EventSink, with func(*Event)) {
	if listening(events) {
		e := s.event(Completed, r, r.worker, t)
		e.Reason = reason
		if with != nil {
			with(&e)
		}
		events.AddEvent(e)
	}
	s.forget(r)
}

// Unassign takes a request off its worker and puts it back on the queue, unless it was
// enqueued too long before t. The worker is forgotten. Errors: Conflict, if the
// request does not run there; then nothing changes.
func (s *Scheduler) Unassign(id RequestID, worker WorkerID, t time.Time, events EventSink) error {
	if !s.IsAssigned(id, worker) {
		return job.Errorf(job.Conflict, "task %q is not assigned to worker %q", id, worker)
	}
	r := s.requests[id]
	w := r.worker
	if listening(events) {
		events.AddEvent(s.event(Unassigned, r, w, normal(t)))
	}
	if normal(t).Sub(r.enqueued) > s.cfg.RequestExpiration {
		s.forget(r)
	} else {
		s.free(r)
		s.queue(r)
	}
	s.drop(w)
	return nil
}
