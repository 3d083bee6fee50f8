package engine

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fxamacker/cbor/v2"

	"github.com/muster-queue/muster/job"
	"github.com/muster-queue/muster/store/memory"
)

func inCBOR(t *testing.T, v any) []byte {
	t.Helper()
	b, err := cbor.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func output(t *testing.T, v any) []byte {
	t.Helper()
	return inCBOR(t, map[string]any{"output": v})
}

// chain makes a queue u that feeds v, and a unit in it.
func (b *bench) chain(t *testing.T, own []byte) {
	t.Helper()
	unitQueue(t, b, job.Queue{Name: "u", Then: "v"})
	unitQueue(t, b, job.Queue{Name: "v"})
	b.add(t, &job.Job{Queue: "u", Key: "k", Data: own})
}

// inV are the units of v: key, state, data.
func (b *bench) inV(t *testing.T) []string {
	t.Helper()
	units, err := b.ns.Units(b.ctx, UnitsRequest{Queue: "v", Limit: 100})
	if err != nil {
		t.Fatal(err)
	}
	list := []string{}
	for _, u := range units {
		list = append(list, fmt.Sprintf("%s %v %x", u.Key, u.State, u.Data()))
	}
	return list
}

// ways are all the ways in which a unit completes: each is given a unit that is
// held, and perhaps data.
var ways = map[string]func(t *testing.T, b *bench, g Grant, data []byte){
	"report": func(t *testing.T, b *bench, g Grant, data []byte) {
		if a := b.report(t, Report{Ref: refTo(g), Kind: ReportComplete, Data: data}); a.Err != nil {
			t.Fatal(a.Err)
		}
	},
	"update": func(t *testing.T, b *bench, _ Grant, data []byte) {
		if _, err := b.update(t, UpdateRequest{To: TargetComplete, Data: data}); err != nil {
			t.Fatal(err)
		}
	},
	"update by attempt": func(t *testing.T, b *bench, g Grant, data []byte) {
		if _, err := b.update(t, UpdateRequest{To: TargetComplete, Attempt: g.Attempt, Data: data}); err != nil {
			t.Fatal(err)
		}
	},
	"late": func(t *testing.T, b *bench, g Grant, data []byte) {
		time.Sleep(2 * time.Minute)
		if _, err := b.update(t, UpdateRequest{To: TargetComplete, Attempt: g.Attempt, Data: data}); err != nil {
			t.Fatal(err)
		}
	},
	"late report": func(t *testing.T, b *bench, g Grant, data []byte) {
		time.Sleep(2 * time.Minute)
		if a := b.report(t, Report{Ref: refTo(g), Kind: ReportComplete, Data: data}); a.Err != nil {
			t.Fatal(a.Err)
		}
	},
	"after failing": func(t *testing.T, b *bench, g Grant, data []byte) {
		if a := b.report(t, Report{Ref: refTo(g), Kind: ReportBury}); a.Err != nil {
			t.Fatal(a.Err)
		}
		if _, err := b.update(t, UpdateRequest{To: TargetComplete, Data: data}); err != nil {
			t.Fatal(err)
		}
	},
	"after failing with it": func(t *testing.T, b *bench, g Grant, data []byte) {
		if a := b.report(t, Report{Ref: refTo(g), Kind: ReportBury, Data: data}); a.Err != nil {
			t.Fatal(a.Err)
		}
		if _, err := b.update(t, UpdateRequest{To: TargetComplete}); err != nil {
			t.Fatal(err)
		}
	},
}

// TestOutputs: whichever way a unit completes, and wherever its output is, it feeds
// the next queue, once.
func TestOutputs(t *testing.T) {
	keys := []any{"a", []any{"b", map[string]any{"x": 1}}}
	want := []string{"a ready a0", "b ready a1617801"}
	for name, complete := range ways {
		for _, where := range []string{"with the end", "with a renewal", "in the unit's own data"} {
			t.Run(name+" "+where, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					b := setup(t, Config{})
					own := []byte{0xa0}
					if where == "in the unit's own data" {
						own = output(t, keys)
					}
					b.chain(t, own)
					g := b.reserve(t, ReserveRequest{Lease: time.Minute})[0]
					var last []byte
					switch where {
					case "with the end":
						last = output(t, keys)
					case "with a renewal":
						if a := b.report(t, Report{Ref: refTo(g), Kind: ReportRenew, Data: output(t, keys)}); a.Err != nil {
							t.Fatal(a.Err)
						}
					}
					complete(t, b, g, last)
					wantList(t, b.inV(t), want...)
					if r, err := b.update(t, UpdateRequest{To: TargetComplete, Data: output(t, []any{"c"})}); err != nil || r.Changed {
						t.Fatalf("completing it again: %+v, %v", r, err)
					}
					wantList(t, b.inV(t), want...)
				})
			})
		}
	}
}

