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

	Reserve(ctx context.Context, r engine.ReserveRequest) ([]engine.Grant, error)

	Announce(ctx context.Context, w job.Worker, leaves bool) error
	Worker(ctx context.Context, name string) (engine.WorkerInfo, error)

	Lock(ctx context.Context, r engine.LockRequest) ([]bool, error)
	RenewLocks(ctx context.Context, r engine.OwnerRequest, lease time.Duration) error
	Unlock(ctx context.Context, r engine.OwnerRequest) error
	ReadLocks(ctx context.Context, paths []lock.Path) ([]*lock.Held, error)
	DeleteLocks(ctx context.Context, p lock.Path, below bool) (int64, error)
}
