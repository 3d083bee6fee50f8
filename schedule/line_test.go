package schedule

import (
	"bytes"
	"cmp"
	"fmt"
	"math/bits"
	"math/rand/v2"
	"runtime"
	"slices"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/muster-queue/muster/job"
)

// keyOfPlace makes keys that share a long beginning, some the beginning of others,
// in another order than their places.
func keyOfPlace(place uint64) []byte {
	return fmt.Appendf(nil, "a long common beginning/%x", bits.Reverse64(place))
}

// TestLine holds a line of several chunks against a sorted slice, ordered by
// places and by keys.
func TestLine(t *testing.T) {
	t.Run("place", func(t *testing.T) {
		testLine(t, newLine(nil), func(a, b Item) int { return cmp.Compare(a.Place, b.Place) })
	})
	t.Run("key", func(t *testing.T) {
		testLine(t, newLine(keyOfPlace), func(a, b Item) int {
			return bytes.Compare(keyOfPlace(a.Place), keyOfPlace(b.Place))
		})
	})
}

func testLine(t *testing.T, l *line, byPlace func(a, b Item) int) {
	rnd := rand.New(rand.NewPCG(1, 2))
	byOrder := func(a, b Item) int {
		return cmp.Or(-cmp.Compare(a.Priority, b.Priority), byPlace(a, b), cmp.Compare(a.Seq, b.Seq))
	}
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
			if n, of := l.ahead(&want[pos]), l.aheadOf(l.rank(&want[pos])); n != pos || of != pos {
				t.Fatalf("step %d: %d are ahead, by rank %d, want %d", i, n, of, pos)
			}
			was, found := l.remove(&want[pos])
			if _, again := l.remove(&want[pos]); !found || again || was != want[pos] {
				t.Fatalf("step %d: a job was not there exactly once", i)
			}
			want = slices.Delete(want, pos, pos+1)
		}
		if l.len() != len(want) {
			t.Fatalf("step %d: %d jobs, want %d", i, l.len(), len(want))
		}
	}
	var got []Item
	l.each(nil, func(it *Item) bool { got = append(got, *it); return true })
	if d := gocmp.Diff(want, got); d != "" {
		t.Fatalf("(-want +got):\n%s", d)
	}
	half := len(want) / 2
	got = nil
	l.each(&want[half], func(it *Item) bool { got = append(got, *it); return len(got) < 700 })
	if d := gocmp.Diff(want[half+1:][:len(got)], got); d != "" {
		t.Fatalf("from the middle (-want +got):\n%s", d)
	}
}

// TestOrderOfItems goes through the edges of priorities.
func TestOrderOfItems(t *testing.T) {
	order := []Item{
		{Priority: 1e300}, {Priority: 255}, {Priority: 1, Place: 1}, {Priority: 1, Place: 2}, {Priority: 1, Place: 2, Seq: 9},
		{Priority: 0.5}, {Priority: 0}, {Priority: -0.5}, {Priority: -1e300, Place: 3},
	}
	var l line
	for i := range order {
		for j := range order {
			a, b := &order[i], &order[j]
			if l.before(a, b) != (i < j) || l.rank(a).less(l.rank(b)) != (i < j) {
				t.Errorf("%v before %v: %v, by rank %v", *a, *b, l.before(a, b), l.rank(a).less(l.rank(b)))
			}
		}
	}
	negative, zero := Item{Priority: 0}, Item{}
	negative.Priority = -negative.Priority
	if l.rank(&negative) != l.rank(&zero) {
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
