package schedule

import (
	"testing"
	"time"
)

// TestReload: a scheduler made again from what was stored, the values with their
// times and the runs with their charges, comes to the same balances and costs as
// one that went on, also when nobody was there for a while.
func TestReload(t *testing.T) {
	settings := map[string]Account{
		"a": {Rate: Balance{0.5, 1}, Window: 30 * time.Second},
		"b": {Rate: Balance{2}, Window: time.Hour},
	}
	begin := func() *fleet {
		f := newFleet(t, Config{})
		for name, a := range settings {
			f.s.SetAccount(name, a)
		}
		return f
	}
	f := begin()
	f.s.SetBalance("a", Balance{0, 100}, at(0))
	f.s.SetBalance("b", Balance{7}, at(0))
	f.worker("w1", "")
	f.worker("w2", "")
	f.request("r1", "a", "", "")
	f.request("r2", "b", "", "")
	f.want(f.pass(3), given{"r1", "w1", 0}, given{"r2", "w2", 0})

	again := newFleet(t, Config{})
	again.s = New(Config{MaxReservations: -1})
	for name, a := range settings {
		again.s.SetAccount(name, a)
	}
	for _, a := range f.s.Changed() {
		again.s.SetBalance(a.Name, a.Balance, a.At)
	}
	for i, name := range []string{"r1", "r2"} {
		c, held := f.s.Charge(f.seq(name))
		if !held {
			t.Fatalf("%s is not held", name)
		}
		id := again.shape([]string{"a", "b"}[i], "", "")
		again.s.Hold(Held{Seq: again.seq(name), Shape: id, Worker: again.workerID("w"), Charge: c})
	}
	for _, seconds := range []int{500, 501} {
		want := f.s.Balances(at(seconds))
		got := again.s.Balances(at(seconds))
		for i := range want {
			if got[i] != want[i] {
				t.Errorf("after %d s: %+v, want %+v", seconds, got[i], want[i])
			}
		}
		for _, name := range []string{"r1", "r2"} {
			x, _ := f.s.Charge(f.seq(name))
			if y, _ := again.s.Charge(again.seq(name)); x != y {
				t.Errorf("after %d s %s costs %+v, want %+v", seconds, name, y, x)
			}
		}
	}
	if len(f.s.Changed()) > 0 {
		t.Error("what was taken is to be stored again")
	}
}
