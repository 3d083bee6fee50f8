package queue

import (
	"errors"
	"testing"
	"time"

	"github.com/muster-queue/muster/job"
)

// defined makes a queue of work units.
func (f *fixture) defined(def job.Queue) {
	f.t.Helper()
	def.Name, def.Definition = job.DefaultQueue, []byte{0xa0}
	_, err := f.SetQueue(def)
	f.do(err)
}

func TestLapseAndSettle(t *testing.T) {
	f := newFixture(t, Config{})
	f.defined(job.Queue{})
	seq := f.add(data("x"), AddOptions{}).Seq
	if err := f.Lapse(seq); job.KindOf(err) != job.Conflict {
		t.Fatalf("lapse of a ready job: %v", err)
	}
	g := f.grant(seq, f.puller)
	f.do(f.Lapse(seq))
	f.want(seq, job.Ready)
	f.commit()
	if row := f.shelf.attempts[attemptKey{seq, 1}]; row.ID != g.Attempt || row.Outcome != job.OutcomeLost {
		t.Fatalf("the attempt that lapsed: %+v", row)
	}
	g, _ = f.Grant(seq, f.puller, time.Minute, false)
	f.Begin(f.now.Add(time.Minute))
	f.Settle(seq) // up to and including the deadline
	f.want(seq, job.Reserved)
	f.Begin(g.Deadline + 1)
	f.Settle(seq)
	f.want(seq, job.Ready)
}

func TestUnitsAreNoCommands(t *testing.T) {
	f := newFixture(t, Config{})
	f.defined(job.Queue{})
	if a := f.Add([]Prepared{f.prepared(command("y"))}, AddOptions{})[0]; job.KindOf(a.Err) != job.Invalid {
		t.Fatalf("a queue with a definition took a command: %+v", a)
	}
}

func TestAssignWhateverTheState(t *testing.T) {
	for _, from := range []job.State{job.Ready, job.Delayed, job.Reserved, job.Buried} {
		t.Run(from.String(), func(t *testing.T) {
			f := newFixture(t, Config{})
			f.defined(job.Queue{Paused: true, MaxRunning: 1, MaxAttempts: 1})
			j := data("x")
			if from == job.Delayed {
				j.NotBefore = f.now.Add(time.Hour).Std()
			}
			seq := f.add(j, AddOptions{}).Seq
			var old Grant
			switch from {
			case job.Reserved:
				old, _ = f.Assign(seq, f.puller, time.Minute)
			case job.Buried:
				_, err := f.Cancel(seq)
				f.do(err)
			}
			f.want(seq, from)
			g, err := f.Assign(seq, 0, 7*time.Minute)
			f.do(err)
			if l := f.want(seq, job.Reserved); l.Attempt != g.Attempt || g.Lease != 7*time.Minute || g.Attempt == old.Attempt {
				t.Fatalf("assigned %+v; the job is %+v", g, l)
			}
			if from == job.Reserved {
				f.refused(old.Ref, Completed)
			}
			f.end(g.Ref, Completed, 0)
			f.commit()
			if row := f.shelf.attempts[attemptKey{seq, 1}]; from == job.Reserved && row.Outcome != job.OutcomeRevoked {
				t.Fatalf("the attempt that was replaced: %+v", row)
			}
		})
	}
}

func TestRescue(t *testing.T) {
	f := newFixture(t, Config{})
	f.defined(job.Queue{})
	seq := f.add(data("x"), AddOptions{}).Seq
	first, _ := f.Grant(seq, f.puller, time.Minute, false)
	f.pass(2 * time.Minute)
	if _, err := f.Renew(first.Ref, 0); !errors.Is(err, job.ErrLostLease) {
		t.Fatalf("an ordinary renewal after the end: %v", err)
	}
	r, err := f.Rescue(first.Ref, 5*time.Minute)
	f.do(err)
	if want := f.now.Add(5 * time.Minute); r.Deadline != want {
		t.Fatalf("rescued until %v; want %v", r.Deadline.Std(), want.Std())
	}
	f.pass(10 * time.Minute)
	second := f.grant(seq, f.puller)
	if _, err := f.Rescue(first.Ref, 0); !errors.Is(err, job.ErrLostLease) {
		t.Fatalf("rescue after another grant: %v", err)
	}
	f.end(second.Ref, Released, 0)
	if _, err := f.Rescue(second.Ref, 0); job.KindOf(err) != job.Conflict {
		t.Fatalf("rescue of an attempt that was given back: %v", err)
	}
}

func TestOwnData(t *testing.T) {
	f := newFixture(t, Config{})
	f.defined(job.Queue{})
	seq := f.add(data("x"), AddOptions{}).Seq
	g := f.grant(seq, f.puller)
	f.do(f.SetData(g.Ref, []byte("one")))
	f.do(f.SetData(g.Ref, []byte("two")))
	f.commit()
	l := f.want(seq, job.Reserved)
	own := job.PayloadRef{Seq: seq, Version: job.OwnData + 1}
	if l.GivenVersion != own.Version || l.Version != 1 || string(f.shelf.payloads[own]) != "two" {
		t.Fatalf("%+v, own data %q", l, f.shelf.payloads[own])
	}
	f.reload()
	if l := f.want(seq, job.Reserved); l.GivenVersion != own.Version {
		t.Fatalf("after a reload: %+v", l)
	}
	f.do(f.Lapse(seq))
	f.commit()
	if row := f.shelf.attempts[attemptKey{seq, 1}]; row.Version != own.Version {
		t.Fatalf("the attempt that lapsed lost its data: %+v", row)
	}
	if err := f.SetData(g.Ref, []byte("late")); !errors.Is(err, job.ErrLostLease) {
		t.Fatalf("data of an attempt that holds nothing: %v", err)
	}
	if next := f.grant(seq, f.puller); next.Version != 1 {
		t.Fatalf("the next attempt was given %+v; want the job's own data", next)
	}
}

// TestUnitsCountAttemptsOnly: losses, failures and reasons that are final
// elsewhere cost a work unit nothing but its number of attempts.
func TestUnitsCountAttemptsOnly(t *testing.T) {
	f := newFixture(t, Config{Losses: new(0), Retries: new(0)})
	f.defined(job.Queue{MaxAttempts: 4})
	seq := f.add(data("x"), AddOptions{}).Seq
	for n := range 4 {
		g := f.run(seq, f.puller)
		switch n {
		case 0, 1:
			f.do(f.Lapse(seq))
		case 2:
			f.end(g.Ref, Released, job.ReasonNotFound)
		default:
			f.end(g.Ref, Released, job.ReasonExit)
		}
		f.want(seq, job.Ready)
	}
	if _, ok := f.Grant(seq, f.puller, 0, false); ok {
		t.Fatal("a fifth attempt of four")
	}
	f.commit()
	row := f.shelf.attempts[attemptKey{seq, 5}]
	if want := "\xa1\x69traceback\x70too many retries"; row.Outcome != job.OutcomeBuried || string(row.Data) != want {
		t.Fatalf("the refused attempt: %+v; want data %q", row, want)
	}
	f.want(seq, job.Buried)
}
