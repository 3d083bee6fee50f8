package worker_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/muster-queue/muster"
	"github.com/muster-queue/muster/client"
	"github.com/muster-queue/muster/coordinate"
	"github.com/muster-queue/muster/job"
	"github.com/muster-queue/muster/server"
	"github.com/muster-queue/muster/worker"
)

// site is a real server in this process, with a worker to be.
type site struct {
	t  *testing.T
	c  *client.Client
	ns *client.Namespace
	w  *worker.Worker
}

func newSite(t *testing.T, cfg worker.Config) *site {
	t.Helper()
	m, err := muster.Open(t.Context(), muster.Config{Server: server.Config{Data: t.TempDir(), Listen: "127.0.0.1:0", HTTP: server.NoHTTP, Store: "memory:"}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = m.Stop() })
	s := &site{t: t, c: m.Client(), ns: m.Client().Namespace("")}
	cfg.Client, cfg.Logger = s.c, slog.New(slog.DiscardHandler)
	if s.w, err = worker.New(cfg); err != nil {
		t.Fatal(err)
	}
	return s
}

// queue makes a queue for Go programs, spec one with a definition.
func (s *site) queue(q job.Queue) {
	s.t.Helper()
	q.Runtime = "go"
	if _, err := s.ns.SetQueue(s.t.Context(), &q); err != nil {
		s.t.Fatal(err)
	}
}

func (s *site) spec(definition map[string]any) {
	s.t.Helper()
	definition["runtime"] = "go"
	q, err := coordinate.NewQueue(definition)
	if err == nil {
		_, err = s.ns.SetQueue(s.t.Context(), q)
	}
	if err != nil {
		s.t.Fatal(err)
	}
}

func (s *site) add(queue string, keys ...string) {
	s.t.Helper()
	for _, key := range keys {
		j := &job.Job{Queue: queue, Key: job.Key(key), Data: []byte("\xa1\x61n\x05"), Retries: new(0)} // {"n": 5}
		if _, _, err := s.ns.AddJobs(s.t.Context(), client.AddOptions{}, j); err != nil {
			s.t.Fatal(err)
		}
	}
}

// work runs the worker until no job of the namespace is left to do.
func (s *site) work() {
	s.t.Helper()
	ctx, end := context.WithCancel(s.t.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.w.Run(ctx) }()
	if _, err := s.ns.Wait(s.t.Context(), client.WaitFor{}, nil); err != nil {
		s.t.Error(err)
	}
	end()
	if err := <-ended; err != nil {
		s.t.Error(err)
	}
}

func (s *site) get(queue, key string) *client.Info {
	s.t.Helper()
	info, err := s.ns.Get(s.t.Context(), client.Ref{Queue: queue, Key: job.Key(key)}, client.Detail{Output: true})
	if err != nil {
		s.t.Fatal(err)
	}
	return info
}

func TestJobsAreHandedToTheirTasks(t *testing.T) {
	s := newSite(t, worker.Config{})
	s.queue(job.Queue{Name: "plain"})
	s.spec(map[string]any{"name": "defined", "task": "sum", "step": 3})
	if _, err := s.ns.SetQueue(t.Context(), &job.Queue{Name: "python"}); err != nil {
		t.Fatal(err)
	}
	s.add("plain", "a")
	s.add("defined", "b")
	s.add("python", "c") // of another runtime
	s.w.Handle("plain", func(_ context.Context, a *worker.Attempt) error {
		return a.Encode(map[string]string{"by": "the plain one"})
	})
	s.w.Handle("sum", func(_ context.Context, a *worker.Attempt) error {
		var data struct{ N, Sum int }
		var spec struct{ Step int }
		if err := errors.Join(a.Decode(&data), a.Definition(&spec)); err != nil {
			return err
		}
		data.Sum = data.N + spec.Step + a.Number()
		return a.Encode(data)
	})
	s.w.Handle("python", func(context.Context, *worker.Attempt) error { return errors.New("not mine") })
	s.delete("python", "c", s.get("python", "c"))
	s.work()
	for queue, want := range map[string]string{"plain/a": "\xa1\x62by\x6dthe plain one", "defined/b": "\xa2\x61N\x05\x63Sum\x09"} {
		name, key, _ := strings.Cut(queue, "/")
		info := s.get(name, key)
		if info.State != job.Complete || string(info.Attempt.Data) != want {
			t.Errorf("%s is %v with %q", queue, info.State, info.Attempt.Data)
		}
	}
}

// delete removes a job that nobody has taken.
func (s *site) delete(queue, key string, info *client.Info) {
	s.t.Helper()
	if info.State != job.Ready {
		s.t.Errorf("%s/%s is %v", queue, key, info.State)
	}
	if _, err := s.ns.Delete(s.t.Context(), client.Selection{Jobs: []client.Ref{{Queue: queue, Key: job.Key(key)}}}, client.DeleteOptions{}); err != nil {
		s.t.Fatal(err)
	}
}

