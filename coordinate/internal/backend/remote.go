package backend

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/muster-queue/muster/client"
	"github.com/muster-queue/muster/engine"
	"github.com/muster-queue/muster/job"
	"github.com/muster-queue/muster/lock"
)

// Remote is a namespace of a server. What it asks for is as atomic as a call of the
// server's; UpdateQueue changes only the settings that its edit changed.
type Remote struct {
	*client.Namespace

	mu sync.Mutex
	// workers have sessions, by which a repeated reserve gets the same answer.
	workers map[string]*client.Worker
}

// Now implements Backend. It is this machine's time: the protocol has no other.
func (r *Remote) Now(context.Context) (time.Time, error) { return time.Now(), nil }

// Queue implements Backend.
func (r *Remote) Queue(ctx context.Context, name string) (engine.QueueInfo, error) {
	q, err := r.Namespace.Queue(ctx, name)
	if err != nil {
		return engine.QueueInfo{}, err
	}
	return engine.QueueInfo(*q), nil
}

// Queues implements Backend.
func (r *Remote) Queues(ctx context.Context, after string, limit int) ([]engine.QueueInfo, error) {
	var all []engine.QueueInfo
	for q, err := range r.Namespace.Queues(ctx) {
		if err != nil {
			return nil, err
		}
		if q.Name <= after {
			continue
		}
		if all = append(all, engine.QueueInfo(*q)); len(all) == limit {
			break
		}
	}
	return all, nil
}

// SetQueue implements Backend.
func (r *Remote) SetQueue(ctx context.Context, q job.Queue) error {
	_, err := r.Namespace.SetQueue(ctx, &q)
	return err
}

// UpdateQueue implements Backend.
func (r *Remote) UpdateQueue(ctx context.Context, name string, edit func(*job.Queue)) error {
	q, err := r.Namespace.Queue(ctx, name)
	if err != nil {
		return err
	}
	before := q.Queue
	edit(&q.Queue)
	fields := changed(&before, &q.Queue)
	if len(fields) == 0 {
		return nil
	}
	_, err = r.Namespace.SetQueue(ctx, &q.Queue, fields...)
	return err
}

// changed names the settings that differ, of those that work specs have.
func changed(a, b *job.Queue) (fields []string) {
	for _, f := range []struct {
		name string
		same bool
	}{
		{"definition", slices.Equal(a.Definition, b.Definition)},
		{"runtime", a.Runtime == b.Runtime},
		{"priority", a.Priority == b.Priority},
		{"weight", a.Weight == b.Weight},
		{"paused", a.Paused == b.Paused},
		{"max_running", a.MaxRunning == b.MaxRunning},
		{"max_per_request", a.MaxPerRequest == b.MaxPerRequest},
		{"max_attempts", a.MaxAttempts == b.MaxAttempts},
		{"continuous", a.Continuous == b.Continuous},
		{"interval", a.Interval == b.Interval},
		{"order", a.Order == b.Order},
		{"then", a.Then == b.Then},
		{"min_memory", a.MinMemory == b.MinMemory},
		{"can_be_continuous", a.CanBeContinuous == b.CanBeContinuous},
	} {
		if !f.same {
			fields = append(fields, f.name)
		}
	}
	return fields
}

// Add implements Backend.
func (r *Remote) Add(ctx context.Context, q engine.AddRequest) (*engine.AddResult, error) {
	o := client.AddOptions{Existing: q.Existing, Kick: q.Kick, Partial: q.Partial, Defined: q.Defined}
	var sum engine.AddResult
	for part := range slices.Chunk(q.Jobs, remoteBatch) {
		added, _, err := r.AddJobs(ctx, o, part...)
		if err != nil {
			return nil, err
		}
		sum.Added += int(added.Added)
		sum.Existed += int(added.Existed)
		sum.Replaced += int(added.Replaced)
		sum.Rerun += int(added.Rerun)
		sum.Kicked += int(added.Kicked)
	}
	return &sum, nil
}

// remoteBatch is how many jobs are sent in one message.
const remoteBatch = 1000

// Units implements Backend.
func (r *Remote) Units(ctx context.Context, q engine.UnitsRequest) ([]*engine.Unit, error) {
	units, err := r.Namespace.Units(ctx, client.UnitsRequest(q))
	return toUnits(units), err
}

