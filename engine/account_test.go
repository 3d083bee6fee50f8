package engine

import (
	"errors"
	"reflect"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/muster-queue/muster/job"
	"github.com/muster-queue/muster/queue"
)

func TestAccounts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := setup(t, Config{})
		a := job.Account{
			Name: "lab", Description: "the lab", Rate: job.Quota{2, 1}, Window: time.Hour, MaxFanout: 3,
			LabelLimits: map[string]int{"model": 2}, NoFree: true,
		}
		got, err := b.ns.AddAccount(b.ctx, a, job.Quota{10}, "ann")
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(a, got.Account); d != "" || got.Balance != (job.Quota{10}) {
			t.Fatalf("%s %v", d, got.Balance)
		}
		if _, err := b.ns.AddAccount(b.ctx, a, job.Quota{}, "ann"); !job.IsKind(err, job.Exists) {
			t.Errorf("again: %v", err)
		}
		time.Sleep(10 * time.Second)
		if got, err = b.ns.Account(b.ctx, "lab"); err != nil || got.Balance != (job.Quota{30, 10}) {
			t.Errorf("after 10 s: %v, %v", got.Balance, err)
		}
		got, err = b.ns.ModifyAccount(b.ctx, "lab", func(a *job.Account) error {
			a.Rate, a.LabelLimits["model"] = job.Quota{1}, 5
			return nil
		}, "bob")
		if err != nil || got.Balance != (job.Quota{30, 10}) || got.LabelLimits["model"] != 5 {
			t.Errorf("modified: %+v, %v", got, err)
		}
		b.restart(t, 10*time.Second)
		if got, err = b.ns.Account(b.ctx, "lab"); err != nil || got.Balance != (job.Quota{40, 10}) {
			t.Errorf("after a restart: %v, %v", got.Balance, err) // what is above a cap is only spent
		}
		if got, err = b.ns.ResetAccount(b.ctx, "lab", "bob"); err != nil || got.Balance != (job.Quota{}) {
			t.Errorf("reset: %v, %v", got.Balance, err)
		}
		b.account(t, job.Account{Name: "a"})
		if list, err := b.ns.Accounts(b.ctx); err != nil || len(list) != 2 || list[0].Name != "a" || list[1].Name != "lab" {
			t.Errorf("%+v, %v", list, err)
		}
		if err := b.ns.RemoveAccount(b.ctx, "lab", "bob"); err != nil {
			t.Error(err)
		}
		b.restart(t, 0)
		if _, err := b.ns.Account(b.ctx, "lab"); !job.IsKind(err, job.NotFound) {
			t.Errorf("removed: %v", err)
		}
		want := []string{
			job.EventAccountRemoved, job.EventAccountAdded, job.EventAccountReset, job.EventAccountChanged, job.EventAccountAdded,
		}
		if d := cmp.Diff(want, b.log(t)); d != "" {
			t.Error(d)
		}
	})
}

func TestAccountsRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := setup(t, Config{})
		b.account(t, job.Account{Name: "a"})
		keep := func(*job.Account) error { return nil }
		boom := errors.New("boom")
		modify := func(edit func(*job.Account) error) error {
			_, err := b.ns.ModifyAccount(b.ctx, "a", edit, "")
			return err
		}
		_, bad := b.ns.AddAccount(b.ctx, job.Account{Name: "b", Rate: job.Quota{-1}}, job.Quota{}, "")
		_, missing := b.ns.ModifyAccount(b.ctx, "x", keep, "")
		_, noReset := b.ns.ResetAccount(b.ctx, "x", "")
		for name, c := range map[string]struct {
			err  error
			kind job.ErrorKind
		}{
			"a bad rate":    {bad, job.Invalid},
			"unknown":       {missing, job.NotFound},
			"unknown reset": {noReset, job.NotFound},
			"unknown gone":  {b.ns.RemoveAccount(b.ctx, "x", ""), job.NotFound},
			"renamed":       {modify(func(a *job.Account) error { a.Name = "b"; return nil }), job.Invalid},
			"a bad change":  {modify(func(a *job.Account) error { a.MaxFanout = -1; return nil }), job.Invalid},
		} {
			if !job.IsKind(c.err, c.kind) {
				t.Errorf("%s: %v", name, c.err)
			}
		}
		if err := modify(func(a *job.Account) error { a.NoFree = true; return boom }); !errors.Is(err, boom) {
			t.Error(err)
		}
		if a := b.accounts(t)["a"]; !reflect.DeepEqual(a.Account, job.Account{Name: "a"}) {
			t.Errorf("%+v", a)
		}
	})
}

