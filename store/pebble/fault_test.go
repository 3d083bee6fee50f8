package pebble

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"github.com/muster-queue/muster/job"
	"github.com/muster-queue/muster/store"
	"github.com/muster-queue/muster/store/storetest"
)

// fault makes operations of a disk fail: those from number at on, count of them.
type fault struct {
	at, count int64
	err       error
	which     func(errorfs.Op) bool
	n, failed atomic.Int64
}

func (f *fault) MaybeError(op errorfs.Op) error {
	if !f.which(op) {
		return nil
	}
	if n := f.n.Add(1); n < f.at || n >= f.at+f.count {
		return nil
	}
	f.failed.Add(1)
	return fmt.Errorf("%s: %w", op.Path, f.err)
}

func (f *fault) String() string { return "fault" }

// The operations that fail in a run.
var (
	writes = func(op errorfs.Op) bool {
		return op.Kind.ReadOrWrite() == errorfs.OpIsWrite && op.Kind != errorfs.OpFileClose
	}
	syncs = func(op errorfs.Op) bool {
		return op.Kind == errorfs.OpFileSync || op.Kind == errorfs.OpFileSyncData
	}
	reads = func(op errorfs.Op) bool { return op.Kind.ReadOrWrite() == errorfs.OpIsRead }
)

// TestFaults lets the n-th operation of a script fail, for many n. Whatever
// fails, every commit that was acknowledged must be there at the end, and the
// store must go on by itself.
func TestFaults(t *testing.T) {
	for _, tt := range []struct {
		name  string
		which func(errorfs.Op) bool
		err   error
		count int64
		step  int64
	}{
		{"EIO of one write", writes, syscall.EIO, 1, 3},
		{"ENOSPC of several writes", writes, syscall.ENOSPC, 12, 7},
		{"one sync", syncs, syscall.EIO, 1, 1},
		{"EIO of one read", reads, syscall.EIO, 1, 2},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := newScript(7, 24)
			runs, hit := 0, true
			for at := int64(1); hit; at += tt.step * int64(sparing(13)) {
				f := &fault{at: at, count: tt.count, err: tt.err, which: tt.which}
				faultRun(t, s, f)
				hit = f.failed.Load() > 0
				runs++
			}
			t.Logf("%d runs", runs)
		})
	}
}

// TestCloseWhileTheDiskFails: a store can be closed whatever fails meanwhile, also
// where Pebble cannot go on and what it was doing never ends.
func TestCloseWhileTheDiskFails(t *testing.T) {
	for at := int64(1); at <= 24; at += int64(sparing(5)) {
		var armed atomic.Bool
		f := &fault{at: at, count: 1 << 30, err: syscall.EIO, which: func(op errorfs.Op) bool { return armed.Load() && writes(op) }}
		st, err := Open(crashConfig(errorfs.Wrap(vfs.NewMem(), f)))
		if err != nil {
			t.Fatal(err)
		}
		if err := st.Create(t.Context(), "default"); err != nil {
			t.Fatal(err)
		}
		ns := openNamespace(t, st)
		for i := range 8 {
			body := make([]byte, 10<<10)
			if err := storetest.Commit(ns, &job.Changes{Payloads: []job.Payload{{Seq: job.Seq(i), Version: 1, Body: body}}}); err != nil {
				t.Fatal(err)
			}
		}
		armed.Store(true)
		closed := make(chan error, 1)
		go func() { closed <- st.Close() }()
		select {
		case <-closed:
		case <-time.After(30 * time.Second):
			t.Fatalf("the store does not close when everything from write %d on fails", at)
		}
	}
}

// faultRun plays a script like package engine does: when a commit fails, it loads
// again and goes on from what is stored.
func faultRun(t *testing.T, s *script, f *fault) {
	t.Helper()
	mem := vfs.NewMem()
	cfg := crashConfig(errorfs.Wrap(mem, f))
	cfg.ReopenMax = 20 * time.Millisecond
	st := insist(t, f, func() (*Store, error) { return Open(cfg) })
	defer st.Close()
	insist(t, f, func() (struct{}, error) {
		err := st.Create(t.Context(), "default")
		if job.IsKind(err, job.Exists) { // it was made although that was not known
			err = nil
		}
		return struct{}{}, err
	})
	ns := insist(t, f, func() (store.Namespace, error) { return st.Open(t.Context(), "default") })
	acked := 0
	for acked < len(s.turns) {
		acked = s.resume(t, f, ns, acked)
	}
	if err := st.Close(); err != nil && f.failed.Load() == 0 {
		t.Fatal(err)
	}
	cfg.FS = mem
	again := openTest(t, cfg)
	s.verify(t, openNamespace(t, again), len(s.turns))
}

// insist tries until it works, as long as faults are the reason that it does not.
func insist[T any](t *testing.T, f *fault, try func() (T, error)) T {
	t.Helper()
	for {
		failed := f.failed.Load()
		v, err := try()
		if err == nil {
			return v
		}
		if f.failed.Load() == 0 || failed > f.count+1 {
			t.Fatalf("fault %d: %v", f.at, err)
		}
		if !expected(err) {
			t.Fatalf("fault %d: %v (kind %s)", f.at, err, job.KindOf(err))
		}
	}
}

func expected(err error) bool {
	return job.IsKind(err, job.Unavailable) || job.IsKind(err, job.NoSpace)
}

// resume loads and commits until a commit fails or all is done. It returns how
// many turns are acknowledged.
func (s *script) resume(t *testing.T, f *fault, ns store.Namespace, acked int) int {
	t.Helper()
	ctx, cancel := context.WithTimeoutCause(t.Context(), time.Minute, errors.New("the store does not come back"))
	defer cancel()
	c := insist(t, f, func() (*storetest.Contents, error) {
		c := &storetest.Contents{}
		return c, ns.Load(ctx, c)
	})
	n := int(c.Meta.Clock)
	if n < acked {
		t.Fatalf("fault %d: the store holds %d turns, but %d were acknowledged", f.at, n, acked)
	}
	var under []store.Commit
	wait := func() error {
		u := under[0]
		under = under[1:]
		err := u.Wait()
		if err == nil {
			n++
		}
		return err
	}
	for _, turn := range s.turns[n:] {
		u, err := ns.Commit(turn)
		if err == nil {
			if under = append(under, u); len(under) < 3 {
				continue
			}
			err = wait()
		}
		if err != nil {
			return s.settle(t, f, err, under, n)
		}
	}
	for len(under) > 0 {
		if err := wait(); err != nil {
			return s.settle(t, f, err, under, n)
		}
	}
	return n
}

// settle ends the commits under way after one failed: none may succeed.
func (s *script) settle(t *testing.T, f *fault, err error, under []store.Commit, n int) int {
	t.Helper()
	if !expected(err) {
		t.Fatalf("fault %d: commit: %v (kind %s)", f.at, err, job.KindOf(err))
	}
	for _, u := range under {
		if u.Wait() == nil {
			n++
		}
	}
	return n
}
