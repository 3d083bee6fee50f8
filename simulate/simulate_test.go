package simulate

import (
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/muster-queue/muster/job"
)

// oneSlot is workers of one slot.
func oneSlot(name string, n int) Workers {
	return Workers{Name: name, Count: n, Capacity: job.Resources{Slot: job.Thousandth}}
}

func quotaOf(values ...float64) *job.Quota {
	q, err := job.QuotaOf(values...)
	if err != nil {
		panic(err)
	}
	return &q
}

func ptr[T any](v T) *T { return &v }

// atOnce is jobs that come at once and all take as long.
func atOnce(name, account string, n int64, from, lasts time.Duration) Stream {
	return Stream{Name: name, Account: account, Arrivals: Arrivals{Count: n, From: from}, Lasts: Lengths{A: lasts}}
}

func run(t testing.TB, w *Workload, o Options) *Result {
	t.Helper()
	r, err := Run(t.Context(), w, o)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// story runs a workload and gives what happened to jobs, one line each, but for
// arrivals.
func story(t testing.TB, w *Workload) (*Result, []string) {
	t.Helper()
	var lines []string
	r := run(t, w, Options{Trace: func(e Event) {
		if e.Kind != Arrived {
			lines = append(lines, fmt.Sprintf("%v %s%d %v %s%d", e.At, e.Stream, e.Seq, e.Kind, e.Worker, e.Number))
		}
	}})
	return r, lines
}

func want(t testing.TB, got []string, want ...string) {
	t.Helper()
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("what happened (-want +got):\n%s", d)
	}
}

func near(t testing.TB, what string, got, want float64) {
	t.Helper()
	if math.Abs(got-want) > 1e-6*max(1, math.Abs(want)) {
		t.Errorf("%s: %v, want %v", what, got, want)
	}
}

// A paid job comes while the only worker runs one for free: it begins when the
// grace is over, and the other begins anew behind it.
func TestPreemption(t *testing.T) {
	w := &Workload{
		Grace:    5 * time.Second,
		Accounts: []Account{{Name: "p", Settings: Settings{Rate: quotaOf(1), Balance: quotaOf(100)}}},
		Workers:  []Workers{oneSlot("w", 1)},
		Jobs:     []Stream{atOnce("free", "", 1, 0, 100*time.Second), atOnce("paid", "p", 1, 30*time.Second, 10*time.Second)},
	}
	r, got := story(t, w)
	want(t, got,
		"0s free1 started w1", "30s free1 preempted w1", "35s free1 ended w1", "35s paid2 started w1",
		"45s paid2 completed w1", "45s free1 started w1", "2m25s free1 completed w1")
	none, p := r.Account(""), r.Account("p")
	near(t, "what was lost", none.Lost, 35)
	near(t, "what the victim took after it was told", none.Stopping, 5)
	near(t, "what ran for free", none.Used[5], 130)
	near(t, "what was paid", p.Used[0], 10)
	near(t, "the balance", p.Balance[0], 100+145-15) // it pays for the place from its promise on
	near(t, "the slot", r.Uses[0].Part(), 1)
	if none.Preempted != 1 || p.Preempts != 1 || p.Wait.Max != 5*time.Second || none.Wait.Max != 0 || r.Duration != 145*time.Second || r.Left != 0 {
		t.Errorf("%+v\n%+v\n%+v", r, none, p)
	}
	if none.Turnaround != 145*time.Second || p.Turnaround != 15*time.Second {
		t.Errorf("turnarounds %v and %v", none.Turnaround, p.Turnaround)
	}
	w.NoPreemption = true
	_, got = story(t, w)
	want(t, got, "0s free1 started w1", "1m40s free1 completed w1", "1m40s paid2 started w1", "1m50s paid2 completed w1")
}