// A repeat of a request gets the first one's answer, also after a restart.
func TestAccountRequestIDs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := setup(t, Config{})
		once := Once{Client: "c", RequestID: "1"}
		first, err := b.ns.AddAccount(b.ctx, job.Account{Name: "a", Rate: job.Quota{1}, Window: time.Hour}, job.Quota{7}, "", once)
		if err != nil {
			t.Fatal(err)
		}
		b.restart(t, time.Minute)
		again, err := b.ns.AddAccount(b.ctx, job.Account{Name: "a"}, job.Quota{}, "", once)
		if d := cmp.Diff(first, again); d != "" || err != nil {
			t.Errorf("%s, %v", d, err)
		}
	})
}

// A change of accounts that could not be stored did not happen.
func TestAccountOfAFailedCommit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := setup(t, Config{})
		b.account(t, job.Account{Name: "a"}, 5)
		b.store.failNext(errors.New("the disk is gone"))
		if _, err := b.ns.ResetAccount(b.ctx, "a", ""); !job.IsKind(err, job.Unavailable) {
			t.Fatal(err)
		}
		b.store.failNext(errors.New("the disk is gone"))
		if _, err := b.ns.AddAccount(b.ctx, job.Account{Name: "b"}, job.Quota{}, ""); !job.IsKind(err, job.Unavailable) {
			t.Fatal(err)
		}
		all := b.accounts(t)
		if len(all) != 1 || all["a"].Balance != (job.Quota{5}) {
			t.Errorf("%+v", all)
		}
	})
}

// What runs is paid for through a restart, and by the time in which there was no
// server; nobody gets quota for nothing, and nothing is taken away.
func TestBalancesOverARestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := setup(t, Config{})
		b.account(t, job.Account{Name: "a", Rate: job.Quota{0.25}, Window: time.Hour}, 100)
		b.account(t, job.Account{Name: "b", Rate: job.Quota{0, 1}, Window: time.Hour})
		b.add(t, commands("a", 2)...)
		st := b.station(t, "w", 4)
		if len(st.runs) != 2 {
			t.Fatalf("runs %v", st.runs)
		}
		st.live(20 * time.Second)
		check := func(when string, a, bb job.Quota) {
			t.Helper()
			all := b.accounts(t)
			if all["a"].Balance != a || all["b"].Balance != bb {
				t.Errorf("%s: %v and %v, want %v and %v", when, all["a"].Balance, all["b"].Balance, a, bb)
			}
		}
		// Two jobs take half of the worker, a gains a quarter of one.
		check("after 20 s", job.Quota{95}, job.Quota{0, 20})
		b.restart(t, 20*time.Second)
		check("after a restart", job.Quota{90}, job.Quota{0, 40})
		st.attach(4)
		if a := b.accounts(t)["a"]; a.Running[0] != 2 || a.Workers[0] != 0.5 {
			t.Errorf("a runs %v on %v", a.Running, a.Workers)
		}
		st.completes("a0")
		st.live(20 * time.Second)
		check("after one ended", job.Quota{90}, job.Quota{0, 60})
		b.restart(t, 20*time.Second)
		check("after another restart", job.Quota{90}, job.Quota{0, 80})
		st.attach(4)
		st.completes("a1")
		check("at the end", job.Quota{90}, job.Quota{0, 80})
		b.restart(t, 20*time.Second)
		check("with nothing running", job.Quota{95}, job.Quota{0, 100})
		if n := len(b.charges(t)); n > 0 {
			t.Errorf("%d charges are stored when nothing runs", n)
		}
	})
}

// charges are the rows in the store.
func (b *bench) charges(t *testing.T) []job.ChargeRow {
	t.Helper()
	l := &loader{State: newState()}
	if err := b.ns.store.Load(b.ctx, l); err != nil {
		t.Fatal(err)
	}
	return l.charges
}

func newState() *queue.State { return queue.New(queue.Config{}) }
