package engine

import (
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/muster-queue/muster/job"
)

// The table of updates: what each does to a unit in each state, and what is seen
// afterwards.

type updateRow struct {
	to   Target
	from string // available, delayed, held, expired, complete, buried
	data bool   // with data
	// What follows: changed, state, the data that is read; conflict instead.
	changed  bool
	state    job.State
	sees     string
	conflict bool
}

const (
	ownSeen = "own" // the unit's own data
	tried   = "try" // what its first attempt left
	updated = "new" // what the update brought
)

var updateTable = []updateRow{
	{TargetNone, "available", false, false, job.Ready, ownSeen, false},
	{TargetNone, "available", true, true, job.Ready, updated, false},
	{TargetReady, "available", false, false, job.Ready, ownSeen, false},
	{TargetReady, "available", true, true, job.Ready, updated, false},
	{TargetRetry, "available", false, false, job.Ready, ownSeen, false},
	{TargetHeld, "available", false, true, job.Reserved, ownSeen, false},
	{TargetHeld, "available", true, true, job.Reserved, updated, false},
	{TargetComplete, "available", false, true, job.Complete, ownSeen, false},
	{TargetComplete, "available", true, true, job.Complete, updated, false},
	{TargetFailed, "available", false, true, job.Buried, ownSeen, false},
	{TargetFailed, "available", true, true, job.Buried, updated, false},

	{TargetNone, "delayed", false, false, job.Delayed, ownSeen, false},
	{TargetNone, "delayed", true, true, job.Delayed, updated, false},
	{TargetReady, "delayed", false, false, job.Delayed, ownSeen, false},
	{TargetHeld, "delayed", true, true, job.Reserved, updated, false},
	{TargetComplete, "delayed", true, true, job.Complete, updated, false},
	{TargetFailed, "delayed", false, true, job.Buried, ownSeen, false},

	{TargetNone, "held", false, true, job.Reserved, tried, false},
	{TargetNone, "held", true, true, job.Reserved, updated, false},
	{TargetReady, "held", false, true, job.Ready, ownSeen, false},
	{TargetReady, "held", true, true, job.Ready, ownSeen, false},
	{TargetRetry, "held", true, true, job.Ready, ownSeen, false},
	{TargetHeld, "held", false, true, job.Reserved, tried, false},
	{TargetHeld, "held", true, true, job.Reserved, updated, false},
	{TargetComplete, "held", false, true, job.Complete, tried, false},
	{TargetComplete, "held", true, true, job.Complete, updated, false},
	{TargetFailed, "held", false, true, job.Buried, tried, false},
	{TargetFailed, "held", true, true, job.Buried, updated, false},

	{TargetNone, "expired", false, false, job.Ready, ownSeen, false},
	{TargetReady, "expired", true, true, job.Ready, updated, false},
	{TargetHeld, "expired", false, true, job.Reserved, ownSeen, false},
	{TargetComplete, "expired", false, true, job.Complete, ownSeen, false},
	{TargetComplete, "expired", true, true, job.Complete, updated, false},
	{TargetFailed, "expired", true, true, job.Buried, updated, false},

	{TargetNone, "complete", false, false, job.Complete, tried, false},
	{TargetNone, "complete", true, false, job.Complete, tried, false},
	{TargetReady, "complete", false, true, job.Ready, ownSeen, false},
	{TargetReady, "complete", true, true, job.Ready, ownSeen, false},
	{TargetRetry, "complete", false, true, job.Ready, ownSeen, false},
	{TargetHeld, "complete", false, false, job.Complete, tried, true},
	{TargetComplete, "complete", false, false, job.Complete, tried, false},
	{TargetComplete, "complete", true, false, job.Complete, tried, false},
	{TargetFailed, "complete", true, false, job.Complete, tried, false},

	{TargetNone, "buried", true, false, job.Buried, tried, false},
	{TargetReady, "buried", true, true, job.Ready, ownSeen, false},
	{TargetRetry, "buried", false, true, job.Ready, ownSeen, false},
	{TargetHeld, "buried", false, false, job.Buried, tried, true},
	{TargetComplete, "buried", false, true, job.Complete, tried, false},
	{TargetComplete, "buried", true, true, job.Complete, updated, false},
	{TargetFailed, "buried", true, false, job.Buried, tried, false},
}

