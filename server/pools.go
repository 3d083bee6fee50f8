package server

import (
	"context"

	"github.com/muster-queue/muster/api"
	v1 "github.com/muster-queue/muster/api/muster/v1"
	"github.com/muster-queue/muster/dispatch/external"
)

// CreatePool makes a pool.
func (s *poolsService) CreatePool(ctx context.Context, m *v1.CreatePoolRequest) (*v1.Pool, error) {
	namespace, err := scope(ctx, m.Namespace)
	if err != nil {
		return nil, err
	}
	settings, err := toPool(m.Pool)
	if err != nil {
		return nil, err
	}
	made, err := s.external.Create(ctx, namespace, settings, who(ctx))
	return fromPool(&made), err
}

// SetPool changes a pool's settings: all, or the fields named.
func (s *poolsService) SetPool(ctx context.Context, m *v1.SetPoolRequest) (*v1.Pool, error) {
	namespace, err := scope(ctx, m.Namespace)
	if err != nil {
		return nil, err
	}
	fields := m.UpdateMask.GetPaths()
	changed, err := s.external.Set(ctx, namespace, m.Pool.GetName(), func(p *external.Settings) error {
		whole := m.Pool
		if len(fields) > 0 {
			whole = fromPool(p)
			if err := applyMask(whole, m.Pool, fields); err != nil {
				return err
			}
		}
		edited, err := toPool(whole)
		if err == nil {
			*p = edited
		}
		return err
	}, who(ctx))
	return fromPool(&changed), err
}

// GetPool is a pool with the numbers of what it has.
func (s *poolsService) GetPool(ctx context.Context, m *v1.GetPoolRequest) (*v1.PoolInfo, error) {
	namespace, err := scope(ctx, m.Namespace)
	if err != nil {
		return nil, err
	}
	info, err := s.external.Get(ctx, namespace, m.Pool)
	return poolInfo(&info), err
}

// ListPools is a page of pools in the order of their names.
func (s *poolsService) ListPools(ctx context.Context, m *v1.ListPoolsRequest) (*v1.ListPoolsResponse, error) {
	namespace, err := scope(ctx, m.Namespace)
	if err != nil {
		return nil, err
	}
	after, size, err := pageOf("pools", m.PageToken, m.PageSize)
	if err != nil {
		return nil, err
	}
	list, err := s.external.List(ctx, namespace, after, size)
	if err != nil {
		return nil, err
	}
	a := &v1.ListPoolsResponse{}
	for i := range list {
		a.Pools = append(a.Pools, fromPool(&list[i]))
	}
	if len(list) == size {
		a.NextPageToken = nextPage("pools", list[size-1].Name)
	}
	return a, nil
}

// InspectPool shows what is in a pool.
func (s *poolsService) InspectPool(ctx context.Context, m *v1.InspectPoolRequest) (*v1.InspectPoolResponse, error) {
	namespace, err := scope(ctx, m.Namespace)
	if err != nil {
		return nil, err
	}
	all := !m.Tasks && !m.Workers
	found, err := s.external.Inspect(ctx, namespace, m.Pool, external.Wanted{
		Tasks: m.Tasks || all, Workers: m.Workers || all, Limit: int(m.Limit),
	})
	if err != nil {
		return nil, err
	}
	a := &v1.InspectPoolResponse{
		Info: poolInfo(&found.Info), Running: poolTasks(found.Running), Waiting: poolTasks(found.Waiting), More: found.More,
	}
	for i := range found.Workers {
		w := &found.Workers[i]
		a.Workers = append(a.Workers, &v1.PoolWorker{
			Id: text(w.ID), Labels: texts(w.Labels), Task: text(w.Task), Confirmed: api.FromTime(w.Confirmed),
		})
	}
	for _, d := range found.Decisions {
		a.Unacknowledged = append(a.Unacknowledged, &v1.PoolDecision{
			Worker: text(d.Worker), Task: text(d.Task), Abort: texts(d.Abort), Since: api.FromTime(d.Since),
		})
	}
	for _, e := range found.Errors {
		a.TaskErrors = append(a.TaskErrors, &v1.PoolTaskError{Task: text(e.Task), Error: text(e.Why)})
	}
	return a, nil
}

// WipePool forgets what is in a pool; settings and accounts stay.
func (s *poolsService) WipePool(ctx context.Context, m *v1.WipePoolRequest) (*v1.WipePoolResponse, error) {
	namespace, err := scope(ctx, m.Namespace)
	if err != nil {
		return nil, err
	}
	was, err := s.external.Wipe(ctx, namespace, m.Pool, who(ctx))
	return &v1.WipePoolResponse{Tasks: was.Waiting + was.Running, Workers: was.Idle + was.Running}, err
}

// DeletePool removes a pool; one that has tasks only with force.
func (s *poolsService) DeletePool(ctx context.Context, m *v1.DeletePoolRequest) (*v1.DeletePoolResponse, error) {
	namespace, err := scope(ctx, m.Namespace)
	if err != nil {
		return nil, err
	}
	was, err := s.external.Delete(ctx, namespace, m.Pool, m.Force, who(ctx))
	return &v1.DeletePoolResponse{Tasks: was.Waiting + was.Running}, err
}

func toPool(m *v1.Pool) (external.Settings, error) {
	expiry, err := api.ToDuration("worker_expiry", m.GetWorkerExpiry())
	return external.Settings{Name: m.GetName(), NoPreemption: m.GetNoPreemption(), WorkerExpiry: expiry}, err
}

func fromPool(p *external.Settings) *v1.Pool {
	return &v1.Pool{
		Name: text(p.Name), NoPreemption: p.NoPreemption, WorkerExpiry: api.FromDuration(p.WorkerExpiry), Created: api.FromTime(p.Created),
	}
}

func poolInfo(i *external.Info) *v1.PoolInfo {
	return &v1.PoolInfo{
		Pool: fromPool(&i.Settings), Time: api.FromTime(i.Time), Waiting: i.Waiting, Running: i.Running,
		IdleWorkers: i.Idle, Accounts: i.Accounts, Unacknowledged: i.Unacknowledged, TaskErrors: i.TaskErrors,
	}
}

func poolTasks(list []external.TaskInfo) []*v1.PoolTask {
	messages := make([]*v1.PoolTask, len(list))
	for i := range list {
		t := &list[i]
		messages[i] = &v1.PoolTask{
			Id: text(t.ID), Account: text(t.Account), Worker: text(t.Worker), Level: int32(t.Level), Cost: api.FromQuota(t.Cost),
			Labels: texts(t.Labels), Prefer: texts(t.Prefer), Enqueued: api.FromTime(t.Enqueued), Confirmed: api.FromTime(t.Confirmed),
		}
	}
	return messages
}
