package schedule

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/muster-queue/muster/job"
)

// at is a time of the tests, in seconds.
func at(seconds int) job.Time { return job.Time(1e18).Add(time.Duration(seconds) * time.Second) }

// place is who got what, as tests write it.
type place struct {
	Seq    job.Seq
	Worker job.WorkerID
}

// pass runs a pass to its end.
func pass(t *testing.T, s *Scheduler, now job.Time) (got []place) {
	t.Helper()
	placed, more := s.Pass(now, math.MaxInt)
	if more {
		t.Fatal("a pass without bound came to no end")
	}
	for _, p := range placed {
		got = append(got, place{p.Seq, p.Worker})
	}
	return got
}

func wantPlaced(t *testing.T, got []place, want ...place) {
	t.Helper()
	if d := cmp.Diff(want, got); d != "" {
		t.Fatalf("placed (-want +got):\n%s", d)
	}
}

func cores(n int64) job.Resources { return job.Resources{"cpu": n * job.Thousandth} }

func agent(n int64, labels ...string) Worker {
	return Worker{Agent: true, Capacity: cores(n), Labels: labels}
}

func command(n int64, labels ...string) *job.Shape {
	return &job.Shape{Queue: 1, Command: true, Needs: cores(n), Labels: labels}
}

func TestOrderOfService(t *testing.T) {
	s := New(Config{})
	s.SetQueue(2, QueueSettings{Priority: 5})
	low, high := command(1), command(1)
	high.Queue = 2
	s.DefineShape(1, low)
	s.DefineShape(2, high)
	s.Push(1, Item{Seq: 1, Place: 1})
	s.Push(1, Item{Seq: 2, Place: 2, Priority: 0.5})
	s.Push(1, Item{Seq: 3, Place: 3, Priority: 1})
	s.Push(2, Item{Seq: 4, Place: 4, Priority: -100})
	s.Push(1, Item{Seq: 5, Place: 0})
	s.SetWorker(1, agent(10))
	wantPlaced(t, pass(t, s, at(0)), place{4, 1}, place{3, 1}, place{2, 1}, place{5, 1}, place{1, 1})
}

func TestBestFit(t *testing.T) {
	s := New(Config{})
	s.DefineShape(1, command(2))
	s.DefineShape(2, command(5, "gpu:a"))
	s.SetWorker(1, agent(8))
	s.SetWorker(2, agent(3))
	s.SetWorker(3, agent(6, "gpu:a", "os:linux"))
	for i := range 5 {
		s.Push(1, Item{Seq: job.Seq(i + 1), Place: uint64(i)})
	}
	// The tightest first, whatever its number; the one with labels is no exception.
	wantPlaced(t, pass(t, s, at(0)), place{1, 2}, place{2, 3}, place{3, 3}, place{4, 3}, place{5, 1})
	s.Push(2, Item{Seq: 9})
	wantPlaced(t, pass(t, s, at(0)))
	s.Release(2)
	wantPlaced(t, pass(t, s, at(0)))
	s.Release(3)
	wantPlaced(t, pass(t, s, at(0)))
	s.Release(4)
	wantPlaced(t, pass(t, s, at(0)), place{9, 3})
}

func TestBackfill(t *testing.T) {
	for _, strict := range []bool{false, true} {
		s := New(Config{Strict: strict})
		s.DefineShape(1, command(8))
		s.DefineShape(2, command(1))
		s.DefineShape(3, command(100)) // fits nowhere: holds up nobody
		s.SetWorker(1, agent(8))
		s.Push(3, Item{Seq: 1, Place: 1})
		s.Push(2, Item{Seq: 2, Place: 2})
		s.Push(1, Item{Seq: 3, Place: 3})
		s.Push(2, Item{Seq: 4, Place: 4})
		want := []place{{2, 1}, {4, 1}}
		if strict {
			want = want[:1]
		}
		wantPlaced(t, pass(t, s, at(0)), want...)
		if s.Release(2); strict {
			wantPlaced(t, pass(t, s, at(1)), place{3, 1})
		} else {
			wantPlaced(t, pass(t, s, at(1)))
		}
	}
}

// TestLargeJobStarts: a large job under an endless stream of small ones starts
// at most HeadWait and the longest small job after it came, and without
// reservations it does not.
func TestLargeJobStarts(t *testing.T) {
	if started := startOfLarge(t, Config{MaxReservations: -1}); started >= 0 {
		t.Fatalf("it started at %d s without a reservation: the test holds nothing up", started)
	}
	if started, limit := startOfLarge(t, Config{}), 10+60+30+1; started < 0 || started > limit {
		t.Fatalf("it started at %d s, want at %d s at the latest", started, limit)
	}
}

