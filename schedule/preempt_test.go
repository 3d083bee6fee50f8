package schedule

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// wantPreempted compares the preemptions of the last pass.
func (f *fleet) wantPreempted(want ...Preemption) {
	f.t.Helper()
	got := slices.Clone(f.s.Preemptions())
	for i := range got {
		got[i].Shape = 0
	}
	if d := cmp.Diff(want, got); d != "" && len(want)+len(got) > 0 {
		f.t.Fatalf("preempted (-want +got):\n%s", d)
	}
}

// case48 is what several cases begin with.
func case48(t *testing.T, cfg Config, second Balance, account string) *fleet {
	f := newFleet(t, cfg)
	f.account("a1", Account{Rate: unit}, 300, 1)
	f.account("a2", Account{}, second[:]...)
	f.worker("w1", "")
	f.worker("w2", "")
	f.run("r1", "a1", "w1", 1, 0, 1)
	f.run("r2", "a1", "w2", 1, 0)
	f.request("r3", account, "", "")
	f.want(f.pass(1))
	return f
}

// TestPreempt has the cases 48 to 53.
func TestPreempt(t *testing.T) {
	f := case48(t, Config{}, Balance{1}, "a2")
	f.wantPreempted(Preemption{Worker: 2, Victim: 2, Seq: 3, Cost: Balance{0, 1}, Was: 1})
	case48(t, Config{}, Balance{0}, "a2").wantPreempted()
	case48(t, Config{}, Balance{1}, "a1").wantPreempted()
	case48(t, Config{NoPreemption: true}, Balance{1}, "a2").wantPreempted()

	f = newFleet(t, Config{})
	f.account("a1", Account{}, 1)
	f.account("a2", Account{}, 2)
	f.worker("w", "")
	f.run("t1", "a1", "w", 1, 1)
	f.request("t2", "a2", "", "")
	f.pass(0)
	f.wantPreempted(Preemption{Worker: 1, Victim: 1, Seq: 2, Cost: Balance{1}, Was: 1})
	f.wantBalance("a1", 0, 2)
	f.wantBalance("a2", 0, 1)
	if c, _ := f.s.Charge(f.seq("t2")); c.Cost != (Balance{1}) || c.Level != 0 || f.s.Ready() != 0 {
		t.Errorf("case 52: %+v", c)
	}

	f = newFleet(t, Config{})
	f.account("a1", Account{}, 1)
	f.account("a2", Account{}, 5)
	f.worker("w", "")
	f.run("t1", "a1", "w", 1, 5)
	f.request("t2", "a2", "", "")
	f.pass(0)
	f.wantPreempted()
}

// TestPreemptOnce has the cases 54 and 55.
func TestPreemptOnce(t *testing.T) {
	f := newFleet(t, Config{})
	f.account("a", Account{}, 1)
	f.account("b", Account{}, 1)
	f.worker("w", "")
	f.run("free", "", "w", Free)
	f.request("r1", "a", "", "")
	f.request("r2", "b", "", "")
	f.request("r3", "a", "", "")
	f.pass(0)
	if n := len(f.s.Preemptions()); n != 1 || f.s.Ready() != 2 {
		t.Errorf("case 54: %d preemptions, %d are ready", n, f.s.Ready())
	}

	f = newFleet(t, Config{})
	f.account("a", Account{}, 1)
	for i := range 1000 {
		f.worker("w"+string(rune(i+1000)), "")
		f.run("f"+string(rune(i+1000)), "", "w"+string(rune(i+1000)), Free)
		f.request("r"+string(rune(i+1000)), "a", "", "")
	}
	f.pass(0)
	if n := len(f.s.Preemptions()); n != 1000 || f.s.Ready() != 0 || len(f.s.accounts["a"].runs[0]) != 1000 {
		t.Errorf("case 55: %d preemptions, %d are ready", n, f.s.Ready())
	}
}

// TestPreemptLater has the cases 56 and 57.
func TestPreemptLater(t *testing.T) {
	f := newFleet(t, Config{})
	f.account("a", Account{Rate: Balance{1}, Window: time.Minute}, -2)
	f.account("b", Account{}, 100)
	f.worker("w", "")
	f.run("free", "", "w", Free)
	f.request("r1", "a", "", "")
	f.pass(1)
	f.wantPreempted()
	f.pass(50)
	f.wantPreempted(Preemption{Worker: 1, Victim: 1, Seq: 2, Was: Free})
	f.wantBalance("a", 50, 48)

	f = newFleet(t, Config{})
	f.account("a", Account{}, 0, 50)
	f.account("b", Account{}, 100)
	f.account("c", Account{}, 0, 0, 9)
	f.worker("w", "")
	f.run("r0", "c", "w", 2, 0, 0, 7)
	f.request("r1", "a", "", "")
	f.pass(0)
	f.wantPreempted(Preemption{Worker: 1, Victim: 1, Seq: 2, Level: 1, Cost: Balance{0, 0, 7}, Was: 2})
	f.s.Release(f.seq("r0"))
	f.want(f.pass(0), given{"r1", "w", 1})
	f.request("r2", "b", "", "")
	f.pass(10)
	f.wantPreempted(Preemption{Worker: 1, Victim: 2, Seq: 3, Cost: Balance{0, 10, 7}, Was: 1})
	f.wantBalance("a", 10, 0, 50, 0)
	f.wantBalance("b", 10, 100, -10, -7)
}

// TestClaim: the job that preempts starts when its victim has ended, not before,
// and gets its account's quota back if that place is lost.
func TestClaim(t *testing.T) {
	f := newFleet(t, Config{})
	f.account("a", Account{}, 10)
	f.account("b", Account{}, 0, 5)
	f.worker("w", "")
	f.run("v", "b", "w", 1, 0, 2)
	f.request("r", "a", "", "")
	f.pass(0)
	f.wantPreempted(Preemption{Worker: 1, Victim: 1, Seq: 2, Cost: Balance{0, 2}, Was: 1})
	f.request("other", "a", "", "")
	f.want(f.pass(1))
	f.s.Release(f.seq("v"))
	f.want(f.pass(2), given{"r", "w", 0})
	f.want(f.pass(3))
	f.wantBalance("b", 3, 0, 7)
	f.wantBalance("a", 3, 7, -2)

	f = newFleet(t, Config{})
	f.account("a", Account{}, 10)
	f.account("b", Account{}, 0, 5)
	f.worker("w", "")
	f.run("v", "b", "w", 1, 0, 2)
	f.request("r", "a", "", "")
	f.pass(0)
	f.s.DropWorker(f.workerID("w"))
	f.s.Release(f.seq("v"))
	f.want(f.pass(0))
	if f.s.Ready() != 1 {
		t.Fatal("the job is not ready again")
	}
	f.wantBalance("a", 0, 10)
	f.worker("w2", "")
	f.want(f.pass(0), given{"r", "w2", 0})
}
