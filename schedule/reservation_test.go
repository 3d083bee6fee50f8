package schedule

import (
	"math"
	"testing"
	"time"

	"github.com/muster-queue/muster/job"
)

// crowd is a scheduler with agents of ten cores of which nine are busy until a
// minute, two minutes, and so on after the hour; a job that needs two waits.
func crowd(agents int) *Scheduler {
	s := New(Config{})
	for i := range agents {
		id := job.WorkerID(i + 1)
		s.SetWorker(id, agent(10))
		busy := command(9)
		busy.Time = time.Hour
		s.DefineShape(1, busy)
		s.Hold(Held{Seq: job.Seq(1000 + i), Shape: 1, Worker: id, Since: at(60 * (i + 1))})
	}
	s.DefineShape(2, command(2))
	s.Push(2, Item{Seq: 1, Place: 1})
	return s
}

func reservedFor(s *Scheduler, now job.Time) (job.WorkerID, job.Time) {
	e := s.Explain(2, Item{Seq: 1, Place: 1}, now)
	return e.Reserved, e.Start
}

func TestReserveWhereItStartsSoonest(t *testing.T) {
	s := crowd(5)
	wantPlaced(t, pass(t, s, at(0)))
	wantPlaced(t, pass(t, s, at(60)))
	if w, start := reservedFor(s, at(60)); w != 1 || start != at(3660) {
		t.Fatalf("reserved worker %d from %v, want worker 1 from 1h1m", w, start.Sub(at(0)))
	}
	// It turns out to take longer: the start follows, and after HeadWait the choice.
	s.Hold(Held{Seq: 1000, Shape: 1, Worker: 1, Since: at(1000)})
	pass(t, s, at(61))
	if w, start := reservedFor(s, at(61)); w != 1 || start != at(4600) {
		t.Fatalf("reserved worker %d from %v, want worker 1 from its new end", w, start.Sub(at(0)))
	}
	wake, ok := s.NextWake(at(61))
	if !ok || wake != at(120) {
		t.Fatalf("next wake after %v, want at 120 s", wake.Sub(at(0)))
	}
	pass(t, s, wake)
	if w, start := reservedFor(s, wake); w != 2 || start != at(3720) {
		t.Fatalf("reserved worker %d from %v, want worker 2 from 1h2m", w, start.Sub(at(0)))
	}
	s.Release(1001)
	wantPlaced(t, pass(t, s, at(130)), place{1, 2})
	if _, ok := s.NextWake(at(130)); ok {
		t.Fatal("it wants to be woken though nothing waits")
	}
}

// TestSearchWhileAgentsLeave: a search in steps is right about the agents that
// are there when it ends.
func TestSearchWhileAgentsLeave(t *testing.T) {
	for best := job.WorkerID(8); best <= 16; best++ {
		for leaves := job.WorkerID(1); leaves <= 20; leaves++ {
			s := crowd(30)
			s.Hold(Held{Seq: job.Seq(999 + best), Shape: 1, Worker: best, Since: at(1)})
			pass(t, s, at(0))
			for range 12 {
				if _, more := s.Pass(at(60), 1); !more {
					t.Fatal("thirty agents were looked at in twelve steps of one")
				}
			}
			s.DropWorker(leaves)
			for more := true; more; {
				_, more = s.Pass(at(60), 1)
			}
			want := best
			if leaves == best {
				want = 1
			}
			if w, _ := reservedFor(s, at(60)); w != want {
				t.Fatalf("%d is best, %d leaves: reserved worker %d, want %d", best, leaves, w, want)
			}
		}
	}
}

// TestLaterStartLetsMoreIn: when the head's start is put off, what ends before it
// by now may go to its worker.
func TestLaterStartLetsMoreIn(t *testing.T) {
	s := crowd(1)
	pass(t, s, at(0))
	pass(t, s, at(60)) // reserved from 1h1m
	bounded := command(1)
	bounded.Time = time.Hour
	s.DefineShape(3, bounded)
	s.Push(3, Item{Seq: 2, Place: 2})
	wantPlaced(t, pass(t, s, at(61)))
	s.Hold(Held{Seq: 1000, Shape: 1, Worker: 1, Since: at(100)})
	wantPlaced(t, pass(t, s, at(62)), place{2, 1})
}

// TestEarlierUntilEndsStart: a start that the end of the alloc makes impossible is
// not announced any more.
func TestEarlierUntilEndsStart(t *testing.T) {
	s := crowd(1)
	head := command(2)
	head.Time = time.Minute
	s.DefineShape(2, head)
	pass(t, s, at(0))
	pass(t, s, at(60))
	if _, start := reservedFor(s, at(60)); start != at(3660) {
		t.Fatalf("planned for %v, want 1h1m", start.Sub(at(0)))
	}
	w := agent(10)
	w.Until = at(3700)
	s.SetWorker(1, w)
	pass(t, s, at(61))
	if _, start := reservedFor(s, at(61)); start != 0 {
		t.Fatalf("still planned for %v", start.Sub(at(0)))
	}
}