// A victim that ends by itself within the grace loses nothing.
func TestVictimThatEndsInTime(t *testing.T) {
	r, got := story(t, &Workload{
		Grace:    5 * time.Second,
		Accounts: []Account{{Name: "p", Settings: Settings{Rate: quotaOf(1), Balance: quotaOf(100)}}},
		Workers:  []Workers{oneSlot("w", 1)},
		Jobs:     []Stream{atOnce("free", "", 1, 0, 33*time.Second), atOnce("paid", "p", 1, 30*time.Second, 10*time.Second)},
	})
	want(t, got, "0s free1 started w1", "30s free1 preempted w1", "33s free1 completed w1", "33s paid2 started w1", "43s paid2 completed w1")
	if a := r.Account(""); a.Lost != 0 || a.Preempted != 1 || a.Done != 1 {
		t.Errorf("%+v", a)
	}
}

// Ten worker-seconds last ten seconds for two jobs that spend two a second of which
// one comes back; then quota must be gathered before the next two.
func TestQuotaSetsThePace(t *testing.T) {
	r, got := story(t, &Workload{
		Duration: 75 * time.Second,
		Accounts: []Account{{Name: "a", Settings: Settings{Rate: quotaOf(1), Balance: quotaOf(10), NoFree: ptr(true)}}},
		Workers:  []Workers{oneSlot("w", 2)},
		Jobs:     []Stream{atOnce("j", "a", 100, 0, 10*time.Second)},
	})
	var starts []string
	for _, line := range got {
		var at, name, what string
		if _, err := fmt.Sscan(line, &at, &name, &what); err == nil && what == "started" {
			starts = append(starts, at)
		}
	}
	want(t, starts, "0s", "0s", "11s", "11s", "31s", "31s", "51s", "51s", "1m11s", "1m11s")
	a := r.Account("a")
	near(t, "used", a.Used[0], 4*20+8)
	near(t, "rate", a.Rate[0], 1)
	if a.Done != 8 || a.Left != 92 || a.Waiting != 90 || a.Wait.Max != 75*time.Second || a.Wait.P50 != 75*time.Second {
		t.Errorf("%+v", a)
	}
}

// Where all is wanted, accounts get what their rates say.
func TestSharesFollowRates(t *testing.T) {
	r := run(t, &Workload{
		Duration: 10_000 * time.Second,
		Accounts: []Account{
			{Name: "a", Settings: Settings{Rate: quotaOf(2), NoFree: ptr(true)}},
			{Name: "b", Settings: Settings{Rate: quotaOf(1), NoFree: ptr(true)}},
		},
		Workers: []Workers{oneSlot("w", 3)},
		Jobs:    []Stream{atOnce("ja", "a", 5000, 0, 10*time.Second), atOnce("jb", "b", 5000, 0, 10*time.Second)},
	}, Options{})
	for name, rate := range map[string]float64{"a": 2, "b": 1} {
		if had := r.Mean(r.Account(name).Total()); math.Abs(had-rate) > 0.02*rate {
			t.Errorf("%s had %v workers at a rate of %v", name, had, rate)
		}
	}
}

// An account that comes late is served next, then in turn.
func TestLateAccount(t *testing.T) {
	w := &Workload{
		Accounts: []Account{
			{Name: "a", Settings: Settings{Rate: quotaOf(1), Balance: quotaOf(1000)}},
			{Name: "b", Arrive: 35 * time.Second, Settings: Settings{Rate: quotaOf(1), Balance: quotaOf(50)}},
		},
		Workers: []Workers{oneSlot("w", 1)},
		Jobs:    []Stream{atOnce("a", "a", 7, 0, 10*time.Second), atOnce("b", "b", 2, 35*time.Second, 10*time.Second)},
	}
	r, got := story(t, w)
	want(t, got[8:14], "40s b8 started w1", "50s b8 completed w1", "50s a5 started w1", "1m0s a5 completed w1", "1m0s b9 started w1", "1m10s b9 completed w1")
	if b := r.Account("b"); b.Wait != (Times{15 * time.Second, 5 * time.Second, 25 * time.Second, 25 * time.Second}) {
		t.Errorf("b waited %+v", b.Wait)
	}
	near(t, "the rate of b", r.Account("b").Rate[0], 55.0/90)
}