// into brings the unit into a state of the table. An attempt, where there is one,
// has data of its own: given while it was held or, with late, with its end.
func (b *bench) into(t *testing.T, state string, late bool) {
	t.Helper()
	j := unit("k", 3)
	j.Data = []byte(ownSeen)
	if state == "delayed" {
		j.NotBefore = time.Now().Add(time.Hour)
	}
	b.add(t, j)
	if state == "available" || state == "delayed" {
		return
	}
	g := b.reserve(t, ReserveRequest{N: 1, Lease: time.Minute})[0]
	r := Report{Ref: refTo(g), Kind: ReportRenew, Data: []byte(tried)}
	end := Report{Ref: refTo(g)}
	if late {
		r.Data, end.Data = []byte("lost on the way"), []byte(tried)
	}
	if a := b.report(t, r); a.Err != nil {
		t.Fatal(a.Err)
	}
	switch state {
	case "held":
		if late {
			b.report(t, Report{Ref: refTo(g), Kind: ReportRenew, Data: end.Data})
		}
		return
	case "expired":
		time.Sleep(2 * time.Minute)
		return
	case "complete":
		end.Kind = ReportComplete
	case "buried":
		end.Kind = ReportBury
	}
	if a := b.report(t, end); a.Err != nil {
		t.Fatal(a.Err)
	}
}

// one reads the unit.
func (b *bench) one(t *testing.T) *Unit {
	t.Helper()
	units, err := b.ns.Units(b.ctx, UnitsRequest{Queue: "u", Keys: []job.Key{"k"}})
	if err != nil || units[0] == nil {
		t.Fatalf("read the unit: %v, %v", units, err)
	}
	return units[0]
}

func (b *bench) update(t *testing.T, r UpdateRequest) (UpdateResult, error) {
	t.Helper()
	r.Queue, r.Key = "u", "k"
	return b.ns.Update(b.ctx, r)
}

func TestUpdateTable(t *testing.T) {
	for _, row := range updateTable {
		for _, late := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s_to_%d_%v_%v", row.from, row.to, row.data, late), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					b := setup(t, Config{})
					unitQueue(t, b, job.Queue{Name: "u"})
					b.into(t, row.from, late)
					r := UpdateRequest{To: row.to, Worker: "maker"}
					if row.data {
						r.Data = []byte(updated)
					}
					got, err := b.update(t, r)
					if row.conflict != job.IsKind(err, job.Conflict) || err != nil && !row.conflict {
						t.Fatalf("%v; want a conflict: %v", err, row.conflict)
					}
					u := b.one(t)
					if got.Changed != row.changed || u.State != row.state || err == nil && got.State != row.state {
						t.Fatalf("%+v, then %v; want changed %v, %v", got, u.State, row.changed, row.state)
					}
					if string(u.Data()) != row.sees || u.Priority != 3 {
						t.Fatalf("read data %q and priority %v; want %q and 3", u.Data(), u.Priority, row.sees)
					}
					b.replayed(t, u)
				})
			})
		}
	}
}

// replayed checks that the unit is the same when it is read from a server that was
// started anew.
func (b *bench) replayed(t *testing.T, before *Unit) {
	t.Helper()
	b.Stop(0)
	b.start(t, Config{})
	after := b.one(t)
	if after.Attempt != nil && before.Attempt != nil {
		after.Attempt.Deadline = before.Attempt.Deadline // a restart extends it
	}
	if d := cmp.Diff(before, after); d != "" {
		t.Fatalf("after a restart (-before +after):\n%s", d)
	}
}

// TestUpdateLease: leases count from now, and a negative one ends at once.
func TestUpdateLease(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := setup(t, Config{})
		unitQueue(t, b, job.Queue{Name: "u"})
		b.into(t, "held", false)
		time.Sleep(30 * time.Second)
		if r, err := b.update(t, UpdateRequest{Lease: new(15 * time.Minute)}); err != nil || !r.Changed {
			t.Fatalf("%+v, %v", r, err)
		}
		if u := b.one(t); !u.Attempt.Deadline.Equal(time.Now().Add(15 * time.Minute)) {
			t.Fatalf("the lease ends at %v, now is %v", u.Attempt.Deadline, time.Now())
		}
		time.Sleep(14 * time.Minute)
		first := b.one(t).Attempt
		if first == nil {
			t.Fatal("the lease was renewed and ended")
		}
		if r, err := b.update(t, UpdateRequest{Lease: new(-time.Second), Data: []byte("last words")}); err != nil || !r.Changed || r.State != job.Ready {
			t.Fatalf("%+v, %v", r, err)
		}
		if r, err := b.update(t, UpdateRequest{Lease: new(time.Minute)}); err != nil || r.Changed {
			t.Fatalf("a bare lease brought an expired unit back: %+v, %v", r, err)
		}
		got, err := b.ns.UnitAttempts(b.ctx, "u", "k")
		if err != nil || len(got) != 1 || got[0].ID != first.ID || got[0].Outcome != job.OutcomeLost || string(got[0].Data) != "last words" {
			t.Fatalf("attempts %+v, %v", got, err)
		}
	})
}

