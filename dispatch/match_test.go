package dispatch

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/muster-queue/muster/job"
)

// crossed is the world of case 15: each task has the worker it did not ask for, or did.
func crossed(t *testing.T, enqueued1, enqueued2 float64) *world {
	w := newWorld(t, Config{})
	w.account("a", AccountConfig{}, 2)
	w.idle("w1", "", 0)
	w.idle("w2", "label1", 0)
	w.request("r1", "a", "", "label1", enqueued1)
	w.request("r2", "a", "", "label2", enqueued2)
	w.want(w.pass(), Decision{WorkerID: "w2", RequestID: "r1"}, Decision{WorkerID: "w1", RequestID: "r2"})
	return w
}

// TestMatching has the cases 15, 16 and 19 to 26.
func TestMatching(t *testing.T) {
	t.Run("15 and 16", func(t *testing.T) {
		w := crossed(t, 0, 0)
		w.want(w.pass())
		w.wantOn("r1", "w2")
		w.same(2, w.s.RunningRequests())
		w.same(0, w.s.WaitingRequests())
	})
	t.Run("19", func(t *testing.T) {
		w := newWorld(t, Config{})
		w.idle("w", "", 0)
		w.request("r", "", "", "", 0)
		w.want(w.pass(), Decision{WorkerID: "w", RequestID: "r", Priority: FreeBucket})
	})
	t.Run("20", func(t *testing.T) {
		w := newWorld(t, Config{})
		w.account("a", AccountConfig{}, 1)
		for i := range 500 {
			w.request(RequestID(fmt.Sprint("a", i)), "a", "", "a", 0)
		}
		w.request("b", "a", "", "b", 0)
		w.idle("w", "b c", 0)
		w.want(w.pass(), Decision{WorkerID: "w", RequestID: "b"})
	})
	t.Run("21", func(t *testing.T) {
		w := newWorld(t, Config{})
		w.account("a", AccountConfig{}, 1)
		w.idle("w", "", 0)
		w.request("r", "a", "unsatisfied", "", 0)
		w.want(w.pass())
	})
	t.Run("22", func(t *testing.T) {
		w := newWorld(t, Config{})
		w.account("a", AccountConfig{}, 1)
		w.idle("rare", "C R", 0)
		for i := range 10 {
			w.idle(WorkerID(fmt.Sprint("w", i)), "C", 0)
			w.request(RequestID(fmt.Sprint("r", i)), "a", "C", "", 0)
		}
		w.request("rare", "a", "C R", "", 0)
		w.same(11, len(w.pass()))
		w.wantOn("rare", "rare")
	})
	t.Run("23", func(t *testing.T) {
		w := newWorld(t, Config{})
		w.account("a", AccountConfig{}, 1)
		w.idle("w", "base", 0)
		w.request("r", "a", "base", "prov", 0)
		w.events.take()
		w.want(w.pass(), Decision{WorkerID: "w", RequestID: "r"})
		if e := w.events.take(); len(e) != 1 || e[0].Kind != Assigned || !e[0].ProvisionRequired {
			t.Errorf("events %+v", e)
		}
	})
	t.Run("24", func(t *testing.T) {
		w := newWorld(t, Config{})
		w.account("a", AccountConfig{}, 1)
		w.idle("w", "pA", 0)
		w.request("rB", "a", "", "pB", 0)
		w.request("rA", "a", "", "pA", 1)
		w.want(w.pass(), Decision{WorkerID: "w", RequestID: "rA"})
	})
	for _, barred := range []bool{false, true} {
		t.Run("25 and 26", func(t *testing.T) {
			w := newWorld(t, Config{})
			w.account("a", AccountConfig{DisableFreeTasks: barred})
			w.idle("w", "", 0)
			w.request("r", "a", "", "", 0)
			w.s.UpdateTime(at(10))
			if got := len(w.pass()); got != 1 && !barred || got != 0 && barred {
				t.Errorf("%d assignments", got)
			}
			w.wantExamined("r", 0)
		})
	}
}

// TestFirstCome: of requests that are alike, the one that was enqueued first; and those
// that want more labels before.
func TestFirstCome(t *testing.T) {
	w := newWorld(t, Config{})
	w.request("late", "", "", "", 3)
	w.request("early", "", "", "", 1)
	w.request("b", "", "", "", 2)
	w.request("choosy", "", "x", "", 4)
	for i, want := range []RequestID{"choosy", "early", "b", "late"} {
		w.idle(WorkerID(fmt.Sprint("w", i)), "x", 5)
		w.want(w.pass(), Decision{WorkerID: WorkerID(fmt.Sprint("w", i)), RequestID: want, Priority: FreeBucket})
	}
}

