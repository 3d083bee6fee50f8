package job

import "fmt"

// State is where a job is in its life. The transitions between states are in
// package queue, in one table.
type State uint8

// The states of a job. Absent is the state of a job that does not exist; it is
// never stored.
const (
	Absent State = iota
	Blocked
	Delayed
	Ready
	Reserved
	Running
	Lost
	Buried
	Complete
	NumStates int = iota
)

var stateNames = [NumStates]string{
	"absent", "blocked", "delayed", "ready", "reserved", "running", "lost", "buried", "complete",
}

// String is the word used everywhere for the state.
func (s State) String() string {
	if int(s) < NumStates {
		return stateNames[s]
	}
	return fmt.Sprintf("state(%d)", uint8(s))
}

// ParseState reads a state's word; an unknown one is an Invalid error that lists
// the known ones.
func ParseState(s string) (State, error) {
	for i := 1; i < NumStates; i++ {
		if stateNames[i] == s {
			return State(i), nil
		}
	}
	return Absent, Errorf(Invalid, "unknown state %q; the states are blocked, delayed, ready, reserved, running, lost, buried, complete", s)
}

// Held reports whether an attempt of the job holds a lease.
func (s State) Held() bool { return s == Reserved || s == Running || s == Lost }

// Live reports whether the job is in the queue rather than in history.
func (s State) Live() bool { return s > Absent && s < Complete }

// Mark is what else is true of a held job.
type Mark uint8

// The marks of a held job: why it is being stopped.
const (
	// MarkNone: nobody asked it to stop.
	MarkNone Mark = iota
	// MarkCancelled: a person asked; it will be buried(cancelled).
	MarkCancelled
	// MarkPreempted: a better job wants the slot; it returns to its old place.
	MarkPreempted
	// MarkDeleted: a forced delete; it will vanish.
	MarkDeleted
	// MarkWithdrawn: a prefetched job was asked back.
	MarkWithdrawn
	// MarkRevoked: it was taken back and then added anew: what the attempt does
	// counts for nothing, and when it has ended the job is ready.
	MarkRevoked
)

var markNames = [...]string{"", "cancelled", "preempted", "deleted", "withdrawn", "revoked"}

// String is the word shown beside "stopping".
func (m Mark) String() string {
	if int(m) < len(markNames) {
		return markNames[m]
	}
	return fmt.Sprintf("mark(%d)", uint8(m))
}

// Counts are numbers of jobs by state.
type Counts [NumStates]int64

// Live is how many jobs are not complete.
func (c *Counts) Live() int64 {
	var n int64
	for s := Blocked; s < Complete; s++ {
		n += c[s]
	}
	return n
}

// Total is how many jobs there are, history included.
func (c *Counts) Total() int64 { return c.Live() + c[Complete] }

// Add adds the numbers of d.
func (c *Counts) Add(d *Counts) {
	for i := range c {
		c[i] += d[i]
	}
}