// TestUpdateByAttempt: an attempt that is named changes nothing once it is not the
// newest; one that has expired may come back until then.
func TestUpdateByAttempt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := setup(t, Config{})
		unitQueue(t, b, job.Queue{Name: "u"})
		b.into(t, "expired", false)
		first := b.one(t)
		if first.Attempt != nil {
			t.Fatalf("%+v", first)
		}
		id := job.AttemptID{Epoch: b.ns.store.Epoch(), N: 1}
		if r, err := b.update(t, UpdateRequest{Attempt: id, Lease: new(-time.Second)}); err != nil || r.Changed {
			t.Fatalf("expiring what has expired: %+v, %v", r, err)
		}
		if _, err := b.update(t, UpdateRequest{Attempt: id, To: TargetRetry}); !job.IsKind(err, job.Conflict) {
			t.Fatalf("retrying what has expired: %v", err)
		}
		if r, err := b.update(t, UpdateRequest{Attempt: id, Lease: new(time.Minute), Data: []byte("back")}); err != nil || r.State != job.Reserved || r.Attempt != id {
			t.Fatalf("coming back: %+v, %v", r, err)
		}
		if u := b.one(t); string(u.Data()) != "back" || u.Attempt.ID != id || !u.Attempt.Ended.IsZero() {
			t.Fatalf("%+v %+v", u, u.Attempt)
		}
		b.add(t, in("u", "l")...)
		b.pulls(t, 1, ReserveRequest{}, "u l") // the other is not in line any more
		if _, err := b.ns.Update(b.ctx, UpdateRequest{Queue: "u", Key: "l", To: TargetComplete}); err != nil {
			t.Fatal(err)
		}
		if got, err := b.ns.UnitAttempts(b.ctx, "u", "k"); err != nil || len(got) != 1 || got[0].Outcome != job.OutcomeNone {
			t.Fatalf("attempts %+v, %v", got, err)
		}
		time.Sleep(2 * time.Minute)
		g := b.reserve(t, ReserveRequest{N: 1, Lease: time.Minute})[0]
		for _, to := range []Target{TargetNone, TargetReady, TargetRetry, TargetHeld, TargetComplete, TargetFailed} {
			if _, err := b.update(t, UpdateRequest{Attempt: id, To: to, Lease: new(time.Minute)}); !errors.Is(err, job.ErrLostLease) {
				t.Fatalf("to %d by an attempt that was replaced: %v", to, err)
			}
		}
		if r, err := b.update(t, UpdateRequest{Attempt: g.Attempt, To: TargetRetry, Delay: 90 * time.Second}); err != nil || r.State != job.Delayed {
			t.Fatalf("giving back with a delay: %+v, %v", r, err)
		}
		if _, err := b.update(t, UpdateRequest{Attempt: g.Attempt, Lease: new(time.Minute)}); !job.IsKind(err, job.Conflict) {
			t.Fatalf("renewing what was given back: %v", err)
		}
		time.Sleep(time.Minute)
		if got := b.reserve(t, ReserveRequest{N: 1}); len(got) != 0 {
			t.Fatal("reserved before the delay was over")
		}
		time.Sleep(time.Minute)
		g = b.reserve(t, ReserveRequest{N: 1})[0]
		if r, err := b.update(t, UpdateRequest{Attempt: g.Attempt, To: TargetFailed}); err != nil || r.State != job.Buried {
			t.Fatalf("%+v, %v", r, err)
		}
		if r, err := b.update(t, UpdateRequest{Attempt: g.Attempt, To: TargetComplete}); err != nil || r.State != job.Complete || r.Attempt != g.Attempt {
			t.Fatalf("finishing from failed: %+v, %v", r, err)
		}
		if r, err := b.update(t, UpdateRequest{Attempt: g.Attempt, To: TargetComplete}); err != nil || r.Changed {
			t.Fatalf("finishing again: %+v, %v", r, err)
		}
		if _, err := b.update(t, UpdateRequest{Attempt: id, To: TargetComplete}); !errors.Is(err, job.ErrLostLease) {
			t.Fatalf("finishing by another: %v", err)
		}
	})
}

// TestLateFinish: an attempt that expired may end as long as it is the newest.
func TestLateFinish(t *testing.T) {
	for _, to := range []Target{TargetComplete, TargetFailed} {
		synctest.Test(t, func(t *testing.T) {
			b := setup(t, Config{})
			unitQueue(t, b, job.Queue{Name: "u"})
			b.into(t, "expired", false)
			id := job.AttemptID{Epoch: b.ns.store.Epoch(), N: 1}
			r, err := b.update(t, UpdateRequest{Attempt: id, To: to, Data: []byte(updated)})
			if u := b.one(t); err != nil || !r.Changed || u.Attempts != 1 || string(u.Data()) != updated {
				t.Fatalf("%+v, %v; %+v", r, err, u)
			}
		})
	}
}

