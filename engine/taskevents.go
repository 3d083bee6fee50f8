package engine

import (
	"cmp"
	"fmt"
	"strconv"

	"github.com/muster-queue/muster/job"
	"github.com/muster-queue/muster/queue"
	"github.com/muster-queue/muster/schedule"
)

// This file has what the log tells of jobs that an account pays for: what was
// decided about them, and that they ended. Without accounts it says nothing.

// recordGrant tells of a job that was given to a worker.
func (w *writer) recordGrant(p *schedule.Placement) {
	if len(w.ledger.accounts) == 0 {
		return
	}
	payer, c := w.charge(p.Seq)
	if payer == "" {
		return
	}
	run := w.paidRun(p.Seq, payer)
	details := map[string]string{"priority": levelText(p.Level)}
	if claim, ok := w.ledger.claims[p.Seq]; ok {
		details["preempting"], details["preempted_task"] = "true", w.taskOf(claim.victim)
		details["preemption_cost"] = job.Quota(claim.price).String()
	} else if c.Cost != (schedule.Balance{}) {
		details["cost"] = job.Quota(c.Cost).String()
	}
	w.recordTask(job.EventAssigned, run, details)
}

// recordMove tells of a run that is paid at another level.
func (w *writer) recordMove(m *schedule.Move) {
	if payer, _ := w.charge(m.Seq); payer != "" {
		w.recordTask(job.EventReprioritized, w.paidRun(m.Seq, payer), map[string]string{
			"old": levelText(m.From), "new": levelText(m.To), "cost": job.Quota(m.Cost).String(),
		})
	}
}

// recordPreemption tells of a run that is being stopped for another job; also when
// nobody pays for it, since somebody does for the other.
func (w *writer) recordPreemption(p *schedule.Preemption) {
	payer, _ := w.charge(p.Seq)
	was, _ := w.sched.Charge(p.Victim)
	w.recordTask(job.EventPreempted, w.paidRun(p.Victim, was.Account), map[string]string{
		"priority": levelText(p.Was), "cost": job.Quota(p.Cost).String(),
		"preempting_priority": levelText(p.Level), "preempting_account": payer, "preempting_task": w.taskOf(p.Seq),
	})
}

// recordEnds tells of the paid runs that ended in this turn.
func (w *writer) recordEnds() {
	events := w.state.Events()
	for i := range events {
		e := &events[i]
		run, ok := w.ledger.rows[e.Seq]
		if !ok || !e.From.Held() || e.To.Held() || e.Cause == queue.CauseModify {
			continue
		}
		reason := e.Reason.Word()
		switch e.To {
		case job.Complete:
			reason = e.To.String()
		case job.Absent:
			reason = "deleted"
		}
		w.recordTask(job.EventCompleted, run, map[string]string{"reason": cmp.Or(reason, "given back")})
	}
}

func (w *writer) recordTask(kind string, run paidRun, details map[string]string) {
	worker, _ := w.state.Worker(run.worker)
	w.record(job.EventRow{Kind: kind, Account: run.account, Task: taskText(run.id), Worker: worker.Name, Details: details})
}

func (w *writer) taskOf(seq job.Seq) string {
	l, _ := w.state.BySeq(seq)
	return taskText(l.Digest)
}

// taskText is a job's id, as people see it.
func taskText(id job.Digest) string { return fmt.Sprintf("%x", id[:]) }

func levelText(l schedule.Level) string { return strconv.Itoa(int(l)) }
