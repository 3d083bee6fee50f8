package queue

import (
	"slices"
	"time"

	"github.com/muster-queue/muster/job"
)

// How is what a worker wants an ended attempt to mean.
type How uint8

// The ways to report an end.
const (
	// Completed: the job is done.
	Completed How = iota + 1
	// Released: given back, to be tried again if the budget allows; costs
	// nothing when it never started.
	Released
	// Failed: buried, whatever the budget.
	Failed
)

// End is a worker's report that an attempt ended.
type End struct {
	Ref
	How    How
	Result job.Result
	// Delay, when set, takes the place of the back-off of a Released attempt.
	Delay *time.Duration
	// StartedAt and EndedAt are by the worker's account in engine time; zero
	// means as far as the server knows, and now.
	StartedAt, EndedAt job.Time
	// Data is the attempt's own document (pulling workers).
	Data []byte
	// Remove deletes the job if the report buries it, unless others wait for it.
	Remove bool
}

// Ended answers a report. A repeated report gets the same answer.
type Ended struct {
	// State the report led to.
	State job.State
	// Due is when a Delayed job becomes ready.
	Due job.Time
	// Repeated: the report had been accepted before; nothing changed.
	Repeated bool
}

// End is a worker's report. Errors: job.ErrNoJob (not live: look in history, the
// same attempt there means a repeat), job.ErrLostLease, Invalid.
func (s *State) End(e *End) (Ended, error) {
	slot := s.bySeq.find(e.Seq)
	if slot == 0 {
		return Ended{}, job.ErrNoJob
	}
	r := s.recs.at(slot)
	if r.try == 0 || s.tries.at(r.try).attempt() != e.Attempt {
		return Ended{}, job.ErrLostLease
	}
	if err := e.check(r); err != nil {
		return Ended{}, err
	}
	t := s.tries.at(r.try)
	switch {
	case !r.state.Held():
		return s.late(slot, r, t, e)
	case r.mark == job.MarkDeleted || r.mark == job.MarkRevoked:
		s.lapse(slot, r, t, CauseStopped)
		return Ended{}, job.ErrLostLease
	}
	return s.finish(slot, r, t, e), nil
}

func (e *End) check(r *rec) error {
	if e.How < Completed || e.How > Failed {
		return job.Errorf(job.Invalid, "report on attempt %v: it says neither completed, released nor failed", e.Attempt)
	}
	if e.How == Completed && r.flags&job.FlagCommand != 0 && e.Result.ExitCode != 0 {
		return job.Errorf(job.Invalid, "report on attempt %v: a command that exited with %d is not complete", e.Attempt, e.Result.ExitCode)
	}
	return nil
}

// finish applies a report to the attempt that holds the job.
func (s *State) finish(slot uint32, r *rec, t *try, e *End) Ended {
	if w := s.workers.rows[t.worker]; !w.Agent { // an agent's reports may come from its spool
		s.hear(t.worker, w)
	}
	s.ran(r, t, e)
	v := s.judge(r, t, e)
	s.unhold(r, t)
	return s.apply(slot, r, t, e, v)
}

// ran notes a start that was never reported, and the reason and exit.
func (s *State) ran(r *rec, t *try, e *End) {
	if e.StartedAt != 0 {
		s.started(r, t, e.StartedAt)
	}
	t.exit = int32(e.Result.ExitCode)
	if e.How != Completed && e.Result.Reason == job.ReasonNone && t.started != 0 {
		e.Result.Reason = job.ReasonWorker
		if e.Result.Exited && e.Result.ExitCode != 0 {
			e.Result.Reason = job.ReasonExit
		}
	}
	if r.reason = e.Result.Reason; e.How == Completed {
		r.reason = job.ReasonNone
	}
}

// verdict is what a report leads to.
type verdict struct {
	to      job.State
	outcome job.Outcome
	cause   Cause
	delay   time.Duration
}

