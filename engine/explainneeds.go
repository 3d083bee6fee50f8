package engine

import (
	"fmt"
	"strings"

	"github.com/muster-queue/muster/job"
	"github.com/muster-queue/muster/learn"
)

// explainNeeds tells what a job that waits asks for, where that is not what it was
// given.
func (w *writer) explainNeeds(e *explaining, l *job.Live) {
	switch l.State {
	case job.Ready, job.Delayed, job.Blocked, job.Buried:
	default:
		return
	}
	ask := w.state.Asked(l.Shape)
	var words []string
	for i, source := range ask.Sources {
		r := learn.Resource(i)
		amount := "time " + ask.Time.String()
		if r != learn.Time {
			amount = r.String() + " " + job.ShowAmount(r.String(), ask.Needs[r.String()])
		}
		switch source {
		case learn.Learned:
			words = append(words, fmt.Sprintf("%s, learned from %d runs", amount, w.runsOf(l.Kind, r)))
		case learn.Raised:
			words = append(words, amount+", raised after an attempt was ended for too little")
		}
	}
	if len(words) == 0 {
		return
	}
	text := "It asks for " + strings.Join(words, "; ") + "."
	if e.after != "" {
		text = e.after + " " + text
	}
	e.after = text
}

// runsOf is how many runs of a kind were counted for a resource.
func (w *writer) runsOf(id job.KindID, r learn.Resource) uint64 {
	name, _ := w.state.Kind(id)
	i, _ := w.state.Learned(name)
	return i.Figures[r].Runs
}
