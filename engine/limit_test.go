package engine

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/muster-queue/muster/job"
)

func (b *bench) setLimit(t *testing.T, name, text string) LimitState {
	t.Helper()
	l, err := job.ParseLimit(text)
	if err != nil {
		t.Fatal(err)
	}
	l.Name = name
	st, err := b.ns.SetLimit(b.ctx, l)
	if err != nil {
		t.Fatal(err)
	}
	return st
}

func (b *bench) limit(t *testing.T, name string) LimitState {
	t.Helper()
	l, err := b.ns.Limit(b.ctx, name)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// limited are jobs with data that carry limits.
func limited(n int, uses ...job.LimitUse) []*job.Job {
	jobs := make([]*job.Job, n)
	for i := range jobs {
		jobs[i] = data(fmt.Sprint("limited ", i))
		jobs[i].Limits = uses
	}
	return jobs
}

func TestLimits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := setup(t, Config{})
		l := job.Limit{Name: "db", Max: 5, Windows: []job.Window{{From: time.Hour, To: 2 * time.Hour, Zone: "Europe/London"}}}
		st, err := b.ns.SetLimit(b.ctx, l)
		if d := cmp.Diff(l, st.Limit); d != "" || err != nil || !st.Known {
			t.Fatalf("%s, %+v, %v", d, st, err)
		}
		b.setLimit(t, "db", "100/minute")
		b.setLimit(t, "db", "100/minute") // nothing new, and nothing to tell
		b.restart(t, time.Hour)
		if st := b.limit(t, "db"); st.String() != "100/minute" || !st.Known {
			t.Errorf("after a restart: %+v", st)
		}
		b.add(t, limited(1, job.LimitUse{Name: "other"})...)
		all, err := b.ns.Limits(b.ctx)
		if err != nil || len(all) != 2 || all[0].Name != "db" || all[1].Name != "other" || all[1].Known || all[1].Ready != 1 {
			t.Errorf("%+v, %v", all, err)
		}
		if err := b.ns.RemoveLimit(b.ctx, "db"); err != nil {
			t.Error(err)
		}
		b.restart(t, 0)
		_, err = b.ns.Limit(b.ctx, "db")
		if gone := b.ns.RemoveLimit(b.ctx, "db"); !job.IsKind(err, job.NotFound) || !job.IsKind(gone, job.NotFound) {
			t.Errorf("removed: %v, %v", err, gone)
		}
		if _, err := b.ns.SetLimit(b.ctx, job.Limit{Name: "a:b"}); !job.IsKind(err, job.Invalid) {
			t.Errorf("a bad name: %v", err)
		}
		if d := cmp.Diff([]string{job.EventLimitRemoved, job.EventLimitSet, job.EventLimitSet}, b.log(t)); d != "" {
			t.Error(d)
		}
	})
}

// A reserve that waits is served when a limit has room again: a job ended, the limit
// was raised or lifted, or time opened it.
func TestReserveWaitsForALimit(t *testing.T) {
	for name, c := range map[string]struct {
		limit string
		opens func(t *testing.T, b *bench, g Grant)
		after time.Duration
	}{
		"a job ends": {"1", func(t *testing.T, b *bench, g Grant) { b.report(t, Report{Ref: refTo(g), Kind: ReportComplete}) }, 0},
		"raised":     {"1", func(t *testing.T, b *bench, _ Grant) { b.setLimit(t, "l", "2") }, 0},
		"lifted": {"1", func(t *testing.T, b *bench, _ Grant) {
			if err := b.ns.RemoveLimit(b.ctx, "l"); err != nil {
				t.Fatal(err)
			}
		}, 0},
		"a period passes": {"1/minute", func(*testing.T, *bench, Grant) {}, time.Minute},
		"a window opens": {"any; 2000-01-01T00:00:00Z..2000-01-01T00:00:05Z; 2000-01-01T02:00:00Z..2000-01-01T03:00:00Z",
			func(*testing.T, *bench, Grant) {}, 2*time.Hour - 10*time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := setup(t, Config{}) // it is midnight of the first of January 2000
				b.setLimit(t, "l", c.limit)
				b.add(t, limited(2, job.LimitUse{Name: "l"})...)
				g := b.reserve(t, ReserveRequest{N: 1, Lease: 24 * time.Hour})
				if len(g) != 1 {
					t.Fatalf("%d granted at first", len(g))
				}
				if c.after > time.Hour {
					time.Sleep(10 * time.Second)
				}
				if more := b.reserve(t, ReserveRequest{N: 1}); len(more) > 0 {
					t.Fatal("a second one was granted")
				}
				began := time.Now()
				got := make(chan []Grant, 1)
				go func() {
					more, _ := b.ns.Reserve(b.ctx, ReserveRequest{Worker: job.Worker{Name: "w"}, N: 1, Wait: 24 * time.Hour})
					got <- more
				}()
				synctest.Wait()
				c.opens(t, b, g[0])
				more := <-got
				if took := time.Since(began); len(more) != 1 || took < c.after || took > c.after+time.Second {
					t.Errorf("%d granted after %v, want it after %v", len(more), took, c.after)
				}
			})
		})
	}
}

