package summary

import (
	"math"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/muster-queue/muster/job"
)

var all = cmp.AllowUnexported(Spread{}, bin{})

// What is counted and taken away again in any order is as if it had never been there, and
// numbers are those of the values.
func TestGroupIsWhatItsJobsAre(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var g Group
		var kept []Item
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			if len(kept) > 0 && rapid.IntRange(0, 2).Draw(t, "remove") == 0 {
				k := rapid.IntRange(0, len(kept)-1).Draw(t, "which")
				gone := kept[k]
				gone.Gone = true
				g.Apply(&gone)
				kept = slices.Delete(kept, k, k+1)
				continue
			}
			started := job.Time(rapid.Int64Range(1, 1e6).Draw(t, "started"))
			i := Item{Started: started, Ended: started + job.Time(rapid.Int64Range(1, 1e6).Draw(t, "wall")), Used: job.Usage{
				Memory: rapid.Int64Range(0, 1<<40).Draw(t, "memory"), CPU: time.Duration(rapid.Int64Range(0, 1e15).Draw(t, "cpu"))}}
			g.Apply(&i)
			kept = append(kept, i)
		}
		checkGroup(t, &g, kept)
		again, err := Decode(g.Append(nil))
		if err != nil || !cmp.Equal(&g, again, all) {
			t.Fatalf("stored: %v %s", err, cmp.Diff(&g, again, all))
		}
	})
}

func checkGroup(t *rapid.T, g *Group, kept []Item) {
	var memory []float64
	first, last, sum := job.Time(math.MaxInt64), job.Time(0), 0.0
	for i := range kept {
		first, last = min(first, kept[i].Started), max(last, kept[i].Ended)
		if m := float64(kept[i].Used.Memory); m > 0 {
			memory = append(memory, m)
			sum += m
		}
	}
	if g.Count != int64(len(kept)) || g.Memory.Count != int64(len(memory)) {
		t.Fatalf("%d jobs, %d with memory; want %d and %d", g.Count, g.Memory.Count, len(kept), len(memory))
	}
	if len(kept) > 0 && !g.Stale && (g.First != first || g.Last != last) {
		t.Fatalf("from %d to %d; want %d to %d", g.First, g.Last, first, last)
	}
	if len(memory) == 0 {
		return
	}
	if mean := sum / float64(len(memory)); math.Abs(g.Memory.Mean()-mean) > 1e-6*mean+1 {
		t.Fatalf("mean %v; want %v", g.Memory.Mean(), mean)
	}
	slices.Sort(memory)
	for _, q := range []float64{0.5, 0.95, 1} {
		want := memory[int(math.Ceil(q*float64(len(memory))))-1]
		if got := g.Memory.Quantile(q); math.Abs(got-want) > Accuracy*want*1.0001 {
			t.Fatalf("quantile %v of %v: %v; want %v", q, memory, got, want)
		}
	}
}

func TestMergeIsBoth(t *testing.T) {
	var a, b, both Group
	for i := range 100 {
		item := Item{Started: job.Time(1 + i), Ended: job.Time(50 + 2*i), Used: job.Usage{Memory: int64(i) << 20, Wall: time.Duration(i * i)}}
		both.Apply(&item)
		if i%3 == 0 {
			a.Apply(&item)
		} else {
			b.Apply(&item)
		}
	}
	a.Merge(&b)
	if diff := cmp.Diff(&both, &a, all); diff != "" {
		t.Fatal(diff)
	}
}

// A record without a measured wall time has that from its start to its end.
func TestItemOfAnOldRecord(t *testing.T) {
	i := ItemOf(&job.Finished{Ended: 500, Live: job.Live{Group: 3, Started: 200}})
	if i.Group != 3 || i.Used.Wall != 300 {
		t.Fatalf("%+v", i)
	}
}

func FuzzDecode(f *testing.F) {
	var g Group
	g.Apply(&Item{Started: 1, Ended: 2, Used: job.Usage{Memory: 1 << 30, CPU: 7}})
	f.Add(g.Append(nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		g, err := Decode(b)
		if err != nil {
			if !job.IsKind(err, job.Damaged) {
				t.Fatal(err)
			}
			return
		}
		if _, err := Decode(g.Append(nil)); err != nil {
			t.Fatal(err)
		}
	})
}
