package external

import (
	"cmp"
	"context"
	"slices"
	"strconv"
	"time"

	"github.com/muster-queue/muster/dispatch"
	"github.com/muster-queue/muster/job"
)

// Info is a pool with the numbers of what it has.
type Info struct {
	Settings
	// Time is the latest that it was told of.
	Time                             time.Time
	Waiting, Running, Idle, Accounts int64
	// Unacknowledged are the decisions that nobody has acknowledged.
	Unacknowledged, TaskErrors int64
}

// Get is a pool with the numbers of what it has.
func (s *Scheduler) Get(ctx context.Context, namespace, name string) (Info, error) {
	return ask(ctx, s, id{namespace, name}, op{phase: look}, func(t *turn) (Info, error) {
		return t.state.info(), nil
	})
}

func (s *state) info() Info {
	return Info{
		Settings: s.settings, Time: s.Scheduler.Time(), Waiting: int64(s.Scheduler.WaitingRequests()),
		Running: int64(s.Scheduler.RunningRequests()), Idle: int64(s.Scheduler.IdleWorkers()), Accounts: int64(s.Scheduler.Accounts()),
		Unacknowledged: int64(s.Reconciler.Unacknowledged()), TaskErrors: int64(s.Reconciler.TaskErrors()),
	}
}

// details are the numbers as the log has them.
func (i *Info) details() map[string]string {
	d := i.Settings.details()
	for name, n := range map[string]int64{"waiting": i.Waiting, "running": i.Running, "idle_workers": i.Idle, "accounts": i.Accounts} {
		d[name] = strconv.FormatInt(n, 10)
	}
	return d
}

// Wanted says what of a pool is to be shown.
type Wanted struct {
	Tasks, Workers bool
	// Limit is the most rows of each list; zero means 1000.
	Limit int
}

// MaxRows is the most rows of a list of an Inspection.
const (
	MaxRows     = 100_000
	defaultRows = 1000
)

// Inspection is what is in a pool; of each list first that of which news were
// heard longest ago.
type Inspection struct {
	Info
	Running, Waiting []TaskInfo
	Workers          []WorkerInfo
	Decisions        []Decision
	Errors           []TaskError
	// More: some list has more rows.
	More bool
}

// TaskInfo is a task in a pool.
type TaskInfo struct {
	ID, Account string
	// Worker that it runs on, at a level (the last is free), and what it has cost.
	Worker string
	Level  int
	Cost   job.Quota
	// Labels that its worker must have, and those that it had better have.
	Labels, Prefer      []string
	Enqueued, Confirmed time.Time
}

// WorkerInfo is a worker in a pool; Task is what it runs.
type WorkerInfo struct {
	ID        string
	Labels    []string
	Task      string
	Confirmed time.Time
}

// Decision is what a worker is to do and has not been seen to do.
type Decision struct {
	Worker, Task string
	// Abort are the tasks that it may be running and is to stop for that.
	Abort []string
	Since time.Time
}

// TaskError is a task that cannot be scheduled, and why.
type TaskError struct{ Task, Why string }

// Inspect shows what is in a pool.
func (s *Scheduler) Inspect(ctx context.Context, namespace, name string, want Wanted) (*Inspection, error) {
	if want.Limit < 0 || want.Limit > MaxRows {
		return nil, job.Errorf(job.Invalid, "limit: %d; it must be between 0 and %d", want.Limit, MaxRows)
	}
	want.Limit = cmp.Or(want.Limit, defaultRows)
	return ask(ctx, s, id{namespace, name}, op{phase: look}, func(t *turn) (*Inspection, error) {
		return t.state.inspect(want), nil
	})
}

