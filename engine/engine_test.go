package engine

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/muster-queue/muster/job"
	"github.com/muster-queue/muster/queue"
	"github.com/muster-queue/muster/store/memory"
)

// bench is an engine over a memory store, in simulated time.
type bench struct {
	*Engine
	ns    *Namespace
	store *shelf
	ctx   context.Context
}

func setup(t *testing.T, cfg Config) *bench {
	t.Helper()
	b := &bench{store: &shelf{Store: memory.New()}, ctx: t.Context()}
	b.start(t, cfg)
	return b
}

func (b *bench) start(t *testing.T, cfg Config) {
	t.Helper()
	var err error
	if b.Engine, err = New(b.ctx, cfg, b.store); err != nil {
		t.Fatal(err)
	}
	b.Listening()
	if b.ns, err = b.Namespace(b.ctx, ""); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.Stop(0) })
}

func data(key string) *job.Job { return &job.Job{Queue: "q", Key: job.Key(key), Data: []byte("x")} }

func (b *bench) add(t *testing.T, jobs ...*job.Job) *AddResult {
	t.Helper()
	r, err := b.ns.Add(b.ctx, AddRequest{Jobs: jobs})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func (b *bench) counts(t *testing.T) job.Counts {
	t.Helper()
	c, err := b.ns.Counts(b.ctx, CountsRequest{})
	if err != nil {
		t.Fatal(err)
	}
	return c.Total
}

func (b *bench) reserve(t *testing.T, r ReserveRequest) []Grant {
	t.Helper()
	if r.Worker.Name == "" {
		r.Worker.Name = "w"
	}
	g, err := b.ns.Reserve(b.ctx, r)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func (b *bench) report(t *testing.T, r Report) ReportAnswer {
	t.Helper()
	a, err := b.ns.Report(b.ctx, "w", []Report{r})
	if err != nil {
		t.Fatal(err)
	}
	return a[0]
}

func refTo(g Grant) Ref { return Ref{Seq: g.Seq, Attempt: g.Attempt} }

func TestAddReserveComplete(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := setup(t, Config{})
		r := b.add(t, data("a"), data("b"), data("a"))
		if r.Added != 2 || r.Existed != 1 {
			t.Fatalf("added %d, existed %d; want 2 and 1", r.Added, r.Existed)
		}
		grants := b.reserve(t, ReserveRequest{N: 5})
		if len(grants) != 2 {
			t.Fatalf("reserved %d; want 2", len(grants))
		}
		j, err := grants[0].Job()
		if err != nil || j.Key != "a" || j.Queue != "q" {
			t.Fatalf("the first job is %+v (%v)", j, err)
		}
		for range 2 { // a repeat gets the same answer
			if a := b.report(t, Report{Ref: refTo(grants[0]), Kind: ReportComplete}); a.Err != nil || a.State != job.Complete {
				t.Fatalf("complete: %+v", a)
			}
		}
		if a := b.report(t, Report{Ref: refTo(grants[0]), Kind: ReportBury}); !errors.Is(a.Err, job.ErrLostLease) {
			t.Fatalf("burying a complete job: %+v; want a lost lease", a)
		}
		if c := b.counts(t); c[job.Complete] != 1 || c[job.Reserved] != 1 {
			t.Fatalf("counts %v", c)
		}
		i, err := b.ns.Get(b.ctx, JobID{Queue: "q", Key: "a"}, true, false)
		if err != nil || i.Live.State != job.Complete || i.Last == nil || i.Last.Worker != "w" {
			t.Fatalf("get: %+v, %v", i, err)
		}
		if r := b.add(t, data("a")); r.Existed != 1 {
			t.Fatalf("adding a finished job again: %+v", r)
		}
	})
}

func TestRepliesWaitForDurability(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := setup(t, Config{})
		release := b.store.hold()
		added, counted := make(chan *AddResult, 1), make(chan job.Counts, 1)
		go func() {
			r, _ := b.ns.Add(b.ctx, AddRequest{Jobs: []*job.Job{data("a")}})
			added <- r
		}()
		synctest.Wait()
		go func() {
			c, _ := b.ns.Counts(b.ctx, CountsRequest{})
			counted <- c.Total
		}()
		synctest.Wait()
		select {
		case <-added:
			t.Fatal("the add was answered before it was durable")
		case <-counted:
			t.Fatal("a read was answered before what it saw was durable")
		default:
		}
		release()
		if r := <-added; r.Added != 1 {
			t.Fatalf("added %+v", r)
		}
		if c := <-counted; c[job.Ready] != 1 {
			t.Fatalf("counts %v", c)
		}
	})
}

