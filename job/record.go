package job

import "time"

// This file has the rows a namespace's state is stored as. They carry absolute
// values, so that writing one twice is harmless. Package queue makes them,
// package engine passes them on, package store keeps them.

// Time is engine time in nanoseconds since the Unix epoch; zero means none.
type Time int64

// TimeOf is t as engine time; the zero time is zero.
func TimeOf(t time.Time) Time {
	if t.IsZero() {
		return 0
	}
	return Time(t.UnixNano())
}

// Std is t as a time.Time in UTC; zero is the zero time.
func (t Time) Std() time.Time {
	if t == 0 {
		return time.Time{}
	}
	return time.Unix(0, int64(t)).UTC()
}

// Add is t moved by d.
func (t Time) Add(d time.Duration) Time { return t + Time(d) }

// Sub is the time from u to t.
func (t Time) Sub(u Time) time.Duration { return time.Duration(t - u) }

// Numbers that stand for interned things of one namespace. Zero is none.
type (
	// QueueID stands for a queue.
	QueueID uint32
	// GroupID stands for a report group.
	GroupID uint32
	// KindID stands for a requirement group.
	KindID uint32
	// DepGroupID stands for a dependency group.
	DepGroupID uint32
	// ShapeID stands for a shape.
	ShapeID uint32
	// WorkerID stands for a worker.
	WorkerID uint32
)

// Meta are a namespace's own counters. They are part of every batch that
// changes one of them.
type Meta struct {
	// Epoch is the incarnation: raised at every load, part of attempt ids and
	// checked by every commit.
	Epoch uint32 `cbor:"1,keyasint"`
	// NextSeq, NextAttempt and NextEnd are the numbers to be given next: to an
	// added job, to a grant in this epoch, to a finished job.
	NextSeq     Seq    `cbor:"2,keyasint"`
	NextAttempt uint64 `cbor:"3,keyasint"`
	NextEnd     uint64 `cbor:"4,keyasint"`
	// Clock is the latest engine time stored; time never goes back behind it.
	Clock Time `cbor:"5,keyasint"`
	// HoldUntil, when set, is the deadline all leases were extended to before a
	// planned stop.
	HoldUntil Time `cbor:"6,keyasint,omitempty"`
	// Paused and Draining are the namespace's durable modes.
	Paused   bool `cbor:"7,keyasint,omitempty"`
	Draining bool `cbor:"8,keyasint,omitempty"`
	// Seed makes back-off jitter and tie-breaks reproducible.
	Seed uint64 `cbor:"9,keyasint"`
	// MinLive is a lower bound of the sequence numbers of live jobs, where a
	// load starts reading.
	MinLive Seq `cbor:"10,keyasint,omitempty"`
	// Numbers given to interned rows.
	NextQueue  QueueID  `cbor:"11,keyasint"`
	NextGroup  GroupID  `cbor:"12,keyasint"`
	NextKind   KindID   `cbor:"13,keyasint"`
	NextShape  ShapeID  `cbor:"14,keyasint"`
	NextWorker WorkerID `cbor:"15,keyasint"`
	// NextEvent is the number of the next entry of the logs. Of each log, Events is
	// how many entries there ever were, and Trimmed how many of them, the oldest, are
	// deleted.
	NextEvent uint64            `cbor:"16,keyasint,omitempty"`
	Events    [EventLogs]uint64 `cbor:"17,keyasint,omitempty"`
	Trimmed   [EventLogs]uint64 `cbor:"19,keyasint,omitempty"`
	// Account pays for jobs that name none, in queues that name none.
	Account string `cbor:"18,keyasint,omitempty"`
	// NextDepGroup is the number of the next dependency group.
	NextDepGroup DepGroupID `cbor:"20,keyasint,omitempty"`
}

// Live is the state record of a job that is not complete: small, of fixed size,
// without pointers, so that millions cost the collector nothing.
type Live struct {
	Seq    Seq
	Digest Digest
	// Place orders jobs of equal priority; a job that comes back after
	// preemption or release keeps it.
	Place    uint64
	Priority float64

	Queue QueueID
	Group GroupID
	Kind  KindID
	Shape ShapeID

	State State
	Mark  Mark
	// Reason and Exit are of the last attempt that ended.
	Reason Reason
	// Flags of the description that the state machine needs.
	Flags Flags
	Exit  int32

	// Version is the newest payload; GivenVersion the one that the attempt got, or
	// made of its own (see OwnData): reading it shows the attempt's data.
	Version      uint32
	GivenVersion uint32
	// Size of the newest payload in bytes, for bounds and read-ahead.
	Size uint32

	// Number counts attempts, Starts the times it ran, Failures and Losses what
	// the budgets are charged with. A kick resets Failures and Losses.
	Number   uint32
	Starts   uint32
	Failures uint32
	Losses   uint32
	// Retries is the job's own retry budget, or RetriesDefault.
	Retries int32

	// Attempt is the held attempt, or the last one that ended.
	Attempt AttemptID
	Worker  WorkerID
	// Outcome is how Attempt ended; OutcomeNone while it is held.
	Outcome Outcome
	// Due is when a delayed job becomes ready.
	Due Time
	// Lease is the length of the attempt's lease.
	Lease time.Duration

	Added   Time
	Since   Time // when it entered its state
	Granted Time
	Started Time
}

