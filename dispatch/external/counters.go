package external

import (
	"github.com/muster-queue/muster/dispatch"
	"github.com/muster-queue/muster/job"
	"github.com/muster-queue/muster/tally"
)

// Counters are how often things happened in a pool since the server started. What
// preempted tasks had cost was given back, and is not in what was spent.
type Counters struct {
	tally.Counts
	// Batches are by whether they could be stored, Operations what was in them.
	Batches, FailedBatches, Operations int64
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
		c = &Counters{}
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
	o.Counts = c.Counts.Clone()
	return o
}

// count counts an event.
func (c *Counters) count(e *dispatch.Event) {
	switch e.Kind {
	case dispatch.Enqueued:
		c.Enqueued++
	case dispatch.Completed:
		c.Complete(e.Reason.String())
		if e.AccountValid {
			c.Spend(string(e.AccountID), e.BaseLabels, job.Quota(e.Cost))
		}
	case dispatch.Assigned:
		c.Assign(e.Preempting, e.ProvisionRequired)
	case dispatch.Preempted:
		c.Preempted++
	case dispatch.Reprioritized:
		c.Reprioritized++
	case dispatch.Unassigned:
		c.Unassigned++
	}
}