func toUnits(units []*client.Unit) []*engine.Unit {
	all := make([]*engine.Unit, len(units))
	for i, u := range units {
		if u == nil {
			continue
		}
		all[i] = &engine.Unit{
			Seq: u.Seq, Queue: u.Queue, Key: u.Key, State: u.State, Priority: u.Priority, NotBefore: u.NotBefore, Own: u.Own, Attempts: u.Attempts,
		}
		if u.Attempt != nil {
			a := engine.UnitAttempt(*u.Attempt)
			all[i].Attempt = &a
		}
	}
	return all
}

// DeleteUnits implements Backend.
func (r *Remote) DeleteUnits(ctx context.Context, s engine.UnitsSelector) (int64, error) {
	return r.Namespace.DeleteUnits(ctx, client.UnitSelector(s))
}

// PrioritiseUnits implements Backend.
func (r *Remote) PrioritiseUnits(ctx context.Context, s engine.UnitsSelector, set *float64, adjust float64) error {
	return r.Namespace.PrioritiseUnits(ctx, client.UnitSelector(s), set, adjust)
}

// SetUnitMeta implements Backend.
func (r *Remote) SetUnitMeta(ctx context.Context, queue string, key job.Key, priority float64, notBefore time.Time) error {
	done, err := r.Modify(ctx, client.Select(client.Ref{Queue: queue, Key: key}), &job.Job{Priority: priority, NotBefore: notBefore}, "priority", "not_before")
	if err != nil || done.Changed > 0 {
		return err
	}
	return r.PrioritiseUnits(ctx, engine.UnitsSelector{Queue: queue, Keys: []job.Key{key}}, &priority, 0)
}

