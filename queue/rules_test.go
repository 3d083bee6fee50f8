package queue

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/muster-queue/muster/job"
)

// These tests are the rules of a job's life, one by one.

func (f *fixture) end(ref Ref, how How, reason job.Reason) Ended {
	f.t.Helper()
	e, err := f.End(&End{Ref: ref, How: how, Result: job.Result{Reason: reason}})
	if err != nil {
		f.t.Fatal(err)
	}
	return e
}

func (f *fixture) refused(ref Ref, how How) {
	f.t.Helper()
	before, _ := f.BySeq(ref.Seq)
	if _, err := f.End(&End{Ref: ref, How: how}); !errors.Is(err, job.ErrLostLease) {
		f.t.Fatalf("the report was answered %v, want lost lease", err)
	}
	if after, _ := f.BySeq(ref.Seq); after != before {
		f.t.Fatalf("a refused report changed the job: %s", cmp.Diff(before, after))
	}
}

func TestRetriesThenBuried(t *testing.T) {
	f := newFixture(t, Config{})
	seq := f.add(command("false"), AddOptions{}).Seq
	for n := range 3 {
		e := f.end(f.run(seq, f.agent).Ref, Released, job.ReasonExit)
		least := 30 * time.Second << n
		if d := e.Due.Sub(f.now); e.State != job.Delayed || d < least || d > least+30*time.Second {
			t.Fatalf("after failure %d: %v for %v, want delayed for %v and up to 30s more", n+1, e.State, d, least)
		}
		f.pass(e.Due.Sub(f.now))
		f.do(f.Heard(f.agent))
	}
	if e := f.end(f.run(seq, f.agent).Ref, Released, job.ReasonExit); e.State != job.Buried {
		t.Fatalf("the fourth failure led to %v, want buried", e.State)
	}
	f.do(f.Kick(seq))
	if l := f.want(seq, job.Ready); l.Failures != 0 || l.Number != 4 || l.Starts != 4 {
		t.Fatalf("after a kick: %+v", l)
	}
}

func (f *fixture) do(err error) {
	f.t.Helper()
	if err != nil {
		f.t.Fatal(err)
	}
}

func TestBackoffIsCappedAndReproducible(t *testing.T) {
	due := func() (all []time.Duration) {
		f := newFixture(t, Config{})
		j := command("false")
		j.Retries = new(9)
		seq := f.add(j, AddOptions{}).Seq
		for range 9 {
			e := f.end(f.run(seq, f.agent).Ref, Released, job.ReasonExit)
			all = append(all, e.Due.Sub(f.now))
			f.pass(e.Due.Sub(f.now))
			f.do(f.Heard(f.agent))
		}
		return all
	}
	a, b := due(), due()
	if d := cmp.Diff(a, b); d != "" {
		t.Fatalf("the same commands gave other delays:\n%s", d)
	}
	if a[8] != 30*time.Minute {
		t.Fatalf("the ninth delay is %v, want the cap", a[8])
	}
	if a[0] == 30*time.Second || a[1] == 2*a[0] {
		t.Fatalf("no jitter: %v", a)
	}
}

func TestOwnPolicyOutlivesReload(t *testing.T) {
	f := newFixture(t, Config{})
	j := command("false")
	j.Backoff = &job.Backoff{Base: time.Second, Cap: time.Second}
	j.NoRetryAfter = time.Hour
	j.Lease = 7 * time.Minute
	seq := f.add(j, AddOptions{}).Seq
	f.reload()
	g := f.run(seq, f.agent)
	if g.Lease != 7*time.Minute {
		t.Fatalf("lease %v", g.Lease)
	}
	e := f.end(g.Ref, Released, job.ReasonExit)
	if e.Due.Sub(f.now) != time.Second {
		t.Fatalf("delay %v, want the job's own second", e.Due.Sub(f.now))
	}
	f.pass(time.Second)
	g = f.run(seq, f.agent)
	e, err := f.End(&End{Ref: g.Ref, How: Released, Result: job.Result{Reason: job.ReasonExit, WallTime: 2 * time.Hour}})
	if f.do(err); e.State != job.Buried {
		t.Fatalf("a failure after two hours led to %v, want buried", e.State)
	}
}

