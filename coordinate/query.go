package coordinate

import (
	"slices"

	"github.com/muster-queue/muster/engine"
	"github.com/muster-queue/muster/job"
)

// WorkUnitQuery selects work units. All that is given must match; nothing given
// matches all.
type WorkUnitQuery struct {
	// Names, if not nil, are the units meant; those that are not there are skipped.
	Names []string
	// Statuses, if not nil, are those wanted. A delayed unit is not available.
	Statuses []WorkUnitStatus
	// PreviousName leaves out this name and smaller ones, unless it is empty.
	PreviousName string
	// Limit is the most, those with the smallest names; zero means no limit.
	Limit int
}

// selector is the query as the engine takes it.
func (q *WorkUnitQuery) selector(queue string) engine.UnitsSelector {
	s := engine.UnitsSelector{Queue: queue, States: statesOf(q.Statuses), Limit: max(0, q.Limit)}
	if q.Names != nil {
		s.Keys = keysOf(q.Names)
	}
	if q.PreviousName != "" {
		after := job.Key(q.PreviousName)
		s.After = &after
	}
	s.All = s.Keys == nil && s.States == nil && s.After == nil && s.Limit == 0
	return s
}

func keysOf(names []string) []job.Key {
	keys := make([]job.Key, len(names))
	for i, name := range names {
		keys[i] = job.Key(name)
	}
	return keys
}

// unitsPage is how many units are read at a time.
const unitsPage = 1000

// eachUnit goes through the units that match, without their data, in the order of
// their names.
func (s *workSpec) eachUnit(q WorkUnitQuery, do func(*engine.Unit)) error {
	if q.Names != nil {
		return s.eachNamed(q, do)
	}
	r := engine.UnitsRequest{Queue: s.name, States: statesOf(q.Statuses), Brief: true}
	if q.PreviousName != "" {
		after := job.Key(q.PreviousName)
		r.After = &after
	}
	for left := q.Limit; ; {
		if r.Limit = unitsPage; q.Limit > 0 {
			r.Limit = min(unitsPage, left)
		}
		page, err := s.Units(s.world.ctx, r)
		if err != nil {
			return err
		}
		for _, u := range page {
			do(u)
		}
		if left -= len(page); len(page) < r.Limit || q.Limit > 0 && left == 0 {
			return nil
		}
		r.After = &page[len(page)-1].Key
	}
}

// eachNamed goes through those of the units named that match.
func (s *workSpec) eachNamed(q WorkUnitQuery, do func(*engine.Unit)) error {
	names := slices.Compact(slices.Sorted(slices.Values(q.Names)))
	states := statesOf(q.Statuses)
	found := 0
	for part := range slices.Chunk(names, unitsPage) {
		page, err := s.Units(s.world.ctx, engine.UnitsRequest{Queue: s.name, Keys: keysOf(part), Brief: true})
		if err != nil {
			return err
		}
		for _, u := range page {
			switch {
			case u == nil || string(u.Key) <= q.PreviousName && q.PreviousName != "" || states != nil && !slices.Contains(states, u.State):
			case q.Limit > 0 && found == q.Limit:
				return nil
			default:
				found++
				do(u)
			}
		}
	}
	return nil
}
