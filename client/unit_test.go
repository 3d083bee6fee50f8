package client_test

import (
	"bytes"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/muster-queue/muster/client"
	"github.com/muster-queue/muster/job"
	"github.com/muster-queue/muster/server"
)

// document is a map in CBOR: {"x": text}.
func document(text string) []byte {
	return append([]byte{0xa1, 0x61, 'x', 0x60 | byte(len(text))}, text...)
}

// defined makes a queue with a definition that has units of these keys.
func defined(t *testing.T, n *client.Namespace, name string, keys ...job.Key) {
	t.Helper()
	_, err := n.SetQueue(t.Context(), &job.Queue{Name: name, Definition: []byte{0xa0}, Order: job.OrderKey})
	ok(t, err)
	var jobs []*job.Job
	for _, k := range keys {
		jobs = append(jobs, &job.Job{Queue: name, Key: k, Data: document("own")})
	}
	_, _, err = n.AddJobs(t.Context(), client.AddOptions{Defined: true}, jobs...)
	ok(t, err)
}

func keysOf(units []*client.Unit) (keys []job.Key) {
	for _, u := range units {
		if u != nil {
			keys = append(keys, u.Key)
		}
	}
	return keys
}

func TestUnits(t *testing.T) {
	n, ctx := ready(t), t.Context()
	odd := job.Key("\xff\x00 any bytes")
	defined(t, n, "q", odd, "b", "a", "")
	units, err := n.Units(ctx, client.UnitsRequest{Queue: "q"})
	ok(t, err)
	if got := fmt.Sprintf("%q", keysOf(units)); got != fmt.Sprintf("%q", []job.Key{"", "a", "b", odd}) {
		t.Fatalf("keys %s", got)
	}
	if u := units[1]; u.Queue != "q" || u.State != job.Ready || !bytes.Equal(u.Data(), document("own")) || u.Attempt != nil {
		t.Fatalf("unit %+v", u)
	}
	named, err := n.Units(ctx, client.UnitsRequest{Queue: "q", Keys: []job.Key{odd, "missing", "a"}, Brief: true})
	ok(t, err)
	if len(named) != 3 || named[0].Key != odd || named[1] != nil || named[2].Key != "a" || named[2].Data() != nil {
		t.Fatalf("named %+v", named)
	}
	after := job.Key("a")
	for what, r := range map[string]client.UnitsRequest{
		"after a":       {Queue: "q", After: &after, Limit: 1},
		"in no state":   {Queue: "q", States: []job.State{}},
		"of no key":     {Queue: "q", Keys: []job.Key{}},
		"complete ones": {Queue: "q", States: []job.State{job.Complete}},
	} {
		list, err := n.Units(ctx, r)
		ok(t, err)
		if want := map[string]int{"after a": 1}[what]; len(list) != want || want == 1 && list[0].Key != "b" {
			t.Fatalf("units %s: %q", what, keysOf(list))
		}
	}
	if _, err := n.Units(ctx, client.UnitsRequest{Queue: "absent"}); !errors.Is(err, job.ErrNoQueue) {
		t.Fatalf("units of no queue: %v", err)
	}
	if deleted, err := n.DeleteUnits(ctx, client.UnitSelector{Queue: "q"}); deleted != 0 || err != nil {
		t.Fatalf("nothing selected: deleted %d, %v", deleted, err)
	}
	if deleted, err := n.DeleteUnits(ctx, client.UnitSelector{Queue: "q", Keys: []job.Key{odd, "missing"}}); deleted != 1 || err != nil {
		t.Fatalf("deleted %d, %v", deleted, err)
	}
	seven := 7.0
	ok(t, n.PrioritiseUnits(ctx, client.UnitSelector{Queue: "q", Keys: []job.Key{"b"}}, &seven, 0))
	ok(t, n.PrioritiseUnits(ctx, client.UnitSelector{Queue: "q", Keys: []job.Key{"b"}}, nil, 0.5))
	named, err = n.Units(ctx, client.UnitsRequest{Queue: "q", Keys: []job.Key{"b"}})
	ok(t, err)
	if named[0].Priority != 7.5 {
		t.Fatalf("priority %v", named[0].Priority)
	}
	if deleted, err := n.DeleteUnits(ctx, client.UnitSelector{Queue: "q", All: true}); deleted != 3 || err != nil {
		t.Fatalf("deleted %d, %v", deleted, err)
	}
}

