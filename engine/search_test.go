package engine

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/muster-queue/muster/job"
)

// A search finds what a look at every job finds: in pages of any size, sorted, and by any
// mixture of what can be asked for.
func TestSearchIsALookAtEveryJob(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		synctest.Test(t, func(t *testing.T) {
			b := setup(t, Config{})
			begun := time.Now()
			b.past(t)
			var all []*Info
			try(t, b.ns.Export(b.ctx, ExportRequest{}, func(i *Info, _ *job.Attempt) error { all = append(all, i); return nil }))
			for range 10 {
				f := drawFilter(rt, begun)
				want := map[string]bool{}
				for _, i := range all {
					if naive(&f, i) {
						want[i.Job.Queue+"/"+string(i.Job.Key)] = true
					}
				}
				b.checkPages(rt, &f, want)
				b.checkOrder(rt, &f, len(want))
				b.checkExport(rt, &f, want)
			}
		})
	})
}

func (b *bench) checkPages(t *rapid.T, f *Filter, want map[string]bool) {
	r := ListRequest{Filter: *f, Page: rapid.IntRange(1, 30).Draw(t, "page")}
	got := map[string]bool{}
	for more := true; more; more = r.Token != "" {
		page, err := b.ns.List(b.ctx, r)
		if err != nil {
			t.Fatal(err)
		}
		for _, i := range page.Jobs {
			name := i.Job.Queue + "/" + string(i.Job.Key)
			if got[name] || !want[name] {
				t.Fatalf("%+v: %s (again: %v)", f, name, got[name])
			}
			got[name] = true
		}
		r.Token = page.Next
	}
	if len(got) != len(want) {
		t.Fatalf("%+v: %d jobs; want %d", f, len(got), len(want))
	}
}

// past makes jobs in all states but lost, of several groups, queues and users.
func (b *bench) past(t *testing.T) {
	t.Helper()
	for i := range 90 {
		j := &job.Job{
			Queue: fmt.Sprintf("q%d", i%2), Key: job.Key(fmt.Sprintf("key-%02d", i/2)), Data: []byte("x"), Priority: float64(i % 7),
			Group: []string{"", "run-1", "run-2", "other"}[i%4], Kind: fmt.Sprintf("kind%d", i%3), Submitter: fmt.Sprintf("u%d", i%3), Retries: new(0),
		}
		if i%10 == 9 {
			j.NotBefore = time.Now().Add(time.Hour)
		}
		b.add(t, j)
		time.Sleep(time.Second)
		if i%3 == 2 {
			b.tryOne(t, i)
		}
	}
}

func (b *bench) tryOne(t *testing.T, i int) {
	t.Helper()
	worker := job.Worker{Name: fmt.Sprintf("w%d", i%2), Host: fmt.Sprintf("host%d", i%2)}
	g := b.reserve(t, ReserveRequest{N: 2, Worker: worker})
	for k := range g {
		b.report(t, Report{Ref: refTo(g[k]), Kind: ReportStart})
		time.Sleep(time.Second)
		r := Report{Ref: refTo(g[k]), Kind: ReportComplete, Result: job.Result{Exited: true, PeakMemory: int64(i*7%11) << 20, CPUTime: time.Duration(i%5) * time.Second}}
		switch (i + k) % 4 {
		case 0:
			r.Kind, r.Result.ExitCode, r.Result.Reason = ReportBury, i%3, job.ReasonExit
		case 1:
			if i%2 == 0 {
				continue // it goes on
			}
		}
		b.report(t, r)
	}
}

func drawFilter(t *rapid.T, begun time.Time) (f Filter) {
	sometimes := func(name string, set func()) {
		if rapid.IntRange(0, 4).Draw(t, name+"?") == 0 {
			set()
		}
	}
	pick := func(name string, of ...string) string { return rapid.SampledFrom(of).Draw(t, name) }
	sometimes("queue", func() { f.Queue = pick("queue", "q0", "q1", "none") })
	sometimes("group", func() { f.Group = pick("group", "run-1", "other", "none") })
	sometimes("prefix", func() { f.GroupPrefix = pick("prefix", "run", "run-2", "x", "o") })
	sometimes("part", func() { f.GroupPart = pick("part", "-", "2", "the", "x") })
	sometimes("kind", func() { f.Kind = pick("kind", "kind0", "kind1") })
	sometimes("key", func() { f.Key = job.Key(pick("key", "key-01", "key-17", "none")) })
	sometimes("key prefix", func() { f.KeyPrefix = pick("key prefix", "key-1", "key-2", "x") })
	sometimes("key part", func() { f.KeyPart = pick("key part", "y-0", "7", "x") })
	sometimes("submitter", func() { f.Submitter = pick("submitter", "u0", "u2", "u9") })
	sometimes("host", func() { f.Host = pick("host", "host0", "host1", "host2") })
	sometimes("exit", func() { f.Exit = new(rapid.IntRange(0, 2).Draw(t, "exit")) })
	sometimes("reason", func() { f.Reasons = []job.Reason{job.ReasonExit, job.ReasonLost} })
	sometimes("states", func() {
		f.States = rapid.SliceOfN(rapid.SampledFrom([]job.State{job.Ready, job.Delayed, job.Running, job.Buried, job.Complete}), 1, 3).Draw(t, "states")
	})
	for _, s := range []struct {
		name string
		span *Span
	}{{"added", &f.Added}, {"started", &f.Started}, {"ended", &f.Ended}} {
		moment := func(name string) time.Time {
			return begun.Add(time.Duration(rapid.IntRange(-5, 160).Draw(t, s.name+name)) * time.Second)
		}
		sometimes(s.name+" since", func() { s.span.Since = moment("since") })
		sometimes(s.name+" until", func() { s.span.Until = moment("until") })
	}
	return f
}