func TestFailures(t *testing.T) {
	boom := errors.New("boom")
	for name, c := range map[string]struct {
		f           func(a *worker.Attempt) error
		plain, unit job.State // where the job ends
		attempts    uint32    // of the plain one
		message     string
	}{
		"error":      {func(*worker.Attempt) error { return boom }, job.Buried, job.Buried, 1, "boom"},
		"panic":      {func(*worker.Attempt) error { panic("alas") }, job.Buried, job.Buried, 1, "panic: alas"},
		"own panic":  {func(*worker.Attempt) error { panic(boom) }, job.Buried, job.Buried, 1, "panic: boom"},
		"final":      {func(*worker.Attempt) error { return worker.Fail(boom) }, job.Buried, job.Buried, 1, "boom"},
		"own end":    {func(a *worker.Attempt) error { a.End(nil); return boom }, job.Complete, job.Complete, 1, ""},
		"own defeat": {func(a *worker.Attempt) error { a.End(worker.Fail(boom)); return nil }, job.Buried, job.Buried, 1, "boom"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t, worker.Config{})
			s.queue(job.Queue{Name: "plain"})
			s.spec(map[string]any{"name": "unit"})
			for _, queue := range []string{"plain", "unit"} {
				s.add(queue, "k")
				s.w.Handle(queue, func(_ context.Context, a *worker.Attempt) error { return c.f(a) })
			}
			s.work()
			plain, unit := s.get("plain", "k"), s.get("unit", "k")
			if plain.State != c.plain || unit.State != c.unit || plain.Attempts != c.attempts {
				t.Errorf("ended %v after %d attempts, and %v", plain.State, plain.Attempts, unit.State)
			}
			if plain.Attempt.Result.Message != c.message || unit.Attempt.Result.Message != c.message {
				t.Errorf("messages %q, %q", plain.Attempt.Result.Message, unit.Attempt.Result.Message)
			}
			if told := strings.Contains(string(unit.Attempt.Data), c.message); c.message != "" && !told {
				t.Errorf("the unit's data is %q", unit.Attempt.Data)
			}
			if stack := string(plain.Attempt.Result.Stderr.Head); strings.Contains(stack, "worker_test.go") != strings.HasPrefix(c.message, "panic") {
				t.Errorf("the stack is %q", stack)
			}
		})
	}
}

func TestTriedAgain(t *testing.T) {
	s := newSite(t, worker.Config{})
	s.queue(job.Queue{Name: "plain"})
	s.spec(map[string]any{"name": "unit", "max_retries": 5})
	if _, _, err := s.ns.AddJobs(t.Context(), client.AddOptions{}, &job.Job{Queue: "plain", Key: "k", Data: []byte{0xa0}, Retries: new(2)}); err != nil {
		t.Fatal(err)
	}
	s.add("unit", "k")
	for _, queue := range []string{"plain", "unit"} {
		s.w.Handle(queue, func(_ context.Context, a *worker.Attempt) error {
			if a.Number() == 3 {
				return nil
			}
			return worker.Again(errors.New("not yet"), 0)
		})
	}
	s.work()
	for _, queue := range []string{"plain", "unit"} {
		if info := s.get(queue, "k"); info.State != job.Complete || info.Attempts != 3 {
			t.Errorf("%s is %v after %d attempts", queue, info.State, info.Attempts)
		}
	}
}

func TestBatches(t *testing.T) {
	s := newSite(t, worker.Config{Concurrency: 8})
	s.queue(job.Queue{Name: "q", Order: job.OrderKey})
	var keys []string
	for i := range 20 {
		keys = append(keys, fmt.Sprintf("k%02d", i))
	}
	s.add("q", keys...)
	var mu sync.Mutex
	var sizes []int
	s.w.HandleBatch("q", 5, func(_ context.Context, batch []*worker.Attempt) error {
		mu.Lock()
		defer mu.Unlock()
		sizes = append(sizes, len(batch))
		for _, a := range batch {
			if a.Key() == "k07" {
				a.End(worker.Fail(errors.New("not this one")))
			}
		}
		return nil
	})
	s.work()
	for _, key := range keys {
		state := job.Complete
		if key == "k07" {
			state = job.Buried
		}
		if info := s.get("q", key); info.State != state {
			t.Errorf("%s is %v", key, info.State)
		}
	}
	if sum, largest := total(sizes); sum != 20 || largest > 5 || len(sizes) > 12 {
		t.Errorf("batches of %v", sizes)
	}
}

func total(sizes []int) (sum, largest int) {
	for _, n := range sizes {
		sum, largest = sum+n, max(largest, n)
	}
	return sum, largest
}

