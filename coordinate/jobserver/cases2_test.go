package jobserver_test

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/muster-queue/muster/coordinate/cborrpc"
	"github.com/muster-queue/muster/coordinate/internal/coordinatetest"
	"github.com/muster-queue/muster/job"
)

var leaseCases = []aCase{
	{"44 lease_time is honoured", func(w *world) {
		w.spec("s")
		w.add("s", "k")
		w.get("w", "s", "k", M{"lease_time": 3})
		w.Pass(2 * time.Second)
		w.status("s", "k", 3)
		w.Pass(2 * time.Second)
		w.status("s", "k", 1)
		w.to(done, "s", "k", 5, M{"data": M{"traceback": "too long"}})
		w.status("s", "k", 5)
	}},
	{"45 a lease ends, a duplicate", func(w *world) {
		w.spec("s")
		w.add("s", "k")
		w.get("w", "s", "k", M{"lease_time": 1})
		w.Pass(2 * time.Second)
		w.want("[{1: 1}, null]", "count_work_units", "s")
		w.get("v", "s", "k")
		w.to(done, "s", "k", 4, M{"data": M{"by": "w"}})
		w.to(refused, "s", "k", 4, M{"data": M{"by": "v"}})
		w.want("[{4: 1}, null]", "count_work_units", "s")
	}},
	{"46 an expired lease is given again", func(w *world) {
		w.spec("s")
		w.add("s", "k")
		w.get("w", "s", "k", M{"lease_time": nil})
		w.Pass(400 * time.Second)
		w.get("v", "s", "k")
		w.want(`[[{"expiration": 1000001300, "status": 3, "worker_id": "v"}], null]`, "get_work_unit_status", "s", L{"k"})
	}},
	{"47 a renewed lease lasts", func(w *world) {
		w.spec("s")
		w.add("s", "k")
		w.get("w", "s", "k", M{"lease_time": 300})
		w.want(done, "update_work_unit", "s", "k", M{"lease_time": 900, "data": M{"n": 1}})
		w.Pass(400 * time.Second)
		w.status("s", "k", 3)
		w.want(`[[128([b"k", {b"n": 1}])], null]`, "get_work_units", "s", M{})
		w.Pass(501 * time.Second)
		w.status("s", "k", 1)
		w.want(`[[128([b"k", {}])], null]`, "get_work_units", "s", M{})
		w.want(refused, "update_work_unit", "s", "k", M{"lease_time": 900})
		w.status("s", "k", 1)
	}},
	{"lengths of leases", func(w *world) {
		w.spec("s")
		w.add("s", "k")
		w.get("w", "s", "k")
		for _, c := range []struct {
			ask  any
			ends int
		}{{10, 10}, {0, 300}, {nil, 300}, {86400, 86400}, {86401, 300}, {1.9, 1}, {20.0, 20}} {
			w.want(done, "update_work_unit", "s", "k", M{"lease_time": c.ask})
			w.want(fmt.Sprintf(`[[{"expiration": %d, "status": 3, "worker_id": "w"}], null]`, 1000000000+c.ends), "get_work_unit_status", "s", L{"k"})
		}
		w.want(done, "update_work_unit", "s", "k", M{})
		w.want(`[[{"expiration": 1000000300, "status": 3, "worker_id": "w"}], null]`, "get_work_unit_status", "s", L{"k"})
		w.want(done, "update_work_unit", "s", "k", M{"lease_time": -1})
		w.status("s", "k", 1)
		w.get("v", "s", "k")
	}},
	{"65 available to failed", func(w *world) {
		w.spec("s")
		w.add("s", "k")
		w.to(done, "s", "k", 5, M{"data": M{"traceback": "killed"}, "worker_id": "parent"})
		w.want(`[[{"status": 5, "traceback": b"killed", "worker_id": "parent"}], null]`, "get_work_unit_status", "s", L{"k"})
		w.to(done, "s", "k", 1)
		w.want(`[[128([b"k", {}])], null]`, "get_work_units", "s", M{"state": 1})
		w.get("w", "s", "k")
	}},
	{"66 killed after the lease ended", func(w *world) {
		w.spec("s")
		w.add("s", "k")
		w.get("w", "s", "k", M{"lease_time": 5})
		w.Pass(6 * time.Second)
		w.to(done, "s", "k", 5)
		w.get("w", "s", "")
	}},
	{"67 a delayed unit", func(w *world) {
		w.spec("s")
		w.want(done, "add_work_units", "s", L{T{"k", M{}, M{"delay": 90, "priority": 5}}, T{"half", M{}, M{"delay": 0.5}}})
		w.status("s", "k", 1)
		w.want("[{1: 2}, null]", "count_work_units", "s")
		w.units("s", M{"state": 1}, "half", "k")
		w.get("w", "s", "")
		w.Pass(time.Second)
		w.get("w", "s", "half")
		w.Pass(59 * time.Second)
		w.get("w", "s", "")
		w.Pass(60 * time.Second)
		w.get("w", "s", "k")
	}},
	{"94 not before beats priority", func(w *world) {
		w.spec("s")
		w.want(done, "add_work_units", "s", L{T{"late", M{}, M{"delay": 60, "priority": 9}}, T{"now", M{}}})
		w.get("w", "s", "now")
		w.get("w", "s", "")
		w.Pass(61 * time.Second)
		w.get("w", "s", "late")
	}},
	{"82 max_retries", func(w *world) {
		w.spec("s", M{"max_retries": 2})
		w.add("s", "k")
		for range 2 {
			w.get("w", "s", "k", M{"lease_time": 10})
			w.Pass(11 * time.Second)
		}
		w.get("w", "s", "")
		w.want(`[[{"status": 5, "traceback": "too many retries", "worker_id": "w"}], null]`, "get_work_unit_status", "s", L{"k"})
		w.want(`[[128([b"k", {"traceback": "too many retries"}])], null]`, "get_work_units", "s", M{"state": 5})
	}},
	{"83 max_retries in a batch", func(w *world) {
		w.spec("s", M{"max_retries": 1})
		w.add("s", "a", "b", "c", "d")
		w.want(batch("s", []string{"a", "b"}), "get_work", "w", M{"max_jobs": 2, "lease_time": 10})
		w.Pass(11 * time.Second)
		w.want(batch("s", []string{"c"}), "get_work", "w", M{"max_jobs": 3})
		w.want("[{1: 1, 3: 1, 5: 2}, null]", "count_work_units", "s")
	}},
	{"leases outlive the server", func(w *world) {
		w.spec("s")
		w.add("s", "a", "b")
		w.get("w", "s", "a", M{"lease_time": 100})
		w.want(done, "update_work_unit", "s", "a", M{"lease_time": 100, "data": M{"half": 1}})
		w.Restart()
		w.serve()
		w.status("s", "a", 3)
		w.want(`[[128([b"a", {b"half": 1}]), 128([b"b", {}])], null]`, "get_work_units", "s", M{})
		w.to(done, "s", "a", 4)
		w.want(`[[128([b"a", {b"half": 1}])], null]`, "get_work_units", "s", M{"state": 4})
	}},
}