func TestRelease(t *testing.T) {
	minute := time.Minute
	for _, c := range []struct {
		name     string
		started  bool
		reason   job.Reason
		delay    *time.Duration
		want     job.State
		failures uint32
		due      time.Duration // least
	}{
		{"not started", false, job.ReasonNone, nil, job.Ready, 0, 0},
		{"not started, with a delay", false, job.ReasonNone, &minute, job.Delayed, 0, minute},
		{"not started, input missing", false, job.ReasonInput, nil, job.Delayed, 0, 30 * time.Second},
		{"not started, no such directory", false, job.ReasonCwd, nil, job.Buried, 0, 0},
		{"failed", true, job.ReasonExit, nil, job.Delayed, 1, 30 * time.Second},
		{"failed, with its own delay", true, job.ReasonExit, &minute, job.Delayed, 1, minute},
		{"failed, no reason given", true, job.ReasonNone, nil, job.Delayed, 1, 30 * time.Second},
		{"agent stopped", true, job.ReasonSignal, nil, job.Ready, 0, 0},
		{"not found", true, job.ReasonNotFound, nil, job.Buried, 1, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := newFixture(t, Config{})
			seq := f.add(command("x"), AddOptions{}).Seq
			g := f.grant(seq, f.agent)
			if c.started {
				_, err := f.Start(g.Ref, 0)
				f.do(err)
			}
			e, err := f.End(&End{Ref: g.Ref, How: Released, Result: job.Result{Reason: c.reason}, Delay: c.delay})
			f.do(err)
			l := f.want(seq, c.want)
			if e.State != c.want || l.Failures != c.failures || c.due > 0 && e.Due.Sub(f.now) < c.due {
				t.Fatalf("%+v, %d failures", e, l.Failures)
			}
		})
	}
}

func TestCompleteRefusesFailure(t *testing.T) {
	f := newFixture(t, Config{})
	g := f.run(f.add(command("x"), AddOptions{}).Seq, f.agent)
	_, err := f.End(&End{Ref: g.Ref, How: Completed, Result: job.Result{Exited: true, ExitCode: 3}})
	if job.KindOf(err) != job.Invalid || f.state(g.Seq) != job.Running {
		t.Fatalf("exit 3 as complete: %v", err)
	}
}

func TestReportsAreIdempotent(t *testing.T) {
	f := newFixture(t, Config{})
	seq := f.add(command("x"), AddOptions{}).Seq
	g := f.run(seq, f.agent)
	first := f.end(g.Ref, Released, job.ReasonExit)
	f.reload()
	f.pass(time.Minute)
	if again := f.end(g.Ref, Released, job.ReasonExit); again.State != first.State || again.Due != first.Due || !again.Repeated {
		t.Fatalf("first %+v, repeated after a reload %+v", first, again)
	}
	f.refused(g.Ref, Completed)
	f.do(f.Heard(f.agent))
	next := f.run(seq, f.agent)
	f.refused(g.Ref, Released)
	f.end(next.Ref, Completed, 0)
	if _, err := f.End(&End{Ref: next.Ref, How: Completed}); !errors.Is(err, job.ErrNoJob) {
		t.Fatalf("a repeat of a completion: %v, want no job, so that history is asked", err)
	}
}

func TestRepeatAfterRerun(t *testing.T) {
	f := newFixture(t, Config{})
	seq := f.add(command("x"), AddOptions{}).Seq
	g := f.run(seq, f.agent)
	f.end(g.Ref, Completed, 0)
	f.commit()
	a := f.add(command("x"), AddOptions{Existing: job.ExistingRerun})
	if a.Status != AddRerun || a.Seq != seq {
		t.Fatalf("rerun: %+v", a)
	}
	if e := f.end(g.Ref, Completed, 0); !e.Repeated || e.State != job.Complete {
		t.Fatalf("the old completion, repeated: %+v", e)
	}
	if l := f.want(seq, job.Ready); l.Number != 1 || l.Version != 2 {
		t.Fatalf("after a rerun: %+v", l)
	}
	next := f.run(seq, f.agent)
	if next.Number != 2 || !g.Attempt.Less(next.Attempt) {
		t.Fatalf("the attempt after a rerun: %+v", next)
	}
	f.refused(g.Ref, Completed)
}

