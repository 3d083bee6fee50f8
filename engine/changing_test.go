package engine

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"

	"github.com/muster-queue/muster/job"
)

// A change is made once per request id: also when its repeat comes after a
// restart, and when a repeat done anew would come to something else.
func TestChangesAreMadeOnce(t *testing.T) {
	bad := job.Key("not \xff text")
	bury := func(t *testing.T, b *bench) {
		for _, g := range b.reserve(t, ReserveRequest{N: 100}) {
			b.report(t, Report{Ref: refTo(g), Kind: ReportBury})
		}
	}
	named := Selector{IDs: []JobID{{Queue: "q", Key: "a"}, {Queue: "q", Key: "gone"}, {Queue: "q", Key: bad}}}
	filter := Selector{Filter: &Filter{Queue: "q"}}
	type change struct {
		name    string
		prepare func(*testing.T, *bench)
		do      func(context.Context, *Namespace, ...Once) (*ChangeResult, error)
		want    ChangeResult
		refused job.ErrorKind
	}
	none := func(*testing.T, *bench) {}
	complete := func(t *testing.T, b *bench) {
		for _, g := range b.reserve(t, ReserveRequest{N: 1}) {
			b.report(t, Report{Ref: refTo(g), Kind: ReportComplete})
		}
	}
	urgent := func(j *job.Job) error { j.Priority++; return nil }
	for _, c := range []change{
		{"kick named", bury, func(ctx context.Context, n *Namespace, o ...Once) (*ChangeResult, error) {
			return n.Kick(ctx, named, o...)
		},
			ChangeResult{Changed: 2, Skipped: 1}, job.NotFound},
		{"kick filtered", bury, func(ctx context.Context, n *Namespace, o ...Once) (*ChangeResult, error) {
			return n.Kick(ctx, filter, o...)
		},
			ChangeResult{Changed: 2}, 0},
		{"cancel named", none, func(ctx context.Context, n *Namespace, o ...Once) (*ChangeResult, error) {
			return n.Cancel(ctx, named, o...)
		},
			ChangeResult{Changed: 2, Skipped: 1}, job.NotFound},
		{"cancel filtered", none, func(ctx context.Context, n *Namespace, o ...Once) (*ChangeResult, error) {
			return n.Cancel(ctx, filter, o...)
		},
			ChangeResult{Changed: 2}, 0},
		{"delete named", none, func(ctx context.Context, n *Namespace, o ...Once) (*ChangeResult, error) {
			return n.Delete(ctx, named, DeleteOptions{}, o...)
		},
			ChangeResult{Changed: 2, Skipped: 1}, job.NotFound},
		{"delete named, one complete", complete, func(ctx context.Context, n *Namespace, o ...Once) (*ChangeResult, error) {
			return n.Delete(ctx, named, DeleteOptions{}, o...)
		}, ChangeResult{Changed: 2, Skipped: 1}, job.NotFound},
		{"delete filtered, one complete", complete, func(ctx context.Context, n *Namespace, o ...Once) (*ChangeResult, error) {
			return n.Delete(ctx, filter, DeleteOptions{}, o...)
		}, ChangeResult{Changed: 2}, 0},
		{"modify named", none, func(ctx context.Context, n *Namespace, o ...Once) (*ChangeResult, error) {
			return n.Modify(ctx, named, urgent, o...)
		},
			ChangeResult{Changed: 2, Skipped: 1}, job.NotFound},
		{"modify filtered", none, func(ctx context.Context, n *Namespace, o ...Once) (*ChangeResult, error) {
			return n.Modify(ctx, filter, urgent, o...)
		},
			ChangeResult{Changed: 2}, 0},
		{"nothing selected", none, func(ctx context.Context, n *Namespace, o ...Once) (*ChangeResult, error) {
			return n.Kick(ctx, Selector{Filter: &Filter{Group: "none"}}, o...)
		}, ChangeResult{}, 0},
		{"delete queue", complete, func(ctx context.Context, n *Namespace, o ...Once) (*ChangeResult, error) {
			jobs, err := n.DeleteQueue(ctx, "q", true, o...)
			return &ChangeResult{Changed: jobs}, err
		}, ChangeResult{Changed: 2}, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := setup(t, Config{})
				b.add(t, data("a"), &job.Job{Queue: "q", Key: bad, Data: []byte("x")})
				c.prepare(t, b)
				once := Once{Client: "c", RequestID: "1"}
				check := func(when string) {
					t.Helper()
					got, err := c.do(b.ctx, b.ns, once)
					if err != nil || got.Changed != c.want.Changed || got.Skipped != c.want.Skipped || len(got.Refusals) != int(c.want.Skipped) {
						t.Fatalf("%s: %+v, %v; want %+v", when, got, err, c.want)
					}
					for _, r := range got.Refusals {
						if r.ID.Key != "gone" || job.KindOf(r.Err) != c.refused {
							t.Fatalf("%s: refused %+v", when, r)
						}
					}
				}
				check("the first time")
				b.add(t, data("a"), data("new")) // what a repeat done anew would find
				before := b.list(t)
				check("a repeat")
				b.Stop(0)
				b.start(t, Config{})
				check("after a restart")
				if after := b.list(t); !cmp.Equal(before, after) {
					t.Fatalf("a repeat changed something: %s", cmp.Diff(before, after))
				}
				if c.name == "nothing selected" {
					return
				}
				once.RequestID = "2"
				got, err := c.do(b.ctx, b.ns, once)
				if err == nil && got.Changed == c.want.Changed && cmp.Equal(before, b.list(t)) {
					t.Fatalf("another id does nothing new: %+v", got)
				}
			})
		})
	}
}

