package emulate

import (
	"slices"
	"strings"

	"github.com/muster-queue/muster/job"
)

// indices are those of the job's array, in the order of adding.
func (s *Shown) indices() []int64 {
	b := s.Batch()
	a, err := ParseArray(b.Array, 0)
	if err != nil {
		return []int64{b.Index} // changed by hand: it is by itself
	}
	return a.Indices
}

// Elements are the numbers of all elements of the job's array; its own if it is none.
func (s *Shown) Elements() []uint64 {
	if !s.Element() {
		return []uint64{uint64(s.Seq)}
	}
	numbers := make([]uint64, len(s.indices()))
	for i := range numbers {
		numbers[i] = s.First() + uint64(i)
	}
	return numbers
}

// ElementAt is the number of the element of an index.
func (s *Shown) ElementAt(index int64) (number uint64, ok bool) {
	if !s.Element() {
		return 0, false
	}
	place := slices.Index(s.indices(), index)
	return s.First() + uint64(max(place, 0)), place >= 0
}

// Dependency is what waits for the job, for all of its array, or for one element.
func (s *Shown) Dependency(w *Wait) (d job.Dependency, ok bool) {
	d = job.Dependency{Condition: w.Condition}
	base, _, _ := strings.Cut(string(s.Job.Key), "_")
	switch {
	case w.Index != nil:
		if _, ok := s.ElementAt(*w.Index); !ok {
			return d, false
		}
		d.Queue, d.Key = s.Job.QueueName(), job.Key(base+"_"+Digits(*w.Index))
	case s.Element():
		d.Group, d.Static = base, true
	default:
		d.Queue, d.Key = s.Job.QueueName(), s.Job.Key
	}
	return d, true
}

// NoSuchJob is what is said of a dependency on a job that is not there.
func (s *Submission) NoSuchJob(w *Wait) string {
	switch {
	case s.Job.Command.Emulate == job.LSF && w.Number != 0:
		return Digits(w.Number) + ": No matching job found"
	case s.Job.Command.Emulate == job.LSF:
		return w.Name + ": No matching job found"
	}
	return "Batch job submission failed: Job dependency problem"
}
