// Package engine runs namespaces: each has one writer, which takes commands from
// an inbox, applies them to the pure state machine (package queue), lets the
// pure scheduler (package schedule) place what became placeable, commits the
// changes as one batch to the store, and lets replies, assignments and events
// out only after that batch is durable. Package server calls it for remote
// callers, the root package for programs that embed muster.
package engine

import (
	"context"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/muster-queue/muster/job"
	"github.com/muster-queue/muster/store"
)

// Engine runs the namespaces of one store.
type Engine struct {
	cfg   Config
	store store.Store
	log   *slog.Logger

	mu      sync.Mutex
	open    map[string]*slot
	figures map[string]*figures
	stopped bool
	// listening is set once callers can reach the server; until then silence
	// is nobody's fault and costs no lease.
	listening bool
	stopIdle  func() bool
	// awake ends what looks for namespaces to load, which is among background.
	awake      context.CancelFunc
	background sync.WaitGroup
}

// slot is a namespace that is being opened or is open; ready is closed when
// either is decided.
type slot struct {
	ready chan struct{}
	ns    *Namespace
	err   error
}

// New makes an engine over a store, which it does not close. Namespace
// "default" is created if the store has none.
func New(ctx context.Context, cfg Config, st store.Store) (*Engine, error) {
	cfg = cfg.withDefaults()
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	e := &Engine{cfg: cfg, store: st, log: cfg.Logger, open: map[string]*slot{}, figures: map[string]*figures{}}
	names, err := st.Namespaces(ctx)
	if err != nil {
		return nil, job.Wrap(err, "list namespaces", "")
	}
	if !slices.Contains(names, job.DefaultNamespace) {
		if err := st.Create(ctx, job.DefaultNamespace); err != nil {
			return nil, job.Wrap(err, "create namespace", job.DefaultNamespace)
		}
	}
	e.watchIdle()
	return e, nil
}

// Namespace is the running namespace of that name; it is loaded first if it is
// idle. NotFound if it does not exist.
func (e *Engine) Namespace(ctx context.Context, name string) (*Namespace, error) {
	if name == "" {
		name = job.DefaultNamespace
	}
	for {
		s, mine, err := e.slot(name)
		if err != nil {
			return nil, err
		}
		if mine {
			e.fill(ctx, name, s)
		}
		select {
		case <-s.ready:
		case <-ctx.Done():
			return nil, job.Errorf(job.Timeout, "load namespace %s: %w", name, context.Cause(ctx))
		}
		if s.err != nil {
			return nil, s.err
		}
		if s.ns.touch() {
			return s.ns, nil
		}
		// It was unloaded while we waited: ask again.
	}
}

func (e *Engine) slot(name string) (s *slot, mine bool, err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.stopped {
		return nil, false, job.ErrClosed
	}
	if s, ok := e.open[name]; ok {
		return s, false, nil
	}
	s = &slot{ready: make(chan struct{})}
	e.open[name] = s
	return s, true, nil
}

// fill opens the namespace for everybody who waits on the slot. It does not stop
// with the first caller's context, for the others still want it.
func (e *Engine) fill(ctx context.Context, name string, s *slot) {
	s.ns, s.err = e.load(context.WithoutCancel(ctx), name)
	if s.err != nil {
		e.mu.Lock()
		delete(e.open, name)
		e.mu.Unlock()
	}
	close(s.ready)
}

// Namespaces lists the names of all namespaces, sorted.
func (e *Engine) Namespaces(ctx context.Context) ([]string, error) {
	return e.store.Namespaces(ctx)
}

// CreateNamespace makes a namespace; an existing one is an Exists error.
func (e *Engine) CreateNamespace(ctx context.Context, name string) error {
	if err := job.CheckName("namespace", name); err != nil {
		return err
	}
	return job.Wrap(e.store.Create(ctx, name), "create namespace", name)
}