const hour = 3600

// TestUnassign has the cases 17 and 18.
func TestUnassign(t *testing.T) {
	w := crossed(t, 37*hour, 0)
	now := at(47 * hour)
	for r, worker := range map[RequestID]WorkerID{"r1": "w2", "r2": "w1"} {
		w.ok(w.s.Unassign(r, worker, now, &w.events))
		w.wantWorker(worker, false)
	}
	w.wantOn("r1", "")
	w.wantOn("r2", "gone")
	w.idle("w1", "", 47*hour)
	w.idle("w2", "label1", 47*hour)
	w.want(w.pass(), Decision{WorkerID: "w2", RequestID: "r1"})

	w = crossed(t, 0, 0)
	if err := w.s.Unassign("r1", "w1", at(1), &w.events); !job.IsKind(err, job.Conflict) {
		t.Errorf("18: %v", err)
	}
	w.wantOn("r1", "w2")
	w.wantWorker("w1", true)
}

// TestRequestExpiration: exactly at the bound a request is kept; the bound can be set.
func TestRequestExpiration(t *testing.T) {
	for _, c := range []struct {
		cfg  Config
		t    float64
		want WorkerID
	}{
		{Config{}, 46 * hour, ""}, {Config{}, 46*hour + 1, "gone"},
		{Config{RequestExpiration: time.Minute}, 60, ""}, {Config{RequestExpiration: time.Minute}, 61, "gone"},
	} {
		w := newWorld(t, c.cfg)
		w.request("r", "", "", "", 0)
		w.idle("w", "", 0)
		w.pass()
		w.ok(w.s.Unassign("r", "w", at(c.t), NullEventSink))
		w.wantOn("r", c.want)
	}
}

// TestExpiration has the cases 27 to 30.
func TestExpiration(t *testing.T) {
	for _, c := range []struct {
		expiration time.Duration
		t          float64
		known      bool
	}{{0, 150, true}, {0, 301, false}, {0, 300, true}, {time.Minute, 60, true}, {time.Minute, 61, false}} {
		w := newWorld(t, Config{BotExpiration: c.expiration})
		w.idle("w", "", 0)
		w.s.UpdateTime(at(c.t))
		w.wantWorker("w", c.known)
	}
	w := newWorld(t, Config{})
	w.idle("busy", "", 0)
	w.request("r", "", "", "", 0)
	w.pass()
	w.idle("heard", "", 0)
	w.idle("heard", "", 9_900)
	w.idle("silent", "", 0)
	w.s.UpdateTime(at(10_000))
	w.wantWorker("busy", true)
	w.wantWorker("heard", true)
	w.wantWorker("silent", false)
	w.ok(w.s.SetBotExpiration(time.Minute))
	w.s.UpdateTime(at(10_000))
	w.wantWorker("heard", false)
	if err := w.s.SetBotExpiration(-1); !job.IsKind(err, job.Invalid) {
		t.Errorf("negative: %v", err)
	}
}

// TestFanout has the cases 31 and 32.
func TestFanout(t *testing.T) {
	for _, barred := range []bool{false, true} {
		w := newWorld(t, Config{})
		w.account("a", AccountConfig{MaxFanout: 1, DisableFreeTasks: barred}, 1)
		for _, id := range []WorkerID{"w1", "w2", "w3"} {
			w.idle(id, "x y", 0)
		}
		w.request("r1", "a", "x", "", 0)
		w.request("r2", "a", "x", "", 0)
		w.request("r3", "a", "y", "", 0)
		paid, free := byPriority(w.pass())
		if !slices.Contains(paid, "r3") || len(paid) != 2 || len(free) != 1 && !barred || len(free) != 0 && barred {
			t.Errorf("paid %v, free %v", paid, free)
		}
	}
}

func byPriority(all []Decision) (paid, free []RequestID) {
	for _, d := range all {
		if d.Priority < FreeBucket {
			paid = append(paid, d.RequestID)
		} else {
			free = append(free, d.RequestID)
		}
	}
	return paid, free
}

