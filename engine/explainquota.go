package engine

import (
	"fmt"
	"time"

	"github.com/muster-queue/muster/job"
	"github.com/muster-queue/muster/schedule"
)

// paid says who pays for a run, where accounts share.
func (w *writer) paid(l *job.Live) string {
	payer, c := w.charge(l.Seq)
	if payer == "" {
		return ""
	}
	return fmt.Sprintf(", %s for account %q", c.Level, payer)
}

// explainStop says why a held job is being stopped, if it is.
func (w *writer) explainStop(e *explaining, l *job.Live) {
	const later = "it is tried again at its old place, at no cost in retries"
	switch l.Mark {
	case job.MarkCancelled:
		e.Summary = fmt.Sprintf("It is being stopped%s: it was cancelled.", w.on(l))
	case job.MarkPreempted:
		e.Summary = fmt.Sprintf("It is being stopped%s, so that a job of an account with better quota can run; %s.", w.on(l), later)
		by, ok := w.ledger.claimOn(l.Seq)
		if !ok {
			return
		}
		payer, c := w.charge(by)
		where := w.on(l)
		e.about(by, func(name string) {
			e.Summary = fmt.Sprintf("It is being stopped%s, since job %s of account %q takes its place, %s; %s.", where, name, payer, c.Level, later)
		})
	}
}

// claimOn is the job that was promised the place of a victim.
func (l *ledger) claimOn(victim job.Seq) (job.Seq, bool) {
	for seq, c := range l.claims {
		if c.victim == victim {
			return seq, true
		}
	}
	return 0, false
}

// explainClaim says what a ready job waits for that was promised another one's place.
func (w *writer) explainClaim(e *explaining, x *schedule.Explanation) {
	victim, _ := w.state.BySeq(x.Victim)
	where, latest, word, account, level := w.on(&victim), w.state.Latest(x.Victim), x.Cause.String(), x.Account, x.Level
	e.about(x.Victim, func(name string) {
		e.add(word, latest, "Job %s is being stopped for it%s; should its agent fall silent, it is over by %s UTC. Then account %q runs this one there, %s.",
			name, where, latest.Std().Format(time.DateTime), account, level)
	})
}
