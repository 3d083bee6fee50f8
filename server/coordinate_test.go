package server

import (
	"context"
	"strings"
	"testing"

	"github.com/muster-queue/muster/coordinate/cborrpc"
	"github.com/muster-queue/muster/job"
)

// TestCoordinateFace serves Coordinate's clients when asked for, and ends their
// calls in order.
func TestCoordinateFace(t *testing.T) {
	ctx := context.Background()
	s := start(t, Config{
		Data: t.TempDir(), Listen: "127.0.0.1:0", HTTP: NoHTTP, Store: "memory:",
		Coordinate: CoordinateConfig{Listen: "127.0.0.1:0", Global: map[string]any{"a": 1}, LogRequests: true},
	})
	address := s.Where().CoordinateAddress
	c, err := cborrpc.Dial(ctx, address)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	for _, step := range []struct {
		method string
		params []any
		want   string
	}{
		{"get_config", nil, `[{"a": 1}, null]`},
		{"set_work_spec", []any{map[string]any{"name": "s"}}, "[true, null]"},
		{"add_work_units", []any{"s", []any{"k"}}, "[true, null]"},
		{"get_work", []any{"w", map[string]any{}}, `[128(["s", b"k", {}]), null]`},
		{"count_work_units", []any{"s"}, "[{3: 1}, null]"},
	} {
		v, err := c.Call(ctx, step.method, step.params...)
		if err != nil || v.String() != step.want {
			t.Errorf("%s: %s, %v, want %s", step.method, v, err, step.want)
		}
	}
	ns, err := s.Engine().Namespace(ctx, job.DefaultNamespace)
	if err != nil {
		t.Fatal(err)
	}
	if q, err := ns.Queue(ctx, "s"); err != nil || q.Counts[job.Reserved] != 1 {
		t.Errorf("the queue is %+v, %v", q, err)
	}
	s.Stop(-1, ErrStopped)
	if _, err := c.Call(ctx, "now"); err == nil {
		t.Error("a stopped server answers")
	}
	if _, err := cborrpc.Dial(ctx, address); err == nil {
		t.Error("a stopped server listens")
	}
}

// TestCoordinateAddress: others are let in only when that was said.
func TestCoordinateAddress(t *testing.T) {
	for _, c := range []struct {
		address string
		open    bool
		want    string
	}{
		{"", false, ""}, {"127.0.0.1:5932", false, ""}, {"[::1]:5932", false, ""}, {"localhost:0", false, ""},
		{":5932", false, "--coordinate-open"}, {"0.0.0.0:5932", false, "--coordinate-open"}, {"10.0.0.1:5932", false, "--coordinate-open"}, {":5932", true, ""},
		{"5932", true, "HOST:PORT"}, {"localhost:x", true, "port"},
	} {
		cfg := CoordinateConfig{Listen: c.address, Open: c.open}
		err := cfg.validate()
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q, open %v: %v", c.address, c.open, err)
		}
	}
	s := start(t, Config{Data: t.TempDir(), Listen: "127.0.0.1:0", HTTP: NoHTTP, Store: "memory:"})
	if where := s.Where().CoordinateAddress; where != "" {
		t.Errorf("it is served at %s without being asked for", where)
	}
	taken := Config{Data: t.TempDir(), Listen: "127.0.0.1:0", HTTP: NoHTTP, Store: "memory:", Coordinate: CoordinateConfig{Listen: s.Where().Address}}
	if _, err := Start(context.Background(), taken); job.KindOf(err) != job.Unavailable {
		t.Errorf("on an address that is taken: %v", err)
	}
}
