package dispatch

import (
	"context"
	"errors"
	"strings"
	"testing"
)

// waitingFor is a world where Request1 waits and prefers Label1.
func waitingFor(t *testing.T) *world {
	w := newWorld(t, Config{})
	w.tellWaiting("Request1", "", "Label1", 0)
	return w
}

func (w *world) wantCalls(t float64, workers []string, want ...Assignment) {
	w.t.Helper()
	w.same(want, w.calls(t, workers...))
}

func one(worker string) []string { return []string{worker} }

// TestAssign has the cases 75 to 83.
func TestAssign(t *testing.T) {
	first := Assignment{"Worker1", "Request1", true}
	collected := func(t *testing.T) *world {
		w := waitingFor(t)
		w.wantCalls(0, one("Worker1"), first)
		return w
	}
	t.Run("75", func(t *testing.T) {
		waitingFor(t).wantCalls(0, one("Worker1 Label1"), Assignment{"Worker1", "Request1", false})
	})
	t.Run("76 and 77", func(t *testing.T) { collected(t).wantCalls(1, one("Worker1"), first) })
	for _, when := range []float64{0, 1} {
		t.Run("78", func(t *testing.T) {
			w := collected(t)
			w.tellRunning("Request1", "Worker1", when)
			w.wantCalls(2, one("Worker1"))
		})
	}
	t.Run("79", func(t *testing.T) {
		w := collected(t)
		w.tellRunning("Request2", "Worker1", 1)
		w.wantCalls(2, one("Worker1"))
	})
	t.Run("80", func(t *testing.T) {
		w := collected(t)
		w.tellRunning("Request1", "Worker2", 1)
		w.wantCalls(2, one("Worker1"))
	})
	held := func(t *testing.T) *world {
		w := newWorld(t, Config{})
		w.wantCalls(0, one("Worker1 L"))
		w.tellWaiting("Request1", "", "L", 0)
		w.wantCalls(0, one("Worker2"))
		return w
	}
	t.Run("81", func(t *testing.T) {
		held(t).wantCalls(1, one("Worker1 L"), Assignment{"Worker1", "Request1", false})
	})
	t.Run("82", func(t *testing.T) {
		held(t).wantCalls(20*60, one("Worker2"), Assignment{"Worker2", "Request1", true})
	})
	t.Run("83", func(t *testing.T) {
		w := held(t)
		w.wantCalls(9*60+59, one("Worker2"))
		w.wantCalls(10*60, one("Worker2"), Assignment{"Worker2", "Request1", true})
		w.wantWorker("Worker1", false)
	})
	t.Run("twice", func(t *testing.T) {
		waitingFor(t).wantCalls(0, []string{"Worker1", "Worker1 Label1"}, first)
	})
}

// preempted is a world where free Request1 on Worker1 has to give way to Request2.
func preempted(t *testing.T) *world {
	w := newWorld(t, Config{})
	w.account("a", AccountConfig{}, 1)
	w.tellWaiting("Request1", "", "", 0)
	w.wantCalls(0, one("Worker1"), Assignment{"Worker1", "Request1", false})
	w.tellRunning("Request1", "Worker1", 0)
	w.tellWaiting("Request2", "a", "", 1)
	w.wantCalls(1, nil)
	w.wantOn("Request2", "Worker1")
	w.wantCancelled(Cancellation{WorkerID: "Worker1", RequestID: "Request1"})
	return w
}