// TestOutputsOfWhatNobodyHeld: an available unit that is completed feeds, too.
func TestOutputsOfWhatNobodyHeld(t *testing.T) {
	b := setup(t, Config{})
	b.chain(t, output(t, map[string]any{"own": nil}))
	if r, err := b.update(t, UpdateRequest{To: TargetComplete}); err != nil || !r.Changed {
		t.Fatalf("%+v, %v", r, err)
	}
	wantList(t, b.inV(t), "own ready f6")
}

// TestOutputsRedo: a unit that is there gets the new data and is done again; one
// that is held is not disturbed.
func TestOutputsRedo(t *testing.T) {
	b := setup(t, Config{})
	b.chain(t, []byte{0xa0})
	b.add(t, in("v", "buried", "done", "held", "waits")...)
	for _, g := range b.reserve(t, ReserveRequest{N: 3, Queues: []string{"v"}}) {
		j, _ := g.Job()
		switch j.Key {
		case "buried":
			b.report(t, Report{Ref: refTo(g), Kind: ReportBury})
		case "done":
			b.report(t, Report{Ref: refTo(g), Kind: ReportComplete})
		}
	}
	data := map[string]any{"new": 1}
	all := map[string]any{"buried": data, "done": data, "held": data, "waits": data}
	if _, err := b.update(t, UpdateRequest{To: TargetComplete, Data: output(t, all)}); err != nil {
		t.Fatal(err)
	}
	fresh := fmt.Sprintf("%x", inCBOR(t, data))
	wantList(t, b.inV(t), "buried ready "+fresh, "done ready "+fresh, "held reserved a0", "waits ready "+fresh)
	if _, err := b.ns.Update(b.ctx, UpdateRequest{Queue: "v", Key: "held", To: TargetReady}); err != nil {
		t.Fatal(err)
	}
	wantList(t, b.inV(t), "buried ready "+fresh, "done ready "+fresh, "held ready "+fresh, "waits ready "+fresh)
}

// TestSelfChain: a unit may make itself anew, and others beside it.
func TestSelfChain(t *testing.T) {
	b := setup(t, Config{})
	unitQueue(t, b, job.Queue{Name: "u", Then: "u"})
	b.add(t, in("u", "k")...)
	for range 3 {
		b.reserve(t, ReserveRequest{})
		if r, err := b.update(t, UpdateRequest{To: TargetComplete, Data: output(t, []any{"k", "l"})}); err != nil || !r.Changed {
			t.Fatalf("%+v, %v", r, err)
		}
		wantList(t, b.units(t, UnitsRequest{}), `k ready "\xa0"`, `l ready "\xa0"`)
	}
	if c := b.counts(t); c[job.Complete] != 0 || c[job.Ready] != 2 {
		t.Fatalf("counts %v", c)
	}
}

// TestOutputsThatGoNowhere: without a queue of units that follows nothing is made,
// and completing is as ever.
func TestOutputsThatGoNowhere(t *testing.T) {
	b := setup(t, Config{})
	for name, def := range map[string]job.Queue{
		"no then": {Name: "u"}, "absent": {Name: "u", Then: "absent"}, "undefined": {Name: "u", Then: "plain"},
	} {
		unitQueue(t, b, def)
		b.add(t, &job.Job{Queue: "plain", Key: job.Key(name), Data: []byte{0xa0}})
		b.add(t, in("u", "k")...)
		if r, err := b.update(t, UpdateRequest{To: TargetComplete, Data: output(t, []any{"a"})}); err != nil || r.State != job.Complete {
			t.Fatalf("%s: %+v, %v", name, r, err)
		}
		if _, err := b.update(t, UpdateRequest{To: TargetReady}); err != nil {
			t.Fatal(err)
		}
	}
	if c := b.counts(t); c.Total() != 4 {
		t.Fatalf("counts %v; want the unit and three plain jobs", c)
	}
}

