// Package job is the vocabulary of muster: what a job is, what it needs, which
// states it goes through, what an attempt at it leaves behind, and how errors
// are told apart. Every other package speaks in these types. The package does
// no I/O and imports nothing of muster.
package job

import (
	"time"
)

// Job is one thing to do, as its submitter described it. Its identity is
// (namespace, queue, key); everything else can be changed by a modify, which
// writes a new version of the whole description.
//
// A job carries either a Command, which agents run, or Data, which pulling
// workers understand; never both.
type Job struct {
	// Queue names the family the job belongs to; empty means DefaultQueue.
	Queue string `cbor:"1,keyasint,omitempty"`
	// Key identifies the job in its queue. Empty means the default of
	// Command.Key, a digest of what would be run.
	Key Key `cbor:"2,keyasint,omitempty"`

	Command *Command `cbor:"3,keyasint,omitempty"`
	// Data is an opaque document for a worker library.
	Data []byte `cbor:"4,keyasint,omitempty"`

	// Group is the report group, the label people list and count by.
	Group string `cbor:"5,keyasint,omitempty"`
	// Kind is the requirement group, the label resource use is learned by.
	// Empty means the base name of the command's first word.
	Kind string `cbor:"6,keyasint,omitempty"`
	// Account pays for the job; empty means the namespace's default.
	Account string `cbor:"7,keyasint,omitempty"`
	// Priority: larger runs sooner. Finite.
	Priority float64 `cbor:"8,keyasint,omitempty"`

	// Needs are the resources one attempt occupies. A resource that is absent
	// was not given and may be defaulted or learned; zero means none.
	Needs Resources `cbor:"9,keyasint,omitempty"`
	// Time bounds one attempt. Zero means not given.
	Time time.Duration `cbor:"10,keyasint,omitempty"`
	// Override says when learned needs give way to the given ones.
	Override Override `cbor:"11,keyasint,omitempty"`

	// Labels must all be present on the worker; Prefer are provisionable, a
	// preference only. Both are "key:value".
	Labels Labels `cbor:"12,keyasint,omitempty"`
	Prefer Labels `cbor:"13,keyasint,omitempty"`
	// Limits are the named caps the job counts against.
	Limits []LimitUse `cbor:"14,keyasint,omitempty"`

	// Retries is how often a failed command is tried again; nil means the
	// queue's default, else DefaultRetries.
	Retries *int `cbor:"15,keyasint,omitempty"`
	// Backoff overrides the delay between retries.
	Backoff *Backoff `cbor:"16,keyasint,omitempty"`
	// NoRetryAfter buries at once a job whose attempt failed after running
	// longer than this. Zero means off.
	NoRetryAfter time.Duration `cbor:"17,keyasint,omitempty"`
	// OnLost says what happens when the attempt's worker fell silent for good.
	OnLost OnLost `cbor:"18,keyasint,omitempty"`
	// NotPreemptible jobs are never chosen as victims.
	NotPreemptible bool `cbor:"19,keyasint,omitempty"`

	// NotBefore holds the job back (state delayed) until then.
	NotBefore time.Time `cbor:"20,keyasint,omitzero"`
	// DepGroups are the dependency groups this job is a member of, and
	// Dependencies what it waits for.
	DepGroups    []string     `cbor:"21,keyasint,omitempty"`
	Dependencies []Dependency `cbor:"22,keyasint,omitempty"`

	// Wait keeps a job queued that no present worker is large enough for;
	// without it such a job is buried with ReasonResource.
	Wait bool `cbor:"23,keyasint,omitempty"`
	// Lease is the lease of the job's attempts; zero means the queue's.
	Lease time.Duration `cbor:"24,keyasint,omitempty"`
	// Submitter is who added the job, by the word of the client.
	Submitter string `cbor:"25,keyasint,omitempty"`
}

// DefaultQueue and DefaultNamespace are used where none is named.
const (
	DefaultQueue     = "default"
	DefaultNamespace = "default"
)

// DefaultRetries is how often a failed command is tried again when neither the
// job nor its queue says (wr's default).
const DefaultRetries = 3

// Dependency is one thing a job waits for: a dependency group, a job by key, or
// a command (by the key it would have).
type Dependency struct {
	Group string `cbor:"1,keyasint,omitempty"`
	// Queue is that of the job of Key; empty means the job's own.
	Queue     string    `cbor:"2,keyasint,omitempty"`
	Key       Key       `cbor:"3,keyasint,omitempty"`
	Condition Condition `cbor:"4,keyasint,omitempty"`
	// Static dependencies, once met, stay met: later members of the group, and members
	// that run again, do not matter.
	Static bool `cbor:"5,keyasint,omitempty"`
	// IfAbsent says what to do about something that is not there yet.
	IfAbsent IfAbsent `cbor:"6,keyasint,omitempty"`
	// Command stands in for Key until the job is normalised: the key is that of the
	// command, whose directory is part of it.
	Command *Command `cbor:"-"`
}

// Condition is the end of a dependency that satisfies it. A group has ended when all
// its members have, complete or buried.
type Condition uint8

// The conditions of a dependency.
const (
	// ConditionOK: complete, of a group all members.
	ConditionOK Condition = iota
	// ConditionFailed: buried, of a group at least one member.
	ConditionFailed
	// ConditionAny: ended.
	ConditionAny
)

// IfAbsent is what a dependency on something not yet added means.
type IfAbsent uint8

// What a dependency on something not yet added means.
const (
	// IfAbsentWait: wait until it is added and has ended.
	IfAbsentWait IfAbsent = iota
	// IfAbsentMet: it counts as ended.
	IfAbsentMet
)

// Override says, for each resource a submitter gave, whether a learned value
// may replace it.
type Override uint8

// The overrides. Their numbers are those wr's users know.
const (
	// OverrideNo keeps a given need only when it is higher than the learned one.
	OverrideNo Override = iota
	// OverrideHigher uses the given need when it is higher.
	OverrideHigher
	// OverrideAlways uses the given need whatever was learned.
	OverrideAlways
)

// OnLost is what follows when a lost attempt's lease has ended.
type OnLost uint8

// The policies for lost attempts.
const (
	// OnLostRerun grants the job again after lease end + margin.
	OnLostRerun OnLost = iota
	// OnLostHold never grants it again without a person's word.
	OnLostHold
)

// Existing says what an add does about a job whose key is already there.
type Existing uint8

// The ways to treat an existing job.
const (
	// ExistingKeep leaves the job that is there alone and counts it.
	ExistingKeep Existing = iota
	// ExistingReplace gives it the new description; a finished or buried job
	// becomes available again. A running attempt is not disturbed.
	ExistingReplace
	// ExistingRerun runs a finished job again; a live one is kept.
	ExistingRerun
)

// IsCommand reports whether agents can run the job.
func (j *Job) IsCommand() bool { return j.Command != nil }

// QueueName is the queue the job belongs to, defaulted.
func (j *Job) QueueName() string {
	if j.Queue == "" {
		return DefaultQueue
	}
	return j.Queue
}

// Normalise fills what has a default that does not depend on the server: queue,
// key, kind. It is called before validation and storage, so that equal jobs
// have equal keys whoever submits them.
func (j *Job) Normalise() {
	j.Queue = j.QueueName()
	for i := range j.Dependencies {
		j.Dependencies[i].normalise(j.Queue)
	}
	if c := j.Command; c != nil {
		if j.Key == "" {
			j.Key = c.Key()
		}
		if j.Kind == "" {
			j.Kind = c.Kind()
		}
	}
}
