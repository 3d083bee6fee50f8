package simulate

import (
	"fmt"
	"testing"
	"time"

	"github.com/muster-queue/muster/job"
)

// oneSlot is workers of one slot.
func oneSlot(n int) Workers {
	return Workers{Name: "w", Count: n, Capacity: job.Resources{Slot: job.Thousandth}}
}

func rated(name string, rates ...float64) Account {
	q, err := job.QuotaOf(rates...)
	if err != nil {
		panic(err)
	}
	return Account{Name: name, Settings: Settings{Rate: &q}}
}

func run(t testing.TB, w *Workload, o Options) *Result {
	t.Helper()
	r, err := Run(t.Context(), w, o)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

const benchDays = 1

// BenchmarkWeek is a million jobs of twenty accounts on a thousand workers in a week.
func BenchmarkWeek(b *testing.B) {
	w := &Workload{Duration: benchDays * 24 * time.Hour, Seed: 1, Grace: DefaultGrace, Workers: []Workers{oneSlot(1000)}}
	for i := range 20 {
		w.Accounts = append(w.Accounts, rated(fmt.Sprint("a", i), float64(i*4), float64(20)))
		w.Jobs = append(w.Jobs, Stream{
			Name: fmt.Sprint("j", i), Account: fmt.Sprint("a", i),
			Arrivals: Arrivals{Rate: 50_000.0 / (7 * 86400), Until: 7 * 24 * time.Hour},
			Lasts:    Lengths{Form: LogNormal, A: 5 * time.Minute, Sigma: 1},
		})
	}
	for b.Loop() {
		r := run(b, w, Options{})
		b.Logf("%d jobs, %d done, %d passes, %.1f%% used", r.Jobs, r.Done, r.Passes, 100*r.Uses[0].Part())
		for _, a := range r.Accounts[:3] {
			b.Logf("%+v", a)
		}
	}
}
