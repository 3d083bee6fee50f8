package engine

import (
	"context"
	"fmt"
	"math"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/muster-queue/muster/job"
	"github.com/muster-queue/muster/summary"
)

func (b *bench) summaries(t *testing.T, r SummariesRequest) []GroupSummary {
	t.Helper()
	var all []GroupSummary
	for {
		page, err := b.ns.Summaries(b.ctx, r)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, page.Groups...)
		if r.After = page.Next; r.After == "" {
			return all
		}
	}
}

// A summary is what a look at every complete job would come to: whatever was run again,
// deleted or pruned, before and after checkpoints and restarts.
func TestSummariesAreWhatHistorySays(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		synctest.Test(t, func(t *testing.T) {
			b := setup(t, Config{})
			next := 0
			steps := rapid.SliceOfN(rapid.SampledFrom([]string{"run", "run", "delete", "rerun", "checkpoint", "restart", "ask", "prune"}), 4, 14).Draw(rt, "steps")
			for _, step := range steps {
				b.play(t, rt, step, &next)
			}
			b.checkSummaries(t)
		})
	})
}

func (b *bench) play(t *testing.T, rt *rapid.T, step string, next *int) {
	t.Helper()
	switch step {
	case "run":
		for range rapid.IntRange(1, 8).Draw(rt, "jobs") {
			j := data(fmt.Sprintf("k%03d", *next))
			j.Group = fmt.Sprintf("g%d", *next%3)
			*next++
			b.add(t, j)
		}
		b.complete(t, rt)
	case "delete":
		f := Filter{Group: fmt.Sprintf("g%d", rapid.IntRange(0, 2).Draw(rt, "group")), KeyPrefix: fmt.Sprintf("k00%d", rapid.IntRange(0, 9).Draw(rt, "key"))}
		_, err := b.ns.Delete(b.ctx, Selector{Filter: &f}, DeleteOptions{})
		try(t, err)
	case "rerun":
		j := data(fmt.Sprintf("k%03d", rapid.IntRange(0, max(*next-1, 0)).Draw(rt, "again")))
		j.Group = fmt.Sprintf("g%d", rapid.IntRange(0, 2).Draw(rt, "other group"))
		_, err := b.ns.Add(b.ctx, AddRequest{Jobs: []*job.Job{j}, Existing: job.ExistingReplace})
		try(t, err)
		b.complete(t, rt)
	case "checkpoint":
		b.checkpointSums(t)
	case "restart":
		b.Stop(0)
		b.start(t, Config{})
	case "ask":
		b.checkSummaries(t)
	case "prune":
		try(t, b.ns.SetQueue(b.ctx, job.Queue{Name: "q", KeepFinished: new(int64(rapid.IntRange(1, 20).Draw(rt, "kept")))}))
		_, err := b.ns.Prune(b.ctx, "q")
		try(t, err)
		try(t, b.ns.SetQueue(b.ctx, job.Queue{Name: "q"}))
	}
}

// complete runs what is ready.
func (b *bench) complete(t *testing.T, rt *rapid.T) {
	t.Helper()
	for _, g := range b.reserve(t, ReserveRequest{N: 100}) {
		b.report(t, Report{Ref: refTo(g), Kind: ReportStart})
		time.Sleep(time.Duration(rapid.IntRange(1, 5000).Draw(rt, "wall")) * time.Millisecond)
		b.report(t, Report{Ref: refTo(g), Kind: ReportComplete, Result: job.Result{
			PeakMemory: rapid.Int64Range(0, 1<<35).Draw(rt, "memory"), CPUTime: time.Duration(rapid.IntRange(0, 1e9).Draw(rt, "cpu")),
			WallTime: time.Duration(rapid.IntRange(0, 1e9).Draw(rt, "reported"))}})
	}
}

// checkpointSums stores the sums as the background does.
func (b *bench) checkpointSums(t *testing.T) {
	t.Helper()
	b.summaries(t, SummariesRequest{})
	s, err := call(b.ctx, b.ns, normal, func(w *writer) (*summaries, error) { return w.summing.summaries, nil })
	try(t, err)
	s.work <- struct{}{}
	next := s.fold()
	try(t, b.ns.checkpoint(s, next))
	<-s.work
}