// TestOutputsWait: a delay and a priority in the output are kept.
func TestOutputsWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := setup(t, Config{})
		b.chain(t, []byte{0xa0})
		b.reserve(t, ReserveRequest{})
		meta := func(m map[string]any) []any { return []any{"b", map[string]any{}, m} }
		out := []any{"a", meta(map[string]any{"priority": 10}), []any{"c", nil, map[string]any{"delay": 90}}}
		if _, err := b.update(t, UpdateRequest{To: TargetComplete, Data: output(t, out)}); err != nil {
			t.Fatal(err)
		}
		b.pulls(t, 9, ReserveRequest{Queues: []string{"v"}}, "v b a")
		time.Sleep(time.Minute)
		b.pulls(t, 9, ReserveRequest{Queues: []string{"v"}}, "")
		time.Sleep(time.Minute)
		b.pulls(t, 9, ReserveRequest{Queues: []string{"v"}}, "v c")
	})
}

// TestOutputsCommitWithTheEnd: when the commit fails, neither has happened.
func TestOutputsCommitWithTheEnd(t *testing.T) {
	b := setup(t, Config{})
	b.chain(t, []byte{0xa0})
	g := b.reserve(t, ReserveRequest{})[0]
	b.store.failNext(fmt.Errorf("simulated fault"))
	_, err := b.update(t, UpdateRequest{To: TargetComplete, Attempt: g.Attempt, Data: output(t, []any{"a"})})
	if !job.IsKind(err, job.Unavailable) {
		t.Fatal(err)
	}
	wantList(t, b.inV(t))
	if u := b.one(t); u.State != job.Reserved {
		t.Fatalf("%+v", u)
	}
	if _, err := b.update(t, UpdateRequest{To: TargetComplete, Attempt: g.Attempt, Data: output(t, []any{"a"})}); err != nil {
		t.Fatal(err)
	}
	wantList(t, b.inV(t), "a ready a0")
}

// TestOutputsWithoutRoom: a completion whose jobs do not fit into the namespace is
// refused, and can be reported again.
func TestOutputsWithoutRoom(t *testing.T) {
	b := &bench{store: &shelf{Store: memory.New()}, ctx: t.Context()}
	cfg := Config{}
	cfg.Queue.MaxJobs = 2
	b.start(t, cfg)
	b.chain(t, []byte{0xa0})
	g := b.reserve(t, ReserveRequest{})[0]
	if _, err := b.update(t, UpdateRequest{To: TargetComplete, Data: output(t, []any{"a", "b", "c"})}); !job.IsKind(err, job.Exhausted) {
		t.Fatalf("%v; want exhausted", err)
	}
	if a := b.report(t, Report{Ref: refTo(g), Kind: ReportComplete, Data: output(t, []any{"a", "b", "c"})}); !job.IsKind(a.Err, job.Exhausted) {
		t.Fatalf("%v; want exhausted", a.Err)
	}
	if u := b.one(t); u.State != job.Reserved {
		t.Fatalf("%+v", u)
	}
	if a := b.report(t, Report{Ref: refTo(g), Kind: ReportComplete, Data: output(t, []any{"a"})}); a.Err != nil {
		t.Fatal(a.Err)
	}
}

// TestExplicitOutputs: what a report says itself takes the place of its data's
// output, also when its jobs have finished long ago.
func TestExplicitOutputs(t *testing.T) {
	b := setup(t, Config{})
	b.chain(t, output(t, []any{"own"}))
	b.add(t, in("v", "done")...)
	b.report(t, Report{Ref: refTo(b.reserve(t, ReserveRequest{Queues: []string{"v"}})[0]), Kind: ReportComplete})
	g := b.reserve(t, ReserveRequest{})[0]
	if a := b.report(t, Report{Ref: refTo(g), Kind: ReportComplete, Outputs: in("v", "done", "more")}); a.Err != nil {
		t.Fatal(a.Err)
	}
	wantList(t, b.inV(t), "done ready a0", "more ready a0")
}