// TestBestOfReserved: a job that outranks several heads takes the best fit among
// their workers, whichever was reserved first.
func TestBestOfReserved(t *testing.T) {
	for _, sooner := range []int{0, 1} {
		s := New(Config{ReservedShare: 1})
		busy := command(4)
		busy.Time = time.Hour
		s.DefineShape(1, busy)
		for i := range 2 {
			id := job.WorkerID(i + 1)
			s.SetWorker(id, agent(int64(6+i)))
			s.Hold(Held{Seq: job.Seq(1000 + i), Shape: 1, Worker: id, Since: at(10 * (i ^ sooner))})
			head := command(4)
			head.Time = time.Hour * time.Duration(i+1)
			s.DefineShape(10+job.ShapeID(i), head)
			s.Push(10+job.ShapeID(i), Item{Seq: job.Seq(i + 1), Place: uint64(i)})
		}
		pass(t, s, at(0))
		pass(t, s, at(60))
		if len(s.reservations) != 2 || s.reservations[0].worker.id != job.WorkerID(sooner+1) {
			t.Fatalf("%d reservations, want 2, of worker %d first", len(s.reservations), sooner+1)
		}
		s.DefineShape(3, command(1))
		s.Push(3, Item{Seq: 9, Priority: 1})
		wantPlaced(t, pass(t, s, at(61)), place{9, 1})
	}
}

// TestWaitingBeginsAnew: the next job of a shape that had none waits from when it
// came.
func TestWaitingBeginsAnew(t *testing.T) {
	s := crowd(1)
	pass(t, s, at(0))
	s.Remove(2, Item{Seq: 1, Place: 1})
	s.Push(2, Item{Seq: 5, Place: 5})
	pass(t, s, at(50))
	pass(t, s, at(60))
	if len(s.reservations) > 0 {
		t.Fatal("reserved after ten seconds")
	}
	if wake, ok := s.NextWake(at(60)); !ok || wake != at(110) {
		t.Fatalf("next wake after %v, want at 110 s", wake.Sub(at(0)))
	}
}

func TestMissing(t *testing.T) {
	d := newDemand(job.Resources{"cpu": 3000, "licence": 100}, 0)
	free := amountsOf(job.Resources{"cpu": 1000, "mem": -8 << 30, "licence": 50})
	if got := missing(d, &free); got != 2000+16*50 {
		t.Errorf("missing %d, want 2800: memory is not asked for", got)
	}
}

// TestReservationsAreFew: at most a tenth of the agents, but one always.
func TestReservationsAreFew(t *testing.T) {
	for _, tt := range []struct{ agents, heads, want int }{{1, 3, 1}, {19, 3, 1}, {20, 3, 2}, {100, 9, 5}} {
		s := New(Config{})
		s.DefineShape(1, command(1))
		for i := range tt.agents {
			s.SetWorker(job.WorkerID(i+1), agent(1))
			s.Hold(Held{Seq: job.Seq(1000 + i), Shape: 1, Worker: job.WorkerID(i + 1)})
		}
		for i := range tt.heads {
			sh := command(1)
			sh.Time = time.Duration(i+1) * time.Hour
			s.DefineShape(job.ShapeID(10+i), sh)
			s.Push(job.ShapeID(10+i), Item{Seq: job.Seq(i + 1), Place: uint64(i)})
		}
		pass(t, s, at(0))
		pass(t, s, at(60))
		if len(s.reservations) != tt.want {
			t.Errorf("%d agents, %d heads: %d reservations, want %d", tt.agents, tt.heads, len(s.reservations), tt.want)
		}
	}
}

// TestReservationEnds: cancelling the head, pausing its queue and losing the
// worker end a reservation, and the worker is used at once.
func TestReservationEnds(t *testing.T) {
	for name, end := range map[string]func(*Scheduler){
		"head removed":  func(s *Scheduler) { s.Remove(2, Item{Seq: 1, Place: 1}) },
		"shape dropped": func(s *Scheduler) { s.DropShape(2) },
		"queue paused":  func(s *Scheduler) { s.SetQueue(1, QueueSettings{Paused: true}) },
		"head too large": func(s *Scheduler) {
			s.DefineShape(2, command(20))
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := crowd(1)
			pass(t, s, at(0))
			pass(t, s, at(60))
			other := command(1)
			other.Queue = 2
			s.DefineShape(3, other)
			s.Push(3, Item{Seq: 2, Place: 2})
			wantPlaced(t, pass(t, s, at(61)))
			end(s)
			wantPlaced(t, pass(t, s, at(62)), place{2, 1})
		})
	}
}

// TestHigherPriorityIgnoresReservation: what comes before a head may take the
// worker kept for it.
func TestHigherPriorityIgnoresReservation(t *testing.T) {
	s := crowd(1)
	pass(t, s, at(0))
	pass(t, s, at(60))
	s.DefineShape(3, command(1))
	s.Push(3, Item{Seq: 2, Place: 2})
	s.Push(3, Item{Seq: 3, Place: 3, Priority: 1})
	wantPlaced(t, pass(t, s, at(61)), place{3, 1})
}

func TestSizeStopsAtTheLargest(t *testing.T) {
	huge := amountsOf(job.Resources{"cpu": job.MaxAmount, "gpu": job.MaxAmount, "a": job.MaxAmount, "b": job.MaxAmount})
	if huge.size() != math.MaxInt64 {
		t.Errorf("size is %d", huge.size())
	}
	less := amountsOf(job.Resources{"cpu": -5, "mem": 8 << 30})
	if less.size() != 2048 {
		t.Errorf("size is %d, want 2048: less than nothing is nothing", less.size())
	}
}
