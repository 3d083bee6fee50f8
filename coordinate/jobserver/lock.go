package jobserver

import (
	"time"

	"github.com/muster-queue/muster/coordinate/cborrpc"
	"github.com/muster-queue/muster/engine"
	"github.com/muster-queue/muster/job"
	"github.com/muster-queue/muster/lock"
)

// Lock locks all of the paths for a number of seconds, or none. A path is a list
// of labels; with it, all paths below it are locked.
func (jobs *JobServer) Lock(lockerID string, timeout int, keys [][]any) (bool, string, error) {
	return jobs.onLocks(lockerID, timeout, keys, call.lock)
}

// Renew gives locks a new time from now, if the locker has them all.
func (jobs *JobServer) Renew(lockerID string, timeout int, keys [][]any) (bool, string, error) {
	return jobs.onLocks(lockerID, timeout, keys, call.renew)
}

// Unlock releases locks, if the locker has them all.
func (jobs *JobServer) Unlock(lockerID string, keys [][]any) (bool, string, error) {
	return jobs.onLocks(lockerID, 0, keys, call.unlock)
}

// locking is a request about locks.
type locking struct {
	locker string
	lease  time.Duration
	keys   cborrpc.Value
}

func (jobs *JobServer) onLocks(locker string, timeout int, keys [][]any, do func(call, locking) error) (bool, string, error) {
	c, err := jobs.begin()
	if err != nil {
		return false, "", err
	}
	v, err := encode(keys)
	if err == nil {
		err = do(c, locking{locker, duration(float64(timeout)), v})
	}
	return pair(err)
}

func (c call) lock(l locking) error {
	paths, err := lockPaths(l.keys)
	if err != nil {
		return err
	}
	_, err = c.Lock(c.ctx, engine.LockRequest{Owner: l.locker, Paths: paths, Lease: l.lease})
	return lockNotice(err)
}

func (c call) renew(l locking) error {
	paths, err := lockPaths(l.keys)
	if err != nil {
		return err
	}
	return lockNotice(c.RenewLocks(c.ctx, engine.OwnerRequest{Owner: l.locker, Paths: paths}, l.lease))
}

func (c call) unlock(l locking) error {
	paths, err := lockPaths(l.keys)
	if err != nil {
		return err
	}
	return lockNotice(c.Unlock(c.ctx, engine.OwnerRequest{Owner: l.locker, Paths: paths}))
}

// lockNotice makes the message of a pair from what stands in the way of a lock.
func lockNotice(err error) error {
	if job.IsKind(err, job.Conflict) || job.IsKind(err, job.LostLease) {
		return notice(err.Error())
	}
	return err
}

// Locksome locks those of the paths that can be, one after the other; the value
// has nil in the place of each that could not.
func (jobs *JobServer) Locksome(lockerID string, timeout int, keys [][]any) ([][]any, string, error) {
	c, err := jobs.begin()
	if err != nil {
		return nil, "", err
	}
	v, err := encode(keys)
	if err != nil {
		return nil, "", err
	}
	granted, err := c.locksome(locking{lockerID, duration(float64(timeout)), v})
	locked := make([][]any, len(granted))
	for i := range granted {
		if granted[i] {
			locked[i] = keys[i]
		}
	}
	return locked, "", err
}

func (c call) locksome(l locking) ([]bool, error) {
	paths, err := lockPaths(l.keys)
	if err != nil {
		return nil, err
	}
	return c.Lock(c.ctx, engine.LockRequest{Owner: l.locker, Paths: paths, Lease: l.lease, Some: true})
}

// Readlock tells who holds the lock on each path; nil where nobody does.
func (jobs *JobServer) Readlock(keys [][]any) ([]any, error) {
	c, err := jobs.begin()
	if err != nil {
		return nil, err
	}
	v, err := encode(keys)
	if err != nil {
		return nil, err
	}
	return c.readlock(v)
}

func (c call) readlock(keys cborrpc.Value) ([]any, error) {
	paths, err := lockPaths(keys)
	if err != nil {
		return nil, err
	}
	held, err := c.ReadLocks(c.ctx, paths)
	owners := make([]any, len(held))
	for i, h := range held {
		if h != nil {
			owners[i] = h.Owner
		}
	}
	return owners, err
}

// DeleteNamespace removes every lock whose first label is the prefix, whoever has
// it, and tells how many there were.
func (jobs *JobServer) DeleteNamespace(prefix string) (int, error) {
	c, err := jobs.begin()
	if err != nil {
		return 0, err
	}
	n, err := c.deleteNamespace(prefix)
	return int(n), err
}

func (c call) deleteNamespace(label any) (int64, error) {
	path, err := lock.PathOf(label)
	if err != nil {
		return 0, err
	}
	return c.DeleteLocks(c.ctx, path, true)
}

// errPaths says what lists of paths look like.
var errPaths = job.Errorf(job.Invalid, "cannot decode key paths: they must be a list of lists of labels")

// lockPaths reads a list of paths.
func lockPaths(keys cborrpc.Value) ([]lock.Path, error) {
	if !keys.IsList() {
		return nil, errPaths
	}
	paths := []lock.Path{}
	for key := range keys.Items() {
		if !key.IsList() {
			return nil, errPaths
		}
		clean, err := key.Clean()
		if err != nil {
			return nil, job.Wrap(err, "cannot decode key paths", "")
		}
		labels := []any{}
		for l := range clean.Items() {
			label, err := l.Decode()
			if err != nil {
				return nil, err
			}
			labels = append(labels, plain(label))
		}
		path, err := lock.PathOf(labels...)
		if err != nil {
			return nil, err
		}
		paths = append(paths, path)
	}
	return paths, nil
}

// plain is a label with lists for tuples, which are the same in a path.
func plain(label any) any {
	switch l := label.(type) {
	case cborrpc.PythonTuple:
		return plain(l.Items)
	case []any:
		for i := range l {
			l[i] = plain(l[i])
		}
	}
	return label
}
