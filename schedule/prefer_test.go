package schedule

import (
	"math"
	"testing"

	"github.com/muster-queue/muster/job"
)

// TestPreferringIsNotWaiting: a job goes to a worker without the labels it prefers
// rather than wait on one that has them; when it has to wait, then there.
func TestPreferringIsNotWaiting(t *testing.T) {
	s := New(Config{})
	wants := command(1)
	wants.Prefer = job.Labels{"disk:ssd"}
	s.DefineShape(1, wants)
	with := func(labels ...string) Worker {
		w := agent(1, labels...)
		w.Prefetch = 2
		return w
	}
	s.SetWorker(1, with("disk:ssd"))
	s.SetWorker(2, with())
	for seq := range job.Seq(7) {
		s.Push(1, Item{Seq: seq + 1, Place: uint64(seq + 1)})
	}
	want := []struct {
		worker     job.WorkerID
		prefetched bool
	}{{1, false}, {2, false}, {1, true}, {1, true}, {2, true}, {2, true}}
	placed, _ := s.Pass(at(0), math.MaxInt)
	if len(placed) != len(want) {
		t.Fatalf("%d placed, want %d: %+v", len(placed), len(want), placed)
	}
	for i, p := range placed {
		if p.Worker != want[i].worker || p.Prefetched != want[i].prefetched {
			t.Errorf("job %d: worker %d, ahead %v; want %+v", p.Seq, p.Worker, p.Prefetched, want[i])
		}
	}
	busy := placed[1].Seq
	s.Release(busy)
	s.SetWorker(3, with("disk:ssd"))
	if placed, _ := s.Pass(at(1), math.MaxInt); len(placed) != 1 || placed[0].Worker != 3 || placed[0].Prefetched {
		t.Errorf("with another free: %+v", placed)
	}
}
