package queue

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/muster-queue/muster/job"
)

// These tests are the rules of leases: silence, loss, holds, successors.

func TestLostAgent(t *testing.T) {
	f := newFixture(t, Config{})
	seq := f.add(command("x"), AddOptions{}).Seq
	g := f.run(seq, f.agent)
	f.pass(29 * time.Second)
	f.want(seq, job.Running)
	f.pass(time.Second)
	f.want(seq, job.Lost)
	if _, ok := f.Grant(f.add(command("y"), AddOptions{}).Seq, f.agent, 0, false); ok {
		t.Fatal("a silent agent was granted a job")
	}
	f.reload()
	f.want(seq, job.Lost)
	f.do(f.Heard(f.agent))
	f.want(seq, job.Running)
	f.pass(g.Lease + 2*time.Second) // 1 % of five minutes is three seconds
	f.want(seq, job.Lost)
	f.pass(time.Second)
	if l := f.want(seq, job.Ready); l.Losses != 1 {
		t.Fatalf("losses %d", l.Losses)
	}
}

func TestLossesAreBounded(t *testing.T) {
	f := newFixture(t, Config{})
	seq := f.add(command("x"), AddOptions{}).Seq
	for range 5 {
		f.run(seq, f.agent)
		f.pass(10 * time.Minute)
		f.want(seq, job.Ready)
		f.do(f.Heard(f.agent))
	}
	f.run(seq, f.agent)
	f.pass(10 * time.Minute)
	if l := f.want(seq, job.Buried); l.Reason != job.ReasonLost {
		t.Fatalf("reason %v", l.Reason)
	}
}

func TestPrefetchedLossIsFree(t *testing.T) {
	f := newFixture(t, Config{})
	seq := f.add(command("x"), AddOptions{}).Seq
	f.Grant(seq, f.agent, 0, true)
	f.pass(10 * time.Minute)
	if l := f.want(seq, job.Ready); l.Losses != 0 {
		t.Fatalf("losses %d", l.Losses)
	}
}

func TestHoldPolicy(t *testing.T) {
	f := newFixture(t, Config{})
	j := command("x")
	j.OnLost = job.OnLostHold
	seq := f.add(j, AddOptions{}).Seq
	g := f.run(seq, f.agent)
	f.pass(time.Minute)
	if err := f.Kick(seq); job.KindOf(err) != job.Conflict {
		t.Fatalf("kicked before the lease ended: %v", err)
	}
	f.pass(24 * time.Hour)
	f.want(seq, job.Lost)
	f.reload()
	f.pass(24 * time.Hour)
	f.want(seq, job.Lost)
	f.do(f.Heard(f.agent))
	f.want(seq, job.Running)
	f.pass(time.Hour)
	f.do(f.Kick(seq))
	f.want(seq, job.Ready)
	if e := f.end(g.Ref, Completed, 0); e.State != job.Complete {
		t.Fatalf("its late report: %+v", e)
	}
}

// TestHoldOutweighs: neither the scheduler's wish nor a lost lease is a person's
// word, but a new description is.
func TestHoldOutweighs(t *testing.T) {
	f := newFixture(t, Config{})
	j := command("x")
	j.OnLost = job.OnLostHold
	seq := f.add(j, AddOptions{}).Seq
	f.run(seq, f.agent)
	f.do(f.Preempt(seq))
	f.pass(time.Hour)
	f.want(seq, job.Lost)
	f.add(command("x"), AddOptions{Existing: job.ExistingReplace})
	f.pass(0)
	f.want(seq, job.Ready)
}

