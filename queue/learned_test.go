package queue

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/muster-queue/muster/job"
	"github.com/muster-queue/muster/learn"
)

const mb = learn.MB

// like is a command of a kind.
func like(kind, line string) job.Job {
	j := command(line)
	j.Kind = kind
	return j
}

// finishes runs a job to its end.
func (f *fixture) finishes(seq job.Seq, res job.Result) Ended {
	f.t.Helper()
	how := Completed
	if res.Reason != job.ReasonNone {
		how = Released
	}
	e, err := f.End(&End{Ref: f.run(seq, f.agent).Ref, How: how, Result: res})
	f.do(err)
	for f.Relearn(10) {
	}
	return e
}

// teaches completes jobs of a kind that use so much memory.
func (f *fixture) teaches(kind string, runs int, memory int64) {
	f.t.Helper()
	for range runs {
		seq := f.add(like(kind, fmt.Sprint("teach ", f.meta.NextSeq)), AddOptions{}).Seq
		f.finishes(seq, job.Result{Exited: true, PeakMemory: memory, WallTime: time.Minute})
	}
	f.commit()
}

// asks is what the next attempt of a job asks for.
func (f *fixture) asksFor(seq job.Seq) learn.Ask {
	f.t.Helper()
	l, ok := f.BySeq(seq)
	if !ok {
		f.t.Fatalf("no job %d", seq)
	}
	sh, _ := f.Shape(l.Shape)
	a := f.Asked(l.Shape)
	if d := cmp.Diff(sh.Needs, a.Needs); d != "" || sh.Time != a.Time {
		f.t.Fatalf("the scheduler is told otherwise: %s", d)
	}
	return a
}

func (f *fixture) wantMemory(seq job.Seq, mbs int64, from learn.Source) {
	f.t.Helper()
	if a := f.asksFor(seq); a.Needs[job.Memory] != mbs*mb || a.Sources[learn.Memory] != from {
		f.t.Fatalf("job %d asks for %d MB (%v); want %d (%v)", seq, a.Needs[job.Memory]/mb, a.Sources[learn.Memory], mbs, from)
	}
}

// What waits asks for what was learned as soon as it is, across restarts too, and
// the scheduler is told so once a shape, not once a job.
func TestWaitingJobsFollow(t *testing.T) {
	f := newFixture(t, Config{})
	var waiting []job.Seq
	for i := range 50 {
		waiting = append(waiting, f.add(like("align", fmt.Sprint(i)), AddOptions{}).Seq)
	}
	given := like("align", "given")
	given.Needs = job.Resources{job.Memory: 900 * mb}
	more := f.add(given, AddOptions{}).Seq
	other := f.add(like("aligner", "x"), AddOptions{}).Seq
	f.teaches("align", 4, 150*mb)
	f.wantMemory(waiting[0], 0, learn.Unsourced)
	f.Feed()
	f.teaches("align", 1, 150*mb)
	defined := 0
	for _, x := range f.Feed() {
		if x.Op == FeedDefineShape {
			defined++
		}
	}
	if defined > 2 {
		t.Errorf("%d shapes were told of anew", defined)
	}
	for range 2 {
		f.wantMemory(waiting[0], 200, learn.Learned)
		f.wantMemory(waiting[49], 200, learn.Learned)
		f.wantMemory(more, 900, learn.Given)
		f.wantMemory(other, 0, learn.Unsourced)
		if a := f.asksFor(waiting[7]); a.Time != 30*time.Minute || a.Limits[learn.Time] != learn.Unknown || a.Limits[learn.Memory] != 1200*mb {
			t.Fatalf("%+v", a)
		}
		f.reload()
	}
	if i, ok := f.Learned("align"); !ok || i.Runs != 5 || i.Figures[learn.Memory].Asked != 200*mb || i.Last == 0 {
		t.Fatalf("%+v", i)
	}
}

