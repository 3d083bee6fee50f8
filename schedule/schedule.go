// Package schedule decides who gets what in one namespace: which ready job goes
// to which worker, in which order, and why another has to wait. Package engine
// calls it from its single writer.
//
// It is pure: no clock, no I/O, no goroutines. Time comes in as job.Time and
// never runs backwards; the same calls give the same answers.
//
// Jobs are never scanned or sorted. Jobs that are alike form a shape, shapes
// that share queue and labels form a lane, and lanes stand in one order of
// service: queue priority, job priority (both larger first), then place. What
// changed (a job became ready, a worker became freer) is put on an agenda in
// that order, and Pass works the agenda off in steps.
//
// Where accounts are set, each is a party with an order and an agenda of its own,
// and so is every queue of it that has a weight. The level of an account's quota,
// then the sweep (workers that have the preferred labels, then any), then who was
// served longest ago decide which party is served next. At the end of a level runs
// may move between levels, and jobs may preempt runs of worse ones. With no
// account set, all jobs are of one party and free.
package schedule

import (
	"cmp"
	"time"

	"github.com/muster-queue/muster/job"
)

// Config is how a Scheduler decides. The zero value of a field is its default.
type Config struct {
	// HeadWait is how long one of the first jobs in the order of service waits
	// before a worker is reserved for it (60 s).
	HeadWait time.Duration
	// MaxReservations is how many workers are reserved at once at most (5);
	// negative means none.
	MaxReservations int
	// ReservedShare is the part of the open agents that may be reserved (0.10);
	// one always may.
	ReservedShare float64
	// Strict forbids backfill: a job that could run somewhere but does not fit
	// now holds up everything behind it.
	Strict bool
	// GroupIdle is how long the index by group is kept after its last use (60 s).
	GroupIdle time.Duration
	// NoPreemption: running jobs are left alone, see also SetPreemption.
	NoPreemption bool
	// Stepwise: quota above an account's cap that is spent and meets the cap gains as
	// if it had been below all the time since it was reckoned last, as the balances of
	// outside schedulers do. Then it depends on when it was reckoned.
	Stepwise bool
	// Shared: accounts matter even while none is set.
	Shared bool
	// Recheck is how long an account that could preempt nobody waits before that is
	// tried again though nothing happened; quota changes with time (1 s).
	Recheck time.Duration
	// Seed decides between accounts of which nothing else tells who comes first.
	Seed uint64
	// Key is the key that the place of a job stands for, in queues that are
	// ordered by key. It is asked for jobs that are ready, and while a Remove of
	// one is done.
	Key func(place uint64) []byte
}

// Scheduler decides who gets what in one namespace. It is not safe for use by
// several goroutines.
type Scheduler struct {
	cfg  Config
	tune tuning
	now  job.Time

	queues  map[job.QueueID]*queue
	shapes  map[job.ShapeID]*shape
	workers map[job.WorkerID]*worker
	held    map[job.Seq]*hold
	ready   int64

	// Who pays: accounts by name, and everyone, who does as long as none is known.
	// fair is whether any is.
	accounts    map[string]*account
	numAccounts int
	changed     []*account // to be stored
	stirred     []*account // to be assessed
	restless    []*account // to be looked at when levels end
	shifted     bool       // a run went to a worse level in this pass
	nextAssess  job.Time   // when all are
	everyone    *account
	fair        bool
	parties     []*party
	byParty     map[partyKey]*party

	lanes       map[laneKey]*lane
	numLanes    uint64 // ever made
	serves      uint64 // of queues and accounts, see Served
	classes     map[string]*class
	anyone      *class   // the agents, whatever their labels
	nobody      *class   // no agent: commands of classes without any stand there
	arriving    []*class // those with agents and stranded shapes
	freeNumbers []uint32 // of classes that are gone
	labels      labelTable
	agents      []*worker
	numbered    []*worker // the agents by number
	freeAgents  []uint32  // numbers
	// kinds has the shapes with ready jobs by requirement group.
	kinds map[job.KindID][]*shape
	// slots numbers the shapes densely.
	slots     []*shape
	freeSlots []int
	groups    *groupIndex

	// Named limits, those to be stored, and those that time changes. opened is
	// whether any lane was opened since Opened.
	limits        map[string]*limit
	limitSets     map[string]*limitSet
	limitsChanged []*limit
	timed         dueLimits
	opened        bool
	turning       []*lane // see turn

	// The pass under way: its number, the level that is being served, and the
	// search for victims there. front is whether one is, in strict mode.
	underway bool
	front    bool
	passes   uint64
	stage    Level
	hunt     *hunt
	ripe     []*hold // claims whose victims ended

	reservations []*reservation
	search       *search
	nextWake     job.Time

	// For Impossible: the number of the sweep under way, its position, and the
	// shapes that got ready jobs since they were last looked at.
	sweep     uint64
	swept     int
	unchecked []*shape

	// Of the call under way, and kept to save memory.
	budget    int
	placed    []Placement
	preempted []Preemption
	moves     []Move
	headList  []*shape
	ending    []*hold
	bids      []bid
}

