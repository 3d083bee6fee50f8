package engine

import (
	"time"

	"github.com/muster-queue/muster/job"
)

// UnitsRequest asks for jobs of one queue by key, live and complete.
type UnitsRequest struct {
	Queue string
	// Keys, if not nil, asks for exactly these, in this order; the answer has nil
	// for those that are not there. What follows but Brief is ignored then.
	Keys []job.Key
	// States are those wanted; nil means all, empty none.
	States []job.State
	// After leaves out this key and smaller ones; nil begins at the start.
	After *job.Key
	// Limit is the most that are returned, 1 to MaxUnits.
	Limit int
	// Brief leaves data out.
	Brief bool
}

// MaxUnits is the most units a request may ask for at once.
const MaxUnits = 10_000

// Unit is a job of a queue that is ordered by key, with its data.
type Unit struct {
	Seq       job.Seq
	Queue     string
	Key       job.Key
	State     job.State
	Priority  float64
	NotBefore time.Time
	// Own is the job's own data.
	Own []byte
	// Attempts is the number of the newest attempt.
	Attempts uint32
	// Attempt is the current one: it holds the job, or completed or buried it;
	// nil otherwise.
	Attempt *UnitAttempt
}

// UnitAttempt is an attempt of a unit.
type UnitAttempt struct {
	ID      job.AttemptID
	Number  uint32
	Worker  string
	Outcome job.Outcome
	// Deadline is when the lease ends; zero once the attempt has ended, as Ended
	// is before.
	Granted, Deadline, Ended time.Time
	// Data is the attempt's own; nil when it has none.
	Data []byte
}

// Data is what readers of the unit see: the data of its current attempt, if that
// has its own, else the unit's.
func (u *Unit) Data() []byte {
	if u.Attempt != nil && u.Attempt.Data != nil {
		return u.Attempt.Data
	}
	return u.Own
}

// UnitsSelector selects jobs of one queue; all conditions that are given
// combine. One without any selects nothing, unless All.
type UnitsSelector struct {
	Queue string
	// Keys, if not nil, are those meant.
	Keys []job.Key
	// States, if not nil, are the states they must be in.
	States []job.State
	// After leaves out this key and smaller ones.
	After *job.Key
	// Limit is the most that are selected, in the order of keys; zero: no limit.
	Limit int
	// All selects every job of the queue, if there is no other condition.
	All bool
}
