package coordinate

import (
	"time"

	"github.com/muster-queue/muster/coordinate/cborrpc"
	"github.com/muster-queue/muster/coordinate/internal/backend"
	"github.com/muster-queue/muster/engine"
	"github.com/muster-queue/muster/job"
)

// DefaultLifetime is how long an attempt lasts when its request does not say.
const DefaultLifetime = 15 * time.Minute

// AttemptRequest says what work a worker wants.
type AttemptRequest struct {
	// AvailableGb, if positive, leaves out work specs that need more memory.
	AvailableGb float64
	// Lifetime is how long the attempts last; zero means DefaultLifetime.
	Lifetime time.Duration
	// NumberOfWorkUnits is the most that are wanted; zero means one.
	NumberOfWorkUnits int
	// WorkSpecs are those wanted; empty means all.
	WorkSpecs []string
	// Runtimes are what the worker can run; empty means anything.
	Runtimes []string
}

// worker implements Worker.
type worker struct {
	*namespace
	name string
}

// info is what is known of it; nothing of one that was forgotten, for a worker is
// whoever uses its name.
func (w *worker) info() (engine.WorkerInfo, error) {
	info, err := w.Backend.Worker(w.world.ctx, w.name)
	if job.IsKind(err, job.NotFound) {
		return engine.WorkerInfo{Worker: job.Worker{Name: w.name}}, nil
	}
	return info, err
}

// Name implements Worker.
func (w *worker) Name() string { return w.name }

// Parent implements Worker.
func (w *worker) Parent() (Worker, error) {
	info, err := w.info()
	if err != nil || info.Parent == "" {
		return nil, err
	}
	return w.worker(info.Parent), nil
}

// SetParent implements Worker.
func (w *worker) SetParent(parent Worker) error {
	info, err := w.info()
	if err != nil {
		return err
	}
	if info.Parent = ""; parent != nil {
		p, ok := parent.(*worker)
		if !ok || p.world != w.world {
			return ErrWrongBackend
		}
		info.Parent = p.name
	}
	return gone(w.Announce(w.world.ctx, info.Worker, false))
}

// Children implements Worker.
func (w *worker) Children() ([]Worker, error) {
	children := []Worker{}
	err := w.eachWorker(engine.WorkersRequest{Parent: w.name}, func(c *engine.WorkerInfo) { children = append(children, w.worker(c.Name)) })
	return children, err
}

// Active implements Worker.
func (w *worker) Active() (bool, error) {
	info, err := w.info()
	return info.Active, err
}

// Deactivate implements Worker.
func (w *worker) Deactivate() error {
	return gone(w.Announce(w.world.ctx, job.Worker{Name: w.name}, true))
}

// Mode implements Worker.
func (w *worker) Mode() (string, error) {
	info, err := w.info()
	return info.Mode, err
}

// Data implements Worker.
func (w *worker) Data() (map[string]any, error) {
	info, err := w.info()
	if err != nil {
		return nil, err
	}
	return cborrpc.Value(info.Data).Map()
}

// Expiration implements Worker.
func (w *worker) Expiration() (time.Time, error) {
	info, err := w.info()
	return info.Expires, err
}

// LastUpdate implements Worker.
func (w *worker) LastUpdate() (time.Time, error) {
	info, err := w.info()
	return info.Heard, err
}

// Update implements Worker.
func (w *worker) Update(data map[string]any, _, expiration time.Time, mode string) error {
	encoded, err := cborrpc.Encode(data)
	if err != nil {
		return job.Wrap(err, "update worker", w.name)
	}
	info, err := w.info()
	if err != nil {
		return err
	}
	info.Data, info.Expires, info.Mode = encoded, expiration, mode
	return gone(w.Announce(w.world.ctx, info.Worker, false))
}

// RequestAttempts implements Worker.
func (w *worker) RequestAttempts(req AttemptRequest) ([]Attempt, error) {
	grants, err := w.Reserve(w.world.ctx, engine.ReserveRequest{
		Worker: job.Worker{Name: w.name}, N: min(max(1, req.NumberOfWorkUnits), engine.MaxReserve), Queues: req.WorkSpecs,
		OneQueue: true, Defined: true, Runtimes: req.Runtimes, Lease: lifetime(req.Lifetime), AvailableMemory: backend.Gigabytes(req.AvailableGb),
	})
	if err != nil {
		return nil, gone(err)
	}
	attempts := make([]Attempt, len(grants))
	for i := range grants {
		attempts[i] = w.granted(&grants[i])
	}
	return attempts, nil
}

// lifetime is a lease within its bounds.
func lifetime(d time.Duration) time.Duration {
	if d <= 0 {
		return DefaultLifetime
	}
	return max(job.MinLease, min(job.MaxLease, d))
}

func (w *worker) granted(g *engine.Grant) Attempt {
	return &attempt{unit: w.spec(g.Queue).unit(string(g.Key)), worker: w.name, id: g.Attempt}
}

// MakeAttempt implements Worker.
func (w *worker) MakeAttempt(unit WorkUnit, duration time.Duration) (Attempt, error) {
	u, ok := unit.(*workUnit)
	if !ok || u.spec.world != w.world {
		return nil, ErrWrongBackend
	}
	g, err := w.Backend.MakeAttempt(w.world.ctx, w.name, u.spec.name, job.Key(u.name), lifetime(duration))
	if err != nil {
		return nil, gone(err)
	}
	return &attempt{unit: u, worker: w.name, id: g.Attempt}, nil
}

// ActiveAttempts implements Worker.
func (w *worker) ActiveAttempts() ([]Attempt, error) { return w.attempts(false) }

// AllAttempts implements Worker.
func (w *worker) AllAttempts() ([]Attempt, error) { return w.attempts(true) }

func (w *worker) attempts(all bool) ([]Attempt, error) {
	units, err := w.WorkerUnits(w.world.ctx, w.name, all)
	return w.attemptsOf(units), gone(err)
}

// attemptsOf are the attempts that units were found by.
func (n *namespace) attemptsOf(units []*engine.Unit) []Attempt {
	attempts := []Attempt{}
	for _, u := range units {
		if u.Attempt != nil {
			attempts = append(attempts, n.spec(u.Queue).unit(string(u.Key)).attempt(u.Attempt))
		}
	}
	return attempts
}

// ChildAttempts implements Worker.
func (w *worker) ChildAttempts() ([]Attempt, error) {
	children, err := w.ChildUnits(w.world.ctx, w.name)
	if err != nil {
		return nil, gone(err)
	}
	attempts := []Attempt{}
	for _, units := range children {
		attempts = append(attempts, w.attemptsOf(units)...)
	}
	return attempts, nil
}
