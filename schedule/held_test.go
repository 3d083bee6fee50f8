package schedule

import (
	"testing"
	"time"

	"github.com/muster-queue/muster/job"
)

// TestPayerStays: what is held is paid for by whom it was granted to, also when its
// shape is another account's by now.
func TestPayerStays(t *testing.T) {
	f := newFleet(t, Config{})
	f.account("old", Account{MaxFanout: 1}, 100)
	f.account("new", Account{MaxFanout: 1}, 100)
	f.worker("w", "")
	id := f.shape("new", "", "")
	f.s.Hold(Held{
		Seq: f.seq("r"), Shape: id, Worker: f.workerID("w"), Since: f.s.now,
		Charge: Charge{Account: "old", At: f.s.now, Share: 1},
	})
	f.wantBalance("old", 10, 90)
	f.wantBalance("new", 10, 100)
	if c, _ := f.s.Charge(f.seq("r")); c.Account != "old" {
		t.Errorf("%q pays", c.Account)
	}
	if u := f.s.Use("old"); u.Runs != [Levels + 1]int64{1} || u.Workers != [Levels + 1]float64{1} {
		t.Errorf("old uses %+v", u)
	}
	f.request("r2", "new", "", "") // its fan-out is not used up
	f.worker("w2", "")
	f.want(f.pass(10), given{"r2", "w2", 0})
	f.s.Release(f.seq("r"))
	if u := f.s.Use("old"); u != (Use{}) {
		t.Errorf("old uses %+v after the end", u)
	}
}

// TestLabelsComeLate: after a load, runs are known before what their workers offer.
func TestLabelsComeLate(t *testing.T) {
	f := newFleet(t, Config{})
	f.account("a", Account{LabelLimits: map[string]int{"model": 1}}, 100)
	f.run("r1", "a", "w1", 0)
	f.worker("w1", "model:eve")
	f.worker("w2", "model:eve")
	f.request("r2", "a", "", "")
	f.want(f.pass(0))
	f.worker("w1", "model:bob") // it is started anew with other labels
	f.want(f.pass(1), given{"r2", "w2", 0})
}

// TestUse: what is ready counts for the account of its shape, whatever becomes of it.
func TestUse(t *testing.T) {
	f := newFleet(t, Config{})
	ready := func(name string, want int64) {
		t.Helper()
		if got := f.s.Use(name).Ready; got != want {
			t.Errorf("%s has %d ready jobs, want %d", name, got, want)
		}
	}
	f.request("r1", "a", "", "")
	f.request("r2", "a", "", "")
	f.account("a", Account{}, 100)
	f.account("b", Account{}, 100)
	ready("a", 2)
	f.worker("w", "")
	f.want(f.pass(0), given{"r1", "w", 0})
	ready("a", 1)
	f.s.DefineShape(f.of["r2"], &job.Shape{Queue: 1, Command: true, Needs: oneSlot, Account: "b"})
	ready("a", 0)
	ready("b", 1)
	f.s.Remove(f.of["r2"], Item{Seq: f.seq("r2"), Place: uint64(f.seq("r2"))})
	ready("b", 0)
	f.request("r3", "a", "", "")
	f.s.DropShape(f.of["r2"])
	ready("b", 0)
}

// TestAboveTheCap: in how many steps a balance is reckoned does not matter, but where
// it is asked for.
func TestAboveTheCap(t *testing.T) {
	after := func(cfg Config, steps ...int) Balance {
		f := newFleet(t, cfg)
		f.account("a", Account{Rate: Balance{0.5}, Window: 20 * time.Second}, 12)
		f.run("r", "a", "w", 0)
		for _, second := range steps {
			f.s.Settle(at(second))
		}
		return f.s.Balances(at(5))[0].Balance
	}
	if once, often := after(Config{}), after(Config{}, 1, 2, 3, 4); once != often || once != (Balance{8.5}) {
		t.Errorf("%v in one step, %v in several", once, often)
	}
	if once, often := after(Config{Stepwise: true}), after(Config{Stepwise: true}, 1, 2, 3, 4); once != (Balance{9.5}) || often != (Balance{8.5}) {
		t.Errorf("by steps: %v in one, %v in several", once, often)
	}
}
