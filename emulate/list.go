package emulate

import (
	"time"

	"github.com/muster-queue/muster/job"
)

// Query is which jobs a command that shows or stops jobs is about. Its empty fields do
// not restrict.
type Query struct {
	// IDs are jobs one by one; an ID without an index is all of an array.
	IDs []ID
	// Queue and Name are looked up on the server; a name may end with "*".
	Queue, Name string
	Account     string
	User        string
	// States are the states of muster to ask for; none: all but complete ones.
	States []job.State
	// Since leaves out what ended before; zero: nothing is left out.
	Since time.Time
	// Keep, when set, decides about each job that was found.
	Keep func(*Shown) bool
}

// ID is the number of a job, or of an element of an array.
type ID struct {
	Number uint64
	Index  *int64
}

// Wants tells whether the query is about a job that its queue, name and states select.
func (q *Query) Wants(s *Shown) bool {
	if end := s.Finished(); !end.IsZero() && end.Before(q.Since) {
		return false
	}
	return q.Keep == nil || q.Keep(s)
}
