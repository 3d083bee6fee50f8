package dispatch

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// before is what stood before a pass.
type before struct {
	waiting  map[RequestID]TaskRequest
	workers  map[WorkerID]Worker
	balances map[AccountID]Balance
	accounts map[AccountID]*AccountConfig
	counts   map[limited]int
	preempt  bool
}

func (s *Scheduler) before() *before {
	cfg := s.Config()
	return &before{s.GetWaitingRequests(), s.GetWorkers(), s.GetBalances(), cfg.AccountConfigs, s.counts(), !cfg.DisablePreemption}
}

// limited is what accounts limit: paid runs of a group, or all runs with a label.
type limited struct {
	account AccountID
	label   bool
	what    string
}

func (s *Scheduler) counts() map[limited]int {
	n := map[limited]int{}
	for _, w := range s.GetWorkers() {
		if w.Running == nil {
			continue
		}
		r := &w.Running.Request
		if w.Running.Priority < FreeBucket {
			n[limited{r.AccountID, false, group(r)}]++
		}
		for _, l := range w.Labels {
			n[limited{r.AccountID, true, l}]++
		}
	}
	return n
}

// passKeeps has what a pass must keep to, from what was before and what it decided.
func passKeeps(t *rapid.T, b *before, s *Scheduler, all []Decision) {
	seen := map[string]bool{}
	for _, d := range all {
		r, waited := b.waiting[d.RequestID]
		w, known := b.workers[d.WorkerID]
		switch {
		case !waited || !known || !r.BaseLabels.SubsetOf(w.Labels):
			t.Fatalf("%+v: the task waited: %v, the worker is known: %v, with %v for %v", d, waited, known, w.Labels, r.BaseLabels)
		case seen["task "+string(d.RequestID)] || seen["worker "+string(d.WorkerID)]:
			t.Fatalf("%+v: decided twice", d)
		}
		seen["task "+string(d.RequestID)], seen["worker "+string(d.WorkerID)] = true, true
		b.level(t, &d, &r)
		b.place(t, &d, &r, &w)
	}
	b.limits(t, s)
}

// level: who pays has what to pay with, and free is only what may be.
func (b *before) level(t *rapid.T, d *Decision, r *TaskRequest) {
	if d.Priority < FreeBucket {
		if b.balances[r.AccountID][d.Priority] <= 0 {
			t.Fatalf("%+v: paid with %v", d, b.balances[r.AccountID])
		}
	} else if a := b.accounts[r.AccountID]; a != nil && a.DisableFreeTasks {
		t.Fatalf("%+v: it starts for free", d)
	}
}

// place: the worker was idle, or ran what gives way, of another account and at a worse
// level.
func (b *before) place(t *rapid.T, d *Decision, r *TaskRequest, w *Worker) {
	v := w.Running
	switch {
	case d.Type == AssignIdle && v == nil && d.TaskToAbort == "":
	case d.Type == AssignIdle || v == nil || v.Request.ID != d.TaskToAbort || !b.preempt:
		t.Fatalf("%+v: the worker ran %+v, preemption: %v", d, v, b.preempt)
	case v.Request.AccountID == r.AccountID:
		t.Fatalf("%+v: its own account gave way", d)
	}
}

// limits: no number grows beyond what its account allows.
func (b *before) limits(t *rapid.T, s *Scheduler) {
	for key, n := range s.counts() {
		a := b.accounts[key.account]
		if a == nil || n <= b.counts[key] {
			continue
		}
		limit, limited := a.MaxFanout, a.MaxFanout > 0
		if key.label {
			limit, limited = a.PerLabelTaskLimits["os"], strings.HasPrefix(key.what, "os:")
			_, there := a.PerLabelTaskLimits["os"]
			limited = limited && there
		}
		if limited && n > int(limit) {
			t.Fatalf("%+v: %d, over %d", key, n, limit)
		}
	}
}

