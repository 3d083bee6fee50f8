package schedule

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/muster-queue/muster/job"
)

func TestExplain(t *testing.T) {
	first := Item{Seq: 1, Place: 1}
	tests := []struct {
		name  string
		shape job.Shape
		set   func(*Scheduler)
		want  Cause
		says  string
	}{
		{"no agent", *command(1), func(*Scheduler) {}, CauseNoAgent, "no agent"},
		{"paused", *command(1), func(s *Scheduler) { s.SetQueue(1, QueueSettings{Paused: true}) }, CausePaused, "paused"},
		{"cap", *command(1), func(s *Scheduler) {
			s.SetQueue(1, QueueSettings{MaxRunning: 1})
			s.Hold(Held{Seq: 99, Shape: 1})
		}, CauseMaxRunning, "1 job running and may have 1"},
		{"data", job.Shape{Queue: 1}, func(*Scheduler) {}, CausePull, "worker to ask"},
		{"label", *command(1, "gpu:a", "os:linux"), func(s *Scheduler) { s.SetWorker(1, agent(1, "os:linux")) }, CauseLabel, "label gpu:a"},
		{"labels together", *command(1, "gpu:a", "os:linux"), func(s *Scheduler) {
			s.SetWorker(1, agent(1, "os:linux"))
			s.SetWorker(2, agent(1, "gpu:a"))
		}, CauseLabel, "all the labels"},
		{"closed", *command(1), func(s *Scheduler) {
			s.SetWorker(1, Worker{Agent: true, Closed: true, Capacity: cores(9)})
		}, CauseNoAgent, "no agent"},
		{"too large", *command(9), func(s *Scheduler) {
			s.SetWorker(1, agent(4))
			s.SetWorker(2, agent(8))
		}, CauseTooLarge, "needs 9 of cpu, more than any of 2 agents has (at most 8)"},
		{"too large for the one", *command(9), func(s *Scheduler) {
			s.SetWorker(1, agent(8))
		}, CauseTooLarge, "needs 9 of cpu, more than the one agent for it has (8)"},
		{"busy", *command(4), func(s *Scheduler) {
			s.SetWorker(1, agent(4))
			s.Hold(Held{Seq: 99, Shape: 2, Worker: 1})
		}, CauseBusy, "the only agent it could run on is busy"},
		{"next", *command(4), func(s *Scheduler) { s.SetWorker(1, agent(4)) }, CauseNext, "about to be placed"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := New(Config{})
			s.DefineShape(1, &tt.shape)
			s.DefineShape(2, command(1))
			tt.set(s)
			s.Push(1, first)
			got := s.Explain(1, first, at(0))
			if got.Cause != tt.want || !strings.Contains(got.String(), tt.says) {
				t.Errorf("%v: %q, want %v: %q", got.Cause, got, tt.want, tt.says)
			}
			if got := s.Explain(1, Item{Seq: 2}, at(0)); got.Cause != CauseUnknown {
				t.Errorf("a job that is not ready is explained with %v", got.Cause)
			}
		})
	}
}

// TestCauses: every cause has a word of its own and a sentence of its own.
func TestCauses(t *testing.T) {
	words, sentences := map[string]Cause{}, map[string]Cause{}
	for c := CauseUnknown; c <= CauseNext; c++ {
		e := Explanation{Cause: c, Label: "gpu:a", Shortage: Shortage{Resource: "cpu", Need: 2000, Largest: 1000}}
		if o, twice := words[c.String()]; twice || c.String() == "" {
			t.Errorf("causes %d and %d have the word %q", o, c, c)
		}
		if o, twice := sentences[e.String()]; twice || e.String() == "" {
			t.Errorf("causes %d and %d say %q", o, c, e)
		}
		words[c.String()], sentences[e.String()] = c, c
	}
	e := Explanation{Cause: CauseBusy, Agents: 3, Ahead: 7, AtLeast: true, Reserved: 1, Start: at(0)}
	if want := "all 3 agents it could run on are busy; at least 7 jobs are ahead of it; an agent is reserved for it, free by 2001-09-09 01:46:40Z"; e.String() != want {
		t.Errorf("it says %q, want %q", e, want)
	}
}

func TestExplainStrict(t *testing.T) {
	s := New(Config{Strict: true})
	s.DefineShape(1, command(2))
	s.DefineShape(2, command(1))
	s.SetWorker(1, agent(2))
	s.Hold(Held{Seq: 99, Shape: 2, Worker: 1})
	s.Push(1, Item{Seq: 1, Place: 1})
	s.Push(2, Item{Seq: 2, Place: 2})
	wantPlaced(t, pass(t, s, at(0)))
	if got := s.Explain(2, Item{Seq: 2, Place: 2}, at(0)); got.Cause != CauseStrict || got.Ahead != 1 {
		t.Errorf("%v with %d ahead, want strict with 1", got.Cause, got.Ahead)
	}
}

func TestAhead(t *testing.T) {
	s := New(Config{})
	s.SetQueue(2, QueueSettings{Priority: 1})
	other := command(1)
	other.Queue = 2
	s.DefineShape(1, command(1))
	s.DefineShape(2, command(2))
	s.DefineShape(3, other)
	seq := job.Seq(0)
	push := func(shape job.ShapeID, priority float64, n int) (last Item) {
		for range n {
			seq++
			last = Item{Seq: seq, Place: uint64(seq), Priority: priority}
			s.Push(shape, last)
		}
		return last
	}
	push(1, 0, 10)
	push(2, 0, 20)
	it := push(1, 0, 5)
	push(2, 0, 40)
	push(2, 1, 3)
	push(3, -5, 100)
	if got := s.Explain(1, it, at(0)); got.Ahead != 10+20+4+3+100 || got.AtLeast {
		t.Errorf("%d ahead (at least: %v), want 137", got.Ahead, got.AtLeast)
	}
	for i := range job.ShapeID(maxCounted + 10) {
		s.DefineShape(100+i, command(3))
		push(100+i, 9, 2)
	}
	got := s.Explain(1, it, at(0))
	if !got.AtLeast || got.Ahead < 2*maxCounted {
		t.Errorf("%d ahead (at least: %v), want at least %d", got.Ahead, got.AtLeast, 2*maxCounted)
	}
}

