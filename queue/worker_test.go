package queue

import (
	"testing"
	"time"

	"github.com/muster-queue/muster/job"
)

func TestWorkers(t *testing.T) {
	f := newFixture(t, Config{})
	f.commit()
	if w, ok := f.WorkerNamed("puller"); !ok || w.ID != f.puller {
		t.Fatalf("%+v", w)
	}
	g := f.grant(f.add(data("x"), AddOptions{}).Seq, f.puller)
	for range 10 {
		f.pass(4 * time.Minute)
		if _, err := f.Renew(g.Ref, 0); err != nil {
			t.Fatal(err)
		}
	}
	f.pass(0)
	f.end(g.Ref, Completed, 0)
	f.pass(59 * time.Minute)
	if _, ok := f.WorkerNamed("puller"); !ok {
		t.Fatal("forgotten too early")
	}
	f.pass(2 * time.Minute)
	if l := f.Workers(WorkerFilter{}, "", 10); len(l) != 0 {
		t.Fatalf("not forgotten: %+v", l)
	}
	f.commit()
	if len(f.shelf.workers) != 0 {
		t.Fatalf("stored still: %+v", f.shelf.workers)
	}
	if err := f.Heard(f.puller); job.KindOf(err) != job.NotFound {
		t.Fatal(err)
	}
	id, _ := f.Join(job.Worker{Name: "puller"})
	if id == f.puller {
		t.Fatal("a number was given twice")
	}
	if again, _ := f.Join(job.Worker{Name: "puller", Mode: "RUN"}); again != id {
		t.Fatal("joining again gives another number")
	}
	seq := f.add(data("y"), AddOptions{}).Seq
	f.end(f.grant(seq, id).Ref, Released, 0)
	f.Leave(id)
	if _, ok := f.Grant(seq, id, 0, false); ok {
		t.Fatal("granted to a worker that left")
	}
	if len(f.Workers(WorkerFilter{}, "", 10)) != 0 {
		t.Fatal("listed after it left")
	}
	if back, _ := f.Join(job.Worker{Name: "puller"}); back != id {
		t.Fatal("who comes back, and is still named by a job, gets another number")
	}
	f.grant(seq, id)
	f.reload() // the job still names it
	if l, _ := f.BySeq(seq); l.Worker != id {
		t.Fatalf("the job names worker %d", l.Worker)
	}
}

func TestLostAgentIsForgotten(t *testing.T) {
	f := newFixture(t, Config{})
	f.run(f.add(command("x"), AddOptions{}).Seq, f.agent)
	f.pass(5*time.Minute + 3*time.Second)
	f.want(1, job.Ready)
	f.pass(time.Hour)
	if l := f.Workers(WorkerFilter{}, "", 9); len(l) != 0 {
		t.Fatalf("still known: %+v", l)
	}
}

func TestNobodysAttempt(t *testing.T) {
	f := newFixture(t, Config{})
	seq := f.add(data("x"), AddOptions{}).Seq
	g, ok := f.Grant(seq, 0, time.Minute, false)
	if !ok {
		t.Fatal("not granted")
	}
	f.reload()
	f.pass(59 * time.Second)
	f.want(seq, job.Reserved)
	f.pass(time.Second)
	f.want(seq, job.Ready)
	f.end(g.Ref, Completed, 0)
}
