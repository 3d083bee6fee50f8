package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/muster-queue/muster/job"
)

// recorded puts an entry for each task into the log.
func (b *bench) recorded(t *testing.T, kind string, tasks ...string) {
	t.Helper()
	var rows []job.EventRow
	for _, task := range tasks {
		rows = append(rows, job.EventRow{Kind: kind, Task: task})
	}
	if err := b.ns.Record(b.ctx, rows...); err != nil {
		t.Fatal(err)
	}
}

// tasks are those of all entries that a request finds, page by page; pages is how
// many there were.
func (b *bench) tasks(t *testing.T, r EventsRequest) (all []string, pages int) {
	t.Helper()
	for {
		rows, next, err := b.ns.Events(b.ctx, r)
		if err != nil {
			t.Fatal(err)
		}
		pages++
		for i := range rows {
			all = append(all, rows[i].Task)
		}
		if r.Before = next; next == 0 {
			return all, pages
		}
	}
}

func TestEventsByFilter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := setup(t, Config{})
		start := time.Now()
		put := func(e job.EventRow) {
			t.Helper()
			if err := b.ns.Record(b.ctx, e); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Minute)
		}
		put(job.EventRow{Kind: job.EventAssigned, Task: "a", Account: "x", Worker: "w1"})
		put(job.EventRow{Kind: job.EventPoolCreated, Task: "b", Pool: "p", Who: "ann"})
		put(job.EventRow{Kind: job.EventCompleted, Task: "c", Account: "x", Worker: "w2", Pool: "p"})
		put(job.EventRow{Kind: job.EventPaused, Task: "d", Who: "bob"})
		put(job.EventRow{Kind: job.EventAssigned, Task: "e", Account: "y", Worker: "w1"})
		for name, c := range map[string]struct {
			r    EventsRequest
			want string
		}{
			"all":           {EventsRequest{}, "[e d c b a]"},
			"a kind":        {EventsRequest{Kinds: []string{job.EventAssigned}}, "[e a]"},
			"kinds of both": {EventsRequest{Kinds: []string{job.EventAssigned, job.EventPaused}}, "[e d a]"},
			"audited":       {EventsRequest{Audit: true}, "[d b]"},
			"no such kind":  {EventsRequest{Audit: true, Kinds: []string{job.EventAssigned}}, "[]"},
			"account":       {EventsRequest{Account: new("x")}, "[c a]"},
			"worker":        {EventsRequest{Worker: new("w1")}, "[e a]"},
			"pool":          {EventsRequest{Pool: new("p")}, "[c b]"},
			"no pool":       {EventsRequest{Pool: new("")}, "[e d a]"},
			"task":          {EventsRequest{Task: new("c")}, "[c]"},
			"who":           {EventsRequest{Who: new("bob")}, "[d]"},
			"since":         {EventsRequest{Since: start.Add(2 * time.Minute)}, "[e d c]"},
			"until":         {EventsRequest{Until: start.Add(2 * time.Minute)}, "[b a]"},
			"span":          {EventsRequest{Since: start.Add(time.Minute), Until: start.Add(150 * time.Second)}, "[c b]"},
			"before all":    {EventsRequest{Until: start}, "[]"},
			"in the future": {EventsRequest{Since: start.Add(time.Hour)}, "[]"},
		} {
			one, pages := b.tasks(t, c.r)
			if got := fmt.Sprint(one); got != c.want || pages != 1 {
				t.Errorf("%s: %s in %d pages; want %s", name, got, pages, c.want)
			}
			c.r.Limit = 1
			if single, _ := b.tasks(t, c.r); !slices.Equal(single, one) {
				t.Errorf("%s, one a page: %v; want %v", name, single, one)
			}
		}
		if _, _, err := b.ns.Events(b.ctx, EventsRequest{Kinds: []string{"stolen"}}); !job.IsKind(err, job.Invalid) {
			t.Errorf("unknown kind: %v", err)
		}
		if _, _, err := b.ns.Events(b.ctx, EventsRequest{Limit: MaxPage + 1}); !job.IsKind(err, job.Invalid) {
			t.Errorf("a page that is too large: %v", err)
		}
		ctx, cancel := context.WithCancel(b.ctx)
		cancel()
		if _, _, err := b.ns.Events(ctx, EventsRequest{}); err == nil {
			t.Error("a request that was given up got an answer")
		}
	})
}

// What one call looks at is bounded, so that a page may be empty and not the last.
func TestEventsAreScannedInSteps(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := setup(t, Config{})
		b.recorded(t, job.EventEnqueued, "first")
		b.recorded(t, job.EventPaused, "audit")
		for range 5 {
			b.recorded(t, job.EventAssigned, slices.Repeat([]string{"many"}, maxRecord)...)
		}
		rows, next, err := b.ns.Events(b.ctx, EventsRequest{Task: new("first")})
		if err != nil || len(rows) != 0 || next == 0 {
			t.Fatalf("%v, %d, %v", rows, next, err)
		}
		if got, pages := b.tasks(t, EventsRequest{Task: new("first")}); !slices.Equal(got, []string{"first"}) || pages != 3 {
			t.Errorf("%v in %d pages", got, pages)
		}
		if got, pages := b.tasks(t, EventsRequest{Audit: true}); !slices.Equal(got, []string{"audit"}) || pages != 1 {
			t.Errorf("%v in %d pages", got, pages)
		}
	})
}

