// Package coordinate is Coordinate's Go API in the shape its programs know:
// Coordinate, Namespace, WorkSpec, WorkUnit, Worker, Attempt, the same for an
// engine in this process (New) and for a server elsewhere (Connect). A work spec
// is a queue with a definition, a work unit a job in it; of what else a namespace
// has, nothing is seen from here. Programs that used Coordinate call it, package
// worker does, and the command line makes queues from work specs with it; below
// it, package jobserver has the methods that Python's clients call and package
// cborrpc their wire.
//
// Objects stand for names: one that was deleted and made again under its name is
// the same to a program that still has it, and until then its methods return
// ErrGone. Attempts are what they are: nothing takes the place of one that is over.
// Data that was passed in or handed out may be changed without any effect.
package coordinate

import (
	"context"
	"time"

	"github.com/muster-queue/muster/client"
	"github.com/muster-queue/muster/coordinate/internal/backend"
	"github.com/muster-queue/muster/engine"
	"github.com/muster-queue/muster/job"
)

// Coordinate is where namespaces are.
type Coordinate interface {
	// Namespace is the namespace of that name, made if it is not there. The empty
	// name means the default one.
	Namespace(namespace string) (Namespace, error)
	// Namespaces are all there are, by name.
	Namespaces() (map[string]Namespace, error)
	Summarizable
}

// Namespace is a world of work specs and workers of its own.
type Namespace interface {
	// Name is the name it was asked for by.
	Name() string
	// Destroy removes it with all that is in it.
	Destroy() error
	// SetWorkSpec makes a work spec, or gives the one of that name new data.
	SetWorkSpec(workSpec map[string]any) (WorkSpec, error)
	// WorkSpec is the work spec of that name, or ErrNoSuchWorkSpec.
	WorkSpec(name string) (WorkSpec, error)
	// DestroyWorkSpec removes a work spec with its units, or ErrNoSuchWorkSpec.
	DestroyWorkSpec(name string) error
	// WorkSpecNames are the names of all work specs, in order.
	WorkSpecNames() ([]string, error)
	// Worker is the worker of that name; one that nobody knows is made, active for
	// 15 minutes.
	Worker(name string) (Worker, error)
	// Workers are all that are known, active or not, by name.
	Workers() (map[string]Worker, error)
	Summarizable
}

// WorkSpec is work of one kind: a queue with a definition.
type WorkSpec interface {
	// Name is its name.
	Name() string
	// Data is its dictionary.
	Data() (map[string]any, error)
	// SetData replaces the dictionary and all that follows from it; its name must
	// be the same: ErrNoWorkSpecName, ErrBadWorkSpecName, ErrChangedName.
	SetData(data map[string]any) error
	// Meta are its settings, with counts if asked for.
	Meta(withCounts bool) (WorkSpecMeta, error)
	// SetMeta changes its settings. It leaves out what only data can change
	// (NextWorkSpecName, Runtime, CanBeContinuous), the counts and NextContinuous,
	// and Continuous where the data does not allow it.
	SetMeta(meta WorkSpecMeta) error
	// AddWorkUnit adds a work unit, or replaces the one of that name; one that is
	// pending stays so.
	AddWorkUnit(name string, data map[string]any, meta WorkUnitMeta) (WorkUnit, error)
	// AddWorkUnits adds many at once, which is much faster.
	AddWorkUnits(units []WorkUnitItem) error
	// WorkUnit is the work unit of that name, or ErrNoSuchWorkUnit.
	WorkUnit(name string) (WorkUnit, error)
	// WorkUnits are those that match, by name.
	WorkUnits(query WorkUnitQuery) (map[string]WorkUnit, error)
	// CountWorkUnitStatus counts work units; a status without any is left out.
	CountWorkUnitStatus() (map[WorkUnitStatus]int, error)
	// SetWorkUnitPriorities gives those that match a priority.
	SetWorkUnitPriorities(query WorkUnitQuery, priority float64) error
	// AdjustWorkUnitPriorities adds to the priority of those that match.
	AdjustWorkUnitPriorities(query WorkUnitQuery, adjustment float64) error
	// DeleteWorkUnits deletes those that match and tells how many; an empty query
	// means all.
	DeleteWorkUnits(query WorkUnitQuery) (int, error)
	Summarizable
}

// WorkUnit is one thing to do: a job of the work spec's queue.
type WorkUnit interface {
	// Name is its name, of any bytes.
	Name() string
	// Data is that of its active attempt, or else its own.
	Data() (map[string]any, error)
	// WorkSpec is what it belongs to.
	WorkSpec() WorkSpec
	Status() (WorkUnitStatus, error)
	Meta() (WorkUnitMeta, error)
	SetMeta(meta WorkUnitMeta) error
	Priority() (float64, error)
	SetPriority(priority float64) error
	// ActiveAttempt is the attempt that holds it or ended it; nil if there is none.
	ActiveAttempt() (Attempt, error)
	// ClearActiveAttempt makes it available again, with its own data.
	ClearActiveAttempt() error
	// Attempts are all that were made, oldest first, as far as they are kept.
	Attempts() ([]Attempt, error)
	NumAttempts() (int, error)
}

