package client_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/muster-queue/muster/job"
	"github.com/muster-queue/muster/lock"
	"github.com/muster-queue/muster/server"
)

func ok(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestLocks(t *testing.T) {
	n, ctx := ready(t), t.Context()
	tuple, err := lock.PathOf("jobs", []any{"a", 2}, []byte{0xff})
	ok(t, err)
	ok(t, n.Lock(ctx, "me", []lock.Path{"x", tuple}, time.Hour, 0))
	if err := n.Lock(ctx, "you", []lock.Path{"free", "x/y"}, 0, 0); !job.IsKind(err, job.Conflict) {
		t.Fatalf("a lock below a held one: %v", err)
	}
	given, err := n.LockSome(ctx, "you", []lock.Path{"x", "free", ""}, time.Hour)
	ok(t, err)
	if !slices.Equal(given, []bool{false, true, false}) {
		t.Fatalf("given %v", given)
	}
	held, err := n.ReadLocks(ctx, []lock.Path{tuple, "jobs", "free"})
	ok(t, err)
	if held[0] == nil || held[0].Owner != "me" || held[0].Path != tuple || held[0].Lease != time.Hour || held[1] != nil || held[2].Owner != "you" {
		t.Fatalf("held %+v", held)
	}
	ok(t, n.RenewLocks(ctx, "me", []lock.Path{"x"}, 2*time.Hour))
	if err := n.RenewLocks(ctx, "you", []lock.Path{"x"}, 0); !job.IsKind(err, job.LostLease) {
		t.Fatalf("renewing another's lock: %v", err)
	}
	if err := n.Unlock(ctx, "you", []lock.Path{"free", "x"}); !job.IsKind(err, job.LostLease) {
		t.Fatalf("unlocking another's lock: %v", err)
	}
	ok(t, n.Unlock(ctx, "me", []lock.Path{"x"}))
	all := collect(t, n.Locks(ctx, ""))
	if len(all) != 2 || all[0].Path != "free" || all[1].Path != tuple {
		t.Fatalf("listed %+v", all)
	}
	if deleted, err := n.DeleteLocks(ctx, []lock.Path{"jobs"}, true); deleted != 1 || err != nil {
		t.Fatalf("deleted %d, %v", deleted, err)
	}
}

// TestLockPages lists more locks than a page has.
func TestLockPages(t *testing.T) {
	n, ctx := ready(t), t.Context()
	var want []lock.Path
	for i := range 2500 {
		p, err := lock.PathOf("many", i/100, i)
		ok(t, err)
		want = append(want, p)
	}
	for part := range slices.Chunk(want, lock.MaxPaths) {
		ok(t, n.Lock(ctx, "me", part, time.Hour, 0))
	}
	ok(t, n.Lock(ctx, "me", []lock.Path{"other"}, time.Hour, 0))
	var got []lock.Path
	for _, h := range collect(t, n.Locks(ctx, "many")) {
		got = append(got, h.Path)
	}
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Fatalf("%d locks listed, want %d", len(got), len(want))
	}
	if all := collect(t, n.Locks(ctx, "")); len(all) != len(want)+1 {
		t.Fatalf("%d locks listed in all", len(all))
	}
}

// TestLockOverBreakingConnections: over connections that break, with repeats whose first answer
// was lost, two owners never hold the lock at once and none is refused its own.
func TestLockOverBreakingConnections(t *testing.T) {
	s := serve(t, server.Config{})
	change, dials := frailty(t, 4000)
	n := dial(t, s, change).Namespace("")
	for range 200 {
		ok(t, n.Lock(t.Context(), "me", []lock.Path{"x"}, time.Hour, 0))
		ok(t, n.Unlock(t.Context(), "me", []lock.Path{"x"}))
	}
	if dials.Load() < 5 {
		t.Fatalf("%d connections; the test shows nothing", dials.Load())
	}
}

func TestLockWaits(t *testing.T) {
	n, ctx := ready(t), t.Context()
	ok(t, n.Lock(ctx, "me", []lock.Path{"x"}, time.Hour, 0))
	if err := n.Lock(ctx, "you", []lock.Path{"x"}, 0, 10*time.Millisecond); !job.IsKind(err, job.Conflict) {
		t.Fatalf("a wait that was too short: %v", err)
	}
	cancelled, cancel := context.WithCancelCause(ctx)
	cancel(errors.New("enough"))
	if err := n.Lock(cancelled, "you", []lock.Path{"x"}, 0, -1); err == nil {
		t.Fatal("a wait that was given up succeeds")
	}
	got := make(chan error, 1)
	go func() { got <- n.Lock(ctx, "you", []lock.Path{"x"}, 0, -1) }()
	ok(t, n.Unlock(ctx, "me", []lock.Path{"x"}))
	ok(t, <-got)
}

func TestLocksSurviveARestart(t *testing.T) {
	cfg := server.Config{Data: t.TempDir(), Store: "pebble:"}
	s := serve(t, cfg)
	ok(t, dial(t, s, nil).Namespace("").Lock(t.Context(), "me", []lock.Path{"a/b"}, time.Hour, 0))
	s.Stop(-1, nil)
	n := dial(t, serve(t, cfg), nil).Namespace("")
	if err := n.Lock(t.Context(), "you", []lock.Path{"a"}, 0, 0); !job.IsKind(err, job.Conflict) {
		t.Fatalf("a lock above one from before the restart: %v", err)
	}
	ok(t, n.Unlock(t.Context(), "me", []lock.Path{"a/b"}))
}
