package dispatch

import "time"

// IdleWorker is a worker that asks what to do.
type IdleWorker struct {
	ID     WorkerID
	Labels Labels
}

// Validate checks a worker. Errors: Invalid.
func (w *IdleWorker) Validate() error { return checkWorker(w.ID, w.Labels) }

// Assignment is what a worker is to run.
type Assignment struct {
	WorkerID  WorkerID
	RequestID RequestID
	// ProvisionRequired: the worker lacks labels that the task had better have.
	ProvisionRequired bool
}

// Cancellation is a task that is to be stopped. A worker must stop it only if it is
// running exactly that.
type Cancellation struct {
	// WorkerID is empty where something is wrong with the task itself.
	WorkerID  WorkerID
	RequestID RequestID
	// ErrorMessage says what is wrong; empty: the task was preempted.
	ErrorMessage string
}

// TaskWaitingRequest tells that a task was waiting at a time.
type TaskWaitingRequest struct {
	AccountID           AccountID
	BaseLabels          Labels
	EnqueueTime         time.Time
	ProvisionableLabels Labels
	RequestID           RequestID
	// Tags are told with the event of its being enqueued.
	Tags []string
	Time time.Time
}

// TaskRunningRequest tells that a task was running on a worker at a time.
type TaskRunningRequest struct {
	RequestID RequestID
	Time      time.Time
	WorkerID  WorkerID
}

// TaskAbsentRequest tells that a task was neither waiting nor running at a time.
type TaskAbsentRequest struct {
	RequestID RequestID
	Time      time.Time
	// WorkerID is where it ran; it does not matter.
	WorkerID WorkerID
}
