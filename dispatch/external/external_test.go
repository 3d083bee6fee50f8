package external

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/muster-queue/muster/dispatch"
	"github.com/muster-queue/muster/engine"
	"github.com/muster-queue/muster/job"
	"github.com/muster-queue/muster/store"
	"github.com/muster-queue/muster/store/memory"
)

// world is a scheduler over a store that outlives it, and a clock.
type world struct {
	t      testing.TB
	store  *brittle
	engine *engine.Engine
	*Scheduler
	cfg Config

	mu  sync.Mutex
	now time.Time
}

// brittle is a store whose commits fail when they are told to.
type brittle struct {
	store.Store
	fail atomic.Bool
}

func (b *brittle) Open(ctx context.Context, name string) (store.Namespace, error) {
	ns, err := b.Store.Open(ctx, name)
	return &brittleNamespace{ns, b}, err
}

type brittleNamespace struct {
	store.Namespace
	b *brittle
}

func (n *brittleNamespace) Commit(c *job.Changes) (store.Commit, error) {
	if n.b.fail.Load() && len(c.Documents) > 0 {
		return nil, job.Errorf(job.Unavailable, "the disk is on fire")
	}
	return n.Namespace.Commit(c)
}

var noon = time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)

func newWorld(t testing.TB, cfg Config) *world {
	w := &world{t: t, store: &brittle{Store: memory.New()}, cfg: cfg, now: noon}
	w.start()
	t.Cleanup(func() { w.stop() })
	return w
}

func (w *world) start() {
	w.t.Helper()
	e, err := engine.New(w.t.Context(), engine.Config{}, w.store)
	if err != nil {
		w.t.Fatal(err)
	}
	w.cfg.Now = w.clock
	w.engine, w.Scheduler = e, New(e, w.cfg)
}

func (w *world) stop() {
	w.Close()
	w.engine.Stop(0)
}

// restart has only what is stored go on.
func (w *world) restart() {
	w.t.Helper()
	w.stop()
	w.start()
}

func (w *world) clock() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.now
}

func (w *world) pass(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.now = w.now.Add(d)
}

func (w *world) create(name string) {
	w.t.Helper()
	if _, err := w.Create(w.t.Context(), "", Settings{Name: name}, "tester"); err != nil {
		w.t.Fatal(err)
	}
}

// tell tells pool p that tasks stand so.
func (w *world) tell(state State, worker string, tasks ...string) {
	w.t.Helper()
	news := make([]News, len(tasks))
	for i, id := range tasks {
		news[i].Task = Task{ID: id, State: state, Worker: worker, Slices: [][]string{{"os:linux"}}}
	}
	if err := w.NotifyTasks(w.t.Context(), "", "p", news, false); err != nil {
		w.t.Fatal(err)
	}
}

// idle tells pool p that a worker is idle, and returns the task that it gets.
func (w *world) idle(worker string) string {
	w.t.Helper()
	list, err := w.AssignTasks(w.t.Context(), "", "p", time.Time{}, []Worker{{ID: worker, Labels: []string{"os:linux"}}})
	if err != nil {
		w.t.Fatal(err)
	}
	if len(list) == 0 {
		return ""
	}
	if len(list) > 1 || list[0].WorkerID != dispatch.WorkerID(worker) {
		w.t.Fatalf("%s was told %v", worker, list)
	}
	return string(list[0].RequestID)
}

const completed State = 0x40

// An assignment is told again, over a restart too, until the task is known to run;
// afterwards the pool is the same as before, and goes on.
func TestAssignmentSurvives(t *testing.T) {
	w := newWorld(t, Config{})
	w.create("p")
	w.tell(waiting, "", "a", "b")
	first := w.idle("w1")
	if first == "" {
		t.Fatal("w1 got nothing")
	}
	if again := w.idle("w1"); again != first {
		t.Errorf("asked again: %q, not %q", again, first)
	}
	w.restart()
	if again := w.idle("w1"); again != first {
		t.Errorf("after a restart: %q, not %q", again, first)
	}
	w.tell(running, "w1", first)
	if again := w.idle("w1"); again == first {
		t.Error("acknowledged, and told again")
	}
	w.restart()
	info, err := w.Get(t.Context(), "", "p")
	if err != nil || info.Waiting+info.Running != 1 {
		t.Errorf("%+v, %v", info, err)
	}
}