func TestLateReportOfLost(t *testing.T) {
	lose := func(f *fixture) (job.Seq, Ref) {
		seq := f.add(command("x"), AddOptions{}).Seq
		g := f.run(seq, f.agent)
		f.pass(10 * time.Minute)
		if l := f.want(seq, job.Ready); l.Losses != 1 || l.Reason != job.ReasonLost {
			t.Fatalf("after a loss: %+v", l)
		}
		return seq, g.Ref
	}
	t.Run("complete", func(t *testing.T) {
		f := newFixture(t, Config{})
		_, ref := lose(f)
		if e := f.end(ref, Completed, 0); e.State != job.Complete || e.Repeated {
			t.Fatalf("%+v", e)
		}
		f.commit()
		if row := f.shelf.attempts[attemptKey{ref.Seq, 1}]; row.Outcome != job.OutcomeComplete {
			t.Fatalf("the attempt's row still says %v", row.Outcome)
		}
	})
	t.Run("failure is charged in place of the loss", func(t *testing.T) {
		f := newFixture(t, Config{})
		seq, ref := lose(f)
		f.end(ref, Released, job.ReasonExit)
		if l := f.want(seq, job.Delayed); l.Losses != 0 || l.Failures != 1 {
			t.Fatalf("%+v", l)
		}
	})
	t.Run("newer attempt", func(t *testing.T) {
		f := newFixture(t, Config{})
		seq, ref := lose(f)
		f.do(f.Heard(f.agent))
		f.grant(seq, f.agent)
		f.refused(ref, Completed)
	})
	t.Run("cancelled", func(t *testing.T) {
		f := newFixture(t, Config{})
		seq, ref := lose(f)
		_, err := f.Cancel(seq)
		f.do(err)
		f.refused(ref, Completed)
	})
	t.Run("deleted", func(t *testing.T) {
		f := newFixture(t, Config{})
		seq, ref := lose(f)
		f.do(f.Delete(seq, false))
		if _, err := f.End(&End{Ref: ref, How: Completed}); !errors.Is(err, job.ErrNoJob) {
			t.Fatal(err)
		}
	})
}

func TestPreemption(t *testing.T) {
	f := newFixture(t, Config{})
	j := command("x")
	j.Priority = 3
	seq := f.add(j, AddOptions{}).Seq
	f.add(command("y"), AddOptions{})
	before, _ := f.BySeq(seq)
	g := f.run(seq, f.agent)
	f.do(f.Preempt(seq))
	if o := f.Orders(); len(o) != 1 || o[0].Kind != OrderStop || o[0].Ref != g.Ref || o[0].Worker != f.agent {
		t.Fatalf("orders %+v", o)
	}
	if _, ok := f.Grant(seq, f.puller, 0, false); ok {
		t.Fatal("a stopping job was granted")
	}
	f.end(g.Ref, Released, job.ReasonPreempted)
	after := f.want(seq, job.Ready)
	if after.Place != before.Place || after.Priority != before.Priority || after.Failures+after.Losses != 0 {
		t.Fatalf("after preemption: %+v", after)
	}
	j = command("z")
	j.NotPreemptible = true
	z := f.run(f.add(j, AddOptions{}).Seq, f.agent)
	if err := f.Preempt(z.Seq); job.KindOf(err) != job.Conflict {
		t.Fatalf("preempting what is not preemptible: %v", err)
	}
}

