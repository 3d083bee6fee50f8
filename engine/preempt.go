package engine

import (
	"github.com/muster-queue/muster/job"
	"github.com/muster-queue/muster/queue"
	"github.com/muster-queue/muster/schedule"
)

// claim is what a job was promised that preempts another: its place, once that has
// ended. Until then the job is ready for everybody but the scheduler. The promise
// outlives a restart, as long as the victim is still being stopped; otherwise what
// was paid for the place is given back.
type claim struct {
	victim job.Seq
	worker job.WorkerID
	price  schedule.Balance
}

// preempt has victims stopped, at once, so that others get their places.
func (w *writer) preempt(list []schedule.Preemption) {
	for i := range list {
		p := &list[i]
		if err := w.state.Preempt(p.Victim); err != nil {
			w.log.Error("a job that was chosen as a victim cannot be preempted", "namespace", w.ns.name, "job", p.Victim, "err", err)
			w.sched.GiveBack(p.Seq)
			continue
		}
		w.ledger.claim(p.Seq, claim{victim: p.Victim, worker: p.Worker, price: p.Cost})
		w.ledger.touch(p.Victim)
		w.chosen(p)
	}
	w.feed()
}

func (l *ledger) claim(seq job.Seq, c claim) {
	if l.claims == nil {
		l.claims = map[job.Seq]claim{}
	}
	l.claims[seq] = c
	l.touch(seq)
}

// endClaims forgets promises that were kept, or came to nothing.
func (w *writer) endClaims() {
	for seq := range w.ledger.claims {
		l, ok := w.state.BySeq(seq)
		if _, held := w.sched.Charge(seq); !held || !ok || l.State != job.Ready {
			delete(w.ledger.claims, seq)
			w.ledger.touch(seq)
		}
	}
}

// giveBackClaims takes promises back while no job is placed: all of them when nothing
// is given out any more, else those whose place is free. Who waits pays, and would
// do so until something is given out again.
func (w *writer) giveBackClaims() {
	for seq, c := range w.ledger.claims {
		if l, ok := w.state.BySeq(c.victim); w.idle() || !ok || !l.State.Held() {
			w.sched.GiveBack(seq)
		}
	}
}

// stands reports whether the promise that was stored can still be kept.
func (w *writer) stands(row *job.ChargeRow) bool {
	victim, ok := w.state.BySeq(row.Victim)
	by, ready := w.state.BySeq(row.Seq)
	return ok && ready && by.State == job.Ready && !w.idle() &&
		victim.State.Held() && victim.Worker == row.Worker && victim.Mark == job.MarkPreempted
}

// brokenClaims ends the promises that a load finds broken, and tells what is given
// back for them by account.
func (w *writer) brokenClaims() map[string]schedule.Balance {
	back := map[string]schedule.Balance{}
	for seq, row := range w.ledger.loaded {
		if row.Victim == 0 || w.stands(&row) {
			continue
		}
		if row.Price != nil {
			back[row.Account] = back[row.Account].Add(schedule.Balance(*row.Price))
		}
		delete(w.ledger.loaded, seq)
		w.ledger.touch(seq)
	}
	return back
}

// loadReady puts a ready job where it was before a load: into the line, or before
// the place that it was promised.
func (w *writer) loadReady(f *queue.Feed) {
	row, ok := w.ledger.loaded[f.Seq]
	if !ok || row.Victim == 0 {
		w.sched.Push(f.Shape, item(f))
		return
	}
	held := schedule.Held{
		Seq: f.Seq, Shape: f.Shape, Worker: row.Worker, Since: w.state.Now(),
		Charge: w.ledger.charged(f.Seq), Victim: row.Victim, Item: item(f),
	}
	if row.Price != nil {
		held.Price = schedule.Balance(*row.Price)
	}
	w.sched.Hold(held)
	w.ledger.claim(f.Seq, claim{victim: row.Victim, worker: row.Worker, price: held.Price})
}