// judge decides what a report of the current attempt means. Completion counts
// whatever the mark; cancel beats every retry.
func (s *State) judge(r *rec, t *try, e *End) verdict {
	switch {
	case e.How == Completed:
		return verdict{to: job.Complete, outcome: job.OutcomeComplete, cause: CauseComplete}
	case r.mark == job.MarkCancelled:
		r.reason = job.ReasonCancelled
		return verdict{to: job.Buried, outcome: job.OutcomeCancelled, cause: CauseStopped}
	case r.mark == job.MarkPreempted:
		r.reason = job.ReasonPreempted
		return verdict{to: job.Ready, outcome: job.OutcomePreempted, cause: CauseStopped}
	case r.mark == job.MarkWithdrawn:
		return verdict{to: job.Ready, outcome: job.OutcomeWithdrawn, cause: CauseStopped}
	case e.How == Failed:
		return verdict{to: job.Buried, outcome: job.OutcomeBuried, cause: CauseFail}
	case t.started == 0:
		return s.judgeUnstarted(r, e)
	}
	return s.judgeFailure(r, t, e)
}

// judgeUnstarted: a release before start costs nothing. Where something went
// wrong, it is not tried again at once, unless it is a work unit.
func (s *State) judgeUnstarted(r *rec, e *End) verdict {
	v := verdict{to: job.Ready, outcome: job.OutcomeReleased, cause: CauseRelease}
	why, unit := e.Result.Reason, s.unit(r)
	switch {
	case why.Final() && !unit:
		v.to, v.outcome = job.Buried, job.OutcomeBuried
	case e.Delay != nil:
		v.delay = *e.Delay
	case why != job.ReasonNone && !why.Innocent() && !unit:
		v.delay = s.backoff(r, 0)
	}
	return v
}

// judgeFailure: a run that failed is charged to the budget of retries.
func (s *State) judgeFailure(r *rec, t *try, e *End) verdict {
	v := verdict{to: job.Ready, outcome: job.OutcomeReleased, cause: CauseRelease}
	if e.Delay != nil {
		v.delay = *e.Delay
	}
	if e.Result.Reason.Innocent() || s.unit(r) {
		return v
	}
	if s.estimated(t, e.Result.Reason) {
		return v // what it used beyond was not its submitter's word; the next try asks for more
	}
	t.failures++
	if e.Result.Reason.Final() || s.tooLong(r, t, e) || int64(t.failures) > s.retries(r) {
		v.to, v.outcome = job.Buried, job.OutcomeBuried
	} else if e.Delay == nil {
		v.delay = s.backoff(r, int(t.failures)-1)
	}
	return v
}

// tooLong: the job said that it is not worth another try after such a run.
func (s *State) tooLong(r *rec, t *try, e *End) bool {
	bound := s.shapes.rows[r.shape].NoRetryAfter
	if bound == 0 {
		return false
	}
	wall := e.Result.WallTime
	if wall == 0 {
		wall = s.endedAt(e).Sub(t.started)
	}
	return wall > bound
}

func (s *State) endedAt(e *End) job.Time {
	if e.EndedAt == 0 || e.EndedAt > s.now {
		return s.now
	}
	return e.EndedAt
}

func (s *State) retries(r *rec) int64 {
	switch q := &s.shapes.rows[r.shape].queue.Def; {
	case r.retries >= 0:
		return int64(r.retries)
	case q.Retries != nil:
		return int64(*q.Retries)
	}
	return int64(*s.cfg.Retries)
}

// backoff is the delay after failure number n, 0 for the first.
func (s *State) backoff(r *rec, n int) time.Duration {
	b := s.cfg.Backoff
	sh := s.shapes.rows[r.shape]
	switch {
	case sh.Backoff != nil:
		b = sh.Backoff
	case sh.queue.Def.Backoff != nil:
		b = sh.queue.Def.Backoff
	}
	return b.Delay(n, random(s.meta.Seed, r.seq, s.tries.at(r.try).number))
}

// random is in [0, 1) and always the same for the same attempt.
func random(seed uint64, seq job.Seq, number uint32) float64 {
	x := seed ^ uint64(seq)*0x9e3779b97f4a7c15 ^ uint64(number)*0xd1b54a32d192ed03
	for range 2 {
		x = (x ^ x>>31) * 0xbf58476d1ce4e5b9
	}
	return float64((x^x>>29)>>11) / (1 << 53)
}