// Held attempts keep what they were given, and that is what history says.
func TestAttemptsKeepWhatTheyWereGiven(t *testing.T) {
	f := newFixture(t, Config{})
	seq := f.add(like("k", "x"), AddOptions{}).Seq
	f.teaches("k", 5, 150*mb)
	g := f.run(seq, f.agent)
	f.teaches("k", 40, 950*mb)
	f.wantMemory(seq, 1000, learn.Learned)
	if a := f.Granted(seq); a.Needs[job.Memory] != 200*mb {
		t.Fatalf("the attempt was given %v", a.Needs)
	}
	f.end(g.Ref, Completed, job.ReasonNone)
	f.commit()
	row := f.shelf.attempts[attemptKey{seq, 1}]
	if row.Asked[job.Memory] != 200*mb || row.Time != 30*time.Minute {
		t.Fatalf("the record says %v, %v", row.Asked, row.Time)
	}
}

// A kill for memory has the job ask for more, across restarts, and costs no retry
// when it only exceeded an estimate.
func TestMemoryKill(t *testing.T) {
	f := newFixture(t, Config{})
	j := like("k", "x")
	j.Needs, j.Retries = job.Resources{job.Memory: 64 * mb}, new(1)
	j.Backoff = &job.Backoff{}
	seq := f.add(j, AddOptions{}).Seq
	killed := func(peak int64) Ended {
		return f.finishes(seq, job.Result{Reason: job.ReasonMemory, PeakMemory: peak})
	}
	if e := killed(200 * mb); e.State != job.Ready {
		t.Fatalf("after a kill %v", e.State)
	}
	for range 2 {
		f.wantMemory(seq, 1200, learn.Raised)
		f.commit()
		f.reload()
		f.do(f.Heard(f.agent))
	}
	if a := f.asksFor(seq); a.Limits[learn.Memory] != 1200*mb {
		t.Fatalf("%+v", a)
	}
	j.Priority = 5
	p := f.prepared(j)
	f.do(f.Modify(seq, &p))
	f.wantMemory(seq, 1200, learn.Raised) // nobody spoke of memory
	if e := killed(1250 * mb); e.State != job.Buried {
		t.Fatalf("after the second kill %v; it has one retry", e.State)
	}
	f.wantMemory(seq, 2500, learn.Raised)
	j.Needs = job.Resources{job.Memory: 3000 * mb}
	p = f.prepared(j)
	f.do(f.Modify(seq, &p))
	f.wantMemory(seq, 3000, learn.Given)
}

func TestEstimatesCostNoRetry(t *testing.T) {
	f := newFixture(t, Config{})
	f.teaches("k", 5, 150*mb)
	j := like("k", "x")
	j.Retries = new(0)
	seq := f.add(j, AddOptions{}).Seq
	if e := f.finishes(seq, job.Result{Reason: job.ReasonMemory, PeakMemory: 1300 * mb}); e.State != job.Ready {
		t.Fatalf("after a kill beyond an estimate %v", e.State)
	}
	if l, _ := f.BySeq(seq); l.Failures != 0 {
		t.Fatalf("%d failures", l.Failures)
	}
	f.wantMemory(seq, 2600, learn.Raised)
	if e := f.finishes(seq, job.Result{Reason: job.ReasonMemory, PeakMemory: 2600 * mb}); e.State != job.Buried {
		t.Fatalf("after a kill beyond what was raised %v", e.State)
	}
}

func TestAlwaysIsNotRaised(t *testing.T) {
	f := newFixture(t, Config{})
	j := like("k", "x")
	j.Needs, j.Time, j.Override, j.Backoff = job.Resources{job.Memory: 64 * mb}, time.Minute, job.OverrideAlways, &job.Backoff{}
	seq := f.add(j, AddOptions{}).Seq
	f.finishes(seq, job.Result{Reason: job.ReasonMemory, PeakMemory: 200 * mb})
	f.finishes(seq, job.Result{Reason: job.ReasonTime, WallTime: time.Minute})
	f.wantMemory(seq, 64, learn.Given)
	if a := f.asksFor(seq); a.Limits[learn.Time] != int64(time.Minute) {
		t.Fatalf("%+v", a)
	}
}

