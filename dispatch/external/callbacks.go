package external

import (
	"context"
	"slices"
	"time"

	"github.com/muster-queue/muster/dispatch"
)

// How many of the tasks that wait, and of those that run, one call of Callbacks
// asks about: one of so many, and at most as many as fit into one notification.
const (
	waitingPart = 100
	runningPart = 20
)

// Callbacks are the tasks of a pool that their dispatcher should tell of again:
// the stalest 1 % of those that wait and 5 % of those that run, at least one of
// each. Stale is of what neither news came nor was asked for longest; that it was
// asked for is not stored.
func (s *Scheduler) Callbacks(ctx context.Context, namespace, pool string) ([]string, error) {
	return ask(ctx, s, id{namespace, pool}, op{phase: look}, func(t *turn) ([]string, error) {
		return t.state.stalest(t.now), nil
	})
}

func (s *state) stalest(now time.Time) []string {
	waits, runs := part(s.Scheduler.WaitingRequests(), waitingPart), part(s.Scheduler.RunningRequests(), runningPart)
	asked := make(map[dispatch.RequestID]time.Time, len(s.asked))
	s.Scheduler.Confirmed(func(id dispatch.RequestID, at time.Time, running bool) {
		if when, ok := s.asked[id]; ok && when.After(at) {
			at, asked[id] = when, when
		}
		if h := (heard{id: string(id), at: at}); running {
			runs.add(h)
		} else {
			waits.add(h)
		}
	})
	s.asked = asked // those of tasks that are gone, or heard of since, are forgotten
	var list []string
	for _, h := range slices.Concat(waits.sorted(), runs.sorted()) {
		s.asked[dispatch.RequestID(h.id)] = now
		list = append(list, h.id)
	}
	return list
}

// part gathers the stalest of so many, one of each so many, at most half of what fits
// into one notification.
func part(all, of int) *stalest { return &stalest{most: min((all+of-1)/of, MaxNews/2)} }