// No more paid jobs that want the same run than the fan-out says.
func TestFanout(t *testing.T) {
	w := &Workload{
		Accounts: []Account{{Name: "a", Settings: Settings{Rate: quotaOf(1), Balance: quotaOf(100), MaxFanout: ptr(1), NoFree: ptr(true)}}},
		Workers:  []Workers{oneSlot("w", 3)},
		Jobs:     []Stream{atOnce("j", "a", 3, 0, 10*time.Second)},
	}
	_, got := story(t, w)
	var at []string
	for _, line := range got {
		at = append(at, line[:len(line)-3])
	}
	want(t, at, "0s j1 started", "10s j1 completed", "10s j2 started", "20s j2 completed", "20s j3 started", "30s j3 completed")
	w.Accounts[0].NoFree = nil
	r := run(t, w, Options{})
	near(t, "paid", r.Account("a").Used[0], 10)
	near(t, "free", r.Account("a").Used[5], 20)
}

// What runs on a worker that leaves begins anew elsewhere; rates change when they do.
func TestLeavingAndChanges(t *testing.T) {
	gone := oneSlot("gone", 1)
	gone.Leave = 5 * time.Second
	r, got := story(t, &Workload{
		Duration: 100 * time.Second,
		Accounts: []Account{{
			Name: "a", Settings: Settings{Rate: quotaOf(1)}, Changes: []Change{{At: 50 * time.Second, Settings: Settings{Rate: quotaOf(2), Balance: quotaOf(7)}}},
		}},
		Workers: []Workers{gone, oneSlot("stays", 1)},
		Jobs:    []Stream{atOnce("j", "a", 2, 0, 10*time.Second)},
	})
	near(t, "lost", r.Account("a").Lost, 5)
	near(t, "capacity", r.Uses[0].Capacity, 105)
	near(t, "taken", r.Uses[0].Given, 25)
	near(t, "workers", r.Workers, 1.05)
	near(t, "mean rate", r.Account("a").Rate[0], 1.5)
	near(t, "balance", r.Account("a").Balance[0], 107)
	if r.Account("a").Dropped != 1 || len(got) != 6 || got[5] != "20s j1 completed stays1" && got[5] != "20s j2 completed stays1" {
		t.Errorf("%+v\n%q", r.Account("a"), got)
	}
}

// Jobs that can never run end a simulation without a duration, and are told of.
func TestNothingCanRun(t *testing.T) {
	large := atOnce("large", "x", 3, 0, time.Minute)
	large.Needs = job.Resources{Slot: 5 * job.Thousandth}
	r := run(t, &Workload{
		Accounts: []Account{{Name: "a"}}, Workers: []Workers{oneSlot("w", 1)}, Jobs: []Stream{large, atOnce("small", "a", 1, 0, time.Second)},
	}, Options{})
	want(t, r.Notes, "None of the 3 jobs large started: "+r.Notes[0][len("None of the 3 jobs large started: "):],
		"Jobs name the account x, which is none: they run for free.")
	if r.Left != 3 || r.Done != 1 || r.Duration != time.Second {
		t.Errorf("%+v", r)
	}
}

// Jobs that can never run are not done at once: they wait for ever.
func TestStarving(t *testing.T) {
	large := atOnce("large", "", 1, 0, time.Minute)
	large.Needs = job.Resources{Slot: 5 * job.Thousandth}
	r := run(t, &Workload{Workers: []Workers{oneSlot("w", 2)}, Jobs: []Stream{large}}, Options{})
	want(t, r.Notes, "The only job large never started: it needs 5 of slot, more than any of 2 agents has (at most 1)")
	if r.Duration != 0 || !r.Stuck || r.Workers != 2 || len(r.Uses) != 1 || r.Uses[0].Part() != 0 {
		t.Errorf("%+v", r)
	}
	if got := r.Account("").Wait; got != (Times{Never, Never, Never, Never}) {
		t.Errorf("they waited %v", got)
	}
	if b, err := r.JSON(false); err != nil || !strings.Contains(string(b), `"stuck":true`) || !strings.Contains(string(b), `"wait":{"mean":null,`) {
		t.Errorf("%s, %v", b, err)
	}
}

