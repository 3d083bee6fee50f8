package dispatch

import (
	"fmt"
	"testing"
)

// level is at which priority a request runs.
func (w *world) level(id RequestID) Priority {
	w.t.Helper()
	r := w.s.requests[id]
	if r == nil || r.worker == nil {
		w.t.Fatalf("task %s does not run", id)
	}
	_, priority := w.s.cost(r)
	return priority
}

func only(id AccountID, c *AccountConfig) map[AccountID]*AccountConfig {
	return map[AccountID]*AccountConfig{id: c}
}

// TestReprioritise has the cases 44 to 47.
func TestReprioritise(t *testing.T) {
	two := func(level Priority) *world {
		w := loaded(t, 0, Config{AccountConfigs: only("a", rates(2000, 1.1, 0.9))}, map[AccountID][]float64{"a": {-1200, 1200, 1200}},
			given{"r1", "a", "w1", level, []float64{0}}, given{"r2", "a", "w2", level, []float64{1}})
		w.want(w.pass())
		return w
	}
	for _, c := range []struct {
		name   string
		from   Priority
		r1, r2 Priority
		moved  RequestID
	}{{"44", 0, 1, 0, "r1"}, {"45", 2, 2, 1, "r2"}} {
		w := two(c.from)
		if a, b := w.level("r1"), w.level("r2"); a != c.r1 || b != c.r2 {
			t.Errorf("case %s: they run at %d and %d", c.name, a, b)
		}
		e := w.events.take()
		if len(e) != 1 || e[0].Kind != Reprioritized || e[0].RequestID != c.moved || e[0].OldPriority != c.from || e[0].NewPriority != 1 {
			t.Errorf("case %s: events %+v", c.name, e)
		}
	}
	for _, b := range []float64{599, -599} {
		w := loaded(t, 0, Config{AccountConfigs: only("a", rates(2000, 0.5, 3))}, map[AccountID][]float64{"a": {b, b}},
			given{"r1", "a", "w1", 0, nil}, given{"r2", "a", "w2", 2, nil})
		if w.pass(); w.level("r1") != 0 || w.level("r2") != 2 {
			t.Errorf("case 46, %v", b)
		}
	}
	w := loaded(t, 0, Config{AccountConfigs: only("a", rates(0))}, map[AccountID][]float64{"a": {0, 0, 0, 0, -700}}, given{"r", "a", "w", 4, nil})
	w.pass()
	w.s.UpdateTime(at(1000))
	if w.level("r") != FreeBucket {
		t.Errorf("case 47: it runs at %d", w.level("r"))
	}
	w.wantBalance("a", 0, 0, 0, 0, -700)
	if cost, _ := w.s.cost(w.s.requests["r"]); cost != (Balance{}) {
		t.Errorf("case 47: it costs %v", cost)
	}
}

// poor is the world of case 48: r3 of an account may preempt one of two runs at 1.
func poor(t *testing.T, cfg Config, account AccountID, balance float64) *world {
	cfg.AccountConfigs = map[AccountID]*AccountConfig{"a1": rates(300, 1, 1, 1), "a2": rates(0)}
	w := loaded(t, 0, cfg, map[AccountID][]float64{"a1": {300, 1}, "a2": {balance}},
		given{"r1", "a1", "w1", 1, []float64{0, 1}}, given{"r2", "a1", "w2", 1, nil})
	w.request("r3", account, "", "", 0)
	w.s.UpdateTime(at(1))
	return w
}

// TestPreempt has the cases 48 to 51.
func TestPreempt(t *testing.T) {
	w := poor(t, Config{}, "a2", 1)
	w.want(w.pass(), Decision{Type: AssignPreempting, WorkerID: "w2", RequestID: "r3", TaskToAbort: "r2"})
	w.wantOn("r2", "gone")
	for name, w := range map[string]*world{
		"49": poor(t, Config{}, "a2", 0), "50": poor(t, Config{}, "a1", 1), "51": poor(t, Config{DisablePreemption: true}, "a2", 1),
	} {
		if got := w.pass(); len(got) > 0 {
			t.Errorf("case %s: %+v", name, got)
		}
	}
	w = poor(t, Config{DisablePreemption: true}, "a2", 1)
	w.want(w.pass())
	w.s.SetDisablePreemption(false)
	if got := w.pass(); len(got) != 1 {
		t.Errorf("when it is allowed again: %+v", got)
	}
}