// DestroyNamespace deletes a namespace and all it holds. It is refused while
// agents run commands of it, unless force is set, which withdraws their leases.
func (e *Engine) DestroyNamespace(ctx context.Context, name string, force bool) error {
	ns, err := e.Namespace(ctx, name)
	if err != nil {
		return err
	}
	counts, err := ns.Counts(ctx, CountsRequest{})
	if err != nil {
		return err
	}
	held := counts.Total[job.Reserved] + counts.Total[job.Running] + counts.Total[job.Lost]
	if held > 0 && !force {
		return job.Errorf(job.Conflict, "destroy namespace %s: it has %s running; cancel that first, or force it", name, job.Plural(held, "job"))
	}
	e.unload(name, ns, time.Time{})
	e.mu.Lock()
	delete(e.figures, name)
	e.mu.Unlock()
	return job.Wrap(e.store.Destroy(ctx, name), "destroy namespace", name)
}

// Listening tells the engine that callers can reach it now: leases of namespaces
// loaded before are counted from here, since nobody could renew them. Namespaces
// that have something to do by themselves are loaded.
func (e *Engine) Listening() {
	e.mu.Lock()
	first := !e.listening && !e.stopped
	e.listening = true
	running := e.running()
	if first {
		ctx, cancel := context.WithCancel(context.Background())
		e.awake = cancel
		e.background.Go(func() { e.wake(ctx) })
	}
	e.mu.Unlock()
	for _, ns := range running {
		ns.heard()
	}
}

// Health is nil, or why no new work is accepted at present.
func (e *Engine) Health() error { return e.store.Health() }

// StoreStats are facts about the store.
func (e *Engine) StoreStats() store.Stats { return e.store.Stats() }

// Backup writes a consistent copy of the store to dir.
func (e *Engine) Backup(ctx context.Context, dir string) error {
	return job.Wrap(e.store.Backup(ctx, dir), "back up to", dir)
}

// Stop stops all namespaces. With a hold, all leases are durably extended by it
// first, and the agents are told, so that jobs run on while the server is away.
func (e *Engine) Stop(hold time.Duration) {
	e.mu.Lock()
	if e.stopped {
		e.mu.Unlock()
		return
	}
	e.stopped = true
	open := make(map[string]*slot, len(e.open))
	maps.Copy(open, e.open)
	e.mu.Unlock()
	e.stopIdle()
	if e.awake != nil {
		e.awake()
	}
	e.background.Wait()

	var until time.Time
	if hold > 0 {
		until = e.cfg.Clock.Wall().Add(hold)
	}
	var wg sync.WaitGroup
	for name, s := range open {
		wg.Go(func() {
			<-s.ready
			if s.err == nil {
				e.unload(name, s.ns, until)
			}
		})
	}
	wg.Wait()
}

// running are the namespaces that are open; the caller holds e.mu.
func (e *Engine) running() []*Namespace {
	var all []*Namespace
	for _, s := range e.open {
		select {
		case <-s.ready:
			if s.err == nil {
				all = append(all, s.ns)
			}
		default:
		}
	}
	return all
}

func (e *Engine) unload(name string, ns *Namespace, hold time.Time) {
	ns.stop(hold)
	e.mu.Lock()
	if s := e.open[name]; s != nil && s.ns == ns {
		delete(e.open, name)
	}
	e.mu.Unlock()
}

// watchIdle unloads namespaces nobody used for a while.
func (e *Engine) watchIdle() {
	var timer *time.Timer
	sweep := func() {
		e.mu.Lock()
		running, stopped := e.running(), e.stopped
		e.mu.Unlock()
		if stopped {
			return
		}
		for _, ns := range running {
			if ns.retire(e.cfg.IdleUnload) {
				e.unload(ns.Name(), ns, time.Time{})
			}
		}
		timer.Reset(e.cfg.IdleUnload / 2)
	}
	e.mu.Lock()
	timer = time.AfterFunc(e.cfg.IdleUnload/2, sweep)
	e.stopIdle = timer.Stop
	e.mu.Unlock()
}
