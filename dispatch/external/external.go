// Package external runs the pools of the external scheduler: what dispatchers
// that have tasks and workers of their own share out through muster. Package
// server calls it for them, and for those who administer pools.
//
// A pool belongs to a namespace and has tasks, workers, accounts and the
// decisions that nobody has acknowledged yet; package dispatch decides. Whatever
// changes is stored as documents of the namespace, together with its entries in
// the log, before any answer leaves: after a crash the same is answered again.
//
// Requests of one pool are done in batches. One that is alone is done at once;
// those that come while a batch is being stored make up the next. In a batch
// changes of the pool come first, then all news of tasks, then all idle workers,
// together in one pass of the scheduler.
package external

import (
	"cmp"
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/muster-queue/muster/engine"
	"github.com/muster-queue/muster/job"
)

// Config holds what can be tuned. The zero value of each field means the default
// named beside it.
type Config struct {
	// Wait is how long a batch waits for more requests to come; default 0.
	Wait time.Duration
	// Batch is the most requests of a batch; default 1000.
	Batch int
	// Waiting is the most requests that wait for a pool; default 10,000. More are
	// refused as Exhausted.
	Waiting int
	// MaxTasks and MaxWorkers bound what a pool has: 1,000,000 and 100,000.
	MaxTasks, MaxWorkers int
	// MaxPools bounds the pools of a namespace; default 1000.
	MaxPools int
	// Idle is after how long an unused pool leaves memory; default 10 minutes.
	Idle time.Duration
	// Now tells the time; default the machine's.
	Now    func() time.Time
	Logger *slog.Logger
}

func (cfg Config) withDefaults() Config {
	setDefault(&cfg.Batch, 1000)
	setDefault(&cfg.Waiting, 10_000)
	setDefault(&cfg.MaxTasks, 1_000_000)
	setDefault(&cfg.MaxWorkers, 100_000)
	setDefault(&cfg.MaxPools, 1000)
	setDefault(&cfg.Idle, 10*time.Minute)
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	return cfg
}

func setDefault[T comparable](v *T, usual T) {
	var zero T
	if *v == zero {
		*v = usual
	}
}

// Scheduler runs the pools of all namespaces of an engine. Its methods may be
// called by anyone at any time.
type Scheduler struct {
	engine *engine.Engine
	cfg    Config

	mu     sync.Mutex
	pools  map[id]*pool
	counts map[id]*Counters // also of pools that left memory
	closed bool
	sweep  *time.Timer
	work   sync.WaitGroup
}

// id names a pool.
type id struct{ namespace, name string }

func (i id) String() string { return i.namespace + "/" + i.name }

// New makes a scheduler over an engine. Pools are loaded when they are asked for.
func New(e *engine.Engine, cfg Config) *Scheduler {
	s := &Scheduler{engine: e, cfg: cfg.withDefaults(), pools: map[id]*pool{}, counts: map[id]*Counters{}}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sweep = time.AfterFunc(s.cfg.Idle/2, s.unload)
	return s
}

// Close answers what is waiting with job.ErrClosed and returns when nothing runs
// any more. It does not close the engine.
func (s *Scheduler) Close() {
	s.mu.Lock()
	s.closed = true
	s.sweep.Stop()
	for _, p := range s.pools {
		for _, o := range p.waiting {
			o.answer(job.ErrClosed)
		}
		p.waiting = nil
		p.full()
	}
	s.mu.Unlock()
	s.work.Wait()
}

// do has a pool do an operation, and waits until what it did is durable. Who
// gives up waiting may lose the answer, not the operation: all of them are safe
// to repeat.
func (s *Scheduler) do(ctx context.Context, pool id, o *op) error {
	if err := job.CheckName("pool", pool.name); err != nil {
		return err
	}
	pool.namespace = cmp.Or(pool.namespace, job.DefaultNamespace)
	o.ctx, o.done = ctx, make(chan error, 1)
	if err := s.put(pool, o); err != nil {
		return job.Wrap(err, "ask pool", pool.name)
	}
	select {
	case err := <-o.done:
		return err
	case <-ctx.Done():
		return job.Errorf(kindOf(ctx), "ask pool %s: the request was given up while it was being done; it is safe to repeat: %w", pool.name, context.Cause(ctx))
	}
}

// ask has a pool do an operation that has an answer. Who gave up waiting does not
// look at it any more.
func ask[T any](ctx context.Context, s *Scheduler, pool id, o op, do func(*turn) (T, error)) (T, error) {
	var answer, none T
	o.do = func(t *turn) (err error) {
		answer, err = do(t)
		return err
	}
	if err := s.do(ctx, pool, &o); err != nil {
		return none, err
	}
	return answer, nil
}

// kindOf is the kind of error of a context that has ended.
func kindOf(ctx context.Context) job.ErrorKind {
	if ctx.Err() == context.Canceled {
		return job.Cancelled
	}
	return job.Timeout
}

// busyRetry is when a caller who met too many others should try again.
const busyRetry = 250 * time.Millisecond

// put hands an operation to the pool, which begins to run unless it does.
func (s *Scheduler) put(pool id, o *op) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return job.ErrClosed
	}
	p := s.pools[pool]
	if p == nil {
		p = newPool(s, pool)
		s.pools[pool] = p
	}
	if len(p.waiting) >= s.cfg.Waiting {
		return &job.Error{Kind: job.Exhausted, RetryAfter: busyRetry,
			Err: job.Errorf(job.Exhausted, "%d requests wait for it, which is all that may", len(p.waiting))}
	}
	p.waiting = append(p.waiting, o)
	if len(p.waiting) >= s.cfg.Batch {
		p.full()
	}
	if !p.runs {
		p.runs = true
		s.work.Go(p.run)
	}
	return nil
}

// unload forgets pools that nobody used for a while, until somebody does.
func (s *Scheduler) unload() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return
	}
	now := time.Now()
	for name, p := range s.pools {
		if !p.runs && now.Sub(p.used) >= s.cfg.Idle {
			delete(s.pools, name)
		}
	}
	s.sweep.Reset(s.cfg.Idle / 2)
}
