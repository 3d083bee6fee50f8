package engine

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/muster-queue/muster/job"
	"github.com/muster-queue/muster/lock"
)

func (b *bench) lock(owner string, lease time.Duration, paths ...lock.Path) error {
	_, err := b.ns.Lock(b.ctx, LockRequest{Owner: owner, Paths: paths, Lease: lease})
	return err
}

// holder is who holds a path, or "".
func (b *bench) holder(t *testing.T, p lock.Path) string {
	t.Helper()
	held, err := b.ns.ReadLocks(b.ctx, []lock.Path{p})
	if err != nil {
		t.Fatal(err)
	}
	if held[0] == nil {
		return ""
	}
	return held[0].Owner
}

func (b *bench) holds(t *testing.T, p lock.Path, owner string) {
	t.Helper()
	if got := b.holder(t, p); got != owner {
		t.Fatalf("%q is held by %q, want %q", p, got, owner)
	}
}

func try(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestLocks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := setup(t, Config{})
		try(t, b.lock("a", time.Minute, "x", "y/1"))
		if err := b.lock("b", 0, "y"); !job.IsKind(err, job.Conflict) {
			t.Fatalf("a lock above a held one: %v", err)
		}
		given, err := b.ns.Lock(b.ctx, LockRequest{Owner: "b", Paths: []lock.Path{"x", "z", "y/2"}, Some: true})
		if err != nil || !slices.Equal(given, []bool{false, true, true}) {
			t.Fatalf("given %v, %v", given, err)
		}
		time.Sleep(40 * time.Second)
		try(t, b.ns.RenewLocks(b.ctx, OwnerRequest{Owner: "a", Paths: []lock.Path{"x"}}, time.Minute))
		time.Sleep(40 * time.Second)
		b.holds(t, "x", "a")
		b.holds(t, "y/1", "")
		if err := b.ns.RenewLocks(b.ctx, OwnerRequest{Owner: "a", Paths: []lock.Path{"y/1"}}, 0); !job.IsKind(err, job.LostLease) {
			t.Fatalf("renewing an expired lock: %v", err)
		}
		all, err := b.ns.Locks(b.ctx, LocksRequest{})
		if err != nil || len(all) != 1 || all[0].Path != "x" {
			t.Fatalf("locks %+v, %v", all, err)
		}
		try(t, b.ns.Unlock(b.ctx, OwnerRequest{Owner: "a", Paths: []lock.Path{"x"}}))
		b.holds(t, "x", "")
	})
}

func TestDeleteLocks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := setup(t, Config{})
		var paths []lock.Path
		for i := range 900 {
			p, err := lock.PathOf("many", i)
			try(t, err)
			paths = append(paths, p)
		}
		try(t, b.lock("a", time.Hour, paths...))
		try(t, b.lock("a", time.Hour, "manyother"))
		if n, err := b.ns.DeleteLocks(b.ctx, "many/#5", false); n != 1 || err != nil {
			t.Fatalf("deleted %d, %v", n, err)
		}
		if n, err := b.ns.DeleteLocks(b.ctx, "many", true); n != 899 || err != nil {
			t.Fatalf("deleted %d, %v", n, err)
		}
		b.holds(t, "manyother", "a")
	})
}

// stored are the locks that the store has.
func (b *bench) stored(t *testing.T) []string {
	t.Helper()
	var l loader
	if err := b.ns.store.Load(b.ctx, &onlyLocks{&l}); err != nil {
		t.Fatal(err)
	}
	var paths []string
	for _, row := range l.locks {
		paths = append(paths, row.Path)
	}
	return paths
}

// onlyLocks is a loader that takes nothing but locks.
type onlyLocks struct{ *loader }

func (onlyLocks) LoadMeta(job.Meta)          {}
func (onlyLocks) LoadQueue(job.QueueRow)     {}
func (onlyLocks) LoadGroup(job.GroupRow)     {}
func (onlyLocks) LoadKind(job.KindRow)       {}
func (onlyLocks) LoadShape(job.ShapeRow)     {}
func (onlyLocks) LoadWorker(job.WorkerRow)   {}
func (onlyLocks) LoadLive(*job.Live)         {}
func (onlyLocks) LoadFinished(*job.Finished) {}

// TestLocksExpireByThemselves: without anybody asking, their storage is free.
func TestLocksExpireByThemselves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := setup(t, Config{})
		try(t, b.lock("a", time.Minute, "x"))
		try(t, b.lock("a", 2*time.Minute, "y"))
		if got := b.stored(t); !slices.Equal(got, []string{"x", "y"}) {
			t.Fatalf("stored %q", got)
		}
		time.Sleep(time.Minute + time.Second)
		synctest.Wait()
		if got := b.stored(t); !slices.Equal(got, []string{"y"}) {
			t.Fatalf("stored %q after a minute", got)
		}
	})
}

// TestLocksSurviveARestart: those that have not expired meanwhile.
func TestLocksSurviveARestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := setup(t, Config{})
		try(t, b.lock("a", time.Minute, "short"))
		try(t, b.lock("a", 6*time.Minute, "x/1"))
		b.Stop(0)
		time.Sleep(5 * time.Minute)
		b.start(t, Config{})
		synctest.Wait()
		if got := b.stored(t); !slices.Equal(got, []string{"x/1"}) {
			t.Fatalf("stored %q after the load", got)
		}
		b.holds(t, "short", "")
		time.Sleep(59 * time.Second)
		if err := b.lock("b", 0, "x"); !job.IsKind(err, job.Conflict) {
			t.Fatalf("a lock above a held one: %v", err)
		}
		time.Sleep(2 * time.Second)
		try(t, b.lock("b", 0, "x"))
	})
}

