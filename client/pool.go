package client

import (
	"context"
	"iter"
	"time"

	"google.golang.org/protobuf/types/known/fieldmaskpb"

	"github.com/muster-queue/muster/api"
	musterv1 "github.com/muster-queue/muster/api/muster/v1"
	"github.com/muster-queue/muster/job"
)

// Pool is a pool of the external scheduler: what one outside dispatcher shares
// out. Its accounts are in Namespace.Accounts, its dispatcher's calls in
// Namespace.Scheduler.
type Pool struct {
	Name string
	// NoPreemption leaves running tasks alone.
	NoPreemption bool
	// WorkerExpiry is after how long without news an idle worker is forgotten;
	// zero means five minutes.
	WorkerExpiry time.Duration
	// Created is when it was made.
	Created time.Time
}

// PoolInfo is a pool with the numbers of what it has.
type PoolInfo struct {
	Pool
	// Time is the latest that it was told of.
	Time                                    time.Time
	Waiting, Running, IdleWorkers, Accounts int64
	// Unacknowledged are decisions that nobody has acknowledged yet.
	Unacknowledged, TaskErrors int64
}

// CreatePool makes a pool; Exists if it is there. It is not repeated: when the
// answer is lost, the outcome is unknown.
func (n *Namespace) CreatePool(ctx context.Context, p *Pool) (*Pool, error) {
	m, err := callOnce(ctx, n.c, n.c.pools.CreatePool, &musterv1.CreatePoolRequest{Namespace: n.name, Pool: fromPool(p)})
	return poolOf(m, err)
}

// SetPool changes the named fields of a pool (none: all): no_preemption,
// worker_expiry.
func (n *Namespace) SetPool(ctx context.Context, p *Pool, fields ...string) (*Pool, error) {
	request := &musterv1.SetPoolRequest{Namespace: n.name, Pool: fromPool(p)}
	if len(fields) > 0 {
		request.UpdateMask = &fieldmaskpb.FieldMask{Paths: fields}
	}
	m, err := call(ctx, n.c, n.c.pools.SetPool, request)
	return poolOf(m, err)
}

// Pool gets a pool; NotFound if it does not exist.
func (n *Namespace) Pool(ctx context.Context, name string) (*PoolInfo, error) {
	m, err := call(ctx, n.c, n.c.pools.GetPool, &musterv1.GetPoolRequest{Namespace: n.name, Pool: name})
	if err != nil {
		return nil, err
	}
	return toPoolInfo(m)
}

// Pools lists the pools, in order of names.
func (n *Namespace) Pools(ctx context.Context) iter.Seq2[*Pool, error] {
	return pages(func(token string) ([]*Pool, string, error) {
		m, err := call(ctx, n.c, n.c.pools.ListPools, &musterv1.ListPoolsRequest{Namespace: n.name, PageSize: maxPage, PageToken: token})
		if err != nil {
			return nil, "", err
		}
		list, err := convert(m.Pools, toPool)
		return list, m.NextPageToken, err
	})
}

// WipePool forgets the tasks, workers and decisions of a pool, takes everything
// off its accounts, and tells how many tasks and workers there were. It is not
// repeated: when the answer is lost, the outcome is unknown.
func (n *Namespace) WipePool(ctx context.Context, name string) (tasks, workers int64, err error) {
	m, err := callOnce(ctx, n.c, n.c.pools.WipePool, &musterv1.WipePoolRequest{Namespace: n.name, Pool: name})
	return m.GetTasks(), m.GetWorkers(), err
}

// DeletePool removes a pool with all that it has and tells how many tasks that
// were; one that has tasks only with force. It is not repeated.
func (n *Namespace) DeletePool(ctx context.Context, name string, force bool) (tasks int64, err error) {
	m, err := callOnce(ctx, n.c, n.c.pools.DeletePool, &musterv1.DeletePoolRequest{Namespace: n.name, Pool: name, Force: force})
	return m.GetTasks(), err
}

func fromPool(p *Pool) *musterv1.Pool {
	return &musterv1.Pool{Name: p.Name, NoPreemption: p.NoPreemption, WorkerExpiry: api.FromDuration(p.WorkerExpiry)}
}

