package schedule

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"slices"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/muster-queue/muster/job"
)

// quotaTwin gives the scheduler and the naive one the same news.
type quotaTwin struct {
	s      *Scheduler
	n      *naive
	seq    job.Seq
	shapes map[string]job.ShapeID
	step   int
	// ranked jobs have priorities, others may prefer labels: where both are mixed, a
	// job that finds nothing can hold up better ones of its account for a moment.
	ranked bool
}

// TestQuotaAgainstNaive wants the same assignments, preemptions, changes of level
// and balances of both, and looks for broken invariants.
func TestQuotaAgainstNaive(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		cfg := Config{MaxReservations: -1, Recheck: 1, Stepwise: true, Seed: rapid.Uint64().Draw(t, "seed"), NoPreemption: rapid.IntRange(0, 4).Draw(t, "calm") == 0}
		w := &quotaTwin{
			ranked: rapid.Bool().Draw(t, "ranked"),
			s:      New(cfg), shapes: map[string]job.ShapeID{}, step: rapid.SampledFrom([]int{1, 3, math.MaxInt}).Draw(t, "step"),
			n: &naive{
				seed: cfg.Seed, preempt: !cfg.NoPreemption, accounts: map[string]*naiveAccount{},
				workers: map[job.WorkerID]job.Labels{}, served: map[string]int{}, limits: map[string]int64{},
			},
		}
		w.s.tune = drawTuning(t)
		w.s.Advance(at(0))
		w.setAccount(t)
		t.Repeat(map[string]func(*rapid.T){
			"account":      w.setAccount,
			"balance":      w.setBalance,
			"limit":        w.setLimit,
			"worker":       w.worker,
			"worker again": w.worker,
			"push":         w.push,
			"push more":    w.push,
			"end":          w.end,
			"withdraw":     w.withdraw,
			"pass":         w.pass,
			"later":        w.pass,
			"":             w.check,
		})
	})
}

func drawAccount(t *rapid.T) string {
	return rapid.SampledFrom([]string{"a", "b", "c"}).Draw(t, "account")
}

func (w *quotaTwin) setAccount(t *rapid.T) {
	name := drawAccount(t)
	a := Account{
		Window:    time.Duration(rapid.SampledFrom([]int{0, 10, 1000}).Draw(t, "window")) * time.Second,
		MaxFanout: rapid.SampledFrom([]int{0, 0, 1, 2}).Draw(t, "fanout"),
		NoFree:    rapid.IntRange(0, 3).Draw(t, "no free") == 0,
	}
	for p := range 3 {
		a.Rate[p] = float64(rapid.IntRange(0, 4).Draw(t, "rate")) / 2
	}
	if rapid.IntRange(0, 2).Draw(t, "limited") == 0 {
		a.LabelLimits = map[string]int{"os": rapid.IntRange(0, 2).Draw(t, "limit")}
	}
	w.s.SetAccount(name, a)
	if w.n.accounts[name] == nil {
		w.n.accounts[name] = &naiveAccount{}
		for _, r := range w.n.runs { // they were free
			if r.shape.Account == name && r.level < Free {
				t.Fatal("a run of nobody was paid for")
			}
		}
	}
	w.n.accounts[name].Account = a
}

func (w *quotaTwin) setBalance(t *rapid.T) {
	name := drawAccount(t)
	var b Balance
	for p := range 3 {
		b[p] = float64(rapid.SampledFrom([]int{-700, -5, 0, 1, 30, 700}).Draw(t, "balance"))
	}
	w.s.SetBalance(name, b, w.s.now)
	if a := w.n.accounts[name]; a != nil {
		a.value = b
	}
}

func (w *quotaTwin) worker(t *rapid.T) {
	id := job.WorkerID(rapid.IntRange(1, 8).Draw(t, "worker"))
	if _, known := w.n.workers[id]; known {
		t.Skip("known")
	}
	labels := drawLabelsOf(t, "x", "y", "os:a", "os:b")
	w.s.SetWorker(id, Worker{Agent: true, Capacity: oneSlot, Labels: labels})
	w.n.workers[id] = labels
}

func (w *quotaTwin) setLimit(t *rapid.T) {
	l := job.Limit{Name: rapid.SampledFrom([]string{"l", "m"}).Draw(t, "name"), Max: rapid.Int64Range(0, 4).Draw(t, "max")}
	w.s.SetLimit(&l)
	w.n.limits[l.Name] = l.Max
}

// drawUses are limits that jobs carry, now and then.
func drawUses(t *rapid.T) (uses []job.LimitUse) {
	for _, name := range []string{"l", "m"} {
		if rapid.IntRange(0, 4).Draw(t, "use "+name) == 0 {
			uses = append(uses, job.LimitUse{Name: name, Weight: rapid.Int64Range(1, 2).Draw(t, "weight")})
		}
	}
	return uses
}

func drawLabelsOf(t *rapid.T, from ...string) (list job.Labels) {
	for _, l := range from {
		if rapid.IntRange(0, 2).Draw(t, l) == 0 {
			list = append(list, l)
		}
	}
	return list
}