var specCases = []aCase{
	{"25 empty listing", func(w *world) { w.want(noUnits, "list_work_specs", M{}) }},
	{"24 26 what a work spec has", func(w *world) {
		config := M{}
		for i := range 200 {
			config[fmt.Sprint("key", i)] = M{"deep": L{T{i, U("ü")}, M{"deeper": strings.Repeat("x", 100)}}}
		}
		m := M{"name": "s", "min_gb": 1, "desc": "about", "config": config}
		w.want(done, "set_work_spec", m)
		shown, err := cborrpc.Encode(coordinatetest.Python(m))
		if err != nil {
			w.t.Fatal(err)
		}
		w.want(shown.String(), "get_work_spec", U("s"))
		w.want("[["+shown.String()+"], null]", "list_work_specs", M{})
	}},
	{"27 clear", func(w *world) {
		w.spec("s")
		w.spec("t")
		w.add("s", "k")
		w.get("w", "s", "k")
		w.want("2", "clear")
		w.want("0", "clear")
		w.want(noUnits, "list_work_specs", M{})
		w.want(`[false, "No such work spec s"]`, "update_work_unit", "s", "k", M{"status": 4})
		w.spec("s")
		w.add("s", "k")
		w.get("w", "s", "k")
	}},
	{"35 set again while pending", func(w *world) {
		w.spec("s")
		w.add("s", "a")
		w.get("w", "s", "a")
		w.want(done, "control_work_spec", "s", M{"status": 2, "weight": 7})
		v, err := w.client.Call(context.Background(), "get_work_spec", []byte("s"))
		if err != nil {
			w.t.Fatal(err)
		}
		w.want(done, "set_work_spec", v)
		w.want(`[{"continuous": false, "interval": 0.0, "max_running": 0, "status": 1, "weight": 20}, null]`, "get_work_spec_meta", "s")
		w.add("s", "b")
		w.to(done, "s", "a", 4)
		w.get("w", "s", "b")
	}},
	{"57 archive", func(w *world) {
		w.spec("s")
		w.spec("t")
		for _, key := range []string{"a", "b", "c"} {
			w.add("s", key)
			w.get("w", "s", key)
			w.to(done, "s", key, 4)
			w.Pass(time.Second)
		}
		w.add("s", "failed")
		w.to(done, "s", "failed", 5)
		w.want("null", "archive", M{})
		w.units("s", M{}, "a", "b", "c", "failed")
		ns, err := w.Namespace(context.Background(), job.DefaultNamespace)
		if err != nil {
			w.t.Fatal(err)
		}
		two := int64(2)
		if err := ns.UpdateQueue(context.Background(), "s", func(q *job.Queue) { q.KeepFinished = &two }); err != nil {
			w.t.Fatal(err)
		}
		w.want("null", "archive", M{"work_spec_names": L{"s", "none"}})
		w.want("null", "archive")
		w.units("s", M{}, "b", "c", "failed")
		w.want("[{4: 2, 5: 1}, null]", "count_work_units", "s")
		w.fails("archive", M{"work_spec_names": 5})
	}},
	{"68 fields that are bytes", func(w *world) {
		w.want(done, "set_work_spec", M{"name": U("s"), "module": U("os.path"), "run_function": U("join"), "terminate_function": U("t")})
		w.want(`{b"module": b"os.path", b"name": "s", b"run_function": b"join", b"terminate_function": "t"}`, "get_work_spec", "s")
		w.want(`[[{b"module": b"os.path", b"name": "s", b"run_function": b"join", b"terminate_function": "t"}], null]`, "list_work_specs", M{})
	}},
	{"70 settings from keys", func(w *world) {
		w.want(done, "set_work_spec", M{"name": "s", "weight": "7", "disabled": true, "continuous": true, "interval": 1.5, "max_running": 3.9})
		w.want(`[{"continuous": true, "interval": 1.5, "max_running": 3, "status": 2, "weight": 7}, null]`, "get_work_spec_meta", "s")
		w.want(done, "control_work_spec", "s", M{})
		w.want(done, "control_work_spec", "s", M{"status": 1, "continuous": false, "weight": 9, "interval": 0.25, "max_running": 0})
		w.want(`[{"continuous": false, "interval": 0.25, "max_running": 0, "status": 1, "weight": 9}, null]`, "get_work_spec_meta", "s")
		w.want(done, "control_work_spec", "s", M{"continuous": 1, "weight": -3, "status": 7})
		w.want(`[{"continuous": true, "interval": 0.25, "max_running": 0, "status": 1, "weight": 0}, null]`, "get_work_spec_meta", "s")
		w.fails("control_work_spec", "s", M{"weight": "x"})
		w.fails("control_work_spec", "s", 7)
	}},
	{"74 names", func(w *world) {
		w.want("error: No 'name' key in work spec", "set_work_spec", M{})
		w.want("error: No 'name' key in work spec", "set_work_spec", M{"name": nil})
		w.want("error: Work spec 'name' must be a string", "set_work_spec", M{"name": 4})
		w.fails("set_work_spec", M{"name": ""})
		w.fails("set_work_spec", L{})
		w.want(noUnits, "list_work_specs", M{})
	}},
	{"pages of work specs", func(w *world) {
		for _, name := range []string{"c", "a", "b", "d"} {
			w.want(done, "set_work_spec", M{"name": name})
		}
		w.want(`[[{b"name": b"a"}, {b"name": b"b"}], "c"]`, "list_work_specs", M{"limit": 2})
		w.want(`[[{b"name": b"c"}, {b"name": b"d"}], null]`, "list_work_specs", M{"start": "c", "limit": 2})
		w.want(`[[{b"name": b"c"}, {b"name": b"d"}], null]`, "list_work_specs", M{"start": "bb"})
		w.want(noUnits, "list_work_specs", M{"limit": 0})
		w.want(noUnits, "list_work_specs", M{"limit": -1})
		w.fails("list_work_specs", M{"start": 1})
	}},
	{"queues of others are not seen", func(w *world) {
		ctx := context.Background()
		ns, err := w.Namespace(ctx, job.DefaultNamespace)
		if err != nil {
			w.t.Fatal(err)
		}
		if err := ns.SetQueue(ctx, job.Queue{Name: "shell", Order: job.OrderKey}); err != nil {
			w.t.Fatal(err)
		}
		w.spec("s")
		no := `[false, "No such work spec shell"]`
		w.want(no, "del_work_spec", "shell")
		w.want(no, "add_work_units", "shell", L{"k"})
		w.want(no, "update_work_unit", "shell", "k", M{"status": 4})
		w.want("null", "get_work_spec", "shell")
		w.fails("set_work_spec", M{"name": "shell"})
		w.want("1", "clear")
		if _, err := ns.Queue(ctx, "shell"); err != nil {
			w.t.Error(err)
		}
	}},
}