// Worker is somebody who does work.
type Worker interface {
	// Name is its name.
	Name() string
	// Parent is nil if it has none.
	Parent() (Worker, error)
	SetParent(parent Worker) error
	Children() ([]Worker, error)
	// Active tells whether it has neither left nor expired.
	Active() (bool, error)
	// Deactivate makes it inactive; what it holds it keeps.
	Deactivate() error
	Mode() (string, error)
	Data() (map[string]any, error)
	Expiration() (time.Time, error)
	LastUpdate() (time.Time, error)
	// Update says what it is and until when, and makes it active. The namespace's
	// own clock tells when that was.
	Update(data map[string]any, now time.Time, expiration time.Time, mode string) error
	// RequestAttempts is given work by the scheduler, all from one work spec; none
	// is no error.
	RequestAttempts(req AttemptRequest) ([]Attempt, error)
	// MakeAttempt starts an attempt whatever the state of the unit; a duration of
	// zero means 15 minutes.
	MakeAttempt(unit WorkUnit, duration time.Duration) (Attempt, error)
	// ActiveAttempts are those it holds.
	ActiveAttempts() ([]Attempt, error)
	// AllAttempts are also those it has had, as far as they are kept.
	AllAttempts() ([]Attempt, error)
	// ChildAttempts are those that its children hold.
	ChildAttempts() ([]Attempt, error)
}

// Attempt is one try of a work unit by one worker.
type Attempt interface {
	WorkUnit() WorkUnit
	Worker() Worker
	Status() (AttemptStatus, error)
	// Data is its own, or that of the unit.
	Data() (map[string]any, error)
	StartTime() (time.Time, error)
	// EndTime is zero until it ends.
	EndTime() (time.Time, error)
	ExpirationTime() (time.Time, error)
	// Renew makes it last that long from now. In all that follows data replaces the
	// attempt's, unless it is nil. ErrLostLease if another attempt has taken its
	// place, ErrNotPending if it has ended.
	Renew(extendDuration time.Duration, data map[string]any) error
	// Expire ends it; the unit is available again.
	Expire(data map[string]any) error
	// Finish ends it well, also after it failed; what its data has as "output"
	// becomes work of the next work spec.
	Finish(data map[string]any) error
	// Fail ends it for good.
	Fail(data map[string]any) error
	// Retry ends it; the unit is available again after the delay.
	Retry(data map[string]any, delay time.Duration) error
}

// New is Coordinate over an engine in this process. ctx bounds all that is done
// through it.
func New(ctx context.Context, e *engine.Engine) Coordinate {
	return &world{ctx: ctx, source: backend.LocalSource{Engine: e}}
}

// Connect is Coordinate over a connection to a server. ctx bounds all that is done
// through it.
func Connect(ctx context.Context, c *client.Client) Coordinate {
	return &world{ctx: ctx, source: backend.RemoteSource{Client: c}}
}

// world is the one implementation of Coordinate, over either source.
type world struct {
	ctx    context.Context
	source backend.Source
}

// Namespace implements Coordinate.
func (w *world) Namespace(name string) (Namespace, error) {
	real := realName(name)
	if err := w.source.Create(w.ctx, real); err != nil && !job.IsKind(err, job.Exists) {
		return nil, job.Wrap(err, "make the namespace", real)
	}
	return w.namespace(name), nil
}

func (w *world) namespace(name string) *namespace {
	return &namespace{world: w, name: name, Backend: w.source.Open(realName(name))}
}

// realName is what a namespace is called elsewhere.
func realName(name string) string {
	if name == "" {
		return job.DefaultNamespace
	}
	return name
}

// Namespaces implements Coordinate.
func (w *world) Namespaces() (map[string]Namespace, error) {
	names, err := w.source.Namespaces(w.ctx)
	if err != nil {
		return nil, err
	}
	all := map[string]Namespace{}
	for _, name := range names {
		if name == job.DefaultNamespace {
			name = ""
		}
		all[name] = w.namespace(name)
	}
	return all, nil
}

// Backend is for the packages below this one: what a namespace stands for, and the
// context that bounds its calls. ErrWrongBackend if it is not of this package.
func Backend(ns Namespace) (backend.Backend, context.Context, error) {
	n, ok := ns.(*namespace)
	if !ok {
		return nil, context.Background(), ErrWrongBackend
	}
	return n.Backend, n.world.ctx, nil
}