// TestLargeUnits lists more data than one answer carries.
func TestLargeUnits(t *testing.T) {
	n, ctx := ready(t), t.Context()
	defined(t, n, "q")
	const each = 900 << 10
	var want []job.Key
	for i := range 40 {
		key := job.Key(fmt.Sprintf("k%03d", i))
		body := append([]byte{0xa1, 0x61, 'x', 0x5a, 0, each >> 16 & 255, each >> 8 & 255, each & 255}, bytes.Repeat([]byte{byte(i)}, each)...)
		_, _, err := n.AddJobs(ctx, client.AddOptions{}, &job.Job{Queue: "q", Key: key, Data: body})
		ok(t, err)
		want = append(want, key)
	}
	for what, r := range map[string]client.UnitsRequest{
		"in order": {Queue: "q"}, "limited": {Queue: "q", Limit: 39}, "by key": {Queue: "q", Keys: append([]job.Key{"missing"}, want...)},
	} {
		units, err := n.Units(ctx, r)
		ok(t, err)
		if what == "by key" {
			if units[0] != nil {
				t.Fatalf("a missing key has the unit %q", units[0].Key)
			}
			units = units[1:]
		}
		number := 40
		if what == "limited" {
			number = 39
		}
		if len(units) != number {
			t.Fatalf("%s: %d units", what, len(units))
		}
		for i, u := range units {
			if u.Key != want[i] || len(u.Own) != each+8 || u.Own[100] != byte(i) {
				t.Fatalf("%s: unit %d is %q with %d bytes", what, i, u.Key, len(u.Own))
			}
		}
	}
}

func TestUpdate(t *testing.T) {
	n, ctx := ready(t), t.Context()
	defined(t, n, "q", "a")
	w := n.Worker("w", nil)
	grants, err := w.Reserve(ctx, 5, 0, client.Want{OneQueue: true, Defined: true, Runtimes: []string{""}, AvailableMemory: 1, Lease: time.Minute})
	ok(t, err)
	if len(grants) != 1 {
		t.Fatalf("%d grants", len(grants))
	}
	lease := time.Hour
	u, err := n.Update(ctx, client.UpdateRequest{Queue: "q", Key: "a", Lease: &lease, Data: document("mine")})
	ok(t, err)
	if !u.Changed || u.State != job.Reserved || u.Attempt != grants[0].Attempt {
		t.Fatalf("renewed: %+v", u)
	}
	held, err := n.WorkerUnits(ctx, "w", false)
	ok(t, err)
	if len(held) != 1 || held[0].Attempt.Worker != "w" || !bytes.Equal(held[0].Data(), document("mine")) ||
		!bytes.Equal(held[0].Own, document("own")) || time.Until(held[0].Attempt.Deadline) < 50*time.Minute {
		t.Fatalf("held %+v", held)
	}
	if _, err := n.Update(ctx, client.UpdateRequest{Queue: "q", Key: "a", Attempt: job.AttemptID{Epoch: 1, N: 999}, To: client.TargetComplete}); !errors.Is(err, job.ErrLostLease) {
		t.Fatalf("an update by another attempt: %v", err)
	}
	u, err = n.Update(ctx, client.UpdateRequest{Queue: "q", Key: "a", To: client.TargetComplete})
	ok(t, err)
	if !u.Changed || u.State != job.Complete {
		t.Fatalf("completed: %+v", u)
	}
	u, err = n.Update(ctx, client.UpdateRequest{Queue: "q", Key: "a", To: client.TargetBuried})
	ok(t, err)
	if u.Changed || u.State != job.Complete {
		t.Fatalf("failed after it completed: %+v", u)
	}
	if _, err := n.Update(ctx, client.UpdateRequest{Queue: "q", Key: "a", To: client.TargetHeld}); !job.IsKind(err, job.Conflict) {
		t.Fatalf("a complete unit to be held: %v", err)
	}
	if _, err := n.Update(ctx, client.UpdateRequest{Queue: "q", Key: "none"}); !errors.Is(err, job.ErrNoJob) {
		t.Fatalf("an update of nothing: %v", err)
	}
	if _, err := n.Update(ctx, client.UpdateRequest{Queue: "q", Key: "a", To: "lunch"}); !job.IsKind(err, job.Invalid) {
		t.Fatalf("an unknown target: %v", err)
	}
	g, err := n.MakeAttempt(ctx, "v", "q", "a", time.Minute)
	ok(t, err)
	if j, err := g.Job(); err != nil || j.Key != "a" || g.Number != 2 || time.Until(g.Deadline) > time.Minute {
		t.Fatalf("made %+v of %+v, %v", g, j, err)
	}
	list, err := n.UnitAttempts(ctx, "q", "a")
	ok(t, err)
	if len(list) != 2 || list[0].Worker != "w" || list[0].Outcome != job.OutcomeComplete || list[1].Worker != "v" || list[1].Outcome != job.OutcomeNone {
		t.Fatalf("attempts %+v, %+v", list[0], list[len(list)-1])
	}
}