var chainCases = []aCase{
	{"20 22 a map of outputs", func(w *world) {
		w.spec("first", M{"then": "second"})
		w.spec("second")
		w.add("first", "k")
		w.get("w", "first", "k")
		w.to(done, "first", "k", 4, M{"data": M{"output": M{"u": M{"x": 1}}}})
		w.want(`[128(["second", b"u", {b"x": 1}]), null]`, "get_work", "w", M{})
		w.to(done, "second", "u", 4)
		w.get("w", "", "")
	}},
	{"21 a list of strings", func(w *world) {
		w.spec("first", M{"then": "second"})
		w.spec("second")
		w.add("first", "k")
		w.to(done, "first", "k", 4, M{"data": M{"output": L{U("u"), "v"}}})
		w.want(batch("second", []string{"u", "v"}), "get_work", "w", M{"max_jobs": 5})
	}},
	{"23 output without then, and a then that is not there", func(w *world) {
		w.spec("first")
		w.spec("lost", M{"then": "nowhere"})
		for _, s := range []string{"first", "lost"} {
			w.add(s, "k")
			w.get("w", s, "k")
			w.to(done, s, "k", 4, M{"data": M{"output": L{"u"}}})
			w.status(s, "k", 4)
		}
		w.get("w", "", "")
		w.want("null", "get_work_spec", "nowhere")
	}},
	{"84 chains", func(w *world) {
		w.spec("first", M{"then": "second"})
		w.spec("second")
		w.add("first", "a", "b", "c")
		w.want(done, "add_work_units", "first", L{T{"d", M{"output": L{"four"}}}})
		count := func(want string) {
			w.t.Helper()
			w.want(want, "count_work_units", "second")
		}
		w.to(done, "first", "a", 4, M{"data": M{"output": nil}})
		count("[{}, null]")
		w.to(done, "first", "b", 4, M{"data": M{"output": M{"one": M{}}}})
		count("[{1: 1}, null]")
		w.to(done, "first", "c", 4, M{"data": M{"output": L{"two", "three", 7, nil, T{"odd"}}}})
		count("[{1: 3}, null]")
		w.to(done, "first", "d", 4)
		count("[{1: 4}, null]")
	}},
	{"85 the later of two wins", func(w *world) {
		w.spec("first", M{"then": "second"})
		w.spec("second")
		w.add("first", "k")
		w.to(done, "first", "k", 4, M{"data": M{"output": L{"u", "a", T{"u", M{"x": 1}, M{"priority": 10}}}}})
		w.want(`[128(["second", b"u", {b"x": 1}]), null]`, "get_work", "w", M{})
	}},
	{"86 output of a renewal", func(w *world) {
		w.spec("first", M{"then": "second"})
		w.spec("second")
		w.add("first", "k")
		w.get("w", "first", "k")
		w.want(done, "update_work_unit", "first", "k", M{"data": M{"output": L{"u"}}, "lease_time": 10})
		w.to(done, "first", "k", 4)
		w.get("w", "second", "u")
	}},
	{"88 a finished unit is done again", func(w *world) {
		w.spec("first", M{"then": "second"})
		w.spec("second")
		w.add("second", "u")
		w.to(done, "second", "u", 4)
		w.add("first", "k")
		w.to(done, "first", "k", 4, M{"data": M{"output": M{"u": nil}}})
		w.want(`[128(["second", b"u", null]), null]`, "get_work", "w", M{})
		w.to(refused, "first", "k", 4, M{"data": M{"output": L{"v"}}})
		w.units("second", M{}, "u")
	}},
	{"89 delay in an output", func(w *world) {
		w.spec("first", M{"then": "first"})
		w.add("first", "k")
		w.to(done, "first", "k", 4, M{"data": M{"output": L{T{"u", M{}, M{"delay": 90}}}}})
		w.get("w", "first", "")
		w.Pass(120 * time.Second)
		w.get("w", "first", "u")
	}},
	{"failed and then finished chains", func(w *world) {
		w.spec("first", M{"then": "second"})
		w.spec("second")
		w.add("first", "k")
		w.to(done, "first", "k", 5, M{"data": M{"output": L{"no"}}})
		w.units("second", M{})
		w.to(done, "first", "k", 4, M{"data": M{"output": L{"yes"}}})
		w.units("second", M{}, "yes")
	}},
	{"a plain string is no output", func(w *world) {
		w.spec("first", M{"then": "second"})
		w.spec("second")
		w.add("first", "k")
		w.to(done, "first", "k", 4, M{"data": M{"output": "abc"}})
		w.units("second", M{})
	}},
}

