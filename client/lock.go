package client

import (
	"context"
	"iter"
	"time"

	"github.com/muster-queue/muster/api"
	musterv1 "github.com/muster-queue/muster/api/muster/v1"
	"github.com/muster-queue/muster/job"
	"github.com/muster-queue/muster/lock"
)

// Lock takes locks on all of the paths for the owner, or none: Conflict when one
// is in the way, after waiting for it as long as wait says (negative: without
// limit). The lease is one minute if it is zero.
func (n *Namespace) Lock(ctx context.Context, owner string, paths []lock.Path, lease, wait time.Duration) error {
	began := time.Now()
	for {
		left := maxLockWait
		if wait >= 0 {
			left = min(left, wait-time.Since(began))
		}
		_, err := call(ctx, n.c, n.c.locks.Lock, &musterv1.LockRequest{
			Namespace: n.name, Owner: owner, Paths: texts(paths), Lease: api.FromDuration(lease),
			Wait: api.FromDuration(max(left, 0)), RequestId: newID(),
		})
		if over := wait >= 0 && time.Since(began) >= wait; over || !job.IsKind(err, job.Conflict) {
			return err
		}
	}
}

// maxLockWait is how long one request waits.
const maxLockWait = 5 * time.Minute

// LockSome takes those locks that are free, one after the other, and tells which.
func (n *Namespace) LockSome(ctx context.Context, owner string, paths []lock.Path, lease time.Duration) ([]bool, error) {
	m, err := call(ctx, n.c, n.c.locks.Lock, &musterv1.LockRequest{
		Namespace: n.name, Owner: owner, Paths: texts(paths), Lease: api.FromDuration(lease), Some: true, RequestId: newID(),
	})
	if err != nil {
		return nil, err
	}
	if len(m.Given) != len(paths) {
		return nil, job.Errorf(job.Internal, "lock some: the server answered for %d of %d paths", len(m.Given), len(paths))
	}
	return m.Given, nil
}

// RenewLocks gives the owner's locks a new lease from now; LostLease when one of
// them is not the owner's any more.
func (n *Namespace) RenewLocks(ctx context.Context, owner string, paths []lock.Path, lease time.Duration) error {
	_, err := call(ctx, n.c, n.c.locks.RenewLocks, &musterv1.RenewLocksRequest{
		Namespace: n.name, Owner: owner, Paths: texts(paths), Lease: api.FromDuration(lease),
	})
	return err
}

// Unlock releases the owner's locks, all or none; LostLease when one of them is
// not the owner's.
func (n *Namespace) Unlock(ctx context.Context, owner string, paths []lock.Path) error {
	_, err := call(ctx, n.c, n.c.locks.Unlock, &musterv1.UnlockRequest{
		Namespace: n.name, Owner: owner, Paths: texts(paths), RequestId: newID(),
	})
	return err
}

// ReadLocks tells who holds a lock on exactly each of the paths; nil where nobody
// does.
func (n *Namespace) ReadLocks(ctx context.Context, paths []lock.Path) ([]*lock.Held, error) {
	m, err := call(ctx, n.c, n.c.locks.ReadLocks, &musterv1.ReadLocksRequest{Namespace: n.name, Paths: texts(paths)})
	if err != nil {
		return nil, err
	}
	if len(m.Locks) != len(paths) {
		return nil, job.Errorf(job.Internal, "read locks: the server answered for %d of %d paths", len(m.Locks), len(paths))
	}
	return convert(m.Locks, func(m *musterv1.ReadLock) (*lock.Held, error) { return toHeld(m.Held) })
}

// Locks lists the locks that are held on a path and below it (empty: all), in the
// order of paths.
func (n *Namespace) Locks(ctx context.Context, under lock.Path) iter.Seq2[*lock.Held, error] {
	return pages(func(token string) ([]*lock.Held, string, error) {
		m, err := call(ctx, n.c, n.c.locks.ListLocks, &musterv1.ListLocksRequest{
			Namespace: n.name, Under: under.String(), PageSize: maxPage, PageToken: token,
		})
		if err != nil {
			return nil, "", err
		}
		list, err := convert(m.Locks, toHeld)
		return list, m.NextPageToken, err
	})
}

// maxPage is the largest page a listing gives.
const maxPage = 1000

// DeleteLocks releases the locks on the paths, whoever holds them, with below also
// those below; it tells how many there were.
func (n *Namespace) DeleteLocks(ctx context.Context, paths []lock.Path, below bool) (int64, error) {
	m, err := call(ctx, n.c, n.c.locks.DeleteLocks, &musterv1.DeleteLocksRequest{Namespace: n.name, Paths: texts(paths), Below: below})
	return m.GetDeleted(), err
}

func texts(paths []lock.Path) []string { return each(paths, lock.Path.String) }

// toHeld is the lock of a message; nil for nil.
func toHeld(m *musterv1.HeldLock) (*lock.Held, error) {
	if m == nil {
		return nil, nil
	}
	path, err := lock.Parse(m.Path)
	if err != nil {
		return nil, answered(err)
	}
	return &lock.Held{
		Path: path, Owner: m.Owner, Since: job.TimeOf(stamp(m.Since)), Until: job.TimeOf(stamp(m.Until)), Lease: m.Lease.AsDuration(),
	}, nil
}