func TestCancel(t *testing.T) {
	f := newFixture(t, Config{})
	seq := f.add(command("x"), AddOptions{}).Seq
	g := f.run(seq, f.agent)
	st, err := f.Cancel(seq)
	if f.do(err); st != job.Running || f.want(seq, job.Running).Mark != job.MarkCancelled {
		t.Fatalf("a cancelled running job is %v", st)
	}
	if r, err := f.Renew(g.Ref, 0); err != nil || r.Mark != job.MarkCancelled {
		t.Fatalf("renewal %+v, %v", r, err)
	}
	e := f.end(g.Ref, Released, job.ReasonExit)
	if l := f.want(seq, job.Buried); e.State != job.Buried || l.Reason != job.ReasonCancelled || l.Failures != 0 {
		t.Fatalf("cancel against retry: %+v", l)
	}
	if again := f.end(g.Ref, Released, job.ReasonExit); !again.Repeated || again.State != job.Buried {
		t.Fatalf("repeated: %+v", again)
	}
	other := f.run(f.add(command("y"), AddOptions{}).Seq, f.agent)
	_, err = f.Cancel(other.Seq)
	f.do(err)
	if e := f.end(other.Ref, Completed, 0); e.State != job.Complete {
		t.Fatalf("what completed before the signal is %v", e.State)
	}
}

func TestWithdrawal(t *testing.T) {
	f := newFixture(t, Config{})
	seq := f.add(command("x"), AddOptions{}).Seq
	g, _ := f.Grant(seq, f.agent, 0, true)
	f.do(f.Withdraw(seq))
	if o := f.Orders(); len(o) != 1 || o[0].Kind != OrderWithdraw {
		t.Fatalf("orders %+v", o)
	}
	f.end(g.Ref, Released, 0)
	f.want(seq, job.Ready)
	g, _ = f.Grant(seq, f.agent, 0, true)
	f.do(f.Withdraw(seq))
	_, err := f.Start(g.Ref, 0) // it had started before the request came
	f.do(err)
	if l := f.want(seq, job.Running); l.Mark != job.MarkNone {
		t.Fatalf("mark %v", l.Mark)
	}
	if err := f.Withdraw(seq); job.KindOf(err) != job.Conflict {
		t.Fatal(err)
	}
}

func TestForcedDelete(t *testing.T) {
	f := newFixture(t, Config{})
	a := f.add(command("x"), AddOptions{})
	g := f.run(a.Seq, f.agent)
	if err := f.Delete(a.Seq, false); job.KindOf(err) != job.Conflict {
		t.Fatalf("deleting a running job: %v", err)
	}
	f.do(f.Delete(a.Seq, true))
	if _, ok := f.BySeq(a.Seq); ok || f.Counts() != (job.Counts{}) {
		t.Fatal("people still see it")
	}
	f.reload()
	if h := f.Held(f.agent); len(h) != 1 || !h[0].Ghost || h[0].Mark != job.MarkDeleted {
		t.Fatalf("held: %+v", h)
	}
	if _, err := f.Renew(g.Ref, 0); !errors.Is(err, job.ErrLostLease) {
		t.Fatal(err)
	}
	again := f.add(command("x"), AddOptions{})
	if again.Status != AddedNew || again.State != job.Running {
		t.Fatalf("added while its predecessor may run: %+v", again)
	}
	if _, ok := f.Grant(again.Seq, f.puller, 0, false); ok {
		t.Fatal("granted while its predecessor may run")
	}
	if _, err := f.End(&End{Ref: g.Ref, How: Completed}); !errors.Is(err, job.ErrLostLease) {
		t.Fatal(err)
	}
	f.want(again.Seq, job.Ready)

	b := f.run(f.add(command("y"), AddOptions{}).Seq, f.agent)
	f.do(f.Delete(b.Seq, true))
	f.pass(5*time.Minute + 3*time.Second)
	if len(f.Held(f.agent)) != 0 || f.bySeq.find(b.Seq) != 0 {
		t.Fatal("the ghost outlives its lease")
	}
	c := f.run(f.add(data("z"), AddOptions{}).Seq, f.puller)
	f.do(f.Delete(c.Seq, true))
	if f.bySeq.find(c.Seq) != 0 {
		t.Fatal("pulled work leaves no ghost")
	}
}