// Entries, their numbers and their counts go on after a restart and after a commit
// that failed.
func TestEventsOverARestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := setup(t, Config{})
		b.recorded(t, job.EventEnqueued, "a", "b")
		b.Stop(0)
		b.start(t, Config{})
		b.store.failNext(errors.New("the disk is gone"))
		if err := b.ns.Record(b.ctx, job.EventRow{Kind: job.EventEnqueued, Task: "lost"}); !job.IsKind(err, job.Unavailable) {
			t.Fatal(err)
		}
		b.recorded(t, job.EventPaused, "c")
		b.recorded(t, job.EventEnqueued, "d")
		rows, _, err := b.ns.Events(b.ctx, EventsRequest{})
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, e := range rows {
			got = append(got, fmt.Sprint(e.Task, e.N, e.Count))
		}
		if d := cmp.Diff([]string{"d4 3", "c3 1", "b2 2", "a1 1"}, got); d != "" {
			t.Error(d)
		}
		if err := b.ns.Record(b.ctx, job.EventRow{Kind: "stolen"}); !job.IsKind(err, job.Invalid) {
			t.Error(err)
		}
		if err := b.ns.Record(b.ctx, make([]job.EventRow, maxRecord+1)...); !job.IsKind(err, job.Invalid) {
			t.Error(err)
		}
	})
}

// Entries that are too old go away by themselves, each log by its own rule, also
// while nothing else happens and over restarts.
func TestOldEventsAreTrimmed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := Config{TasksKept: time.Hour, AuditKept: 10 * time.Hour, IdleUnload: 1000 * time.Hour}
		b := setup(t, cfg)
		sees := func(when string, want ...string) {
			t.Helper()
			synctest.Wait()
			if got, _ := b.tasks(t, EventsRequest{}); !slices.Equal(got, want) {
				t.Errorf("%s: %v; want %v", when, got, want)
			}
			stored := 0
			for log := range job.EventLogs {
				if err := b.ns.store.Events(log, 0, func(*job.EventRow) bool { stored++; return true }); err != nil {
					t.Fatal(err)
				}
			}
			if stored != len(want) {
				t.Errorf("%s: %d are stored; want %d", when, stored, len(want))
			}
		}
		b.recorded(t, job.EventEnqueued, "a", "b")
		b.recorded(t, job.EventPaused, "who")
		time.Sleep(30 * time.Minute)
		b.recorded(t, job.EventEnqueued, "c")
		sees("after half an hour", "c", "who", "b", "a")
		time.Sleep(31 * time.Minute)
		sees("after an hour", "c", "who")
		b.Stop(0)
		time.Sleep(time.Hour)
		b.start(t, cfg)
		sees("after another, without a server", "who")
		b.recorded(t, job.EventEnqueued, "d")
		time.Sleep(9 * time.Hour)
		sees("after a working day")
		b.recorded(t, job.EventResumed, "e")
		sees("then", "e")
	})
}

// However many tasks there are, so many entries are kept, and who changed what is
// still known. Whoever reads meanwhile sees the newest in order, without gaps.
func TestManyEventsAreTrimmed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := setup(t, Config{EventsKept: 25_000})
		b.recorded(t, job.EventPaused, "who")
		var readers sync.WaitGroup
		done := make(chan struct{})
		for range 2 {
			readers.Go(func() {
				for {
					select {
					case <-done:
						return
					default:
						b.readsWell(t)
					}
				}
			})
		}
		for range 12 {
			b.recorded(t, job.EventAssigned, slices.Repeat([]string{"x"}, maxRecord)...)
		}
		close(done)
		readers.Wait()
		synctest.Wait()
		counts, oldest := 0, uint64(0)
		if err := b.ns.store.Events(job.TaskLog, 0, func(e *job.EventRow) bool { counts, oldest = counts+1, e.Count; return true }); err != nil {
			t.Fatal(err)
		}
		if counts < 25_000 || counts > 25_250 || oldest != 120_000-uint64(counts)+1 {
			t.Errorf("%d entries are kept, the oldest is number %d", counts, oldest)
		}
		if got, _ := b.tasks(t, EventsRequest{Audit: true}); !slices.Equal(got, []string{"who"}) {
			t.Errorf("who changed what: %v", got)
		}
	})
}

// readsWell reads two pages of the log of tasks.
func (b *bench) readsWell(t *testing.T) {
	r := EventsRequest{Kinds: []string{job.EventAssigned}}
	last := uint64(0)
	for range 2 {
		rows, next, err := b.ns.Events(b.ctx, r)
		if err != nil {
			t.Error(err)
			return
		}
		for i := range rows {
			if last != 0 && rows[i].Count != last-1 {
				t.Errorf("entry %d comes after %d", rows[i].Count, last)
			}
			last = rows[i].Count
		}
		if r.Before = next; next == 0 {
			return
		}
	}
}

// A log whose trimming failed is trimmed after all.
func TestTrimmingOfAFailedCommit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := setup(t, Config{TasksKept: time.Hour, IdleUnload: 1000 * time.Hour})
		b.recorded(t, job.EventEnqueued, "a")
		synctest.Wait()
		b.store.failNext(errors.New("the disk is gone"))
		time.Sleep(time.Hour + time.Second)
		synctest.Wait()
		time.Sleep(2 * trimEvery)
		synctest.Wait()
		if got, _ := b.tasks(t, EventsRequest{}); len(got) != 0 {
			t.Errorf("%v", got)
		}
	})
}