func TestTooLarge(t *testing.T) {
	s := New(Config{})
	wide := job.Shape{Queue: 1, Command: true, Needs: job.Resources{"cpu": 4000, "mem": 8 << 30, "licence": 1000}}
	s.DefineShape(1, &wide)
	s.Push(1, Item{Seq: 1})
	check := func(step string, want *Shortage) {
		t.Helper()
		got, large := s.TooLarge(1)
		if large != (want != nil) {
			t.Fatalf("%s: too large: %v", step, large)
		}
		list, more := s.Impossible(1000)
		if more || want != nil && (len(list) != 1 || list[0] != *want || got != *want) || want == nil && len(list) > 0 {
			t.Fatalf("%s: %+v, listed %+v, want %+v", step, got, list, want)
		}
		if again, _ := s.Impossible(1000); len(again) > 0 {
			t.Fatalf("%s: told twice", step)
		}
	}
	check("no agents: nobody can tell", nil)
	has := func(cpu, mem int64) Worker {
		return Worker{Agent: true, Capacity: job.Resources{"cpu": cpu * 1000, "mem": mem << 30, "licence": 5000}}
	}
	s.SetWorker(1, has(2, 16))
	check("a small one came", &Shortage{Shape: 1, Resource: "cpu", Need: 4000, Largest: 2000, Agents: 1})
	s.SetWorker(2, has(8, 6))
	list, _ := s.Impossible(1000)
	if got, _ := s.TooLarge(1); got.Resource != "mem" || got.Largest != 6<<30 || len(list) > 0 {
		t.Fatalf("none has both: %+v, listed %v", got, list)
	}
	s.SetWorker(3, has(8, 8))
	check("one has all", nil)
	s.Hold(Held{Seq: 9, Shape: 1, Worker: 3})
	check("busy is not too small", nil)
	s.SetWorker(3, Worker{Agent: true, Closed: true, Capacity: has(8, 8).Capacity})
	check("it closed", &Shortage{Shape: 1, Resource: "mem", Need: 8 << 30, Largest: 6 << 30, Agents: 2})
	s.DropWorker(3)
	wide.Wait = true
	s.DefineShape(1, &wide)
	check("it may wait", nil)
	s.DefineShape(2, &job.Shape{Queue: 1, Needs: cores(100)})
	s.Push(2, Item{Seq: 2})
	check("data jobs are pulled", nil)
}

// TestImpossibleAgain: a shape that was empty when all were looked at is looked at
// when it gets jobs.
func TestImpossibleAgain(t *testing.T) {
	s := New(Config{})
	it := Item{Seq: 1}
	s.DefineShape(1, command(5))
	s.SetWorker(1, agent(1))
	s.SetWorker(2, agent(9))
	s.Push(1, it)
	s.Impossible(10)
	s.Remove(1, it)
	s.DropWorker(2)
	if list, _ := s.Impossible(10); len(list) > 0 {
		t.Fatalf("%v without jobs", list)
	}
	s.Push(1, it)
	if list, _ := s.Impossible(10); len(list) != 1 {
		t.Fatalf("%v, want the shape", list)
	}
}

func TestImpossibleInSteps(t *testing.T) {
	s := New(Config{})
	for i := range job.ShapeID(50) {
		s.DefineShape(i+1, command(int64(i+1)))
		s.Push(i+1, Item{Seq: job.Seq(i + 1)})
	}
	s.SetWorker(1, agent(40))
	found := map[job.ShapeID]bool{}
	for more := true; more; {
		var list []Shortage
		list, more = s.Impossible(7)
		for _, short := range list {
			found[short.Shape] = true
		}
	}
	if len(found) != 10 || found[40] || !found[41] {
		t.Fatalf("found %v, want shapes 41 to 50", found)
	}
}

func TestRequirements(t *testing.T) {
	s := New(Config{})
	s.SetQueue(2, QueueSettings{MaxRunning: 3})
	capped := command(2, "os:linux")
	capped.Queue, capped.Time = 2, time.Hour
	s.DefineShape(1, command(1))
	s.DefineShape(2, capped)
	s.DefineShape(3, &job.Shape{Queue: 1, Needs: cores(1)})
	for i := range 10 {
		for shape := range job.ShapeID(3) {
			s.Push(shape+1, Item{Seq: job.Seq(10*i) + job.Seq(shape), Place: uint64(10*i) + uint64(shape)})
		}
	}
	s.Hold(Held{Seq: 1000, Shape: 2})
	want := []Requirement{
		{Shape: 1, Queue: 1, Min: cores(1), Jobs: 10},
		{Shape: 2, Queue: 2, Labels: job.Labels{"os:linux"}, Min: cores(2), Time: time.Hour, Jobs: 2},
	}
	if d := cmp.Diff(want, s.Requirements(math.MaxInt)); d != "" {
		t.Fatalf("(-want +got):\n%s", d)
	}
	if got := s.Requirements(1); len(got) != 1 {
		t.Fatalf("%d requirements, want 1", len(got))
	}
}