func TestOutputsFeedTheNextQueue(t *testing.T) {
	s := newSite(t, worker.Config{})
	s.queue(job.Queue{Name: "first", Then: "second"})
	s.queue(job.Queue{Name: "second"})
	s.add("first", "a", "b")
	s.w.Handle("first", func(_ context.Context, a *worker.Attempt) error {
		a.Emit(&job.Job{Key: "from " + a.Key(), Data: a.Bytes(), Retries: new(0)})
		if a.Key() == "b" {
			return errors.New("what it emitted goes with it")
		}
		return nil
	})
	var got []job.Key
	s.w.Handle("second", func(_ context.Context, a *worker.Attempt) error {
		got = append(got, a.Key())
		return nil
	})
	s.work()
	if diff := cmp.Diff([]job.Key{"from a"}, got); diff != "" {
		t.Error(diff)
	}
}

func TestContinuousQueues(t *testing.T) {
	s := newSite(t, worker.Config{})
	s.spec(map[string]any{"name": "tick", "continuous": true, "interval": 0.05})
	ctx, end := context.WithCancel(t.Context())
	var keys []job.Key
	s.w.Handle("tick", func(_ context.Context, a *worker.Attempt) error {
		if keys = append(keys, a.Key()); len(keys) == 3 {
			end()
		}
		return nil
	})
	if err := s.w.Run(ctx); err != nil {
		t.Error(err)
	}
	if len(keys) != 3 || keys[0] >= keys[1] || keys[1] >= keys[2] {
		t.Errorf("jobs %q", keys)
	}
}

func TestSeveralAtOnce(t *testing.T) {
	s := newSite(t, worker.Config{Concurrency: 4})
	s.queue(job.Queue{Name: "q"})
	s.add("q", "a", "b", "c", "d", "e", "f")
	var all sync.WaitGroup
	all.Add(4)
	var mu sync.Mutex
	running, most := 0, 0
	count := func(n int) {
		mu.Lock()
		defer mu.Unlock()
		running += n
		most = max(most, running)
	}
	s.w.Handle("q", func(_ context.Context, a *worker.Attempt) error {
		count(1)
		defer count(-1)
		if a.Key() < "e" { // the first four meet
			all.Done()
			all.Wait()
		}
		return nil
	})
	s.work()
	if most != 4 {
		t.Errorf("%d at once", most)
	}
}

func TestTheServerSeesTheWorker(t *testing.T) {
	s := newSite(t, worker.Config{Name: "w", Parent: "p", Mode: "busy", Labels: job.Labels{"site:moon"}})
	s.queue(job.Queue{Name: "q", Labels: job.Labels{"site:moon"}}) // nobody else may have its jobs
	s.add("q", "a")
	s.w.Handle("q", func(ctx context.Context, a *worker.Attempt) error {
		info, err := s.ns.WorkerInfo(ctx, s.w.Name())
		if err != nil {
			return err
		}
		if !info.Alive || info.Parent != "p" || info.Mode != "busy" || info.Held != 1 || len(info.Labels) != 1 {
			return fmt.Errorf("the server knows %+v", info)
		}
		if err := a.Encode("half of it"); err != nil {
			return err
		}
		return a.Update(ctx)
	})
	s.work()
	if info := s.get("q", "a"); info.State != job.Complete {
		t.Errorf("%v: %s", info.State, info.Attempt.Result.Message)
	}
	if info, err := s.ns.WorkerInfo(t.Context(), "w"); err == nil && info.Alive {
		t.Error("the worker has not left")
	}
}

func TestACancelledJobEndsItsFunction(t *testing.T) {
	s := newSite(t, worker.Config{})
	s.queue(job.Queue{Name: "q"})
	s.add("q", "a")
	var why error
	s.w.Handle("q", func(ctx context.Context, a *worker.Attempt) error {
		if _, err := s.ns.Cancel(ctx, client.Selection{Jobs: []client.Ref{{Queue: "q", Key: "a"}}}); err != nil {
			return err
		}
		if err := a.Update(ctx); !errors.Is(err, worker.ErrCancelled) {
			return fmt.Errorf("update: %w", err)
		}
		<-ctx.Done()
		why = context.Cause(ctx)
		return why
	})
	s.work()
	if info := s.get("q", "a"); info.State != job.Buried || info.Reason != job.ReasonCancelled || !errors.Is(why, worker.ErrCancelled) {
		t.Errorf("%v, %v; the function ended with %v", info.State, info.Reason, why)
	}
}

func TestAResultTooLargeIsAFailure(t *testing.T) {
	s := newSite(t, worker.Config{})
	s.queue(job.Queue{Name: "q"})
	s.add("q", "a")
	s.w.Handle("q", func(_ context.Context, a *worker.Attempt) error {
		a.SetBytes(make([]byte, job.MaxData+1))
		if err := a.Update(context.Background()); job.KindOf(err) != job.Invalid {
			return fmt.Errorf("update: %w", err)
		}
		return nil
	})
	s.work()
	if info := s.get("q", "a"); info.State != job.Buried || !strings.Contains(info.Attempt.Result.Message, "16777217 bytes") {
		t.Errorf("%v: %s", info.State, info.Attempt.Result.Message)
	}
}