// startOfLarge is the second at which a job of four cores starts that came at 10
// among jobs of one core that take up to 30 s, on two machines of four; -1 if it
// had not in ten minutes.
func startOfLarge(t *testing.T, cfg Config) int {
	s := New(cfg)
	small := command(1)
	small.Time = 30 * time.Second
	s.DefineShape(1, small)
	s.DefineShape(2, command(4))
	s.SetWorker(1, agent(4))
	s.SetWorker(2, agent(4))
	seq := job.Seq(10)
	ends := map[job.Seq]int{}
	for now := range 600 {
		if now == 10 {
			s.Push(2, Item{Seq: 1, Place: 10})
		}
		for id, end := range ends {
			if end == now {
				s.Release(id)
				delete(ends, id)
			}
		}
		for range 8 { // more than there ever is room for
			seq++
			s.Push(1, Item{Seq: seq, Place: uint64(seq)})
		}
		for i, p := range pass(t, s, at(now)) {
			if p.Seq == 1 {
				return now
			}
			// One of the first eight ends every four seconds, later ones take 30.
			if ends[p.Seq] = now + 30; now == 0 {
				ends[p.Seq] = 4 * (i + 1)
			}
		}
	}
	return -1
}

// TestReservedForUnbounded: when nobody knows when the running jobs end, the
// reserved worker takes nothing new, and the others go on.
func TestReservedForUnbounded(t *testing.T) {
	s := New(Config{})
	s.DefineShape(1, command(1))
	s.DefineShape(2, command(2))
	s.SetWorker(1, agent(2))
	s.SetWorker(2, agent(2))
	for i := range 4 {
		s.Push(1, Item{Seq: job.Seq(i + 1), Place: uint64(i)})
	}
	wantPlaced(t, pass(t, s, at(0)), place{1, 1}, place{2, 1}, place{3, 2}, place{4, 2})
	s.Push(2, Item{Seq: 10, Place: 10})
	for i := range 6 {
		s.Push(1, Item{Seq: job.Seq(20 + i), Place: uint64(20 + i)})
	}
	wantPlaced(t, pass(t, s, at(1)))
	wake, ok := s.NextWake(at(1))
	if !ok || wake != at(61) {
		t.Fatalf("next wake at %v %v, want 60 s after the head was first seen", wake.Sub(at(0)), ok)
	}
	wantPlaced(t, pass(t, s, wake))
	if got := s.Explain(2, Item{Seq: 10, Place: 10}, wake); got.Reserved != 1 || got.Start != 0 {
		t.Fatalf("reserved: worker %d from %d, want worker 1 from nobody knows when", got.Reserved, got.Start)
	}
	s.Release(1)
	wantPlaced(t, pass(t, s, at(62)))
	if got := s.Explain(1, Item{Seq: 20, Place: 20}, at(62)); got.Cause != CauseReserved {
		t.Fatalf("the small job waits because of %v, want the reservation", got.Cause)
	}
	s.Release(3)
	wantPlaced(t, pass(t, s, at(63)), place{20, 2})
	s.Release(2)
	wantPlaced(t, pass(t, s, at(64)), place{10, 1})
	s.Release(10)
	wantPlaced(t, pass(t, s, at(65)), place{21, 1}, place{22, 1})
}

func TestUntil(t *testing.T) {
	s := New(Config{})
	short, long, open := command(1), command(1), command(1)
	short.Time, long.Time = 10*time.Second, 100*time.Second
	s.DefineShape(1, short)
	s.DefineShape(2, long)
	s.DefineShape(3, open)
	w := agent(10)
	w.Until = at(50)
	s.SetWorker(1, w)
	s.Push(1, Item{Seq: 1, Place: 1})
	s.Push(2, Item{Seq: 2, Place: 2})
	s.Push(3, Item{Seq: 3, Place: 3})
	wantPlaced(t, pass(t, s, at(0)), place{1, 1}, place{3, 1})
	if got := s.Explain(2, Item{Seq: 2, Place: 2}, at(0)); got.Cause != CauseTime {
		t.Fatalf("the long job waits because of %v", got.Cause)
	}
	s.Push(1, Item{Seq: 4, Place: 4})
	wantPlaced(t, pass(t, s, at(41)))
	w.Until = at(200)
	s.SetWorker(1, w)
	wantPlaced(t, pass(t, s, at(42)), place{2, 1}, place{4, 1})
}

