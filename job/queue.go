package job

import "time"

// Queue is a named family of jobs: a free-form definition and the settings its
// jobs are scheduled by. The zero value of every setting is its default.
type Queue struct {
	Name string `cbor:"1,keyasint"`
	// Definition is a free-form document (a Coordinate work spec in CBOR).
	Definition []byte `cbor:"2,keyasint,omitempty"`
	// Runtime names what understands the queue's jobs; "command" for commands.
	Runtime string `cbor:"3,keyasint,omitempty"`

	// Priority is absolute between queues, larger first; Weight shares what
	// queues of equal priority get: zero means DefaultWeight, less than zero that
	// nothing of the queue is ever given out.
	Priority int64 `cbor:"4,keyasint,omitempty"`
	Weight   int64 `cbor:"5,keyasint,omitempty"`
	Paused   bool  `cbor:"6,keyasint,omitempty"`
	// MaxRunning caps held jobs, MaxPerRequest the jobs one reserve returns,
	// MaxAttempts the grants of one job; zero means no cap.
	MaxRunning    int64 `cbor:"7,keyasint,omitempty"`
	MaxPerRequest int64 `cbor:"8,keyasint,omitempty"`
	MaxAttempts   int64 `cbor:"9,keyasint,omitempty"`
	// Continuous queues make a job of their own, no sooner than Interval after the
	// last, when somebody pulls and they have none ready or held.
	Continuous bool          `cbor:"10,keyasint,omitempty"`
	Interval   time.Duration `cbor:"11,keyasint,omitempty"`
	Order      Order         `cbor:"12,keyasint,omitempty"`
	// Then is the queue that outputs of completed jobs are added to.
	Then string `cbor:"13,keyasint,omitempty"`

	// Defaults for jobs that do not say: lease of an attempt (DefaultLease),
	// retries of a failed command, losses borne, back-off.
	Lease   time.Duration `cbor:"14,keyasint,omitempty"`
	Retries *int          `cbor:"15,keyasint,omitempty"`
	Losses  *int          `cbor:"16,keyasint,omitempty"`
	Backoff *Backoff      `cbor:"17,keyasint,omitempty"`
	Account string        `cbor:"18,keyasint,omitempty"`
	OnLost  OnLost        `cbor:"19,keyasint,omitempty"`

	// MinMemory is how much a pulling worker must have, in bytes, if it says
	// what it has; zero asks for nothing.
	MinMemory int64 `cbor:"20,keyasint,omitempty"`
	// CanBeContinuous is whether the definition lets the queue be continuous; of a
	// queue without a definition it says nothing.
	CanBeContinuous bool `cbor:"21,keyasint,omitempty"`

	// KeepFinished and KeepFinishedFor bound the complete jobs that are kept: the
	// newest so many (nil: all), and those that ended so long ago at most (zero:
	// of any age). The others are pruned; buried jobs never are.
	KeepFinished    *int64        `cbor:"22,keyasint,omitempty"`
	KeepFinishedFor time.Duration `cbor:"23,keyasint,omitempty"`
	// KeepAttempts bounds the attempts that are kept of one job: the newest so many
	// (zero: all). It counts from each job's next attempt on.
	KeepAttempts int64 `cbor:"26,keyasint,omitempty"`

	// Labels and Prefer are added to those of every job that is added to the queue
	// or changed from then on.
	Labels Labels `cbor:"24,keyasint,omitempty"`
	Prefer Labels `cbor:"25,keyasint,omitempty"`
}

// DefaultWeight is the weight of a queue that does not say, MaxWeight the largest
// that makes a difference.
const (
	DefaultWeight = 20
	MaxWeight     = 1_000_000
)

// Share is the weight a queue of that setting is chosen by; zero means never.
func Share(weight int64) int64 {
	switch {
	case weight == 0:
		return DefaultWeight
	case weight < 0:
		return 0
	}
	return min(weight, MaxWeight)
}

// Defined reports whether the queue has a definition: its jobs are work units,
// which carry data, and of which every attempt counts, and nothing else.
func (q *Queue) Defined() bool { return len(q.Definition) > 0 }

// Leases: the default of commands, and the bounds of what may be asked for a
// command or, with the smaller minimum, for pulled work.
const (
	DefaultLease    = 5 * time.Minute
	MinCommandLease = 15 * time.Second
	MinLease        = time.Second
	MaxLease        = 24 * time.Hour
)

// DefaultLosses is how often a job may be lost before it is buried.
const DefaultLosses = 5

// Order is the order of jobs of equal priority in a queue.
type Order uint8

// The orders of a queue.
const (
	OrderFIFO Order = iota
	OrderKey
)

// Backoff is the delay before a failed job is tried again: Base x 2^n for the
// n-th failure plus a random part of at most Jitter, together at most Cap.
type Backoff struct {
	Base   time.Duration `cbor:"1,keyasint,omitempty"`
	Jitter time.Duration `cbor:"2,keyasint,omitempty"`
	Cap    time.Duration `cbor:"3,keyasint,omitempty"`
}

// DefaultBackoff is wr's: 30 s x 2^n plus up to 30 s, at most half an hour.
var DefaultBackoff = Backoff{Base: 30 * time.Second, Jitter: 30 * time.Second, Cap: 30 * time.Minute}

// Delay is the delay after failure number n (0 for the first); random is a
// number in [0, 1).
func (b Backoff) Delay(n int, random float64) time.Duration {
	d := b.Base
	for ; n > 0 && d < b.Cap; n-- {
		d *= 2
	}
	d += time.Duration(random * float64(b.Jitter))
	return min(d, b.Cap)
}
