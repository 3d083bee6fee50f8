package engine

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/muster-queue/muster/job"
)

// yard is several stations whose jobs take as long as their tests say. It adds up
// what each account had of them, in seconds of a core.
type yard struct {
	stations []*station
	began    map[Ref]time.Time
	used     map[string]float64
	takes    time.Duration
}

func (b *bench) yard(t *testing.T, n int, cores int64, takes time.Duration) *yard {
	t.Helper()
	y := &yard{began: map[Ref]time.Time{}, used: map[string]float64{}, takes: takes}
	for i := range n {
		y.stations = append(y.stations, b.station(t, fmt.Sprint("w", i), cores))
	}
	return y
}

// work lets time pass: what has run long enough completes, what is told to stop ends.
func (y *yard) work(d time.Duration) {
	for ; d > 0; d -= 5 * time.Second {
		for _, st := range y.stations {
			st.live(0)
			if err := st.s.Beat(st.b.ctx, Beat{Clock: int64(time.Second)}); err != nil {
				st.t.Fatal(err)
			}
			st.look()
			for _, line := range slices.Sorted(maps.Keys(st.runs)) {
				y.tend(st, line)
			}
		}
		time.Sleep(5 * time.Second)
	}
}

func (y *yard) tend(st *station, line string) {
	ref, account := st.runs[line], strings.TrimRight(line, "0123456789")
	if _, known := y.began[ref]; !known {
		y.began[ref] = time.Now()
	}
	ran := time.Since(y.began[ref])
	_, stopped := st.stops[line]
	if ran < y.takes && !stopped {
		return
	}
	y.used[account] += ran.Seconds()
	if stopped {
		st.ends(line)
	} else {
		st.completes(line)
	}
}

// Two accounts that always have work get what their rates say, though one of them
// came first and has ten times as many jobs; and who came late gets the share at once.
func TestSharesConverge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := setup(t, Config{})
		b.account(t, job.Account{Name: "a", Rate: job.Quota{6}, Window: time.Hour})
		y := b.yard(t, 8, 1, time.Minute)
		b.add(t, commands("a", 2000)...)
		y.work(10 * time.Minute)
		b.account(t, job.Account{Name: "b", Rate: job.Quota{2}, Window: time.Hour})
		b.add(t, commands("b", 1000)...)
		y.work(5 * time.Minute)
		if y.used["b"] < 60 {
			t.Errorf("who came late has had %.0f seconds in five minutes", y.used["b"])
		}
		y.work(20 * time.Minute)
		clear(y.used)
		y.work(2 * time.Hour)
		if ratio := y.used["a"] / y.used["b"]; math.Abs(ratio-3) > 0.2 {
			t.Errorf("a had %.0f and b %.0f seconds, which is %.2f to 1; want 3 to 1", y.used["a"], y.used["b"], ratio)
		}
		if all := y.used["a"] + y.used["b"]; all < 0.85*8*7200 {
			t.Errorf("only %.0f seconds of %d were used", all, 8*7200)
		}
	})
}

// A large job starts though another account's small ones never end, by a
// reservation, and a job of the other account by preemption if it has better quota.
func TestLargeJobsStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := setup(t, Config{})
		b.account(t, job.Account{Name: "small", Rate: job.Quota{0, 1}, Window: time.Hour}, 0, 3000)
		b.account(t, job.Account{Name: "large", Rate: job.Quota{0, 1}, Window: time.Hour}, 0, 3000)
		b.add(t, commands("small", 2000, func(j *job.Job) { j.Time = 40 * time.Second })...)
		y := b.yard(t, 1, 4, 30*time.Second)
		y.work(time.Minute)
		b.add(t, commands("large", 1, func(j *job.Job) {
			j.Needs = job.Resources{job.CPU: 4 * job.Thousandth}
		})...)
		for range 20 {
			if y.work(15 * time.Second); b.line(t, "large", 0).Live.State != job.Ready {
				return
			}
		}
		t.Error("the large job waits for more than five minutes")
	})
}

// One pass has at most one victim of each worker, however many there could be.
func TestOneVictimPerWorker(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := setup(t, Config{})
		b.account(t, job.Account{Name: "rich", Window: time.Hour}, 10_000)
		b.add(t, commands("nobody", 8)...)
		y := b.yard(t, 2, 4, time.Hour)
		b.add(t, commands("rich", 8)...)
		for _, st := range y.stations {
			st.look()
			if len(st.runs) != 4 || len(st.stops) != 1 {
				t.Errorf("%s runs %v and was told to stop %v", st.name, st.runs, st.stops)
			}
		}
		y.work(time.Minute)
		if a := b.accounts(t)["rich"]; a.Running[0] != 8 || b.counts(t)[job.Ready] != 8 {
			t.Errorf("rich has %+v, %v", a, b.counts(t))
		}
		// A pass without changes finds no more.
		y.work(time.Minute)
		for _, st := range y.stations {
			if len(st.stops) > 0 {
				t.Errorf("%s was told to stop %v", st.name, st.stops)
			}
		}
	})
}