// What is held is counted through restarts and lost workers, to the end of the lease.
func TestLimitCountsWhatIsHeld(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := setup(t, Config{})
		b.setLimit(t, "l", "5")
		b.add(t, limited(4, job.LimitUse{Name: "l", Weight: 2}, job.LimitUse{Name: "m"})...)
		g := b.reserve(t, ReserveRequest{N: 9, Lease: time.Minute})
		if len(g) != 2 {
			t.Fatalf("%d granted, each counts 2 of 5", len(g))
		}
		b.restart(t, 10*time.Second)
		if l, m := b.limit(t, "l"), b.limit(t, "m"); l.Used != 4 || l.Ready != 2 || m.Used != 2 || m.Known {
			t.Errorf("after a restart: %+v, %+v", l, m)
		}
		if more := b.reserve(t, ReserveRequest{N: 9}); len(more) > 0 {
			t.Error("more were granted after a restart")
		}
		b.setLimit(t, "m", "1") // it was counted before anybody set it
		b.report(t, Report{Ref: refTo(g[0]), Kind: ReportComplete})
		if more := b.reserve(t, ReserveRequest{N: 9}); len(more) > 0 {
			t.Error("limit m has room for one, which is held")
		}
		time.Sleep(10 * time.Minute) // the lease of the other is over
		if more := b.reserve(t, ReserveRequest{N: 9}); len(more) != 1 {
			t.Errorf("%d granted when all had ended", len(more))
		}
	})
}

// A rate that was used up is used up after a crash, too; a grant whose commit failed
// never was.
func TestRateOverACrash(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := setup(t, Config{})
		b.setLimit(t, "l", "3/minute")
		b.add(t, limited(9, job.LimitUse{Name: "l"})...)
		if g := b.reserve(t, ReserveRequest{N: 2}); len(g) != 2 {
			t.Fatalf("%d granted", len(g))
		}
		time.Sleep(30 * time.Second)
		b.store.failNext(errors.New("the disk is gone"))
		if _, err := b.ns.Reserve(b.ctx, ReserveRequest{Worker: job.Worker{Name: "w"}, N: 2}); !job.IsKind(err, job.Unavailable) {
			t.Fatal(err)
		}
		synctest.Wait()
		if l := b.limit(t, "l"); l.Started != 2 {
			t.Errorf("after a commit that failed: %+v", l)
		}
		if g := b.reserve(t, ReserveRequest{N: 9}); len(g) != 1 {
			t.Errorf("%d granted; one was left", len(g))
		}
		b.restart(t, 20*time.Second)
		if l := b.limit(t, "l"); l.Started != 3 || !l.Full || l.Opens.IsZero() {
			t.Errorf("after a restart: %+v", l)
		}
		time.Sleep(10 * time.Second)
		if g := b.reserve(t, ReserveRequest{N: 9}); len(g) != 2 {
			t.Errorf("%d granted when two had come back", len(g))
		}
	})
}