// Operations on a pool that is not there, and making one twice.
func TestPoolsThatAreNot(t *testing.T) {
	w := newWorld(t, Config{})
	ctx := t.Context()
	for name, err := range map[string]error{
		"assign": func() error { _, err := w.AssignTasks(ctx, "", "none", time.Time{}, nil); return err }(),
		"notify": w.NotifyTasks(ctx, "", "none", nil, false),
		"cancellations": func() error {
			_, err := w.Cancellations(ctx, "", "none")
			return err
		}(),
		"callbacks": func() error { _, err := w.Callbacks(ctx, "", "none"); return err }(),
		"inspect":   func() error { _, err := w.Inspect(ctx, "", "none", Wanted{}); return err }(),
		"wipe":      func() error { _, err := w.Wipe(ctx, "", "none", ""); return err }(),
		"delete":    func() error { _, err := w.Delete(ctx, "", "none", true, ""); return err }(),
		"set":       func() error { _, err := w.Set(ctx, "", "none", func(*Settings) error { return nil }, ""); return err }(),
	} {
		if !job.IsKind(err, job.NotFound) {
			t.Errorf("%s: %v", name, err)
		}
	}
	w.create("p")
	if _, err := w.Create(ctx, "", Settings{Name: "p"}, ""); !job.IsKind(err, job.Exists) {
		t.Errorf("made twice: %v", err)
	}
	if _, err := w.Create(ctx, "", Settings{Name: "q", WorkerExpiry: -1}, ""); !job.IsKind(err, job.Invalid) {
		t.Errorf("made with nonsense: %v", err)
	}
	if _, err := w.Create(ctx, "", Settings{}, ""); !job.IsKind(err, job.Invalid) {
		t.Errorf("made without a name: %v", err)
	}
	for _, name := range []string{"a/b", "/", ".", ".."} {
		if _, err := w.Create(ctx, "", Settings{Name: name}, ""); !job.IsKind(err, job.Invalid) {
			t.Errorf("made %q, which HTTP cannot reach: %v", name, err)
		}
	}
	if len(w.pools) > 1 {
		t.Errorf("%d pools are in memory", len(w.pools))
	}
}

// Case 96: news and idle workers that come together are one batch: the news count
// first, so every worker gets the task that is for it only.
func TestNewsFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, Config{Wait: 300 * time.Millisecond})
		w.create("p")
		before := w.counters(id{job.DefaultNamespace, "p"}).Batches
		var all sync.WaitGroup
		got := make([]string, 5)
		for i := range 5 {
			label := fmt.Sprintf("only:%d", i)
			all.Go(func() {
				list, err := w.AssignTasks(t.Context(), "", "p", time.Time{}, []Worker{{fmt.Sprint("w", i), []string{label}}})
				if err != nil || len(list) != 1 {
					t.Errorf("worker %d: %v, %v", i, list, err)
					return
				}
				got[i] = string(list[0].RequestID)
			})
			all.Go(func() {
				news := []News{{Task: Task{ID: fmt.Sprint("t", i), State: waiting, Slices: [][]string{{label}}}}}
				if err := w.NotifyTasks(t.Context(), "", "p", news, false); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		if want := []string{"t0", "t1", "t2", "t3", "t4"}; !slices.Equal(got, want) {
			t.Errorf("%v", got)
		}
		if n := w.counters(id{job.DefaultNamespace, "p"}).Batches - before; n != 1 {
			t.Errorf("%d batches", n)
		}
	})
}

// Case 97: requests whose callers have gone away are told so, and not done; another
// one in the same batch is.
func TestGoneCallers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, Config{Wait: 300 * time.Millisecond})
		w.create("p")
		ctx, cancel := context.WithCancel(t.Context())
		var all sync.WaitGroup
		for i := range 10 {
			all.Go(func() {
				news := []News{{Task: Task{ID: fmt.Sprint("t", i), State: waiting, Slices: [][]string{{"a"}}}}}
				if err := w.NotifyTasks(ctx, "", "p", news, false); !job.IsKind(err, job.Cancelled) {
					t.Errorf("%d: %v", i, err)
				}
			})
		}
		synctest.Wait()
		all.Go(func() { w.tell(waiting, "", "other") })
		synctest.Wait()
		cancel()
		all.Wait()
		if info, err := w.Get(t.Context(), "", "p"); err != nil || info.Waiting != 1 {
			t.Errorf("%+v, %v", info, err)
		}
	})
}

// The one that is first gives up: the batch goes on for the others.
func TestLeaderGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, Config{Wait: 300 * time.Millisecond})
		w.create("p")
		ctx, cancel := context.WithCancel(t.Context())
		go func() { _, _ = w.AssignTasks(ctx, "", "p", time.Time{}, nil) }()
		synctest.Wait()
		done := make(chan string, 1)
		go func() {
			w.tell(waiting, "", "a")
			done <- w.idle("w")
		}()
		synctest.Wait()
		cancel()
		if got := <-done; got != "a" {
			t.Errorf("got %q", got)
		}
	})
}

// counters are what happened in a pool so far.
func (w *world) counters(pool id) Counters {
	w.Scheduler.mu.Lock()
	defer w.Scheduler.mu.Unlock()
	if c := w.counts[pool]; c != nil {
		return c.clone()
	}
	return Counters{}
}
