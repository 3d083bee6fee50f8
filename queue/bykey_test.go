package queue

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/muster-queue/muster/job"
)

// unitItems are prepared data jobs of the queue units, in the order of numbers.
func unitItems(numbers []int) []Prepared {
	list := make([]Prepared, len(numbers))
	for i, n := range numbers {
		j := &job.Job{Queue: "units", Key: job.Key(fmt.Sprintf("a collection/document %09d", n)), Data: []byte{1}}
		list[i] = Prepared{Job: j, Digest: job.DigestOf(j.Queue, j.Key), Body: make([]byte, 100)}
	}
	return list
}

// unitState is a State with a queue that is ordered by key.
func unitState(t testing.TB, order job.Order) *State {
	t.Helper()
	s := New(Config{})
	if err := s.Loaded(start, 1, 7); err != nil {
		t.Fatal(err)
	}
	if _, err := s.SetQueue(job.Queue{Name: "units", Order: order}); err != nil {
		t.Fatal(err)
	}
	return s
}

func addUnits(s *State, numbers []int) {
	for part := range slices.Chunk(numbers, 1000) {
		s.Begin(start)
		s.Add(unitItems(part), AddOptions{})
		s.Feed()
		s.Take()
	}
}

func sequence(n int) []int {
	numbers := make([]int, n)
	for i := range numbers {
		numbers[i] = i
	}
	return numbers
}

// TestMemoryOfKeys bounds what a job costs in a queue that is ordered by key, beyond
// what it costs elsewhere.
func TestMemoryOfKeys(t *testing.T) {
	const jobs = 300_000
	each := func(order job.Order) float64 {
		before := heap()
		s := unitState(t, order)
		addUnits(s, sequence(jobs))
		defer runtime.KeepAlive(s)
		return float64(heap()-before) / jobs
	}
	fifo, keyed := each(job.OrderFIFO), each(job.OrderKey)
	t.Logf("%.1f bytes a job, %.1f in a queue ordered by key", fifo, keyed)
	if keyed-fifo > 55 { // a key of 31 bytes, its length and slot, a reference
		t.Errorf("a key costs %.1f bytes", keyed-fifo)
	}
}

// TestKeysOfAllLengths keeps keys of every length, gives half of them back, and
// keeps others in their places.
func TestKeysOfAllLengths(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	var k keyArena
	want := map[uint32]string{}
	put := func(n int) {
		key := strings.Repeat(string(rune('a'+n%26)), n)
		want[k.put(uint32(n), job.Key(key))] = key
	}
	check := func() {
		t.Helper()
		for ref, key := range want {
			if string(k.at(ref)) != key || k.slot(ref) != uint32(len(key)) {
				t.Fatalf("a key of %d bytes is %q of slot %d", len(key), k.at(ref), k.slot(ref))
			}
		}
	}
	for n := range job.MaxKey + 1 {
		put(n)
	}
	check()
	chunks := len(k.chunks)
	for range 3 {
		var lengths []int
		for ref, key := range want {
			if rnd.IntN(2) == 0 {
				k.give(ref)
				delete(want, ref)
				lengths = append(lengths, len(key))
			}
		}
		k.release()
		check()
		for _, n := range lengths {
			put(n)
		}
		check()
	}
	if len(k.chunks) != chunks {
		t.Errorf("%d chunks, where %d were enough before", len(k.chunks), chunks)
	}
	for ref := range want {
		k.give(ref)
	}
	k.release()
	for i, c := range k.chunks {
		if c != nil {
			t.Fatalf("chunk %d is kept for no key", i)
		}
	}
}

// TestSortKeys sorts keys that differ where the shortcut looks, before, and behind.
func TestSortKeys(t *testing.T) {
	rnd := rand.New(rand.NewPCG(3, 4))
	for _, common := range []string{"", "in common", "a beginning that all have in common"} {
		var k keyArena
		var want []string
		var refs []uint32
		for i := range 2000 {
			key := common + strings.Repeat("x", rnd.IntN(12)) + fmt.Sprint(rnd.IntN(1000), i)
			want = append(want, key)
			refs = append(refs, k.put(uint32(i), job.Key(key)))
		}
		slices.Sort(want)
		k.sort(refs)
		for i, ref := range refs {
			if string(k.at(ref)) != want[i] {
				t.Fatalf("%d: %q, want %q", i, k.at(ref), want[i])
			}
		}
	}
}

func BenchmarkAddByKey(b *testing.B) {
	const before = 1_000_000
	for _, order := range []string{"sorted", "random"} {
		b.Run(order, func(b *testing.B) {
			s := unitState(b, job.OrderKey)
			numbers := sequence(3 * before)
			if order == "random" {
				rand.New(rand.NewPCG(1, 2)).Shuffle(len(numbers), func(i, j int) { numbers[i], numbers[j] = numbers[j], numbers[i] })
			}
			addUnits(s, numbers[:before])
			numbers = numbers[before:]
			n := 0
			b.ResetTimer()
			for ; n+1000 <= b.N && n+1000 <= len(numbers); n += 1000 {
				b.StopTimer()
				batch := unitItems(numbers[n : n+1000])
				b.StartTimer()
				s.Begin(start)
				s.Add(batch, AddOptions{})
				s.Feed()
				s.Take()
			}
			b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "jobs/s")
		})
	}
}