// TestPrefetch: free resources anywhere first; what is prefetched counts for its
// queue, and occupies the worker only when it has started.
func TestPrefetch(t *testing.T) {
	s := New(Config{})
	s.SetQueue(1, QueueSettings{MaxRunning: 5})
	s.DefineShape(1, command(1))
	one, two := agent(1), agent(1)
	one.Prefetch = 2
	s.SetWorker(1, one)
	s.SetWorker(2, two)
	for i := range 9 {
		s.Push(1, Item{Seq: job.Seq(i + 1), Place: uint64(i)})
	}
	placed, _ := s.Pass(at(0), math.MaxInt)
	want := []Placement{
		{Seq: 1, Shape: 1, Worker: 1, Level: Free}, {Seq: 2, Shape: 1, Worker: 2, Level: Free},
		{Seq: 3, Shape: 1, Worker: 1, Prefetched: true, Level: Free}, {Seq: 4, Shape: 1, Worker: 1, Prefetched: true, Level: Free},
	}
	if d := cmp.Diff(want, placed); d != "" {
		t.Fatalf("(-want +got):\n%s", d)
	}
	// Job 1 ends: its slot is for what was prefetched, not for something new.
	s.Release(1)
	wantPlaced(t, pass(t, s, at(1)))
	s.Hold(Held{Seq: 3, Shape: 1, Worker: 1, Since: at(1)})
	wantPlaced(t, pass(t, s, at(1)), place{5, 1})
	if got := s.Explain(1, Item{Seq: 6, Place: 5}, at(1)); got.Cause != CauseBusy {
		t.Fatalf("cause %v, want busy: 4 of 5 run", got.Cause)
	}
	two.Prefetch = 3
	s.SetWorker(2, two)
	wantPlaced(t, pass(t, s, at(1)), place{6, 2})
	if got := s.Explain(1, Item{Seq: 7, Place: 6}, at(1)); got.Cause != CauseMaxRunning || got.Running != 5 {
		t.Fatalf("%v, want the queue's cap", got)
	}
}

// TestPassInSteps: a pass with a small allowance places the same jobs in the same
// order, and never does much more than it was allowed.
func TestPassInSteps(t *testing.T) {
	build := func() *Scheduler {
		l := load{jobs: 3000, shapes: 1500, workers: 300, queues: 7, cores: 16, vectors: true}
		s := l.fill()
		l.present(s)
		return s
	}
	whole := build()
	want, more := whole.Pass(benchStart, math.MaxInt)
	if more || len(want) < 500 {
		t.Fatalf("%d placed, more %v", len(want), more)
	}
	for _, step := range []int{1, 7, 100} {
		s := build()
		var got []Placement
		for more := true; more; {
			var placed []Placement
			if placed, more = s.Pass(benchStart, step); len(placed) > step {
				t.Fatalf("%d jobs placed in a step of %d", len(placed), step)
			}
			got = append(got, placed...)
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Fatalf("in steps of %d (-whole +steps):\n%s", step, d)
		}
	}
}

// TestDeterminism: the same calls give the same answers, also at sizes where maps
// and several ways of working are involved.
func TestDeterminism(t *testing.T) {
	run := func() (got []Placement) {
		rnd := rand.New(rand.NewPCG(1, 2))
		l := load{jobs: 5000, shapes: 2500, workers: 500, queues: 40, cores: 8, vectors: true}
		s := l.fill()
		l.present(s)
		for i := range 40 {
			placed, _ := s.Pass(benchStart.Add(time.Duration(i)*10*time.Second), 1000)
			got = append(got, placed...)
			for range 30 + i%3*300 {
				s.Release(got[rnd.IntN(len(got))].Seq)
			}
			placed, _ = s.Pull(s.now, Pull{Worker: 9999, N: 3, Command: true, Kinds: []job.KindID{1}, Capacity: cores(4)})
			got = append(got, placed...)
		}
		return got
	}
	if d := cmp.Diff(run(), run()); d != "" {
		t.Fatalf("two runs differ:\n%s", d)
	}
}

// TestManyAgainstModel compares with the model at a size where the agenda and the
// leaves overflow.
func TestManyAgainstModel(t *testing.T) {
	rnd := rand.New(rand.NewPCG(7, 8))
	w := &twin{s: New(Config{}), m: newModel(Config{})}
	w.s.tune.news, w.s.tune.walks = 80, 20
	for id := range job.WorkerID(90) {
		def := Worker{Agent: true, Capacity: job.Resources{"cpu": 1000 * (1 + rnd.Int64N(4)), "mem": (1 + rnd.Int64N(8)) << 30}}
		w.s.SetWorker(id+1, def)
		w.m.workers[id+1] = def
	}
	for id := range job.ShapeID(260) {
		sh := job.Shape{
			Queue: job.QueueID(rnd.IntN(3) + 1), Command: true, Time: time.Duration(rnd.IntN(3)) * time.Second,
			Needs: job.Resources{"cpu": 500 * (1 + rnd.Int64N(6)), "mem": (1 + rnd.Int64N(8)) << 29},
		}
		w.s.DefineShape(id+1, &sh)
		w.m.shapes[id+1] = sh
		it := Item{Seq: job.Seq(id + 1), Place: rnd.Uint64N(250), Priority: float64(rnd.IntN(2))}
		w.s.Push(id+1, it)
		w.m.ready[it.Seq] = modelJob{it, id + 1}
	}
	for now := range 3 {
		want := w.m.pass(at(now))
		got, _ := w.s.Pass(at(now), math.MaxInt)
		if d := cmp.Diff(want, slices.Clone(got)); d != "" {
			t.Fatalf("(-model +scheduler):\n%s", d)
		}
		if len(got) == 0 {
			t.Fatal("nothing was placed")
		}
		for seq := range w.m.held {
			w.s.Release(seq)
		}
		clear(w.m.held)
	}
}