// New makes a scheduler that knows nothing yet.
func New(cfg Config) *Scheduler {
	cfg.HeadWait = cmp.Or(cfg.HeadWait, time.Minute)
	cfg.MaxReservations = cmp.Or(cfg.MaxReservations, 5)
	cfg.ReservedShare = cmp.Or(cfg.ReservedShare, 0.10)
	cfg.GroupIdle = cmp.Or(cfg.GroupIdle, time.Minute)
	cfg.Recheck = cmp.Or(cfg.Recheck, time.Second)
	s := &Scheduler{
		cfg:      cfg,
		tune:     defaultTuning,
		queues:   map[job.QueueID]*queue{},
		shapes:   map[job.ShapeID]*shape{},
		workers:  map[job.WorkerID]*worker{},
		held:     map[job.Seq]*hold{},
		accounts: map[string]*account{},
		byParty:  map[partyKey]*party{},
		everyone: newAccount("", cfg.Seed),
		lanes:    map[laneKey]*lane{},
		classes:  map[string]*class{},
		nobody:   &class{crew: &crew{}},
		labels:   labelTable{ids: map[string]labelID{}},
		kinds:    map[job.KindID][]*shape{},
		sweep:    1,
	}
	s.anyone = s.classOf(nil)
	s.man(s.anyone)
	s.fair = cfg.Shared
	return s
}

// Ready is how many jobs are ready.
func (s *Scheduler) Ready() int64 { return s.ready }

// Item is a ready job, as small as it can be: there are millions. Place orders
// those of equal priority, smaller first, or stands for the key that does; equal
// ones go by Seq.
type Item struct {
	Seq      job.Seq
	Priority float64
	Place    uint64
	Group    job.GroupID
}

// QueueSettings are what the scheduler must know of a queue. MaxRunning zero
// means no cap.
type QueueSettings struct {
	Priority   int64
	Paused     bool
	MaxRunning int64
	// Weight shares what queues of equal priority get, see job.Share.
	Weight int64
	// ByKey: jobs of equal priority are in the order of the keys that Config.Key
	// finds for their places.
	ByKey bool
}

// Worker is what the scheduler must know of a worker.
type Worker struct {
	Labels   job.Labels
	Capacity job.Resources
	// Until is when its alloc ends; zero means never. A job whose time bound
	// reaches beyond it does not go there.
	Until job.Time
	// Prefetch is how many jobs it may be given beyond its free resources.
	Prefetch int
	// Agent: jobs are pushed to it by Pass; others only pull.
	Agent bool
	// Closed workers get nothing new.
	Closed bool
}

// Held is an attempt that was granted.
type Held struct {
	Seq    job.Seq
	Shape  job.ShapeID
	Worker job.WorkerID
	// Since is when it started (or was granted); with the shape's time bound it
	// tells when its resources will be free again.
	Since job.Time
	// Prefetched: it counts as running for its queue, but occupies nothing yet and
	// costs nothing.
	Prefetched bool
	// Charge is what it costs, as it was stored; kept when zero and it is held.
	Charge Charge
	// Victim is the job for whose end it waits, see Preemption, and Item where it
	// is ready should that place be lost; Price is what it has paid for the place.
	// The victim is held already.
	Victim job.Seq
	Item   Item
	Price  Balance
}

// Placement is a decision: the job left the ready set and is held by the worker.
// The caller grants it, or gives it back with Release and Push.
type Placement struct {
	Seq    job.Seq
	Shape  job.ShapeID
	Worker job.WorkerID
	// Prefetched: it goes beyond the worker's free resources and starts when
	// there is room; the caller tells of the start with Hold. A worker must start
	// what it prefetched in the order it got it, or a large job waits for ever
	// behind small ones that came later.
	Prefetched bool
	// Level is the level of quota that it runs at.
	Level Level
}

// Pull is a worker's request for jobs. Empty filters let everything pass.
type Pull struct {
	Worker job.WorkerID
	// N is how many jobs it wants at most.
	N      int
	Queues []job.QueueID
	Groups []job.GroupID
	Kinds  []job.KindID
	Shapes []job.ShapeID
	// Command and Data say which jobs it understands.
	Command, Data bool
	// Capacity, when not nil, must hold all the jobs of the answer together.
	Capacity job.Resources
	// Exactly, when not nil, leaves out jobs that need more, less or something else.
	Exactly *Exactly
}
