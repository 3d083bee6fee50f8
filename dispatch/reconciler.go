package dispatch

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"github.com/muster-queue/muster/job"
)

// Reconciler stands between a Scheduler, which decides for workers whether they ask
// or not, and workers that ask. It keeps each decision until it is acknowledged.
//
// The contexts of its methods are for the callers' sake: nothing here waits.
type Reconciler struct {
	queues map[WorkerID]*workerQueue
	errors map[RequestID]string
	// aborting has the workers by what they are to stop.
	aborting map[RequestID][]WorkerID
	// oldest is not after any decision.
	oldest  time.Time
	journal *journal
}

// State is the reconciler under the name that programs written for the original use.
type State = Reconciler

// New makes a reconciler without decisions.
func New() *Reconciler {
	return &Reconciler{
		queues: map[WorkerID]*workerQueue{}, errors: map[RequestID]string{}, aborting: map[RequestID][]WorkerID{}, oldest: lastTime,
	}
}

// AssignTasks tells what workers that are idle at a time are to do: what was decided
// for them before and not acknowledged yet, or else what is decided now. The whole
// pool takes part in that, so what is decided for others waits for them. No workers:
// time passes, and tasks may be preempted.
//
// Workers whose names or labels are not valid (see Validate) get nothing; of a worker
// that is given twice the first counts.
func (r *Reconciler) AssignTasks(_ context.Context, s *Scheduler, t time.Time, events EventSink, workers ...*IdleWorker) []Assignment {
	t = normal(t)
	r.timeOut(s, t, events)
	s.UpdateTime(t)
	workers = distinct(workers)
	for _, w := range workers {
		if q := r.queues[w.ID]; q == nil || !s.IsAssigned(q.assign, w.ID) {
			_ = s.MarkIdle(w.ID, w.Labels, t, events) // they were checked
			r.discard(w.ID)
		}
	}
	for _, d := range s.RunOnce(events) {
		r.decide(&d)
		if d.Type == AssignPreempting && !slices.Contains(r.queues[d.WorkerID].aborts, d.TaskToAbort) {
			// No worker ever heard of it: it waits as before.
			v := s.victims[d.TaskToAbort]
			_ = s.AddRequest(&v, v.ConfirmedTime, nil, events) // it was checked
		}
	}
	var all []Assignment
	for _, w := range workers {
		if q := r.queues[w.ID]; q != nil && q.assign != "" {
			r.tell(w.ID, q)
			all = append(all, Assignment{w.ID, q.assign, s.provisionRequired(q.assign, w.Labels)})
		}
	}
	return all
}

// distinct are the workers that are valid, each once.
func distinct(workers []*IdleWorker) []*IdleWorker {
	list := make([]*IdleWorker, 0, len(workers))
	seen := make(map[WorkerID]struct{}, len(workers))
	for _, w := range workers {
		if w == nil || w.Validate() != nil {
			continue
		}
		if _, again := seen[w.ID]; !again {
			seen[w.ID] = struct{}{}
			list = append(list, w)
		}
	}
	return list
}

// provisionRequired reports whether a worker lacks labels the request prefers.
func (s *Scheduler) provisionRequired(id RequestID, labels Labels) bool {
	r := s.requests[id]
	return r != nil && !within(r.shape.provisionable, setOf(labels))
}

// timeOut takes back the decisions that have waited too long for their workers.
func (r *Reconciler) timeOut(s *Scheduler, t time.Time, events EventSink) {
	if t.Sub(r.oldest) < WorkerQueueTimeout {
		return
	}
	r.oldest = lastTime
	var due []WorkerID
	for id, q := range r.queues {
		if t.Sub(q.enqueued) >= WorkerQueueTimeout {
			due = append(due, id)
		} else {
			r.watch(q)
		}
	}
	slices.Sort(due)
	for _, id := range due {
		// That it is not assigned there any more is as good.
		_ = s.Unassign(r.queues[id].assign, id, t, events)
		r.discard(id)
	}
}

// watch sees to it that a decision times out.
func (r *Reconciler) watch(q *workerQueue) {
	if q.enqueued.Before(r.oldest) {
		r.oldest = q.enqueued
	}
}

// tell notes that a worker came for its task.
func (r *Reconciler) tell(id WorkerID, q *workerQueue) {
	if q.untold {
		q.untold = false
		r.journal.touch(queueRecord, string(id))
	}
}

// decide keeps a decision. What the worker was to stop before it still is, if it is
// preempted again; what it was never told to run it need not stop.
func (r *Reconciler) decide(d *Decision) {
	q := &workerQueue{enqueued: d.Time, assign: d.RequestID, untold: true}
	if d.Type == AssignPreempting {
		old := r.queues[d.WorkerID]
		if old == nil || old.assign != d.TaskToAbort || !old.untold {
			q.aborts = append(q.aborts, d.TaskToAbort)
		}
		if old != nil {
			q.aborts = append(q.aborts, old.aborts...)
		}
		q.spare(q.assign)
	}
	r.discard(d.WorkerID)
	r.put(d.WorkerID, q)
}

