// Package tally counts what is decided about tasks, for a server's metrics: one
// Counts for a namespace's own jobs and one for each pool of an external scheduler.
// Packages engine and dispatch/external count, package server shows it.
package tally

import (
	"maps"

	"github.com/muster-queue/muster/job"
)

// Counts are numbers that only grow, from the start of the process. They belong to
// one goroutine; others get a Clone. The zero value has counted nothing.
type Counts struct {
	Enqueued, Preempted, Reprioritized, Unassigned int64
	Assigned                                       map[Assigned]int64
	// Completed is how many ended, by the reason.
	Completed map[string]int64
	// Spent and LabelSpent are what ended runs have cost, in worker-seconds.
	Spent      map[Spent]float64
	LabelSpent map[LabelSpent]float64

	accounts, labels map[string]struct{}
}

// Assigned is how a task was given to a worker.
type Assigned struct{ Preempting, ProvisionRequired bool }

// Spent is who paid, and at which level.
type Spent struct {
	Account string
	Level   int
}

// LabelSpent is for what label of a task was paid, and at which level.
type LabelSpent struct {
	Label string
	Level int
}

// Bounds of what is told apart; what comes after is counted as Other.
const (
	MaxAccounts = 1000
	MaxLabels   = 1000
	maxReasons  = 100
)

// Other stands for all accounts, labels or reasons that are too many.
const Other = "(other)"

// Assign counts a task that was given to a worker.
func (c *Counts) Assign(preempting, provisionRequired bool) {
	add(&c.Assigned, Assigned{preempting, provisionRequired}, 1)
}

// Complete counts a task that ended.
func (c *Counts) Complete(reason string) {
	if _, known := c.Completed[reason]; !known && len(c.Completed) >= maxReasons {
		reason = Other
	}
	add(&c.Completed, reason, 1)
}

// Spend counts what a run cost that ended, to an account that exists. The labels
// are those of the task.
func (c *Counts) Spend(account string, labels []string, cost job.Quota) {
	if cost == (job.Quota{}) {
		return
	}
	account = known(&c.accounts, account, MaxAccounts)
	for level, v := range cost {
		if v == 0 {
			continue
		}
		add(&c.Spent, Spent{account, level}, v)
		for _, l := range labels {
			add(&c.LabelSpent, LabelSpent{known(&c.labels, l, MaxLabels), level}, v)
		}
	}
}

// Clone is a copy, for another goroutine.
func (c *Counts) Clone() Counts {
	copied := *c
	copied.Assigned, copied.Completed = maps.Clone(c.Assigned), maps.Clone(c.Completed)
	copied.Spent, copied.LabelSpent = maps.Clone(c.Spent), maps.Clone(c.LabelSpent)
	copied.accounts, copied.labels = maps.Clone(c.accounts), maps.Clone(c.labels)
	return copied
}

// known is the name if it is one of the first that came, else Other.
func known(names *map[string]struct{}, name string, most int) string {
	if _, ok := (*names)[name]; ok {
		return name
	}
	if len(*names) >= most {
		return Other
	}
	if *names == nil {
		*names = map[string]struct{}{}
	}
	(*names)[name] = struct{}{}
	return name
}

func add[K comparable, V int64 | float64](m *map[K]V, k K, v V) {
	if *m == nil {
		*m = map[K]V{}
	}
	(*m)[k] += v
}