func TestFailedCommit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := setup(t, Config{})
		b.add(t, data("before"))
		b.store.failNext(errors.New("the disk broke"))
		if _, err := b.ns.Add(b.ctx, AddRequest{Jobs: []*job.Job{data("lost")}}); !errors.Is(err, job.ErrUnknownOutcome) {
			t.Fatalf("add during a failing commit: %v", err)
		}
		synctest.Wait() // an add before the writer heard of it would share the fate
		if r := b.add(t, data("after"), data("before"), data("lost")); r.Added != 2 || r.Existed != 1 {
			t.Fatalf("after the reload: %+v", r)
		}
		if got := len(b.reserve(t, ReserveRequest{N: 9})); got != 3 {
			t.Fatalf("reserved %d; want 3", got)
		}
	})
}

func TestPanicInATurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := setup(t, Config{})
		b.add(t, data("a"))
		_, err := call(b.ctx, b.ns, normal, func(*writer) (int, error) { panic("a defect") })
		if !errors.Is(err, job.ErrUnknownOutcome) {
			t.Fatalf("err %v", err)
		}
		if c := b.counts(t); c[job.Ready] != 1 {
			t.Fatalf("counts %v after the reload", c)
		}
	})
}

func TestRestartKeepsEverything(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := setup(t, Config{})
		b.add(t, data("a"), data("b"), data("c"))
		g := b.reserve(t, ReserveRequest{N: 2, Lease: time.Minute})
		b.report(t, Report{Ref: refTo(g[0]), Kind: ReportComplete})
		b.Stop(0)
		b.start(t, Config{})
		if c := b.counts(t); c[job.Complete] != 1 || c[job.Reserved] != 1 || c[job.Ready] != 1 {
			t.Fatalf("counts %v", c)
		}
		if a := b.report(t, Report{Ref: refTo(g[1]), Kind: ReportComplete}); a.Err != nil {
			t.Fatalf("a report after the restart: %v", a.Err)
		}
		if r := b.add(t, data("a")); r.Existed != 1 {
			t.Fatalf("finished before the restart, added again: %+v", r)
		}
	})
}

func TestReserveWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := setup(t, Config{})
		got := make(chan []Grant, 1)
		go func() {
			g, _ := b.ns.Reserve(b.ctx, ReserveRequest{Worker: job.Worker{Name: "w"}, N: 1, Wait: time.Hour})
			got <- g
		}()
		synctest.Wait()
		b.add(t, data("a"))
		if g := <-got; len(g) != 1 {
			t.Fatalf("got %d", len(g))
		}
		began := time.Now()
		if g := b.reserve(t, ReserveRequest{N: 1, Wait: time.Minute}); len(g) != 0 || time.Since(began) != time.Minute {
			t.Fatalf("%d jobs after %v; want none after a minute", len(g), time.Since(began))
		}
	})
}

// TestReserveGivenUp: a caller who goes away takes no grant with them.
func TestReserveGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := setup(t, Config{})
		ctx, cancel := context.WithCancel(b.ctx)
		gone := make(chan struct{})
		go func() {
			defer close(gone)
			_, _ = b.ns.Reserve(ctx, ReserveRequest{Worker: job.Worker{Name: "gone"}, N: 1, Wait: -1})
		}()
		synctest.Wait()
		cancel()
		<-gone
		b.add(t, data("a"))
		if g := b.reserve(t, ReserveRequest{N: 1}); len(g) != 1 {
			t.Fatal("the job went to a reserve that had been given up")
		}
	})
}

func TestReserveRepeats(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := setup(t, Config{})
		b.add(t, data("a"), data("b"))
		first := b.reserve(t, ReserveRequest{N: 1, Session: "s", Sequence: 1})
		again := b.reserve(t, ReserveRequest{N: 1, Session: "s", Sequence: 1})
		next := b.reserve(t, ReserveRequest{N: 1, Session: "s", Sequence: 2})
		if again[0].Attempt != first[0].Attempt || next[0].Attempt == first[0].Attempt {
			t.Fatalf("first %v, again %v, next %v", first[0].Attempt, again[0].Attempt, next[0].Attempt)
		}
		if string(again[0].Body) != string(first[0].Body) {
			t.Fatal("the repeat has another description")
		}
	})
}

// TestReserveRepeatsAfterARestart: a grant whose answer was lost with the server
// is given again by the next one.
func TestReserveRepeatsAfterARestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := setup(t, Config{})
		b.add(t, data("a"), data("b"))
		first := b.reserve(t, ReserveRequest{N: 1, Session: "s", Sequence: 7})
		b.Stop(0)
		b.start(t, Config{})
		again := b.reserve(t, ReserveRequest{N: 1, Session: "s", Sequence: 7})
		if len(again) != 1 || again[0].Attempt != first[0].Attempt {
			t.Fatalf("first %+v, again %+v", first, again)
		}
	})
}

func TestExpiredPulledJobIsAvailableAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := setup(t, Config{})
		b.add(t, data("a"))
		first := b.reserve(t, ReserveRequest{N: 1, Lease: time.Minute})
		began := time.Now()
		second := b.reserve(t, ReserveRequest{N: 1, Wait: time.Hour, Worker: job.Worker{Name: "w2"}})
		if waited := time.Since(began); len(second) != 1 || waited != time.Minute {
			t.Fatalf("%d jobs after %v; want one after the lease of a minute", len(second), waited)
		}
		if a := b.report(t, Report{Ref: refTo(first[0]), Kind: ReportComplete}); !errors.Is(a.Err, job.ErrLostLease) {
			t.Fatalf("the old attempt's report: %+v", a)
		}
	})
}

func TestFullInbox(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := setup(t, Config{InboxOps: 2, Inflight: 1})
		release := b.store.hold()
		var wg sync.WaitGroup
		refused := make(chan error, 20)
		for i := range 20 {
			wg.Go(func() {
				_, err := b.ns.Add(b.ctx, AddRequest{Jobs: []*job.Job{data(fmt.Sprint(i))}})
				if err != nil {
					refused <- err
				}
			})
			synctest.Wait()
		}
		release()
		wg.Wait()
		close(refused)
		n := 0
		for err := range refused {
			n++
			var e *job.Error
			if !errors.As(err, &e) || e.Kind != job.Exhausted || e.RetryAfter <= 0 {
				t.Fatalf("refused with %v; want exhausted with a time to try again", err)
			}
		}
		if n == 0 || b.counts(t)[job.Ready] != int64(20-n) {
			t.Fatalf("%d refused, %d added", n, b.counts(t)[job.Ready])
		}
	})
}

func TestRequestIDs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := setup(t, Config{})
		r := AddRequest{Jobs: []*job.Job{data("a")}, Client: "c", RequestID: "1"}
		for i := range 3 {
			if i == 2 {
				b.Stop(0)
				b.start(t, Config{})
			}
			got, err := b.ns.Add(b.ctx, r)
			if err != nil || got.Added != 1 || got.Existed != 0 {
				t.Fatalf("try %d: %+v, %v; want the first answer", i, got, err)
			}
		}
	})
}

func TestWatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := setup(t, Config{WatchBuffer: 64 * 10})
		ctx, cancel := context.WithCancel(b.ctx)
		var events []queue.Event
		var last WatchBatch
		resyncs := 0
		watch := func(from Cursor) {
			_ = b.ns.Watch(ctx, from, func(w WatchBatch) error {
				events, last = append(events, w.Events...), w
				if w.Resync {
					resyncs++
				}
				return nil
			})
		}
		go watch(Cursor{})
		synctest.Wait()
		b.add(t, data("a"))
		b.add(t, data("b"))
		synctest.Wait()
		if resyncs != 1 || len(events) != 2 || events[0].To != job.Ready {
			t.Fatalf("%d resyncs, events %+v", resyncs, events)
		}
		cancel()
		synctest.Wait()
		for i := range 30 { // more than is kept
			b.add(t, data(fmt.Sprint("more", i)))
		}
		ctx, cancel = context.WithCancel(b.ctx)
		defer cancel()
		go watch(last.Next)
		synctest.Wait()
		if resyncs != 2 || last.Counts[job.Ready] != 32 {
			t.Fatalf("%d resyncs, counts %v; a watcher left behind must resync", resyncs, last.Counts)
		}
	})
}

func TestListPages(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := setup(t, Config{})
		for i := range 25 {
			b.add(t, data(fmt.Sprintf("%02d", i)))
		}
		for _, g := range b.reserve(t, ReserveRequest{N: 10}) {
			b.report(t, Report{Ref: refTo(g), Kind: ReportComplete})
		}
		var keys []string
		r := ListRequest{Page: 4}
		for {
			page, err := b.ns.List(b.ctx, r)
			if err != nil {
				t.Fatal(err)
			}
			for _, i := range page.Jobs {
				keys = append(keys, string(i.Job.Key))
			}
			if page.Next == "" {
				break
			}
			r.Token = page.Next
		}
		if len(keys) != 25 || keys[0] != "10" || keys[15] != "09" || keys[24] != "00" {
			t.Fatalf("%d keys: %v", len(keys), keys)
		}
		r.Filter.Queue = "other"
		if _, err := b.ns.List(b.ctx, r); !job.IsKind(err, job.Invalid) {
			t.Fatalf("a token with another filter: %v", err)
		}
	})
}

