package simulate

import (
	"fmt"
	"math"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/muster-queue/muster/job"
	"github.com/muster-queue/muster/schedule"
)

// randomWorkload is a small one with some of everything.
func randomWorkload(t *rapid.T) *Workload {
	seconds := func(low, high int, what string) time.Duration {
		return time.Duration(rapid.IntRange(low, high).Draw(t, what)) * time.Second
	}
	w := &Workload{
		Name: "random", Duration: seconds(1, 2000, "duration"), Seed: rapid.Uint64Range(0, 5).Draw(t, "seed"),
		Grace: seconds(0, 20, "grace"), NoPreemption: rapid.Bool().Draw(t, "no preemption"),
	}
	for i := range rapid.IntRange(0, 3).Draw(t, "accounts") {
		a := Account{Name: fmt.Sprint("a", i), Arrive: seconds(0, 50, "arrive")}
		a.Rate = quotaOf(rapid.Float64Range(0, 3).Draw(t, "rate 0"), rapid.Float64Range(0, 2).Draw(t, "rate 1"))
		a.Balance = quotaOf(rapid.Float64Range(-50, 800).Draw(t, "balance"))
		a.Window = ptr(seconds(10, 1000, "window"))
		a.NoFree = ptr(rapid.Bool().Draw(t, "no free"))
		a.MaxFanout = ptr(rapid.IntRange(0, 3).Draw(t, "fanout"))
		if rapid.Bool().Draw(t, "changes") {
			a.Changes = []Change{{At: a.Arrive + seconds(0, 500, "change"), Settings: Settings{Rate: quotaOf(rapid.Float64Range(0, 5).Draw(t, "new rate"))}}}
		}
		w.Accounts = append(w.Accounts, a)
	}
	for i := range rapid.IntRange(1, 3).Draw(t, "groups of workers") {
		g := oneSlot(fmt.Sprint("w", i), rapid.IntRange(1, 3).Draw(t, "count"))
		g.Arrive = seconds(0, 100, "workers arrive")
		g.Labels = job.Labels{fmt.Sprint("kind:", rapid.IntRange(0, 1).Draw(t, "kind"))}
		if rapid.Bool().Draw(t, "leave") {
			g.Leave = g.Arrive + seconds(1, 500, "workers leave")
		}
		w.Workers = append(w.Workers, g)
	}
	for i := range rapid.IntRange(1, 4).Draw(t, "streams") {
		s := Stream{
			Name: fmt.Sprint("s", i), Account: rapid.SampledFrom([]string{"", "a0", "a1", "a2"}).Draw(t, "account"),
			Priority: float64(rapid.IntRange(0, 2).Draw(t, "priority")), NotPreemptible: rapid.Bool().Draw(t, "fixed"),
			Arrivals: Arrivals{From: seconds(0, 300, "from"), Burst: rapid.IntRange(1, 5).Draw(t, "burst")},
			Lasts:    Lengths{Form: Exponential, A: seconds(1, 200, "lasts")},
		}
		if rapid.Bool().Draw(t, "label") {
			s.Labels = job.Labels{"kind:1"}
		}
		if rapid.Bool().Draw(t, "random") {
			s.Arrivals.Rate = rapid.Float64Range(0.001, 0.1).Draw(t, "rate")
		} else {
			s.Arrivals.Every = seconds(5, 300, "every")
		}
		w.Jobs = append(w.Jobs, s)
	}
	return w
}

// books are what the events of a simulation say, kept without looking at the rest.
type books struct {
	t       *rapid.T
	lasts   map[job.Seq]time.Duration
	runs    map[job.Seq]Event
	on      map[string]job.Seq
	done    map[job.Seq]bool
	arrived int64
	given   float64
}

func (b *books) note(e Event) {
	where := fmt.Sprint(e.Worker, " ", e.Number)
	began, runs := b.runs[e.Seq]
	switch e.Kind {
	case Arrived:
		b.arrived++
	case Started:
		if other, busy := b.on[where]; busy || runs || b.done[e.Seq] {
			b.t.Fatalf("%v: job %d starts on %s, where %d runs; it runs already: %v, is done: %v", e.At, e.Seq, where, other, runs, b.done[e.Seq])
		}
		b.runs[e.Seq], b.on[where] = e, e.Seq
	case Ended, Completed:
		if !runs || b.on[where] != e.Seq {
			b.t.Fatalf("%v: job %d ends on %s, where it does not run", e.At, e.Seq, where)
		}
		ran := e.At - began.At
		b.given += ran.Seconds()
		delete(b.runs, e.Seq)
		delete(b.on, where)
		if e.Kind == Completed {
			b.done[e.Seq], b.lasts[e.Seq] = true, ran
		}
	}
}

// What is given is what is taken, jobs that came are done or left, no worker runs two
// at once, and the sums by account are those of all.
func TestWorkIsConserved(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := randomWorkload(t)
		b := &books{t: t, lasts: map[job.Seq]time.Duration{}, runs: map[job.Seq]Event{}, on: map[string]job.Seq{}, done: map[job.Seq]bool{}}
		r, err := Run(t.Context(), w, Options{Trace: b.note})
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range b.runs {
			b.given += (r.Duration - e.At).Seconds()
		}
		same := func(what string, got, want float64) {
			if math.Abs(got-want) > 1e-6*max(1, want) {
				t.Fatalf("%s: %v, want %v", what, got, want)
			}
		}
		sum := AccountResult{}
		for i := range r.Accounts {
			a := &r.Accounts[i]
			sum.Jobs, sum.Done, sum.Left, sum.Preempted, sum.Preempts = sum.Jobs+a.Jobs, sum.Done+a.Done, sum.Left+a.Left, sum.Preempted+a.Preempted, sum.Preempts+a.Preempts
			sum.Stopping += a.Total()
			if a.Lost > a.Total()+1e-6 || a.Wait.P50 > a.Wait.P95 || a.Wait.P95 > a.Wait.Max || a.Jobs != a.Done+a.Left {
				t.Fatalf("%+v", a)
			}
		}
		same("taken by accounts", sum.Stopping, b.given)
		if len(r.Uses) > 0 {
			same("taken of slots", r.Uses[0].Given, b.given)
			if r.Uses[0].Part() > 1+1e-9 {
				t.Fatalf("more than all is taken: %v", r.Uses[0])
			}
		}
		if r.Jobs != b.arrived || r.Done != int64(len(b.done)) || r.Jobs != r.Done+r.Left || sum.Jobs != r.Jobs || sum.Done != r.Done || sum.Preempted != sum.Preempts {
			t.Fatalf("%d came, %d are done: %+v", b.arrived, len(b.done), r)
		}
		sampled := 0.0
		for i := 1; i < len(r.Samples); i++ {
			for _, a := range r.Samples[i].Accounts {
				for level := range schedule.Level(levels) {
					sampled += a.Workers[level] * (r.Samples[i].At - r.Samples[i-1].At).Seconds()
				}
			}
		}
		for i := range r.Accounts {
			sampled += r.Accounts[i].Stopping
		}
		same("taken according to samples", sampled, b.given)
	})
}

// What is written is read as the same.
func TestEncodedIsDecoded(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := randomWorkload(t)
		sameAfterwards(t, w)
	})
}