func (s *state) inspect(want Wanted) *Inspection {
	i := &Inspection{Info: s.info()}
	if want.Tasks {
		i.addWaiting(s, want.Limit)
		i.addRunning(s, want.Limit)
		i.addErrors(s)
		first(&i.Errors, &i.More, want.Limit)
	}
	if want.Workers {
		i.addWorkers(s, want.Limit)
		i.addDecisions(s)
		slices.SortStableFunc(i.Decisions, func(a, b Decision) int { return a.Since.Compare(b.Since) })
		first(&i.Decisions, &i.More, want.Limit)
	}
	return i
}

// first leaves a list so many.
func first[T any](list *[]T, more *bool, limit int) {
	if len(*list) > limit {
		*list, *more = (*list)[:limit], true
	}
}

func (i *Inspection) addWaiting(s *state, limit int) {
	few := &stalest{most: limit}
	s.Scheduler.Confirmed(func(id dispatch.RequestID, at time.Time, running bool) {
		if !running {
			few.add(heard{id: string(id), at: at})
		}
	})
	for _, h := range few.sorted() {
		r, _ := s.Scheduler.GetRequest(dispatch.RequestID(h.id))
		i.Waiting = append(i.Waiting, taskInfo(r.ID, &r))
	}
	i.More = i.More || few.more
}

func (i *Inspection) addRunning(s *state, limit int) {
	few := &stalest{most: limit}
	s.Scheduler.ConfirmedWorkers(func(id dispatch.WorkerID, _ time.Time, running dispatch.RequestID, at time.Time) {
		if running != "" {
			few.add(heard{id: string(running), at: at, worker: string(id)})
		}
	})
	for _, h := range few.sorted() {
		w, _ := s.Scheduler.GetWorker(dispatch.WorkerID(h.worker))
		i.Running = append(i.Running, runInfo(w.ID, w.Running))
	}
	i.More = i.More || few.more
}

func (i *Inspection) addWorkers(s *state, limit int) {
	few := &stalest{most: limit}
	s.Scheduler.ConfirmedWorkers(func(id dispatch.WorkerID, at time.Time, _ dispatch.RequestID, _ time.Time) {
		few.add(heard{id: string(id), at: at})
	})
	for _, h := range few.sorted() {
		w, _ := s.Scheduler.GetWorker(dispatch.WorkerID(h.id))
		i.Workers = append(i.Workers, workerInfo(w.ID, &w))
	}
	i.More = i.More || few.more
}

func taskInfo(id dispatch.RequestID, r *dispatch.TaskRequest) TaskInfo {
	return TaskInfo{
		ID: string(id), Account: string(r.AccountID), Labels: r.BaseLabels, Prefer: r.ProvisionableLabels,
		Enqueued: r.EnqueueTime, Confirmed: r.ConfirmedTime,
	}
}

func runInfo(worker dispatch.WorkerID, run *dispatch.TaskRun) TaskInfo {
	t := taskInfo(run.Request.ID, &run.Request)
	t.Worker, t.Level, t.Cost = string(worker), int(run.Priority), job.Quota(run.Cost)
	return t
}

func workerInfo(id dispatch.WorkerID, w *dispatch.Worker) WorkerInfo {
	i := WorkerInfo{ID: string(id), Labels: w.Labels, Confirmed: w.ConfirmedTime}
	if w.Running != nil {
		i.Task = string(w.Running.Request.ID)
	}
	return i
}

func (i *Inspection) addErrors(s *state) {
	for _, c := range s.Reconciler.Cancellations(context.Background()) {
		if c.ErrorMessage != "" {
			i.Errors = append(i.Errors, TaskError{string(c.RequestID), c.ErrorMessage})
		}
	}
}

func (i *Inspection) addDecisions(s *state) {
	for _, q := range s.Reconciler.WorkerQueues() {
		d := Decision{Worker: string(q.WorkerID), Task: string(q.TaskToAssign), Since: q.EnqueueTime}
		for _, task := range q.TasksToAbort {
			d.Abort = append(d.Abort, string(task))
		}
		i.Decisions = append(i.Decisions, d)
	}
}
