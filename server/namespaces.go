package server

import (
	"context"
	"slices"

	"github.com/muster-queue/muster/api"
	v1 "github.com/muster-queue/muster/api/muster/v1"
	"github.com/muster-queue/muster/engine"
	"github.com/muster-queue/muster/job"
)

// CreateNamespace makes a namespace.
func (s *namespacesService) CreateNamespace(ctx context.Context, m *v1.CreateNamespaceRequest) (*v1.NamespaceInfo, error) {
	if err := wholeServer(ctx); err != nil {
		return nil, err
	}
	if err := s.engine.CreateNamespace(ctx, m.Namespace); err != nil {
		return nil, err
	}
	s.note(ctx, m.Namespace, job.EventNamespaceCreated, map[string]string{"namespace": m.Namespace})
	return s.info(ctx, m.Namespace)
}

// ListNamespaces is a page of names: those the caller's token is good for.
func (s *namespacesService) ListNamespaces(ctx context.Context, m *v1.ListNamespacesRequest) (*v1.ListNamespacesResponse, error) {
	after, size, err := pageOf("namespaces", m.PageToken, m.PageSize)
	if err != nil {
		return nil, err
	}
	names, err := s.engine.Namespaces(ctx)
	if err != nil {
		return nil, err
	}
	if own := callerOf(ctx).Namespace; own != "" {
		names = slices.DeleteFunc(names, func(n string) bool { return n != own })
	}
	from, found := slices.BinarySearch(names, after)
	if found {
		from++
	}
	names = names[from:]
	a := &v1.ListNamespacesResponse{Namespaces: names}
	if len(names) > size {
		a.Namespaces, a.NextPageToken = names[:size], nextPage("namespaces", names[size-1])
	}
	return a, nil
}

// GetNamespace sums a namespace up.
func (s *namespacesService) GetNamespace(ctx context.Context, m *v1.GetNamespaceRequest) (*v1.NamespaceInfo, error) {
	return s.info(ctx, m.Namespace)
}

func (s *namespacesService) info(ctx context.Context, name string) (*v1.NamespaceInfo, error) {
	ns, err := s.namespace(ctx, name)
	if err != nil {
		return nil, err
	}
	stats, err := ns.Stats(ctx)
	if err != nil {
		return nil, err
	}
	m := &v1.NamespaceInfo{
		Name: ns.Name(), Counts: api.FromCounts(&stats.Counts),
		Paused: stats.Paused, Draining: stats.Mode == "draining", Epoch: stats.Epoch,
	}
	if m.DefaultAccount, err = ns.DefaultAccount(ctx); err != nil {
		return nil, err
	}
	return m, census(ctx, ns, m)
}

// maxCensus ends the counting of queues, groups and workers: beyond, the numbers
// are lower bounds.
const maxCensus = 100_000

// census counts what a namespace has beside jobs.
func census(ctx context.Context, ns *engine.Namespace, m *v1.NamespaceInfo) (err error) {
	if m.Queues, err = countNames(func(after string) ([]string, error) {
		list, err := ns.Queues(ctx, after, engine.MaxPage)
		return names(list, func(q *engine.QueueInfo) string { return q.Name }), err
	}); err != nil {
		return err
	}
	if m.Groups, err = countNames(func(after string) ([]string, error) {
		r, err := ns.Counts(ctx, engine.CountsRequest{ByGroup: true, After: after, Limit: engine.MaxPage})
		if err != nil {
			return nil, err
		}
		return names(r.Groups, func(g *engine.NamedCounts) string { return g.Name }), nil
	}); err != nil {
		return err
	}
	m.Workers, err = countWorkers(ctx, ns)
	return err
}

func countWorkers(ctx context.Context, ns *engine.Namespace) (int64, error) {
	present := int64(0)
	_, err := countNames(func(after string) ([]string, error) {
		list, err := ns.Workers(ctx, engine.WorkersRequest{After: after})
		for i := range list {
			if list[i].Connected {
				present++
			}
		}
		return names(list, func(w *engine.WorkerInfo) string { return w.Name }), err
	})
	return present, err
}

// countNames counts what a listing has, page by page.
func countNames(page func(after string) ([]string, error)) (int64, error) {
	var n int64
	for after := ""; n < maxCensus; {
		list, err := page(after)
		if err != nil {
			return n, err
		}
		n += int64(len(list))
		if len(list) < engine.MaxPage {
			break
		}
		after = list[len(list)-1]
	}
	return n, nil
}

func names[T any](list []T, name func(*T) string) []string {
	all := make([]string, len(list))
	for i := range list {
		all[i] = name(&list[i])
	}
	return all
}

// DestroyNamespace deletes a namespace with all it holds.
func (s *namespacesService) DestroyNamespace(ctx context.Context, m *v1.DestroyNamespaceRequest) (*v1.DestroyNamespaceResponse, error) {
	if err := wholeServer(ctx); err != nil {
		return nil, err
	}
	name, err := scope(ctx, m.Namespace)
	if err != nil {
		return nil, err
	}
	if err := s.engine.DestroyNamespace(ctx, name, m.Force); err != nil {
		return nil, err
	}
	s.note(ctx, "", job.EventNamespaceDestroyed, map[string]string{"namespace": name})
	return &v1.DestroyNamespaceResponse{}, nil
}
