package engine

import (
	"context"
	"log/slog"
	"time"

	"github.com/muster-queue/muster/job"
	"github.com/muster-queue/muster/lock"
	"github.com/muster-queue/muster/notice"
	"github.com/muster-queue/muster/queue"
	"github.com/muster-queue/muster/schedule"
)

// Config holds every tunable of the engine. The zero value of each field means
// the default named beside it.
type Config struct {
	// Queue and Schedule configure the state machine and the scheduler.
	Queue    queue.Config
	Schedule schedule.Config

	// Clock tells the time; default the machine's.
	Clock Clock
	// AcceptClock lets a start proceed although the machine's clock is more
	// than MaxClockStep away from the stored time.
	AcceptClock bool
	// MaxClockStep is that bound; default one hour.
	MaxClockStep time.Duration

	// Slice bounds one turn of a writer; default 5 ms.
	Slice time.Duration
	// Inflight is how many commits of a namespace may be under way; default 4.
	Inflight int
	// BatchBytes ends a turn when its payloads reach it; default 4 MiB.
	BatchBytes int
	// InboxBytes bounds the payloads waiting for a writer; default 64 MiB.
	InboxBytes int64
	// InboxOps bounds the commands waiting for a writer; default 100,000.
	InboxOps int

	// PayloadCache bounds the descriptions kept for the next grants; default 8 MiB.
	PayloadCache int
	// WatchBuffer bounds the events kept for watchers; default 64 MiB.
	WatchBuffer int
	// IdleUnload is when an unused namespace leaves memory; default 10 minutes.
	IdleUnload time.Duration
	// MaxLocks bounds the locks held in a namespace; default 100,000.
	MaxLocks int
	// ResourceGrace is how long a job larger than every present agent waits for
	// a larger one after the agents changed; default one minute.
	ResourceGrace time.Duration

	// TasksKept and AuditKept are for how long entries of a namespace's logs are
	// kept, of what became of tasks and of who changed what; default 30 days and a
	// year, negative for ever. EventsKept is how many of each are at most, give or
	// take one in a hundred; default 1,000,000.
	TasksKept, AuditKept time.Duration
	EventsKept           int64

	// Webhook sends a message of a notice once, and returns nil when it has arrived;
	// without it nothing is sent to URLs.
	Webhook func(context.Context, *notice.Message) error

	Logger *slog.Logger
}

func (c Config) withDefaults() Config {
	or(&c.MaxClockStep, time.Hour)
	or(&c.Slice, 5*time.Millisecond)
	or(&c.Inflight, 4)
	or(&c.BatchBytes, 4<<20)
	or(&c.InboxBytes, 64<<20)
	or(&c.InboxOps, 100_000)
	or(&c.PayloadCache, 8<<20)
	or(&c.WatchBuffer, 64<<20)
	or(&c.IdleUnload, 10*time.Minute)
	or(&c.MaxLocks, lock.MaxLocks)
	or(&c.ResourceGrace, time.Minute)
	or(&c.TasksKept, 30*24*time.Hour)
	or(&c.AuditKept, 365*24*time.Hour)
	or(&c.EventsKept, 1_000_000)
	if c.Clock == nil {
		c.Clock = MachineClock()
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return c
}

// or sets *v to the default d where it was left zero.
func or[T comparable](v *T, d T) {
	var zero T
	if *v == zero {
		*v = d
	}
}

func (c Config) validate() error {
	switch {
	case c.Inflight < 1 || c.Inflight > 64:
		return job.Errorf(job.Invalid, "config: %d commits under way; choose 1 to 64", c.Inflight)
	case c.Slice < 0 || c.BatchBytes < 0 || c.InboxBytes < 0 || c.InboxOps < 0:
		return job.Errorf(job.Invalid, "config: a bound is negative")
	case c.EventsKept < 1:
		return job.Errorf(job.Invalid, "config: %d entries of each log; at least one must be kept", c.EventsKept)
	}
	return nil
}
