package jobserver_test

import (
	"context"
	"errors"
	"reflect"
	"testing"
	"time"

	"github.com/benbjohnson/clock"

	"github.com/muster-queue/muster/coordinate"
	"github.com/muster-queue/muster/coordinate/cborrpc"
	"github.com/muster-queue/muster/coordinate/internal/coordinatetest"
	"github.com/muster-queue/muster/coordinate/jobserver"
)

type dict = map[string]any

// TestMethods calls every method as Go programs do.
func TestMethods(t *testing.T) {
	world := coordinatetest.Open(t, coordinatetest.Stores["memory"])
	ns, err := coordinate.New(context.Background(), world.Engine).Namespace("")
	if err != nil {
		t.Fatal(err)
	}
	mock := clock.NewMock()
	mock.Set(coordinatetest.Start)
	jobs := &jobserver.JobServer{Namespace: ns, GlobalConfig: dict{"a": 1}, Clock: mock}
	want := func(name string, want []any, got ...any) {
		t.Helper()
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%s:\ngot  %#v\nwant %#v", name, got, want)
		}
	}
	three := func(a any, b string, err error) []any { return []any{a, b, err} }
	two := func(a any, err error) []any { return []any{a, err} }
	did, tuple := []any{true, "", error(nil)}, func(items ...any) cborrpc.PythonTuple { return cborrpc.PythonTuple{Items: items} }

	want("SetWorkSpec", did, three(jobs.SetWorkSpec(dict{"name": "s", "weight": 5, "module": "m"}))...)
	want("GetWorkSpec", []any{dict{"name": "s", "weight": int64(5), "module": []byte("m")}, nil}, two(jobs.GetWorkSpec("s"))...)
	want("GetWorkSpec of none", []any{dict(nil), nil}, two(jobs.GetWorkSpec("none"))...)
	want("ControlWorkSpec", did, three(jobs.ControlWorkSpec("s", dict{"weight": 7, "status": jobserver.Paused}))...)
	want("GetWorkSpecMeta", []any{dict{"status": jobserver.Paused, "continuous": false, "interval": 0.0, "max_running": int64(0), "weight": int64(7)}, "", nil}, three(jobs.GetWorkSpecMeta("s"))...)
	want("ControlWorkSpec", did, three(jobs.ControlWorkSpec("s", dict{"status": jobserver.Runnable}))...)
	want("ListWorkSpecs", []any{[]dict{{"name": "s", "weight": int64(5), "module": []byte("m")}}, "", nil}, three(jobs.ListWorkSpecs(nil))...)
	want("AddWorkUnits", did, three(jobs.AddWorkUnits("s", []any{tuple("a", dict{"x": 1}), []any{"b", dict{}}, "c"}))...)
	want("AddWorkUnits to none", []any{false, "No such work spec none", nil}, three(jobs.AddWorkUnits("none", []any{"a"}))...)
	want("PrioritizeWorkUnits", did, three(jobs.PrioritizeWorkUnits("s", dict{"work_unit_keys": []string{"b"}, "priority": 1.5}))...)
	want("GetWork", []any{tuple("s", []byte("b"), dict{}), "", nil}, three(jobs.GetWork("w", dict{"lease_time": 60}))...)
	want("GetWork of more", []any{[]any{tuple("s", []byte("a"), dict{"x": int64(1)}), tuple("s", []byte("c"), dict{})}, "", nil}, three(jobs.GetWork("w", dict{"max_jobs": 9}))...)
	want("GetWork of nothing", []any{tuple(nil, nil, nil), "", nil}, three(jobs.GetWork("w", nil))...)
	want("UpdateWorkUnit", did, three(jobs.UpdateWorkUnit("s", "a", dict{"status": jobserver.Finished, "data": dict{"y": 2}}))...)
	want("UpdateWorkUnit", did, three(jobs.UpdateWorkUnit("s", "c", dict{"status": jobserver.Failed, "data": dict{"traceback": "oh"}}))...)
	want("CountWorkUnits", []any{map[jobserver.WorkUnitStatus]int{jobserver.Pending: 1, jobserver.Finished: 1, jobserver.Failed: 1}, "", nil}, three(jobs.CountWorkUnits("s"))...)
	want("GetWorkUnits", []any{[]any{tuple([]byte("a"), dict{"y": int64(2)})}, "", nil}, three(jobs.GetWorkUnits("s", dict{"state": jobserver.Finished}))...)
	want("GetWorkUnitStatus", []any{[]dict{
		{"status": jobserver.Finished, "worker_id": "w"}, {"status": jobserver.Pending, "worker_id": "w", "expiration": int64(1000000060)}, nil,
	}, "", nil}, three(jobs.GetWorkUnitStatus("s", []string{"a", "b", "x"}))...)
	want("WorkerHeartbeat", did, three(jobs.WorkerHeartbeat("w", "RUN", 60, dict{"host": "h"}, "parent"))...)
	want("GetChildWorkUnits", []any{map[string][]dict{"w": {{
		"work_spec_name": "s", "work_unit_key": []byte("b"), "work_unit_data": dict{}, "worker_id": "w", "expires": int64(1000000060),
	}}}, "", nil}, three(jobs.GetChildWorkUnits("parent"))...)
	want("ListWorkerModes", []any{map[string]string{"w": "RUN"}, nil}, two(jobs.ListWorkerModes())...)
	want("ModeCounts", []any{map[string]int{"RUN": 1}, nil}, two(jobs.ModeCounts())...)
	want("WorkerStats", []any{map[string]int{"num_workers": 1, "num_children": 1, "num_expirable": 1}, nil}, two(jobs.WorkerStats())...)
	if info, _, err := jobs.GetWorkerInfo("w"); err != nil || info["age_seconds"] != 0.0 {
		t.Errorf("GetWorkerInfo: %v, %v", info, err)
	}
	want("WorkerUnregister", did, three(jobs.WorkerUnregister("w"))...)
	want("DelWorkUnits", []any{1, "", nil}, three(jobs.DelWorkUnits("s", dict{"work_unit_keys": []any{"a"}}))...)
	want("Archive", []any{nil, nil}, two(jobs.Archive(nil))...)
	want("GetConfig", []any{dict{"a": 1}, "", nil}, three(jobs.GetConfig())...)
	mock.Add(time.Second)
	want("Now", []any{1000000001, nil}, two(jobs.Now())...)
	paths := [][]any{{"ns", "a"}, {"ns", 2}}
	want("Lock", did, three(jobs.Lock("me", 10, paths))...)
	want("Locksome", []any{[][]any{nil, {"b"}}, "", nil}, three(jobs.Locksome("you", 10, [][]any{{"ns"}, {"b"}}))...)
	want("Renew", did, three(jobs.Renew("me", 20, paths))...)
	want("Readlock", []any{[]any{"me", "me", nil}, nil}, two(jobs.Readlock(append(paths, []any{"c"})))...)
	want("Unlock", did, three(jobs.Unlock("me", paths[:1]))...)
	want("DeleteNamespace", []any{1, nil}, two(jobs.DeleteNamespace("ns"))...)
	want("DelWorkSpec", did, three(jobs.DelWorkSpec("s"))...)
	want("Clear", []any{0, nil}, two(jobs.Clear())...)
}

