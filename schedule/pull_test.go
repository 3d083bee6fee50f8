package schedule

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/muster-queue/muster/job"
)

func pulled(t *testing.T, s *Scheduler, p Pull) (seqs []job.Seq) {
	t.Helper()
	placed, more := s.Pull(at(0), p)
	if more {
		t.Fatal("the pull was not answered")
	}
	for _, x := range placed {
		seqs = append(seqs, x.Seq)
	}
	return seqs
}

func TestPull(t *testing.T) {
	s := New(Config{})
	s.SetQueue(3, QueueSettings{Priority: 1})
	shapes := []job.Shape{
		{Queue: 1, Kind: 1, Command: true, Needs: cores(1)},
		{Queue: 2, Kind: 2, Needs: cores(2)},
		{Queue: 3, Kind: 1, Needs: cores(3)},
		{Queue: 2, Kind: 3, Labels: job.Labels{"gpu:a"}},
	}
	fill := func() {
		for i := range shapes {
			id := job.ShapeID(i + 1)
			s.DropShape(id)
			s.DefineShape(id, &shapes[i])
			for n := range 3 {
				seq := 10*(i+1) + n
				s.Push(id, Item{Seq: job.Seq(seq), Place: uint64(seq), Group: job.GroupID(n + 1)})
			}
		}
	}
	s.SetWorker(7, Worker{Labels: job.Labels{"gpu:a"}})
	tests := []struct {
		name string
		p    Pull
		want []job.Seq
	}{
		{"data in order", Pull{N: 4, Data: true}, []job.Seq{30, 31, 32, 20}},
		{"labels", Pull{Worker: 7, N: 9, Data: true, Queues: []job.QueueID{2}}, []job.Seq{20, 21, 22, 40, 41, 42}},
		{"nothing understood", Pull{N: 4}, nil},
		{"commands", Pull{N: 2, Command: true}, []job.Seq{10, 11}},
		{"both", Pull{N: 5, Command: true, Data: true, Queues: []job.QueueID{1, 2}}, []job.Seq{10, 11, 12, 20, 21}},
		{"kinds", Pull{N: 9, Command: true, Data: true, Kinds: []job.KindID{1}}, []job.Seq{30, 31, 32, 10, 11, 12}},
		{"groups", Pull{N: 9, Command: true, Data: true, Groups: []job.GroupID{2}}, []job.Seq{31, 11, 21}},
		{"shapes", Pull{N: 9, Command: true, Data: true, Shapes: []job.ShapeID{2, 2, 77}}, []job.Seq{20, 21, 22}},
		{"capacity", Pull{N: 9, Data: true, Command: true, Capacity: cores(6)}, []job.Seq{30, 31}},
		{"capacity by group", Pull{N: 9, Data: true, Groups: []job.GroupID{1, 3}, Capacity: cores(5)}, []job.Seq{30, 20}},
		{"exactly", Pull{N: 9, Data: true, Command: true, Exactly: &Exactly{Needs: cores(2)}}, []job.Seq{20, 21, 22}},
		{"exactly, with a need of nothing", Pull{N: 2, Data: true, Exactly: &Exactly{Needs: job.Resources{"cpu": 3 * job.Thousandth, "x": 0}}}, []job.Seq{30, 31}},
		{"exactly, and nothing needs that", Pull{N: 9, Data: true, Command: true, Exactly: &Exactly{Needs: job.Resources{"x": 1}}}, nil},
		{"exactly, but not as long", Pull{N: 9, Data: true, Command: true, Exactly: &Exactly{Needs: cores(1), Time: time.Hour}}, nil},
		{"no such queue", Pull{N: 9, Data: true, Queues: []job.QueueID{9}}, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			fill()
			got := pulled(t, s, tt.p)
			if d := cmp.Diff(tt.want, got); d != "" {
				t.Errorf("(-want +got):\n%s", d)
			}
			for _, seq := range got {
				s.Release(seq)
			}
		})
	}
}

// TestPullStopsAtCap: a queue gives no more than it may have running, however the
// jobs are asked for.
func TestPullStopsAtCap(t *testing.T) {
	for name, p := range map[string]Pull{
		"order": {}, "queue": {Queues: []job.QueueID{1}}, "kind": {Kinds: []job.KindID{1}},
		"shape": {Shapes: []job.ShapeID{1, 2}}, "group": {Groups: []job.GroupID{1}},
	} {
		s := New(Config{})
		s.SetQueue(1, QueueSettings{MaxRunning: 3})
		for id := range job.ShapeID(2) {
			s.DefineShape(id+1, &job.Shape{Queue: 1, Kind: 1})
			for i := range 4 {
				seq := 10*int(id) + i
				s.Push(id+1, Item{Seq: job.Seq(seq + 1), Place: uint64(i), Group: 1})
			}
		}
		p.N, p.Data = 9, true
		if got := pulled(t, s, p); len(got) != 3 {
			t.Errorf("by %s: pulled %v, want three", name, got)
		}
	}
}

