package simulate

import (
	"time"

	"github.com/muster-queue/muster/job"
	"github.com/muster-queue/muster/schedule"
)

// EventKind is what happened to a job.
type EventKind uint8

// What happens to jobs.
const (
	// Arrived: it is ready.
	Arrived EventKind = iota
	// Started: a worker begins to run it.
	Started
	// Moved: its run is now at another level.
	Moved
	// Preempted: its run is to end, for another job.
	Preempted
	// Ended: its run came to nothing; the job waits again.
	Ended
	// Completed: it is done.
	Completed
)

// String is the word.
func (k EventKind) String() string {
	return [...]string{"arrived", "started", "moved", "preempted", "ended", "completed"}[k]
}

// Event is something that happened to a job.
type Event struct {
	At   time.Duration
	Kind EventKind
	// Seq numbers jobs in the order of their arrival, from one; N those of a stream.
	Seq             job.Seq
	Stream, Account string
	// Worker, by group and number in it from one, and Level, of a run; Was is the
	// level before a move.
	Worker     string
	Number     int
	Level, Was schedule.Level
	// By is the job that a preempted one makes room for.
	By        job.Seq
	ByAccount string
}

func (s *simulator) trace(t *task, kind EventKind, e Event) {
	if s.Trace == nil {
		return
	}
	o := &s.Jobs[t.stream]
	e.At, e.Kind, e.Seq, e.Stream, e.Account = s.now.Sub(begin), kind, t.seq, o.Name, o.Account
	if kind != Arrived {
		e.Level = t.level
		e.Worker, e.Number = s.workerName(t.worker)
	}
	s.Trace(e)
}

// workerName is the group of a worker and its number there.
func (s *simulator) workerName(id job.WorkerID) (group string, number int) {
	for i := range s.groups {
		if g := &s.groups[i]; id >= g.first && id < g.end {
			return s.Workers[i].Name, int(id-g.first) + 1
		}
	}
	return "", 0
}
