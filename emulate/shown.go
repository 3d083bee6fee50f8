package emulate

import (
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/muster-queue/muster/job"
)

// Shown is a job as commands that show jobs see it.
type Shown struct {
	// Seq is its number, and Job its description.
	Seq job.Seq
	Job *job.Job

	State    job.State
	Stopping job.Mark
	// Reason is why its last attempt failed.
	Reason job.Reason
	// Attempt is the held one, else the last; nil: none.
	Attempt *job.Attempt
	// Attempts is how often it was tried.
	Attempts uint32

	// Account pays.
	Account  string
	Priority float64
	// Due is when a delayed job becomes ready, Ended when a complete one ended.
	Added, Since, Due, Ended time.Time
}

// none is what a job has that no other system's command added.
var none = job.Batch{}

// Batch is what the job's submitter said of it; nothing for one of muster's own.
func (s *Shown) Batch() *job.Batch {
	if s.Job.Command == nil || s.Job.Command.Batch == nil {
		return &none
	}
	return s.Job.Command.Batch
}

// Command is what it runs; an empty one for a job with data.
func (s *Shown) Command() *job.Command {
	if s.Job.Command == nil {
		return new(job.Command)
	}
	return s.Job.Command
}

// Name is what it is called: by its submitter, else its group.
func (s *Shown) Name() string {
	if name := s.Batch().Name; name != "" {
		return name
	}
	if s.Job.Group != "" {
		return s.Job.Group
	}
	return s.Job.Kind
}

// First is the number that its array has; its own if it is no element.
func (s *Shown) First() uint64 { return uint64(s.Seq) - uint64(s.Batch().Place) }

// Element tells whether it is of an array.
func (s *Shown) Element() bool { return s.Batch().Array != "" }

// Result is how the last attempt went so far.
func (s *Shown) Result() *job.Result {
	if s.Attempt == nil {
		return new(job.Result)
	}
	return &s.Attempt.Result
}

// Began is when the held or last attempt began to run; zero if it did not.
func (s *Shown) Began() time.Time {
	if s.Attempt == nil || s.State < job.Running {
		return time.Time{}
	}
	return s.Attempt.Started
}

// Finished is when the job ended, well or not; zero if it did not.
func (s *Shown) Finished() time.Time {
	switch {
	case s.State == job.Complete:
		return s.Ended
	case s.State == job.Buried && s.Attempt != nil && !s.Attempt.Ended.IsZero():
		return s.Attempt.Ended
	case s.State == job.Buried:
		return s.Since
	}
	return time.Time{}
}

// Elapsed is how long it ran, or has been running.
func (s *Shown) Elapsed(now time.Time) time.Duration {
	began := s.Began()
	if began.IsZero() {
		return 0
	}
	if end := s.Finished(); !end.IsZero() {
		now = end
	}
	return max(0, now.Sub(began)).Truncate(time.Second)
}

// Cores is how many it asks for, rounded up; at least one.
func (s *Shown) Cores() int64 { return CoresOf(s.Job.Needs) }

// CoresOf is how many cores needs are, rounded up; at least one.
func CoresOf(needs job.Resources) int64 {
	return max(1, (needs[job.CPU]+job.Thousandth-1)/job.Thousandth)
}

// Host is where it runs or ran; empty: nowhere yet.
func (s *Shown) Host() string {
	if s.Attempt == nil || s.State < job.Reserved {
		return ""
	}
	return s.Attempt.Host
}

// Signal is the number of the signal that ended it; zero if none did.
func (s *Shown) Signal() int { return int(unix.SignalNum(s.Result().Signal)) }

// Digits is a number as text.
func Digits[N int | int64 | uint32 | uint64](n N) string { return strconv.FormatInt(int64(n), 10) }

// ShortHost is a host's name without its domain.
func ShortHost(host string) string {
	short, _, _ := strings.Cut(host, ".")
	return short
}
