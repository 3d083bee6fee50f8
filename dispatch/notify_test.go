package dispatch

import (
	"testing"

	"github.com/muster-queue/muster/job"
)

// matched is the world of the cases 58 to 66: r1 runs on w1, with the latest news of
// each at these times.
func matched(t *testing.T, request, worker float64) *world {
	w := newWorld(t, Config{})
	w.request("r1", "", "", "", request)
	w.idle("w1", "", worker)
	w.pass()
	w.wantOn("r1", "w1")
	w.events.take()
	return w
}

// wantNews wants the times of the latest news of r1 and w1.
func (w *world) wantNews(request, worker float64) {
	w.t.Helper()
	r, _ := w.s.GetRequest("r1")
	got, _ := w.s.GetWorker("w1")
	if !r.ConfirmedTime.Equal(at(request)) || !got.ConfirmedTime.Equal(at(worker)) {
		w.t.Fatalf("news of %v and %v, want %v and %v", r.ConfirmedTime, got.ConfirmedTime, at(request), at(worker))
	}
}

// wantEvent wants exactly one event since the last look.
func (w *world) wantEvent(want Event) {
	w.t.Helper()
	w.same([]Event{want}, w.events.take())
}

// completed is the event of r1's end on w1.
func completed(reason CompletedReason, t float64) Event {
	return Event{Kind: Completed, Time: at(t), RequestID: "r1", WorkerID: "w1", Reason: reason}
}

// TestIdle has the cases 58 and 59.
func TestIdle(t *testing.T) {
	for _, c := range []struct {
		t    float64
		want Labels
	}{{2, set("new")}, {1, set("new")}, {0, set("old")}} {
		w := newWorld(t, Config{})
		w.idle("w1", "old", 1)
		w.idle("w1", "new", c.t)
		got, _ := w.s.GetWorker("w1")
		w.same(c.want, got.Labels)
	}
	w := matched(t, 0, 1)
	w.idle("w1", "", 0)
	w.wantOn("r1", "w1")
	w.wantNews(0, 1)
	w.idle("w1", "", 2)
	w.wantOn("r1", "gone")
	w.wantEvent(completed(BotIdle, 2))
	if got, _ := w.s.GetWorker("w1"); got.Running != nil || !got.ConfirmedTime.Equal(at(2)) {
		t.Errorf("it is %+v", got)
	}
	w = matched(t, 5, 1)
	w.idle("w1", "", 4)
	w.wantOn("r1", "w1")
}

// TestRunning has the case 60.
func TestRunning(t *testing.T) {
	for _, c := range []struct{ t, request, worker float64 }{{0, 1, 3}, {2, 2, 3}, {4, 4, 4}} {
		w := matched(t, 1, 3)
		w.running("r1", "w1", c.t)
		w.wantOn("r1", "w1")
		w.wantNews(c.request, c.worker)
	}
}

// TestRunningElsewhere has the case 61.
func TestRunningElsewhere(t *testing.T) {
	for _, c := range []struct {
		t      float64
		on     WorkerID
		w1, w2 bool
	}{{0, "w1", true, true}, {2, "gone", false, true}, {4, "gone", false, false}} {
		w := matched(t, 1, 1)
		w.idle("w2", "", 3)
		w.running("r1", "w2", c.t)
		w.wantOn("r1", c.on)
		w.wantWorker("w1", c.w1)
		w.wantWorker("w2", c.w2)
		if !c.w1 {
			e := completed(InconsistentBotForTask, c.t)
			e.OtherWorker = "w2"
			w.wantEvent(e)
		}
	}
}

// TestRunningUnknown has the case 62, and that of a worker that seemed to run another.
func TestRunningUnknown(t *testing.T) {
	for when, known := range []bool{true, false, false} {
		w := newWorld(t, Config{})
		w.idle("w1", "", 1)
		w.running("unknown", "w1", float64(when))
		w.wantWorker("w1", known)
	}
	for _, c := range []struct {
		t     float64
		known bool
	}{{2, true}, {3, false}} {
		w := matched(t, 1, 3)
		w.running("unknown", "w1", c.t)
		w.wantWorker("w1", c.known)
		if !c.known {
			w.wantOn("r1", "gone")
			e := completed(InconsistentTaskForBot, c.t)
			e.OtherTask = "unknown"
			w.wantEvent(e)
		}
	}
	w := newWorld(t, Config{})
	w.running("unknown", "nowhere", 1)
	w.wantOn("unknown", "gone")
	w.wantWorker("nowhere", false)
}

// TestAbsent has the cases 63 and 64.
func TestAbsent(t *testing.T) {
	for _, when := range []float64{0, 2} {
		w := newWorld(t, Config{})
		w.request("r1", "", "", "", 1)
		w.events.take()
		w.idle("w", "", 1)
		w.absent("r1", when)
		w.wantWorker("w", true)
		if when == 0 {
			w.wantOn("r1", "")
			continue
		}
		w.wantOn("r1", "gone")
		w.wantEvent(Event{Kind: Completed, Time: at(2), RequestID: "r1", Reason: IdleTaskAbsent})
	}
	for _, c := range []struct {
		t, request, worker float64
		gone               bool
	}{{2, 1, 1, true}, {0, 1, 1, false}, {2, 1, 3, false}, {2, 3, 1, false}} {
		w := matched(t, c.request, c.worker)
		w.absent("r1", c.t)
		w.wantWorker("w1", !c.gone)
		if !c.gone {
			w.wantOn("r1", "w1")
			continue
		}
		w.wantOn("r1", "gone")
		w.wantEvent(completed(RunningTaskAbsent, 2))
	}
	w := newWorld(t, Config{})
	w.absent("unknown", 1)
}