func TestUpdateErrors(t *testing.T) {
	b := setup(t, Config{})
	if _, err := b.update(t, UpdateRequest{}); !errors.Is(err, job.ErrNoQueue) {
		t.Fatalf("no queue: %v", err)
	}
	unitQueue(t, b, job.Queue{Name: "u"})
	for _, to := range []Target{TargetNone, TargetReady, TargetHeld, TargetComplete, TargetFailed} {
		if _, err := b.update(t, UpdateRequest{To: to}); !errors.Is(err, job.ErrNoJob) {
			t.Fatalf("no unit: %v", err)
		}
	}
	for _, bad := range []UpdateRequest{
		{To: numTargets}, {Lease: new(25 * time.Hour)}, {Delay: -1}, {Worker: "a\x00b"}, {Data: make([]byte, job.MaxData+1)},
	} {
		if _, err := b.update(t, bad); !job.IsKind(err, job.Invalid) {
			t.Fatalf("%+v: %v; want invalid", bad, err)
		}
	}
	b.add(t, unit("k", 0))
	if n, err := b.ns.DeleteUnits(b.ctx, UnitsSelector{Queue: "u", Keys: []job.Key{"k"}}); n != 1 || err != nil {
		t.Fatal(n, err)
	}
	if _, err := b.update(t, UpdateRequest{To: TargetComplete}); !errors.Is(err, job.ErrNoJob) {
		t.Fatalf("a deleted unit: %v", err)
	}
	if err := b.ns.SetQueue(b.ctx, job.Queue{Name: "c"}); err != nil {
		t.Fatal(err)
	}
	b.add(t, &job.Job{Queue: "c", Key: "k", Command: &job.Command{Line: "true"}})
	if _, err := b.ns.Update(b.ctx, UpdateRequest{Queue: "c", Key: "k", To: TargetComplete}); !job.IsKind(err, job.Conflict) {
		t.Fatalf("a command: %v", err)
	}
}

func TestMakeAttempt(t *testing.T) {
	for _, from := range []string{"available", "delayed", "held", "complete", "buried"} {
		t.Run(from, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := setup(t, Config{})
				unitQueue(t, b, job.Queue{Name: "u", MaxRunning: 1})
				b.into(t, from, false)
				g, err := b.ns.MakeAttempt(b.ctx, "forced", "u", "k", 7*time.Minute)
				if err != nil {
					t.Fatal(err)
				}
				u := b.one(t)
				if u.State != job.Reserved || u.Attempt.ID != g.Attempt || u.Attempt.Worker != "forced" || string(g.Data) != ownSeen || g.Key != "k" || g.Queue != "u" ||
					!g.Deadline.Equal(time.Now().Add(7*time.Minute)) {
					t.Fatalf("%+v; the unit is %+v, %+v", g, u, u.Attempt)
				}
				b.pulls(t, 1, ReserveRequest{}, "") // it is not in line any more, and counts
				if r, err := b.update(t, UpdateRequest{Attempt: g.Attempt, To: TargetComplete}); err != nil || !r.Changed {
					t.Fatalf("%+v, %v", r, err)
				}
				b.add(t, in("u", "l", "m")...)
				b.pulls(t, 9, ReserveRequest{}, "u l")
			})
		})
	}
}

// A complete job whose priority changes while it is made available again has the new
// one.
func TestReopenWithANewPriority(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := setup(t, Config{})
		try(t, b.ns.SetQueue(b.ctx, job.Queue{Name: "q", Order: job.OrderKey}))
		b.add(t, data("a"))
		_, err := b.ns.Update(b.ctx, UpdateRequest{Queue: "q", Key: "a", To: TargetComplete})
		try(t, err)
		five := 5.0
		b.store.meanwhile = func() {
			try(t, b.ns.PrioritiseUnits(b.ctx, UnitsSelector{Queue: "q", Keys: []job.Key{"a"}}, &five, 0))
		}
		_, err = b.ns.Update(b.ctx, UpdateRequest{Queue: "q", Key: "a", To: TargetReady})
		try(t, err)
		units, err := b.ns.Units(b.ctx, UnitsRequest{Queue: "q", Keys: []job.Key{"a"}})
		try(t, err)
		if units[0].State != job.Ready || units[0].Priority != five {
			t.Fatalf("it is %v with priority %v; want %v", units[0].State, units[0].Priority, five)
		}
	})
}
