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

// Prepared is a job made ready for Add or Modify off the writer: normalised,
// validated, encoded, and its key looked up in history.
type Prepared struct {
	Job    *job.Job
	Digest job.Digest
	// Body is the encoded description, to be stored as a payload.
	Body []byte
	// Found says that history has a finished job of this key, under the number
	// End. Reach is the store's Reach, read before the look-up.
	Found bool
	End   uint64
	Reach uint64
	// Finished is the history record End, needed only for a rerun or replace.
	Finished *job.Finished
}

// AddOptions say what an Add does about jobs that are already there.
type AddOptions struct {
	Existing job.Existing
	// Kick also kicks existing jobs that are buried.
	Kick bool
}

// AddStatus is what an Add did with one item.
type AddStatus uint8

// What an Add did with an item.
const (
	// AddRefused: nothing; Added.Err says why.
	AddRefused AddStatus = iota
	// AddedNew: the job is new.
	AddedNew
	// AddExisted: the job was there, live or finished, and was left alone.
	AddExisted
	// AddReplaced: the job was there and has the new description.
	AddReplaced
	// AddRerun: the job had finished and runs again.
	AddRerun
	// AddKicked: the job was there, buried, and was kicked.
	AddKicked
	// AddStale: the look-up is older than what is still remembered of recently
	// finished jobs; look the key up again and repeat the item.
	AddStale
	// AddNeedFinished: the history record Added.End is needed; read it and
	// repeat the item with Prepared.Finished.
	AddNeedFinished
)

// Added is the result for one item of an Add.
type Added struct {
	Status AddStatus
	// Seq is the job's number; zero for one that finished and was left alone.
	Seq job.Seq
	// State is the job's state after the Add.
	State job.State
	// End is the number of the finished job that is there or needed.
	End uint64
	Err error
}

// Grant is an attempt given to a worker.
type Grant struct {
	Ref
	// Number counts the job's attempts for people.
	Number uint32
	// Version names the payload the attempt was given, Size its length in bytes
	// if it is the newest.
	Version uint32
	Size    uint32
	Queue   job.QueueID
	Shape   job.ShapeID
	Lease   time.Duration
	// Deadline is when the lease ends as the server counts.
	Deadline job.Time
	// Prefetched: it waits at the worker for its turn.
	Prefetched bool
}

// Renewal answers a renewed lease.
type Renewal struct {
	Deadline job.Time
	// Mark tells the worker that it should stop.
	Mark job.Mark
}

// How is what a worker wants an ended attempt to mean.
type How uint8

// The ways to report an end.
const (
	// Completed: the job is done.
	Completed How = iota + 1
	// Released: given back, to be tried again if the budget allows; costs
	// nothing when it never started.
	Released
	// Failed: buried, whatever the budget.
	Failed
)

// End is a worker's report that an attempt ended.
type End struct {
	Ref
	How    How
	Result job.Result
	// Delay, when set, takes the place of the back-off of a Released attempt.
	Delay *time.Duration
	// StartedAt and EndedAt are by the worker's account in engine time; zero
	// means as far as the server knows, and now.
	StartedAt, EndedAt job.Time
	// Data is the attempt's own document (pulling workers).
	Data []byte
}

// Ended answers a report. A repeated report gets the same answer.
type Ended struct {
	// State the report led to.
	State job.State
	// Due is when a Delayed job becomes ready.
	Due job.Time
	// Repeated: the report had been accepted before; nothing changed.
	Repeated bool
}

// OrderKind is what a worker is told to do.
type OrderKind uint8

// The orders.
const (
	// OrderStop: end the attempt's command and report.
	OrderStop OrderKind = iota + 1
	// OrderWithdraw: give a prefetched job back, if it has not started.
	OrderWithdraw
)

// Order is something a worker must be told. Orders may get lost on the way:
// Renewal.Mark and Held repeat them.
type Order struct {
	Kind   OrderKind
	Worker job.WorkerID
	Ref
	Mark job.Mark
}

// FeedOp is one kind of Feed.
type FeedOp uint8

// What the scheduler is told.
const (
	// FeedDefineShape: Shape is new; see State.Shape.
	FeedDefineShape FeedOp = iota + 1
	// FeedDropShape: nothing refers to Shape any more.
	FeedDropShape
	// FeedSetQueue: the settings of Queue are new or changed; see State.Queue.
	FeedSetQueue
	// FeedDropQueue: Queue was deleted.
	FeedDropQueue
	// FeedPush: the job is ready.
	FeedPush
	// FeedRemove: the job is not ready any more, and was not granted.
	FeedRemove
	// FeedHold: Worker holds the job; it was ready before (FeedPush), unless
	// this follows a load or a FeedRelease of the same job. Prefetched says that
	// it takes limits but no resources yet.
	FeedHold
	// FeedStart: the held, prefetched job started: it takes its resources.
	FeedStart
	// FeedRelease: Worker does not hold the job any more.
	FeedRelease
	// FeedStopping: the held job was told to stop; it is no victim any more.
	FeedStopping
	// FeedDropWorker: Worker was forgotten.
	FeedDropWorker
)

// Feed is one step that keeps the scheduler's picture equal to the State's.
// Steps must be applied in order.
type Feed struct {
	Op         FeedOp
	Prefetched bool
	Seq        job.Seq
	// Place orders jobs of equal priority, smaller first; ties go by Seq.
	Place    uint64
	Priority float64
	Shape    job.ShapeID
	Queue    job.QueueID
	Group    job.GroupID
	Worker   job.WorkerID
}

// Event is a change of a job that watchers are told of. A job whose group or
// queue changed leaves the one (To is Absent) and enters the other.
type Event struct {
	Seq      job.Seq
	Queue    job.QueueID
	Group    job.GroupID
	From, To job.State
	Mark     job.Mark
	Reason   job.Reason
	Exit     int32
	Attempt  job.AttemptID
	At       job.Time
}