// TestWaitingAgain has the cases 65 and 66.
func TestWaitingAgain(t *testing.T) {
	w := matched(t, 1, 3)
	w.request("r1", "a", "x", "", 3)
	w.wantOn("r1", "")
	w.wantWorker("w1", false)
	w.wantEvent(Event{Kind: Enqueued, Time: at(3), RequestID: "r1", AccountID: "a", BaseLabels: set("x")})
	w = matched(t, 1, 3)
	w.request("r1", "", "", "", 2)
	w.wantOn("r1", "w1")
	w = matched(t, 3, 1)
	w.request("r1", "", "", "", 2)
	w.wantOn("r1", "w1")

	w = newWorld(t, Config{})
	w.request("r1", "", "", "", 1)
	w.request("r1", "other", "x", "", 2)
	r, _ := w.s.GetRequest("r1")
	if !r.ConfirmedTime.Equal(at(2)) || r.AccountID != "" || r.BaseLabels != nil {
		t.Errorf("a queued one was changed: %+v", r)
	}
}

// TestFoundRunning has the case 67: a request that was queued turns out to run.
func TestFoundRunning(t *testing.T) {
	found := func(t *testing.T, when float64) *world {
		w := newWorld(t, Config{})
		w.account("a", AccountConfig{}, 100)
		w.request("r1", "a", "", "", 1)
		w.idle("w1", "", 3)
		w.running("r1", "w1", when)
		w.want(w.pass())
		return w
	}
	w := found(t, 4)
	w.wantOn("r1", "w1")
	w.wantNews(4, 4)
	w.s.UpdateTime(at(14))
	w.pass()
	w.s.UpdateTime(at(20))
	w.idle("w2", "", 20)
	w.want(w.pass())
	w.same(Priority(0), w.level("r1"))
	w.wantBalance("a", 80)
	// The worker was idle later: the task has ended.
	w = found(t, 2)
	w.wantOn("r1", "gone")
	w.wantWorker("w1", true)

	// So does later news of what that worker runs.
	w = matched(t, 5, 3)
	w.request("r2", "", "", "", 1)
	w.running("r2", "w1", 4)
	w.wantOn("r1", "w1")
	w.wantOn("r2", "gone")

	// A worker that nobody has heard of, and one that seemed to run another.
	w = newWorld(t, Config{})
	w.request("r1", "", "", "", 1)
	w.running("r1", "new", 2)
	w.wantOn("r1", "new")
	w = matched(t, 1, 3)
	w.request("r2", "", "", "", 3)
	w.events.take()
	w.running("r2", "w1", 4)
	w.wantOn("r2", "w1")
	w.wantOn("r1", "gone")
	e := completed(InconsistentTaskForBot, 4)
	e.OtherTask = "r2"
	w.wantEvent(e)
}

// TestModified has the cases 68 to 70.
func TestModified(t *testing.T) {
	modified := func(w *world, want float64) {
		t.Helper()
		if got, _ := w.s.GetWorker("w"); !got.ModifiedTime.Equal(at(want)) {
			t.Errorf("modified %v, want %v", got.ModifiedTime, at(want))
		}
	}
	start := func() *world {
		w := newWorld(t, Config{})
		w.s.UpdateTime(at(100))
		w.idle("w", "", 100)
		modified(w, 100)
		return w
	}
	w := newWorld(t, Config{})
	w.s.UpdateTime(at(100))
	w.idle("w", "", 0)
	modified(w, 100)
	for _, c := range []struct {
		labels  string
		t, want float64
	}{{"", 100, 100}, {"new", 50, 100}, {"new", 200, 110}} {
		w = start()
		w.s.UpdateTime(at(110))
		w.idle("w", c.labels, c.t)
		modified(w, c.want)
	}
	w = start()
	w.request("r", "", "", "", 100)
	w.pass()
	w.s.UpdateTime(at(110))
	w.idle("w", "", 110)
	modified(w, 110)
	w.wantOn("r", "gone")
}

// TestInvalid: names and labels that cannot be kept.
func TestInvalid(t *testing.T) {
	w := newWorld(t, Config{})
	many := make(Labels, job.MaxList+1)
	for i := range many {
		many[i] = "x"
	}
	for name, err := range map[string]error{
		"no task":       w.s.AddRequest(&TaskRequest{}, at(0), nil, nil),
		"account":       w.s.AddRequest(&TaskRequest{ID: "r", AccountID: "\n"}, at(0), nil, nil),
		"base":          w.s.AddRequest(&TaskRequest{ID: "r", BaseLabels: many}, at(0), nil, nil),
		"provisionable": w.s.AddRequest(&TaskRequest{ID: "r", ProvisionableLabels: Labels{"a\x00b"}}, at(0), nil, nil),
		"no worker":     w.s.MarkIdle("", nil, at(0), nil),
		"labels":        w.s.MarkIdle("w", Labels{""}, at(0), nil),
		"running":       w.s.NotifyTaskRunning("", "w", at(0), nil),
		"running on":    w.s.NotifyTaskRunning("r", "", at(0), nil),
		"absent":        w.s.NotifyTaskAbsent("", at(0), nil),
		"error":         w.r.AddTaskError("", nil),
	} {
		if !job.IsKind(err, job.Invalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
	w.same(0, len(w.calls(0, "bad\x00", "ok")))
	w.wantWorker("ok", true)
}
