package queue

import (
	"math"

	"github.com/muster-queue/muster/job"
)

// Prioritise changes the priority of a live job, whatever its state. That in its
// description is that of its adding: what counts is the one in its record. Errors:
// job.ErrNoJob, Invalid.
func (s *State) Prioritise(seq job.Seq, priority float64) error {
	slot, r := s.find(seq)
	switch {
	case r == nil:
		return job.ErrNoJob
	case !finite(priority):
		return notFinite(priority)
	case r.priority == priority:
		return nil
	}
	s.unfeed(r)
	r.priority = priority
	s.refeed(r)
	s.event(r, r.state, r.state, CauseModify)
	s.touch(slot, r)
	return nil
}

// PrioritiseFinished changes the priority that a complete job will have when it
// runs again. Errors: as DeleteFinished; Invalid.
func (s *State) PrioritiseFinished(f *job.Finished, priority float64) error {
	switch {
	case !s.current(f):
		return job.ErrNoJob
	case !finite(priority):
		return notFinite(priority)
	case f.Priority == priority:
		return nil
	}
	amended := *f
	amended.Priority = priority
	s.turn.amended = append(s.turn.amended, amended)
	s.amendKey(f)
	s.amended++
	return nil
}

// Amended is how often a record in history was written anew since the load. One
// that was read before a change may be out of date though its job is as complete.
func (s *State) Amended() uint64 { return s.amended }

func finite(x float64) bool { return !math.IsNaN(x) && !math.IsInf(x, 0) }

func notFinite(x float64) error {
	return job.Errorf(job.Invalid, "priority: %v is not a finite number", x)
}