func TestTimeAndDiskKills(t *testing.T) {
	f := newFixture(t, Config{})
	j := like("k", "x")
	j.Needs, j.Time, j.Backoff = job.Resources{job.Disk: 10 * mb}, time.Hour, &job.Backoff{}
	seq := f.add(j, AddOptions{}).Seq
	f.finishes(seq, job.Result{Reason: job.ReasonTime, WallTime: time.Hour})
	f.finishes(seq, job.Result{Reason: job.ReasonDisk, PeakDisk: 333 * mb})
	f.commit()
	f.reload()
	a := f.asksFor(seq)
	if a.Time != 90*time.Minute || a.Limits[learn.Time] != int64(90*time.Minute) || a.Needs[job.Disk] != 500*mb {
		t.Fatalf("%+v", a)
	}
	if i, _ := f.Learned("k"); i.Runs != 0 || i.Figures[learn.Disk].Runs != 1 || i.Figures[learn.Time].Runs != 1 || i.Figures[learn.Memory].Runs != 0 {
		t.Fatalf("counted as %+v", i)
	}
}

// What does not count: work units, failures for other reasons, what was not measured.
func TestWhatIsNotCounted(t *testing.T) {
	f := newFixture(t, Config{})
	d := data("unit")
	d.Kind = "k"
	f.end(f.run(f.add(d, AddOptions{}).Seq, f.puller).Ref, Completed, job.ReasonNone)
	f.finishes(f.add(like("k", "x"), AddOptions{}).Seq, job.Result{Reason: job.ReasonExit, PeakMemory: mb, Exited: true, ExitCode: 1})
	f.finishes(f.add(like("k", "y"), AddOptions{}).Seq, job.Result{Exited: true})
	i, _ := f.Learned("k")
	if i.Runs != 1 || i.Figures[learn.Memory].Runs != 0 || i.Figures[learn.Time].Runs != 0 {
		t.Fatalf("%+v", i)
	}
	f.teaches("k", 6, 100*mb)
	d = data("another")
	d.Kind = "k"
	if a := f.asksFor(f.add(d, AddOptions{}).Seq); len(a.Needs) != 0 || a.Time != 0 {
		t.Fatalf("a work unit asks for %+v", a)
	}
}

// Kinds whose jobs are all gone are remembered, but not without bound.
func TestKindsWithoutJobs(t *testing.T) {
	f := newFixture(t, Config{Kinds: 3})
	for i := range 5 {
		f.teaches(fmt.Sprint("k", i), 5, 150*mb)
		f.dropIdle(0)
	}
	f.commit()
	names := func() (names []string) {
		for _, i := range f.Kinds("", 10) {
			names = append(names, fmt.Sprint(i.Name, " ", i.Figures[learn.Memory].Asked/mb))
		}
		return names
	}
	want := []string{"k2 200", "k3 200", "k4 200"}
	for range 2 {
		if d := cmp.Diff(want, names()); d != "" {
			t.Fatal(d)
		}
		if len(f.shelf.kinds) != 3 || len(f.shelf.learned) != 3 {
			t.Fatalf("%d kinds and %d learned are stored", len(f.shelf.kinds), len(f.shelf.learned))
		}
		f.reload()
	}
	f.wantMemory(f.add(like("k3", "x"), AddOptions{}).Seq, 200, learn.Learned)
}

