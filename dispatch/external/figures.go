package external

import (
	"cmp"
	"context"
	"maps"
	"slices"

	"github.com/muster-queue/muster/engine"
)

// Figures are a pool's numbers for metrics.
type Figures struct {
	Namespace, Pool string
	Counters
	// Loaded says that the pool is in memory, and so the rest is known.
	Loaded bool
	Info
	AccountStates []engine.AccountState
}

// Figures are those of all pools that were used since the server started, by
// namespace and name. They load none.
func (s *Scheduler) Figures(ctx context.Context) ([]Figures, error) {
	s.mu.Lock()
	var all []Figures
	for name, c := range s.counts {
		all = append(all, Figures{Namespace: name.namespace, Pool: name.name, Counters: c.clone(), Loaded: s.pools[name] != nil})
	}
	s.mu.Unlock()
	slices.SortFunc(all, func(a, b Figures) int {
		return cmp.Or(cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Pool, b.Pool))
	})
	for i := range all {
		f := &all[i]
		if !f.Loaded {
			continue
		}
		if _, err := ask(ctx, s, id{f.Namespace, f.Pool}, op{phase: look}, func(t *turn) (struct{}, error) {
			t.figures(f)
			return struct{}{}, nil
		}); err != nil {
			f.Loaded = false // deleted just now, or it cannot be read: its requests tell why
		}
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
	}
	return all, nil
}

func (t *turn) figures(f *Figures) {
	f.Info = t.state.info()
	names := slices.Sorted(maps.Keys(t.state.Scheduler.GetBalances()))
	for _, name := range names[:min(len(names), engine.MaxFigures)] {
		f.AccountStates = append(f.AccountStates, t.state.account(string(name)))
	}
}
