package dispatch

import (
	"cmp"
	"slices"
	"time"

	"github.com/muster-queue/muster/job"
	"github.com/muster-queue/muster/schedule"
)

// Worker is a worker as far as is known.
type Worker struct {
	ID     WorkerID
	Labels Labels // sorted
	// Running is what it runs; nil: it is idle.
	Running *TaskRun
	// ConfirmedTime is that of the latest news of it. ModifiedTime is when it became
	// idle or got other labels, by the scheduler's clock.
	ConfirmedTime, ModifiedTime time.Time
}

// TaskRun is a task on a worker.
type TaskRun struct {
	Request  TaskRequest
	Priority Priority
	// Cost is what it has cost so far.
	Cost Balance
}

// worker is a worker that is known.
type worker struct {
	id     WorkerID
	number job.WorkerID
	labels Labels // sorted
	run    *request

	confirmed, modified time.Time
}

func (w *worker) confirm(t time.Time) { w.confirmed = later(w.confirmed, t) }

// latest is the time of the latest news of the worker or what it runs.
func (w *worker) latest() time.Time {
	if w.run == nil {
		return w.confirmed
	}
	return later(w.confirmed, w.run.confirmed)
}

// enrol makes a worker known, with its set of labels.
func (s *Scheduler) enrol(id WorkerID, labels Labels, confirmed, modified time.Time) *worker {
	w := &worker{id: id, number: job.WorkerID(s.numbers.take()), confirmed: confirmed, modified: modified}
	s.workers[id], s.byNumber[w.number] = w, w
	s.label(w, labels)
	return w
}

// label gives a worker its set of labels.
func (s *Scheduler) label(w *worker, labels Labels) {
	w.labels = slices.Clone(labels)
	s.core.SetWorker(w.number, schedule.Worker{Labels: w.labels, Capacity: oneSlot(), Agent: true})
}

// drop forgets a worker, which is idle.
func (s *Scheduler) drop(w *worker) {
	s.core.DropWorker(w.number)
	s.numbers.give(uint32(w.number))
	delete(s.workers, w.id)
	delete(s.byNumber, w.number)
	s.touchWorker(w)
}

func (s *Scheduler) touchWorker(w *worker) { s.journal.touch(workerRecord, string(w.id)) }

// expire forgets idle workers without news for too long. They are gone through only
// when one of them may be due.
func (s *Scheduler) expire() {
	if s.now.Sub(s.stalest) <= s.cfg.BotExpiration {
		return
	}
	s.stalest = lastTime
	var due []*worker
	for _, w := range s.workers {
		switch {
		case w.run != nil:
		case s.now.Sub(w.confirmed) > s.cfg.BotExpiration:
			due = append(due, w)
		default:
			s.watch(w)
		}
	}
	slices.SortFunc(due, func(a, b *worker) int { return cmp.Compare(a.id, b.id) })
	for _, w := range due {
		s.drop(w)
	}
}

// watch sees to it that a worker that is idle expires.
func (s *Scheduler) watch(w *worker) {
	if w.confirmed.Before(s.stalest) {
		s.stalest = w.confirmed
	}
}

// watchIdle sees to it that all workers that are idle expire.
func (s *Scheduler) watchIdle() {
	for _, w := range s.workers {
		if w.run == nil {
			s.watch(w)
		}
	}
}

// GetWorkers are all workers.
func (s *Scheduler) GetWorkers() map[WorkerID]Worker {
	all := make(map[WorkerID]Worker, len(s.workers))
	for id, w := range s.workers {
		all[id] = s.show(w)
	}
	return all
}

// GetWorker is a worker.
func (s *Scheduler) GetWorker(id WorkerID) (Worker, bool) {
	w := s.workers[id]
	if w == nil {
		return Worker{}, false
	}
	return s.show(w), true
}

func (s *Scheduler) show(w *worker) Worker {
	o := Worker{ID: w.id, Labels: slices.Clone(w.labels), ConfirmedTime: w.confirmed, ModifiedTime: w.modified}
	if w.run != nil {
		cost, priority := s.cost(w.run)
		o.Running = &TaskRun{Request: w.run.task(), Priority: priority, Cost: cost}
	}
	return o
}