// RetriesDefault in Live.Retries means the queue's or the system's default.
const RetriesDefault = -1

// Flags are facts of a description kept in its state record.
type Flags uint8

// The flags.
const (
	// FlagCommand: agents can run it.
	FlagCommand Flags = 1 << iota
	// FlagHold: lost policy hold.
	FlagHold
	// FlagNotPreemptible: never a victim.
	FlagNotPreemptible
	// FlagWait: may wait for a worker large enough.
	FlagWait
	// FlagOwnBackoff: its description has a back-off of its own.
	FlagOwnBackoff
	_ // was: every attempt counts against its budget
	// FlagNoRetryAfter: its description bounds retries by run time.
	FlagNoRetryAfter
	// FlagPrefetched is of the held attempt, not of the description: it waits at
	// its worker and takes no resources yet.
	FlagPrefetched
)

// Payload is one immutable version of a job's description, encoded by Encode.
type Payload struct {
	Seq     Seq
	Version uint32
	Body    []byte
}

// OwnData is the first of the versions that are not the job's but an attempt's:
// OwnData + its number. Its payload is the encoded description of a job that has
// nothing but Data, and is written again whenever the attempt's data changes.
// (Data that comes with the end of an attempt is in its row instead.)
const OwnData uint32 = 1 << 31

// PayloadRef names a payload.
type PayloadRef struct {
	Seq     Seq
	Version uint32
}

// Finished is the history record of a complete job, keyed by End, a number that
// grows in the order jobs finished.
type Finished struct {
	End   uint64
	Ended Time
	Live  // as it was when it completed
	// Keyed says that its queue is ordered by key, and that the store finds it
	// by its Key there.
	Keyed bool
	Key   Key
	// DepGroups are the dependency groups it is a complete member of.
	DepGroups []DepGroupID
	// Used is what the attempt that completed it used, Host where that was; of what
	// earlier releases recorded both are empty.
	Used Usage
	Host string
}

// KeyRow is the key of a live job in a queue that is ordered by key.
type KeyRow struct {
	Seq  Seq
	Key  Key
	Gone bool
}

// AttemptRow is an attempt that ended, stored under its job and number.
type AttemptRow struct {
	Seq Seq
	Attempt
}

// AttemptRef names an attempt by its job and number.
type AttemptRef struct {
	Seq    Seq
	Number uint32
}

// QueueRow is a stored queue with its counter of complete jobs.
type QueueRow struct {
	ID   QueueID `cbor:"1,keyasint"`
	Def  Queue   `cbor:"2,keyasint"`
	Done int64   `cbor:"3,keyasint,omitempty"`
	// Next is when a continuous queue may make its next job; zero: at once.
	Next Time `cbor:"4,keyasint,omitempty"`
	Gone bool `cbor:"-"`
	// Oldest is a lower bound of the end numbers of its complete jobs: those before
	// were pruned.
	Oldest uint64 `cbor:"5,keyasint,omitempty"`
}

// GroupRow is an interned report group with its counter of complete jobs.
type GroupRow struct {
	ID   GroupID `cbor:"1,keyasint"`
	Name string  `cbor:"2,keyasint"`
	Done int64   `cbor:"3,keyasint,omitempty"`
	Gone bool    `cbor:"-"`
}

// KindRow is an interned requirement group.
type KindRow struct {
	ID   KindID `cbor:"1,keyasint"`
	Name string `cbor:"2,keyasint"`
	Gone bool   `cbor:"-"`
}

// LearnedRow is what was learned of the jobs of a kind, as package learn writes it.
type LearnedRow struct {
	Kind KindID `cbor:"1,keyasint"`
	Body []byte `cbor:"2,keyasint,omitempty"`
	Gone bool   `cbor:"-"`
}

// Shape is what the scheduler must know of a job, shared by all jobs that are
// alike to it.
type Shape struct {
	Queue   QueueID       `cbor:"2,keyasint"`
	Kind    KindID        `cbor:"3,keyasint,omitempty"`
	Account string        `cbor:"4,keyasint,omitempty"`
	Needs   Resources     `cbor:"5,keyasint,omitempty"`
	Time    time.Duration `cbor:"6,keyasint,omitempty"`
	Labels  Labels        `cbor:"7,keyasint,omitempty"`
	Prefer  Labels        `cbor:"8,keyasint,omitempty"`
	Limits  []LimitUse    `cbor:"9,keyasint,omitempty"`
	// Command tells jobs of agents from those of pulling workers.
	Command        bool `cbor:"10,keyasint,omitempty"`
	NotPreemptible bool `cbor:"11,keyasint,omitempty"`
	Wait           bool `cbor:"12,keyasint,omitempty"`
	// What the scheduler does not need but the state machine does, of the rare
	// jobs that say so themselves: lease, back-off, and the run time after which
	// a failure is final.
	Lease        time.Duration `cbor:"13,keyasint,omitempty"`
	Backoff      *Backoff      `cbor:"14,keyasint,omitempty"`
	NoRetryAfter time.Duration `cbor:"15,keyasint,omitempty"`
	// Needs and Time are what was given; what attempts ask for follows from them,
	// what was learned of the kind, and what was raised for the job after an attempt
	// was ended for too little: of memory and disk, and of time.
	Override   Override      `cbor:"16,keyasint,omitempty"`
	Raised     Resources     `cbor:"17,keyasint,omitempty"`
	RaisedTime time.Duration `cbor:"18,keyasint,omitempty"`
}

