package emulate

import (
	"time"

	"github.com/muster-queue/muster/job"
)

// Running is a job that is about to be run, as its agent knows it.
type Running struct {
	Seq   job.Seq
	Queue string
	*job.Command
	// Needs are what was set aside, Time how long it may run; zero: any time.
	Needs job.Resources
	Time  time.Duration
	// Number is that of the attempt, from 1.
	Number uint32
	Host   string
	Start  time.Time
}

// First is the number that its array has; its own if it is no element.
func (r *Running) First() uint64 { return uint64(r.Seq) - uint64(r.Batch.Place) }
