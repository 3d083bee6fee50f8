package engine

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/muster-queue/muster/job"
)

// unitQueue makes a queue of work units.
func unitQueue(t *testing.T, b *bench, def job.Queue) {
	t.Helper()
	def.Order, def.Definition = job.OrderKey, []byte{0xa0}
	if err := b.ns.SetQueue(t.Context(), def); err != nil {
		t.Fatal(err)
	}
}

func unit(key string, priority float64) *job.Job {
	return &job.Job{Queue: "u", Key: job.Key(key), Data: []byte("data of " + key), Priority: priority}
}

func (b *bench) units(t *testing.T, r UnitsRequest) []string {
	t.Helper()
	r.Queue = "u"
	if r.Limit == 0 {
		r.Limit = 100
	}
	units, err := b.ns.Units(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	list := []string{}
	for _, u := range units {
		if u == nil {
			list = append(list, "none")
			continue
		}
		list = append(list, fmt.Sprintf("%s %v %q", u.Key, u.State, u.Data()))
	}
	return list
}

func wantList(t *testing.T, got []string, want ...string) {
	t.Helper()
	if d := cmp.Diff(append([]string{}, want...), got); d != "" {
		t.Fatalf("(-want +got):\n%s", d)
	}
}

func TestUnits(t *testing.T) {
	b := setup(t, Config{})
	unitQueue(t, b, job.Queue{Name: "u"})
	b.add(t, unit("c", 0), unit("a", 0), unit("b", 0), unit("", 0), unit("\xff", 0))
	g := b.reserve(t, ReserveRequest{Worker: job.Worker{Name: "w"}, N: 3})
	b.report(t, Report{Ref: refTo(g[0]), Kind: ReportComplete, Data: []byte("done")})
	b.report(t, Report{Ref: refTo(g[1]), Kind: ReportBury})
	wantList(t, b.units(t, UnitsRequest{}),
		` complete "done"`, `a buried "data of a"`, `b reserved "data of b"`, `c ready "data of c"`, "\xff ready "+`"data of \xff"`)
	wantList(t, b.units(t, UnitsRequest{States: []job.State{job.Complete, job.Ready}, Limit: 2}), ` complete "done"`, `c ready "data of c"`)
	wantList(t, b.units(t, UnitsRequest{States: []job.State{}}))
	wantList(t, b.units(t, UnitsRequest{After: new(job.Key("b")), Limit: 1}), `c ready "data of c"`)
	wantList(t, b.units(t, UnitsRequest{Keys: []job.Key{"c", "x", "", "c"}}), `c ready "data of c"`, "none", ` complete "done"`, `c ready "data of c"`)

	if n, err := b.ns.DeleteUnits(t.Context(), UnitsSelector{Queue: "u", Keys: []job.Key{"b", "", "x", "a"}, States: []job.State{job.Reserved, job.Complete}}); err != nil || n != 2 {
		t.Fatal(n, err)
	}
	b.add(t, unit("b", 0))
	wantList(t, b.units(t, UnitsRequest{}), `a buried "data of a"`, `b ready "data of b"`, `c ready "data of c"`, "\xff ready "+`"data of \xff"`)
	if a := b.report(t, Report{Ref: refTo(g[2]), Kind: ReportComplete}); a.Err == nil {
		t.Fatal("a report on a deleted unit was accepted")
	}
	if err := b.ns.PrioritiseUnits(t.Context(), UnitsSelector{Queue: "u", Keys: []job.Key{"c"}}, new(2.5), 0); err != nil {
		t.Fatal(err)
	}
	if g := b.reserve(t, ReserveRequest{Worker: job.Worker{Name: "w"}, N: 1}); len(g) != 1 || g[0].Seq != 1 {
		t.Fatalf("%+v", g)
	}
	if n, err := b.ns.DeleteUnits(t.Context(), UnitsSelector{Queue: "u"}); err != nil || n != 0 {
		t.Fatal(n, err)
	}
	if n, err := b.ns.DeleteUnits(t.Context(), UnitsSelector{Queue: "u", All: true}); err != nil || n != 4 {
		t.Fatal(n, err)
	}
	wantList(t, b.units(t, UnitsRequest{}))
}

func TestPrune(t *testing.T) {
	b := setup(t, Config{})
	unitQueue(t, b, job.Queue{Name: "u", KeepFinished: new(int64(3))})
	var units []*job.Job
	for i := range 20 {
		units = append(units, unit(fmt.Sprintf("%02d", i), 0))
	}
	b.add(t, units...)
	b.add(t, data("other"))
	for i, g := range b.reserve(t, ReserveRequest{Worker: job.Worker{Name: "w"}, Queues: []string{"u"}, N: 10}) {
		kind := ReportComplete
		if i == 4 {
			kind = ReportBury
		}
		b.report(t, Report{Ref: refTo(g), Kind: kind})
	}
	b.report(t, Report{Ref: refTo(b.reserve(t, ReserveRequest{Worker: job.Worker{Name: "w"}, Queues: []string{"q"}, N: 1})[0]), Kind: ReportComplete})
	if _, err := b.ns.Prune(t.Context(), "u"); err != nil {
		t.Fatal(err)
	}
	wantList(t, b.units(t, UnitsRequest{States: []job.State{job.Complete, job.Buried}}),
		`04 buried "data of 04"`, `07 complete "data of 07"`, `08 complete "data of 08"`, `09 complete "data of 09"`)
	if c := b.counts(t); c[job.Complete] != 4 || c[job.Buried] != 1 || c[job.Ready] != 10 {
		t.Fatalf("%v", c)
	}
	b.add(t, unit("00", 0)) // its key is free again
	if n, err := b.ns.Prune(t.Context(), "u"); n != 0 || err != nil {
		t.Fatal(n, err)
	}
}

// TestUnitsWhileTheyMove reads all units page by page while workers complete them
// and others add them again: each must be there once, always.
func TestUnitsWhileTheyMove(t *testing.T) {
	const total = 2000
	b := setup(t, Config{})
	unitQueue(t, b, job.Queue{Name: "u"})
	var units []*job.Job
	for i := range total {
		units = append(units, unit(fmt.Sprintf("a common beginning %05d", i*7919%total), 0))
	}
	b.add(t, units...)
	ctx, stop := context.WithCancel(t.Context())
	var movers sync.WaitGroup
	for i := range 4 {
		name := fmt.Sprint("w", i)
		movers.Go(func() {
			for ctx.Err() == nil {
				grants, err := b.ns.Reserve(t.Context(), ReserveRequest{Worker: job.Worker{Name: name}, N: 20})
				if err != nil {
					t.Error(err)
					return
				}
				var reports []Report
				for _, g := range grants {
					reports = append(reports, Report{Ref: refTo(g), Kind: ReportComplete, Data: []byte("done")})
				}
				if _, err := b.ns.Report(t.Context(), name, reports); err != nil {
					t.Error(err)
				}
			}
		})
	}
	movers.Go(func() {
		for i := 0; ctx.Err() == nil; i = (i + 10) % total {
			again := make([]*job.Job, 10)
			for k := range again {
				again[k] = new(*units[i+k])
			}
			if _, err := b.ns.Add(t.Context(), AddRequest{Jobs: again, Existing: job.ExistingRerun}); err != nil {
				t.Error(err)
			}
		}
	})
	for range 20 {
		var after *job.Key
		seen := 0
		for {
			page, err := b.ns.Units(t.Context(), UnitsRequest{Queue: "u", After: after, Limit: 333})
			if err != nil {
				t.Fatal(err)
			}
			for _, u := range page {
				if want := fmt.Sprintf("a common beginning %05d", seen); string(u.Key) != want {
					t.Fatalf("found %q, want %q", u.Key, want)
				}
				if u.State == job.Complete && string(u.Data()) != "done" {
					t.Fatalf("%q is complete with data %q", u.Key, u.Data())
				}
				seen++
			}
			if len(page) < 333 {
				break
			}
			after = &page[len(page)-1].Key
		}
		if seen != total {
			t.Fatalf("%d units, want %d", seen, total)
		}
	}
	stop()
	movers.Wait()
}

func TestPruneInTheBackground(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := setup(t, Config{})
		unitQueue(t, b, job.Queue{Name: "u", KeepFinished: new(int64(3))})
		finish := func(n int) {
			t.Helper()
			for i := range n {
				b.add(t, unit(fmt.Sprint(time.Now(), i), 0), data(fmt.Sprint(time.Now(), i)))
			}
			for _, g := range b.reserve(t, ReserveRequest{Worker: job.Worker{Name: "w"}, N: 2 * n}) {
				b.report(t, Report{Ref: refTo(g), Kind: ReportComplete})
			}
		}
		want := func(units, others int64) {
			t.Helper()
			var err error
			if b.ns, err = b.Namespace(t.Context(), ""); err != nil { // it may have left memory
				t.Fatal(err)
			}
			time.Sleep(2 * pruneEvery)
			for name, n := range map[string]int64{"u": units, "q": others} {
				if info, err := b.ns.Queue(t.Context(), name); err != nil || info.Counts[job.Complete] != n {
					t.Fatalf("queue %s has %d complete jobs, want %d; %v", name, info.Counts[job.Complete], n, err)
				}
			}
		}
		finish(10)
		want(3, 10)
		finish(1)
		want(3, 11)
		b.Stop(0)
		b.start(t, Config{})
		if err := b.ns.UpdateQueue(t.Context(), "u", func(q *job.Queue) { q.KeepFinished, q.KeepFinishedFor = nil, time.Hour }); err != nil {
			t.Fatal(err)
		}
		time.Sleep(30 * time.Minute)
		finish(5)
		time.Sleep(20 * time.Minute)
		want(8, 16)
		time.Sleep(20 * time.Minute)
		want(5, 16)
		time.Sleep(time.Hour)
		want(0, 16)
		if rows, err := b.ns.store.Attempts(1); err != nil || len(rows) != 0 {
			t.Fatalf("what was pruned has attempts: %v, %v", rows, err)
		}
		finish(2)
		time.Sleep(time.Minute)
		want(2, 18)
	})
}

