package dispatch

import (
	"context"
	"errors"
	"fmt"
	"math"
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/muster-queue/muster/dispatch/dispatchpb"
	"github.com/muster-queue/muster/job"
)

// busy is a world with something of everything.
func busy(t reporter) *world {
	w := newWorld(t, Config{AccountConfigs: map[AccountID]*AccountConfig{
		"a1": rates(100, 1, 2), "a2": {MaxFanout: 3, DisableFreeTasks: true, Description: "x", PerLabelTaskLimits: map[string]int32{"os": 2}},
	}})
	w.account("a1", *rates(100, 1, 2), 10, -3)
	w.idle("w1", "os:linux zone:b zone:a", 1)
	w.idle("w2", "os:linux", 1.5)
	for i := range 4 {
		w.request(RequestID(fmt.Sprint("r", i)), []AccountID{"a1", "a2"}[i%2], "os:linux", "zone:b zone:a", float64(i))
	}
	w.s.UpdateTime(at(5))
	w.calls(6, "w1 os:linux zone:a zone:b", "w2 os:linux")
	w.idle("w3", "", 6.25)
	w.idle("w4", "gpu:none", 7)
	w.ok(w.r.AddTaskError("broken", errors.New("two accounts")))
	w.s.UpdateTime(at(9.5))
	return w
}

func (w *world) pool() *Pool { return &Pool{Scheduler: w.s, Reconciler: w.r} }

// reread is a pool after it was encoded and decoded.
func (w *world) reread(p *Pool) *Pool {
	w.t.Helper()
	data, err := proto.Marshal(p.ToProto())
	w.ok(err)
	doc := &dispatchpb.Pool{}
	w.ok(proto.Unmarshal(data, doc))
	again, err := NewPoolFromProto(doc)
	w.ok(err)
	return again
}

// TestRoundTrip has the case 72.
func TestRoundTrip(t *testing.T) {
	w := busy(t)
	p := w.pool()
	if p.Scheduler.RunningRequests() != 2 || p.Scheduler.WaitingRequests() != 2 {
		t.Fatalf("%d run, %d wait", p.Scheduler.RunningRequests(), p.Scheduler.WaitingRequests())
	}
	again := w.reread(p)
	if !proto.Equal(p.ToProto(), again.ToProto()) {
		t.Errorf("it was %v, is %v", p.ToProto(), again.ToProto())
	}
	w.samePool(p, again)
	// It goes on the same way.
	for _, one := range []*Pool{p, again} {
		w.s, w.r = one.Scheduler, one.Reconciler
		w.wantCalls(20, both("w1", "w2"), Assignment{"w1", w.s.workers["w1"].run.id, true}, Assignment{"w2", w.s.workers["w2"].run.id, true})
		w.s.UpdateTime(at(50))
		w.tellRunning(w.s.workers["w1"].run.id, "w1", 50)
		w.calls(60, "w1 os:linux")
	}
	w.samePool(p, again)
}

func both(workers ...string) []string { return workers }

// TestDecodeDefaults has the case 73.
func TestDecodeDefaults(t *testing.T) {
	for _, given := range []bool{false, true} {
		request, worker := &dispatchpb.TaskRequest{}, &dispatchpb.Worker{}
		examined, modified := 0.0, 200.0
		if given {
			examined, modified = 100, 100
			request.ExaminedTime, worker.ModifiedTime = timestamppb.New(at(100)), timestamppb.New(at(100))
		}
		s, err := NewSchedulerFromProto(&dispatchpb.Scheduler{State: &dispatchpb.SchedulerState{
			QueuedRequests: map[string]*dispatchpb.TaskRequest{"r": request}, Workers: map[string]*dispatchpb.Worker{"w": worker},
			LastUpdateTime: timestamppb.New(at(200)),
		}})
		if err != nil {
			t.Fatal(err)
		}
		r, _ := s.GetRequest("r")
		w, _ := s.GetWorker("w")
		if !r.ExaminedTime.Equal(at(examined)) || !w.ModifiedTime.Equal(at(modified)) {
			t.Errorf("given %v: examined %v, modified %v", given, r.ExaminedTime, w.ModifiedTime)
		}
		if c := s.Config(); c.BotExpiration != DefaultBotExpiration || c.RequestExpiration != DefaultRequestExpiration {
			t.Errorf("settings are %+v", c)
		}
	}
	r, err := NewFromProto(nil)
	if err != nil || len(r.Cancellations(context.Background())) > 0 {
		t.Errorf("of nothing: %v", err)
	}
}

// TestSnapshot has the case 74.
func TestSnapshot(t *testing.T) {
	w := busy(t)
	snap := w.s.ToSnapshot("pool")
	on := map[RequestID]WorkerID{}
	for i, r := range snap.Tasks {
		w.same(TaskSnapshot{
			ID: RequestID(fmt.Sprint("r", i)), Pool: "pool", AccountID: []AccountID{"a1", "a2"}[i%2], WorkerID: w.on(r.ID),
			BaseLabels: set("os:linux"), ProvisionableLabels: set("zone:a zone:b"), SnapshotTime: at(9.5),
		}, r)
		on[r.ID] = r.WorkerID
	}
	for i, row := range snap.Workers {
		want := WorkerSnapshot{
			ID: WorkerID(fmt.Sprint("w", i+1)), Pool: "pool", SnapshotTime: at(9.5),
			Labels: []Labels{set("os:linux zone:a zone:b"), set("os:linux"), nil, set("gpu:none")}[i],
		}
		for task, worker := range on {
			if worker == want.ID {
				want.TaskID = task
			}
		}
		w.same(want, row)
	}
	w.same([]AccountSnapshot{{"a1", "pool", w.s.GetBalances()["a1"], at(9.5)}, {"a2", "pool", Balance{}, at(9.5)}}, snap.Accounts)
	w.same([]int{2, 4, 4}, []int{len(snap.Accounts), len(snap.Tasks), len(snap.Workers)})
}

