package schedule

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/muster-queue/muster/job"
)

const benchAccounts = 20

// shared makes a scheduler with twenty accounts, of which some have quota at
// every level and some at none.
func shared(cfg Config) *Scheduler {
	s := New(cfg)
	s.begin(benchStart)
	for i := range benchAccounts {
		a := Account{Window: time.Hour}
		for p := range i % (Levels + 1) {
			a.Rate[p] = float64(i + 1)
		}
		s.SetAccount(fmt.Sprint("account ", i), a)
		s.SetBalance(fmt.Sprint("account ", i), a.Rate, benchStart)
	}
	return s
}

// sharedLoad is many jobs of twenty accounts on workers with one slot.
func sharedLoad(jobs, shapes, workers int) *Scheduler {
	s := shared(Config{})
	for i := range shapes {
		s.DefineShape(job.ShapeID(i+1), &job.Shape{
			Queue: 1, Command: true, Needs: oneSlot, Account: fmt.Sprint("account ", i%benchAccounts), Kind: 1,
		})
	}
	for i := range jobs {
		s.Push(job.ShapeID(i%shapes+1), Item{Seq: job.Seq(i + 1), Place: uint64(i + 1)})
	}
	for i := range workers {
		s.SetWorker(job.WorkerID(i+1), Worker{Agent: true, Capacity: oneSlot})
	}
	return s
}

// fleetLoad is jobs and workers with labels as a fleet of phones has: a pool, one
// of twenty models of which a job wants one, some other features, and what is
// installed, which a job prefers.
func fleetLoad(jobs, workers int) *Scheduler {
	rnd := rand.New(rand.NewPCG(7, 8))
	s := shared(Config{})
	shapes := map[string]job.ShapeID{}
	for i := range jobs {
		sh := job.Shape{
			Queue: 1, Command: true, Needs: oneSlot, Account: fmt.Sprint("account ", rnd.IntN(benchAccounts)),
			Labels: job.Labels{"pool:ci", fmt.Sprint("model:", rnd.IntN(20))},
			Prefer: job.Labels{fmt.Sprint("image:", rnd.IntN(50))},
		}
		key := fmt.Sprint(sh)
		if shapes[key] == 0 {
			shapes[key] = job.ShapeID(len(shapes) + 1)
			s.DefineShape(shapes[key], &sh)
		}
		s.Push(shapes[key], Item{Seq: job.Seq(i + 1), Place: uint64(i + 1)})
	}
	for i := range workers {
		s.SetWorker(job.WorkerID(i+1), Worker{Agent: true, Capacity: oneSlot, Labels: job.Labels{
			"pool:ci", fmt.Sprint("model:", rnd.IntN(20)), fmt.Sprint("image:", rnd.IntN(50)), fmt.Sprint("host:", i),
		}})
	}
	return s
}

// BenchmarkShared is what BenchmarkFull is, with twenty accounts.
func BenchmarkShared(b *testing.B) {
	for _, l := range []struct {
		name string
		fill func() *Scheduler
	}{
		{"1M/20k shapes/10k workers", func() *Scheduler { return sharedLoad(1_000_000, 20_000, 10_000) }},
		{"fleet/100k/5k workers", func() *Scheduler { return fleetLoad(100_000, 5000) }},
	} {
		b.Run(l.name, func(b *testing.B) {
			c := startClock(b)
			defer c.report()
			for b.Loop() {
				b.StopTimer()
				s := l.fill()
				b.StartTimer()
				c.start()
				placed, more := s.Pass(benchStart, math.MaxInt)
				c.stop()
				if more {
					b.Fatal("not done")
				}
				b.ReportMetric(float64(len(placed)), "placed")
			}
		})
	}
}

// BenchmarkSharedFreed is what BenchmarkFreed is, with twenty accounts.
func BenchmarkSharedFreed(b *testing.B) {
	for _, l := range []struct {
		name string
		s    *Scheduler
	}{
		{"20k shapes", sharedLoad(1_000_000, 20_000, 10_000)},
		{"fleet", fleetLoad(100_000, 5000)},
	} {
		placed, _ := l.s.Pass(benchStart, math.MaxInt)
		running := append([]Placement(nil), placed...)
		b.Run(l.name, func(b *testing.B) {
			rnd := rand.New(rand.NewPCG(3, 4))
			c := startClock(b)
			defer c.report()
			now, n := benchStart, 0
			for b.Loop() {
				i := rnd.IntN(len(running))
				old := running[i]
				c.start()
				l.s.Release(old.Seq)
				now = now.Add(time.Millisecond)
				placed, _ := l.s.Pass(now, math.MaxInt)
				c.stop()
				n += len(placed)
				if len(placed) == 0 {
					b.Fatal("nothing placed")
				}
				running[i] = placed[0]
				running = append(running, placed[1:]...)
				l.s.Push(old.Shape, Item{Seq: old.Seq, Place: uint64(old.Seq)})
			}
			b.ReportMetric(float64(n)/float64(b.N), "placed/op")
		})
	}
}

// BenchmarkRounds is the simulation that the original comes with: a hundred
// rounds of a minute, each with a thousand jobs and fifty workers more.
func BenchmarkRounds(b *testing.B) {
	rnd := rand.New(rand.NewPCG(9, 10))
	label := func(n int) string { return fmt.Sprint("label:", rnd.IntN(n)) }
	var shapes []job.Shape
	var workers []Worker
	for range 100_000 {
		sh := job.Shape{Queue: 1, Command: true, Needs: oneSlot, Account: fmt.Sprint("account ", rnd.IntN(benchAccounts))}
		for range 4 {
			sh.Labels = append(sh.Labels, label(1000))
		}
		sh.Prefer = job.Labels{label(50)}
		shapes = append(shapes, sh)
	}
	for range 5000 {
		w := Worker{Agent: true, Capacity: oneSlot}
		for range 51 {
			w.Labels = append(w.Labels, label(1000))
		}
		workers = append(workers, w)
	}
	c := startClock(b)
	defer c.report()
	for b.Loop() {
		b.StopTimer()
		s := New(Config{NoPreemption: true, MaxReservations: -1})
		s.begin(benchStart)
		for i := range benchAccounts {
			s.SetAccount(fmt.Sprint("account ", i), Account{Rate: Balance{float64(i%10 + 1), float64(i%7 + 1), float64(i%5 + 1), float64(i%3 + 1), 1}, Window: 10 * time.Second, NoFree: true})
		}
		b.StartTimer()
		c.start()
		n := 0
		for round := range 100 {
			for i := round * 1000; i < (round+1)*1000; i++ {
				s.DefineShape(job.ShapeID(i+1), &shapes[i])
				s.Push(job.ShapeID(i+1), Item{Seq: job.Seq(i + 1), Place: uint64(i + 1)})
			}
			for i := round * 50; i < (round+1)*50; i++ {
				s.SetWorker(job.WorkerID(i+1), workers[i])
			}
			placed, _ := s.Pass(benchStart.Add(time.Duration(round+1)*time.Minute), math.MaxInt)
			n += len(placed)
		}
		c.stop()
		b.ReportMetric(float64(n), "placed")
	}
}