func toPool(m *musterv1.Pool) (*Pool, error) {
	expiry, err := api.ToDuration("worker_expiry", m.GetWorkerExpiry())
	return &Pool{
		Name: m.GetName(), NoPreemption: m.GetNoPreemption(), WorkerExpiry: expiry, Created: stamp(m.GetCreated()),
	}, answered(err)
}

func poolOf(m *musterv1.Pool, err error) (*Pool, error) {
	if err != nil {
		return nil, err
	}
	return toPool(m)
}

func toPoolInfo(m *musterv1.PoolInfo) (*PoolInfo, error) {
	p, err := toPool(m.GetPool())
	return &PoolInfo{
		Pool: *p, Time: stamp(m.GetTime()), Waiting: m.GetWaiting(), Running: m.GetRunning(), IdleWorkers: m.GetIdleWorkers(),
		Accounts: m.GetAccounts(), Unacknowledged: m.GetUnacknowledged(), TaskErrors: m.GetTaskErrors(),
	}, err
}

// PoolInspection is what is in a pool; of each list first that of which news were
// heard longest ago.
type PoolInspection struct {
	PoolInfo
	Running, Waiting []PoolTask
	Workers          []PoolWorker
	Decisions        []PoolDecision
	Errors           []PoolTaskError
	// More: some list has more rows.
	More bool
}

// PoolTask is a task in a pool.
type PoolTask struct {
	ID, Account string
	// Worker that it runs on, at a level (5 is free), and what it has cost.
	Worker string
	Level  int
	Cost   job.Quota
	// Labels that its worker must have, and those that it had better have.
	Labels, Prefer      []string
	Enqueued, Confirmed time.Time
}

// PoolWorker is a worker in a pool; Task is what it runs, empty if it is idle.
type PoolWorker struct {
	ID        string
	Labels    []string
	Task      string
	Confirmed time.Time
}

// PoolDecision is what a worker is to do, and what it is to stop for that if it runs
// it, and has not been seen to do.
type PoolDecision struct {
	Worker, Task string
	Abort        []string
	Since        time.Time
}

// PoolTaskError is a task that cannot be scheduled, and why.
type PoolTaskError struct{ Task, Error string }

// PoolView says what of a pool is to be shown; neither tasks nor workers: both.
type PoolView struct {
	Tasks, Workers bool
	// Limit is the most rows of each list, at most 100,000; zero means 1000.
	Limit int
}

// InspectPool shows what is in a pool.
func (n *Namespace) InspectPool(ctx context.Context, name string, v PoolView) (*PoolInspection, error) {
	m, err := call(ctx, n.c, n.c.pools.InspectPool, &musterv1.InspectPoolRequest{
		Namespace: n.name, Pool: name, Tasks: v.Tasks, Workers: v.Workers, Limit: int32(min(max(v.Limit, -1), 1<<30)),
	})
	if err != nil {
		return nil, err
	}
	info, err := toPoolInfo(m.Info)
	if err != nil {
		return nil, err
	}
	i := &PoolInspection{PoolInfo: *info, More: m.More}
	if i.Running, err = convert(m.Running, toPoolTask); err != nil {
		return nil, err
	}
	if i.Waiting, err = convert(m.Waiting, toPoolTask); err != nil {
		return nil, err
	}
	for _, w := range m.Workers {
		i.Workers = append(i.Workers, PoolWorker{ID: w.Id, Labels: w.Labels, Task: w.Task, Confirmed: stamp(w.Confirmed)})
	}
	for _, d := range m.Unacknowledged {
		i.Decisions = append(i.Decisions, PoolDecision{Worker: d.Worker, Task: d.Task, Abort: d.Abort, Since: stamp(d.Since)})
	}
	for _, e := range m.TaskErrors {
		i.Errors = append(i.Errors, PoolTaskError{Task: e.Task, Error: e.Error})
	}
	return i, nil
}

func toPoolTask(m *musterv1.PoolTask) (PoolTask, error) {
	cost, err := api.ToQuota("cost", m.Cost)
	return PoolTask{
		ID: m.Id, Account: m.Account, Worker: m.Worker, Level: int(m.Level), Cost: cost, Labels: m.Labels, Prefer: m.Prefer,
		Enqueued: stamp(m.Enqueued), Confirmed: stamp(m.Confirmed),
	}, answered(err)
}
