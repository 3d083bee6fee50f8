package dispatch

import (
	"fmt"
	"maps"
	"slices"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// news is something that a pool is told of one task or worker.
type news func(s *Scheduler) error

// TestConverges: whatever news came before, in whatever order, once everything that is
// true has been told anew the pool knows that, and nothing else.
func TestConverges(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		one, other := NewScheduler(at(0)), NewScheduler(at(0))
		history := rapid.SliceOfN(rapid.Custom(drawNews), 0, 20).Draw(t, "history")
		order := rapid.Permutation(indexes(len(history))).Draw(t, "order")
		for i := range history {
			tell(t, one, history[i])
			tell(t, other, history[order[i]])
		}
		on := drawTruth(t)
		for _, s := range []*Scheduler{one, other} {
			for _, n := range fresh(on) {
				tell(t, s, n)
			}
			if d := gocmp.Diff(truth(on), known(s)); d != "" {
				t.Fatalf("(-truth +known):\n%s", d)
			}
		}
	})
}

func tell(t *rapid.T, s *Scheduler, n news) {
	if err := n(s); err != nil {
		t.Fatal(err)
	}
}

func indexes(n int) (list []int) {
	for i := range n {
		list = append(list, i)
	}
	return list
}

// drawNews is old news of any kind, or a pass.
func drawNews(t *rapid.T) news {
	task, worker, when := drawTask(t), drawWorker(t), sec(rapid.IntRange(1, 50).Draw(t, "when"))
	return []news{
		func(s *Scheduler) error { return s.AddRequest(&TaskRequest{ID: task}, when, nil, nil) },
		func(s *Scheduler) error { return s.MarkIdle(worker, nil, when, nil) },
		func(s *Scheduler) error { return s.NotifyTaskRunning(task, worker, when, nil) },
		func(s *Scheduler) error { return s.NotifyTaskAbsent(task, when, nil) },
		func(s *Scheduler) error { s.RunOnce(nil); return nil },
	}[rapid.IntRange(0, 4).Draw(t, "kind")]
}

// drawTruth is where each task runs that there is; empty: it waits.
func drawTruth(t *rapid.T) map[RequestID]WorkerID {
	on, busy := map[RequestID]WorkerID{}, map[WorkerID]bool{"": false}
	for i := range 7 {
		w := rapid.SampledFrom([]WorkerID{"gone", "", "w0", "w1", "w2", "w3"}).Draw(t, "truth")
		if w != "gone" && !busy[w] {
			on[RequestID(fmt.Sprint("r", i))] = w
			busy[w] = w != ""
		}
	}
	return on
}

// fresh tells everything that is true: what became of each task, one thing after the
// other, and which workers are idle.
func fresh(on map[RequestID]WorkerID) (list []news) {
	for i := range 7 {
		id := RequestID(fmt.Sprint("r", i))
		list = append(list, func(s *Scheduler) error { return s.AddRequest(&TaskRequest{ID: id}, at(100), nil, nil) })
		w, there := on[id]
		switch {
		case !there:
			list = append(list, func(s *Scheduler) error { return s.NotifyTaskAbsent(id, at(101), nil) })
		case w != "":
			list = append(list, func(s *Scheduler) error { return s.NotifyTaskRunning(id, w, at(101), nil) })
		}
	}
	for _, w := range idleWorkers(on) {
		list = append(list, func(s *Scheduler) error { return s.MarkIdle(w, nil, at(102), nil) })
	}
	return list
}

func idleWorkers(on map[RequestID]WorkerID) []WorkerID {
	busy := slices.Collect(maps.Values(on))
	return slices.DeleteFunc([]WorkerID{"w0", "w1", "w2", "w3"}, func(w WorkerID) bool { return slices.Contains(busy, w) })
}

func truth(on map[RequestID]WorkerID) (list []string) {
	for id, w := range on {
		list = append(list, fmt.Sprintf("%s on %q", id, w))
	}
	for _, w := range idleWorkers(on) {
		list = append(list, fmt.Sprintf("idle %s", w))
	}
	slices.Sort(list)
	return list
}

func known(s *Scheduler) (list []string) {
	for id, r := range s.requests {
		on := WorkerID("")
		if r.worker != nil {
			on = r.worker.id
		}
		list = append(list, fmt.Sprintf("%s on %q", id, on))
	}
	for id, w := range s.workers {
		if w.run == nil {
			list = append(list, fmt.Sprintf("idle %s", id))
		}
	}
	slices.Sort(list)
	return list
}
