package schedule

import (
	"testing"

	"github.com/muster-queue/muster/job"
)

// claimed is a job r of account a that waits for the end of v of account b on w, for
// which it paid 2 at level 1.
func claimed(t *testing.T) *fleet {
	f := newFleet(t, Config{})
	f.account("a", Account{}, 10)
	f.account("b", Account{}, 0, 5)
	f.worker("w", "")
	f.run("v", "b", "w", 1, 0, 2)
	f.request("r", "a", "", "")
	f.pass(0)
	f.wantPreempted(Preemption{Worker: 1, Victim: 1, Seq: 2, Cost: Balance{0, 2}, Was: 1})
	return f
}

// TestClaimOnAWorkerThatGoes: what is promised there is given back at once, not when
// the victim has ended, which can take long.
func TestClaimOnAWorkerThatGoes(t *testing.T) {
	for name, leave := range map[string]func(*fleet){
		"dropped": func(f *fleet) { f.s.DropWorker(f.workerID("w")) },
		"closed": func(f *fleet) {
			f.s.SetWorker(f.workerID("w"), Worker{Agent: true, Capacity: oneSlot, Closed: true})
		},
	} {
		t.Run(name, func(t *testing.T) {
			f := claimed(t)
			leave(f)
			f.wantBalance("a", 0, 10)
			f.worker("w2", "")
			f.want(f.pass(0), given{"r", "w2", 0})
			f.s.Release(f.seq("v"))
			f.want(f.pass(1))
		})
	}
}

// TestGiveBack: at any time before it got the place, and not after.
func TestGiveBack(t *testing.T) {
	f := claimed(t)
	if f.s.GiveBack(f.seq("v")) || !f.s.GiveBack(f.seq("r")) || f.s.GiveBack(f.seq("r")) {
		t.Error("given back, or not")
	}
	f.wantBalance("a", 0, 10)
	f.s.SetPreemption(false)
	f.s.Release(f.seq("v"))
	f.want(f.pass(1), given{"r", "w", 0})

	f = claimed(t)
	f.s.Release(f.seq("v"))
	f.want(f.pass(0), given{"r", "w", 0})
	if !f.s.GiveBack(f.seq("r")) {
		t.Error("a placement that came to nothing cannot be given back")
	}
	f.wantBalance("a", 0, 10)
	f.want(f.pass(0), given{"r", "w", 0})
	f.s.Hold(Held{Seq: f.seq("r"), Shape: f.of["r"], Worker: f.workerID("w")})
	if f.s.GiveBack(f.seq("r")) {
		t.Error("what is held is given back")
	}
}

// TestClaimInAPausedQueue: nothing of it is placed.
func TestClaimInAPausedQueue(t *testing.T) {
	f := claimed(t)
	f.s.SetQueue(1, QueueSettings{Paused: true})
	f.s.Release(f.seq("v"))
	f.want(f.pass(0))
	f.wantBalance("a", 0, 10)
	f.s.SetQueue(1, QueueSettings{})
	f.want(f.pass(1), given{"r", "w", 0})
}

// TestVictimFiledAnew: when the description of a victim changes while it is being
// stopped, the other job still waits for its end.
func TestVictimFiledAnew(t *testing.T) {
	f := claimed(t)
	f.s.Hold(Held{Seq: f.seq("v"), Shape: f.shape("b", "x", ""), Worker: f.workerID("w")})
	f.want(f.pass(1))
	f.wantBalance("b", 1, 0, 7)
	f.s.Release(f.seq("v"))
	f.want(f.pass(2), given{"r", "w", 0})
}

// TestRunFiledAnew: what runs costs the same when its description changes.
func TestRunFiledAnew(t *testing.T) {
	f := newFleet(t, Config{})
	f.account("a", Account{}, 10)
	f.worker("w", "")
	f.run("r", "a", "w", 0, 3)
	f.s.Hold(Held{Seq: f.seq("r"), Shape: f.shape("a", "x", ""), Worker: f.workerID("w")})
	f.wantBalance("a", 4, 6)
	if c, _ := f.s.Charge(f.seq("r")); c.Level != 0 || c.Cost != (Balance{7}) {
		t.Errorf("%+v", c)
	}
}

// TestStopping: what is being stopped anyway is no victim.
func TestStopping(t *testing.T) {
	f := newFleet(t, Config{})
	f.account("a", Account{}, 10)
	f.account("b", Account{}, 0, 5)
	f.worker("w", "")
	f.run("v", "b", "w", 1)
	f.s.Stopping(f.seq("v"), false)
	f.request("r", "a", "", "")
	f.pass(1)
	f.wantPreempted()
	f.wantBalance("b", 1, 0, 4)
	f.s.Stopping(f.seq("v"), true) // as after a load
	f.wantBalance("b", 2, 0, 4)
}

// TestClaimLoaded: a claim that is told of with what it has paid is as before.
func TestClaimLoaded(t *testing.T) {
	f := newFleet(t, Config{})
	f.account("a", Account{}, 10)
	f.run("v", "", "w", Free)
	f.s.Hold(Held{
		Seq: f.seq("r"), Shape: f.shape("a", "", ""), Worker: f.workerID("w"), Victim: f.seq("v"),
		Item: Item{Seq: f.seq("r")}, Price: Balance{2}, Charge: Charge{Cost: Balance{3}, At: f.s.now, Share: 1},
	})
	f.worker("w", "")
	f.s.GiveBack(f.seq("r"))
	f.wantBalance("a", 0, 12)
	if f.s.Ready() != 1 {
		t.Error("it is not ready")
	}
}

// TestShareKnownLater: after a load, what ran for free has no charge stored, and its
// worker has not yet said what it has.
func TestShareKnownLater(t *testing.T) {
	f := newFleet(t, Config{})
	f.account("a", Account{Rate: Balance{1}}, 1000)
	f.s.Hold(Held{Seq: f.seq("r"), Shape: f.shape("a", "", ""), Worker: f.workerID("w")})
	f.s.SetWorker(f.workerID("w"), Worker{Agent: true, Capacity: job.Resources{"slot": 4 * job.Thousandth}})
	f.pass(0) // it is promoted
	if c, _ := f.s.Charge(f.seq("r")); c.Level != 0 || c.Share != 0.25 {
		t.Errorf("%+v", c)
	}
}
