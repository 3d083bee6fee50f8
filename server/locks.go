package server

import (
	"context"
	"strings"

	"github.com/muster-queue/muster/api"
	v1 "github.com/muster-queue/muster/api/muster/v1"
	"github.com/muster-queue/muster/engine"
	"github.com/muster-queue/muster/job"
	"github.com/muster-queue/muster/lock"
)

// Lock takes locks.
func (s *locksService) Lock(ctx context.Context, m *v1.LockRequest) (*v1.LockResponse, error) {
	ns, paths, err := s.locks(ctx, m.Namespace, m.Paths)
	if err != nil {
		return nil, err
	}
	r := engine.LockRequest{
		Owner: m.Owner, Paths: paths, Some: m.Some, Once: once(ctx, m.RequestId),
	}
	if r.Lease, err = api.ToDuration("lease", m.Lease); err != nil {
		return nil, err
	}
	if r.Wait, err = api.ToDuration("wait", m.Wait); err != nil {
		return nil, err
	}
	r.Wait = min(max(r.Wait, 0), maxWait)
	given, err := ns.Lock(ctx, r)
	return &v1.LockResponse{Given: given}, err
}

// RenewLocks gives locks a new lease.
func (s *locksService) RenewLocks(ctx context.Context, m *v1.RenewLocksRequest) (*v1.RenewLocksResponse, error) {
	ns, paths, err := s.locks(ctx, m.Namespace, m.Paths)
	if err != nil {
		return nil, err
	}
	lease, err := api.ToDuration("lease", m.Lease)
	if err != nil {
		return nil, err
	}
	return &v1.RenewLocksResponse{}, ns.RenewLocks(ctx, engine.OwnerRequest{Owner: m.Owner, Paths: paths}, lease)
}

// Unlock releases locks.
func (s *locksService) Unlock(ctx context.Context, m *v1.UnlockRequest) (*v1.UnlockResponse, error) {
	ns, paths, err := s.locks(ctx, m.Namespace, m.Paths)
	if err != nil {
		return nil, err
	}
	return &v1.UnlockResponse{}, ns.Unlock(ctx, engine.OwnerRequest{
		Owner: m.Owner, Paths: paths, Once: once(ctx, m.RequestId),
	})
}

// ReadLocks tells who holds each of the paths.
func (s *locksService) ReadLocks(ctx context.Context, m *v1.ReadLocksRequest) (*v1.ReadLocksResponse, error) {
	ns, paths, err := s.locks(ctx, m.Namespace, m.Paths)
	if err != nil {
		return nil, err
	}
	held, err := ns.ReadLocks(ctx, paths)
	if err != nil {
		return nil, err
	}
	a := &v1.ReadLocksResponse{Locks: make([]*v1.ReadLock, len(held))}
	for i, h := range held {
		a.Locks[i] = &v1.ReadLock{Path: paths[i].String(), Held: heldLock(h)}
	}
	return a, nil
}

// ListLocks is a page of locks in the order of their paths.
func (s *locksService) ListLocks(ctx context.Context, m *v1.ListLocksRequest) (*v1.ListLocksResponse, error) {
	ns, paths, err := s.locks(ctx, m.Namespace, []string{m.Under})
	if err != nil {
		return nil, err
	}
	r := engine.LocksRequest{Under: paths[0]}
	// The cursor begins with a mark, for the path of the root is empty.
	after, size, err := pageOf("locks", m.PageToken, m.PageSize)
	if err != nil {
		return nil, err
	}
	if after != "" {
		path := lock.Path(after[1:])
		r.After = &path
	}
	r.Limit = size
	list, err := ns.Locks(ctx, r)
	if err != nil {
		return nil, err
	}
	a := &v1.ListLocksResponse{}
	for i := range list {
		a.Locks = append(a.Locks, heldLock(&list[i]))
	}
	if len(list) == size {
		a.NextPageToken = nextPage("locks", "/"+list[size-1].Path.String())
	}
	return a, nil
}

// DeleteLocks releases locks whoever holds them.
func (s *locksService) DeleteLocks(ctx context.Context, m *v1.DeleteLocksRequest) (*v1.DeleteLocksResponse, error) {
	ns, paths, err := s.locks(ctx, m.Namespace, m.Paths)
	if err != nil {
		return nil, err
	}
	a := &v1.DeleteLocksResponse{}
	for _, p := range paths {
		n, err := ns.DeleteLocks(ctx, p, m.Below)
		if a.Deleted += n; err != nil {
			return nil, err
		}
	}
	return a, nil
}

// locks finds the namespace and reads the paths of a request about locks.
func (s *Server) locks(ctx context.Context, namespace string, texts []string) (*engine.Namespace, []lock.Path, error) {
	if len(texts) > lock.MaxPaths {
		return nil, nil, job.Errorf(job.Invalid, "paths: %d are named; at most %d", len(texts), lock.MaxPaths)
	}
	ns, err := s.namespace(ctx, namespace)
	if err != nil {
		return nil, nil, err
	}
	paths := make([]lock.Path, len(texts))
	for i, text := range texts {
		if paths[i], err = lock.Parse(text); err != nil {
			return nil, nil, err
		}
	}
	return ns, paths, nil
}

// heldLock is a lock as a message; nil for nil. Owners that came by another face
// need not be UTF-8.
func heldLock(h *lock.Held) *v1.HeldLock {
	if h == nil {
		return nil
	}
	return &v1.HeldLock{
		Path: h.Path.String(), Owner: strings.ToValidUTF8(h.Owner, "\uFFFD"),
		Since: api.FromTime(h.Since.Std()), Until: api.FromTime(h.Until.Std()), Lease: api.FromDuration(h.Lease),
	}
}
