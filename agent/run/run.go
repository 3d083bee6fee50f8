// Package run runs one command at a time for each call of Runner.Run: it makes
// its directory and environment, starts it in a session and, where there is one,
// a control group of its own, keeps the beginning and end of what it prints,
// measures it, holds it to its limits, ends everything it started, carries out
// its behaviours and says in a job.Result how it went. It knows no network; the
// agent's session with the server calls it.
package run

import (
	"context"
	"math"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"github.com/muster-queue/muster/agent/cgroup"
	"github.com/muster-queue/muster/agent/home"
	"github.com/muster-queue/muster/job"
)

// Config is what all commands of an agent share. Zero values mean the defaults.
type Config struct {
	// Home is the agent's state directory.
	Home *home.Home
	// Namespace is told to the commands.
	Namespace string
	// Base is where commands that name no directory get theirs; the default is
	// "work" in the state directory.
	Base string
	// Grace is the time between SIGTERM and SIGKILL for commands that do not say;
	// default 10 s.
	Grace time.Duration
	// Look is the longest time between two looks at a command's memory; default
	// 1 s. Short commands are looked at more often, costly looks are rarer.
	Look time.Duration
	// BehaviourTime bounds each thing run after a command; default 5 min.
	BehaviourTime time.Duration
	// SpoolBytes bounds each full output written on request; default 1 GiB.
	SpoolBytes int64
	// SpoolDays is how long full outputs are kept; default 7.
	SpoolDays int
	// Procs bounds the processes and threads of a command where the pids
	// controller is; zero means no bound.
	Procs int64
	// CPUCap makes a command's cores the most it gets, not only its share.
	CPUCap bool
	// Program is the program of muster, which the commands of other batch systems
	// are links to; empty: jobs that want them fail.
	Program string
	// Adopt is for programs that do nothing but run commands (or at least start
	// no other processes and lock no goroutines to threads): the process takes in
	// the orphans of its commands, which finds what they left behind without
	// looking through all processes, and starts them from any thread.
	Adopt bool
}

// Spec is one attempt to be run.
type Spec struct {
	Attempt job.AttemptID
	// Number is the attempt's number for people.
	Number uint32
	Queue  string
	Key    job.Key
	Group  string
	// Seq is the job's number, Account who pays for it.
	Seq     job.Seq
	Account string

	Command *job.Command
	// Secrets are "NAME=value" settings that win over all of the command's.
	Secrets []string
	// Needs are what the attempt may use: mem and disk are enforced when they
	// are given, cpu is its share.
	Needs job.Resources
	// Time is the longest it may run; zero means no limit.
	Time time.Duration
	// Until is the time since boot (home.Now) by which the attempt must have
	// ended: its lease's deadline less the margin. Zero means no deadline.
	Until time.Duration
	// Env is the captured environment; nil means the agent's own.
	Env []string
	// Reach is how a command that emulates another batch system reaches the server;
	// nil: as its environment says.
	Reach *Reach
	// Started, if set, is called when the command's process has begun.
	Started func(pid int)
}

// Runner runs commands. Its methods may be called from many goroutines.
type Runner struct {
	cfg     Config
	null    *os.File
	env     []string
	dirs    *dirs
	starter *starter // nil: commands are started from any thread
	orphans bool     // this process adopts its commands' orphans
	paths   *paths
	groups  sync.Map // of podmen: whether their containers can stay in the attempt's control group
	scan    scanner
	leaves  []*cgroup.Leaf // by slot; each touched only by the slot's holder

	closed atomic.Bool
	born   sync.RWMutex // read-locked while a process is started and entered in mains
	keptMu sync.Mutex   // the list of what is kept for some days
	host   string

	linkMu    sync.Mutex
	openLinks string // where other users find the commands of batch systems

	mu      sync.Mutex
	running map[job.AttemptID]*attempt
	mains   map[int]bool // pids of commands and behaviours not yet reaped
}

// New makes a runner on a state directory. Close ends it.
func New(cfg Config) (*Runner, error) {
	cfg = withDefaults(cfg)
	// What this process itself inherited is not for the commands. (Go's own
	// descriptors are closed in them anyway; a kernel before 5.11 refuses.)
	_ = unix.CloseRange(3, math.MaxUint32, unix.CLOSE_RANGE_CLOEXEC)
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	orphans := cfg.Adopt && cfg.Home.Tree == nil
	if orphans {
		if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
			orphans = false // left-over processes are searched for instead
		}
	}
	r := &Runner{
		cfg:     cfg,
		null:    null,
		env:     ownEnv(),
		dirs:    newDirs(cfg.Home),
		orphans: orphans,
		paths:   newPaths(),
		leaves:  make([]*cgroup.Leaf, cfg.Home.Table.Slots()),
		running: map[job.AttemptID]*attempt{},
		mains:   map[int]bool{},
	}
	r.host, _ = os.Hostname()
	if !cfg.Adopt {
		r.starter = newStarter()
	}
	if err := r.endLeftovers(); err != nil {
		r.Close()
		return nil, err
	}
	return r, nil
}

func withDefaults(cfg Config) Config {
	set(&cfg.Namespace, job.DefaultNamespace)
	set(&cfg.Base, cfg.Home.Path("work"))
	set(&cfg.Grace, 10*time.Second)
	set(&cfg.Look, time.Second)
	set(&cfg.BehaviourTime, 5*time.Minute)
	set(&cfg.SpoolBytes, 1<<30)
	set(&cfg.SpoolDays, 7)
	return cfg
}

func set[T comparable](v *T, def T) {
	var zero T
	if *v == zero {
		*v = def
	}
}

// Close gives up what the runner holds. No command may run any more.
func (r *Runner) Close() {
	if !r.closed.CompareAndSwap(false, true) {
		return
	}
	r.starter.close()
	r.dirs.close()
	if r.openLinks != "" {
		_ = os.RemoveAll(r.openLinks)
	}
	for _, l := range r.leaves {
		if l != nil {
			l.Close()
		}
	}
	r.null.Close()
}

// Run runs a command to its end, everything it started and its behaviours
// included, and says how it went. When ctx is done the command is stopped, for
// the reason its cause gives (ErrCancelled, ErrPreempted, …).
func (r *Runner) Run(ctx context.Context, spec Spec) job.Result {
	x := &attempt{r: r, spec: &spec, ctx: ctx}
	if err := x.run(); err != nil {
		x.fail(err)
	}
	return x.result
}

// Extend moves the time by which a running attempt must have ended (see
// Spec.Until). It is false when the attempt is not running here.
func (r *Runner) Extend(id job.AttemptID, until time.Duration) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	x := r.running[id]
	if x == nil {
		return false
	}
	term, kill := x.deadline(until)
	r.cfg.Home.Table.Extend(x.slot.Index, term, kill)
	x.nudge()
	return true
}

func (r *Runner) enter(x *attempt) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.running[x.spec.Attempt] != nil {
		return job.Errorf(job.Exists, "attempt %v is running already", x.spec.Attempt)
	}
	r.running[x.spec.Attempt] = x
	return nil
}

func (r *Runner) leave(x *attempt) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.running, x.spec.Attempt)
}
