package engine

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/muster-queue/muster/job"
	"github.com/muster-queue/muster/learn"
)

const mb = learn.MB

// machine is a station of eight cores with so much memory.
func (b *bench) machine(t *testing.T, name string, memory int64) *station {
	t.Helper()
	st := &station{t: t, b: b, name: name, runs: map[string]Ref{}, stops: map[string]job.Mark{}}
	var err error
	st.s, err = b.ns.Attach(b.ctx, AttachRequest{
		Worker: job.Worker{
			Name: name, Host: "host-of-" + name, Machine: name, Boot: "b", Dir: "/",
			Capacity: job.Resources{job.CPU: 8 * job.Thousandth, job.Memory: memory},
		},
		Clock: int64(time.Second),
	})
	if err != nil {
		t.Fatal(err)
	}
	st.look()
	return st
}

// alike are commands of one kind.
func alike(from, to int, memory int64) (all []*job.Job) {
	for i := from; i < to; i++ {
		j := &job.Job{Kind: "k", Command: &job.Command{Line: fmt.Sprintf("k%02d", i)}, Backoff: &job.Backoff{}}
		if memory > 0 {
			j.Needs = job.Resources{job.Memory: memory}
		}
		all = append(all, j)
	}
	return all
}

// first is the first of what runs.
func (st *station) first() string {
	var lines []string
	for line := range st.runs {
		lines = append(lines, line)
	}
	return slices.Min(lines)
}

// done completes the first run, having used so much memory.
func (st *station) done(memory int64) {
	st.t.Helper()
	st.reports(st.first(), ReportComplete, job.Result{Exited: true, PeakMemory: memory, WallTime: time.Minute})
	st.look()
}

func (st *station) wantRuns(n int) {
	st.t.Helper()
	if len(st.runs) != n {
		st.t.Fatalf("%d run (%v); want %d", len(st.runs), st.runs, n)
	}
}

// Waiting jobs ask for what was learned as soon as it is, so that more of them fit,
// and after a restart they still do.
func TestLearnedNeedsPackJobs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := setup(t, Config{})
		b.add(t, alike(0, 40, 450*mb)...)
		below := func(s *learn.Settings) error { s.Below = learn.Yes; return nil }
		if err := b.ns.SetKind(b.ctx, "k", below); err != nil {
			t.Fatal(err)
		}
		st := b.machine(t, "w", 1000*mb)
		st.wantRuns(2)
		for range 4 {
			st.done(150 * mb)
			st.wantRuns(2)
		}
		st.done(150 * mb)
		st.wantRuns(3) // one still has the 450 it was given
		st.done(150 * mb)
		st.wantRuns(5)
		b.wantGiven(t, st)
		x, err := b.ns.Explain(b.ctx, JobID{Seq: 40})
		if err != nil || !strings.HasSuffix(x.Summary, ". It asks for mem 200M, learned from 6 runs; time 30m0s, learned from 6 runs.") {
			t.Fatalf("%+v, %v", x, err)
		}
		i, err := b.ns.Kind(b.ctx, "k")
		if err != nil || i.Runs != 6 || i.Figures[learn.Memory].Asked != 200*mb {
			t.Fatalf("%+v, %v", i, err)
		}
		b.restart(t, time.Second)
		st = b.machine(t, "w2", 1000*mb)
		st.wantRuns(5)
		b.wantGiven(t, st)
		if i, _ = b.ns.Kind(b.ctx, "k"); i.Runs != 6 {
			t.Fatalf("after a restart %d runs are known", i.Runs)
		}
		if err := b.ns.ResetKind(b.ctx, "k"); err != nil {
			t.Fatal(err)
		}
		for range 5 {
			st.done(150 * mb)
		}
		if i, _ = b.ns.Kind(b.ctx, "k"); i.Runs != 5 {
			t.Fatalf("after a reset and five runs %d are known", i.Runs)
		}
	})
}