// TestForeignNamespace: a namespace of another make is refused.
func TestForeignNamespace(t *testing.T) {
	jobs := &jobserver.JobServer{}
	if _, _, err := jobs.SetWorkSpec(dict{"name": "s"}); !errors.Is(err, coordinate.ErrWrongBackend) {
		t.Error(err)
	}
	if _, err := jobs.Handler(); !errors.Is(err, coordinate.ErrWrongBackend) {
		t.Error(err)
	}
}

// TestLeaseDuration has the limits of leases.
func TestLeaseDuration(t *testing.T) {
	for ask, want := range map[float64]time.Duration{0: 300 * time.Second, 1: time.Second, 86400: 24 * time.Hour, 86401: 300 * time.Second, 0.5: time.Second / 2, -7: -time.Second} {
		o := jobserver.UpdateWorkUnitOptions{LeaseTime: ask}
		if got := o.LeaseDuration(); got != want {
			t.Errorf("%v s: %v, want %v", ask, got, want)
		}
	}
	for ask, want := range map[float64]time.Duration{0: 300 * time.Second, 0.5: 300 * time.Second, -1: 300 * time.Second, 900: 15 * time.Minute, 90000: 300 * time.Second} {
		o := jobserver.GetWorkOptions{LeaseTime: ask}
		if got := o.LeaseDuration(); got != want {
			t.Errorf("get_work, %v s: %v, want %v", ask, got, want)
		}
	}
}
