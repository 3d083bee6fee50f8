package engine

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/muster-queue/muster/job"
	"github.com/muster-queue/muster/store/pebble"
)

var (
	benchUnits  = flag.Int("units", 100_000, "how many units BenchmarkUnits has")
	benchRandom = flag.Bool("units.random", false, "whether BenchmarkUnits adds them in no order")
)

// BenchmarkUnits adds units to a store on disk, completes some, and reports how
// long it takes to count and to read pages of 1,000, and to start again.
func BenchmarkUnits(b *testing.B) {
	dir := b.TempDir()
	open := func() (n *Namespace, closed func()) {
		s, err := pebble.Open(pebble.Config{Dir: dir})
		if err != nil {
			b.Fatal(err)
		}
		e, err := New(b.Context(), Config{}, s)
		if err != nil {
			b.Fatal(err)
		}
		e.Listening()
		began := time.Now()
		if n, err = e.Namespace(b.Context(), ""); err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(time.Since(began).Seconds(), "s-load")
		return n, func() {
			e.Stop(0)
			if err := s.Close(); err != nil {
				b.Error(err)
			}
		}
	}
	n, closed := open()
	if err := n.SetQueue(b.Context(), job.Queue{Name: "u", Order: job.OrderKey, Definition: []byte{0xa0}}); err != nil {
		b.Fatal(err)
	}
	addUnits(b, n)
	finishUnits(b, n, *benchUnits/4)
	closed()
	n, closed = open()
	defer closed()
	timeReads(b, n)
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	b.ReportMetric(float64(m.HeapAlloc)/float64(*benchUnits), "B/unit")
}

func addUnits(b *testing.B, n *Namespace) {
	numbers := make([]int, *benchUnits)
	for i := range numbers {
		numbers[i] = i
	}
	if *benchRandom {
		rand.New(rand.NewPCG(1, 2)).Shuffle(len(numbers), func(i, j int) { numbers[i], numbers[j] = numbers[j], numbers[i] })
	}
	began := time.Now()
	for part := range slices.Chunk(numbers, 1000) {
		jobs := make([]*job.Job, len(part))
		for i, n := range part {
			jobs[i] = &job.Job{Queue: "u", Key: job.Key(fmt.Sprintf("a collection/document %09d", n)), Data: make([]byte, 100)}
		}
		if _, err := n.Add(b.Context(), AddRequest{Jobs: jobs}); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(*benchUnits)/time.Since(began).Seconds(), "adds/s")
}

func finishUnits(b *testing.B, n *Namespace, count int) {
	began := time.Now()
	for done := 0; done < count; {
		grants, err := n.Reserve(b.Context(), ReserveRequest{Worker: job.Worker{Name: "w"}, N: MaxReserve, Queues: []string{"u"}})
		if err != nil || len(grants) == 0 {
			b.Fatal(len(grants), err)
		}
		reports := make([]Report, len(grants))
		for i, g := range grants {
			reports[i] = Report{Ref: refTo(g), Kind: ReportComplete, Data: []byte("result")}
		}
		if _, err := n.Report(b.Context(), "w", reports); err != nil {
			b.Fatal(err)
		}
		done += len(grants)
	}
	b.ReportMetric(float64(count)/time.Since(began).Seconds(), "drained/s")
}

// timeReads reports the slowest of some reads anywhere among the units.
func timeReads(b *testing.B, n *Namespace) {
	rnd := rand.New(rand.NewPCG(3, 4))
	slowest := func(name string, times int, do func() error) {
		var all []time.Duration
		for range times {
			began := time.Now()
			if err := do(); err != nil {
				b.Fatal(err)
			}
			all = append(all, time.Since(began))
		}
		slices.Sort(all)
		b.ReportMetric(float64(all[len(all)/2].Microseconds())/1000, "ms-p50-"+name)
		b.ReportMetric(float64(all[len(all)*9/10].Microseconds())/1000, "ms-p90-"+name)
	}
	slowest("counts", 100, func() error {
		_, err := n.Counts(b.Context(), CountsRequest{Queue: "u"})
		return err
	})
	for name, states := range map[string][]job.State{"all": nil, "ready": {job.Ready}, "complete": {job.Complete}, "buried": {job.Buried}} {
		slowest(name, 50, func() error {
			after := job.Key(fmt.Sprintf("a collection/document %09d", rnd.IntN(*benchUnits)))
			_, err := n.Units(b.Context(), UnitsRequest{Queue: "u", After: &after, Limit: 1000, States: states})
			return err
		})
	}
}
