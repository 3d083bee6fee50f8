package job

import (
	"fmt"
	"time"
)

// Attempt is one try of one job by one worker, as history keeps it.
type Attempt struct {
	ID AttemptID `cbor:"1,keyasint"`
	// Number is for people: 1 for the first try since the job was added.
	Number uint32 `cbor:"2,keyasint"`
	// Version is the payload version the attempt was given, or that of its own data
	// (see OwnData).
	Version uint32 `cbor:"3,keyasint,omitempty"`
	Worker  string `cbor:"4,keyasint,omitempty"`
	Host    string `cbor:"5,keyasint,omitempty"`

	Granted time.Time `cbor:"6,keyasint,omitzero"`
	Started time.Time `cbor:"7,keyasint,omitzero"`
	Ended   time.Time `cbor:"8,keyasint,omitzero"`

	// Outcome is how it ended for the queue, Result what the worker reported.
	Outcome Outcome `cbor:"9,keyasint,omitempty"`
	Result  Result  `cbor:"10,keyasint,omitempty"`
	// Data is an attempt's own document (pulling workers), if it came with its end;
	// else Version has what there is.
	Data []byte `cbor:"11,keyasint,omitempty"`
	// Asked is what the job needed when it was granted, Time the bound on its wall time
	// then; zero of what was recorded by earlier releases.
	Asked Resources     `cbor:"12,keyasint,omitempty"`
	Time  time.Duration `cbor:"13,keyasint,omitempty"`
}

// Outcome is how an attempt ended.
type Outcome uint8

// The outcomes of an attempt.
const (
	// OutcomeNone: still held.
	OutcomeNone Outcome = iota
	OutcomeComplete
	OutcomeReleased
	OutcomeBuried
	OutcomeLost
	OutcomePreempted
	OutcomeCancelled
	OutcomeWithdrawn
	OutcomeRevoked
)

var outcomeNames = [...]string{"", "complete", "released", "buried", "lost", "preempted", "cancelled", "withdrawn", "revoked"}

// String is the outcome's word; an attempt still held has none.
func (o Outcome) String() string {
	if int(o) < len(outcomeNames) {
		return outcomeNames[o]
	}
	return "outcome?"
}

// Result is what a worker reports about an attempt that ended.
type Result struct {
	// Exited is false when the command never ran or was ended by a signal.
	Exited   bool   `cbor:"1,keyasint,omitempty"`
	ExitCode int    `cbor:"2,keyasint,omitempty"`
	Signal   string `cbor:"3,keyasint,omitempty"`
	Core     bool   `cbor:"4,keyasint,omitempty"`
	Reason   Reason `cbor:"5,keyasint,omitempty"`
	// Message is the detail a person needs beside the reason.
	Message string `cbor:"6,keyasint,omitempty"`

	PeakMemory int64         `cbor:"7,keyasint,omitempty"` // bytes
	PeakDisk   int64         `cbor:"8,keyasint,omitempty"` // bytes
	CPUTime    time.Duration `cbor:"9,keyasint,omitempty"`
	WallTime   time.Duration `cbor:"10,keyasint,omitempty"`
	// OOMKills is the number the cgroup's memory.events counted: the evidence
	// behind ReasonMemory.
	OOMKills int64 `cbor:"11,keyasint,omitempty"`

	Pid int    `cbor:"12,keyasint,omitempty"`
	Dir string `cbor:"13,keyasint,omitempty"`

	Stdout Output `cbor:"14,keyasint,omitempty"`
	Stderr Output `cbor:"15,keyasint,omitempty"`
	// Log tells what the agent did around the command: staging, mounts,
	// behaviours, kills, one line each.
	Log []string `cbor:"16,keyasint,omitempty"`
}

// Output is what is kept of one output stream.
type Output struct {
	Head []byte `cbor:"1,keyasint,omitempty"`
	Tail []byte `cbor:"2,keyasint,omitempty"`
	// Omitted is how many bytes between Head and Tail were left out.
	Omitted int64 `cbor:"3,keyasint,omitempty"`
	// Path of the full output on the agent's machine, when it was spooled.
	Path string `cbor:"4,keyasint,omitempty"`
}

// Text is what is kept, with a mark where something is missing.
func (o *Output) Text() string {
	if o.Omitted == 0 {
		return string(o.Head) + string(o.Tail)
	}
	return fmt.Sprintf("%s\n[... %d bytes are left out ...]\n%s", o.Head, o.Omitted, o.Tail)
}

// Size is how many bytes are kept.
func (o *Output) Size() int { return len(o.Head) + len(o.Tail) }

// Used returns what the attempt used as resources, to be compared with needs.
func (r *Result) Used() Resources {
	return Resources{"mem": r.PeakMemory, "disk": r.PeakDisk}
}

// Usage is what an attempt used, as history records keep it for sorting and sums; zero
// where nobody measured.
type Usage struct {
	Memory, Disk int64 // bytes, at the peak
	CPU, Wall    time.Duration
}

// Usage is what the worker reported as used.
func (r *Result) Usage() Usage { return Usage{r.PeakMemory, r.PeakDisk, r.CPUTime, r.WallTime} }
