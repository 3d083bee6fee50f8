package server

import (
	"context"

	"github.com/muster-queue/muster/api"
	v1 "github.com/muster-queue/muster/api/muster/v1"
	"github.com/muster-queue/muster/engine"
	"github.com/muster-queue/muster/job"
)

// GetWorker is one worker.
func (s *workersService) GetWorker(ctx context.Context, m *v1.GetWorkerRequest) (*v1.WorkerInfo, error) {
	ns, err := s.namespace(ctx, m.Namespace)
	if err != nil {
		return nil, err
	}
	return worker(ctx, ns, m.Worker)
}

func worker(ctx context.Context, ns *engine.Namespace, name string) (*v1.WorkerInfo, error) {
	w, err := ns.Worker(ctx, name)
	if err != nil {
		return nil, err
	}
	return workerInfo(&w), nil
}

// ListWorkers is a page of workers in the order of their names: those present,
// or all that are remembered.
func (s *workersService) ListWorkers(ctx context.Context, m *v1.ListWorkersRequest) (*v1.ListWorkersResponse, error) {
	ns, err := s.namespace(ctx, m.Namespace)
	if err != nil {
		return nil, err
	}
	after, size, err := pageOf("workers", m.PageToken, m.PageSize)
	if err != nil {
		return nil, err
	}
	list, err := ns.Workers(ctx, engine.WorkersRequest{
		Parent: m.Parent, Active: m.Active, All: m.All, After: after, Limit: size,
	})
	if err != nil {
		return nil, err
	}
	a := &v1.ListWorkersResponse{}
	for i := range list {
		if list[i].Connected || list[i].Active || m.All {
			a.Workers = append(a.Workers, workerInfo(&list[i]))
		}
	}
	if len(list) == size {
		a.NextPageToken = nextPage("workers", list[size-1].Name)
	}
	return a, nil
}

// AnnounceWorker makes a pulling worker known, or says that it leaves.
func (s *workersService) AnnounceWorker(ctx context.Context, m *v1.AnnounceWorkerRequest) (*v1.AnnounceWorkerResponse, error) {
	ns, err := s.namespace(ctx, m.Namespace)
	if err != nil {
		return nil, err
	}
	w, err := api.ToWorker(m.Worker)
	if err != nil {
		return nil, err
	}
	if w.Agent {
		return nil, job.Errorf(job.Invalid, "worker: agents announce themselves by attaching")
	}
	if err := job.CheckName("worker", w.Name); err != nil {
		return nil, err
	}
	return &v1.AnnounceWorkerResponse{}, ns.Announce(ctx, w, m.Leave)
}

// DrainWorker gives a worker no more jobs, or again.
func (s *workersService) DrainWorker(ctx context.Context, m *v1.DrainWorkerRequest) (*v1.WorkerInfo, error) {
	ns, err := s.namespace(ctx, m.Namespace)
	if err != nil {
		return nil, err
	}
	if err := ns.DrainWorker(audited(ctx), m.Worker, !m.Undo); err != nil {
		return nil, err
	}
	return worker(ctx, ns, m.Worker)
}

func workerInfo(w *engine.WorkerInfo) *v1.WorkerInfo {
	return &v1.WorkerInfo{
		Worker: api.FromWorker(&w.Worker), Free: w.Free, Held: int64(w.Held),
		Heard: api.FromTime(w.Heard), Alive: w.Connected, Draining: w.Draining,
		Active: w.Active, Left: w.Left, Version: w.Version,
	}
}