// list is every job, how it stands and with what priority.
func (b *bench) list(t *testing.T) []string {
	t.Helper()
	r, err := b.ns.List(b.ctx, ListRequest{Filter: Filter{}, Page: 100})
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, i := range r.Jobs {
		all = append(all, fmt.Sprintf("%d %q %v %v", i.Live.Seq, i.Job.Key, i.Live.State, i.Job.Priority))
	}
	return all
}

func TestQueuesAreSetOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := setup(t, Config{})
		once := func(id string) Once { return Once{Client: "c", RequestID: id} }
		weigh := func(w int64) {
			t.Helper()
			if err := b.ns.SetQueue(b.ctx, job.Queue{Name: "q", Weight: w}); err != nil {
				t.Fatal(err)
			}
		}
		want := func(w int64) {
			t.Helper()
			if q, err := b.ns.Queue(b.ctx, "q"); err != nil || q.Weight != w {
				t.Fatalf("weight %v, %v; want %d", q.Weight, err, w)
			}
		}
		for range 2 {
			if err := b.ns.SetQueue(b.ctx, job.Queue{Name: "q", Weight: 2}, once("set")); err != nil {
				t.Fatal(err)
			}
			weigh(5)
		}
		heavier := func(q *job.Queue) { q.Weight++ }
		for range 2 {
			if err := b.ns.UpdateQueue(b.ctx, "q", heavier, once("update")); err != nil {
				t.Fatal(err)
			}
			want(6)
		}
		b.Stop(0)
		b.start(t, Config{})
		if err := b.ns.UpdateQueue(b.ctx, "q", heavier, once("update")); err != nil {
			t.Fatal(err)
		}
		if err := b.ns.SetQueue(b.ctx, job.Queue{Name: "q", Weight: 2}, once("set")); err != nil {
			t.Fatal(err)
		}
		want(6)
		if _, err := b.ns.Kick(b.ctx, Selector{Filter: &Filter{}}, once("set")); !errors.Is(err, errOtherRequest) {
			t.Fatalf("an id of another command: %v", err)
		}
		if err := b.ns.UpdateQueue(b.ctx, "none", heavier, once("failed")); !errors.Is(err, job.ErrNoQueue) {
			t.Fatal(err)
		}
		if err := b.ns.SetQueue(b.ctx, job.Queue{Name: "none"}); err != nil {
			t.Fatal(err)
		}
		if err := b.ns.UpdateQueue(b.ctx, "none", heavier, once("failed")); err != nil {
			t.Fatalf("what failed is not done again: %v", err)
		}
	})
}

// When the commit of a change fails, its answer is not stored either.
func TestChangeAndAnswerAreStoredTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := setup(t, Config{})
		b.add(t, data("a"))
		all := Selector{Filter: &Filter{}}
		once := Once{Client: "c", RequestID: "1"}
		b.store.failNext(errors.New("torn"))
		if _, err := b.ns.Cancel(b.ctx, all, once); err == nil {
			t.Fatal("the failed commit is not told")
		}
		synctest.Wait()
		if got, err := b.ns.Cancel(b.ctx, all, once); err != nil || got.Changed != 1 {
			t.Fatalf("the repeat: %+v, %v", got, err)
		}
		if c := b.counts(t); c[job.Buried] != 1 {
			t.Fatalf("counts %v", c)
		}
	})
}

// What a person changes of a job otherwise does not undo the priority it was given.
func TestModifyKeepsAGivenPriority(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := setup(t, Config{})
		try(t, b.ns.SetQueue(b.ctx, job.Queue{Name: "q", Order: job.OrderKey}))
		b.add(t, data("a"))
		five, seven := 5.0, 0.0
		try(t, b.ns.PrioritiseUnits(b.ctx, UnitsSelector{Queue: "q", Keys: []job.Key{"a"}}, &five, 0))
		seen := 0.0
		_, err := b.ns.Modify(b.ctx, Selector{IDs: []JobID{{Queue: "q", Key: "a"}}}, func(j *job.Job) error {
			seen, j.Group = j.Priority, "g"
			return nil
		})
		try(t, err)
		r, err := b.ns.Modify(b.ctx, Selector{IDs: []JobID{{Queue: "q", Key: "a"}}}, func(j *job.Job) error {
			seven, j.Group = 7, "h"
			return b.ns.PrioritiseUnits(b.ctx, UnitsSelector{Queue: "q", All: true}, &seven, 0) // meanwhile
		})
		if err != nil || r.Changed != 1 {
			t.Fatalf("modified what had changed since, once: %+v, %v", r, err)
		}
		r, err = b.ns.Modify(b.ctx, Selector{IDs: []JobID{{Queue: "q", Key: "a"}}}, func(j *job.Job) error {
			seven++
			return b.ns.PrioritiseUnits(b.ctx, UnitsSelector{Queue: "q", All: true}, &seven, 0) // each time
		})
		if err != nil || r.Skipped != 1 || !job.IsKind(r.Refusals[0].Err, job.Conflict) {
			t.Fatalf("modified what changes all the time: %+v, %v", r, err)
		}
		units, err := b.ns.Units(b.ctx, UnitsRequest{Queue: "q", Keys: []job.Key{"a"}})
		try(t, err)
		if seen != five || units[0].Priority != seven {
			t.Fatalf("its priority was %v to who modified it, and is %v; want %v and %v", seen, units[0].Priority, five, seven)
		}
	})
}