func TestChildUnits(t *testing.T) {
	n, ctx := ready(t), t.Context()
	defined(t, n, "q", "a", "b")
	soon := time.Now().Add(time.Hour)
	for _, w := range []job.Worker{{Name: "p", Expires: soon}, {Name: "c1", Parent: "p", Mode: "RUN", Data: []byte("facts"), Expires: soon}, {Name: "c2", Parent: "p"}, {Name: "x"}} {
		ok(t, n.Announce(ctx, &w, false))
	}
	for _, name := range []string{"c1", "x"} {
		grants, err := n.Worker(name, nil).Reserve(ctx, 1, 0, client.Want{})
		ok(t, err)
		if len(grants) != 1 {
			t.Fatalf("%s has %d grants", name, len(grants))
		}
	}
	children, err := n.ChildUnits(ctx, "p")
	ok(t, err)
	if len(children) != 1 || len(children["c1"]) != 1 || children["c1"][0].Key != "a" {
		t.Fatalf("children %+v", children)
	}
	names := func(f client.WorkerFilter) string {
		var all []string
		for _, w := range collect(t, n.Workers(ctx, f)) {
			all = append(all, w.Name)
		}
		return fmt.Sprint(all)
	}
	ok(t, n.Announce(ctx, &job.Worker{Name: "c2"}, true))
	for want, f := range map[string]client.WorkerFilter{
		"[c1]": {Parent: "p", Active: true}, "[c1 c2]": {Parent: "p", All: true}, "[c1 p]": {Active: true}, "[c1 c2 p x]": {All: true}, "[c1 p x]": {},
	} {
		if got := names(f); got != want {
			t.Errorf("workers %+v: %s, want %s", f, got, want)
		}
	}
	w, err := n.WorkerInfo(ctx, "c1")
	ok(t, err)
	if w.Parent != "p" || w.Mode != "RUN" || string(w.Data) != "facts" || !w.Active || w.Left || w.Expires.Sub(soon).Abs() > time.Millisecond {
		t.Fatalf("worker %+v", w)
	}
}

// TestQueueSettings: all settings of a queue arrive.
func TestQueueSettings(t *testing.T) {
	n, ctx := ready(t), t.Context()
	keep := int64(0)
	q := &job.Queue{
		Name: "q", Definition: []byte{0xa0}, Order: job.OrderKey, MinMemory: 1 << 30, CanBeContinuous: true, Continuous: true, Interval: time.Second,
		KeepFinished: &keep, KeepFinishedFor: time.Hour, Then: "next", MaxAttempts: 3, MaxPerRequest: 4,
	}
	got, err := n.SetQueue(ctx, q)
	ok(t, err)
	if fmt.Sprintf("%+v", *got) != fmt.Sprintf("%+v", func() job.Queue { c := *q; c.KeepFinished = got.KeepFinished; return c }()) || *got.KeepFinished != 0 {
		t.Fatalf("queue %+v, want %+v", got, q)
	}
	defined(t, n, "p", "a", "b", "c")
	for _, k := range []job.Key{"a", "b"} {
		_, err := n.Update(ctx, client.UpdateRequest{Queue: "p", Key: k, To: client.TargetComplete})
		ok(t, err)
	}
	if removed, err := n.Prune(ctx, "p"); removed != 0 || err != nil {
		t.Fatalf("pruned %d, %v, with nothing to go by", removed, err)
	}
	_, err = n.SetQueue(ctx, &job.Queue{Name: "p", KeepFinishedFor: time.Nanosecond}, "keep_finished_for")
	ok(t, err)
	_, err = n.Prune(ctx, "p")
	ok(t, err)
	units, err := n.Units(ctx, client.UnitsRequest{Queue: "p"})
	ok(t, err)
	if len(units) != 1 || units[0].Key != "c" {
		t.Fatalf("left are %q", keysOf(units))
	}
	if _, err := n.Prune(ctx, "absent"); !errors.Is(err, job.ErrNoQueue) {
		t.Fatalf("pruning no queue: %v", err)
	}
}

// TestUpdatesOverBreakingConnections: each is done once, though its answer is lost
// now and then.
func TestUpdatesOverBreakingConnections(t *testing.T) {
	s := serve(t, server.Config{})
	change, dials := frailty(t, 4000)
	n := dial(t, s, change).Namespace("")
	defined(t, n, "q", "a")
	for i := range 150 {
		for _, to := range []client.Target{client.TargetHeld, client.TargetComplete, client.TargetReady} {
			u, err := n.Update(t.Context(), client.UpdateRequest{Queue: "q", Key: "a", To: to})
			ok(t, err)
			if !u.Changed {
				t.Fatalf("round %d, %q: nothing was changed", i, to)
			}
		}
	}
	if dials.Load() < 5 {
		t.Fatalf("%d connections; the test shows nothing", dials.Load())
	}
}
