package dispatch

import (
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/muster-queue/muster/dispatch/dispatchpb"
	"github.com/muster-queue/muster/job"
)

// TestExtremeTimes: any time can be told, and is told again; what is beyond the
// clock of the scheduler stands still there.
func TestExtremeTimes(t *testing.T) {
	year := func(y int) time.Time { return time.Date(y, 5, 6, 7, 8, 9, 10, time.FixedZone("x", 3600)) }
	for _, c := range []struct{ start, news, end int }{
		{-5000, 0, 1}, {1, 1899, 1900}, {1969, 1970, 2026}, {2026, 2140, 2160}, {9999, 12000, 1_000_000},
	} {
		s := NewScheduler(year(c.start))
		w := &world{t: t, s: s, r: New()}
		w.account("a", *rates(3600, 1), 5)
		w.ok(s.MarkIdle("w", nil, year(c.news), nil))
		w.ok(s.MarkIdle("w2", nil, year(c.news), nil))
		w.ok(s.AddRequest(&TaskRequest{ID: "r", AccountID: "a", EnqueueTime: year(c.news)}, year(c.news), nil, nil))
		w.same(1, len(s.RunOnce(nil)))
		s.UpdateTime(year(c.end))
		s.RunOnce(nil)
		if s.Time().Location() != time.UTC || s.Time().Before(normal(year(c.start))) {
			t.Errorf("%+v: the time is %v", c, s.Time())
		}
		w.samePool(w.pool(), w.reread(w.pool()))
		if r, _ := s.GetWorker("w"); c.news == 12000 && !r.ConfirmedTime.Equal(lastTime) {
			t.Errorf("%+v: confirmed at %v", c, r.ConfirmedTime)
		}
	}
	// A place and a monotonic reading are no part of a time.
	now := time.Now()
	if s := NewScheduler(now); s.Time() != now.UTC().Round(0) {
		t.Errorf("%v became %v", now, s.Time())
	}
}

// TestTimeOutOften: decisions time out one by one, whenever somebody calls.
func TestTimeOutOften(t *testing.T) {
	w := newWorld(t, Config{BotExpiration: time.Hour})
	for i, id := range []WorkerID{"w0", "w1", "w2"} {
		w.idle(id, "", 0)
		w.tellWaiting(RequestID(id), "", "", float64(100*i))
		w.calls(float64(100 * i))
		w.wantOn(RequestID(id), id)
	}
	for i, left := range []int{3, 2, 1, 0} {
		w.calls(float64(599 + 100*i))
		w.same(left, len(w.r.WorkerQueues()))
	}
	w.same(3, w.s.WaitingRequests())
}

// TestNullEventSink: it takes everything, and no sink at all does too.
func TestNullEventSink(t *testing.T) {
	for _, events := range []EventSink{nil, NullEventSink, NullEventSink.WithFields(true)} {
		if listening(events) {
			t.Errorf("%v listens", events)
		}
		if events != nil {
			events.AddEvent(Event{})
		}
	}
	w := newWorld(t, Config{})
	w.ok(w.s.AddRequest(&TaskRequest{ID: "r"}, at(0), []string{"a:b"}, w.events.WithFields(true)))
	w.wantEvent(Event{Kind: Enqueued, Time: at(0), RequestID: "r", Tags: []string{"a:b"}, IsCallback: true})
}

// TestWords: every kind and reason has a word, and its number stays.
func TestWords(t *testing.T) {
	for number, word := range map[EventKind]string{
		0x101: "enqueued", 0x102: "completed", 0x201: "assigned", 0x202: "preempted", 0x203: "reprioritized", 0x204: "unassigned",
	} {
		if number.String() != word {
			t.Errorf("%#x is %s", int(number), number)
		}
	}
	for number, word := range map[CompletedReason]string{
		1: "bot_idle", 2: "idle_task_absent", 3: "running_task_absent", 4: "inconsistent_bot_for_task", 5: "inconsistent_task_for_bot",
	} {
		if number.String() != word {
			t.Errorf("%d is %s", int(number), number)
		}
	}
}

