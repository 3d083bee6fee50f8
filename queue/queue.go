// Package queue is one namespace's state machine: commands go in, changes come
// out. It knows every live job, who holds which, until when, and what a report
// does. It is pure and deterministic: no clock, no I/O, no goroutine; time is an
// argument, and what looks random is a hash of (seed, job, attempt).
//
// Package engine is its one caller, from one goroutine: Begin a turn, give
// commands, hand Feed to the scheduler after each, and at the turn's end store
// what Take returns before any answer leaves.
package queue

import (
	"time"

	"github.com/muster-queue/muster/job"
	"github.com/muster-queue/muster/learn"
)

// Config holds the bounds and defaults of a namespace. A zero field means its
// default.
type Config struct {
	// MaxJobs and MaxBytes bound the live jobs and the bytes of their
	// descriptions (10 million; 16 GiB).
	MaxJobs  int64
	MaxBytes int64
	// Silence is how long an agent may be silent before its running jobs are
	// shown lost (30 s).
	Silence time.Duration
	// Lease, Retries, Losses and Backoff are for jobs whose queue does not say
	// (job.DefaultLease, job.DefaultRetries, job.DefaultLosses,
	// job.DefaultBackoff).
	Lease   time.Duration
	Retries *int
	Losses  *int
	Backoff *job.Backoff
	// Needs are what a command takes of resources it does not name (one core).
	Needs job.Resources
	// Kinds is of how many kinds without jobs what was learned is kept (100,000).
	Kinds int
	// WorkerKeep is how long a worker that holds nothing is remembered after it
	// was last heard of (1 h).
	WorkerKeep time.Duration
	// RequestKeep is how long outcomes of requests are remembered (1 h), and
	// RequestsPerClient how many of one client (1,000).
	RequestKeep       time.Duration
	RequestsPerClient int
}

// Ref names an attempt of a job.
type Ref struct {
	Seq     job.Seq
	Attempt job.AttemptID
}

// State is one namespace in memory.
type State struct {
	cfg Config
	now job.Time
	// deaf is the time in which the server could not hear, since the load. The
	// lease clock is now − deaf, so every lease is that much longer.
	deaf time.Duration

	meta, stored job.Meta // as is, as stored last

	recs     slab[rec]
	tries    slab[try]
	byDigest table
	bySeq    pages
	counts   job.Counts // Complete is the sum of the queues' Done
	bytes    int64
	jobs     int64 // live ones, ghosts included

	queues     rows[job.QueueID, queueRow]
	groups     rows[job.GroupID, groupRow]
	kinds      rows[job.KindID, kindRow]
	shapes     rows[job.ShapeID, shapeRow]
	workers    rows[job.WorkerID, worker]
	queueNames names
	groupNames names
	kindNames  names
	workNames  names
	active     names    // of workers that announced themselves lately
	children   families // names of workers by their parents
	labels     map[string]*labelRow
	continuous []*queueRow // in the order of their numbers
	keeping    []*queueRow // those that do not keep all complete jobs
	idle       []uint32    // shapes without jobs, oldest first
	refiling   int         // where Refile goes on in shapes; 0 when it is done
	shapeKey   []byte

	// learning are the settings of what is learned of all kinds. firmNeeds and
	// softNeeds are Config.Needs without and of what can be learned.
	learning             learn.Settings
	firmNeeds, softNeeds job.Resources
	asks                 []*ask
	freeAsks             []uint32
	unused               []*kindRow // kinds without jobs of which something is known, oldest first
	following            []*kindRow // kinds with shapes that have yet to follow
	settling             int        // slots of kinds below which Relearn has yet to settle

	dep      depends
	keys     keyArena
	keyedLog keyedLog
	amended  uint64 // see Amended

	// timers of jobs (delayed until, end of lease) and of workers (silence,
	// forgetting); ends are the expected ends of running jobs, latest first.
	timers    timers
	wakeups   timers
	ends      timers
	recent    overlay
	requests  requests
	added     []Added
	turn      turn
	out       [2]job.Changes
	outNext   int
	loading   bool
	loadedTo  job.Seq // where feedLoaded goes on; 0 when it is done
	loadedKey loadedKey
	loadError error
}

// New is an empty namespace. To load a stored one, let the store call the Load
// methods, then call Loaded; for a new one call Loaded alone.
func New(cfg Config) *State {
	s := &State{cfg: cfg.withDefaults(), loading: true}
	s.queues = newRows[job.QueueID](&queueRow{})
	s.groups = newRows[job.GroupID](&groupRow{})
	s.kinds = newRows[job.KindID](&kindRow{known: new(learn.Kind)}) // none, which has the settings of all
	s.asks = []*ask{{Ask: learn.Ask{Limits: learn.Nothing}}}
	s.splitNeeds()
	s.shapes = newRows[job.ShapeID](&shapeRow{})
	s.workers = newRows[job.WorkerID](&worker{})
	s.children, s.labels = families{}, map[string]*labelRow{}
	s.timers.moved = func(try uint32, place int32) { s.tries.at(try).timer = place }
	s.ends.moved = func(try uint32, place int32) { s.tries.at(try).end = place }
	s.wakeups.moved = func(w uint32, place int32) { s.workers.rows[w].timer = place }
	s.keys.init()
	s.dep.init()
	s.requests.init()
	s.recent.least = leastGeneration
	return s
}

// clock is the lease clock.
func (s *State) clock() job.Time { return s.now.Add(-s.deaf) }

// Meta is a copy of the namespace's counters and modes.
func (s *State) Meta() job.Meta { return s.meta }

func (c Config) withDefaults() Config {
	c.MaxJobs = orElse(c.MaxJobs, 10_000_000)
	c.MaxBytes = orElse(c.MaxBytes, 16<<30)
	c.Silence = orElse(c.Silence, 30*time.Second)
	c.Lease = orElse(c.Lease, job.DefaultLease)
	c.Kinds = orElse(c.Kinds, 100_000)
	c.WorkerKeep = orElse(c.WorkerKeep, time.Hour)
	c.RequestKeep = orElse(c.RequestKeep, time.Hour)
	c.RequestsPerClient = orElse(c.RequestsPerClient, 1000)
	if c.Needs == nil {
		c.Needs = job.Resources{job.CPU: job.Thousandth}
	}
	if c.Retries == nil {
		c.Retries = new(job.DefaultRetries)
	}
	if c.Losses == nil {
		c.Losses = new(job.DefaultLosses)
	}
	if c.Backoff == nil {
		c.Backoff = new(job.DefaultBackoff)
	}
	return c
}

func orElse[T comparable](v, otherwise T) T {
	var zero T
	if v == zero {
		return otherwise
	}
	return v
}