func TestWorkUnits(t *testing.T) {
	f := newFixture(t, Config{})
	_, err := f.SetQueue(job.Queue{Name: "spec", Definition: []byte{0xa0}, MaxAttempts: 3})
	f.do(err)
	j := data("unit")
	j.Queue = "spec"
	seq := f.add(j, AddOptions{}).Seq
	if e := f.end(f.grant(seq, f.puller).Ref, Released, job.ReasonWorker); e.State != job.Ready {
		t.Fatalf("a work unit given back is %v", e.State)
	}
	f.grant(seq, f.puller)
	f.pass(10 * time.Minute) // expires
	f.want(seq, job.Ready)
	g := f.run(seq, f.puller)
	if e := f.end(g.Ref, Released, job.ReasonWorker); e.State != job.Ready {
		t.Fatalf("a work unit given back is %v", e.State)
	}
	if _, ok := f.Grant(seq, f.puller, 0, false); ok {
		t.Fatal("a fourth attempt")
	}
	f.commit()
	if row := f.shelf.attempts[attemptKey{seq, 4}]; row.Outcome != job.OutcomeBuried || row.Result.Message != "too many retries" {
		t.Fatalf("the refused attempt: %+v", row)
	}
	f.want(seq, job.Buried)
}

func TestConclude(t *testing.T) {
	f := newFixture(t, Config{})
	seq := f.add(data("x"), AddOptions{}).Seq
	g := f.grant(seq, f.puller)
	f.end(g.Ref, Failed, 0)
	f.do(f.Conclude(seq, job.Complete, 0, nil, []byte("out")))
	f.commit()
	if row := f.shelf.attempts[attemptKey{seq, 1}]; row.ID != g.Attempt || row.Outcome != job.OutcomeComplete || string(row.Data) != "out" {
		t.Fatalf("buried → complete: %+v", row)
	}
	seq = f.add(data("y"), AddOptions{}).Seq
	f.do(f.Conclude(seq, job.Buried, f.puller, &job.Result{Reason: job.ReasonWorker}, nil))
	f.commit()
	if row := f.shelf.attempts[attemptKey{seq, 1}]; row.Worker != "puller" || row.ID.IsZero() || row.Outcome != job.OutcomeBuried {
		t.Fatalf("ready → buried: %+v", row)
	}
	held := f.grant(f.add(data("z"), AddOptions{}).Seq, f.puller)
	if err := f.Conclude(held.Seq, job.Complete, 0, nil, nil); job.KindOf(err) != job.Conflict {
		t.Fatal(err)
	}
}

// The behaviour remove deletes the job with the report that buries it, and only
// then.
func TestRemovedOnceBuried(t *testing.T) {
	f := newFixture(t, Config{})
	seq := f.add(command("false"), AddOptions{}).Seq
	for range 4 {
		if _, ok := f.BySeq(seq); !ok {
			t.Fatal("it is gone while it has retries left")
		}
		f.pass(3 * time.Minute)
		f.do(f.Heard(f.agent))
		e, err := f.End(&End{Ref: f.run(seq, f.agent).Ref, How: Released, Remove: true, Result: job.Result{Reason: job.ReasonExit, ExitCode: 1}})
		if err != nil || e.State != job.Delayed && e.State != job.Buried {
			t.Fatalf("%+v, %v", e, err)
		}
	}
	if l, ok := f.BySeq(seq); ok {
		t.Errorf("it is %v", l.State)
	}
	if c := f.Counts(); c != (job.Counts{}) {
		t.Errorf("counts %v", c)
	}
	f.add(command("false"), AddOptions{}) // the key is free again
	done := f.add(command("true"), AddOptions{}).Seq
	if _, err := f.End(&End{Ref: f.run(done, f.agent).Ref, How: Completed, Remove: true}); err != nil {
		t.Fatal(err)
	}
	if c := f.Counts(); c[job.Complete] != 1 || c[job.Ready] != 1 {
		t.Errorf("counts %v", c)
	}
}
