package queue

import (
	"time"

	"github.com/muster-queue/muster/job"
)

// Pause stops grants until Resume; what runs goes on. It outlives a restart.
func (s *State) Pause() { s.meta.Paused = true }

// Resume ends a Pause.
func (s *State) Resume() { s.meta.Paused = false }

// Drain stops grants for good, as before a planned end; Drain(false) takes it
// back. It outlives a restart.
func (s *State) Drain(on bool) { s.meta.Draining = on }

// Progress is how many jobs are held, and the time until the slowest running one
// should have ended by its time bound (zero if none has one, or it is late).
func (s *State) Progress() (held int64, rest time.Duration) {
	for _, st := range []job.State{job.Reserved, job.Running, job.Lost} {
		held += s.counts[st]
	}
	if s.ends.n > 0 {
		rest = max(0, (-s.ends.first().at).Sub(s.now))
	}
	return held, rest
}

// Shift adds d to every lease: the server could not hear for that long.
func (s *State) Shift(d time.Duration) { s.deaf += max(0, d) }

// Hold extends all leases, durably, to at least until: the server is about to
// stop, and whoever holds a job may go on.
func (s *State) Hold(until job.Time) {
	if until <= s.now {
		return
	}
	s.meta.HoldUntil = max(s.meta.HoldUntil, until)
	for _, w := range s.workers.rows {
		if w == nil || w.held == 0 {
			continue
		}
		w.hold = max(w.hold, until)
		if w.Agent {
			continue
		}
		for i := w.first; i != 0; i = s.tries.at(i).next {
			t := s.tries.at(i)
			t.deadline = max(t.deadline, until.Add(-s.deaf))
		}
	}
}