// naive is the filter by what is shown of a job.
func naive(f *Filter, i *Info) bool {
	l, j := &i.Live, i.Job
	is := func(want, have string) bool { return want == "" || want == have }
	host := ""
	switch {
	case l.State.Held():
		host = i.Worker.Host
	case i.Last != nil:
		host = i.Last.Host
	}
	ended := i.Ended
	if l.State == job.Buried {
		ended = l.Since.Std()
	}
	in := func(s Span, t time.Time) bool {
		return s == Span{} || !t.IsZero() && !t.Before(s.Since) && (s.Until.IsZero() || t.Before(s.Until))
	}
	return is(f.Queue, j.Queue) && is(f.Group, j.Group) && is(f.Kind, j.Kind) && is(string(f.Key), string(j.Key)) &&
		is(f.Submitter, j.Submitter) && is(f.Host, host) &&
		strings.HasPrefix(j.Group, f.GroupPrefix) && strings.Contains(j.Group, f.GroupPart) &&
		strings.HasPrefix(string(j.Key), f.KeyPrefix) && strings.Contains(string(j.Key), f.KeyPart) &&
		(len(f.States) == 0 || slices.Contains(f.States, l.State)) && (len(f.Reasons) == 0 || slices.Contains(f.Reasons, l.Reason)) &&
		(f.Exit == nil || l.Number > 0 && int(l.Exit) == *f.Exit) &&
		in(f.Added, l.Added.Std()) && in(f.Started, l.Started.Std()) && in(f.Ended, ended)
}

// checkOrder asks for the first jobs in every order.
func (b *bench) checkOrder(t *rapid.T, f *Filter, matches int) {
	r := ListRequest{
		Filter: *f, Page: rapid.IntRange(1, 100).Draw(t, "first"), Descending: rapid.Bool().Draw(t, "descending"),
		Order: Order(rapid.IntRange(int(OrderAdded), int(numOrders)-1).Draw(t, "order")),
	}
	page, err := b.ns.List(b.ctx, r)
	if err != nil || page.Partial || page.Next != "" || len(page.Jobs) != min(matches, r.Page) {
		t.Fatalf("%v: %d of %d jobs, %v", r.Order, len(page.Jobs), matches, err)
	}
	last := 0.0
	for k, i := range page.Jobs {
		v := shownValue(r.Order, i)
		bad := v < last
		if r.Descending {
			bad = v > last
		}
		if none := v == 0 && r.Order != OrderPriority; k > 0 && bad && !none || k > 0 && last == 0 && v != 0 && r.Order != OrderPriority {
			t.Fatalf("%v, descending %v: %v after %v", r.Order, r.Descending, v, last)
		}
		last = v
	}
}

func shownValue(o Order, i *Info) float64 {
	l := &i.Live
	var used job.Usage
	if i.Last != nil {
		used = i.Last.Result.Usage()
		used.Wall = i.Last.Ended.Sub(i.Last.Started)
	}
	ended := job.TimeOf(i.Ended)
	if l.State == job.Buried {
		ended = l.Since
	}
	return [numOrders]float64{
		0, float64(l.Added), float64(l.Started), float64(ended),
		float64(used.Wall), float64(used.CPU), float64(used.Memory), float64(used.Disk), l.Priority, float64(l.Number),
	}[o]
}

// checkExport exports the same jobs, and all their attempts.
func (b *bench) checkExport(t *rapid.T, f *Filter, want map[string]bool) {
	jobs, attempts, expected := 0, 0, 0
	err := b.ns.Export(b.ctx, ExportRequest{Filter: *f}, func(i *Info, _ *job.Attempt) error {
		if !want[i.Job.Queue+"/"+string(i.Job.Key)] {
			t.Fatalf("%+v: exported %s", f, i.Job.Key)
		}
		jobs++
		expected += int(i.Live.Number)
		return nil
	})
	if err == nil {
		err = b.ns.Export(b.ctx, ExportRequest{Filter: *f, Attempts: true}, func(i *Info, a *job.Attempt) error {
			attempts++
			if a == nil || a.Number == 0 || a.Number > i.Live.Number {
				t.Fatalf("attempt %+v of %+v", a, i.Live)
			}
			return nil
		})
	}
	if err != nil || jobs != len(want) || attempts != expected {
		t.Fatalf("%+v: %d jobs, %d attempts, %v; want %d and %d", f, jobs, attempts, err, len(want), expected)
	}
}

// A page of a filter that nothing matches ends after a bounded look, and says where to go on.
func TestASearchIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := setup(t, Config{})
		b.past(t)
		counts := b.counts(t)
		looks := 0
		for before := uint64(0); ; looks++ {
			e := &effort{left: 5, step: 2}
			try(t, b.ns.eachFinished(b.ctx, &Filter{KeyPart: "nothing"}, before, true, e, func(*found, *job.Job) bool {
				t.Error("something matched")
				return true
			}))
			if before = e.at.End; !e.spent {
				break
			}
		}
		if n := int(counts[job.Complete]); looks < n/10 || looks > n || n < 20 {
			t.Fatalf("%d looks at %d complete jobs", looks, n)
		}
		if _, _, err := ParseOrder("-size"); !job.IsKind(err, job.Invalid) {
			t.Fatal(err)
		}
		o, descending, err := ParseOrder("-memory")
		if o != OrderMemory || !descending || err != nil {
			t.Fatalf("%v %v %v", o, descending, err)
		}
		_, err = b.ns.List(b.ctx, ListRequest{Order: OrderAdded, Token: "x"})
		if !job.IsKind(err, job.Invalid) {
			t.Fatal(err)
		}
	})
}