// conserved: what is taken is given to somebody, as long as both have accounts.
func conserved(t *rapid.T, b *before, s *Scheduler, all []Decision) {
	sum := func(of map[AccountID]Balance) (total float64) {
		for _, v := range of {
			for _, x := range v {
				total += x
			}
		}
		return total
	}
	want := sum(b.balances)
	for _, d := range all {
		if d.Type == AssignPreempting {
			v := b.workers[d.WorkerID].Running
			if _, ok := b.balances[v.Request.AccountID]; !ok {
				for _, x := range v.Cost {
					want -= x // it goes to nobody
				}
			}
			w, _ := s.GetWorker(d.WorkerID)
			if w.Running.Cost != v.Cost {
				t.Fatalf("%+v: it begins with a cost of %v, for %v", d, w.Running.Cost, v.Cost)
			}
		}
	}
	if got := sum(s.GetBalances()); math.Abs(got-want) > 1e-6 {
		t.Fatalf("there was %v, is %v", want, got)
	}
}

// busyPass: no worker is idle while a task waits that it suits and that may start.
func (w *twin) busyPass(t *rapid.T) {
	for _, r := range w.m.tasks {
		a := w.m.accounts[r.AccountID]
		if r.worker != "" || a != nil && a.DisableFreeTasks && (a.level == FreeBucket || w.m.throttled(r)) {
			continue
		}
		if id := w.m.match(r, sweeps(r)); id != "" {
			t.Fatalf("worker %s is idle, and suits task %s", id, r.ID)
		}
	}
}

// TestSteps: time that passes in two steps is as good as in one, as long as no cap comes
// in between; it lifts nothing above its cap, and lowers nothing where nothing runs.
func TestSteps(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var runs []given
		for i := range rapid.IntRange(0, 4).Draw(t, "runs") {
			runs = append(runs, given{RequestID(fmt.Sprint("r", i)), "a", fmt.Sprint("w", i), Priority(rapid.IntRange(0, 5).Draw(t, "level")), nil})
		}
		var b, rate Balance
		for p := range b {
			b[p] = float64(rapid.IntRange(-2000, 2000).Draw(t, "balance")) / 4
			rate[p] = float64(rapid.IntRange(0, 8).Draw(t, "rate")) / 4
		}
		window := float64(rapid.SampledFrom([]int{0, 10, 100, 10_000_000}).Draw(t, "window"))
		start := func() *world {
			cfg := Config{AccountConfigs: only("a", rates(window, rate[:]...))}
			return loaded(t, 0, cfg, map[AccountID][]float64{"a": b[:]}, runs...)
		}
		one, two := start(), start()
		first, second := rapid.IntRange(0, 50).Draw(t, "first"), rapid.IntRange(0, 50).Draw(t, "second")
		two.s.UpdateTime(sec(first))
		two.s.UpdateTime(sec(first + second))
		one.s.UpdateTime(sec(first + second))
		if window == 10_000_000 {
			crossed := slices.ContainsFunc(rate[:], func(r float64) bool { return r == 0 })
			if d := gocmp.Diff(one.s.GetBalances(), two.s.GetBalances()); d != "" && !crossed {
				t.Fatalf("(-one step +two):\n%s", d)
			}
		}
		got := two.s.GetBalances()["a"]
		for p := range got {
			if got[p] > max(b[p], rate[p]*window) || len(runs) == 0 && got[p] < b[p] {
				t.Fatalf("at %d: from %v to %v, rate %v for %v s", p, b[p], got[p], rate[p], window)
			}
		}
	})
}

// TestSame: the same news in the same order give the same decisions.
func TestSame(t *testing.T) {
	var runs [][]Event
	for range 3 {
		w := newWorld(t, Config{})
		for i, id := range []AccountID{"a", "b", "c"} {
			w.account(id, AccountConfig{MaxFanout: 2}, 0, float64(i))
		}
		for i := range 200 {
			now := float64(i)
			w.tellWaiting(RequestID(fmt.Sprint("r", i)), AccountID(fmt.Sprint(string(rune('a'+i%4)))), []string{"", "x", "y"}[i%3], now)
			w.calls(now, fmt.Sprint("w", i%17), fmt.Sprint("v", i%13, " x"), fmt.Sprint("u", i%11, " y x"))
			w.tellAbsent(RequestID(fmt.Sprint("r", i/2)), now)
		}
		runs = append(runs, w.events.take())
	}
	for _, r := range runs[1:] {
		if d := gocmp.Diff(runs[0], r); d != "" {
			t.Fatalf("(-first +again):\n%s", d)
		}
	}
}
