package schedule

import (
	"fmt"
	"testing"
	"time"

	"github.com/muster-queue/muster/job"
)

// TestLateAccount: an account that comes late to a busy fleet gets its share of
// what becomes free, also where nobody pays, though others have endless lines.
func TestLateAccount(t *testing.T) {
	for _, rate := range []float64{0, 2} {
		f := newFleet(t, Config{})
		settings := Account{Rate: Balance{rate}, Window: time.Minute}
		f.account("early", settings, rate)
		f.account("late", settings, rate)
		for i := range 4 {
			f.worker(fmt.Sprint("w", i), "")
		}
		for i := range 400 {
			f.request(fmt.Sprint("early", i), "early", "", "")
		}
		running := f.pass(0)
		for i := range 40 {
			f.request(fmt.Sprint("late", i), "late", "", "")
		}
		late := 0
		for second := 1; second <= 40; second++ {
			f.s.Release(f.seq(running[0].Job))
			got := f.pass(10 * second)
			running = append(running[1:], got...)
			for _, g := range got {
				if g.Job[0] == 'l' {
					late++
				}
			}
		}
		if late < 15 {
			t.Errorf("at rate %v the late account got %d of 40", rate, late)
		}
	}
}

// TestLargeJobOfAnAccount: a large job starts though jobs of other accounts, which
// are as good, would take every core that becomes free.
func TestLargeJobOfAnAccount(t *testing.T) {
	f := newFleet(t, Config{})
	s := New(Config{Seed: 1})
	s.Advance(at(0))
	for _, name := range []string{"small", "large"} {
		s.SetAccount(name, Account{})
	}
	small, large := command(1), command(4)
	small.Account, large.Account, small.Time = "small", "large", 30*time.Second
	s.DefineShape(1, small)
	s.DefineShape(2, large)
	s.SetWorker(1, agent(4))
	s.SetWorker(2, agent(4))
	ends := map[string]int{}
	hold := func(second int) {
		placed, _ := s.Pass(at(second), 1<<30)
		for _, p := range placed {
			if p.Shape == 2 {
				ends["large"] = second
			}
			ends[f.jobs[p.Seq-1]] = second + 20 + int(p.Seq)%10
		}
	}
	for second := range 300 {
		name := fmt.Sprint("small", second)
		s.Push(1, Item{Seq: f.seq(name), Place: uint64(second + 2)})
		if second == 10 {
			s.Push(2, Item{Seq: f.seq("large"), Place: 1})
		}
		for name, end := range ends {
			if end == second {
				s.Release(f.seq(name))
				delete(ends, name)
			}
		}
		hold(second)
		if _, started := ends["large"]; started {
			if limit := 10 + 60 + 30 + 1; second > limit {
				t.Fatalf("it started at %d s, want at %d s at the latest", second, limit)
			}
			return
		}
	}
	t.Fatal("it never started")
}

// TestWeightsInPass: queues of one account share by weight against what they hold.
func TestWeightsInPass(t *testing.T) {
	s := New(Config{})
	s.SetQueue(1, QueueSettings{Weight: 30})
	s.SetQueue(2, QueueSettings{Weight: 10})
	one, two := command(1), command(1)
	two.Queue = 2
	s.DefineShape(1, one)
	s.DefineShape(2, two)
	for i := range 40 {
		s.Push(1, Item{Seq: job.Seq(2*i + 1), Place: uint64(100 + i)})
		s.Push(2, Item{Seq: job.Seq(2*i + 2), Place: uint64(i)})
	}
	s.SetWorker(1, agent(8))
	for _, p := range pass(t, s, at(0)) {
		if p.Worker != 1 {
			t.Fatal("placed elsewhere")
		}
	}
	if a, b := s.queues[1].running, s.queues[2].running; a != 6 || b != 2 {
		t.Errorf("the queues run %d and %d, want 6 and 2", a, b)
	}
}
