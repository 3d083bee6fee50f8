package worker

import (
	"cmp"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"log/slog"
	"os"
	"runtime"
	"time"

	"github.com/muster-queue/muster/client"
	"github.com/muster-queue/muster/job"
)

// Config says who the worker is and how it works. Only Client has to be given.
type Config struct {
	// Client is the connection to the server; Namespace the one to work in.
	Client    *client.Client
	Namespace string
	// Name is the worker's, unique in the namespace; empty: made of the host's,
	// the process's number and a random word. Parent is the worker that started
	// this one, if any; Mode a free word that is shown, by default "RUN".
	Name, Parent, Mode string
	// Data is shown with the worker: a CBOR document.
	Data []byte
	// Runtime is that of the queues it takes from; empty: DefaultRuntime.
	Runtime string
	// Queues restricts it to these; empty: all of its runtime and tasks.
	Queues []string
	// Labels, "key:value", are what it has: it gets jobs whose labels are all among
	// them.
	Labels job.Labels
	// Memory, if positive, leaves out queues that need more, in bytes: the "min_gb" of
	// their definition.
	Memory int64
	// Concurrency is how many jobs it has at a time; zero: one for each processor.
	Concurrency int
	// Lease is the length of the leases it asks for; zero: the job's or queue's.
	Lease time.Duration
	// Margin is how long before the end of a lease the context of its function
	// ends; zero: a tenth of the lease, at most 10 s.
	Margin time.Duration
	// NoRenewals leaves it to the functions to renew their leases, by
	// Attempt.Update. One that lets its lease run out has failed. Otherwise leases
	// are renewed for as long as the function runs.
	NoRenewals bool
	// Heartbeat is how often the worker tells that it is there; zero: every 15 s. It
	// counts as gone after three times as long. Refresh is how often it looks for
	// new queues; zero: every 5 s.
	Heartbeat, Refresh time.Duration
	// Grace is how long functions may go on when the worker stops; zero: 30 s.
	Grace time.Duration
	// Logger gets what is worth a look: lost leases, panics, trouble with the
	// server; nil: slog's default.
	Logger *slog.Logger
}

// DefaultRuntime is the runtime of queues for Go programs.
const DefaultRuntime = "go"

// The defaults.
const (
	defaultHeartbeat = 15 * time.Second
	defaultRefresh   = 5 * time.Second
	defaultGrace     = 30 * time.Second
	// heartbeatsBorne is how many may be missed before the worker counts as gone.
	heartbeatsBorne = 3
)

// complete fills in what was left out.
func (c *Config) complete() error {
	if c.Client == nil {
		return job.Errorf(job.Invalid, "worker: a client is needed; client.Dial makes one")
	}
	if c.Name == "" {
		c.Name = newName()
	}
	if err := job.CheckName("worker", c.Name); err != nil {
		return err
	}
	if err := c.Labels.Validate("worker " + c.Name + ": labels"); err != nil {
		return err
	}
	if c.Lease != 0 && (c.Lease < job.MinLease || c.Lease > job.MaxLease) {
		return job.Errorf(job.Invalid, "worker %s: a lease of %v; it must be between %v and %v", c.Name, c.Lease, job.MinLease, job.MaxLease)
	}
	for name, d := range map[string]time.Duration{"margin": c.Margin, "heartbeat": c.Heartbeat, "refresh": c.Refresh, "grace": c.Grace} {
		if d < 0 {
			return job.Errorf(job.Invalid, "worker %s: a %s of %v; it cannot be negative", c.Name, name, d)
		}
	}
	c.Mode = cmp.Or(c.Mode, "RUN")
	c.Runtime = cmp.Or(c.Runtime, DefaultRuntime)
	c.Heartbeat = cmp.Or(c.Heartbeat, defaultHeartbeat)
	c.Refresh = cmp.Or(c.Refresh, defaultRefresh)
	c.Grace = cmp.Or(c.Grace, defaultGrace)
	if c.Concurrency <= 0 {
		c.Concurrency = runtime.GOMAXPROCS(0)
	}
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	c.Logger = c.Logger.With("worker", c.Name)
	return nil
}

func newName() string {
	host, err := os.Hostname()
	if err != nil {
		host = "unknown"
	}
	word := make([]byte, 4)
	_, _ = rand.Read(word) // it never fails
	return fmt.Sprintf("%.100s-%d-%s", host, os.Getpid(), hex.EncodeToString(word))
}

// margin is how long before its end a lease is given up.
func (c *Config) margin(lease time.Duration) time.Duration {
	if c.Margin > 0 {
		return min(c.Margin, lease/2)
	}
	return min(lease/10, 10*time.Second)
}

// about is what the server is told of the worker.
func (w *Worker) about(now time.Time) *job.Worker {
	host, _ := os.Hostname()
	return &job.Worker{
		Name: w.cfg.Name, Parent: w.cfg.Parent, Mode: w.cfg.Mode, Host: host, Pid: os.Getpid(), Labels: w.cfg.Labels, Data: w.cfg.Data,
		Expires: now.Add(heartbeatsBorne * w.cfg.Heartbeat),
	}
}
