// Package dispatch shares out workers for dispatchers that have tasks and workers
// of their own: a quota scheduler (Scheduler) and what stands between it and workers
// that come and ask (Reconciler). The external scheduler of the server embeds it; so
// can any Go program.
//
// The outside is the authority. What is known here is an estimate, made of news that
// have times, come late, more than once, and contradict each other. News older than
// what is known change nothing. News that contradict the estimate delete what they
// contradict; it comes back with later news.
//
// An assignment is told to its worker again and again until the task is known to run
// there, or for WorkerQueueTimeout. A task that has to give way is named by
// Cancellations until it is known to be gone; it is forgotten at once, and comes back
// when the outside says that it is waiting.
//
// Who gets what is decided by package schedule: a worker is one slot, and so is a
// task. Nothing here asks a clock or waits; the same calls give the same answers. No
// type may be used by several goroutines at once.
package dispatch

import (
	"slices"
	"time"

	"github.com/muster-queue/muster/job"
	"github.com/muster-queue/muster/schedule"
)

//go:generate go tool -modfile=../tools/go.mod buf lint
//go:generate go tool -modfile=../tools/go.mod buf generate

// Names that the outside gives: at most job.MaxName bytes of UTF-8 without control
// characters.
type (
	// RequestID is the name of a task.
	RequestID string
	// WorkerID is the name of a worker.
	WorkerID string
	// AccountID is the name of who pays; empty: nobody.
	AccountID string
)

// Labels are a set of labels, such as "os:linux"; their order does not matter. A
// label is at most job.MaxName bytes of UTF-8 without control characters.
type Labels = job.Labels

// Balance is quota, or what a task has cost, at each level: worker-seconds.
type Balance = schedule.Balance

// Priority is the level of quota that a task runs at: 0, the best, to 4, or
// FreeBucket.
type Priority int

const (
	// NumPriorities is how many levels of quota there are.
	NumPriorities = schedule.Levels
	// FreeBucket is the priority of what nobody pays for.
	FreeBucket Priority = NumPriorities
)

// WorkerQueueTimeout is how long an assignment waits for its worker.
const WorkerQueueTimeout = 10 * time.Minute

// checkLabels checks labels of a field. Errors: Invalid.
func checkLabels(field string, labels Labels) error {
	if len(labels) > job.MaxList {
		return job.Errorf(job.Invalid, "%s: %d labels; at most %d", field, len(labels), job.MaxList)
	}
	for _, l := range labels {
		if err := job.CheckName(field, l); err != nil {
			return err
		}
	}
	return nil
}

// setOf is labels as they are kept: sorted, each once; nil if there are none. Labels
// that are like that are not copied.
func setOf(labels Labels) Labels {
	if len(labels) == 0 {
		return nil
	}
	for i := 1; i < len(labels); i++ {
		if labels[i-1] >= labels[i] {
			return labels.Sorted()
		}
	}
	return labels
}

// within reports whether a sorted set is part of another one.
func within(part, all Labels) bool {
	for _, l := range part {
		if _, ok := slices.BinarySearch(all, l); !ok {
			return false
		}
	}
	return true
}

// The times that can be told exactly in every form of a pool.
var (
	firstTime = time.Date(1, 1, 1, 0, 0, 0, 0, time.UTC)
	lastTime  = time.Date(9999, 12, 31, 23, 59, 59, 999999999, time.UTC)
	// unixZero is when a request was examined that never was.
	unixZero = time.Unix(0, 0).UTC()
)

// normal is the time as it is kept: of no place, and within bounds.
func normal(t time.Time) time.Time {
	switch t = t.Round(0).UTC(); {
	case t.Before(firstTime):
		return firstTime
	case t.After(lastTime):
		return lastTime
	}
	return t
}

// epoch is the zero of the scheduler's clock, to which zero means never. It can
// count 250 years from there; earlier and later times are all the same to it.
var epoch = time.Date(1900, 1, 1, 0, 0, 0, 0, time.UTC)

const span = 250 * 365 * 24 * time.Hour

// stamp is a time on the scheduler's clock.
func stamp(t time.Time) job.Time { return job.Time(min(max(t.Sub(epoch), 1), span)) }

// later is the later of two times.
func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
