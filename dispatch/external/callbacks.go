package external

import (
	"cmp"
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

// fresh is a task and when something was last heard of it, or asked.
type fresh struct {
	id dispatch.RequestID
	at time.Time
}

func (s *state) stalest(now time.Time) []string {
	var waits, run []fresh
	asked := make(map[dispatch.RequestID]time.Time, len(s.asked))
	s.Scheduler.Confirmed(func(id dispatch.RequestID, at time.Time, running bool) {
		f := fresh{id, at}
		if at, ok := s.asked[f.id]; ok && at.After(f.at) {
			f.at, asked[f.id] = at, at
		}
		if running {
			run = append(run, f)
		} else {
			waits = append(waits, f)
		}
	})
	s.asked = asked // those of tasks that are gone, or heard of since, are forgotten
	var list []string
	for _, f := range slices.Concat(stalest(waits, waitingPart, MaxNews/2), stalest(run, runningPart, MaxNews/2)) {
		s.asked[f.id] = now
		list = append(list, string(f.id))
	}
	return list
}

// stalest are the stalest of all, one part of them, at most so many.
func stalest(all []fresh, part, most int) []fresh {
	slices.SortFunc(all, func(a, b fresh) int { return cmp.Or(a.at.Compare(b.at), cmp.Compare(a.id, b.id)) })
	return all[:min((len(all)+part-1)/part, most)]
}
