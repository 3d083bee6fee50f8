package queue

import (
	"maps"
	"slices"

	"github.com/muster-queue/muster/job"
)

// maxLabels is how many labels the jobs that ask for them are counted of. Those that
// come while there are as many are not counted.
const maxLabels = 1000

// labelRow is a label that jobs ask for or prefer.
type labelRow struct {
	label  string
	shapes int
	counts job.Counts // of live jobs
}

// LabelCounts are the live jobs that ask for a label or prefer it.
type LabelCounts struct {
	Label  string
	Counts job.Counts
}

// Labels are the labels that jobs ask for, in their order, with the numbers of those
// jobs; they are at most a thousand.
func (s *State) Labels() []LabelCounts {
	list := make([]LabelCounts, 0, len(s.labels))
	for _, label := range slices.Sorted(maps.Keys(s.labels)) {
		list = append(list, LabelCounts{label, s.labels[label].counts})
	}
	return list
}

// addLabels has the jobs of a new shape counted by its labels.
func (s *State) addLabels(row *shapeRow) {
	for _, l := range row.Labels.With(row.Prefer).Sorted() {
		known := s.labels[l]
		if known == nil {
			if len(s.labels) >= maxLabels {
				continue
			}
			known = &labelRow{label: l}
			s.labels[l] = known
		}
		known.shapes++
		row.labels = append(row.labels, known)
	}
}

// dropLabels is the opposite of addLabels; the shape has no jobs any more.
func (s *State) dropLabels(row *shapeRow) {
	for _, l := range row.labels {
		if l.shapes--; l.shapes == 0 {
			delete(s.labels, l.label)
		}
	}
}

// VisitWorkers calls visit for each worker that is remembered, and tells how many
// jobs it holds and whether it has not been heard of for too long. What it is given
// must not be changed.
func (s *State) VisitWorkers(visit func(row *job.WorkerRow, held int, silent bool)) {
	for _, w := range s.workers.rows {
		if w != nil && w.ID != 0 && !w.Forgotten && !w.Left {
			visit(&w.WorkerRow, w.held, w.silent)
		}
	}
}