// TestRefund has the cases 52, 53 and 57.
func TestRefund(t *testing.T) {
	cfg := Config{AccountConfigs: map[AccountID]*AccountConfig{"a1": rates(0), "a2": rates(0), "a3": rates(0)}}
	w := loaded(t, 0, cfg, map[AccountID][]float64{"a1": {0, 1}, "a2": {2}, "a3": {20}}, given{"t1", "a1", "w", 1, []float64{0, 1}})
	w.request("t2", "a2", "", "", 0)
	w.want(w.pass(), Decision{Type: AssignPreempting, WorkerID: "w", RequestID: "t2", TaskToAbort: "t1"})
	w.wantBalance("a1", 0, 2)
	w.wantBalance("a2", 2, -1)
	w.wantOn("t1", "gone")
	w.same(0, w.s.WaitingRequests())
	cost, _ := w.s.cost(w.s.requests["t2"])
	w.same(Balance{0, 1}, cost)

	// What it had paid for the first one is part of what it gets back.
	w.s.UpdateTime(at(10))
	w.s.SetDisablePreemption(true)
	w.account("a2", AccountConfig{}, -700)
	w.pass()
	w.s.SetDisablePreemption(false)
	w.account("a2", AccountConfig{}, 0)
	w.request("t3", "a3", "", "", 10)
	w.want(w.pass(), Decision{Type: AssignPreempting, WorkerID: "w", RequestID: "t3", TaskToAbort: "t2"})
	w.wantBalance("a2", 10, 1)
	w.wantBalance("a3", 10, -1)

	w = loaded(t, 0, cfg, map[AccountID][]float64{"a1": {0, 0, 1}, "a2": {5}}, given{"t1", "a1", "w", 2, []float64{5}})
	w.request("t2", "a2", "", "", 0)
	w.want(w.pass())
	w.account("a2", AccountConfig{}, 5.5)
	w.same(1, len(w.pass()))
}

// TestPreemptOnce has the cases 54 to 56.
func TestPreemptOnce(t *testing.T) {
	cfg := Config{AccountConfigs: map[AccountID]*AccountConfig{"a": rates(0), "b": rates(0)}}
	w := loaded(t, 0, cfg, map[AccountID][]float64{"a": {1}, "b": {1}}, given{"free", "", "w", FreeBucket, nil})
	for i, account := range []AccountID{"a", "a", "b"} {
		w.request(RequestID(fmt.Sprint("r", i)), account, "", "", 0)
	}
	w.same(1, len(w.pass()))
	w.same(2, w.s.WaitingRequests())
	w.same(0, len(w.pass()))

	var runs []given
	for i := range 1000 {
		runs = append(runs, given{RequestID(fmt.Sprint("free", i)), "", fmt.Sprint("w", i), FreeBucket, nil})
	}
	w = loaded(t, 0, cfg, map[AccountID][]float64{"a": {1}, "b": {1}}, runs...)
	for i := range 1000 {
		w.request(RequestID(fmt.Sprint("r", i)), []AccountID{"a", "b"}[i%2], "", "", 0)
	}
	w.same(1000, len(w.pass()))
	w.same(1000, w.s.RunningRequests())
	w.same(0, w.s.WaitingRequests())
	for i := range 1000 {
		w.same(Priority(0), w.level(RequestID(fmt.Sprint("r", i))))
	}

	w = loaded(t, 0, Config{AccountConfigs: only("a", rates(1000, 1))}, map[AccountID][]float64{"a": {-1}}, given{"free", "", "w", FreeBucket, nil})
	w.request("r1", "a", "", "", 1)
	w.s.UpdateTime(at(1))
	w.want(w.pass())
	w.s.UpdateTime(at(50))
	w.wantBalance("a", 49)
	w.want(w.pass(), Decision{Type: AssignPreempting, WorkerID: "w", RequestID: "r1", TaskToAbort: "free"})
}

// TestPreemptEvents: both sides are told of, with balances and costs from before.
func TestPreemptEvents(t *testing.T) {
	w := poor(t, Config{}, "a2", 1)
	w.events.take()
	w.pass()
	all := w.events.take()
	if len(all) != 2 {
		t.Fatalf("%d events", len(all))
	}
	w.same(Event{
		Kind: Assigned, Time: at(1), RequestID: "r3", AccountID: "a2", AccountValid: true, AccountBalance: Balance{1}, WorkerID: "w2",
		Preempting: true, PreemptionCost: Balance{0, 1}, PreemptedTask: "r2",
	}, all[0])
	w.same(Event{
		Kind: Preempted, Time: at(1), RequestID: "r2", AccountID: "a1", AccountValid: true, AccountBalance: Balance{300, 0, 1},
		Cost: Balance{0, 1}, WorkerID: "w2", Priority: 1, PreemptingAccount: "a2", PreemptingTask: "r3",
	}, all[1])
}