// put files a decision for a worker that has none.
func (r *Reconciler) put(id WorkerID, q *workerQueue) {
	r.queues[id] = q
	for _, task := range q.aborts {
		r.aborting[task] = append(r.aborting[task], id)
	}
	r.watch(q)
	r.journal.touch(queueRecord, string(id))
}

// discard forgets the decision for a worker, if there is one.
func (r *Reconciler) discard(id WorkerID) {
	q := r.queues[id]
	if q == nil {
		return
	}
	for _, task := range q.aborts {
		r.unfile(task, id)
	}
	delete(r.queues, id)
	r.journal.touch(queueRecord, string(id))
}

// unfile takes a worker off the list of those that are to stop a task.
func (r *Reconciler) unfile(task RequestID, id WorkerID) {
	list := slices.DeleteFunc(r.aborting[task], func(o WorkerID) bool { return o == id })
	if len(list) == 0 {
		delete(r.aborting, task)
	} else {
		r.aborting[task] = list
	}
}

func noUpdate(state string) error {
	return job.Errorf(job.Invalid, "news that a task is %s, without the news: the update is nil", state)
}

// NotifyTaskWaiting takes the news that a task is waiting. Errors: Invalid.
func (r *Reconciler) NotifyTaskWaiting(_ context.Context, s *Scheduler, events EventSink, update *TaskWaitingRequest) error {
	if update == nil {
		return noUpdate("waiting")
	}
	return s.AddRequest(&TaskRequest{
		ID: update.RequestID, AccountID: update.AccountID, EnqueueTime: update.EnqueueTime,
		BaseLabels: update.BaseLabels, ProvisionableLabels: update.ProvisionableLabels,
	}, update.Time, update.Tags, events)
}

// NotifyTaskRunning takes the news that a task is running, which acknowledges the
// decision for that worker if it is not older, whatever the task is. That a task still
// runs which the worker is to stop is no news. Errors: Invalid.
func (r *Reconciler) NotifyTaskRunning(_ context.Context, s *Scheduler, events EventSink, update *TaskRunningRequest) error {
	if update == nil {
		return noUpdate("running")
	}
	q := r.queues[update.WorkerID]
	if q != nil && slices.Contains(q.aborts, update.RequestID) {
		return nil
	}
	if err := s.NotifyTaskRunning(update.RequestID, update.WorkerID, update.Time, events); err != nil {
		return err
	}
	if q != nil && q.assign == update.RequestID {
		r.tell(update.WorkerID, q)
	}
	if q != nil && !normal(update.Time).Before(q.enqueued) {
		r.discard(update.WorkerID)
	}
	return nil
}

// NotifyTaskAbsent takes the news that a task is gone, which ends its cancellation. Errors:
// Invalid.
func (r *Reconciler) NotifyTaskAbsent(_ context.Context, s *Scheduler, events EventSink, update *TaskAbsentRequest) error {
	if update == nil {
		return noUpdate("absent")
	}
	if err := s.NotifyTaskAbsent(update.RequestID, update.Time, events); err != nil {
		return err
	}
	for _, id := range slices.Clone(r.aborting[update.RequestID]) {
		if q := r.queues[id]; q.enqueued.Before(normal(update.Time)) {
			q.spare(update.RequestID)
			r.unfile(update.RequestID, id)
			r.journal.touch(queueRecord, string(id))
		}
	}
	if _, ok := r.errors[update.RequestID]; ok {
		delete(r.errors, update.RequestID)
		r.journal.touch(errorRecord, string(update.RequestID))
	}
	return nil
}

// AddTaskError notes what is wrong with a task: it is to be cancelled. Errors: Invalid.
func (r *Reconciler) AddTaskError(id RequestID, err error) error {
	if err := job.CheckName("task", string(id)); err != nil {
		return err
	}
	r.errors[id] = errorText(err)
	r.journal.touch(errorRecord, string(id))
	return nil
}

// maxErrorText is how much is kept of what is wrong with a task.
const maxErrorText = 4096

func errorText(err error) string {
	text := "unknown error"
	if err != nil {
		text = err.Error()
	}
	return strings.ToValidUTF8(text[:min(len(text), maxErrorText)], "")
}

// Cancellations are all tasks that are to be stopped, by worker and task. They are told
// until they are known to be gone.
func (r *Reconciler) Cancellations(_ context.Context) []Cancellation {
	var all []Cancellation
	for id, text := range r.errors {
		all = append(all, Cancellation{RequestID: id, ErrorMessage: text})
	}
	for id, q := range r.queues {
		for _, task := range q.aborts {
			all = append(all, Cancellation{WorkerID: id, RequestID: task})
		}
	}
	slices.SortFunc(all, func(a, b Cancellation) int {
		return cmp.Or(cmp.Compare(a.WorkerID, b.WorkerID), cmp.Compare(a.RequestID, b.RequestID))
	})
	return all
}
