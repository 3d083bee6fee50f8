package backend

import (
	"bytes"
	"errors"
	"maps"
	"math/big"
	"testing"
	"time"

	"github.com/muster-queue/muster/coordinate/cborrpc"
	"github.com/muster-queue/muster/job"
)

// TestSettings derives settings from definitions: the cases 69 to 71 and the
// rules for values of the wrong type.
func TestSettings(t *testing.T) {
	def := func(more map[string]any) map[string]any {
		m := map[string]any{"name": "s"}
		maps.Copy(m, more)
		return m
	}
	queue := func(edit func(*job.Queue)) job.Queue {
		q := job.Queue{Name: "s", Weight: job.DefaultWeight, Order: job.OrderKey}
		edit(&q)
		return q
	}
	cases := map[string]struct {
		spec map[string]any
		want job.Queue
	}{
		"defaults": {def(nil), queue(func(*job.Queue) {})},
		"all": {
			def(map[string]any{
				"priority": 5, "weight": 7, "nice": 3, "disabled": true, "continuous": true, "interval": 1.5, "max_running": 10,
				"max_getwork": 11, "max_retries": 12, "then": "next", "runtime": "go", "min_gb": 2,
			}),
			queue(func(q *job.Queue) {
				q.Priority, q.Weight, q.Paused, q.Continuous, q.CanBeContinuous, q.Interval = 5, 7, true, true, true, 1500*time.Millisecond
				q.MaxRunning, q.MaxPerRequest, q.MaxAttempts = 10, 11, 12
				q.Then, q.Runtime, q.MinMemory = "next", "go", 2<<30
			}),
		},
		"nice 5":           {def(map[string]any{"nice": 5}), queue(func(q *job.Queue) { q.Weight = 15 })},
		"nice 100":         {def(map[string]any{"nice": 100}), queue(func(q *job.Queue) { q.Weight = 1 })},
		"nice -80":         {def(map[string]any{"nice": -80}), queue(func(q *job.Queue) { q.Weight = 100 })},
		"weight wins":      {def(map[string]any{"nice": 5, "weight": 50}), queue(func(q *job.Queue) { q.Weight = 50 })},
		"weight 0 and":     {def(map[string]any{"nice": 5, "weight": 0}), queue(func(q *job.Queue) { q.Weight = 15 })},
		"negative weight":  {def(map[string]any{"weight": -4}), queue(func(q *job.Queue) { q.Weight = 1 })},
		"decimal strings":  {def(map[string]any{"priority": "5", "max_running": []byte("3"), "interval": " 0.25 "}), queue(func(q *job.Queue) { q.Priority, q.MaxRunning, q.Interval = 5, 3, 250*time.Millisecond })},
		"fractions":        {def(map[string]any{"weight": 9.9, "max_running": 2.7, "priority": -1.5}), queue(func(q *job.Queue) { q.Weight, q.MaxRunning, q.Priority = 9, 2, -1 })},
		"wrong types":      {def(map[string]any{"weight": "heavy", "max_running": []any{1}, "then": 4, "disabled": "yes", "interval": "0x10", "nice": map[string]any{}}), queue(func(*job.Queue) {})},
		"nulls":            {def(map[string]any{"weight": nil, "then": nil, "continuous": nil}), queue(func(*job.Queue) {})},
		"booleans as 0, 1": {def(map[string]any{"disabled": 1, "continuous": 0}), queue(func(q *job.Queue) { q.Paused = true })},
		"beyond bounds": {
			def(map[string]any{"interval": 1e300, "max_running": new(big.Int).Lsh(big.NewInt(1), 80), "priority": 1e30}),
			queue(func(q *job.Queue) { q.Interval = job.MaxTime }),
		},
		"a day": {def(map[string]any{"interval": 86400}), queue(func(q *job.Queue) { q.Interval = 24 * time.Hour })},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			got := new(job.Queue)
			definition, err := Definition(c.spec)
			if err == nil {
				err = SetDefinition(got, definition)
			}
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(got.Definition, definition) {
				t.Errorf("the definition became %x, was %x", got.Definition, definition)
			}
			if got.Definition = nil; !sameQueue(*got, c.want) {
				t.Errorf("got  %+v\nwant %+v", *got, c.want)
			}
		})
	}
}

func sameQueue(a, b job.Queue) bool {
	x, err1 := job.Encode(nil, a)
	y, err2 := job.Encode(nil, b)
	return err1 == nil && err2 == nil && bytes.Equal(x, y)
}

// TestNames is case 74: the errors of a name, which leave the queue as it was.
func TestNames(t *testing.T) {
	for _, c := range []struct {
		spec any
		want error
	}{
		{map[string]any{}, ErrNoWorkSpecName},
		{map[string]any{"name": nil}, ErrNoWorkSpecName},
		{map[string]any{"name": 4}, ErrBadWorkSpecName},
		{map[string]any{"name": []any{"s"}}, ErrBadWorkSpecName},
		{[]any{1}, nil},
		{map[string]any{"name": ""}, nil},
		{map[string]any{"name": "a\xff"}, nil},
		{map[string]any{"name": "s", "d": []byte{1}, "x": map[any]any{1: cborrpc.Value{0x62, 0xff, 0xff}}}, nil},
	} {
		v, err := cborrpc.Encode(c.spec)
		if err != nil {
			t.Fatal(err)
		}
		q := job.Queue{Name: "before", Weight: 3}
		err = SetDefinition(&q, v)
		if job.KindOf(err) != job.Invalid || c.want != nil && !errors.Is(err, c.want) {
			t.Errorf("%v: %v, want %v", c.spec, err, c.want)
		}
		if q.Name != "before" || q.Weight != 3 || q.Definition != nil {
			t.Errorf("%v: the queue was changed: %+v", c.spec, q)
		}
	}
}

// TestKept: what a definition does not speak of stays, as do byte strings.
func TestKept(t *testing.T) {
	q := job.Queue{Account: "lab", Paused: true, Weight: -1}
	definition, err := Definition(map[string]any{"name": []byte("s"), "module": "os.path", "run_function": "join", "config": map[string]any{"module": "m"}})
	if err == nil {
		err = SetDefinition(&q, definition)
	}
	if err != nil {
		t.Fatal(err)
	}
	if q.Name != "s" || q.Account != "lab" || q.Paused || q.Weight != job.DefaultWeight {
		t.Errorf("%+v", q)
	}
	out, err := OutSpec(q.Definition).Map()
	if err != nil {
		t.Fatal(err)
	}
	if m, ok := out["module"].([]byte); !ok || string(m) != "os.path" {
		t.Errorf("module is %#v", out["module"])
	}
	if m, ok := out["run_function"].([]byte); !ok || string(m) != "join" {
		t.Errorf("run_function is %#v", out["run_function"])
	}
	if m := out["config"].(map[string]any)["module"]; m != "m" {
		t.Errorf("module in config is %#v; only the top level is rewritten", m)
	}
}
