package schedule

import (
	"math/rand/v2"
	"runtime"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/muster-queue/muster/job"
)

func byOrder(a, b Item) int {
	switch {
	case a.before(&b):
		return -1
	case b.before(&a):
		return 1
	}
	return 0
}

// TestLine holds a line of several chunks against a sorted slice.
func TestLine(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	var l line
	var want []Item
	for i := range 30_000 {
		switch grow := i < 15_000; {
		case len(want) == 0, rnd.IntN(10) < 3, grow && rnd.IntN(10) < 6:
			it := Item{Seq: job.Seq(rnd.IntN(1e6)), Priority: float64(rnd.IntN(3)) - 1, Place: uint64(rnd.IntN(1e6))}
			pos, found := slices.BinarySearchFunc(want, it, byOrder)
			if l.push(it) == found {
				t.Fatalf("step %d: pushed a job that is there, or not one that is not", i)
			}
			if !found {
				want = slices.Insert(want, pos, it)
			}
		case rnd.IntN(3) == 0:
			if got := l.pop(); got != want[0] {
				t.Fatalf("step %d: popped %v, want %v", i, got, want[0])
			}
			want = want[1:]
		default:
			pos := rnd.IntN(len(want))
			if l.ahead(&want[pos]) != pos {
				t.Fatalf("step %d: %d are ahead, want %d", i, l.ahead(&want[pos]), pos)
			}
			was, found := l.remove(&want[pos])
			if _, again := l.remove(&want[pos]); !found || again || was != want[pos] {
				t.Fatalf("step %d: a job was not there exactly once", i)
			}
			want = slices.Delete(want, pos, pos+1)
		}
		if l.n != len(want) {
			t.Fatalf("step %d: %d jobs, want %d", i, l.n, len(want))
		}
	}
	var got []Item
	l.each(nil, func(it *Item) bool { got = append(got, *it); return true })
	if d := cmp.Diff(want, got); d != "" {
		t.Fatalf("(-want +got):\n%s", d)
	}
	half := len(want) / 2
	got = nil
	l.each(&want[half], func(it *Item) bool { got = append(got, *it); return len(got) < 700 })
	if d := cmp.Diff(want[half+1:][:len(got)], got); d != "" {
		t.Fatalf("from the middle (-want +got):\n%s", d)
	}
}

// TestOrderOfItems goes through the edges of priorities.
func TestOrderOfItems(t *testing.T) {
	order := []Item{
		{Priority: 1e300}, {Priority: 255}, {Priority: 1, Place: 1}, {Priority: 1, Place: 2}, {Priority: 1, Place: 2, Seq: 9},
		{Priority: 0.5}, {Priority: 0}, {Priority: -0.5}, {Priority: -1e300, Place: 3},
	}
	for i := range order {
		for j := range order {
			a, b := &order[i], &order[j]
			if a.before(b) != (i < j) || a.rank().less(b.rank()) != (i < j) {
				t.Errorf("%v before %v: %v, by rank %v", *a, *b, a.before(b), a.rank().less(b.rank()))
			}
		}
	}
	negative, zero := Item{Priority: 0}, Item{}
	negative.Priority = -negative.Priority
	if negative.rank() != zero.rank() {
		t.Error("-0 and 0 are different priorities")
	}
}

func TestQueueRank(t *testing.T) {
	order := []int64{1<<63 - 1, 5, 1, 0, -1, -5, -1 << 63}
	for i := 1; i < len(order); i++ {
		if queueRank(order[i-1]) >= queueRank(order[i]) {
			t.Errorf("priority %d does not come before %d", order[i-1], order[i])
		}
	}
}

// TestMemoryOfReadyJobs bounds what a ready job costs when jobs come in order.
func TestMemoryOfReadyJobs(t *testing.T) {
	const jobs = 500_000
	heap := func() uint64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	s := New(Config{})
	for i := range 10 {
		s.DefineShape(job.ShapeID(i+1), &job.Shape{Queue: 1, Command: true, Needs: job.Resources{"cpu": 1000 * int64(i+1)}})
	}
	before := heap()
	for i := range jobs {
		s.Push(job.ShapeID(i%10+1), Item{Seq: job.Seq(i + 1), Place: uint64(i)})
	}
	each := float64(heap()-before) / jobs
	t.Logf("%.1f bytes a job", each)
	if each > 36 {
		t.Errorf("a ready job costs %.1f bytes, want at most 36", each)
	}
	runtime.KeepAlive(s)
}