var workerCases = []aCase{
	{"16 17 units of children", func(w *world) {
		w.want(done, "worker_heartbeat", "parent", "RUN", 6000, M{}, nil)
		w.want(done, "worker_heartbeat", "child", "RUN", 6000, M{}, "parent")
		w.want("[{}, null]", "get_child_work_units", "nobody")
		w.spec("s")
		w.add("s", "a", "b")
		w.call("get_work", "child", M{"max_jobs": 2, "lease_time": 900})
		unit := func(key string) string {
			return `{"expires": 1000000900, "work_spec_name": "s", "work_unit_data": {}, "work_unit_key": b"` + key + `", "worker_id": "child"}`
		}
		w.want(`[{"child": [`+unit("a")+", "+unit("b")+`]}, null]`, "get_child_work_units", "parent")
		w.to(done, "s", "a", 4)
		w.want(`[{"child": [`+unit("b")+`]}, null]`, "get_child_work_units", "parent")
		w.want(done, "del_work_spec", "s")
		if got := w.call("get_child_work_units", "parent"); got != `[{"child": []}, null]` && got != "[{}, null]" {
			w.t.Error(got)
		}
	}},
	{"18 heartbeats without anything", func(w *world) {
		w.want(done, "worker_heartbeat", "w", nil, 6000, nil, nil)
		w.want(`[{"w": ""}, null]`, "list_worker_modes")
		w.want(`[{"": 1}, null]`, "mode_counts")
		w.want(`[{"age_seconds": 0.0}, null]`, "get_worker_info", "w")
		w.want(done, "worker_heartbeat", "w", "RUN", 6000, M{"host": "h", "t": T{1, T{}}}, "")
		w.Pass(90 * time.Second)
		w.want(`[{"age_seconds": 90.0, "host": b"h", "t": 128([1, 128([])])}, null]`, "get_worker_info", "w")
		w.want(`{"num_children": 0, "num_expirable": 1, "num_workers": 1}`, "worker_stats")
	}},
	{"active workers", func(w *world) {
		w.want(done, "worker_heartbeat", "a", "RUN", 100, nil, nil)
		w.want(done, "worker_heartbeat", "b", U("IDLE"), 200.5, nil, "a")
		w.want(`[true, "expire_seconds is negative; the heartbeat lasts 300 seconds"]`, "worker_heartbeat", "c", "RUN", -1, nil, nil)
		w.want(`[true, "expire_seconds is more than a day; the heartbeat lasts an hour"]`, "worker_heartbeat", "d", "RUN", 90000, nil, nil)
		w.call("get_work", "only-asks", M{})
		w.want(`[{"a": "RUN", "b": "IDLE", "c": "RUN", "d": "RUN"}, null]`, "list_worker_modes")
		w.want(`[{"IDLE": 1, "RUN": 3}, null]`, "mode_counts")
		w.want(`{"num_children": 1, "num_expirable": 4, "num_workers": 4}`, "worker_stats")
		w.Pass(101 * time.Second)
		w.want("[null, null]", "get_worker_info", "a")
		w.want(`[{"b": "IDLE", "c": "RUN", "d": "RUN"}, null]`, "list_worker_modes")
		w.want(done, "worker_unregister", "b")
		w.want(`[{"c": "RUN", "d": "RUN"}, null]`, "list_worker_modes")
		w.Pass(200 * time.Second)
		w.want(`[{"d": "RUN"}, null]`, "list_worker_modes")
		w.want(done, "worker_heartbeat", "b", "RUN", 100, nil, nil)
		w.want(`[{"b": "RUN", "d": "RUN"}, null]`, "list_worker_modes")
		w.want(`[false, "no worker \"nobody\""]`, "worker_unregister", "nobody")
		w.want("[null, null]", "get_worker_info", "nobody")
		w.want("[null, null]", "get_worker_info", "only-asks")
		w.Restart()
		w.serve()
		w.want(`[{"b": "RUN", "d": "RUN"}, null]`, "list_worker_modes")
	}},
	{"no workers", func(w *world) {
		w.want("[{}, null]", "mode_counts")
		w.want("[{}, null]", "list_worker_modes")
		w.want(`{"num_children": 0, "num_expirable": 0, "num_workers": 0}`, "worker_stats")
		w.fails("worker_heartbeat", "w", "RUN", "soon", nil, nil)
		w.fails("worker_heartbeat", "w", "RUN", 10, L{}, nil)
		w.fails("worker_heartbeat", nil, "RUN", 10, nil, nil)
		w.want("[{}, null]", "list_worker_modes")
	}},
	{"a parent changes", func(w *world) {
		w.spec("s")
		w.add("s", "k")
		w.want(done, "worker_heartbeat", "child", "RUN", 6000, nil, "one")
		w.get("child", "s", "k")
		has := func(parent string, want bool) {
			w.t.Helper()
			if got := strings.Contains(w.call("get_child_work_units", parent), "child"); got != want {
				w.t.Errorf("%s has the child: %v", parent, got)
			}
		}
		has("one", true)
		w.want(done, "worker_heartbeat", "child", "RUN", 6000, nil, "two")
		has("one", false)
		has("two", true)
		w.want(done, "worker_heartbeat", "child", "RUN", 6000, nil, nil)
		has("two", false)
	}},
}

