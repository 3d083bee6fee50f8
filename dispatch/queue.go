package dispatch

import (
	"cmp"
	"slices"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/muster-queue/muster/dispatch/dispatchpb"
	"github.com/muster-queue/muster/job"
)

// workerQueue is a decision that its worker has not acknowledged.
type workerQueue struct {
	enqueued time.Time
	assign   RequestID
	// aborts are the tasks that the worker may be running and is to stop, the latest
	// first: when a task that nobody has collected is preempted in its turn, what is
	// really running there is still the earlier one.
	aborts []RequestID
	// untold: the worker did not come for it yet, so it cannot be running there.
	untold bool
}

// WorkerQueue is a decision that its worker has not acknowledged.
type WorkerQueue struct {
	WorkerID     WorkerID
	EnqueueTime  time.Time
	TaskToAssign RequestID
	// TasksToAbort are what the worker may be running and is to stop, the latest first.
	TasksToAbort []RequestID
	// Told is whether the worker came for the task.
	Told bool
}

// WorkerQueues are all decisions that are not acknowledged, by worker.
func (r *Reconciler) WorkerQueues() []WorkerQueue {
	all := make([]WorkerQueue, 0, len(r.queues))
	for id, q := range r.queues {
		all = append(all, WorkerQueue{id, q.enqueued, q.assign, slices.Clone(q.aborts), !q.untold})
	}
	slices.SortFunc(all, func(a, b WorkerQueue) int { return cmp.Compare(a.WorkerID, b.WorkerID) })
	return all
}

// spare takes a task off those that the worker is to stop.
func (q *workerQueue) spare(id RequestID) {
	q.aborts = slices.DeleteFunc(q.aborts, func(o RequestID) bool { return o == id })
	if len(q.aborts) == 0 {
		q.aborts = nil
	}
}

// ToProto describes the reconciler with all it knows.
func (r *Reconciler) ToProto() *dispatchpb.Reconciler {
	p := &dispatchpb.Reconciler{
		WorkerQueues: make(map[string]*dispatchpb.WorkerQueue, len(r.queues)), TaskErrors: make(map[string]string, len(r.errors)),
	}
	for id, q := range r.queues {
		p.WorkerQueues[string(id)] = q.encode()
	}
	for id, text := range r.errors {
		p.TaskErrors[string(id)] = text
	}
	return p
}

func (q *workerQueue) encode() *dispatchpb.WorkerQueue {
	p := &dispatchpb.WorkerQueue{EnqueueTime: timestamppb.New(q.enqueued), TaskToAssign: string(q.assign), Untold: q.untold}
	for i, id := range q.aborts {
		if i == 0 {
			p.TaskToAbort = string(id)
		} else {
			p.EarlierTasksToAbort = append(p.EarlierTasksToAbort, string(id))
		}
	}
	return p
}

// NewFromProto makes the reconciler that ToProto described. Errors: Invalid.
func NewFromProto(p *dispatchpb.Reconciler) (*Reconciler, error) {
	r := New()
	for id, q := range p.GetWorkerQueues() {
		if err := r.load(WorkerID(id), q); err != nil {
			return nil, job.Wrap(err, "worker queue", id)
		}
	}
	for id, text := range p.GetTaskErrors() {
		if err := r.AddTaskError(RequestID(id), textError(text)); err != nil {
			return nil, err
		}
	}
	return r, nil
}

// textError is an error that was a text.
type textError string

func (e textError) Error() string { return string(e) }

// load files a decision as it was stored.
func (r *Reconciler) load(id WorkerID, p *dispatchpb.WorkerQueue) error {
	q := &workerQueue{assign: RequestID(p.GetTaskToAssign()), untold: p.GetUntold()}
	if err := job.CheckName("worker", string(id)); err != nil {
		return err
	}
	if n := len(p.GetEarlierTasksToAbort()); n > job.MaxList {
		return job.Errorf(job.Invalid, "%d earlier tasks to abort; at most %d", n, job.MaxList)
	}
	names := append([]string{p.GetTaskToAssign(), p.GetTaskToAbort()}, p.GetEarlierTasksToAbort()...)
	for i, name := range names {
		if i < 2 && name == "" {
			continue
		}
		if err := job.CheckName("task", name); err != nil {
			return err
		}
		if id := RequestID(name); i > 0 && id != q.assign && !slices.Contains(q.aborts, id) {
			q.aborts = append(q.aborts, id)
		}
	}
	var err error
	if q.enqueued, err = timeIn("enqueue_time", p.GetEnqueueTime(), unixZero); err != nil {
		return err
	}
	r.put(id, q)
	return nil
}