// ShapeRow is a stored shape.
type ShapeRow struct {
	ID   ShapeID `cbor:"1,keyasint"`
	Gone bool    `cbor:"-"`
	Shape
}

// WorkerRow is a stored worker: who it is, so that attempts it holds can be
// recognised after a restart. What it has and does is announced, not stored.
type WorkerRow struct {
	ID   WorkerID `cbor:"1,keyasint"`
	Gone bool     `cbor:"-"`
	// Left: it said that it leaves; it is remembered for a while.
	Left bool `cbor:"20,keyasint,omitempty"`
	// Drained: an operator wants it to get no more jobs.
	Drained bool `cbor:"21,keyasint,omitempty"`
	// Forgotten: the row is kept only for the jobs that name it.
	Forgotten bool `cbor:"22,keyasint,omitempty"`
	Worker
}

// LockRow is a held lock. Path is in the notation of lock.Path.
type LockRow struct {
	Path  string `cbor:"1,keyasint"`
	Owner string `cbor:"2,keyasint,omitempty"`
	// Since is when it was taken, Until when it ends, Lease the length asked for last.
	Since Time          `cbor:"3,keyasint"`
	Until Time          `cbor:"4,keyasint"`
	Lease time.Duration `cbor:"5,keyasint"`
	Gone  bool          `cbor:"-"`
}

// Request is the remembered outcome of a mutation that carried a request id.
type Request struct {
	Client, ID string
	At         Time
	Outcome    []byte
	Gone       bool
}

// Blob is content stored once under its digest (environments, large outputs).
type Blob struct {
	Digest string // hex SHA-256
	Body   []byte
}

// Changes is what one turn of a namespace changed: the unit of commit.
type Changes struct {
	Meta     *Meta
	Queues   []QueueRow
	Groups   []GroupRow
	Kinds    []KindRow
	Shapes   []ShapeRow
	Workers  []WorkerRow
	Locks    []LockRow
	Payloads []Payload
	Live     []Live
	// Gone are jobs whose live record ends: they completed (and are in
	// Finished) or were deleted.
	Gone     []Seq
	Finished []Finished
	Attempts []AttemptRow
	// OldAttempts are attempts to delete, though their job stays.
	OldAttempts []AttemptRef
	Requests    []Request
	Blobs       []Blob
	// Amended are history records to write anew, of the same number, key and group.
	Amended []Finished
	// Forgotten are history records to delete with their index entries, but not
	// what is kept under their job: the job runs again under its old number, or
	// is in Deleted too.
	Forgotten []Finished
	// Deleted are jobs to delete with all their payloads and attempts. Their live
	// record, if any, is in Gone.
	Deleted []Seq
	// Keys are of live jobs in queues that are ordered by key; of several for one
	// job the last counts. The key of a complete job is in its Finished.
	Keys []KeyRow
	// Accounts and Charges are who pays for what, Events go to the log.
	Accounts []AccountRow
	Charges  []ChargeRow
	Events   []EventRow
	// EventsBefore: entries of each log before that number are deleted.
	EventsBefore [EventLogs]uint64
	Documents    []Document
	// DepGroups and Depends are who waits for whom, Limits the named limits with what
	// is left of them, Learned what was learned by kind.
	DepGroups []DepGroupRow
	Depends   []DependRow
	Limits    []LimitRow
	Learned   []LearnedRow
}

// Empty reports whether nothing needs storing.
func (c *Changes) Empty() bool {
	return c.Meta == nil && len(c.Queues)+len(c.Groups)+len(c.Kinds)+len(c.Shapes)+len(c.Workers)+len(c.Locks)+
		len(c.Payloads)+len(c.Live)+len(c.Gone)+len(c.Finished)+len(c.Attempts)+len(c.OldAttempts)+len(c.Requests)+
		len(c.Blobs)+len(c.Keys)+len(c.Amended)+len(c.Forgotten)+len(c.Deleted)+
		len(c.Accounts)+len(c.Charges)+len(c.Events)+len(c.Documents)+
		len(c.DepGroups)+len(c.Depends)+len(c.Limits)+len(c.Learned) == 0 && c.EventsBefore == [EventLogs]uint64{}
}