// apply carries a verdict out on a job that is not held any more.
func (s *State) apply(slot uint32, r *rec, t *try, e *End, v verdict) Ended {
	t.outcome = v.outcome
	a := s.record(r, t, e)
	s.learn(slot, r, t, e, v)
	if v.to == job.Complete {
		s.complete(slot, r, v.cause, a)
		return Ended{State: job.Complete}
	}
	s.undelay(r)
	t.due = 0
	switch {
	case v.to != job.Ready:
	case r.state == job.Blocked: // a late report: it goes on when those it waits for have ended
		v.to, t.due = job.Blocked, s.dueIn(v.delay)
	default:
		v.to = s.line(slot, r, s.dueIn(v.delay))
	}
	if v.to != r.state {
		s.move(slot, r, v.to, v.cause)
	} else {
		s.touch(slot, r)
	}
	ended := Ended{State: v.to, Due: t.due}
	if v.to == job.Buried && e.Remove {
		s.remove(r.seq)
	}
	return ended
}

// remove deletes a job that a report has just buried, as its behaviours want. When
// it may not be deleted, its attempt's log says why.
func (s *State) remove(seq job.Seq) {
	if err := s.Delete(seq, false); err != nil {
		last := &s.turn.attempts[len(s.turn.attempts)-1]
		last.Result.Log = append(slices.Clip(last.Result.Log), "remove: the job stays: "+err.Error())
	}
}

// dueIn is when a delay from now is over; zero for none.
func (s *State) dueIn(d time.Duration) job.Time {
	if d <= 0 {
		return 0
	}
	return s.now.Add(d)
}

// record keeps the attempt that ended; the answer is valid until the next one.
func (s *State) record(r *rec, t *try, e *End) *job.Attempt {
	w, asked := s.workers.rows[t.worker], s.asks[t.ask]
	s.turn.attempts = append(s.turn.attempts, job.AttemptRow{Seq: r.seq, Attempt: job.Attempt{
		ID: t.attempt(), Number: t.number, Version: t.given, Worker: w.Name, Host: w.Host,
		Granted: t.granted.Std(), Started: t.started.Std(), Ended: s.endedAt(e).Std(),
		Outcome: t.outcome, Result: e.Result, Data: e.Data, Asked: asked.Needs, Time: asked.Time,
	}})
	if keep := s.shapes.rows[r.shape].queue.Def.KeepAttempts; keep > 0 && int64(t.number) > keep {
		s.turn.oldAttempts = append(s.turn.oldAttempts, job.AttemptRef{Seq: r.seq, Number: t.number - uint32(keep)})
	}
	return &s.turn.attempts[len(s.turn.attempts)-1].Attempt
}

// late is a report of the last attempt after it ended. One that was lost may
// still say what came of it, as long as nobody cancelled the job; anything else
// must be a repeat.
func (s *State) late(slot uint32, r *rec, t *try, e *End) (Ended, error) {
	if t.outcome != job.OutcomeLost {
		return s.repeat(r, t, e)
	}
	if r.state == job.Buried && r.reason == job.ReasonCancelled {
		return Ended{}, job.ErrLostLease
	}
	if r.reason == job.ReasonLost && t.started != 0 && t.losses > 0 {
		t.losses-- // it was not lost after all
	}
	r.mark = job.MarkNone
	s.ran(r, t, e)
	return s.apply(slot, r, t, e, s.judge(r, t, e)), nil
}

// repeat answers a report that was accepted before.
func (s *State) repeat(r *rec, t *try, e *End) (Ended, error) {
	again := Ended{Repeated: true, State: job.Ready}
	switch t.outcome {
	case job.OutcomeComplete:
		again.State = job.Complete
	case job.OutcomeBuried, job.OutcomeCancelled:
		again.State = job.Buried
	case job.OutcomeReleased:
		if again.Due = t.due; t.due != 0 {
			again.State = job.Delayed
		}
	case job.OutcomePreempted, job.OutcomeWithdrawn:
	default:
		return Ended{}, job.ErrLostLease
	}
	if (t.outcome == job.OutcomeComplete) != (e.How == Completed) ||
		t.outcome == job.OutcomeReleased && e.How != Released {
		return Ended{}, job.ErrLostLease
	}
	if r.state == job.Blocked && again.State != job.Complete {
		again.State = job.Blocked
	}
	return again, nil
}
