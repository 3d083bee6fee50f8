package engine

import (
	"encoding/hex"

	"github.com/muster-queue/muster/job"
	"github.com/muster-queue/muster/queue"
	"github.com/muster-queue/muster/schedule"
	"github.com/muster-queue/muster/tally"
)

// This file notes what is decided about jobs: all of it in the numbers for metrics,
// and what concerns jobs of accounts that exist also in the log. With no account the
// log costs nothing.

// figures are a namespace's numbers since the process began. They outlive the
// unloading of the namespace; they belong to its writer.
type figures struct {
	tally.Counts
	// moves are the transitions of jobs by cause and by the state they led to.
	moves [queue.NumCauses][job.NumStates]int64
	// batches are commits by the number of commands they answered.
	batches tally.Histogram
	failed  int64
}

func newFigures() *figures {
	return &figures{batches: tally.NewHistogram(1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000)}
}

// count notes what a turn changed.
func (f *figures) count(events []queue.Event) {
	for i := range events {
		e := &events[i]
		f.moves[e.Cause][e.To]++
		if e.From == job.Absent && e.Cause == queue.CauseAdd {
			f.Enqueued++
		}
	}
}

// endOf is why an attempt ended, in one word: empty for a victim of a preemption,
// which was noted when that was decided, unassigned for one that never began.
func endOf(a *job.Attempt) string {
	reason := a.Result.Reason
	switch {
	case a.Outcome == job.OutcomePreempted || reason == job.ReasonPreempted:
		return ""
	case a.Outcome == job.OutcomeWithdrawn:
		return unassigned
	case reason != job.ReasonNone && (a.Outcome == job.OutcomeReleased || a.Outcome == job.OutcomeBuried):
		return reason.Word()
	}
	return a.Outcome.String()
}

const unassigned = "unassigned"

// payerOf is the account that pays for a run and exists.
func (w *writer) payerOf(seq job.Seq) (string, schedule.Charge) {
	if len(w.ledger.accounts) == 0 {
		return "", schedule.Charge{}
	}
	c, held := w.sched.Charge(seq)
	if !held || w.ledger.accounts[c.Account] == nil {
		return "", c
	}
	return c.Account, c
}

// assigned notes a job that was given to a worker.
func (w *writer) assigned(p *schedule.Placement) {
	shape, _ := w.state.Shape(p.Shape)
	worker, _ := w.state.Worker(p.Worker)
	provision := len(shape.Prefer) > 0 && !shape.Prefer.SubsetOf(worker.Labels)
	claim, preempting := w.ledger.claims[p.Seq]
	w.figures.Assign(preempting, provision)
	payer, _ := w.payerOf(p.Seq)
	if payer == "" {
		return
	}
	details := map[string]string{"priority": p.Level.Word(), "account_balance": w.balanceOf(payer)}
	if provision {
		details["provision_required"] = "true"
	}
	if preempting {
		details["preempting"], details["preempted_task"] = "true", w.task(claim.victim)
		details["preemption_cost"] = job.Quota(claim.price).String()
	}
	w.recordTask(job.EventAssigned, payer, p.Seq, worker.Name, details)
}

// chosen notes a victim that is stopped so that another job gets its place.
func (w *writer) chosen(p *schedule.Preemption) {
	w.figures.Preempted++
	payer, _ := w.payerOf(p.Victim)
	by, _ := w.payerOf(p.Seq)
	if payer == "" && by == "" {
		return
	}
	worker, _ := w.state.Worker(p.Worker)
	w.recordTask(job.EventPreempted, payer, p.Victim, worker.Name, map[string]string{
		"priority": p.Was.Word(), "cost": job.Quota(p.Cost).String(),
		"preempting_priority": p.Level.Word(), "preempting_account": by, "preempting_task": w.task(p.Seq),
	})
}

// noteMove notes a run that changed its level.
func (w *writer) noteMove(m *schedule.Move) {
	w.figures.Reprioritized++
	payer, _ := w.payerOf(m.Seq)
	if payer == "" {
		return
	}
	l, _ := w.state.BySeq(m.Seq)
	worker, _ := w.state.Worker(l.Worker)
	w.recordTask(job.EventReprioritized, payer, m.Seq, worker.Name, map[string]string{
		"old": m.From.Word(), "new": m.To.Word(), "cost": job.Quota(m.Cost).String(), "account_balance": w.balanceOf(payer),
	})
}

// release is a run of an account that ended in this turn.
type release struct {
	payer  string
	task   string
	level  schedule.Level
	cost   job.Quota
	shape  job.ShapeID
	worker string
}

// released keeps what a run of an account has cost before the scheduler forgets it.
func (w *writer) released(f *queue.Feed) {
	payer, c := w.payerOf(f.Seq)
	if payer == "" {
		return
	}
	cost := c.Cost
	if c.Level < schedule.Free {
		cost[c.Level] += c.Share * max(0, w.state.Now().Sub(c.At).Seconds())
	}
	if w.releases == nil {
		w.releases = map[job.Seq][]release{}
	}
	worker, _ := w.state.Worker(f.Worker)
	w.releases[f.Seq] = append(w.releases[f.Seq], release{payer, taskText(w.ledger.rows[f.Seq].id), c.Level, job.Quota(cost), f.Shape, worker.Name})
}

// ended notes the attempts that ended in this turn since the last call, and what was
// paid for them.
func (w *writer) ended() {
	rows := w.state.Ended()[w.noted:]
	w.noted += len(rows)
	for i := range rows {
		why := endOf(&rows[i].Attempt)
		switch why {
		case "":
		case unassigned:
			w.figures.Unassigned++
		default:
			w.figures.Complete(why)
		}
		if list := w.releases[rows[i].Seq]; len(list) > 0 {
			w.notePaid(&list[0], why)
			w.releases[rows[i].Seq] = list[1:]
		}
	}
	clear(w.releases)
}

// notePaid notes what a run cost. What a victim had cost was given back.
func (w *writer) notePaid(r *release, why string) {
	if why == "" {
		return
	}
	shape, _ := w.state.Shape(r.shape)
	w.figures.Spend(r.payer, shape.Labels, r.cost)
	kind, details := job.EventCompleted, map[string]string{"cost": r.cost.String()}
	if why == unassigned {
		kind = job.EventUnassigned
	} else {
		details["reason"], details["priority"] = why, r.level.Word()
	}
	w.record(job.EventRow{Kind: kind, Account: r.payer, Task: r.task, Worker: r.worker, Details: details})
}

func (w *writer) recordTask(kind, account string, seq job.Seq, worker string, details map[string]string) {
	w.record(job.EventRow{Kind: kind, Account: account, Task: w.task(seq), Worker: worker, Details: details})
}

// task is a job as the log names it.
func (w *writer) task(seq job.Seq) string {
	l, _ := w.state.BySeq(seq)
	return taskText(l.Digest)
}

// taskText is a job's id, as people see it.
func taskText(id job.Digest) string { return hex.EncodeToString(id[:]) }

func (w *writer) balanceOf(account string) string {
	return job.Quota(w.sched.Balance(account, w.state.Now())).String()
}
