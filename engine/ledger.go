package engine

import (
	"maps"
	"slices"

	"github.com/muster-queue/muster/job"
	"github.com/muster-queue/muster/schedule"
)

// ledger is what a writer knows of who pays, beside the scheduler, which keeps the
// balances and what runs cost: the accounts as they were made, and what is stored.
//
// A turn stores an account's balance whenever it cannot be told from the one stored
// before, and what a run costs whenever that cannot be told from its row. Both are
// absolute values with the time they were true at, of one batch with the changes of
// the jobs. So a load comes to the same balances: engine time is what counts, also
// that in which there was no server; what ran on meanwhile has been paid for, and
// quota has been gained.
//
// As long as there is no account, nothing here costs anything.
type ledger struct {
	accounts map[string]*job.Account
	// gone are accounts that this turn removed.
	gone []string
	// rows are the runs that have a row in the store; dirty those that this turn may
	// have changed.
	rows  map[job.Seq]paidRun
	dirty map[job.Seq]struct{}
	// claims are the jobs that have been promised the place of another.
	claims map[job.Seq]claim
	// loaded are the rows that a load read, until it is over.
	loaded map[job.Seq]job.ChargeRow
}

// paidRun is a run that somebody pays for.
type paidRun struct {
	account string
	id      job.Digest
	worker  job.WorkerID
}

// idle reports whether there is nothing to keep.
func (l *ledger) idle() bool {
	return len(l.accounts) == 0 && len(l.rows) == 0 && len(l.gone) == 0
}

// touch notes that what a run costs may have changed.
func (l *ledger) touch(seq job.Seq) {
	if l.idle() {
		return
	}
	if l.dirty == nil {
		l.dirty = map[job.Seq]struct{}{}
	}
	l.dirty[seq] = struct{}{}
}

// removed notes that an account was removed, and what its runs cost with it.
func (l *ledger) removed(name string) {
	l.gone = append(l.gone, name)
	for seq, run := range l.rows {
		if run.account == name {
			l.touch(seq)
		}
	}
}

// takeLedger is what this turn changed of accounts and charges.
func (w *writer) takeLedger() (accounts []job.AccountRow, charges []job.ChargeRow) {
	l := &w.ledger
	if l.idle() {
		return nil, nil
	}
	for _, name := range l.gone {
		accounts = append(accounts, job.AccountRow{Account: job.Account{Name: name}, Gone: true})
	}
	l.gone = nil
	for _, a := range w.sched.Changed() {
		accounts = append(accounts, job.AccountRow{Account: *l.accounts[a.Name], Balance: job.Quota(a.Balance), At: a.At})
	}
	w.endClaims()
	for _, seq := range slices.Sorted(maps.Keys(l.dirty)) {
		if row, ok := w.chargeRow(seq); ok {
			charges = append(charges, row)
		}
	}
	clear(l.dirty)
	return accounts, charges
}

// chargeRow is what to store of what a run costs; false if nothing is.
func (w *writer) chargeRow(seq job.Seq) (job.ChargeRow, bool) {
	l := &w.ledger
	payer, c := w.charge(seq)
	if payer != "" {
		if l.rows == nil {
			l.rows = map[job.Seq]paidRun{}
		}
		l.rows[seq] = w.paidRun(seq, payer)
		row := job.ChargeRow{
			Seq: seq, Account: payer, Level: uint8(c.Level), Cost: job.Quota(c.Cost), At: c.At, Share: c.Share,
		}
		if claim, ok := l.claims[seq]; ok {
			price := job.Quota(claim.price)
			row.Victim, row.Worker, row.Price = claim.victim, claim.worker, &price
		}
		return row, true
	}
	_, stored := l.rows[seq]
	delete(l.rows, seq)
	return job.ChargeRow{Seq: seq, Gone: true}, stored
}

func (w *writer) paidRun(seq job.Seq, payer string) paidRun {
	l, _ := w.state.BySeq(seq)
	return paidRun{account: payer, id: l.Digest, worker: l.Worker}
}

// charge is what a run costs, and the account that pays; nobody does for one that
// is being stopped so that another takes its place.
func (w *writer) charge(seq job.Seq) (payer string, c schedule.Charge) {
	c, held := w.sched.Charge(seq)
	if !held || w.ledger.accounts[c.Account] == nil {
		return "", c
	}
	if l, ok := w.state.BySeq(seq); ok && l.Mark == job.MarkPreempted {
		return "", c
	}
	return c.Account, c
}

// loadLedger begins with the accounts that were stored. It comes before anything
// else that the scheduler is told, while its clock stands still.
func (w *writer) loadLedger(from *loader) {
	w.ledger = ledger{}
	w.ledger.load(from.charges)
	back := w.brokenClaims()
	for i := range from.accounts {
		row := &from.accounts[i]
		w.setAccount(&row.Account)
		w.sched.SetBalance(row.Name, schedule.Balance(row.Balance).Add(back[row.Name]), row.At)
	}
}

func (l *ledger) load(rows []job.ChargeRow) {
	if len(rows) == 0 {
		return
	}
	l.loaded, l.rows = make(map[job.Seq]job.ChargeRow, len(rows)), make(map[job.Seq]paidRun, len(rows))
	for _, row := range rows {
		l.loaded[row.Seq], l.rows[row.Seq] = row, paidRun{account: row.Account}
	}
}

// loadedLedger ends a load: rows of what does not run any more are to go.
func (w *writer) loadedLedger() {
	for seq, row := range w.ledger.loaded {
		w.ledger.rows[seq] = w.paidRun(seq, row.Account)
		if _, held := w.sched.Charge(seq); !held {
			w.ledger.touch(seq)
		}
	}
	w.ledger.loaded = nil
}

// charged is what a run cost when it was stored; nothing but while a load goes on.
func (l *ledger) charged(seq job.Seq) schedule.Charge {
	row, ok := l.loaded[seq]
	if !ok {
		return schedule.Charge{}
	}
	return schedule.Charge{
		Account: row.Account, Level: schedule.Level(row.Level), Cost: schedule.Balance(row.Cost), At: row.At, Share: row.Share,
	}
}

// latest is the last time that the records speak of.
func (l *loader) latest() job.Time {
	at := l.Meta().Clock
	for i := range l.accounts {
		at = max(at, l.accounts[i].At)
	}
	return at
}
