// Package jobqueue is muster under the names of wr's early jobqueue: a server of
// queues of commands, and clients that add commands, look at them and run them. It
// is for programs that were written against those names; what it adds are ordinary
// jobs of a muster server, of the muster queue of that name, which agents run as
// well and "muster status" shows. New programs had better use package client.
//
// Memory is in MB, of 1024 x 1024 bytes. docs/jobqueue.md tells what is different.
package jobqueue

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/muster-queue/muster/client"
	"github.com/muster-queue/muster/job"
)

// The defaults of ClientConfig.
const (
	ClientTouchInterval = 15 * time.Second
	ClientReleaseDelay  = 30 * time.Second
	ServerItemTTR       = 60 * time.Second
)

// ClientConfig says which server and queue a client is for. Zero values mean the
// defaults.
type ClientConfig struct {
	// Addr is the server's, as HOST:PORT; Queue the one to work with.
	Addr, Queue string
	// Timeout bounds every request, the connecting too; default 15 s.
	Timeout time.Duration
	// Token is the secret that the server wants to see, CAFile the authority of its
	// certificate. They are found by themselves for a server of this user and
	// machine, or given in MUSTER_TOKEN, MUSTER_TOKEN_FILE and MUSTER_CA.
	Token, CAFile string
	// TouchInterval is how often Execute says that it is alive.
	TouchInterval time.Duration
	// ReleaseDelay is how long a job that Execute released is not tried again.
	ReleaseDelay time.Duration
	// ItemTTR is how long a reserved job is this client's without a Touch.
	ItemTTR time.Duration
}

// Client is a connection to one queue of a server. Its methods may be called from
// any goroutine, those about one Job from one at a time.
type Client struct {
	// Queue is the one it works with, ID what its jobs are ReservedBy.
	Queue, ID string

	cfg    ClientConfig
	found  found
	conn   *client.Client
	ns     *client.Namespace
	worker *client.Worker
	ctx    context.Context // ends with Disconnect
	end    context.CancelCauseFunc

	mu   sync.Mutex
	held map[job.Key]*holding // what it reserved and has not given back
	run  *running             // nil until something is executed
}

// Connect connects to a queue of a server: one from Serve, or any other muster
// server. Timeout bounds this and every later request.
func Connect(addr, queue string, timeout time.Duration) (*Client, error) {
	return Dial(ClientConfig{Addr: addr, Queue: queue, Timeout: timeout})
}

// errDisconnected is why requests fail after Disconnect.
var errDisconnected = errors.New("the client was disconnected")

// Dial is Connect for those who want to say more.
func Dial(cfg ClientConfig) (*Client, error) {
	cfg = cfg.withDefaults()
	if err := job.CheckName("queue", cfg.Queue); err != nil {
		return nil, wrong("Connect", cfg.Queue, cfg.Addr, ErrBadRequest, err)
	}
	if cfg.ItemTTR < job.MinLease || cfg.ItemTTR > job.MaxLease || cfg.TouchInterval >= cfg.ItemTTR {
		return nil, wrong("Connect", cfg.Queue, cfg.Addr, ErrBadRequest, job.Errorf(job.Invalid,
			"an ItemTTR of %v with a TouchInterval of %v: it must be longer than that, and between %v and %v",
			cfg.ItemTTR, cfg.TouchInterval, job.MinLease, job.MaxLease))
	}
	at, err := find(cfg)
	if err != nil {
		return nil, failed("Connect", cfg.Queue, cfg.Addr, err)
	}
	at.client.Patience = cfg.Timeout
	c := &Client{Queue: cfg.Queue, ID: strings.ToLower(rand.Text()), cfg: cfg, found: at, held: map[job.Key]*holding{}}
	c.ctx, c.end = context.WithCancelCause(context.Background())
	if c.conn, err = client.New(at.client); err != nil {
		return nil, failed("Connect", cfg.Queue, cfg.Addr, err)
	}
	host, _ := os.Hostname()
	c.ns = c.conn.Namespace("")
	c.worker = c.ns.Worker(c.ID, &job.Worker{
		Host: host, Pid: os.Getpid(), Mode: "jobqueue", Parent: os.Getenv(runnerVar),
	})
	err = c.ask("Connect", cfg.Addr, func(ctx context.Context) error {
		_, err := c.conn.Info(ctx)
		return err
	})
	if err != nil {
		_ = c.conn.Close()
		return nil, err
	}
	return c, nil
}

func (cfg ClientConfig) withDefaults() ClientConfig {
	cfg.Timeout = cmp.Or(cfg.Timeout, client.DefaultPatience)
	cfg.TouchInterval = cmp.Or(cfg.TouchInterval, ClientTouchInterval)
	cfg.ReleaseDelay = cmp.Or(cfg.ReleaseDelay, ClientReleaseDelay)
	cfg.ItemTTR = cmp.Or(cfg.ItemTTR, ServerItemTTR)
	return cfg
}

// ask makes a request within the client's timeout.
func (c *Client) ask(op, item string, request func(context.Context) error) error {
	return c.askWithin(c.cfg.Timeout, op, item, request)
}

func (c *Client) askWithin(timeout time.Duration, op, item string, request func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(c.ctx, timeout)
	defer cancel()
	err := request(ctx)
	if err != nil && c.ctx.Err() != nil {
		return wrong(op, c.Queue, item, ErrQueueClosed, context.Cause(c.ctx))
	}
	return failed(op, c.Queue, item, err)
}

// Disconnect ends the connection, and commands that Execute still runs. Jobs that
// the client has reserved are given to others when their TTR is over.
func (c *Client) Disconnect() {
	c.end(errDisconnected)
	c.mu.Lock()
	run := c.run
	c.run = nil
	c.mu.Unlock()
	if run != nil {
		run.close()
	}
	_ = c.conn.Close()
}

// Addr is the address that the client was given.
func (c *Client) Addr() string { return c.cfg.Addr }

// Ping tells whether the server answers in time.
func (c *Client) Ping(timeout time.Duration) bool {
	return c.askWithin(timeout, "Ping", c.cfg.Addr, func(ctx context.Context) error {
		_, err := c.conn.Info(ctx)
		return err
	}) == nil
}
