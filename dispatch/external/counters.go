package external

import (
	"maps"

	"github.com/muster-queue/muster/dispatch"
)

// Counters are how often things happened in a pool since the server started.
type Counters struct {
	// Completed are tasks that were forgotten, by reason.
	Completed map[string]int64
	Enqueued  int64
	// Assigned are tasks given to workers.
	Assigned      map[AssignedAs]int64
	Preempted     int64
	Reprioritized int64
	Unassigned    int64
	// Spent is what tasks had cost their accounts when they ended, by account and
	// level, in worker-seconds; what preempted ones had cost was given back.
	Spent map[string]dispatch.Balance
	// Batches are by whether they could be stored, Operations what was in them.
	Batches, FailedBatches, Operations int64
}

// AssignedAs is how a task was assigned.
type AssignedAs struct{ Preempting, Provision bool }

func newCounters() *Counters {
	return &Counters{Completed: map[string]int64{}, Assigned: map[AssignedAs]int64{}, Spent: map[string]dispatch.Balance{}}
}

// counters are those of a pool.
func (s *Scheduler) counters(pool id) Counters {
	s.mu.Lock()
	defer s.mu.Unlock()
	if c := s.counts[pool]; c != nil {
		return c.clone()
	}
	return Counters{}
}

// count counts what the turn did, and forgets it.
func (t *turn) count(stored bool) {
	s := t.scheduler
	s.mu.Lock()
	defer s.mu.Unlock()
	if t.state == nil {
		if t.erase && stored {
			delete(s.counts, t.id)
		}
		return
	}
	c := s.counts[t.id]
	if c == nil {
		c = newCounters()
		s.counts[t.id] = c
	}
	if c.Operations += int64(len(t.ops)); !stored {
		c.FailedBatches++
		return
	}
	c.Batches++
	for i := range t.state.events {
		c.count(&t.state.events[i])
	}
	t.state.events = t.state.events[:0]
}

// clone is a copy.
func (c *Counters) clone() Counters {
	o := *c
	o.Completed, o.Assigned, o.Spent = maps.Clone(c.Completed), maps.Clone(c.Assigned), maps.Clone(c.Spent)
	return o
}

// count counts an event.
func (c *Counters) count(e *dispatch.Event) {
	switch e.Kind {
	case dispatch.Enqueued:
		c.Enqueued++
	case dispatch.Completed:
		c.Completed[e.Reason.String()]++
		if e.AccountValid {
			name := string(e.AccountID)
			c.Spent[name] = c.Spent[name].Add(e.Cost)
		}
	case dispatch.Assigned:
		c.Assigned[AssignedAs{e.Preempting, e.ProvisionRequired}]++
	case dispatch.Preempted:
		c.Preempted++
	case dispatch.Reprioritized:
		c.Reprioritized++
	case dispatch.Unassigned:
		c.Unassigned++
	}
}