// wantGiven checks that attempts that run say what they were given, not what their
// jobs were: the first were 450, those that began after five runs 200.
func (b *bench) wantGiven(t *testing.T, st *station) {
	t.Helper()
	learned := 0
	for line, ref := range st.runs {
		i, err := b.ns.Get(b.ctx, JobID{Seq: ref.Seq}, false, false)
		if err != nil {
			t.Fatal(err)
		}
		switch held := i.Held(); {
		case held == nil:
			t.Fatalf("%s is not held", line)
		case held.Asked[job.Memory] == 200*mb && held.Time == 30*time.Minute:
			learned++
		case held.Asked[job.Memory] != 450*mb:
			t.Fatalf("%s says it was given %v for %v", line, held.Asked, held.Time)
		}
	}
	if learned < 4 {
		t.Fatalf("%d of %d say that they were given what was learned", learned, len(st.runs))
	}
}

// What an attempt is given, and what it may use, reaches the agent.
func TestAgentsAreToldNeedsAndLimits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := setup(t, Config{})
		b.add(t, alike(0, 5, 0)...)
		st := b.machine(t, "w", 4000*mb)
		for range 5 {
			st.done(150 * mb)
		}
		timed := alike(6, 7, 300*mb)
		timed[0].Time = time.Minute
		timed[0].Override = job.OverrideAlways
		b.add(t, append(alike(5, 6, 0), timed...)...)
		synctest.Wait()
		o, err := st.s.Take()
		if err != nil || o == nil || len(o.Assign) != 2 {
			t.Fatalf("%+v, %v", o, err)
		}
		a, timedA := &o.Assign[0], &o.Assign[1]
		if a.Needs[job.Memory] != 200*mb || a.Limits[learn.Memory] != 1200*mb || a.Limits[learn.Time] != learn.Unknown {
			t.Errorf("not given: %+v, %+v", a.Needs, a.Limits)
		}
		if timedA.Needs[job.Memory] != 300*mb || timedA.Limits[learn.Memory] != 300*mb || timedA.Limits[learn.Time] != int64(time.Minute) {
			t.Errorf("given: %+v, %+v", timedA.Needs, timedA.Limits)
		}
	})
}

// Neither rounding nor raising lifts a job above the largest machine it fits on; on
// a larger one it gets what it asks for.
func TestNotAboveTheLargestMachine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := setup(t, Config{})
		b.add(t, alike(0, 5, 0)...)
		st := b.machine(t, "w", 980*mb)
		for range 5 {
			st.done(940 * mb)
		}
		b.add(t, alike(5, 6, 0)...)
		wants(t, st.look(), "k05")
		if i := b.job(t, alike(5, 6, 0)[0]); i.Live.State != job.Running {
			t.Fatalf("%+v", i.Live)
		}
		st.reports("k05", ReportRelease, job.Result{Reason: job.ReasonMemory, PeakMemory: 980 * mb})
		wants(t, st.look(), "k05") // 2000 would be asked for
		st.reports("k05", ReportRelease, job.Result{Reason: job.ReasonMemory, PeakMemory: 980 * mb})
		wants(t, st.look(), "k05")
		larger := b.machine(t, "v", 8000*mb)
		st.reports("k05", ReportRelease, job.Result{Reason: job.ReasonMemory, PeakMemory: 980 * mb})
		wants(t, st.look())
		wants(t, larger.look(), "k05")
		id, _ := b.ns.Workers(b.ctx, WorkersRequest{})
		for _, w := range id {
			if w.Name == "v" && w.Capacity[job.Memory]-w.Free[job.Memory] != 2000*mb {
				t.Errorf("on the larger machine it has %d MB", (w.Capacity[job.Memory]-w.Free[job.Memory])/mb)
			}
		}
	})
}

// What was learned on a machine that is gone buries nobody: such jobs are cut to the
// nearest machine that what was given fits on. What was given buries.
func TestLearnedNeverBuries(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := setup(t, Config{})
		b.add(t, alike(0, 5, 0)...)
		st := b.machine(t, "w", 8000*mb)
		for range 5 {
			st.done(5000 * mb)
		}
		st.s.Close()
		synctest.Wait()
		small := b.machine(t, "v", 1000*mb)
		b.add(t, alike(5, 6, 900*mb)...)
		wants(t, small.look(), "k05")
		given := alike(6, 7, 1500*mb)[0]
		b.add(t, given)
		if i := b.job(t, given); i.Live.State != job.Buried {
			t.Errorf("what was given is too large, and it is %v", i.Live.State)
		}
	})
}