// TestQueueOpens: a queue at its cap gives its slot on at once, to the
// next in order, also of the jobs that came while it was closed.
func TestQueueOpens(t *testing.T) {
	s := New(Config{})
	s.SetQueue(1, QueueSettings{MaxRunning: 1})
	s.DefineShape(1, command(1))
	s.DefineShape(2, command(2))
	s.SetWorker(1, agent(10))
	s.Push(1, Item{Seq: 1, Place: 5})
	wantPlaced(t, pass(t, s, at(0)), place{1, 1})
	s.Push(1, Item{Seq: 2, Place: 6})
	s.Push(2, Item{Seq: 3, Place: 4})
	wantPlaced(t, pass(t, s, at(0)))
	s.Release(1)
	wantPlaced(t, pass(t, s, at(0)), place{3, 1})
	s.SetQueue(1, QueueSettings{Paused: true})
	s.Release(3)
	wantPlaced(t, pass(t, s, at(0)))
	s.SetQueue(1, QueueSettings{})
	wantPlaced(t, pass(t, s, at(0)), place{2, 1})
}

// TestDropQueue: a queue that is gone has no settings any more.
func TestDropQueue(t *testing.T) {
	s := New(Config{})
	s.SetQueue(1, QueueSettings{Paused: true, Priority: 3})
	s.DefineShape(1, command(1))
	s.SetWorker(1, agent(1))
	s.Push(1, Item{Seq: 1})
	wantPlaced(t, pass(t, s, at(0)))
	s.DropQueue(1)
	wantPlaced(t, pass(t, s, at(0)), place{1, 1})
	s.DropShape(1)
	if len(s.queues) != 1 {
		t.Fatal("a queue was forgotten while a job of it runs")
	}
	s.Release(1)
	if len(s.queues)+len(s.lanes)+len(s.held) != 0 || len(s.classes) != 1 {
		t.Fatalf("left over: %d queues, %d lanes, %d held, %d classes", len(s.queues), len(s.lanes), len(s.held), len(s.classes))
	}
}

// TestHoldMoves: a second hold of a job replaces the first, wherever it is.
func TestHoldMoves(t *testing.T) {
	s := New(Config{})
	s.DefineShape(1, command(1))
	s.SetWorker(1, agent(1))
	s.SetWorker(2, agent(1))
	s.Hold(Held{Seq: 1, Shape: 1, Worker: 1})
	s.Hold(Held{Seq: 1, Shape: 1, Worker: 2})
	s.Push(1, Item{Seq: 2})
	wantPlaced(t, pass(t, s, at(0)), place{2, 1})
}

// TestBetterJobBehindWalk: a job that becomes the first of its shape where a walk
// has passed is placed all the same.
func TestBetterJobBehindWalk(t *testing.T) {
	s := New(Config{})
	s.DefineShape(1, command(1))
	s.DefineShape(2, command(2))
	s.DefineShape(3, command(4))
	s.SetWorker(1, agent(4))
	s.Hold(Held{Seq: 100, Shape: 3, Worker: 1})
	s.Push(1, Item{Seq: 1, Place: 5})
	s.Push(2, Item{Seq: 2, Place: 9})
	wantPlaced(t, pass(t, s, at(0)))
	s.Release(100)
	if placed, more := s.Pass(at(0), 1); len(placed) != 1 || placed[0].Seq != 1 || !more {
		t.Fatalf("placed %v, more %v", placed, more)
	}
	s.Push(2, Item{Seq: 3, Place: 2})
	wantPlaced(t, pass(t, s, at(0)), place{3, 1})
}

// TestRefusalsOfSpecialResources: that nobody has one licence says nothing about
// another.
func TestRefusalsOfSpecialResources(t *testing.T) {
	s := New(Config{})
	for id, licence := range []string{"a", "b"} {
		s.DefineShape(job.ShapeID(id+1), &job.Shape{Queue: 1, Command: true, Needs: job.Resources{licence: 1000}})
		s.Push(job.ShapeID(id+1), Item{Seq: job.Seq(id + 1), Place: uint64(id)})
	}
	s.SetWorker(1, Worker{Agent: true, Capacity: job.Resources{"b": 1000}})
	wantPlaced(t, pass(t, s, at(0)), place{2, 1})
}
