package schedule

import (
	"testing"
	"time"
)

// TestSharedWithoutAccounts: where accounts matter though none is set, who wants
// more labels comes first, and the last account may go and come.
func TestSharedWithoutAccounts(t *testing.T) {
	f := newFleet(t, Config{Shared: true})
	f.worker("w", "x y")
	f.request("plain", "", "", "")
	f.request("choosy", "a", "x y", "")
	f.want(f.pass(0), given{"choosy", "w", Free})
	f.account("a", Account{}, 5)
	f.s.DropAccount("a")
	f.s.Release(f.seq("choosy"))
	f.want(f.pass(1), given{"plain", "w", Free})
}

// TestSettle: quota above the cap that is reckoned in steps is the same as by the
// rules, each step on its own.
func TestSettle(t *testing.T) {
	f := newFleet(t, Config{})
	f.account("a", Account{Rate: Balance{0.5}, Window: 20 * time.Second}, 12)
	f.run("r", "a", "w", 0)
	for second := range 5 {
		f.s.Settle(at(second + 1))
	}
	f.wantBalance("a", 5, 8.5)
}

// TestStanding: what a job would be if it started now.
func TestStanding(t *testing.T) {
	f := newFleet(t, Config{})
	f.account("a", Account{MaxFanout: 1}, 0, 1)
	f.account("poor", Account{NoFree: true})
	f.request("r", "a", "", "")
	f.request("p", "poor", "", "")
	f.worker("w", "")
	wants := func(name string, level Level, may bool) {
		t.Helper()
		if l, ok := f.s.Standing(f.of[name]); l != level || ok != may {
			t.Errorf("%s would start %s: %v, want %v: %v", name, l, ok, level, may)
		}
	}
	wants("r", 1, true)
	wants("p", Free, false)
	f.want(f.pass(0), given{"r", "w", 1})
	wants("r", Free, true)
	wants("nobody", Free, false)
}

// TestSetPreemption: forbidden and allowed again.
func TestSetPreemption(t *testing.T) {
	f := newFleet(t, Config{NoPreemption: true})
	f.account("a", Account{}, 100)
	f.worker("w", "")
	f.run("v", "", "w", Free)
	f.request("r", "a", "", "")
	f.pass(0)
	if n := len(f.s.Preemptions()); n > 0 {
		t.Fatalf("%d preemptions", n)
	}
	f.s.SetPreemption(true)
	f.pass(0)
	if n := len(f.s.Preemptions()); n != 1 {
		t.Fatalf("%d preemptions when allowed", n)
	}
}
