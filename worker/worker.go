// Package worker makes a Go program a worker of muster: functions are registered
// under the names of tasks, jobs with data are taken from the queues of those
// tasks, and each is handed to its function. Several run at once; leases are
// renewed meanwhile, and a function's context ends before its lease does. Programs
// import it beside package client; examples/worker is one to begin with.
//
// A queue belongs to a worker when its runtime is the worker's ("go") and a
// function is registered for its task: what its definition says under "task", else
// the queue's name. Queues that come and go are noticed while the worker runs.
//
// A function that returns nil has completed its job. An error, or a panic, is a
// failure: a work unit (a job of a queue with a definition) has then failed for
// good, any other job is tried again as often as its budget of retries allows;
// [Fail] and [Again] say otherwise. What went wrong is kept with the attempt, and
// for a work unit under "traceback" in its data.
//
// At most one unexpired lease exists for a job, and the results of an attempt that
// has lost it are refused; but a function that does not obey its context may still
// run while the next attempt does.
package worker

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/muster-queue/muster/client"
	"github.com/muster-queue/muster/job"
)

// Func does one job. Its context ends, with the reason as its cause, when the
// lease is about to end or was lost, when the job's time is over, when it was
// cancelled, or when the worker stops and the grace is over.
type Func func(ctx context.Context, a *Attempt) error

// BatchFunc does several jobs of one queue together. What it returns is the end of
// all those that it did not end by itself with [Attempt.End]. Its context ends when
// those of all of them have; each has one of its own, too.
type BatchFunc func(ctx context.Context, batch []*Attempt) error

// Worker takes jobs and runs functions. Its methods may be called from any
// goroutine.
type Worker struct {
	cfg  Config
	ns   *client.Namespace
	pull *client.Worker

	mu    sync.Mutex
	tasks map[string]task

	slots   *slots
	reports *reporter
	running sync.WaitGroup
	begun   sync.Once
}

// task is what is registered under a name.
type task struct {
	f    BatchFunc
	size int
}

// New makes a worker; Run lets it work. Invalid if the configuration is.
func New(cfg Config) (*Worker, error) {
	if err := cfg.complete(); err != nil {
		return nil, err
	}
	w := &Worker{
		cfg: cfg, ns: cfg.Client.Namespace(cfg.Namespace), tasks: map[string]task{}, slots: newSlots(cfg.Concurrency),
	}
	w.pull = w.ns.Worker(cfg.Name, w.about(time.Now()))
	w.reports = newReporter(w.pull.Report, cfg.Logger)
	return w, nil
}

// Handle registers the function of a task, in place of an earlier one.
func (w *Worker) Handle(name string, f Func) {
	w.HandleBatch(name, 1, func(ctx context.Context, batch []*Attempt) error { return f(ctx, batch[0]) })
}

// HandleBatch registers a function that is given up to size jobs of one queue at
// once: those that were there when the worker asked. Each counts against the
// worker's concurrency.
func (w *Worker) HandleBatch(name string, size int, f BatchFunc) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.tasks[name] = task{f: f, size: max(size, 1)}
}

func (w *Worker) task(name string) (task, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	t, ok := w.tasks[name]
	return t, ok
}

// Name is the worker's name.
func (w *Worker) Name() string { return w.cfg.Name }

// Run works until ctx ends, then takes no more jobs, lets the functions end that
// run, and delivers their results: nil. Functions that still run when the grace is
// over are told by their contexts, and their jobs go back to the queue; those that
// do not listen are left behind after as much time again, which is a Timeout. Any
// other error says why the server can or will not be spoken to; one that cannot be
// reached is waited for. Run works once.
func (w *Worker) Run(ctx context.Context) error {
	err := job.Errorf(job.Conflict, "worker %s: Run was called before", w.cfg.Name)
	w.begun.Do(func() { err = w.run(ctx) })
	return err
}

func (w *Worker) run(ctx context.Context) error {
	// What functions run under, and what delivers their results after that.
	work, stopWork := context.WithCancelCause(context.WithoutCancel(ctx))
	defer stopWork(nil)
	life, die := context.WithCancel(context.WithoutCancel(ctx))
	defer die()

	var helpers sync.WaitGroup
	helpers.Go(func() { w.reports.run(life) })
	helpers.Go(func() { w.heartbeats(life) })
	err := w.take(ctx, work)
	err = first(err, w.drain(stopWork))
	err = first(err, w.reports.flush(w.cfg.Grace))
	die()
	helpers.Wait()
	return err
}

func first(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// drain waits for the functions that run: for the grace, and as long again after
// they were told to end.
func (w *Worker) drain(stop context.CancelCauseFunc) error {
	ended := make(chan struct{})
	go func() {
		w.running.Wait()
		close(ended)
	}()
	for range 2 {
		timer := time.NewTimer(w.cfg.Grace)
		select {
		case <-ended:
			timer.Stop()
			return nil
		case <-timer.C:
			stop(ErrStopping)
		}
	}
	return job.Errorf(job.Timeout, "worker %s: functions still run %v after they were told to end; their leases run out by themselves", w.cfg.Name, w.cfg.Grace)
}

// heartbeats tell that the worker is there, until it leaves.
func (w *Worker) heartbeats(life context.Context) {
	ticker := time.NewTicker(w.cfg.Heartbeat)
	defer ticker.Stop()
	trouble := complaint{log: w.cfg.Logger, what: "the server does not hear that the worker is there"}
	for {
		if err := w.ns.Announce(life, w.about(time.Now()), false); life.Err() == nil {
			trouble.tell(err)
		}
		select {
		case <-ticker.C:
			continue
		case <-life.Done():
		}
		leaving, end := context.WithTimeout(context.WithoutCancel(life), leaveTime)
		defer end()
		if err := w.ns.Announce(leaving, w.about(time.Now()), true); err != nil {
			w.cfg.Logger.Info("the server was not told that the worker has left", "err", err)
		}
		return
	}
}

// leaveTime bounds the goodbye.
const leaveTime = 2 * time.Second

// complaint logs trouble when it begins and when it is over.
type complaint struct {
	log  *slog.Logger
	what string
	last error
}

func (c *complaint) tell(err error) {
	switch {
	case err != nil && c.last == nil:
		c.log.Warn(c.what, "err", err)
	case err == nil && c.last != nil:
		c.log.Info("that is over: " + c.what)
	}
	c.last = err
}
