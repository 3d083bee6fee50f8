package backend

import (
	"context"
	"time"

	"github.com/muster-queue/muster/engine"
	"github.com/muster-queue/muster/job"
	"github.com/muster-queue/muster/lock"
)

// Local is a namespace of an engine in this process. It is looked up for each
// call, since an idle one is unloaded.
type Local struct {
	Engine *engine.Engine
	Name   string
}

// in does something in the namespace.
func in[T any](ctx context.Context, l Local, do func(*engine.Namespace) (T, error)) (none T, err error) {
	ns, err := l.Engine.Namespace(ctx, l.Name)
	if err != nil {
		return none, err
	}
	return do(ns)
}

// in0 does something that answers nothing.
func in0(ctx context.Context, l Local, do func(*engine.Namespace) error) error {
	_, err := in(ctx, l, func(n *engine.Namespace) (struct{}, error) { return struct{}{}, do(n) })
	return err
}

// Now implements Backend.
func (l Local) Now(ctx context.Context) (time.Time, error) {
	return in(ctx, l, func(n *engine.Namespace) (time.Time, error) { return n.Now(ctx) })
}

// Queue implements Backend.
func (l Local) Queue(ctx context.Context, name string) (engine.QueueInfo, error) {
	return in(ctx, l, func(n *engine.Namespace) (engine.QueueInfo, error) { return n.Queue(ctx, name) })
}

// Queues implements Backend.
func (l Local) Queues(ctx context.Context, after string, limit int) ([]engine.QueueInfo, error) {
	return in(ctx, l, func(n *engine.Namespace) ([]engine.QueueInfo, error) { return n.Queues(ctx, after, limit) })
}

// SetQueue implements Backend.
func (l Local) SetQueue(ctx context.Context, q job.Queue) error {
	return in0(ctx, l, func(n *engine.Namespace) error { return n.SetQueue(ctx, q) })
}

// UpdateQueue implements Backend.
func (l Local) UpdateQueue(ctx context.Context, name string, edit func(*job.Queue)) error {
	return in0(ctx, l, func(n *engine.Namespace) error { return n.UpdateQueue(ctx, name, edit) })
}

// DeleteQueue implements Backend.
func (l Local) DeleteQueue(ctx context.Context, name string, all bool) (int64, error) {
	return in(ctx, l, func(n *engine.Namespace) (int64, error) { return n.DeleteQueue(ctx, name, all) })
}

// Add implements Backend.
func (l Local) Add(ctx context.Context, r engine.AddRequest) (*engine.AddResult, error) {
	return in(ctx, l, func(n *engine.Namespace) (*engine.AddResult, error) { return n.Add(ctx, r) })
}

// Units implements Backend.
func (l Local) Units(ctx context.Context, r engine.UnitsRequest) ([]*engine.Unit, error) {
	return in(ctx, l, func(n *engine.Namespace) ([]*engine.Unit, error) { return n.Units(ctx, r) })
}

// DeleteUnits implements Backend.
func (l Local) DeleteUnits(ctx context.Context, s engine.UnitsSelector) (int64, error) {
	return in(ctx, l, func(n *engine.Namespace) (int64, error) { return n.DeleteUnits(ctx, s) })
}

// PrioritiseUnits implements Backend.
func (l Local) PrioritiseUnits(ctx context.Context, s engine.UnitsSelector, set *float64, adjust float64) error {
	return in0(ctx, l, func(n *engine.Namespace) error { return n.PrioritiseUnits(ctx, s, set, adjust) })
}

// Prune implements Backend.
func (l Local) Prune(ctx context.Context, queue string) (int64, error) {
	return in(ctx, l, func(n *engine.Namespace) (int64, error) { return n.Prune(ctx, queue) })
}

// Reserve implements Backend.
func (l Local) Reserve(ctx context.Context, r engine.ReserveRequest) ([]engine.Grant, error) {
	return in(ctx, l, func(n *engine.Namespace) ([]engine.Grant, error) { return n.Reserve(ctx, r) })
}

// Update implements Backend.
func (l Local) Update(ctx context.Context, r engine.UpdateRequest) (engine.UpdateResult, error) {
	return in(ctx, l, func(n *engine.Namespace) (engine.UpdateResult, error) { return n.Update(ctx, r) })
}

// MakeAttempt implements Backend.
func (l Local) MakeAttempt(ctx context.Context, worker, queue string, key job.Key, lease time.Duration) (*engine.Grant, error) {
	return in(ctx, l, func(n *engine.Namespace) (*engine.Grant, error) { return n.MakeAttempt(ctx, worker, queue, key, lease) })
}

// UnitAttempts implements Backend.
func (l Local) UnitAttempts(ctx context.Context, queue string, key job.Key) ([]engine.UnitAttempt, error) {
	return in(ctx, l, func(n *engine.Namespace) ([]engine.UnitAttempt, error) { return n.UnitAttempts(ctx, queue, key) })
}

// Announce implements Backend.
func (l Local) Announce(ctx context.Context, w job.Worker, leaves bool) error {
	return in0(ctx, l, func(n *engine.Namespace) error { return n.Announce(ctx, w, leaves) })
}

// Worker implements Backend.
func (l Local) Worker(ctx context.Context, name string) (engine.WorkerInfo, error) {
	return in(ctx, l, func(n *engine.Namespace) (engine.WorkerInfo, error) { return n.Worker(ctx, name) })
}

// Workers implements Backend.
func (l Local) Workers(ctx context.Context, r engine.WorkersRequest) ([]engine.WorkerInfo, error) {
	return in(ctx, l, func(n *engine.Namespace) ([]engine.WorkerInfo, error) { return n.Workers(ctx, r) })
}

// WorkerUnits implements Backend.
func (l Local) WorkerUnits(ctx context.Context, worker string, all bool) ([]*engine.Unit, error) {
	return in(ctx, l, func(n *engine.Namespace) ([]*engine.Unit, error) { return n.WorkerUnits(ctx, worker, all) })
}

// ChildUnits implements Backend.
func (l Local) ChildUnits(ctx context.Context, parent string) (map[string][]*engine.Unit, error) {
	return in(ctx, l, func(n *engine.Namespace) (map[string][]*engine.Unit, error) { return n.ChildUnits(ctx, parent) })
}

// Lock implements Backend.
func (l Local) Lock(ctx context.Context, r engine.LockRequest) ([]bool, error) {
	return in(ctx, l, func(n *engine.Namespace) ([]bool, error) { return n.Lock(ctx, r) })
}

// RenewLocks implements Backend.
func (l Local) RenewLocks(ctx context.Context, r engine.OwnerRequest, lease time.Duration) error {
	return in0(ctx, l, func(n *engine.Namespace) error { return n.RenewLocks(ctx, r, lease) })
}

// Unlock implements Backend.
func (l Local) Unlock(ctx context.Context, r engine.OwnerRequest) error {
	return in0(ctx, l, func(n *engine.Namespace) error { return n.Unlock(ctx, r) })
}

// ReadLocks implements Backend.
func (l Local) ReadLocks(ctx context.Context, paths []lock.Path) ([]*lock.Held, error) {
	return in(ctx, l, func(n *engine.Namespace) ([]*lock.Held, error) { return n.ReadLocks(ctx, paths) })
}

// DeleteLocks implements Backend.
func (l Local) DeleteLocks(ctx context.Context, p lock.Path, below bool) (int64, error) {
	return in(ctx, l, func(n *engine.Namespace) (int64, error) { return n.DeleteLocks(ctx, p, below) })
}
