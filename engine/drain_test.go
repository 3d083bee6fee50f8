package engine

import (
	"testing"
	"testing/synctest"

	"github.com/muster-queue/muster/job"
)

// A drained worker gets no jobs, also after a restart of the server, until the
// mark is taken back or the worker has left.
func TestDrainedPuller(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := setup(t, Config{})
		b.add(t, data("a"), data("b"), data("c"))
		gets := func(want int) {
			t.Helper()
			synctest.Wait()
			if got := b.reserve(t, ReserveRequest{N: 1}); len(got) != want {
				t.Fatalf("reserved %d; want %d", len(got), want)
			}
			w, err := b.ns.Worker(b.ctx, "w")
			if err != nil || w.Draining != (want == 0) {
				t.Fatalf("the worker is %+v, %v", w, err)
			}
		}
		drain := func(on bool) {
			t.Helper()
			if err := b.ns.DrainWorker(b.ctx, "w", on); err != nil {
				t.Fatal(err)
			}
		}
		gets(1)
		drain(true)
		gets(0)
		b.Stop(0)
		b.start(t, Config{})
		gets(0)
		drain(false)
		gets(1)
		drain(true)
		if err := b.ns.Announce(b.ctx, job.Worker{Name: "w"}, true); err != nil {
			t.Fatal(err)
		}
		gets(1)
		if err := b.ns.DrainWorker(b.ctx, "nobody", true); job.KindOf(err) != job.NotFound {
			t.Fatal(err)
		}
	})
}

// An agent that is drained gets no jobs when it attaches to the next server; its
// successor on the machine does.
func TestDrainedAgent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := setup(t, Config{})
		attach := func(incarnation uint64) *Session {
			t.Helper()
			s, err := b.ns.Attach(b.ctx, AttachRequest{PredecessorEnded: true, Worker: job.Worker{
				Name: "a", Agent: true, Machine: "m", Boot: "b", Dir: "d", Incarnation: incarnation, Capacity: job.Resources{job.CPU: 1000},
			}})
			if err != nil {
				t.Fatal(err)
			}
			return s
		}
		assigned := func(s *Session) (n int) {
			synctest.Wait()
			o, err := s.Take()
			if err != nil {
				t.Fatal(err)
			}
			if o != nil {
				n = len(o.Assign)
			}
			return n
		}
		s := attach(1)
		if err := b.ns.DrainWorker(b.ctx, "a", true); err != nil {
			t.Fatal(err)
		}
		b.add(t, &job.Job{Command: &job.Command{Line: "true", Dir: "/"}})
		if n := assigned(s); n != 0 {
			t.Fatalf("%d jobs for a drained agent", n)
		}
		s.Close()
		b.Stop(0)
		b.start(t, Config{})
		if n := assigned(attach(1)); n != 0 {
			t.Fatalf("%d jobs for a drained agent after a restart", n)
		}
		if n := assigned(attach(2)); n != 1 {
			t.Fatalf("%d jobs for an agent that was started anew; want 1", n)
		}
	})
}
