package jobserver_test

import (
	"context"
	"testing"

	"github.com/muster-queue/muster/coordinate"
	"github.com/muster-queue/muster/coordinate/cborrpc"
	"github.com/muster-queue/muster/coordinate/internal/coordinatetest"
	"github.com/muster-queue/muster/coordinate/jobserver"
	"github.com/muster-queue/muster/engine"
	"github.com/muster-queue/muster/store/memory"
)

// fuzzMethods are those that take what can be wrong in many ways.
var fuzzMethods = []string{
	"set_work_spec", "control_work_spec", "list_work_specs", "add_work_units", "get_work_units", "get_work_unit_status", "prioritize_work_units",
	"del_work_units", "update_work_unit", "get_work", "worker_heartbeat", "archive", "lock", "locksome", "renew", "readlock", "unlock", "delete_namespace",
	"get_child_work_units", "get_worker_info", "list_worker_modes", "count_work_units",
}

// FuzzMethods calls methods with whatever parameters: none may panic, and every
// answer is one item that clients can read.
func FuzzMethods(f *testing.F) {
	e, err := engine.New(context.Background(), engine.Config{}, memory.New())
	if err != nil {
		f.Fatal(err)
	}
	e.Listening()
	f.Cleanup(func() { e.Stop(0) })
	ns, err := coordinate.New(context.Background(), e).Namespace("")
	if err != nil {
		f.Fatal(err)
	}
	handler, err := (&jobserver.JobServer{Namespace: ns}).Handler()
	if err != nil {
		f.Fatal(err)
	}
	for i, params := range []any{
		L{M{"name": "s", "weight": "3", "interval": 0.5}}, L{"s", M{"status": 2}}, L{M{"start": "a", "limit": 2}}, L{"s", L{T{"k", M{"output": L{"x"}}, M{"delay": 1}, 2}, "bare"}},
		L{"s", M{"state": L{1, 3}, "start": "a"}}, L{"s", L{"k"}}, L{"s", M{"work_unit_keys": L{"k"}, "priority": 1}}, L{"s", M{"state": 1}},
		L{"s", "k", M{"status": 4, "data": M{}, "lease_time": -1}}, L{"w", M{"max_jobs": 2, "lease_time": 900}}, L{"w", "RUN", 10, M{}, nil}, L{M{}},
		L{"id", 10, L{L{"a", T{1}}}},
	} {
		v, err := cborrpc.Encode(coordinatetest.Python(params))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(uint8(i), []byte(v))
	}
	f.Fuzz(func(t *testing.T, method uint8, b []byte) {
		params, err := cborrpc.Parse(b)
		if err != nil {
			return
		}
		name := fuzzMethods[int(method)%len(fuzzMethods)]
		out, err := handler(t.Context(), name, params, nil)
		if err != nil {
			return
		}
		v, err := cborrpc.Parse(out)
		if err != nil || len(v) != len(out) {
			t.Fatalf("%s(%s): %x: %v", name, params, out, err)
		}
		if clean, err := v.Clean(); err != nil || len(clean) != len(v) {
			t.Fatalf("%s(%s): clients cannot read %s: %v", name, params, v, err)
		}
	})
}