// Reserve implements Backend.
func (r *Remote) Reserve(ctx context.Context, q engine.ReserveRequest) ([]engine.Grant, error) {
	grants, err := r.worker(q.Worker.Name).Reserve(ctx, q.N, q.Wait, client.Want{
		Queues: q.Queues, OneQueue: q.OneQueue, Runtimes: q.Runtimes, Defined: q.Defined, AvailableMemory: q.AvailableMemory, Lease: q.Lease,
	})
	if err != nil {
		return nil, err
	}
	all := make([]engine.Grant, len(grants))
	for i, g := range grants {
		if all[i], err = toGrant(g); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// worker is the one of that name, whose session lasts as long as this.
func (r *Remote) worker(name string) *client.Worker {
	r.mu.Lock()
	defer r.mu.Unlock()
	w, ok := r.workers[name]
	if !ok {
		w = r.Namespace.Worker(name, nil)
		r.workers[name] = w
	}
	return w
}

func toGrant(g *client.Grant) (engine.Grant, error) {
	j, err := g.Job()
	if err != nil {
		return engine.Grant{}, err
	}
	return engine.Grant{
		Seq: g.Seq, Attempt: g.Attempt, Number: g.Number, Lease: g.Lease, Deadline: g.Deadline, Queue: j.Queue, Key: j.Key, Data: j.Data,
	}, nil
}

// targets are the same in the words of the client.
var targets = map[engine.Target]client.Target{
	engine.TargetNone: client.TargetNone, engine.TargetReady: client.TargetReady, engine.TargetRetry: client.TargetRetry,
	engine.TargetHeld: client.TargetHeld, engine.TargetComplete: client.TargetComplete, engine.TargetFailed: client.TargetBuried,
}

// Update implements Backend.
func (r *Remote) Update(ctx context.Context, q engine.UpdateRequest) (engine.UpdateResult, error) {
	done, err := r.Namespace.Update(ctx, client.UpdateRequest{
		Queue: q.Queue, Key: q.Key, Attempt: q.Attempt, To: targets[q.To], Lease: q.Lease, Data: q.Data, Delay: q.Delay, Worker: q.Worker, Defined: q.Defined,
	})
	return engine.UpdateResult(done), err
}

// MakeAttempt implements Backend.
func (r *Remote) MakeAttempt(ctx context.Context, worker, queue string, key job.Key, lease time.Duration) (*engine.Grant, error) {
	made, err := r.Namespace.MakeAttempt(ctx, worker, queue, key, lease)
	if err != nil {
		return nil, err
	}
	g, err := toGrant(made)
	return &g, err
}

// UnitAttempts implements Backend.
func (r *Remote) UnitAttempts(ctx context.Context, queue string, key job.Key) ([]engine.UnitAttempt, error) {
	attempts, err := r.Namespace.UnitAttempts(ctx, queue, key)
	all := make([]engine.UnitAttempt, len(attempts))
	for i, a := range attempts {
		all[i] = engine.UnitAttempt(*a)
	}
	return all, err
}

// Announce implements Backend.
func (r *Remote) Announce(ctx context.Context, w job.Worker, leaves bool) error {
	return r.Namespace.Announce(ctx, &w, leaves)
}

// Worker implements Backend.
func (r *Remote) Worker(ctx context.Context, name string) (engine.WorkerInfo, error) {
	w, err := r.WorkerInfo(ctx, name)
	if err != nil {
		return engine.WorkerInfo{}, err
	}
	return toWorker(w), nil
}

func toWorker(w *client.WorkerInfo) engine.WorkerInfo {
	return engine.WorkerInfo{
		Worker: w.Worker, Connected: w.Alive, Heard: w.Heard, Free: w.Free, Held: int(w.Held), Draining: w.Draining, Active: w.Active, Left: w.Left,
	}
}

// Workers implements Backend.
func (r *Remote) Workers(ctx context.Context, q engine.WorkersRequest) ([]engine.WorkerInfo, error) {
	var all []engine.WorkerInfo
	for w, err := range r.Namespace.Workers(ctx, client.WorkerFilter{Parent: q.Parent, Active: q.Active, All: q.All}) {
		if err != nil {
			return nil, err
		}
		if w.Name <= q.After {
			continue
		}
		if all = append(all, toWorker(w)); len(all) == q.Limit {
			break
		}
	}
	return all, nil
}

// WorkerUnits implements Backend.
func (r *Remote) WorkerUnits(ctx context.Context, worker string, all bool) ([]*engine.Unit, error) {
	units, err := r.Namespace.WorkerUnits(ctx, worker, all)
	return toUnits(units), err
}

// ChildUnits implements Backend.
func (r *Remote) ChildUnits(ctx context.Context, parent string) (map[string][]*engine.Unit, error) {
	children, err := r.Namespace.ChildUnits(ctx, parent)
	all := make(map[string][]*engine.Unit, len(children))
	for child, units := range children {
		all[child] = toUnits(units)
	}
	return all, err
}

// Lock implements Backend.
func (r *Remote) Lock(ctx context.Context, q engine.LockRequest) ([]bool, error) {
	if q.Some {
		return r.LockSome(ctx, q.Owner, q.Paths, q.Lease)
	}
	if err := r.Namespace.Lock(ctx, q.Owner, q.Paths, q.Lease, q.Wait); err != nil {
		return nil, err
	}
	return slices.Repeat([]bool{true}, len(q.Paths)), nil
}

// RenewLocks implements Backend.
func (r *Remote) RenewLocks(ctx context.Context, q engine.OwnerRequest, lease time.Duration) error {
	return r.Namespace.RenewLocks(ctx, q.Owner, q.Paths, lease)
}

// Unlock implements Backend.
func (r *Remote) Unlock(ctx context.Context, q engine.OwnerRequest) error {
	return r.Namespace.Unlock(ctx, q.Owner, q.Paths)
}

// DeleteLocks implements Backend.
func (r *Remote) DeleteLocks(ctx context.Context, p lock.Path, below bool) (int64, error) {
	return r.Namespace.DeleteLocks(ctx, []lock.Path{p}, below)
}

// RemoteSource is a server.
type RemoteSource struct{ Client *client.Client }

// Namespaces implements Source.
func (s RemoteSource) Namespaces(ctx context.Context) (all []string, err error) {
	for name, err := range s.Client.Namespaces(ctx) {
		if err != nil {
			return nil, err
		}
		all = append(all, name)
	}
	return all, nil
}

// Create implements Source.
func (s RemoteSource) Create(ctx context.Context, name string) error {
	return s.Client.CreateNamespace(ctx, name)
}

// Destroy implements Source.
func (s RemoteSource) Destroy(ctx context.Context, name string) error {
	return s.Client.Namespace(name).Destroy(ctx, true)
}

// Open implements Source.
func (s RemoteSource) Open(name string) Backend {
	return &Remote{Namespace: s.Client.Namespace(name), workers: map[string]*client.Worker{}}
}