// checkSummaries compares with a look at every record.
func (b *bench) checkSummaries(t *testing.T) {
	t.Helper()
	names := map[job.GroupID]string{}
	_, err := call(b.ctx, b.ns, normal, func(w *writer) (struct{}, error) {
		for _, g := range w.state.Groups("", MaxPage) {
			names[job.GroupID(g.ID)] = g.Name
		}
		return struct{}{}, nil
	})
	try(t, err)
	want := map[string]*summary.Group{}
	try(t, b.ns.store.History(0, 0, func(f *job.Finished) bool {
		name := names[f.Group]
		if want[name] == nil {
			want[name] = &summary.Group{}
		}
		i := summary.ItemOf(f)
		want[name].Apply(&i)
		return true
	}))
	got := b.summaries(t, SummariesRequest{Limit: 2})
	seen := 0
	for i := range got {
		g, w := &got[i], want[got[i].Name]
		if w == nil {
			w = &summary.Group{}
		} else {
			seen++
		}
		e := groupSummary(g.Name, g.Counts, w)
		if g.Counts[job.Complete] != w.Count || !g.First.Equal(e.First) || !g.Last.Equal(e.Last) {
			t.Fatalf("group %s: %+v; want %+v", g.Name, g, e)
		}
		for k, m := range [][2]Measure{{g.Memory, e.Memory}, {g.CPU, e.CPU}, {g.Wall, e.Wall}, {g.Disk, e.Disk}} {
			if m[0].Count != m[1].Count || m[0].P95 != m[1].P95 || m[0].Median != m[1].Median || math.Abs(m[0].Sum-m[1].Sum) > 1e-6*m[1].Sum {
				t.Fatalf("group %s, measure %d: %+v; want %+v", g.Name, k, m[0], m[1])
			}
		}
	}
	if seen != len(want) {
		t.Fatalf("%d groups; want %d", seen, len(want))
	}
}

// Groups are chosen by name, by its beginning or by a part of it; a total is of all of them.
func TestSummariesOfSomeGroups(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := setup(t, Config{})
		for i, group := range []string{"", "a", "ab", "abc", "b", "cab"} {
			j := data(fmt.Sprint(i))
			j.Group = group
			b.add(t, j)
		}
		for _, g := range b.reserve(t, ReserveRequest{N: 3}) {
			b.report(t, Report{Ref: refTo(g), Kind: ReportComplete, Result: job.Result{PeakMemory: 1 << 20}})
		}
		for _, c := range []struct {
			match GroupMatch
			want  []string
		}{
			{GroupMatch{}, []string{"a", "ab", "abc", "b", "cab"}},
			{GroupMatch{Name: "ab"}, []string{"ab"}},
			{GroupMatch{Name: "none"}, nil},
			{GroupMatch{Prefix: "ab"}, []string{"ab", "abc"}},
			{GroupMatch{Prefix: "aa"}, nil},
			{GroupMatch{Part: "ab"}, []string{"ab", "abc", "cab"}},
			{GroupMatch{Prefix: "a", Part: "c"}, []string{"abc"}},
		} {
			for limit := range 4 {
				var got []string
				for _, g := range b.summaries(t, SummariesRequest{Groups: c.match, Limit: limit}) {
					got = append(got, g.Name)
				}
				if !slices.Equal(got, c.want) {
					t.Errorf("%+v by %d: %v; want %v", c.match, limit, got, c.want)
				}
			}
		}
		total := b.summaries(t, SummariesRequest{Groups: GroupMatch{Part: "ab"}, Total: true})
		if len(total) != 1 || total[0].Counts[job.Complete] != 1 || total[0].Counts[job.Ready] != 2 || total[0].Memory.Count != 1 {
			t.Fatalf("%+v", total)
		}
		if _, err := b.ns.Summaries(context.Background(), SummariesRequest{Limit: MaxPage + 1}); !job.IsKind(err, job.Invalid) {
			t.Fatal(err)
		}
	})
}

// What was summed up once is stored, and a restart begins from there.
func TestSummariesAreStored(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := setup(t, Config{})
		for i := range 20 {
			j := data(fmt.Sprint(i))
			j.Group = fmt.Sprint("g", i%2)
			b.add(t, j)
		}
		for _, g := range b.reserve(t, ReserveRequest{N: 20}) {
			b.report(t, Report{Ref: refTo(g), Kind: ReportComplete, Result: job.Result{PeakMemory: 1 << 20}})
		}
		b.Stop(0)
		b.start(t, Config{})
		b.checkpointSums(t)
		want, err := call(b.ctx, b.ns, normal, func(w *writer) (uint64, error) { return w.state.Meta().NextEnd, nil })
		try(t, err)
		if reach := b.ns.summedUpTo(); reach != want {
			t.Fatalf("stored up to %d; want %d", reach, want)
		}
		b.Stop(0)
		b.start(t, Config{})
		s, err := call(b.ctx, b.ns, normal, func(w *writer) (*summaries, error) { return w.summing.summaries, nil })
		try(t, err)
		s.since = want
		try(t, s.load(b.ctx, b.ns))
		if len(s.groups) != 2 || s.folded != 0 {
			t.Fatalf("%d groups are loaded, and %d jobs were read", len(s.groups), s.folded)
		}
	})
}