var lockCases = []aCase{
	{"58 lock, read, unlock", func(w *world) {
		w.want(done, "lock", "id", 10, L{L{"foo"}, T{"bar", "baz"}})
		w.want(`["id", null, null, "id", null]`, "readlock", L{L{"foo"}, L{"foo", "x"}, L{"bar"}, L{"bar", "baz"}, L{}})
		w.want(done, "unlock", "id", L{L{"foo"}, L{U("bar"), U("baz")}})
		w.want("[null, null]", "readlock", T{L{"foo"}, L{"bar", "baz"}})
	}},
	{"59 60 below and above", func(w *world) {
		w.want(done, "lock", "id", 10, L{L{"foo"}, L{"bar", "baz"}})
		for _, path := range []any{L{"foo"}, L{"foo", "x"}, L{"bar"}, L{}} {
			if got := w.call("lock", "other", 10, L{path}); !strings.HasPrefix(got, `[false, "`) {
				w.t.Errorf("lock %v: %s", path, got)
			}
		}
		w.want(done, "lock", "other", 10, L{L{"bar", "qux"}, L{"new"}, L{"foo2"}})
		if got := w.call("lock", "id", 10, L{L{"free"}, L{"foo"}}); !strings.HasPrefix(got, `[false, "`) {
			w.t.Errorf("its own lock again: %s", got)
		}
		w.want("[null]", "readlock", L{L{"free"}})
	}},
	{"61 locksome", func(w *world) {
		w.want(done, "lock", "id", 10, L{L{"foo"}})
		w.want(`[[null, [b"bar"], [b"baz", 5, 128([1])]], null]`, "locksome", "other", 10, L{L{"foo"}, T{"bar"}, L{"baz", 5, T{1}}})
		w.want(`[[null], null]`, "locksome", "third", 10, L{L{"bar", "x"}})
		w.want(noUnits, "locksome", "third", 10, L{})
		w.want(done, "lock", "third", 10, L{})
	}},
	{"62 63 unlock what is not held", func(w *world) {
		w.want(done, "lock", "id", 10, L{L{"foo"}, L{"bar"}})
		for _, method := range []string{"unlock", "renew"} {
			params := []any{"other", L{L{"foo"}}}
			mine := []any{"id", L{L{"foo"}, L{"none"}}}
			if method == "renew" {
				params, mine = []any{"other", 10, L{L{"foo"}}}, []any{"id", 10, L{L{"foo"}, L{"none"}}}
			}
			for _, p := range [][]any{params, mine} {
				if got := w.call(method, p...); !strings.HasPrefix(got, `[false, "`) {
					w.t.Errorf("%s %v: %s", method, p, got)
				}
			}
		}
		w.want(`["id", "id"]`, "readlock", L{L{"foo"}, L{"bar"}})
	}},
	{"64 nothing to read", func(w *world) {
		w.want("[]", "readlock", L{})
		for _, bad := range []any{L{"foo"}, "foo", nil, M{}, L{L{M{}}}} {
			w.fails("readlock", bad)
			w.fails("lock", "id", 10, bad)
			w.fails("locksome", "id", 10, bad)
		}
		w.fails("lock", "id", "long", L{})
	}},
	{"locks end", func(w *world) {
		w.want(done, "lock", "id", nil, L{L{"sixty"}})
		w.want(done, "lock", "id", 10, L{L{"ten"}})
		w.want(done, "lock", "id", -1, L{L{"over"}})
		w.Pass(11 * time.Second)
		w.want(`["id", null, null]`, "readlock", L{L{"sixty"}, L{"ten"}, L{"over"}})
		w.want(done, "renew", "id", 100, L{L{"sixty"}})
		w.Pass(99 * time.Second)
		w.Restart()
		w.serve()
		w.want(`["id"]`, "readlock", L{L{"sixty"}})
		w.Pass(200 * time.Second)
		w.want(`[null]`, "readlock", L{L{"sixty"}})
	}},
	{"delete_namespace", func(w *world) {
		w.want(done, "lock", "id", 10, L{L{"ns", "a"}, L{"ns", "b", "c"}, L{"other"}})
		w.want("2", "delete_namespace", "ns")
		w.want("0", "delete_namespace", U("ns"))
		w.want(`[null, "id"]`, "readlock", L{L{"ns", "a"}, L{"other"}})
	}},
}

