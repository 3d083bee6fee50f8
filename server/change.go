package server

import (
	"context"
	"reflect"

	"github.com/muster-queue/muster/api"
	v1 "github.com/muster-queue/muster/api/muster/v1"
	"github.com/muster-queue/muster/engine"
	"github.com/muster-queue/muster/job"
)

// KickJobs makes jobs ready, with fresh budgets.
func (s *jobsService) KickJobs(ctx context.Context, m *v1.ChangeJobsRequest) (*v1.ChangeJobsResponse, error) {
	return s.change(ctx, m, (*engine.Namespace).Kick)
}

// CancelJobs stops and buries jobs.
func (s *jobsService) CancelJobs(ctx context.Context, m *v1.ChangeJobsRequest) (*v1.ChangeJobsResponse, error) {
	return s.change(ctx, m, (*engine.Namespace).Cancel)
}

// DeleteJobs removes jobs.
func (s *jobsService) DeleteJobs(ctx context.Context, m *v1.ChangeJobsRequest) (*v1.ChangeJobsResponse, error) {
	dependants, err := job.ParseDependants(m.Dependants)
	if err != nil {
		return nil, err
	}
	return s.change(ctx, m, func(ns *engine.Namespace, ctx context.Context, sel engine.Selector, once ...engine.Once) (*engine.ChangeResult, error) {
		return ns.Delete(ctx, sel, engine.DeleteOptions{Force: m.Force, Dependants: dependants}, once...)
	})
}

type changeFunc = func(*engine.Namespace, context.Context, engine.Selector, ...engine.Once) (*engine.ChangeResult, error)

// once makes the repeat of a caller's request safe.
func once(ctx context.Context, id string) engine.Once {
	return engine.Once{Client: callerOf(ctx).ID, RequestID: id}
}

func (s *jobsService) change(ctx context.Context, m *v1.ChangeJobsRequest, do changeFunc) (*v1.ChangeJobsResponse, error) {
	ns, err := s.namespace(ctx, m.Namespace)
	if err != nil {
		return nil, err
	}
	sel, err := selector(m)
	if err != nil {
		return nil, err
	}
	r, err := do(ns, ctx, sel, once(ctx, m.RequestId))
	if err != nil {
		return nil, err
	}
	return changed(r), nil
}

// ModifyJobs changes descriptions.
func (s *jobsService) ModifyJobs(ctx context.Context, m *v1.ModifyJobsRequest) (*v1.ChangeJobsResponse, error) {
	ns, err := s.namespace(ctx, m.Namespace)
	if err != nil {
		return nil, err
	}
	sel, err := selector(m)
	if err != nil {
		return nil, err
	}
	edit, err := editor(m)
	if err != nil {
		return nil, err
	}
	r, err := ns.Modify(ctx, sel, func(j *job.Job) error {
		was := j.Account
		if err := edit(j); err != nil {
			return err
		}
		return payable(ctx, was, j.Account)
	}, once(ctx, m.RequestId))
	if err != nil {
		return nil, err
	}
	return changed(r), nil
}

// selecting is any message that selects jobs.
type selecting interface {
	GetJobs() []*v1.JobRef
	GetFilter() *v1.Filter
	GetAll() bool
}

// selector reads which jobs are meant. That all are must be said.
func selector(m selecting) (engine.Selector, error) {
	if len(m.GetJobs()) > 0 {
		if m.GetFilter() != nil || m.GetAll() {
			return engine.Selector{}, job.Errorf(job.Invalid, "jobs: name jobs or give a filter, not both")
		}
		if len(m.GetJobs()) > maxBatch {
			return engine.Selector{}, job.Errorf(job.Invalid, "jobs: %d are named; at most %d", len(m.GetJobs()), maxBatch)
		}
		ids, err := jobIDs(m.GetJobs())
		return engine.Selector{IDs: ids}, err
	}
	f, err := filter(m.GetFilter())
	if err != nil {
		return engine.Selector{}, err
	}
	if emptyFilter(&f) && !m.GetAll() {
		return engine.Selector{}, job.Errorf(job.Invalid, "filter: it is empty, which selects all jobs of the namespace; set all if that is meant")
	}
	return engine.Selector{Filter: &f}, nil
}

// emptyFilter tells whether a filter lets all jobs pass.
func emptyFilter(f *engine.Filter) bool {
	return reflect.ValueOf(f).Elem().IsZero()
}

func changed(r *engine.ChangeResult) *v1.ChangeJobsResponse {
	a := &v1.ChangeJobsResponse{Changed: r.Changed, Skipped: r.Skipped}
	for _, refusal := range r.Refusals {
		a.Refusals = append(a.Refusals, &v1.ChangeRefusal{Job: jobRef(refusal.ID), Error: api.FromError(refusal.Err)})
	}
	return a
}
