// Package muster runs a whole muster inside a Go program: the server with its
// store and, if asked for, an agent for this machine. It is also how the command
// line starts a server. What a job is says package job, how programs speak to a
// server, this one or another, package client.
package muster

import (
	"cmp"
	"context"
	"errors"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"github.com/muster-queue/muster/agent"
	"github.com/muster-queue/muster/client"
	"github.com/muster-queue/muster/engine"
	"github.com/muster-queue/muster/job"
	"github.com/muster-queue/muster/server"
)

// Config holds every tunable. The zero value of each field means its default.
type Config struct {
	// Server configures the server, its engine and its store among them. Its zero
	// value keeps everything in a temporary directory.
	Server server.Config
	// Agent, if set, runs commands on this machine. Client is filled in; Dir is by
	// default the directory agent in the server's data directory.
	Agent *agent.Config
	// Signals makes SIGINT and SIGTERM stop the server as planned. The second one
	// ends the program at once.
	Signals bool
}

// Handle is a running muster. Its methods may be called from any goroutine.
type Handle struct {
	server *server.Server
	client *client.Client

	agent    *agent.Agent
	endAgent context.CancelFunc
	running  sync.WaitGroup

	signals  chan os.Signal
	stopOnce sync.Once
	closed   chan struct{}
}

// Why a muster has ended, to be tested with errors.Is on what Wait returns.
var (
	// ErrStopped: Stop was called, or a client asked for it.
	ErrStopped = server.ErrStopped
	// ErrDrained: a drain was to end with a stop, and the last job has ended.
	ErrDrained = server.ErrDrained
	// ErrInterrupted: SIGINT came.
	ErrInterrupted = job.Errorf(job.Cancelled, "interrupted")
	// ErrTerminated: SIGTERM came.
	ErrTerminated = job.Errorf(job.Cancelled, "terminated")
)

// Open starts a muster; it is up when Open returns. ctx bounds the start only:
// Stop ends what was started. Among the errors are job.Conflict (another server
// runs on the data directory), job.Damaged (its store cannot be read) and
// job.Invalid.
func Open(ctx context.Context, cfg Config) (*Handle, error) {
	s, err := server.Start(ctx, cfg.Server)
	if err != nil {
		return nil, err
	}
	h := &Handle{server: s, closed: make(chan struct{})}
	h.client, err = client.New(client.Config{
		Address: "memory", Token: s.Token(), MaxMessage: cfg.Server.MaxMessage,
		Data:   s.Layout().Dir,
		Dialer: func(ctx context.Context, _ string) (net.Conn, error) { return s.Dial(ctx) },
	})
	if err == nil && cfg.Agent != nil {
		err = h.startAgent(ctx, *cfg.Agent, cfg.Server.Version)
	}
	if err != nil {
		_ = h.stop(err)
		return nil, err
	}
	if cfg.Signals {
		h.obeySignals()
	}
	go h.follow()
	return h, nil
}

func (h *Handle) startAgent(ctx context.Context, cfg agent.Config, version string) error {
	cfg.Client = h.client
	cfg.Version = cmp.Or(cfg.Version, version)
	if cfg.Dir == "" {
		cfg.Dir = filepath.Join(h.server.Layout().Dir, "agent")
	}
	cfg.Secrets = cmp.Or(cfg.Secrets, filepath.Join(h.server.Layout().Dir, "secrets"))
	a, err := agent.New(ctx, cfg)
	if err != nil {
		return job.Wrap(err, "start the agent in", cfg.Dir)
	}
	h.agent = a
	run, end := context.WithCancel(context.Background())
	h.endAgent = end
	h.running.Go(func() {
		if err := a.Run(run); err != nil && run.Err() == nil {
			go func() { _ = h.stop(job.Wrap(err, "run the agent", "")) }()
		}
	})
	return nil
}

// obeySignals stops as planned when a signal comes.
func (h *Handle) obeySignals() {
	h.signals = make(chan os.Signal, 1)
	signal.Notify(h.signals, syscall.SIGINT, syscall.SIGTERM)
	go func() {
		select {
		case s := <-h.signals:
			signal.Stop(h.signals) // the next one ends the program
			reason := ErrTerminated
			if s == syscall.SIGINT {
				reason = ErrInterrupted
			}
			_ = h.stop(reason)
		case <-h.closed:
			signal.Stop(h.signals)
		}
	}()
}

// follow ends the rest when the server ends by itself: a client asked for it, or
// it was drained.
func (h *Handle) follow() {
	<-h.server.Done()
	_ = h.stop(nil)
}

// Client speaks to the server, over memory, with the right to everything.
func (h *Handle) Client() *client.Client { return h.client }

// Namespace is a namespace of the engine, for callers who are in the same
// process and want neither network nor tokens between; an empty name means the
// default one. NotFound if it does not exist.
func (h *Handle) Namespace(ctx context.Context, name string) (*engine.Namespace, error) {
	return h.server.Engine().Namespace(ctx, name)
}

// Server is the server: where it listens, where its files are.
func (h *Handle) Server() *server.Server { return h.server }

// HasAgents tells whether an agent is attached to a namespace (empty: the
// default one): without one commands wait.
func (h *Handle) HasAgents(ctx context.Context, namespace string) (bool, error) {
	ns, err := h.Namespace(ctx, namespace)
	if err != nil {
		return false, err
	}
	return ns.HasAgents(ctx)
}

// Drain gives out no more jobs, and tells how many are held and the time until
// the slowest should end. With stop, all ends after the last job. It may be
// repeated to see how far it is.
func (h *Handle) Drain(ctx context.Context, stop bool) (running int64, untilEnd time.Duration, err error) {
	return h.server.Drain(ctx, stop)
}

// Stop stops as planned and waits for it: the local agent ends its commands,
// which run again later; those of other agents go on, for as long as
// Config.Server.Hold. Stopping again is no error.
func (h *Handle) Stop() error {
	if err := h.stop(ErrStopped); !errors.Is(err, ErrStopped) && !errors.Is(err, ErrDrained) {
		return err
	}
	return nil
}

// stop ends everything once and returns why it ended.
func (h *Handle) stop(reason error) error {
	h.stopOnce.Do(func() {
		if h.endAgent != nil {
			h.endAgent()
			h.running.Wait()
		}
		h.server.Stop(0, reason)
		if h.agent != nil {
			if err := h.agent.Close(); err != nil {
				h.server.Logger().Warn("closing the agent", "err", err)
			}
		}
		if h.client != nil {
			_ = h.client.Close()
		}
		close(h.closed)
	})
	<-h.closed
	return h.server.Wait()
}

// Wait blocks until everything has ended and tells why: ErrStopped, ErrDrained,
// ErrInterrupted, ErrTerminated, or what broke.
func (h *Handle) Wait() error {
	<-h.closed
	return h.server.Wait()
}