// TestPullOfAgent: what an agent pulls counts on it like what is pushed to it.
func TestPullOfAgent(t *testing.T) {
	s := New(Config{})
	s.DefineShape(1, command(1))
	for i := range 9 {
		s.Push(1, Item{Seq: job.Seq(i + 1), Place: uint64(i)})
	}
	s.SetWorker(1, agent(3))
	if got := pulled(t, s, Pull{Worker: 1, N: 2, Command: true}); len(got) != 2 {
		t.Fatalf("pulled %v, want two", got)
	}
	wantPlaced(t, pass(t, s, at(0)), place{3, 1})
	if got := pulled(t, s, Pull{Worker: 1, N: 2, Command: true}); len(got) > 0 {
		t.Fatalf("pulled %v by a full agent", got)
	}
	s.DropWorker(1)
	s.Release(1)
	s.SetWorker(1, agent(3))
	wantPlaced(t, pass(t, s, at(0)), place{4, 1})
}

// TestGroupIndex: it is built in steps, follows what happens meanwhile, and is
// dropped after its time.
func TestGroupIndex(t *testing.T) {
	s := New(Config{})
	s.tune.indexed = 10
	s.DefineShape(1, &job.Shape{Queue: 1})
	s.DefineShape(2, &job.Shape{Queue: 2})
	for i := range 100 {
		s.Push(job.ShapeID(i%2+1), Item{Seq: job.Seq(i + 1), Place: uint64(i), Group: job.GroupID(i % 10)})
	}
	ask := Pull{N: 3, Data: true, Groups: []job.GroupID{4}}
	steps := 0
	for {
		placed, more := s.Pull(at(0), ask)
		if !more {
			if len(placed) != 3 || placed[0].Seq != 2 || placed[1].Seq != 15 || placed[2].Seq != 25 {
				t.Fatalf("pulled %v", placed)
			}
			break
		}
		switch steps++; steps {
		case 3: // behind the building, and far before it
			s.Remove(1, Item{Seq: 5, Place: 4})
			s.Push(2, Item{Seq: 2000, Place: 2000, Group: 4})
			s.Push(1, Item{Seq: 2, Place: 0, Group: 4, Priority: 1})
		}
	}
	if steps < 8 {
		t.Fatalf("100 jobs were indexed in %d steps of 10", steps)
	}
	s.Pass(at(59), 100)
	if s.groups == nil {
		t.Fatal("the index was dropped too soon")
	}
	s.Pass(at(60), 100)
	if s.groups != nil {
		t.Fatal("the index was not dropped")
	}
	if _, more := s.Pull(at(61), ask); !more {
		t.Fatal("a new index was there at once")
	}
}

// TestPullRespectsReservation: an agent kept for a head gives its own pulls only
// what ends in time.
func TestPullRespectsReservation(t *testing.T) {
	s := New(Config{})
	bounded, open, large := command(1), command(1), command(2)
	bounded.Time = 20 * time.Second
	s.DefineShape(1, bounded)
	s.DefineShape(2, open)
	s.DefineShape(3, large)
	s.SetWorker(1, agent(2))
	s.Hold(Held{Seq: 100, Shape: 1, Worker: 1, Since: at(55)})
	s.Push(3, Item{Seq: 1, Place: 1})
	pass(t, s, at(0))
	pass(t, s, at(60)) // reserved until 75
	s.Push(2, Item{Seq: 2, Place: 2})
	s.Push(1, Item{Seq: 3, Place: 3})
	for _, tt := range []struct {
		now  int
		want int
	}{{61, 0}, {75, 0}} {
		if placed, _ := s.Pull(at(tt.now), Pull{Worker: 1, N: 5, Command: true}); len(placed) != tt.want {
			t.Fatalf("at %d s: pulled %v", tt.now, placed)
		}
	}
	short := command(1)
	short.Time = 10 * time.Second
	s.DefineShape(4, short)
	s.Push(4, Item{Seq: 4, Place: 4})
	s.now = at(62)
	if placed, _ := s.Pull(at(62), Pull{Worker: 1, N: 5, Command: true}); len(placed) != 1 || placed[0].Seq != 4 {
		t.Fatalf("pulled %v, want the short job", placed)
	}
}