// TestFanoutGroups: base and provisionable labels together make a group; "ab" and "c"
// are not "a" and "bc".
func TestFanoutGroups(t *testing.T) {
	w := newWorld(t, Config{})
	w.account("a", AccountConfig{MaxFanout: 1, DisableFreeTasks: true}, 1)
	for i := range 4 {
		w.idle(WorkerID(fmt.Sprint("w", i)), "x y ab c a bc", 0)
	}
	w.request("r1", "a", "x y", "", 0)
	w.request("r2", "a", "x", "y", 0)
	w.request("r3", "a", "ab c", "", 0)
	w.request("r4", "a", "a bc", "", 0)
	paid, _ := byPriority(w.pass())
	if len(paid) != 3 || !slices.Contains(paid, "r3") || !slices.Contains(paid, "r4") {
		t.Errorf("paid %v", paid)
	}
}

// TestLabelLimits has the cases 33 to 39, as far as they show.
func TestLabelLimits(t *testing.T) {
	for _, balance := range []float64{1, 0} {
		w := newWorld(t, Config{})
		w.account("a", AccountConfig{PerLabelTaskLimits: map[string]int32{"label-model": 2}}, balance)
		for i := range 3 {
			w.idle(WorkerID(fmt.Sprint("e", i)), "label-model:eve", 0)
		}
		for i := range 5 {
			w.request(RequestID(fmt.Sprint("r", i)), "a", "", "", 0)
		}
		w.same(2, len(w.pass()))
		w.idle("other", "label-model:adam", 0)
		w.idle("similar", "label-models:eve", 0)
		w.same(2, len(w.pass()))
	}
	for _, c := range []struct {
		name   string
		limits map[string]int32
		runs   []given
		want   int
	}{
		{"34", nil, []given{{"1", "a", "w1 foo:bar", 0, nil}, {"2", "a", "w2 foo:bar", 0, nil}}, 1},
		{"35", map[string]int32{"baz": 2}, []given{{"1", "a", "w1 foo:bar", 0, nil}, {"2", "a", "w2 foo:bar", 0, nil}}, 1},
		{"36", map[string]int32{"foo": 2}, []given{{"1", "a", "w1 foo:bar", 0, nil}}, 1},
		{"37", map[string]int32{"foo": 2}, []given{{"1", "a", "w1 foo:baz", 0, nil}, {"2", "a", "w2 foo:baz", 0, nil}}, 1},
		{"38", map[string]int32{"foo": 2}, []given{
			{"1", "a", "w1 foo:baz", 0, nil}, {"2", "a", "w2 foo:baz", 0, nil}, {"3", "a", "w3 foo:bar", 0, nil},
		}, 1},
		{"39", map[string]int32{"foo": 2}, []given{{"1", "a", "w1 foo:bar", 0, nil}, {"2", "a", "w2 foo:bar", 5, nil}}, 0},
	} {
		cfg := Config{DisablePreemption: true, AccountConfigs: map[AccountID]*AccountConfig{"a": {PerLabelTaskLimits: c.limits}}}
		w := loaded(t, 0, cfg, map[AccountID][]float64{"a": {1}}, c.runs...)
		w.idle("w", "foo:bar", 0)
		w.request("r", "a", "", "", 0)
		if got := len(w.pass()); got != c.want {
			t.Errorf("case %s: %d assignments, want %d", c.name, got, c.want)
		}
	}
}

// TestExamined has the cases 40 to 43 and 71.
func TestExamined(t *testing.T) {
	w := newWorld(t, Config{})
	cfg := rates(10, 100)
	cfg.MaxFanout, cfg.DisableFreeTasks = 1, true
	w.account("a", *cfg, 100)
	w.request("r1", "a", "", "", 0)
	w.request("r2", "a", "", "", 0)
	w.s.UpdateTime(at(100))
	w.wantExamined("r1", 0)
	w.want(w.pass())
	w.wantExamined("r1", 100)
	w.wantExamined("r2", 100)

	w.s.UpdateTime(at(110))
	w.idle("w", "", 110)
	w.want(w.pass(), Decision{WorkerID: "w", RequestID: "r1"})
	w.wantExamined("r1", 100)
	w.wantExamined("r2", 100)

	cfg.MaxFanout, cfg.ChargeRate = 10, Balance{}
	w.ok(w.s.SetAccountConfig("a", cfg))
	w.s.ResetBalance("a")
	w.want(w.pass())
	w.wantExamined("r2", 100)

	cfg.DisableFreeTasks = false
	w.ok(w.s.SetAccountConfig("a", cfg))
	w.wantExamined("r2", 100)
	w.s.UpdateTime(at(120))
	w.want(w.pass())
	w.wantExamined("r2", 120)
	w.request("r3", "a", "", "", 121)
	w.wantExamined("r3", 0)
}
