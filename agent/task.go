package agent

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/muster-queue/muster/agent/run"
	"github.com/muster-queue/muster/api"
	v1 "github.com/muster-queue/muster/api/muster/v1"
	"github.com/muster-queue/muster/job"
)

// task is an attempt the agent has: waiting for room, running, or ended and not
// yet acknowledged by the server.
type task struct {
	grant *v1.Grant
	id    job.AttemptID
	job   *job.Job
	needs job.Resources
	lease time.Duration
	// end is when, on the clock since boot, the lease ends, in nanoseconds. The
	// desk changes it, the task's own goroutine reads it.
	end atomic.Int64

	came    time.Time
	started bool
	// overtaken is how many later tasks began while it waited for room.
	overtaken int
	stop      context.CancelCauseFunc // while it runs
	began     time.Time
}

// newTask reads a grant.
func newTask(g *v1.Grant) (*task, error) {
	t := &task{
		grant: g, id: job.AttemptID{Epoch: g.Epoch, N: g.N}, job: new(job.Job), needs: g.Needs,
		lease: time.Duration(g.Lease), came: time.Now(),
	}
	t.end.Store(g.Clock + g.Lease)
	if err := job.Decode(g.Encoded, t.job); err != nil {
		return nil, job.Wrap(err, "read the job of attempt", t.id.String())
	}
	if t.job.Command == nil {
		return nil, job.Errorf(job.Invalid, "attempt %s is of a job without a command", t.id)
	}
	return t, nil
}

// margin is what both sides keep between the end of a lease and what follows
// from it: the larger of 2 s and 1 %.
func margin(lease time.Duration) time.Duration {
	return max(2*time.Second, lease/100)
}

// until is when everything the task started must have ended.
func (t *task) until() time.Duration { return t.deadline() - margin(t.lease) }

// deadline is when the lease ends.
func (t *task) deadline() time.Duration { return time.Duration(t.end.Load()) }

// extend moves the deadline, but not back.
func (t *task) extend(to time.Duration) { t.end.Store(int64(max(t.deadline(), to))) }

// limit moves the deadline back if it is later.
func (t *task) limit(to time.Duration) { t.end.Store(int64(min(t.deadline(), to))) }

// expired reports whether the attempt may not begin any more at a time since boot.
func (t *task) expired(now time.Duration) bool { return now >= t.until() }

func (t *task) ref() *v1.HeldAttempt {
	return &v1.HeldAttempt{Epoch: t.grant.Epoch, N: t.grant.N, Seq: t.grant.Seq, Started: t.started}
}

// spec is the task for package run.
func (t *task) spec(started func(pid int)) run.Spec {
	return run.Spec{
		Attempt: t.id, Number: t.grant.Number, Queue: t.grant.Queue, Key: t.job.Key, Group: t.job.Group,
		Seq: job.Seq(t.grant.Seq), Account: t.job.Account,
		Command: t.job.Command, Needs: api.Limits(t.grant), Time: time.Duration(t.grant.Time),
		Until: t.until(), Started: started,
	}
}

// report is an empty report of the task.
func (t *task) report(action v1.Report_Action) *v1.Report {
	return &v1.Report{Epoch: t.grant.Epoch, N: t.grant.N, Seq: t.grant.Seq, Action: action}
}

// action is what a result means for the queue.
func action(r *job.Result) v1.Report_Action {
	switch {
	case r.Reason == job.ReasonNone:
		return v1.Report_complete
	case r.Reason.Final():
		return v1.Report_bury
	}
	return v1.Report_release
}
