package engine

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"github.com/muster-queue/muster/job"
)

// TestSimulationWithAccounts is TestSimulation where accounts share the agents, jobs
// preempt others, and servers are killed in between. Beside what that proves, every
// commit is a moment at which the server could have been killed: after each, the
// quota that a load would come to is what it would have been before.
func TestSimulationWithAccounts(t *testing.T) {
	seeds := []uint64{*simSeed}
	if *simSeed == 0 {
		seeds = []uint64{rand.Uint64(), rand.Uint64(), rand.Uint64()}
	}
	accounts := []job.Account{
		{Name: "a", Rate: job.Quota{2, 1}, Window: time.Hour},
		{Name: "b", Rate: job.Quota{0, 2}, Window: 100 * time.Hour},
		{Name: "c", Rate: job.Quota{0.1}, Window: 10 * time.Hour, MaxFanout: 2},
	}
	for _, seed := range seeds {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { simulate(t, seed, accounts, nil) })
		})
	}
}

func (w *world) addAccounts(accounts []job.Account) {
	if accounts == nil {
		return
	}
	ctx := w.t.Context()
	w.payers = []string{""} // some jobs are nobody's
	books := &books{t: w.t, accounts: map[string]job.AccountRow{}, runs: map[job.Seq]job.ChargeRow{}}
	w.store.committed = books.check
	for _, a := range accounts {
		w.payers = append(w.payers, a.Name)
		if _, err := w.namespace(ctx).AddAccount(ctx, a, job.Quota{1000, 1000}, ""); err != nil {
			w.t.Fatal(err)
		}
	}
}

func (w *world) checkAccounts() {
	ctx := w.t.Context()
	all, err := w.namespace(ctx).Accounts(ctx)
	if err != nil {
		w.t.Fatal(err)
	}
	for _, a := range all {
		if a.Ready != 0 || a.Running != [job.QuotaLevels + 1]int64{} {
			w.t.Errorf("account %s has jobs left: %+v", a.Name, a)
		}
		for level, v := range a.Workers {
			if math.Abs(v) > 1e-9 {
				w.t.Errorf("account %s pays for %v workers at level %d", a.Name, v, level)
			}
		}
	}
	preempted, _, err := w.namespace(ctx).Events(ctx, EventsRequest{Kinds: []string{job.EventPreempted}, Limit: 1})
	if err != nil || len(preempted) == 0 {
		w.t.Errorf("nothing was preempted in all the time (%v)", err)
	}
}

// books are the accounts and charges as they are in the store, with a reckoning of
// balances that is not the scheduler's.
type books struct {
	t        testing.TB
	accounts map[string]job.AccountRow
	runs     map[job.Seq]job.ChargeRow
}

// check compares what there is in all, before and after a commit, at the time of the
// last of its rows. A preemption only moves quota between accounts, unless the victim
// or the other is nobody's. What was paid for a place may come back.
func (b *books) check(c *job.Changes) {
	at := b.latest(c)
	before := b.sum(at)
	most, least := before, before
	for _, row := range c.Charges {
		had := b.runs[row.Seq]
		if had.Victim != 0 && row.Victim != had.Victim {
			most = add(most, *had.Price, 1) // it may be given back
		}
		if row.Victim != 0 && row.Victim != had.Victim && !b.paid(row.Victim) {
			least = add(least, *row.Price, -1) // a victim that is nobody's has cost nothing
		}
	}
	added := len(b.accounts)
	b.apply(c)
	if len(b.accounts) != added {
		return
	}
	after := b.sum(at)
	for level := range after {
		if after[level] > most[level]+1e-3 || after[level] < least[level]-1e-3 {
			b.t.Errorf("at level %d there is %.3f after a commit, and was %.3f before (%+v)", level, after[level], before[level], c.Charges)
		}
	}
}

func (b *books) paid(seq job.Seq) bool { _, ok := b.runs[seq]; return ok }

func (b *books) latest(c *job.Changes) (at job.Time) {
	for _, row := range b.accounts {
		at = max(at, row.At)
	}
	for _, row := range c.Accounts {
		at = max(at, row.At)
	}
	for _, row := range c.Charges {
		at = max(at, row.At)
	}
	return at
}

func (b *books) apply(c *job.Changes) {
	for _, row := range c.Accounts {
		b.accounts[row.Name] = row
	}
	for _, row := range c.Charges {
		if b.runs[row.Seq] = row; row.Gone {
			delete(b.runs, row.Seq)
		}
	}
}

// sum is what all accounts have together at a time, by level.
func (b *books) sum(at job.Time) (sum job.Quota) {
	for name, row := range b.accounts {
		sum = add(sum, b.balance(name, &row, at), 1)
	}
	return sum
}

// balance is what a row is worth later: what is above the cap is only spent; below it
// quota is gained, too, but never beyond.
func (b *books) balance(name string, row *job.AccountRow, at job.Time) job.Quota {
	var spend job.Quota
	for _, run := range b.runs {
		if run.Account == name && run.Level < job.QuotaLevels {
			spend[run.Level] += run.Share
		}
	}
	v := row.Balance
	for level, rate := range row.Rate {
		passed, limit := at.Sub(row.At).Seconds(), rate*row.Window.Seconds()
		if v[level] > limit {
			until := passed // when it meets the cap
			if spend[level] > 0 {
				until = min(passed, (v[level]-limit)/spend[level])
			}
			v[level] -= until * spend[level]
			passed -= until
		}
		if passed > 0 {
			v[level] = min(limit, v[level]+passed*(rate-spend[level]))
		}
	}
	return v
}

func add(a, b job.Quota, factor float64) job.Quota {
	for level := range a {
		a[level] += factor * b[level]
	}
	return a
}