// TestCancellations has the cases 84 to 92.
func TestCancellations(t *testing.T) {
	second := Assignment{"Worker1", "Request2", false}
	t.Run("85", func(t *testing.T) {
		w := preempted(t)
		w.tellAbsent("Request1", 2)
		w.wantCancelled()
	})
	t.Run("86", func(t *testing.T) { preempted(t).wantCalls(2, one("Worker1"), second) })
	t.Run("87", func(t *testing.T) { preempted(t).wantCalls(2, one("Worker2")) })
	t.Run("88", func(t *testing.T) {
		for _, workers := range [][]string{{"Worker2"}, {"Worker2", "Worker1"}} {
			w := preempted(t)
			w.tellWaiting("Request1", "", "", 2)
			want := []Assignment{{"Worker2", "Request1", false}, second}
			w.wantCalls(2, workers, want[:len(workers)]...)
		}
	})
	t.Run("89", func(t *testing.T) {
		w := preempted(t)
		w.tellAbsent("Request1", 2)
		w.wantCalls(3, one("Worker1"), second)
		w.tellRunning("Request2", "Worker1", 3)
		w.wantOn("Request2", "Worker1")
	})
	t.Run("90", func(t *testing.T) {
		w := preempted(t)
		w.tellRunning("Request1", "Worker1", 2)
		w.wantCancelled(Cancellation{WorkerID: "Worker1", RequestID: "Request1"})
		w.wantOn("Request2", "Worker1")
		w.wantCalls(3, one("Worker1"), second)
	})
	t.Run("91 and 92", func(t *testing.T) {
		w := newWorld(t, Config{})
		w.ok(w.r.AddTaskError("Task1", errors.New("frabjous")))
		all := w.r.Cancellations(context.Background())
		if len(all) != 1 || all[0].RequestID != "Task1" || all[0].WorkerID != "" || !strings.Contains(all[0].ErrorMessage, "frabjous") {
			t.Fatalf("cancellations are %v", all)
		}
		w.tellAbsent("Task1", 0)
		w.wantCancelled()
	})
	t.Run("an absence that is not later than the decision", func(t *testing.T) {
		w := preempted(t)
		w.tellAbsent("Request1", 1)
		w.wantCancelled(Cancellation{WorkerID: "Worker1", RequestID: "Request1"})
	})
}

// TestNeverTold: a task that nobody collected and that has to give way in its turn
// waits again: the outside, which never saw it leave, would not tell of it.
func TestNeverTold(t *testing.T) {
	w := newWorld(t, Config{})
	w.account("low", AccountConfig{}, 0, 1)
	w.account("high", AccountConfig{}, 5)
	w.tellWaiting("victim", "", "", 0)
	w.calls(0, "W")
	w.tellRunning("victim", "W", 0)
	w.tellWaiting("middle", "low", "", 1)
	w.calls(1)
	w.tellWaiting("top", "high", "", 2)
	w.calls(2)
	w.wantOn("top", "W")
	w.wantCancelled(Cancellation{WorkerID: "W", RequestID: "victim"})
	again, err := NewFromProto(w.r.ToProto())
	w.ok(err)
	w.same(w.r.WorkerQueues(), again.WorkerQueues())
	if m, known := w.s.GetRequest("middle"); !known || m.AccountID != "low" || m.ConfirmedTime != at(1) || w.s.WaitingRequests() != 1 {
		t.Errorf("%+v, %t; want it waiting as before", m, known)
	}
	w.calls(3, "X")
	w.wantOn("middle", "X")
}

// TestPreemptedAgain: when a task that has hardly been told has to give way in its turn,
// what really runs there is still cancelled.
func TestPreemptedAgain(t *testing.T) {
	w := newWorld(t, Config{})
	w.account("low", AccountConfig{}, 0, 1)
	w.account("high", AccountConfig{}, 5)
	w.tellWaiting("victim", "", "", 0)
	w.calls(0, "W")
	w.tellRunning("victim", "W", 0)
	w.tellWaiting("middle", "low", "", 1)
	w.calls(1)
	w.calls(1.5, "W") // it was told, but may not have begun
	w.tellWaiting("top", "high", "", 2)
	w.calls(2)
	w.wantOn("top", "W")
	both := []Cancellation{{WorkerID: "W", RequestID: "middle"}, {WorkerID: "W", RequestID: "victim"}}
	w.wantCancelled(both...)
	w.tellRunning("victim", "W", 2)
	w.tellRunning("middle", "W", 2)
	w.wantCancelled(both...)

	again, err := NewFromProto(w.r.ToProto())
	w.ok(err)
	w.same(w.r.WorkerQueues(), again.WorkerQueues())

	w.tellAbsent("victim", 3)
	w.wantCancelled(both[0])
	w.wantCalls(4, one("W"), Assignment{"W", "top", false})
	w.tellRunning("top", "W", 4)
	w.wantCancelled()
}
