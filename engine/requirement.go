package engine

import (
	"context"
	"time"

	"github.com/muster-queue/muster/job"
)

// Exactly is what a job needs, and how long it may run (zero: without bound), with
// what was learned about it.
type Exactly struct {
	Needs job.Resources
	Time  time.Duration
}

// Requirement is what ready commands of a queue that are alike would need: Exactly
// is for one of them, Jobs how many there are as far as the queue lets them run at
// once.
type Requirement struct {
	Queue  string
	Labels job.Labels
	Exactly
	Jobs int64
}

// MaxRequirements bounds what Requirements gives.
const MaxRequirements = 1000

// Requirements tells what the ready commands need, in the order in which they would
// be served, for whoever brings workers. It costs the writer one short turn,
// whatever the number of jobs.
func (n *Namespace) Requirements(ctx context.Context) ([]Requirement, error) {
	return peek(ctx, n, func(w *writer) []Requirement {
		if w.idle() {
			return nil
		}
		var list []Requirement
		for _, r := range w.sched.Requirements(MaxRequirements) {
			q, _ := w.state.Queue(r.Queue)
			list = append(list, Requirement{
				Queue: q.Name, Labels: r.Labels, Exactly: Exactly{Needs: r.Min, Time: r.Time}, Jobs: r.Jobs,
			})
		}
		return list
	})
}
