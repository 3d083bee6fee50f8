package engine

import (
	"cmp"
	"slices"
	"strings"

	"github.com/muster-queue/muster/job"
	"github.com/muster-queue/muster/schedule"
)

// shown is how many agents, and how many labels of each, are told of.
const shown = 3

// neighbour is an agent that does not have all labels of a job, or is closed.
type neighbour struct {
	name  string
	lacks job.Labels // those that it lacks
	other int        // for how many of these it has another value of the key
	has   job.Labels
}

// closest are the agents that come closest to having all the labels; none when
// none has one, nor another value of the same key.
func (w *writer) closest(labels job.Labels) []neighbour {
	var best []neighbour
	for id, s := range w.sessions {
		row, ok := w.state.Worker(id)
		if !ok {
			continue
		}
		n := neighbour{name: row.Name, lacks: labels.Without(row.Labels), has: row.Labels}
		for _, l := range n.lacks {
			if len(row.Labels.OfKey(job.LabelKey(l))) > 0 {
				n.other++
			}
		}
		if len(n.lacks) == 0 && !s.draining && !w.state.Drained(id) || len(n.lacks) == len(labels) && n.other == 0 {
			continue
		}
		if len(best) > 0 {
			switch c := n.compare(&best[0]); {
			case c > 0:
				continue
			case c < 0:
				best = best[:0]
			}
		}
		best = append(best, n)
	}
	slices.SortFunc(best, func(a, b neighbour) int { return cmp.Compare(a.name, b.name) })
	return best
}

// compare is less than zero for the one that is closer.
func (n *neighbour) compare(o *neighbour) int {
	return cmp.Or(cmp.Compare(len(n.lacks), len(o.lacks)), cmp.Compare(o.other, n.other))
}

// text is what stands between the agent and the job.
func (n *neighbour) text() string {
	if len(n.lacks) == 0 {
		return "has all its labels, but is draining"
	}
	var texts []string
	for _, l := range n.lacks[:min(shown, len(n.lacks))] {
		text := "lacks " + l
		if others := n.has.OfKey(job.LabelKey(l)); len(others) > 0 {
			text += " (has " + strings.Join(others[:min(shown, len(others))], ", ") + ")"
		}
		texts = append(texts, text)
	}
	return strings.Join(texts, " and ")
}

// explainLabels completes what the scheduler says with what is only known here: who
// comes closest, or what a worker that asks must have.
func (w *writer) explainLabels(e *explaining, l *job.Live, cause schedule.Cause) {
	shape, _ := w.state.Shape(l.Shape)
	switch {
	case len(shape.Labels) == 0:
	case cause == schedule.CausePull:
		e.add("label", 0, "that worker must have %s", strings.Join(shape.Labels[:min(shown, len(shape.Labels))], " and "))
	case cause == schedule.CauseLabel:
		best := w.closest(shape.Labels)
		for _, n := range best[:min(shown, len(best))] {
			e.add("closest", 0, "agent %s %s", n.name, n.text())
		}
		if more := len(best) - shown; more > 0 {
			e.add("closest", 0, "%s as close", job.Plural(more, "more agent"))
		}
	}
}
