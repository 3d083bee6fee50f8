package external

import (
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/muster-queue/muster/store/pebble"
)

// BenchmarkAssign has 50 callers, one worker a call, on a pool with 100,000 tasks that
// wait and 5,000 workers, every answer durable on disk: a worker that is idle gets a
// task, which another call acknowledges and ends.
func BenchmarkAssign(b *testing.B) {
	st, err := pebble.Open(pebble.Config{Dir: b.TempDir()})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = st.Close() })
	w := &world{t: b, store: &brittle{Store: st}, now: noon}
	w.start()
	b.Cleanup(w.stop)
	w.create("p")
	w.fleet(b, 100_000, 5000)

	const callers = 50
	var mu sync.Mutex
	var took []time.Duration
	var all sync.WaitGroup
	b.ResetTimer()
	for c := range callers {
		all.Go(func() {
			for i := range b.N/callers + 1 {
				worker := fleetWorker((c + i*callers) % 5000)
				w.pass(time.Microsecond)
				began := time.Now()
				got, err := w.AssignTasks(b.Context(), "", "p", time.Time{}, []Worker{worker})
				mu.Lock()
				took = append(took, time.Since(began))
				mu.Unlock()
				if err != nil {
					b.Error(err)
					return
				}
				if len(got) == 1 {
					id := string(got[0].RequestID)
					w.pass(time.Microsecond)
					news := []News{{Task: Task{ID: id, State: running, Worker: worker.ID}}, {Time: w.clock().Add(1), Task: Task{ID: id, State: completed}}}
					if err := w.NotifyTasks(b.Context(), "", "p", news, false); err != nil {
						b.Error(err)
						return
					}
				}
			}
		})
	}
	all.Wait()
	b.StopTimer()
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)/2].Microseconds()), "p50-µs")
	b.ReportMetric(float64(took[len(took)*99/100].Microseconds()), "p99-µs")
	b.ReportMetric(float64(len(took))/b.Elapsed().Seconds(), "assigns/s")
}

// BenchmarkLook looks at a pool with 100,000 tasks that wait and 5,000 that run.
func BenchmarkLook(b *testing.B) {
	w := newWorld(b, Config{})
	w.create("p")
	w.fleet(b, 105_000, 5000)
	for _, limit := range []int{1000, MaxRows} {
		b.Run(fmt.Sprint("inspect=", limit), func(b *testing.B) {
			for b.Loop() {
				i, err := w.Inspect(b.Context(), "", "p", Wanted{Tasks: true, Workers: true, Limit: limit})
				if err != nil || len(i.Waiting) != limit {
					b.Fatal(len(i.Waiting), err)
				}
			}
		})
	}
	b.Run("callbacks", func(b *testing.B) {
		for b.Loop() {
			if list, err := w.Callbacks(b.Context(), "", "p"); err != nil || len(list) != 1250 {
				b.Fatal(len(list), err)
			}
		}
	})
}

// fleet fills the pool: workers of 20 models that are busy, and tasks for them.
func (w *world) fleet(t testing.TB, tasks, workers int) {
	for first := 0; first < tasks; first += MaxNews {
		news := make([]News, 0, MaxNews)
		for i := first; i < min(first+MaxNews, tasks); i++ {
			news = append(news, News{Task: Task{
				ID: fmt.Sprintf("t%06d", i), State: waiting, Slices: [][]string{{"pool:main", fmt.Sprintf("model:%d", i%20)}},
				Tags: []string{fmt.Sprintf("qs_account:a%d", i%20)},
			}})
		}
		if err := w.NotifyTasks(t.Context(), "", "p", news, false); err != nil {
			t.Fatal(err)
		}
	}
	for first := 0; first < workers; first += MaxIdle {
		var idle []Worker
		for i := first; i < first+MaxIdle; i++ {
			idle = append(idle, fleetWorker(i))
		}
		got, err := w.AssignTasks(t.Context(), "", "p", time.Time{}, idle)
		if err != nil || len(got) != MaxIdle {
			t.Fatalf("%d, %v", len(got), err)
		}
	}
}

func fleetWorker(i int) Worker {
	labels := []string{"pool:main", fmt.Sprintf("model:%d", i%20)}
	for k := range 10 {
		labels = append(labels, fmt.Sprintf("fact%d:%d", k, i%7))
	}
	return Worker{ID: fmt.Sprintf("w%04d", i), Labels: labels}
}
