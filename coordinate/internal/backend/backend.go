// Package backend is what Coordinate's face needs of a namespace, in the words of
// engine, twice: of an engine in this process and of a server elsewhere. Packages
// coordinate and jobserver are written against it.
package backend

import (
	"context"
	"time"

	"github.com/muster-queue/muster/engine"
	"github.com/muster-queue/muster/job"
	"github.com/muster-queue/muster/lock"
)

// Backend is a namespace. Its methods do what those of engine.Namespace do, and
// may be called by anyone at any time.
type Backend interface {
	Now(ctx context.Context) (time.Time, error)

	Queue(ctx context.Context, name string) (engine.QueueInfo, error)
	Queues(ctx context.Context, after string, limit int) ([]engine.QueueInfo, error)
	SetQueue(ctx context.Context, q job.Queue) error
	UpdateQueue(ctx context.Context, name string, edit func(*job.Queue)) error
	DeleteQueue(ctx context.Context, name string, all bool) (int64, error)

	Add(ctx context.Context, r engine.AddRequest) (*engine.AddResult, error)
	Units(ctx context.Context, r engine.UnitsRequest) ([]*engine.Unit, error)
	DeleteUnits(ctx context.Context, s engine.UnitsSelector) (int64, error)
	PrioritiseUnits(ctx context.Context, s engine.UnitsSelector, set *float64, adjust float64) error
	Prune(ctx context.Context, queue string) (int64, error)
	// SetUnitMeta gives a job that is not complete a priority and a time before which
	// it does not begin; of a complete one only the priority.
	SetUnitMeta(ctx context.Context, queue string, key job.Key, priority float64, notBefore time.Time) error

	Reserve(ctx context.Context, r engine.ReserveRequest) ([]engine.Grant, error)
	Update(ctx context.Context, r engine.UpdateRequest) (engine.UpdateResult, error)
	MakeAttempt(ctx context.Context, worker, queue string, key job.Key, lease time.Duration) (*engine.Grant, error)
	UnitAttempts(ctx context.Context, queue string, key job.Key) ([]engine.UnitAttempt, error)

	Announce(ctx context.Context, w job.Worker, leaves bool) error
	Worker(ctx context.Context, name string) (engine.WorkerInfo, error)
	Workers(ctx context.Context, r engine.WorkersRequest) ([]engine.WorkerInfo, error)
	WorkerUnits(ctx context.Context, worker string, all bool) ([]*engine.Unit, error)
	ChildUnits(ctx context.Context, parent string) (map[string][]*engine.Unit, error)

	Lock(ctx context.Context, r engine.LockRequest) ([]bool, error)
	RenewLocks(ctx context.Context, r engine.OwnerRequest, lease time.Duration) error
	Unlock(ctx context.Context, r engine.OwnerRequest) error
	ReadLocks(ctx context.Context, paths []lock.Path) ([]*lock.Held, error)
	DeleteLocks(ctx context.Context, p lock.Path, below bool) (int64, error)
}
