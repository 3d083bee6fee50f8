package engine

import (
	"context"
	"slices"
	"time"

	"github.com/muster-queue/muster/job"
	"github.com/muster-queue/muster/lock"
)

// LockRequest asks for locks on paths.
type LockRequest struct {
	Owner string
	Paths []lock.Path
	// Lease is how long they are held unless renewed; see lock.Tree.Lock.
	Lease time.Duration
	// Some takes those that are free, one after the other; otherwise it is all
	// or none.
	Some bool
	// Wait is how long to wait until all are free (negative: without limit).
	// Who takes some does not wait.
	Wait time.Duration
	Once Once
}

// Lock takes locks and tells which of the paths were given. When not all are
// free and not some were asked for, it is a Conflict that says what is in the way.
func (n *Namespace) Lock(ctx context.Context, r LockRequest) ([]bool, error) {
	if err := n.engine.Health(); err != nil {
		return nil, err
	}
	var expired <-chan time.Time
	if r.Wait > 0 {
		timer := time.NewTimer(r.Wait)
		defer timer.Stop()
		expired = timer.C
	}
	for {
		answer, err := n.tryLock(ctx, &r)
		if r.Wait == 0 || r.Some || answer.freed == nil {
			return answer.Given, err
		}
		select {
		case <-answer.freed:
		case <-expired:
			return nil, err
		case <-n.stopped:
			return nil, job.ErrClosed
		case <-ctx.Done():
			return nil, job.Errorf(job.Timeout, "wait for locks: %w", context.Cause(ctx))
		}
	}
}

// lockAnswer is what became of a LockRequest.
type lockAnswer struct {
	Given []bool `cbor:"1,keyasint,omitempty"`
	// freed, set when some lock was in the way, is closed when any is released.
	freed <-chan struct{}
}

// tryLock takes locks if it can.
func (n *Namespace) tryLock(ctx context.Context, r *LockRequest) (lockAnswer, error) {
	return doOnce(ctx, n, "lock", r.Once, func(w *writer) (lockAnswer, error) {
		if r.Some {
			given, err := w.locks.LockSome(w.state.Now(), r.Owner, r.Paths, r.Lease)
			return lockAnswer{Given: given}, err
		}
		err := w.locks.Lock(w.state.Now(), r.Owner, r.Paths, r.Lease)
		switch {
		case job.IsKind(err, job.Conflict):
			return lockAnswer{freed: w.freed}, err
		case err != nil:
			return lockAnswer{}, err
		}
		return lockAnswer{Given: slices.Repeat([]bool{true}, len(r.Paths))}, nil
	})
}

// OwnerRequest names locks by their owner and exact paths.
type OwnerRequest struct {
	Owner string
	Paths []lock.Path
	Once  Once // of Unlock; to renew again does no harm
}

// RenewLocks gives the owner's locks a new lease from now. When one of them is
// not the owner's (any more) nothing is changed: a LostLease error.
func (n *Namespace) RenewLocks(ctx context.Context, r OwnerRequest, lease time.Duration) error {
	_, err := call(ctx, n, urgent, func(w *writer) (struct{}, error) {
		return struct{}{}, w.locks.Renew(w.state.Now(), r.Owner, r.Paths, lease)
	})
	return err
}

// Unlock releases the owner's locks, all or, when one of them is not the
// owner's, none: a LostLease error.
func (n *Namespace) Unlock(ctx context.Context, r OwnerRequest) error {
	_, err := doOnce(ctx, n, "unlock", r.Once, func(w *writer) (struct{}, error) {
		return struct{}{}, w.locks.Unlock(w.state.Now(), r.Owner, r.Paths)
	})
	return err
}

// ReadLocks tells who holds a lock on exactly each of the paths; nil where
// nobody does.
func (n *Namespace) ReadLocks(ctx context.Context, paths []lock.Path) ([]*lock.Held, error) {
	return call(ctx, n, normal, func(w *writer) ([]*lock.Held, error) {
		return w.locks.Read(w.state.Now(), paths)
	})
}

// DeleteLocks releases the lock on p, whoever holds it, and with below set every
// lock below it; it tells how many there were.
func (n *Namespace) DeleteLocks(ctx context.Context, p lock.Path, below bool) (deleted int64, err error) {
	type step struct {
		removed int
		more    bool
	}
	for {
		s, err := call(ctx, n, normal, func(w *writer) (s step, _ error) {
			s.removed, s.more = w.locks.Remove(w.state.Now(), p, below, scanPage)
			return s, nil
		})
		deleted += int64(s.removed)
		if err != nil || !s.more {
			return deleted, err
		}
	}
}

// LocksRequest lists held locks in the order of their paths.
type LocksRequest struct {
	// Under restricts them to those on a path and below it.
	Under lock.Path
	// After is where the page before ended; nil: from the first.
	After *lock.Path
	Limit int // at most MaxPage, which is also what zero means
}

// Locks lists the locks that are held.
func (n *Namespace) Locks(ctx context.Context, r LocksRequest) ([]lock.Held, error) {
	if r.Limit <= 0 || r.Limit > MaxPage {
		r.Limit = MaxPage
	}
	return call(ctx, n, normal, func(w *writer) ([]lock.Held, error) {
		return w.locks.List(w.state.Now(), r.Under, r.After, r.Limit), nil
	})
}

// takeLocks is what this turn changed of the locks. Whoever waits for one to be
// released tries again when that is durable, or is known not to be.
func (w *writer) takeLocks() []job.LockRow {
	rows := w.locks.Take()
	for i := range rows {
		if rows[i].Gone {
			freed := w.freed
			w.done = append(w.done, func(error) { close(freed) }) // also when it fails: after the load it is another one
			w.freed = make(chan struct{})
			break
		}
	}
	return rows
}

// loadLocks begins with the locks that were stored and have not expired since;
// whoever waited for one before tries again. Time in which there was no server
// is not given back to them: nobody might ever ask for what would be kept so.
func (w *writer) loadLocks(rows []job.LockRow, now job.Time) {
	w.locks = lock.New(w.cfg.MaxLocks)
	for _, row := range rows {
		w.locks.Load(row)
	}
	w.locks.Expire(now, -1)
	if w.freed != nil {
		close(w.freed)
	}
	w.freed = make(chan struct{})
}