func (w *quotaTwin) push(t *rapid.T) {
	sh := job.Shape{
		Queue: 1, Command: true, Needs: oneSlot, Account: rapid.SampledFrom([]string{"a", "b", "c", ""}).Draw(t, "account"),
		Labels: drawLabelsOf(t, "x", "os:a"), NotPreemptible: rapid.IntRange(0, 5).Draw(t, "fixed") == 0,
		Limits: drawUses(t),
	}
	priorities := []float64{0}
	if w.ranked {
		priorities = []float64{0, 0, 0, 1}
	} else {
		sh.Prefer = drawLabelsOf(t, "y", "x")
	}
	key := fmt.Sprint(sh)
	if w.shapes[key] == 0 {
		w.shapes[key] = job.ShapeID(len(w.shapes) + 1)
		w.s.DefineShape(w.shapes[key], &sh)
	}
	for range rapid.IntRange(1, 4).Draw(t, "n") {
		w.seq++
		j := &naiveJob{seq: w.seq, shape: sh, priority: rapid.SampledFrom(priorities).Draw(t, "priority")}
		w.s.Push(w.shapes[key], Item{Seq: j.seq, Priority: j.priority, Place: uint64(j.seq)})
		w.n.ready = append(w.n.ready, j)
	}
}

func (w *quotaTwin) end(t *rapid.T) {
	if len(w.n.runs) == 0 {
		t.Skip("none")
	}
	r := rapid.SampledFrom(w.n.runs).Draw(t, "run")
	if !w.s.Release(r.seq) || w.s.Release(r.seq) {
		t.Fatalf("job %d was not held once", r.seq)
	}
	w.n.end(r)
}

func (w *quotaTwin) withdraw(t *rapid.T) {
	if len(w.n.ready) == 0 {
		t.Skip("none")
	}
	j := rapid.SampledFrom(w.n.ready).Draw(t, "job")
	if !w.s.Remove(w.shapes[fmt.Sprint(j.shape)], Item{Seq: j.seq, Priority: j.priority, Place: uint64(j.seq)}) {
		t.Fatalf("job %d was not there", j.seq)
	}
	w.n.ready = slices.DeleteFunc(w.n.ready, func(o *naiveJob) bool { return o == j })
}

func (w *quotaTwin) pass(t *rapid.T) {
	now := w.n.now + rapid.SampledFrom([]int{1, 7, 100, 1000}).Draw(t, "seconds")
	ready, running := len(w.n.ready), len(w.n.runs)
	want := w.n.pass(now)
	var got naiveOutcome
	for {
		placed, more := w.s.Pass(at(now), w.step)
		got.placed = append(got.placed, placed...)
		got.preempted = append(got.preempted, w.s.Preemptions()...)
		got.moves = append(got.moves, w.s.Moves()...)
		if !more {
			break
		}
	}
	for i := range got.placed {
		got.placed[i].Shape = 0
	}
	for i := range got.preempted {
		got.preempted[i].Shape = 0
	}
	for _, o := range []*naiveOutcome{&want, &got} {
		slices.SortFunc(o.placed, func(a, b Placement) int { return cmp.Compare(a.Seq, b.Seq) })
		slices.SortStableFunc(o.moves, func(a, b Move) int { return cmp.Compare(a.Seq, b.Seq) })
	}
	if d := gocmp.Diff(want, got, gocmp.AllowUnexported(naiveOutcome{})); d != "" {
		t.Fatalf("pass at %d (-naive +scheduler):\n%s", now, d)
	}
	if len(w.n.ready)+len(w.n.runs) != ready+running {
		t.Fatalf("jobs came or went")
	}
}

// check has what must hold at any time.
func (w *quotaTwin) check(t *rapid.T) {
	if w.s.Ready() != int64(len(w.n.ready)) || len(w.s.held) != len(w.n.runs) {
		t.Fatalf("%d ready and %d held, want %d and %d", w.s.Ready(), len(w.s.held), len(w.n.ready), len(w.n.runs))
	}
	want := map[string]Balance{}
	for name, a := range w.n.accounts {
		want[name] = a.value
	}
	got := map[string]Balance{}
	for _, a := range w.s.Balances(w.s.now) {
		got[a.Name] = a.Balance
	}
	if !maps.Equal(want, got) {
		t.Fatalf("balances are %v, want %v", got, want)
	}
	on := map[job.WorkerID]int{}
	for _, r := range w.n.runs {
		if c, ok := w.s.Charge(r.seq); !ok || c.Level != r.level || !r.stopped && c.Cost != r.cost {
			t.Fatalf("job %d costs %v at level %d, want %v at %d", r.seq, c.Cost, c.Level, r.cost, r.level)
		}
		if h := w.s.held[r.seq]; h.victim == nil {
			if on[r.worker]++; on[r.worker] > 1 {
				t.Fatalf("worker %d runs two jobs", r.worker)
			}
		}
	}
}
