package engine

import "github.com/muster-queue/muster/job"

// record puts an entry into the namespace's log, with this turn.
func (w *writer) record(e job.EventRow) {
	w.state.NumberEvent(&e)
	w.records = append(w.records, e)
}
