// Package agent runs commands on a machine for a muster server. It holds one
// stream to the server, over which jobs come in and results go out in batches;
// it starts what fits, holds every attempt to its lease by its own clock, keeps
// results while the server is away, and attaches again by itself. What happens
// on the machine is in the packages below it: run (one command), home (the state
// directory), keeper (the companion process), spool (unreported results).
//
// The command line starts it as "muster agent"; the root package runs one inside
// a program.
package agent

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"sync"
	"time"

	"github.com/muster-queue/muster/agent/home"
	"github.com/muster-queue/muster/agent/keeper"
	"github.com/muster-queue/muster/agent/run"
	"github.com/muster-queue/muster/agent/spool"
	v1 "github.com/muster-queue/muster/api/muster/v1"
	"github.com/muster-queue/muster/client"
	"github.com/muster-queue/muster/job"
)

// Config is what an agent needs to know. Zero values mean the defaults.
type Config struct {
	// Client speaks to the server; the agent does not close it.
	Client *client.Client
	// Namespace is the one it serves; default "default".
	Namespace string
	// Dir is its state directory; one agent lives in it at a time.
	Dir string

	// Capacity is what it may use of the machine; a resource that is missing is
	// measured. Labels are added to the built-in ones: host, os, arch and gpu.
	Capacity job.Resources
	Labels   job.Labels
	// Until is when the machine is taken away; zero means never.
	Until time.Time
	// MaxPrefetch bounds the jobs held ahead of those that run; default 512.
	MaxPrefetch int
	// NoCgroup does without control groups.
	NoCgroup bool
	// StopGrace is how long Run waits for running commands after its context
	// ended, before it stops them; zero stops them at once.
	StopGrace time.Duration
	// ServerGone ends Run when the server could not be reached for that long and
	// nothing runs; zero means never.
	ServerGone time.Duration

	// Secrets is the directory of the files that jobs may name as secrets
	// ("file:NAME"); empty: none. Only the files' owner may be able to read them.
	Secrets string

	// Run configures how commands are run; Home and Namespace are filled in.
	Run run.Config

	// Version is the program's, for people who look at the agent.
	Version string
	Logger  *slog.Logger
}

// Agent runs commands. Make one with New, then Run it.
type Agent struct {
	cfg    Config
	log    *slog.Logger
	home   *home.Home
	keeper *keeper.Keeper
	runner *run.Runner
	spool  *spool.Spool
	host   string
	caps   job.Resources
	labels job.Labels

	lost chan error // the keeper is gone for good

	mu     sync.Mutex
	worker string // its name at the server, once attached
}

// New takes the state directory over, which ends whatever a predecessor there
// left running, and starts the keeper. Close undoes it.
func New(ctx context.Context, cfg Config) (*Agent, error) {
	if cfg.Client == nil || cfg.Dir == "" {
		return nil, job.Errorf(job.Invalid, "agent: a client and a state directory are needed")
	}
	setDefaults(&cfg)
	a := &Agent{cfg: cfg, log: cfg.Logger, lost: make(chan error, 1)}
	var err error
	if a.host, err = os.Hostname(); err != nil {
		a.host = "localhost"
	}
	if err := cfg.Labels.Validate("agent: labels"); err != nil {
		return nil, err
	}
	models := gpus(ctx, "/")
	if a.caps, err = capacity(cfg.Capacity, cfg.Dir, models); err != nil {
		return nil, err
	}
	if a.caps[gpu] == 0 {
		models = nil // they are not for jobs
	}
	a.labels = builtinLabels(a.host, models, cfg.Labels)
	if a.home, err = home.Takeover(ctx, home.Config{Dir: cfg.Dir, NoCgroup: cfg.NoCgroup, Slots: slots(a.caps)}); err != nil {
		return nil, err
	}
	if err := a.open(); err != nil {
		a.Close()
		return nil, err
	}
	return a, nil
}

func setDefaults(cfg *Config) {
	if cfg.Namespace == "" {
		cfg.Namespace = job.DefaultNamespace
	}
	if cfg.MaxPrefetch == 0 {
		cfg.MaxPrefetch = 512
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
}

// slots is how many commands may run at once: as many as there are thousandths
// of a core to share is more than any machine starts.
func slots(caps job.Resources) int {
	const least, most = 256, 8192
	return int(min(most, max(least, caps[job.CPU]/50)))
}

func (a *Agent) open() (err error) {
	if a.keeper, err = keeper.Start(a.home, func(err error) { a.lost <- err }); err != nil {
		return err
	}
	if a.spool, err = spool.Open(a.home); err != nil {
		return err
	}
	cfg := a.cfg.Run
	cfg.Home, cfg.Namespace = a.home, a.cfg.Namespace
	a.runner, err = run.New(cfg)
	return err
}

// Close gives the state directory back. No command may run any more.
func (a *Agent) Close() error {
	var errs []error
	if a.runner != nil {
		a.runner.Close()
	}
	if a.spool != nil {
		errs = append(errs, a.spool.Close())
	}
	if a.keeper != nil {
		errs = append(errs, a.keeper.Close())
	}
	return errors.Join(append(errs, a.home.Close())...)
}

func (a *Agent) setWorker(name string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.worker = name
}

// Run serves until ctx ends, the server sends the agent away, or the keeper is
// lost. It returns when every command has ended.
func (a *Agent) Run(ctx context.Context) error {
	d, err := newDesk(a)
	if err != nil {
		return err
	}
	return d.work(ctx)
}

func (a *Agent) hello(d *desk) *v1.Hello {
	h := &v1.Hello{
		Namespace: a.cfg.Namespace, Machine: a.home.Machine, Boot: a.home.Boot, Dir: a.home.Dir,
		Incarnation: a.home.Incarnation, Session: a.home.ID, Host: a.host, Pid: int32(os.Getpid()), Version: a.cfg.Version,
		Labels: a.labels, Capacity: a.caps, Held: d.held(),
		// Taking the directory over has ended all that came before, and made sure,
		// unless it came from another machine.
		Superseded: a.home.Proven,
		Clock:      int64(home.Now()), Prefetch: uint32(d.prefetch.wanted),
		Until: untilMessage(a.cfg.Until),
	}
	return h
}