var wireCases = []aCase{
	{"what is not there", func(w *world) {
		w.want(`error: no such method "nosuch"`, "nosuch")
		for _, method := range []string{"Clear", "GetWork", "_clear", "set_work_specs", "handler", ""} {
			w.fails(method)
		}
	}},
	{"parameters", func(w *world) {
		w.want("error: set_work_spec: wrong number of parameters: 0 were given, 1 are taken", "set_work_spec")
		w.want("error: clear: wrong number of parameters: 1 were given, 0 are taken", "clear", 1)
		w.want("error: worker_heartbeat: wrong number of parameters: 7 were given, 5 are taken", "worker_heartbeat", 1, 2, 3, 4, 5, 6, 7)
		w.want("error: get_work_spec: parameter work_spec_name must be a string", "get_work_spec", 1)
		w.fails("get_work_unit_status", "s", "k")
		w.fails("get_work_unit_status", "s", L{1})
	}},
	{"by name", func(w *world) {
		w.spec("s")
		handler, err := w.jobs.Handler()
		if err != nil {
			w.t.Fatal(err)
		}
		for _, c := range []struct {
			method string
			params M
			want   string
		}{
			{"get_work_spec", M{"work_spec_name": "s"}, `{b"min_gb": 1, b"name": b"s"}`},
			{"get_work_spec", M{"other": "s"}, ""},
			{"control_work_spec", M{"work_spec_name": "s", "options": M{}}, done},
			{"archive", M{}, "null"},
		} {
			params, err := cborrpc.Encode(coordinatetest.Python(c.params))
			if err != nil {
				w.t.Fatal(err)
			}
			out, err := handler(context.Background(), c.method, params, nil)
			if got := cborrpc.Value(out).String(); got != c.want || (err == nil) != (c.want != "") {
				w.t.Errorf("%s %v: %s, %v, want %s", c.method, c.params, got, err, c.want)
			}
		}
	}},
	{"config, now", func(w *world) {
		w.want(`[{"a": 1}, null]`, "get_config")
		w.jobs.GlobalConfig = nil
		w.want("error: no config to get", "get_config")
		w.want("1000000000", "now")
		w.Pass(1500 * time.Millisecond)
		w.want("1000000001", "now")
	}},
	{"a call that is repeated", func(w *world) {
		// A client sends the same bytes again when its connection broke.
		w.spec("s")
		w.add("s", "a", "b")
		w.add("s", "a", "b")
		w.get("w", "s", "a", M{"lease_time": 5})
		w.get("w", "s", "b", M{"lease_time": 5})
		w.Pass(6 * time.Second)
		w.want("[{1: 2}, null]", "count_work_units", "s")
		w.want("1", "clear")
		w.want("0", "clear")
	}},
}
