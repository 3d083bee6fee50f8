package client

import (
	"context"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/muster-queue/muster/api"
	musterv1 "github.com/muster-queue/muster/api/muster/v1"
	"github.com/muster-queue/muster/job"
)

// Target is the state that an Update asks for.
type Target string

// The targets of an Update.
const (
	// TargetNone: no other state; data or lease change.
	TargetNone Target = ""
	// TargetReady: available to anybody; who holds the unit has lost it. With
	// TargetRetry they give it back of their own accord.
	TargetReady Target = "ready"
	TargetRetry Target = "retry"
	// TargetHeld: held; an attempt is made where there is none.
	TargetHeld Target = "held"
	// TargetComplete and TargetBuried: ended.
	TargetComplete Target = "complete"
	TargetBuried   Target = "buried"
)

// UpdateRequest changes a unit: through the attempt that is current, whoever has
// it, or one that is made, or else the unit itself.
type UpdateRequest struct {
	Queue string
	Key   job.Key
	// Attempt, if not zero, is the one meant; unless it is the newest, nothing is
	// changed.
	Attempt job.AttemptID
	To      Target
	// Lease is the new length of the lease, from now; nil leaves it alone, a
	// negative one ends it.
	Lease *time.Duration
	// Data replaces the attempt's data, or the unit's where no attempt is meant;
	// nil keeps it.
	Data []byte
	// Delay is how long a unit that becomes available is held back.
	Delay time.Duration
	// Worker is whose an attempt is that has to be made.
	Worker string
	// Defined wants the queue to have a definition.
	Defined bool
}

// UpdateResult is what became of an Update.
type UpdateResult struct {
	// Changed is false when there was nothing to do.
	Changed bool
	State   job.State
	Attempt job.AttemptID
}

// Update changes a unit. Errors: job.ErrNoQueue, job.ErrNoJob, job.ErrLostLease
// when the attempt given is not the newest, Conflict for what its state forbids.
func (n *Namespace) Update(ctx context.Context, r UpdateRequest) (UpdateResult, error) {
	q := &musterv1.UpdateUnitRequest{
		Namespace: n.name, Queue: r.Queue, Key: []byte(r.Key), To: string(r.To), Data: r.Data,
		Delay: api.FromDuration(r.Delay), Worker: r.Worker, Defined: r.Defined, RequestId: newID(),
	}
	if !r.Attempt.IsZero() {
		q.Attempt = r.Attempt.String()
	}
	if r.Lease != nil {
		q.Lease = durationpb.New(*r.Lease)
	}
	m, err := call(ctx, n.c, n.c.units.UpdateUnit, q)
	if err != nil {
		return UpdateResult{}, err
	}
	var f firstError
	u := UpdateResult{Changed: m.Changed, State: take(&f, parseState, m.State)}
	if m.Attempt != "" {
		u.Attempt = take(&f, job.ParseAttemptID, m.Attempt)
	}
	return u, answered(f.err)
}

// MakeAttempt grants a unit to a worker whatever its state; a lease of zero has
// the queue's length.
func (n *Namespace) MakeAttempt(ctx context.Context, worker, queue string, key job.Key, lease time.Duration) (*Grant, error) {
	asked := time.Now()
	m, err := call(ctx, n.c, n.c.units.MakeAttempt, &musterv1.MakeAttemptRequest{
		Namespace: n.name, Worker: worker, Queue: queue, Key: []byte(key), Lease: api.FromDuration(lease),
	})
	if err != nil {
		return nil, err
	}
	return toGrant(m, asked), nil
}

// UnitAttempts is the history of a unit, oldest first.
func (n *Namespace) UnitAttempts(ctx context.Context, queue string, key job.Key) ([]*UnitAttempt, error) {
	m, err := call(ctx, n.c, n.c.units.ListUnitAttempts, &musterv1.ListUnitAttemptsRequest{Namespace: n.name, Queue: queue, Key: []byte(key)})
	if err != nil {
		return nil, err
	}
	list, err := convert(m.Attempts, toUnitAttempt)
	return list, answered(err)
}

// WorkerUnits lists the units that a worker holds, with all also those it had, as
// far as that is known; the attempt of those is the worker's.
func (n *Namespace) WorkerUnits(ctx context.Context, worker string, all bool) ([]*Unit, error) {
	m, err := call(ctx, n.c, n.c.units.ListWorkerUnits, &musterv1.ListWorkerUnitsRequest{Namespace: n.name, Worker: worker, All: all})
	if err != nil {
		return nil, err
	}
	return convert(m.Units, toUnit)
}

// ChildUnits lists the units that each child of a worker holds.
func (n *Namespace) ChildUnits(ctx context.Context, parent string) (map[string][]*Unit, error) {
	m, err := call(ctx, n.c, n.c.units.ListChildUnits, &musterv1.ListChildUnitsRequest{Namespace: n.name, Parent: parent})
	if err != nil {
		return nil, err
	}
	children := make(map[string][]*Unit, len(m.Children))
	for _, c := range m.Children {
		if children[c.Worker], err = convert(c.Units, toUnit); err != nil {
			return nil, err
		}
	}
	return children, nil
}
