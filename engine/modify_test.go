package engine

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/muster-queue/muster/job"
)

// Each job is changed or refused by itself, however many there are; what collides is
// told, and a running attempt keeps what it was given.
func TestModifyManyReportsEach(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := setup(t, Config{})
		var jobs []*job.Job
		for i := range 1500 {
			jobs = append(jobs, data(fmt.Sprintf("k%04d", i)))
		}
		b.add(t, jobs...)
		g := b.reserve(t, ReserveRequest{N: 2})
		b.report(t, Report{Ref: refTo(g[0]), Kind: ReportComplete})
		rename := func(j *job.Job) error {
			if j.Key >= "k1498" {
				j.Key = "same"
			} else {
				j.Group, j.Priority = "new", 3
			}
			return nil
		}
		r, err := b.ns.Modify(b.ctx, Selector{Filter: &Filter{Queue: "q"}}, rename)
		if err != nil || r.Changed != 1498 || r.Skipped != 1 || len(r.Refusals) != 1 {
			t.Fatalf("%+v, %v", r, err)
		}
		if f := r.Refusals[0]; f.ID.Key != "k1499" || !job.IsKind(f.Err, job.Exists) {
			t.Fatalf("refused %v: %v", f.ID, f.Err)
		}
		c, err := b.ns.Counts(b.ctx, CountsRequest{Group: "new"})
		if err != nil || c.Total.Total() != 1497 {
			t.Fatalf("%v, %v", c.Total, err)
		}
		r, err = b.ns.Modify(b.ctx, Selector{IDs: []JobID{{Queue: "q", Key: "k0000"}, {Queue: "q", Key: "k0001"}}}, func(j *job.Job) error {
			j.Key = "other"
			return nil
		})
		if err != nil || r.Changed != 0 || len(r.Refusals) != 2 {
			t.Fatalf("a complete and a held one: %+v, %v", r, err)
		}
		for _, f := range r.Refusals {
			if !job.IsKind(f.Err, job.Conflict) {
				t.Fatalf("%v: %v", f.ID, f.Err)
			}
		}
		if _, err := b.ns.Modify(b.ctx, Selector{Filter: &Filter{States: []job.State{job.Complete}}}, rename); !job.IsKind(err, job.Conflict) {
			t.Fatalf("complete jobs: %v", err)
		}
	})
}

// What is wrong with the change itself is the error when nothing was changed.
func TestModifyRefusesAWrongChange(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := setup(t, Config{})
		b.add(t, data("a"), data("b"))
		_, err := b.ns.Modify(b.ctx, Selector{Filter: &Filter{Queue: "q"}}, func(j *job.Job) error {
			j.Needs = job.Resources{"cpu": -1}
			return nil
		})
		if !job.IsKind(err, job.Invalid) {
			t.Fatalf("%v; want it invalid", err)
		}
		r, err := b.ns.Modify(b.ctx, Selector{Filter: &Filter{Queue: "q"}}, func(j *job.Job) error {
			if j.Key == "b" {
				j.Needs = job.Resources{"cpu": -1}
			}
			return nil
		})
		if err != nil || r.Changed != 1 || r.Skipped != 1 || !job.IsKind(r.Refusals[0].Err, job.Invalid) {
			t.Fatalf("%+v, %v", r, err)
		}
	})
}

// A job that is held back until a time runs at once when it is not any more; one that
// waits after a failure goes on waiting whatever else is changed.
func TestModifyOfATimeToCome(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := setup(t, Config{})
		later := data("a")
		later.NotBefore = time.Now().Add(time.Hour)
		b.add(t, later)
		all := Selector{Filter: &Filter{Queue: "q"}}
		state := func() job.State {
			i, err := b.ns.Get(b.ctx, JobID{Queue: "q", Key: "a"}, false, false)
			try(t, err)
			return i.Live.State
		}
		_, err := b.ns.Modify(b.ctx, all, func(j *job.Job) error { j.Group = "g"; return nil })
		if try(t, err); state() != job.Delayed {
			t.Fatalf("another change made it %v", state())
		}
		_, err = b.ns.Modify(b.ctx, all, func(j *job.Job) error { j.NotBefore = time.Time{}; return nil })
		if try(t, err); state() != job.Ready {
			t.Fatalf("it is not held back any more, and %v", state())
		}
		g := b.reserve(t, ReserveRequest{N: 1})
		b.report(t, Report{Ref: refTo(g[0]), Kind: ReportRelease, Delay: new(time.Hour)})
		_, err = b.ns.Modify(b.ctx, all, func(j *job.Job) error { j.Group = "h"; return nil })
		if try(t, err); state() != job.Delayed {
			t.Fatalf("it waits after a failure, and is %v", state())
		}
	})
}

// A job goes to another queue, if none is there with its key.
func TestModifyOfTheQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := setup(t, Config{})
		b.add(t, data("a"), data("b"), &job.Job{Queue: "r", Key: "b", Data: []byte("x")})
		r, err := b.ns.Modify(b.ctx, Selector{Filter: &Filter{Queue: "q"}}, func(j *job.Job) error { j.Queue = "r"; return nil })
		if err != nil || r.Changed != 1 || r.Skipped != 1 || !job.IsKind(r.Refusals[0].Err, job.Exists) {
			t.Fatalf("%+v, %v", r, err)
		}
		c, err := b.ns.Counts(b.ctx, CountsRequest{Queue: "r"})
		if err != nil || c.Total[job.Ready] != 2 {
			t.Fatalf("%v, %v", c.Total, err)
		}
		b.Stop(0)
		b.start(t, Config{})
		if _, err := b.ns.Get(b.ctx, JobID{Queue: "r", Key: "a"}, false, false); err != nil {
			t.Fatal(err)
		}
	})
}