func TestLocksAfterAFailedCommit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := setup(t, Config{})
		try(t, b.lock("a", time.Hour, "before"))
		b.store.failNext(job.Errorf(job.Unavailable, "the disk broke"))
		if err := b.lock("a", time.Hour, "lost"); !job.IsKind(err, job.Unavailable) {
			t.Fatalf("a lock whose commit failed: %v", err)
		}
		synctest.Wait()
		b.holds(t, "before", "a")
		b.holds(t, "lost", "")
	})
}

func TestLockRepeats(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := setup(t, Config{})
		r := LockRequest{Owner: "a", Paths: []lock.Path{"x"}, Lease: time.Hour, Once: Once{"c", "1"}}
		for range 2 {
			given, err := b.ns.Lock(b.ctx, r)
			if err != nil || !slices.Equal(given, []bool{true}) {
				t.Fatalf("given %v, %v", given, err)
			}
		}
		b.Stop(0)
		b.start(t, Config{})
		if _, err := b.ns.Lock(b.ctx, r); err != nil {
			t.Fatalf("the repeat after a restart: %v", err)
		}
		r.Once.RequestID = "2"
		if _, err := b.ns.Lock(b.ctx, r); !job.IsKind(err, job.Conflict) {
			t.Fatalf("another request for a held lock: %v", err)
		}
		free := OwnerRequest{Owner: "a", Paths: []lock.Path{"x"}, Once: Once{"c", "3"}}
		try(t, b.ns.Unlock(b.ctx, free))
		try(t, b.ns.Unlock(b.ctx, free))
		r.Once = free.Once
		if _, err := b.ns.Lock(b.ctx, r); !errors.Is(err, errOtherRequest) {
			t.Fatalf("an id of another command: %v", err)
		}
	})
}

func TestLockWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := setup(t, Config{})
		try(t, b.lock("a", 10*time.Second, "x"))
		began := time.Now()
		_, err := b.ns.Lock(b.ctx, LockRequest{Owner: "b", Paths: []lock.Path{"x"}, Wait: 5 * time.Second})
		if !job.IsKind(err, job.Conflict) || time.Since(began) != 5*time.Second {
			t.Fatalf("%v after %v", err, time.Since(began))
		}
		_, err = b.ns.Lock(b.ctx, LockRequest{Owner: "b", Paths: []lock.Path{"x/y"}, Lease: time.Hour, Wait: -1})
		if took := time.Since(began); err != nil || took < 10*time.Second || took > 11*time.Second {
			t.Fatalf("%v after %v, want the end of the other's lease", err, took)
		}
		got := make(chan error)
		go func() {
			_, err := b.ns.Lock(b.ctx, LockRequest{Owner: "c", Paths: []lock.Path{"x", "z"}, Wait: -1})
			got <- err
		}()
		synctest.Wait()
		try(t, b.ns.Unlock(b.ctx, OwnerRequest{Owner: "b", Paths: []lock.Path{"x/y"}}))
		try(t, <-got)
		ctx, cancel := context.WithCancel(b.ctx)
		go func() {
			_, err := b.ns.Lock(ctx, LockRequest{Owner: "d", Paths: []lock.Path{"z"}, Wait: -1})
			got <- err
		}()
		synctest.Wait()
		cancel()
		if err := <-got; !job.IsKind(err, job.Timeout) {
			t.Fatalf("a wait that was given up: %v", err)
		}
		go func() {
			_, err := b.ns.Lock(b.ctx, LockRequest{Owner: "d", Paths: []lock.Path{"z"}, Wait: -1})
			got <- err
		}()
		synctest.Wait()
		b.Stop(0)
		if err := <-got; !job.IsKind(err, job.Unavailable) {
			t.Fatalf("a wait when the server stopped: %v", err)
		}
	})
}

// TestLocksOfAnIdleNamespace: one with locks stays, so that they end in time.
func TestLocksOfAnIdleNamespace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := setup(t, Config{IdleUnload: time.Minute})
		try(t, b.lock("a", 10*time.Minute, "x"))
		loads := b.ns.loads.Load()
		time.Sleep(9 * time.Minute)
		if b.ns.retired.Load() || b.ns.loads.Load() != loads {
			t.Fatal("the namespace was unloaded while a lock was held")
		}
		b.holds(t, "x", "a")
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		if !b.ns.retired.Load() {
			t.Fatal("the namespace is still loaded after its last lock expired")
		}
		ns, err := b.Namespace(b.ctx, "")
		try(t, err)
		b.ns = ns
		if got := b.stored(t); len(got) != 0 {
			t.Fatalf("stored %q", got)
		}
	})
}

// Who waits for a lock learns of its release also when a commit that released one
// failed before.
func TestLockWaitsThroughAFailedCommit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := setup(t, Config{})
		try(t, b.lock("a", 24*time.Hour, "x"))
		got := make(chan error, 1)
		go func() {
			_, err := b.ns.Lock(b.ctx, LockRequest{Owner: "b", Paths: []lock.Path{"x"}, Wait: -1})
			got <- err
		}()
		synctest.Wait()
		b.store.failNext(errors.New("the disk broke"))
		unlock := OwnerRequest{Owner: "a", Paths: []lock.Path{"x"}}
		if err := b.ns.Unlock(b.ctx, unlock); !errors.Is(err, job.ErrUnknownOutcome) {
			t.Fatalf("unlock during a failing commit: %v", err)
		}
		synctest.Wait()
		try(t, b.ns.Unlock(b.ctx, unlock))
		synctest.Wait()
		select {
		case err := <-got:
			try(t, err)
		default:
			t.Fatal("the lock is free, but who waited for it does not know")
		}
	})
}