// Agents get no more than limits let, not even in advance.
func TestAgentsAndLimits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := setup(t, Config{})
		b.setLimit(t, "one", "1")
		b.add(t, commands("", 3, func(j *job.Job) { j.Limits = []job.LimitUse{{Name: "one"}} })...)
		st := b.station(t, "w", 4)
		if len(st.runs) != 1 {
			t.Fatalf("runs %v", st.runs)
		}
		e, err := b.ns.Explain(b.ctx, JobID{Seq: 2})
		if err != nil || len(e.Obstacles) != 1 || e.Obstacles[0].Word != "limit" || e.Summary != "limit one has 1 of 1 in use" {
			t.Errorf("%+v, %v", e, err)
		}
		b.setLimit(t, "one", "2")
		wants(t, st.look(), "1")
		b.setLimit(t, "one", "0")
		st.completes("0")
		wants(t, st.look())
		if len(st.stops) > 0 {
			t.Errorf("stopped %v", st.stops)
		}
		b.setLimit(t, "one", "any; 2000-01-01T00:10:00Z..")
		st.live(5 * time.Minute)
		wants(t, st.look())
		wants(t, st.live(5*time.Minute), "2")
	})
}

// TestSimulationWithLimits is TestSimulation where jobs carry limits, which are
// changed meanwhile. However the server is killed: from the commands' own traces, and
// from the grants that were stored, there were never more than the limits let.
func TestSimulationWithLimits(t *testing.T) {
	seeds := []uint64{*simSeed}
	if *simSeed == 0 {
		seeds = []uint64{rand.Uint64(), rand.Uint64(), rand.Uint64()}
	}
	for _, seed := range seeds {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { simulate(t, seed, nil, &simLimits{t: t}) })
		})
	}
}

// simLimits are the limits of a simulation: three at once, heavy jobs counting two,
// and ten in an hour.
type simLimits struct {
	t      *testing.T
	grants map[job.AttemptID]job.Time
}

const (
	simAtOnce  = 3
	simAnHour  = 10
	simHeavies = 5 // one in so many counts two
)

func (s *simLimits) begin(w *world) {
	s.grants = map[job.AttemptID]job.Time{}
	w.store.committed = s.note
	for _, l := range []job.Limit{{Name: "at once", Max: simAtOnce}, {Name: "an hour", Max: simAnHour, Period: time.Hour}} {
		if _, err := w.namespace(s.t.Context()).SetLimit(s.t.Context(), l); err != nil {
			s.t.Fatal(err)
		}
	}
}

func simWeight(n int) int64 {
	if n%simHeavies == 0 {
		return 2
	}
	return 1
}

func (s *simLimits) give(j *job.Job, n int) {
	j.Limits = []job.LimitUse{{Name: "at once", Weight: simWeight(n)}, {Name: "an hour"}}
}

// note keeps when attempts were granted.
func (s *simLimits) note(c *job.Changes) {
	for i := range c.Live {
		if l := &c.Live[i]; l.State.Held() {
			s.grants[l.Attempt] = l.Granted
		}
	}
}

func (s *simLimits) end(w *world) {
	times := make([]job.Time, 0, len(s.grants))
	for _, at := range s.grants {
		times = append(times, at)
	}
	slices.Sort(times)
	for i := simAnHour; i < len(times); i++ {
		if times[i].Sub(times[i-simAnHour]) < time.Hour {
			s.t.Errorf("%d were granted within %v", simAnHour+1, times[i].Sub(times[i-simAnHour]))
		}
	}
	type change struct {
		at    time.Time
		units int64
	}
	var changes []change
	for line, spans := range w.traces {
		n := 0
		if _, err := fmt.Sscanf(line, "job %d", &n); err != nil {
			s.t.Fatal(err)
		}
		for _, run := range spans {
			changes = append(changes, change{run.from, simWeight(n)}, change{run.to, -simWeight(n)})
		}
	}
	slices.SortFunc(changes, func(a, b change) int {
		if c := a.at.Compare(b.at); c != 0 {
			return c
		}
		return int(a.units - b.units) // ends first
	})
	running, most := int64(0), int64(0)
	for _, c := range changes {
		running += c.units
		most = max(most, running)
	}
	if most != simAtOnce {
		s.t.Errorf("%d units ran at once, want up to %d", most, simAtOnce)
	}
	if all, err := w.namespace(s.t.Context()).Limits(s.t.Context()); err != nil || all[1].Used != 0 {
		s.t.Errorf("at the end %+v is in use, %v", all, err)
	}
}