func TestSuccessor(t *testing.T) {
	f := newFixture(t, Config{})
	a := f.run(f.add(command("x"), AddOptions{}).Seq, f.agent)
	b, _ := f.Grant(f.add(command("y"), AddOptions{}).Seq, f.agent, 0, true)
	c := f.run(f.add(command("z"), AddOptions{}).Seq, f.agent)
	f.do(f.Delete(c.Seq, true))
	next, earlier := f.Join(job.Worker{Name: "agent", Agent: true, Machine: "m", Boot: "b2", Dir: "/d", Incarnation: 2})
	if d := cmp.Diff([]job.WorkerID{f.agent}, earlier); d != "" || next == f.agent {
		t.Fatalf("earlier incarnations: %s", d)
	}
	f.want(a.Seq, job.Running)
	f.do(f.Supersede(f.agent))
	f.want(a.Seq, job.Ready)
	f.want(b.Seq, job.Ready)
	if f.bySeq.find(c.Seq) != 0 || len(f.Held(f.agent)) != 0 {
		t.Fatal("something of the predecessor is left")
	}
	f.grant(a.Seq, next)
	f.refused(a.Ref, Completed)
	if e := f.end(b.Ref, Completed, 0); e.State != job.Complete {
		t.Fatalf("its spooled report: %+v", e)
	}
}

func TestShortLease(t *testing.T) {
	f := newFixture(t, Config{})
	seq := f.add(command("x"), AddOptions{}).Seq
	g, _ := f.Grant(seq, f.agent, time.Second, false)
	if g.Lease != job.MinCommandLease {
		t.Fatalf("lease %v", g.Lease)
	}
	f.pass(16 * time.Second)
	f.want(seq, job.Reserved)
	f.pass(time.Second)
	f.want(seq, job.Ready)
}

func TestPulledWork(t *testing.T) {
	f := newFixture(t, Config{})
	seq := f.add(data("x"), AddOptions{}).Seq
	g, _ := f.Grant(seq, f.puller, 10*time.Second, false)
	f.pass(9 * time.Second)
	r, err := f.Renew(g.Ref, 20*time.Second)
	if f.do(err); r.Deadline != f.now.Add(20*time.Second) {
		t.Fatalf("deadline %v", r.Deadline.Sub(f.now))
	}
	f.pass(19 * time.Second)
	f.want(seq, job.Reserved)
	r, err = f.Renew(g.Ref, 5*time.Second)
	if f.do(err); r.Deadline != f.now.Add(5*time.Second) {
		t.Fatalf("a shorter lease ends at %v", r.Deadline.Sub(f.now))
	}
	f.pass(5 * time.Second)
	f.want(seq, job.Ready)
	if _, err := f.Renew(g.Ref, 0); !errors.Is(err, job.ErrLostLease) {
		t.Fatal(err)
	}
	g2 := f.grant(seq, f.puller)
	f.Begin(f.now.Add(time.Hour)) // overdue, but Expire did not run yet
	if _, err := f.Renew(g2.Ref, 0); !errors.Is(err, job.ErrLostLease) {
		t.Fatal(err)
	}
	f.want(seq, job.Ready)
	f.do(f.Heard(f.puller))
	f.want(seq, job.Ready)
}

func TestShiftAndHold(t *testing.T) {
	f := newFixture(t, Config{})
	a := f.run(f.add(command("x"), AddOptions{}).Seq, f.agent)
	b := f.grant(f.add(data("y"), AddOptions{}).Seq, f.puller)
	f.pass(20 * time.Second)
	f.Begin(f.now.Add(time.Hour))
	f.Shift(time.Hour)
	f.pass(0)
	f.want(a.Seq, job.Running)
	f.want(b.Seq, job.Reserved)
	until := f.now.Add(24 * time.Hour)
	f.Hold(until)
	f.reload()
	f.pass(23 * time.Hour)
	f.want(a.Seq, job.Lost)
	f.want(b.Seq, job.Reserved)
	f.do(f.Heard(f.agent))
	if h := f.Held(f.agent); h[0].Deadline != until {
		t.Fatalf("deadline %v before the agent knows of ordinary leases", h[0].Deadline.Sub(f.now))
	}
	f.EndHold(f.agent)
	if h := f.Held(f.agent); h[0].Deadline != f.now.Add(a.Lease) {
		t.Fatalf("deadline %v", h[0].Deadline.Sub(f.now))
	}
	f.pass(2 * time.Hour)
	f.want(a.Seq, job.Ready)
	f.want(b.Seq, job.Ready)
	if f.Meta().HoldUntil != 0 {
		t.Fatal("the planned stop is not forgotten")
	}
}