func TestResetAndSet(t *testing.T) {
	f := newFixture(t, Config{})
	given := like("k", "given")
	given.Needs = job.Resources{job.Memory: 900 * mb}
	more := f.add(given, AddOptions{}).Seq
	seq := f.add(like("k", "x"), AddOptions{}).Seq
	f.teaches("k", 5, 150*mb)
	settle := func(err error) {
		t.Helper()
		f.do(err)
		for f.Relearn(1) {
		}
		f.commit()
		f.reload()
	}
	settle(f.SetKind("k", learn.Settings{Below: learn.Yes}))
	f.wantMemory(more, 200, learn.Learned)
	settle(f.SetKind("", learn.Settings{RoundMemory: 256 * mb}))
	f.wantMemory(seq, 256, learn.Learned)
	settle(f.SetKind("k", learn.Settings{RoundMemory: mb}))
	f.wantMemory(seq, 150, learn.Learned)
	f.wantMemory(more, 900, learn.Given)
	settle(f.SetKind("", learn.Settings{Off: learn.Yes}))
	f.wantMemory(seq, 0, learn.Unsourced)
	settle(f.SetKind("", learn.Settings{}))
	f.wantMemory(seq, 150, learn.Learned)
	settle(f.ResetKind("k"))
	f.wantMemory(seq, 0, learn.Unsourced)
	if i, _ := f.Learned("k"); i.Runs != 0 || i.Own.RoundMemory != mb {
		t.Fatalf("%+v", i)
	}
	settle(f.SetKind("new", learn.Settings{MinRuns: 1}))
	f.teaches("new", 1, 150*mb)
	f.wantMemory(f.add(like("new", "another"), AddOptions{}).Seq, 200, learn.Learned)
	if err := f.ResetKind("none"); job.KindOf(err) != job.NotFound {
		t.Fatal(err)
	}
	if err := f.SetKind("k", learn.Settings{HalfLife: 1}); job.KindOf(err) != job.Invalid {
		t.Fatal(err)
	}
}

// A kind with many shapes is followed in steps, whatever happens in between.
func TestManyShapesFollowInSteps(t *testing.T) {
	f := newFixture(t, Config{})
	var all []job.Seq
	for i := range 100 {
		j := like("k", fmt.Sprint(i))
		j.Needs = job.Resources{"gpu": int64(i + 1)}
		all = append(all, f.add(j, AddOptions{}).Seq)
	}
	known := f.knowledge(f.kind("k"))
	for range 5 {
		f.teach(f.kind("k"), &learn.Run{Used: learn.Amounts{150 * mb, learn.Unknown, learn.Unknown}, Completed: true})
	}
	if known.Runs != 5 || !f.Relearn(30) {
		t.Fatal("100 shapes follow in a step of 30")
	}
	for i := 0; i < 100; i += 3 {
		f.do(f.Delete(all[i], false))
	}
	f.dropIdle(0)
	steps := 0
	for f.Relearn(7) {
		steps++
	}
	if steps == 0 {
		t.Error("there was nothing left to do")
	}
	for i, seq := range all {
		if i%3 != 0 {
			f.wantMemory(seq, 200, learn.Learned)
		}
	}
}

// Little is written: every run at first, later the twentieth part.
func TestLearnedIsStoredRarely(t *testing.T) {
	f := newFixture(t, Config{})
	f.add(like("k", "waits"), AddOptions{})
	rows := 0
	for range 2000 {
		seq := f.add(like("k", fmt.Sprint("run ", f.meta.NextSeq)), AddOptions{}).Seq
		f.finishes(seq, job.Result{Exited: true, PeakMemory: 150 * mb, WallTime: time.Second})
		rows += len(f.commit().Learned)
	}
	if rows < 60 || rows > 160 {
		t.Errorf("%d rows for 2000 runs", rows)
	}
	f.StoreLearned()
	f.commit()
	f.reload()
	if i, _ := f.Learned("k"); i.Runs != 2000 {
		t.Errorf("after a clean stop %d runs are known", i.Runs)
	}
}

func TestBound(t *testing.T) {
	f := newFixture(t, Config{})
	seq := f.add(like("k", "x"), AddOptions{}).Seq
	f.teaches("k", 5, 150*mb)
	l, _ := f.BySeq(seq)
	if !f.Bound(l.Shape, learn.Memory, 180*mb) || f.Bound(l.Shape, learn.Memory, 180*mb) {
		t.Error("a bound changes what is asked for, once")
	}
	f.wantMemory(seq, 180, learn.Learned)
	f.Bound(l.Shape, learn.Memory, 100*mb)
	f.wantMemory(seq, 100, learn.Learned) // although more was used
	if must := f.Must(l.Shape); must[job.Memory] != 0 {
		t.Errorf("it must have %v, and nothing was given", must)
	}
	f.Bound(l.Shape, learn.Memory, learn.None)
	f.wantMemory(seq, 0, learn.Learned)
	f.Bound(l.Shape, learn.Memory, 0)
	f.wantMemory(seq, 200, learn.Learned)
}
