package schedule

import (
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/muster-queue/muster/job"
)

// load is a number of jobs, shapes and workers as a benchmark wants them.
type load struct {
	name            string
	jobs, shapes    int
	workers, queues int
	cores           int64 // of a worker
	vectors         bool  // jobs of several cores and of memory, instead of one slot
}

const benchStart = job.Time(1e18)

// fill makes a scheduler with the jobs ready; the workers come with present.
func (l load) fill() *Scheduler {
	rnd := rand.New(rand.NewPCG(1, 2))
	s := New(Config{})
	s.begin(benchStart)
	for i := range l.shapes {
		sh := job.Shape{Queue: job.QueueID(i%l.queues + 1), Command: true, Needs: job.Resources{"cpu": 1000}, Kind: 1}
		if l.vectors {
			sh.Needs = job.Resources{"cpu": 500 * (1 + rnd.Int64N(16)), "mem": (1 + rnd.Int64N(256)) << 27}
			sh.Time = time.Duration(rnd.Int64N(600)) * time.Second
		}
		s.DefineShape(job.ShapeID(i+1), &sh)
	}
	for i := range l.jobs {
		sh := i // each once, then at random
		if i >= l.shapes {
			sh = rnd.IntN(l.shapes)
		}
		s.Push(job.ShapeID(sh+1), Item{Seq: job.Seq(i + 1), Place: uint64(i + 1)})
	}
	return s
}

func (l load) present(s *Scheduler) {
	for i := range l.workers {
		s.SetWorker(job.WorkerID(i+1), Worker{
			Agent: true, Capacity: job.Resources{"cpu": 1000 * l.cores, "mem": l.cores << 32, "disk": 1 << 40},
		})
	}
}

var loads = []load{
	{"slots/20k", 1_000_000, 20_000, 10_000, 1, 1, false},
	{"slots/200k", 1_000_000, 200_000, 10_000, 1, 1, false},
	{"slots/200k/1000queues", 1_000_000, 200_000, 10_000, 1000, 1, false},
	{"slots/100k/100kqueues", 300_000, 100_000, 10_000, 100_000, 1, false},
	{"vectors/20k", 1_000_000, 20_000, 10_000, 1, 16, true},
	{"vectors/200k", 1_000_000, 200_000, 10_000, 1, 16, true},
}

// cpuClock measures the CPU time of its thread: what a pass costs, also where
// others use the machine.
type cpuClock struct {
	b          *testing.B
	since, sum time.Duration
}

func startClock(b *testing.B) *cpuClock {
	runtime.LockOSThread()
	return &cpuClock{b: b}
}

func (c *cpuClock) now() time.Duration {
	var t unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &t); err != nil {
		c.b.Fatal(err)
	}
	return time.Duration(t.Nano())
}

func (c *cpuClock) start() { c.since = c.now() }

func (c *cpuClock) stop() { c.sum += c.now() - c.since }

func (c *cpuClock) report() {
	runtime.UnlockOSThread()
	c.b.ReportMetric(float64(c.sum.Nanoseconds())/float64(c.b.N)/1000, "cpu-µs/op")
}

// BenchmarkFull is a pass over everything, with all workers free at first.
func BenchmarkFull(b *testing.B) {
	for _, l := range loads {
		b.Run(l.name, func(b *testing.B) {
			c := startClock(b)
			defer c.report()
			for b.Loop() {
				b.StopTimer()
				s := l.fill()
				l.present(s)
				b.StartTimer()
				c.start()
				placed, _ := s.Pass(benchStart, math.MaxInt)
				c.stop()
				b.ReportMetric(float64(len(placed)), "placed")
			}
		})
	}
}

// BenchmarkFreed is what a worker that became free costs when all others are
// busy: the pass that finds it something to do, and the pass that does not.
func BenchmarkFreed(b *testing.B) {
	for _, l := range loads {
		s := l.fill()
		l.present(s)
		placed, _ := s.Pass(benchStart, math.MaxInt)
		running := append([]Placement(nil), placed...)
		b.Run(l.name+"/fits", func(b *testing.B) {
			rnd := rand.New(rand.NewPCG(3, 4))
			n := 0
			c := startClock(b)
			defer c.report()
			for b.Loop() {
				i := rnd.IntN(len(running))
				old := running[i]
				c.start()
				s.Release(old.Seq)
				placed, _ := s.Pass(benchStart, math.MaxInt)
				c.stop()
				s.Push(old.Shape, Item{Seq: old.Seq, Place: uint64(old.Seq)})
				n += len(placed)
				if len(placed) > 0 {
					running[i] = placed[0]
					running = append(running, placed[1:]...)
				} else {
					running = append(running[:i], running[i+1:]...)
				}
			}
			b.ReportMetric(float64(n)/float64(b.N), "placed/op")
		})
	}
}

