package engine

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/muster-queue/muster/job"
)

// dag is a random set of jobs that depend on earlier ones, by key or by group.
type dag struct {
	jobs    []*job.Job
	members map[string][]string // keys by group
}

func randomDag(rng *rand.Rand, n int) *dag {
	d := &dag{members: map[string][]string{}}
	for i := range n {
		j := data(fmt.Sprint("j", i))
		j.DepGroups = []string{fmt.Sprint("g", i/5)}
		d.members[j.DepGroups[0]] = append(d.members[j.DepGroups[0]], string(j.Key))
		for range rng.IntN(3) {
			if before := i - i%5; before > 0 && rng.IntN(2) == 0 {
				j.Dependencies = append(j.Dependencies, job.Dependency{Group: fmt.Sprint("g", rng.IntN(before/5))})
			} else if i > 0 {
				j.Dependencies = append(j.Dependencies, job.Dependency{Key: job.Key(fmt.Sprint("j", rng.IntN(i)))})
			}
		}
		d.jobs = append(d.jobs, j)
	}
	return d
}

// early are the jobs that a job had to wait for and that are not done.
func (d *dag) early(j *job.Job, done map[string]bool) (missing []string) {
	for _, on := range j.Dependencies {
		keys := d.members[on.Group]
		if !on.OnGroup() {
			keys = []string{string(on.Key)}
		}
		for _, key := range keys {
			if !done[key] {
				missing = append(missing, key)
			}
		}
	}
	return missing
}

// TestDependenciesOverRestarts works off random jobs that depend on one another, while
// commits fail and the server is started anew: none starts too early, and all complete.
func TestDependenciesOverRestarts(t *testing.T) {
	for range 5 {
		seed := rand.Uint64()
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { overRestarts(t, rand.New(rand.NewPCG(seed, 1))) })
		})
	}
}

func overRestarts(t *testing.T, rng *rand.Rand) {
	b := setup(t, Config{})
	d := randomDag(rng, 100)
	todo := slices.Clone(d.jobs)
	rng.Shuffle(len(todo), func(i, k int) { todo[i], todo[k] = todo[k], todo[i] })
	for i, j := range todo { // all of them first, or a group might end before it has all its members
		if i%20 == 19 {
			b.restart(t, 0)
		}
		b.add(t, j)
	}
	done := map[string]bool{}
	for len(done) < len(d.jobs) {
		switch rng.IntN(12) {
		case 0:
			b.restart(t, time.Second)
		case 1:
			b.store.failNext(errors.New("simulated fault"))
		}
		grants, err := b.ns.Reserve(b.ctx, ReserveRequest{Worker: job.Worker{Name: "w"}, N: 1 + rng.IntN(4), Lease: time.Second})
		if err != nil && !job.IsKind(err, job.Unavailable) {
			t.Fatal(err)
		}
		for _, g := range grants {
			j, err := g.Job()
			if err != nil {
				t.Fatal(err)
			}
			if missing := d.early(j, done); len(missing) > 0 {
				t.Fatalf("job %s was started before %v", j.Key, missing)
			}
			answers, err := b.ns.Report(b.ctx, "w", []Report{{Ref: refTo(g), Kind: ReportComplete}})
			if err == nil && answers[0].Err == nil {
				done[string(j.Key)] = true
			} else if i, err := b.ns.Get(b.ctx, JobID{Queue: "q", Key: j.Key}, false, false); err == nil && i.Live.State == job.Complete {
				done[string(j.Key)] = true // the commit failed, or only its answer did
			}
		}
		if len(grants) == 0 {
			time.Sleep(2 * time.Second) // a lease may be in the way
		}
	}
	if c := b.counts(t); c[job.Complete] != int64(len(d.jobs)) {
		t.Fatalf("%v", c)
	}
}

// A dependency on a key is met by a job that completed long ago, whoever knows of it: the
// index of the store, or what is remembered of late.
func TestDependencyOnTheComplete(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := setup(t, Config{})
		b.add(t, data("a"))
		g := b.reserve(t, ReserveRequest{N: 1})
		b.report(t, Report{Ref: refTo(g[0]), Kind: ReportComplete})
		for i, restart := range []bool{false, true} {
			if restart {
				b.restart(t, 0)
			}
			j := data(fmt.Sprint("b", i))
			j.Dependencies = []job.Dependency{{Key: "a"}, {Key: "a", Condition: job.ConditionAny, Static: true}}
			if r := b.add(t, j); r.Items[0].State != job.Ready {
				t.Fatalf("restarted %v: %+v", restart, r.Items[0])
			}
		}
		j := data("c")
		j.Dependencies = []job.Dependency{{Key: "none"}}
		if r := b.add(t, j); r.Items[0].State != job.Blocked {
			t.Fatalf("%+v", r.Items[0])
		}
	})
}

func TestCyclesNameTheWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := setup(t, Config{})
		a, c := data("a"), data("c")
		a.Dependencies = []job.Dependency{{Key: "c"}}
		c.Dependencies = []job.Dependency{{Key: "a"}}
		b.add(t, a)
		_, err := b.ns.Add(b.ctx, AddRequest{Jobs: []*job.Job{c}})
		if !job.IsKind(err, job.Conflict) || !strings.Contains(err.Error(), "q/c -> q/a -> q/c;") {
			t.Fatal(err)
		}
		r, err := b.ns.Modify(b.ctx, Selector{IDs: []JobID{{Queue: "q", Key: "a"}}}, func(j *job.Job) error {
			j.DepGroups, j.Dependencies = []string{"g"}, append(j.Dependencies, job.Dependency{Group: "g"})
			return nil
		})
		if err != nil || len(r.Refusals) != 1 || !strings.Contains(r.Refusals[0].Err.Error(), "g -> g;") {
			t.Fatalf("%+v, %v", r, err)
		}
	})
}

// A request in which one job would wait for itself adds none of its jobs, and whoever
// waits for them goes on waiting; the way round is named however long it is.
func TestCyclesAddNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := setup(t, Config{})
		w := data("w")
		w.Dependencies = []job.Dependency{{Key: "j2500"}}
		b.add(t, w)
		var chain []*job.Job
		for i := range 2501 {
			j, on := data(fmt.Sprint("j", i)), fmt.Sprint("j", i-1)
			if i == 0 {
				on = "w"
			}
			j.Dependencies = []job.Dependency{{Key: job.Key(on)}}
			chain = append(chain, j)
		}
		_, err := b.ns.Add(b.ctx, AddRequest{Jobs: chain})
		if !job.IsKind(err, job.Conflict) || strings.Contains(err.Error(), "number") ||
			!strings.Contains(err.Error(), "(2491 more)") || !strings.Contains(err.Error(), "q/j2500 -> q/j2499") {
			t.Fatal(err)
		}
		if c := b.counts(t); c.Total() != 1 || c[job.Blocked] != 1 {
			t.Fatalf("%v", c)
		}
		b.add(t, data("j2500"))
		b.restart(t, 0)
		if c := b.counts(t); c[job.Ready] != 1 || c[job.Blocked] != 1 {
			t.Fatalf("%v after a restart", c)
		}
	})
}

func TestDeleteWithDependants(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := setup(t, Config{})
		build := func() {
			for i := range 4 {
				j := data(fmt.Sprint("j", i))
				if i > 0 {
					j.Dependencies = []job.Dependency{{Key: job.Key(fmt.Sprint("j", i-1))}}
				}
				b.add(t, j)
			}
		}
		first := Selector{IDs: []JobID{{Queue: "q", Key: "j0"}}}
		build()
		r, err := b.ns.Delete(b.ctx, first, DeleteOptions{})
		if err != nil || r.Changed != 0 || len(r.Refusals) != 1 || !strings.Contains(r.Refusals[0].Err.Error(), "other jobs wait for it (q/j1)") {
			t.Fatalf("%+v, %v", r, err)
		}
		if r, err = b.ns.Delete(b.ctx, first, DeleteOptions{Dependants: job.DependantsRelease}); err != nil || r.Changed != 1 {
			t.Fatalf("%+v, %v", r, err)
		}
		if c := b.counts(t); c[job.Ready] != 1 || c[job.Blocked] != 2 {
			t.Fatalf("%v after a release", c)
		}
		b.restart(t, 0)
		if c := b.counts(t); c[job.Ready] != 1 || c[job.Blocked] != 2 {
			t.Fatalf("%v after a restart", c)
		}
		second := Selector{IDs: []JobID{{Queue: "q", Key: "j1"}}}
		if r, err = b.ns.Delete(b.ctx, second, DeleteOptions{Dependants: job.DependantsDelete}); err != nil || r.Changed != 3 {
			t.Fatalf("%+v, %v", r, err)
		}
		build()
		all := Selector{Filter: &Filter{Queue: "q"}}
		if r, err = b.ns.Delete(b.ctx, all, DeleteOptions{}); err != nil || r.Changed != 4 || len(r.Refusals) > 0 {
			t.Fatalf("all together: %+v, %v", r, err)
		}
	})
}

// A queue goes with what is in it, but not while jobs of others wait for that.
func TestDeleteQueueThatOthersWaitFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := setup(t, Config{})
		inside, outside := data("b"), data("c")
		inside.Dependencies = []job.Dependency{{Key: "a"}}
		outside.Queue, outside.Dependencies = "other", []job.Dependency{{Queue: "q", Key: "b"}}
		b.add(t, data("a"), inside, outside)
		if _, err := b.ns.DeleteQueue(b.ctx, "q", true); !job.IsKind(err, job.Conflict) || !strings.Contains(err.Error(), "other jobs wait") {
			t.Fatal(err)
		}
		if _, err := b.ns.Delete(b.ctx, Selector{IDs: []JobID{{Queue: "other", Key: "c"}}}, DeleteOptions{}); err != nil {
			t.Fatal(err)
		}
		if _, err := b.ns.DeleteQueue(b.ctx, "q", true); err != nil {
			t.Fatal(err)
		}
	})
}