// TestCounts: what is counted is what there is.
func TestCounts(t *testing.T) {
	w := busy(t)
	s := w.s
	w.same([]int{2, 2, 2, 2}, []int{s.WaitingRequests(), s.RunningRequests(), s.IdleWorkers(), s.Accounts()})
	w.same([]int{2, 1}, []int{w.r.Unacknowledged(), w.r.TaskErrors()})
	c, ok := s.AccountConfig("a2")
	if _, nobody := s.AccountConfig("nobody"); !ok || nobody || c.MaxFanout != 3 {
		t.Errorf("the settings are %+v, %v; there is nobody: %v", c, ok, nobody)
	}
	w.same(s.GetBalances()["a1"], s.Balance("a1"))
	seen := map[RequestID]bool{}
	s.Confirmed(func(id RequestID, when time.Time, running bool) {
		r, _ := s.GetRequest(id)
		if !r.ConfirmedTime.Equal(when) || running != (w.on(id) != "") {
			t.Errorf("%s: %v, %v", id, when, running)
		}
		seen[id] = true
	})
	w.same(4, len(seen))
}

// TestLoadRefuses: records that do not belong together, or say what cannot be.
func TestLoadRefuses(t *testing.T) {
	w := busy(t)
	st := stored{}
	st.put(w.pool().Changed())
	bad := &dispatchpb.WorkerQueue{TaskToAssign: "\n"}
	for key, m := range map[string]proto.Message{
		"config/":      &dispatchpb.ConfigRecord{LastUpdateTime: nowhere()},
		"account/a1":   &dispatchpb.AccountRecord{Id: "a1", Balance: make([]float64, 6)},
		"account/b":    &dispatchpb.AccountRecord{Id: "b", BalanceTime: nowhere()},
		"account/c":    &dispatchpb.AccountRecord{},
		"worker/a":     &dispatchpb.WorkerRecord{},
		"worker/b":     &dispatchpb.WorkerRecord{Id: "b", ConfirmedTime: nowhere()},
		"worker/c":     &dispatchpb.WorkerRecord{Id: "c", ModifiedTime: nowhere()},
		"worker/d":     &dispatchpb.WorkerRecord{Id: "w1"},
		"request/a":    &dispatchpb.RequestRecord{},
		"request/b":    &dispatchpb.RequestRecord{Id: "b", EnqueueTime: nowhere()},
		"request/c":    &dispatchpb.RequestRecord{Id: "r0"},
		"request/d":    &dispatchpb.RequestRecord{Id: "d", Run: &dispatchpb.RunRecord{WorkerId: "nowhere"}},
		"request/e":    &dispatchpb.RequestRecord{Id: "e", Run: &dispatchpb.RunRecord{WorkerId: "w1"}},
		"request/f":    &dispatchpb.RequestRecord{Id: "f", Run: &dispatchpb.RunRecord{WorkerId: "w3", CostTime: nowhere()}},
		"request/g":    &dispatchpb.RequestRecord{Id: "g", Run: &dispatchpb.RunRecord{WorkerId: "w3", Priority: -1}},
		"queue/a":      &dispatchpb.QueueRecord{},
		"queue/b":      &dispatchpb.QueueRecord{WorkerId: "b", Queue: bad},
		"error/a":      &dispatchpb.ErrorRecord{},
		"error/broken": nil,
	} {
		body := []byte{0xff}
		if m != nil {
			var err error
			body, err = proto.Marshal(m)
			w.ok(err)
		}
		all := []Record{{Key: key, Body: body}, {Key: "worker/gone", Gone: true}}
		for k, r := range st {
			if k != key {
				all = append(all, r)
			}
		}
		if _, err := LoadPool(all); !job.IsKind(err, job.Damaged) {
			t.Errorf("%s: %v", key, err)
		}
	}
}
