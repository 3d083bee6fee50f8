package engine

import (
	"regexp"
	"testing"
	"testing/synctest"
	"time"

	"github.com/muster-queue/muster/job"
)

func (b *bench) wantWhy(t *testing.T, account string, i int, pattern string) *Explanation {
	t.Helper()
	j := commands(account, i+1)[i]
	j.Normalise()
	e, err := b.ns.Explain(b.ctx, JobID{Queue: j.Queue, Key: j.Key})
	if err != nil {
		t.Fatal(err)
	}
	if !regexp.MustCompile("(?s)^" + pattern + "$").MatchString(e.Summary) {
		t.Errorf("%s%d: %q does not match %q", account, i, e.Summary, pattern)
	}
	return e
}

// The story of a preemption, as both jobs tell it.
func TestExplainPreemption(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, st := rivals(t)
		poor0, rich0 := commands("poor", 1)[0], commands("rich", 1)[0]
		poor0.Normalise()
		rich0.Normalise()
		e := b.wantWhy(t, "rich", 0, `Job default/`+string(poor0.Key)+` is being stopped for it on w; should its agent fall silent, it is over by [-0-9]+ [:0-9]+ UTC. Then account "rich" runs this one there, at level 0\.`)
		if len(e.Obstacles) != 1 || e.Obstacles[0].Word != "preempting" || time.Until(e.Obstacles[0].Until) < time.Minute {
			t.Errorf("%+v", e.Obstacles)
		}
		b.wantWhy(t, "poor", 0, `It is being stopped on w, since job default/`+string(rich0.Key)+` of account "rich" takes its place, at level 0; it is tried again at its old place, at no cost in retries\.`)
		b.wantWhy(t, "poor", 1, `the only agent it could run on is busy.*`)
		st.ends("poor0")
		b.wantWhy(t, "poor", 0, `.* busy; account "poor" would run it at level 1\. It was preempted as attempt 1, and waits at its old place again, at no cost in retries\.`)
		st.look()
		b.wantWhy(t, "rich", 0, `It is running, for 0s, as attempt 1 on w, at level 0 for account "rich"\.`)
		if _, err := b.ns.Cancel(b.ctx, Selector{Filter: &Filter{States: []job.State{job.Running}}}); err != nil {
			t.Fatal(err)
		}
		b.wantWhy(t, "rich", 0, `It is being stopped on w: it was cancelled\.`)
	})
}

// Why jobs of an account wait.
func TestExplainAccounts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := setup(t, Config{})
		b.account(t, job.Account{Name: "broke", NoFree: true})
		b.account(t, job.Account{Name: "narrow", MaxFanout: 1, NoFree: true}, 100)
		b.account(t, job.Account{Name: "limited", LabelLimits: map[string]int{"model": 0}}, 100)
		b.add(t, commands("broke", 1)...)
		b.add(t, commands("narrow", 2)...)
		b.add(t, commands("limited", 1)...)
		b.add(t, commands("choosy", 1, func(j *job.Job) { j.Labels = job.Labels{"model:bob"} })...)
		st := b.station(t, "w", 8, "model:eve")
		st.live(5 * time.Second)
		b.wantWhy(t, "broke", 0, `account "broke" has no quota left, and does not run jobs for free(; \d+ jobs? (is|are) ahead of it)?`)
		b.wantWhy(t, "narrow", 1, `account "narrow" runs as many jobs that want the same labels as it may, and does not run jobs for free(; 1 job is ahead of it)?`)
		b.wantWhy(t, "limited", 0, `account "limited" runs as many jobs as it may on agents with the labels of those with room.*`)
		b.wantWhy(t, "choosy", 0, `no agent has the label model:bob.*`)
	})
}

// The account of a queue and of the namespace pay for jobs that name none, and a
// change of them reaches what waits, while what runs is paid for as before.
func TestDefaultAccounts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := setup(t, Config{})
		for _, name := range []string{"a", "b", "c"} {
			b.account(t, job.Account{Name: name, Window: time.Hour}, 1000)
		}
		uses := func(when string, want map[string][2]int64) {
			t.Helper()
			synctest.Wait()
			for name, a := range b.accounts(t) {
				if got := [2]int64{a.Running[0], a.Ready}; got != want[name] {
					t.Errorf("%s: %s has %d running and %d ready, want %v", when, name, got[0], got[1], want[name])
				}
			}
		}
		must := func(err error) {
			t.Helper()
			if err != nil {
				t.Fatal(err)
			}
		}
		must(b.ns.SetQueue(b.ctx, job.Queue{Name: "lab", Account: "b"}))
		b.add(t, commands("", 3)...)
		b.add(t, commands("", 2, func(j *job.Job) { j.Queue, j.Command.Line = "lab", "lab"+j.Command.Line })...)
		uses("without a default", map[string][2]int64{"b": {0, 2}})
		must(b.ns.SetDefaultAccount(b.ctx, "a", "ann"))
		uses("with one", map[string][2]int64{"a": {0, 3}, "b": {0, 2}})
		st := b.station(t, "w", 2)
		uses("running", map[string][2]int64{"a": {1, 2}, "b": {1, 1}})
		must(b.ns.SetDefaultAccount(b.ctx, "c", "ann"))
		must(b.ns.UpdateQueue(b.ctx, "lab", func(q *job.Queue) { q.Account = "" }))
		uses("with another", map[string][2]int64{"a": {1, 0}, "b": {1, 0}, "c": {0, 3}})
		st.live(10 * time.Second)
		b.wantBalances(t, map[string]job.Quota{"a": {995}, "b": {995}, "c": {1000}})
		b.restart(t, 0)
		if name, err := b.ns.DefaultAccount(b.ctx); name != "c" || err != nil {
			t.Errorf("%q, %v", name, err)
		}
		st.attach(2)
		uses("after a restart", map[string][2]int64{"a": {1, 0}, "b": {1, 0}, "c": {0, 3}})
		st.live(10 * time.Second)
		b.wantBalances(t, map[string]job.Quota{"a": {990}, "b": {990}, "c": {1000}})
		if err := b.ns.SetDefaultAccount(b.ctx, "a\x00", "ann"); !job.IsKind(err, job.Invalid) {
			t.Error(err)
		}
	})
}