func TestOrderOfAQueueStays(t *testing.T) {
	b := setup(t, Config{})
	b.add(t, data("a"))
	err := b.ns.SetQueue(t.Context(), job.Queue{Name: "q", Order: job.OrderKey})
	if job.KindOf(err) != job.Conflict {
		t.Fatalf("the order of a queue with jobs was changed: %v", err)
	}
	if _, err := b.ns.Units(t.Context(), UnitsRequest{Queue: "q", Limit: 1}); job.KindOf(err) != job.Conflict {
		t.Fatalf("units of a queue in order of adding: %v", err)
	}
	if _, err := b.ns.Units(t.Context(), UnitsRequest{Queue: "none", Limit: 1}); !errors.Is(err, job.ErrNoQueue) {
		t.Fatal(err)
	}
	b.report(t, Report{Ref: refTo(b.reserve(t, ReserveRequest{N: 1})[0]), Kind: ReportComplete})
	if err := b.ns.SetQueue(t.Context(), job.Queue{Name: "q", Order: job.OrderKey}); job.KindOf(err) != job.Conflict {
		t.Fatalf("the order of a queue with complete jobs was changed: %v", err)
	}
	if _, err := b.ns.Delete(t.Context(), Selector{IDs: []JobID{{Queue: "q", Key: "a"}}}, DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	if err := b.ns.SetQueue(t.Context(), job.Queue{Name: "q", Order: job.OrderKey}); err != nil {
		t.Fatal(err)
	}
	b.add(t, data("a"))
	if u, err := b.ns.Units(t.Context(), UnitsRequest{Queue: "q", Limit: 1}); err != nil || len(u) != 1 {
		t.Fatal(u, err)
	}
}

// TestUnitsWhileDeleted: a page is only short where the queue ends, also when jobs
// of it are deleted while it is read.
func TestUnitsWhileDeleted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := setup(t, Config{})
		try(t, b.ns.SetQueue(b.ctx, job.Queue{Name: "q", Order: job.OrderKey}))
		b.add(t, data("a"), data("b"), data("c"), data("d"))
		b.store.meanwhile = func() {
			_, err := b.ns.DeleteUnits(b.ctx, UnitsSelector{Queue: "q", Keys: []job.Key{"a"}})
			try(t, err)
		}
		units, err := b.ns.Units(b.ctx, UnitsRequest{Queue: "q", Limit: 2})
		try(t, err)
		if len(units) != 2 || units[0].Key != "b" || units[1].Key != "c" {
			t.Fatalf("a page of 2 is %+v", units)
		}
	})
}