// TestDecodeRefuses: a document that is wrong is refused as a whole.
func TestDecodeRefuses(t *testing.T) {
	for name, spoil := range map[string]func(*dispatchpb.Pool){
		"label":          func(p *dispatchpb.Pool) { p.Scheduler.State.QueuedRequests["r"].BaseLabelIds = []uint64{99} },
		"worker's label": func(p *dispatchpb.Pool) { p.Scheduler.State.Workers["w3"].LabelIds = []uint64{99} },
		"label text":     func(p *dispatchpb.Pool) { p.Scheduler.State.LabelMap[7] = "" },
		"time":           func(p *dispatchpb.Pool) { p.Scheduler.State.LastUpdateTime.Nanos = -1 },
		"enqueue": func(p *dispatchpb.Pool) {
			p.Scheduler.State.QueuedRequests["r"].EnqueueTime = &timestamppb.Timestamp{Seconds: math.MaxInt64}
		},
		"priority":    func(p *dispatchpb.Pool) { run(p).Priority = 6 },
		"cost":        func(p *dispatchpb.Pool) { run(p).Cost = []float64{math.NaN()} },
		"debt":        func(p *dispatchpb.Pool) { run(p).Cost = []float64{-1} },
		"levels":      func(p *dispatchpb.Pool) { run(p).Cost = make([]float64, 6) },
		"twice":       func(p *dispatchpb.Pool) { run(p).RequestId = "r" },
		"no name":     func(p *dispatchpb.Pool) { run(p).RequestId = "" },
		"worker name": func(p *dispatchpb.Pool) { p.Scheduler.State.Workers[""] = &dispatchpb.Worker{} },
		"balance":     func(p *dispatchpb.Pool) { p.Scheduler.State.Balances["a1"].Value = []float64{1e300} },
		"rate":        func(p *dispatchpb.Pool) { p.Scheduler.Config.AccountConfigs["a1"].ChargeRate = []float64{-1} },
		"expiration":  func(p *dispatchpb.Pool) { p.Scheduler.Config.BotExpiration = durationpb.New(-1) },
		"duration": func(p *dispatchpb.Pool) {
			p.Scheduler.Config.RequestExpiration = &durationpb.Duration{Nanos: -1, Seconds: 1}
		},
		"queue": func(p *dispatchpb.Pool) { p.Reconciler.WorkerQueues[""] = &dispatchpb.WorkerQueue{} },
		"queue's task": func(p *dispatchpb.Pool) {
			p.Reconciler.WorkerQueues["x"] = &dispatchpb.WorkerQueue{EarlierTasksToAbort: []string{""}}
		},
		"error": func(p *dispatchpb.Pool) { p.Reconciler.TaskErrors[""] = "x" },
	} {
		w := busy(t)
		w.request("r", "", "", "", 9)
		p := w.pool().ToProto()
		spoil(p)
		if _, err := NewPoolFromProto(p); !job.IsKind(err, job.Invalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// nowhere is no time.
func nowhere() *timestamppb.Timestamp { return &timestamppb.Timestamp{Nanos: -1} }

func run(p *dispatchpb.Pool) *dispatchpb.TaskRun { return p.Scheduler.State.Workers["w1"].RunningTask }

// FuzzDecode: no bytes make a decoder panic, and what it takes it gives back the same.
func FuzzDecode(f *testing.F) {
	data, err := proto.Marshal(busy(f).pool().ToProto())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data)
	small := newWorld(f, Config{})
	small.account("a", *rates(10, 1), 2)
	small.request("r", "a", "x", "", 0)
	small.calls(1, "w x")
	if data, err = proto.Marshal(small.pool().ToProto()); err != nil {
		f.Fatal(err)
	}
	f.Add(data)
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, data []byte) {
		doc := &dispatchpb.Pool{}
		if proto.Unmarshal(data, doc) != nil {
			return
		}
		p, err := NewPoolFromProto(doc)
		if err != nil {
			if !job.IsKind(err, job.Invalid) {
				t.Fatalf("the error is no complaint: %v", err)
			}
			return
		}
		w := &world{t: t, s: p.Scheduler, r: p.Reconciler}
		again := w.reread(p)
		w.samePool(p, again)
		w.s.UpdateTime(w.s.Time().Add(1e9))
		w.s.RunOnce(&w.events)
		w.reread(p)
	})
}

// FuzzLoad: the same for records.
func FuzzLoad(f *testing.F) {
	for _, r := range busy(f).pool().Changed() {
		f.Add(r.Key, r.Body)
	}
	f.Fuzz(func(t *testing.T, key string, body []byte) {
		p, err := NewPool(at(10), Config{})
		if err != nil {
			t.Fatal(err)
		}
		st := stored{}
		st.put(p.Changed())
		st.put([]Record{{Key: key, Body: body}})
		var all []Record
		for _, r := range st {
			all = append(all, r)
		}
		p, err = LoadPool(all)
		if err != nil {
			if !job.IsKind(err, job.Damaged) {
				t.Fatalf("the error is of kind %v: %v", job.KindOf(err), err)
			}
			return
		}
		w := &world{t: t, s: p.Scheduler, r: p.Reconciler}
		w.samePool(p, w.reread(p))
		w.calls(20)
		st = stored{}
		p.journal = nil
		st.put(p.Changed())
		w.samePool(p, st.load(t))
	})
}