// BenchmarkPinned is a worker that became free where every job wants one worker by
// name, which has the label of its own.
func BenchmarkPinned(b *testing.B) {
	const workers = 5000
	s := New(Config{})
	s.begin(benchStart)
	for i := range workers {
		host := job.Labels{fmt.Sprint("host:", i)}
		s.DefineShape(job.ShapeID(i+1), &job.Shape{Queue: 1, Command: true, Needs: job.Resources{"cpu": 1000}, Labels: host})
		for j := range 10 {
			s.Push(job.ShapeID(i+1), Item{Seq: job.Seq(10*i + j + 1), Place: uint64(10*i + j)})
		}
		s.SetWorker(job.WorkerID(i+1), Worker{Agent: true, Capacity: job.Resources{"cpu": 1000}, Labels: host})
	}
	if placed, _ := s.Pass(benchStart, math.MaxInt); len(placed) != workers {
		b.Fatalf("%d placed", len(placed))
	}
	c := startClock(b)
	defer c.report()
	i := 0
	for b.Loop() {
		host := i % workers
		c.start()
		s.Release(job.Seq(10*host + i/workers%10 + 1))
		placed, _ := s.Pass(benchStart, math.MaxInt)
		c.stop()
		if len(placed) != 1 {
			b.Fatalf("%d placed at %d", len(placed), i)
		}
		i++
		if i == 9*workers {
			b.Fatal("all jobs ran; ask for fewer")
		}
	}
}

// BenchmarkFreedNothing frees on one worker less than any ready job needs.
func BenchmarkFreedNothing(b *testing.B) {
	for _, shapes := range []int{20_000, 200_000} {
		b.Run(fmt.Sprint(shapes), func(b *testing.B) {
			s := crossed(shapes)
			c := startClock(b)
			defer c.report()
			for b.Loop() {
				c.start()
				s.Release(1 << 40)
				if placed, _ := s.Pass(benchStart, math.MaxInt); len(placed) > 0 {
					b.Fatal("something fitted")
				}
				c.stop()
				s.Hold(Held{Seq: 1 << 40, Shape: 1 << 30, Worker: 1, Since: benchStart})
			}
		})
	}
}

// crossed makes shapes that need either many cores or much memory, so that no
// summary tells that none fits, on workers that have a little of each.
func crossed(shapes int) *Scheduler {
	rnd := rand.New(rand.NewPCG(5, 6))
	s := New(Config{})
	s.begin(benchStart)
	small := job.Shape{Queue: 1, Command: true, Needs: job.Resources{"cpu": 1000, "mem": 1 << 30}}
	s.DefineShape(1<<30, &small)
	for i := range 10_000 {
		id := job.WorkerID(i + 1)
		s.SetWorker(id, Worker{Agent: true, Capacity: job.Resources{"cpu": 64_000, "mem": 256 << 30}})
		busy := job.Shape{Queue: 1, Command: true, Needs: job.Resources{"cpu": 60_000, "mem": 250 << 30}}
		s.DefineShape(1<<31, &busy)
		s.Hold(Held{Seq: job.Seq(1<<41 + i), Shape: 1 << 31, Worker: id})
	}
	for i := range shapes {
		sh := job.Shape{Queue: 1, Command: true, Needs: job.Resources{"cpu": 1000 + rnd.Int64N(3000), "mem": (7 + rnd.Int64N(100)) << 30}}
		if i%2 == 0 {
			sh.Needs = job.Resources{"cpu": 5000 + rnd.Int64N(50_000), "mem": (1 + rnd.Int64N(6)) << 30}
		}
		s.DefineShape(job.ShapeID(i+1), &sh)
		s.Push(job.ShapeID(i+1), Item{Seq: job.Seq(i + 1), Place: uint64(i + 1)})
	}
	s.Pass(benchStart, math.MaxInt)
	s.Hold(Held{Seq: 1 << 40, Shape: 1 << 30, Worker: 1, Since: benchStart})
	return s
}

// BenchmarkLimited frees a unit of a limit that is used up, and places the next job, in
// as many lanes as there are queues.
func BenchmarkLimited(b *testing.B) {
	for _, queues := range []int{1, 100, 1000} {
		b.Run(fmt.Sprint("queues=", queues), func(b *testing.B) {
			s := New(Config{})
			s.SetLimit(&job.Limit{Name: "l", Max: 100})
			for w := range 1000 {
				s.SetWorker(job.WorkerID(w+1), Worker{Agent: true, Capacity: job.Resources{job.CPU: 4000}})
			}
			for i := range 20_000 {
				s.DefineShape(job.ShapeID(i+1), &job.Shape{
					Queue: job.QueueID(i%queues + 1), Command: true, Needs: job.Resources{job.CPU: int64(i%4000 + 1)}, Limits: []job.LimitUse{{Name: "l"}},
				})
				for n := range 50 {
					seq := job.Seq(n*20_000 + i + 1)
					s.Push(job.ShapeID(i+1), Item{Seq: seq, Place: uint64(seq)})
				}
			}
			var held []job.Seq
			pass := func() {
				for more := true; more; {
					var placed []Placement
					placed, more = s.Pass(job.Time(time.Second), 1000)
					for _, p := range placed {
						held = append(held, p.Seq)
					}
				}
			}
			pass()
			if len(held) != 100 {
				b.Fatal(len(held))
			}
			for b.Loop() {
				s.Release(held[0])
				held = held[1:]
				pass()
			}
			if len(held) != 100 {
				b.Fatalf("%d are held", len(held))
			}
		})
	}
}