// What would have ended a run that was lost with its worker does not count: the
// simulation is over when the last worker goes.
func TestEndWithTheWorkers(t *testing.T) {
	w := oneSlot("w", 1)
	w.Leave = time.Hour
	r, got := story(t, &Workload{Workers: []Workers{w}, Jobs: []Stream{atOnce("j", "", 3, 0, 40*time.Minute)}})
	want(t, got, "0s j1 started w1", "40m0s j1 completed w1", "40m0s j2 started w1", "1h0m0s j2 ended w1")
	want(t, r.Notes, "2 of 3 jobs j never end: there are no workers any more")
	near(t, "workers", r.Workers, 1)
	near(t, "the slot", r.Uses[0].Part(), 1)
	if r.Duration != time.Hour || r.Left != 2 || !r.Stuck {
		t.Errorf("%+v", r)
	}
	if got := r.Account("").Wait; got != (Times{Never, 40 * time.Minute, Never, Never}) {
		t.Errorf("they waited %v", got)
	}
}

// A job that comes days after the others is waited for.
func TestLongPause(t *testing.T) {
	late := Stream{Name: "j", Arrivals: Arrivals{At: []time.Duration{0, 72 * time.Hour}}, Lasts: Lengths{A: time.Minute}}
	r := run(t, &Workload{Workers: []Workers{oneSlot("w", 1)}, Jobs: []Stream{late}}, Options{})
	if r.Done != 2 || r.Duration != 72*time.Hour+time.Minute || r.Stuck {
		t.Errorf("%d done in %v", r.Done, r.Duration)
	}
}

// Samples only look: with more or fewer of them the same happens, and again.
func TestSameAgain(t *testing.T) {
	w, err := Decode("example", Example)
	if err != nil {
		t.Fatal(err)
	}
	w.Duration = 6 * time.Hour
	first, told := story(t, w)
	for _, every := range []time.Duration{0, 7 * time.Second, time.Hour} {
		w.Sample = every
		r, again := story(t, w)
		if d := cmp.Diff(told, again); d != "" {
			t.Fatalf("sampled every %v:\n%s", every, d)
		}
		if d := cmp.Diff(first.Accounts, r.Accounts, nearly); d != "" {
			t.Errorf("sampled every %v:\n%s", every, d)
		}
	}
	w.Seed++
	if _, other := story(t, w); cmp.Equal(told, other) {
		t.Error("another seed changed nothing")
	}
}

// nearly compares numbers that are summed in another order.
var nearly = cmp.Comparer(func(a, b float64) bool { return math.Abs(a-b) <= 1e-6*max(1, math.Abs(a)) })

// A change of one account changes no job of another.
func TestJobsStayTheSame(t *testing.T) {
	seen := func(w *Workload) (list []string) {
		run(t, w, Options{Trace: func(e Event) {
			if e.Kind == Arrived && e.Stream == "simulation" {
				list = append(list, e.At.String())
			}
		}})
		return list
	}
	w, err := Decode("example", Example)
	if err != nil {
		t.Fatal(err)
	}
	w.Duration = 3 * time.Hour
	before := seen(w)
	changed, err := w.With("biology.rate=1", "jobs.assembly.burst=3", "workers.node.count=3")
	if err != nil {
		t.Fatal(err)
	}
	if after := seen(changed); len(before) < 100 || !cmp.Equal(before, after) {
		t.Errorf("%d jobs before, %d after, or at other times", len(before), len(after))
	}
}

// BenchmarkWeek is a million jobs of twenty accounts on a thousand workers in a week.
func BenchmarkWeek(b *testing.B) {
	week := 7 * 24 * time.Hour
	w := &Workload{Duration: week, Seed: 1, Grace: DefaultGrace, Workers: []Workers{oneSlot("w", 1000)}}
	for i := range 20 {
		name := fmt.Sprint("a", i)
		w.Accounts = append(w.Accounts, Account{Name: name, Settings: Settings{Rate: quotaOf(float64(i*4), 20)}})
		w.Jobs = append(w.Jobs, Stream{
			Name: name, Account: name, Arrivals: Arrivals{Rate: 50_000 / week.Seconds()},
			Lasts: Lengths{Form: LogNormal, A: 5 * time.Minute, Sigma: 1},
		})
	}
	for b.Loop() {
		r := run(b, w, Options{})
		b.ReportMetric(float64(r.Jobs), "jobs")
		b.ReportMetric(float64(r.Passes), "passes")
	}
}
