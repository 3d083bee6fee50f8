package client

import (
	"context"
	"time"

	"github.com/muster-queue/muster/api"
	musterv1 "github.com/muster-queue/muster/api/muster/v1"
)

// Scheduler is what the dispatcher of a pool calls: one that has tasks and workers
// of its own and lets muster decide what runs where. All its calls are safe to
// repeat, and are repeated.
type Scheduler struct {
	n    *Namespace
	pool string
}

// Scheduler is the external scheduler's pool of that name, whether it exists or
// not.
func (n *Namespace) Scheduler(pool string) *Scheduler { return &Scheduler{n: n, pool: pool} }

// IdleWorker is a worker that has nothing to do.
type IdleWorker struct {
	ID     string
	Labels []string
}

// TaskAssignment is what a worker should run.
type TaskAssignment struct {
	Worker, Task string
	// Provision: it has not all labels that the task prefers, and is to be given
	// them first.
	Provision bool
}

// AssignTasks tells which workers were idle at a time (zero: now), at most 1000,
// and what each should run, if anything. An assignment is told again until the
// task is known to run there.
func (s *Scheduler) AssignTasks(ctx context.Context, at time.Time, idle ...IdleWorker) ([]TaskAssignment, error) {
	m := &musterv1.AssignTasksRequest{Namespace: s.n.name, SchedulerId: s.pool, Time: api.FromTime(at)}
	for _, w := range idle {
		m.IdleBots = append(m.IdleBots, &musterv1.IdleBot{BotId: w.ID, Dimensions: w.Labels})
	}
	answer, err := call(ctx, s.n.c, s.n.c.scheduler.AssignTasks, m)
	var list []TaskAssignment
	for _, a := range answer.GetAssignments() {
		list = append(list, TaskAssignment{Worker: a.BotId, Task: a.TaskId, Provision: a.SliceNumber > 0})
	}
	return list, err
}

// TaskState is how a task stands; what matters are its first four of eight bits.
type TaskState = musterv1.TaskSpec_State

// States of tasks, one of each category.
const (
	TaskWaiting TaskState = musterv1.TaskSpec_PENDING
	TaskRunning TaskState = musterv1.TaskSpec_RUNNING
	// TaskStopped: it ended before it was done, and may wait again.
	TaskStopped  TaskState = musterv1.TaskSpec_PREEMPTED
	TaskComplete TaskState = musterv1.TaskSpec_COMPLETED
	TaskNeverRan TaskState = musterv1.TaskSpec_CANCELED
)

// TaskNews is how a task stood at a time (zero: now).
type TaskNews struct {
	Time time.Time
	ID   string
	// Tags are any words; "qs_account:NAME" says who pays.
	Tags []string
	// Labels its worker must have, and those that it had better have, for it can be
	// given them; of a task that waits.
	Labels, Prefer []string
	State          TaskState
	// Worker that it runs on.
	Worker string
	// Enqueued is since when it waits (zero: since Time).
	Enqueued time.Time
}

// NotifyTasks tells how tasks stand, at most 10,000, in any order.
func (s *Scheduler) NotifyTasks(ctx context.Context, news ...TaskNews) error {
	m := &musterv1.NotifyTasksRequest{Namespace: s.n.name, SchedulerId: s.pool}
	for i := range news {
		m.Notifications = append(m.Notifications, news[i].message())
	}
	_, err := call(ctx, s.n.c, s.n.c.scheduler.NotifyTasks, m)
	return err
}

func (t *TaskNews) message() *musterv1.NotifyTasksItem {
	spec := &musterv1.TaskSpec{
		Id: t.ID, Tags: t.Tags, State: t.State, BotId: t.Worker, EnqueuedTime: api.FromTime(t.Enqueued),
	}
	if t.State == TaskWaiting {
		needed := &musterv1.SliceSpec{Dimensions: t.Labels}
		spec.Slices = []*musterv1.SliceSpec{needed}
		if len(t.Prefer) > 0 {
			best := append(append([]string{}, t.Labels...), t.Prefer...)
			spec.Slices = []*musterv1.SliceSpec{{Dimensions: best}, needed}
		}
	}
	return &musterv1.NotifyTasksItem{Time: api.FromTime(t.Time), Task: spec}
}

// TaskCancellation is a task that is to be stopped, if exactly that one runs.
type TaskCancellation struct {
	// Worker that it may run on; empty if that is not known.
	Worker, Task string
	// Error: something is wrong with it, and it should not be tried again.
	Error bool
	// Why is for people.
	Why string
}

// Cancellations are the tasks that are to be stopped, until they are known to be
// gone.
func (s *Scheduler) Cancellations(ctx context.Context) ([]TaskCancellation, error) {
	m, err := call(ctx, s.n.c, s.n.c.scheduler.GetCancellations, &musterv1.GetCancellationsRequest{Namespace: s.n.name, SchedulerId: s.pool})
	var list []TaskCancellation
	for _, c := range m.GetCancellations() {
		list = append(list, TaskCancellation{
			Worker: c.BotId, Task: c.TaskId, Error: c.Reason == musterv1.GetCancellationsResponse_Cancellation_ERROR, Why: c.ExtraInfo,
		})
	}
	return list, err
}

// Callbacks are the tasks of which news were heard longest ago: those to tell of
// again.
func (s *Scheduler) Callbacks(ctx context.Context) ([]string, error) {
	m, err := call(ctx, s.n.c, s.n.c.scheduler.GetCallbacks, &musterv1.GetCallbacksRequest{Namespace: s.n.name, SchedulerId: s.pool})
	return m.GetTaskIds(), err
}