func TestOutcomes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := setup(t, Config{})
		b.add(t, data("a"), data("b"), data("c"), data("d"))
		for i, g := range b.reserve(t, ReserveRequest{N: 3}) {
			b.report(t, Report{Ref: refTo(g), Kind: ReportBury, Result: job.Result{Reason: job.ReasonExit, ExitCode: 1 + i/2}})
		}
		groups, partial, err := b.ns.Outcomes(b.ctx, OutcomesRequest{Limit: 1})
		if err != nil || partial || len(groups) != 3 {
			t.Fatalf("%d outcomes, %v, %v", len(groups), partial, err)
		}
		if g := groups[0]; g.Count != 2 || g.Similar != 1 || g.Exit != 1 || len(g.Jobs) != 1 {
			t.Fatalf("the most frequent: %+v", g)
		}
	})
}

func TestDeleteAndModify(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := setup(t, Config{})
		b.add(t, data("a"), data("b"), data("c"))
		g := b.reserve(t, ReserveRequest{N: 1})
		b.report(t, Report{Ref: refTo(g[0]), Kind: ReportComplete})
		r, err := b.ns.Delete(b.ctx, Selector{IDs: []JobID{{Queue: "q", Key: "a"}, {Queue: "q", Key: "b"}, {Queue: "q", Key: "none"}}}, DeleteOptions{})
		if err != nil || r.Changed != 2 || len(r.Refusals) != 1 {
			t.Fatalf("%+v, %v", r, err)
		}
		if c := b.counts(t); c.Total() != 1 {
			t.Fatalf("counts %v", c)
		}
		r, err = b.ns.Modify(b.ctx, Selector{Filter: &Filter{Queue: "q"}}, func(j *job.Job) error {
			j.Priority, j.Group = 7, "moved"
			return nil
		})
		if err != nil || r.Changed != 1 {
			t.Fatalf("modify: %+v, %v", r, err)
		}
		i, err := b.ns.Get(b.ctx, JobID{Queue: "q", Key: "c"}, false, false)
		if err != nil || i.Job.Priority != 7 || i.Live.Priority != 7 || i.Job.Group != "moved" {
			t.Fatalf("%+v, %v", i, err)
		}
	})
}

func TestIdleNamespacesLeaveMemory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := setup(t, Config{IdleUnload: time.Minute})
		b.add(t, data("a"))
		<-time.After(10 * time.Minute)
		synctest.Wait()
		b.mu.Lock()
		open := len(b.open)
		b.mu.Unlock()
		if open != 0 {
			t.Fatalf("%d namespaces are still open", open)
		}
		ns, err := b.Namespace(b.ctx, "")
		if err != nil {
			t.Fatal(err)
		}
		if c, err := ns.Counts(b.ctx, CountsRequest{}); err != nil || c.Total[job.Ready] != 1 {
			t.Fatalf("%v, %v", c, err)
		}
	})
}

func TestClockBehindTheStore(t *testing.T) {
	late, early := &setClock{wall: time.Unix(2e9, 0)}, &setClock{wall: time.Unix(2e9-7200, 0)}
	b := setup(t, Config{Clock: late})
	b.add(t, data("a"))
	b.Stop(0)
	e, err := New(b.ctx, Config{Clock: early}, b.store)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := e.Namespace(b.ctx, ""); !job.IsKind(err, job.Conflict) {
		t.Fatalf("a clock two hours behind: %v; want it refused", err)
	}
	e, err = New(b.ctx, Config{Clock: early, AcceptClock: true}, b.store)
	if err != nil {
		t.Fatal(err)
	}
	defer e.Stop(0)
	if _, err := e.Namespace(b.ctx, ""); err != nil {
		t.Fatalf("with the clock accepted: %v", err)
	}
}

type setClock struct {
	wall time.Time
	mono time.Duration
}

func (c *setClock) Wall() time.Time     { return c.wall }
func (c *setClock) Mono() time.Duration { return c.mono }

func TestEngineTime(t *testing.T) {
	c := &setClock{wall: time.Unix(1000, 0)}
	et, err := newEngineTime(c, 0, time.Hour, false)
	if err != nil {
		t.Fatal(err)
	}
	step := func(mono, wall time.Duration) time.Time {
		c.mono += mono
		c.wall = c.wall.Add(wall)
		return et.now().Std()
	}
	if got := step(time.Second, time.Second); !got.Equal(time.Unix(1001, 0)) {
		t.Fatalf("after a second: %v", got)
	}
	if got := step(2*time.Second, -time.Hour); got.Before(time.Unix(1002, 0)) {
		t.Fatalf("after a step back: %v; time must go on", got)
	}
	if got := step(2000*time.Second, 2000*time.Second+3*time.Hour); got.Sub(time.Unix(3003, 0)) > 2*time.Second {
		t.Fatalf("after a step ahead: %v; it must be slewed", got)
	}
}
