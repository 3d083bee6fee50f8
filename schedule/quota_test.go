package schedule

import (
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/muster-queue/muster/job"
)

// fleet is a scheduler of workers with one slot each, with names instead of
// numbers, as the cases of the specification are written.
type fleet struct {
	t       testing.TB
	s       *Scheduler
	workers []string
	jobs    []string
	shapes  map[string]job.ShapeID
	of      map[string]job.ShapeID
}

func newFleet(t testing.TB, cfg Config) *fleet {
	cfg.MaxReservations = -1
	f := &fleet{t: t, s: New(cfg), shapes: map[string]job.ShapeID{}, of: map[string]job.ShapeID{}}
	f.s.Advance(at(0))
	return f
}

func number(list *[]string, name string) int {
	i := slices.Index(*list, name)
	if i < 0 {
		i = len(*list)
		*list = append(*list, name)
	}
	return i + 1
}

var oneSlot = job.Resources{"slot": job.Thousandth}

func words(s string) job.Labels { return strings.Fields(s) }

func (f *fleet) worker(name, labels string) {
	f.s.SetWorker(f.workerID(name), Worker{Agent: true, Capacity: oneSlot, Labels: words(labels)})
}

func (f *fleet) workerID(name string) job.WorkerID { return job.WorkerID(number(&f.workers, name)) }

func (f *fleet) seq(name string) job.Seq { return job.Seq(number(&f.jobs, name)) }

// shape is that of requests with the labels.
func (f *fleet) shape(account, base, prefer string) job.ShapeID {
	key := strings.Join([]string{account, base, prefer}, "|")
	id := f.shapes[key]
	if id == 0 {
		id = job.ShapeID(len(f.shapes) + 1)
		f.shapes[key] = id
		f.s.DefineShape(id, &job.Shape{
			Queue: 1, Command: true, Needs: oneSlot, Account: account, Labels: words(base), Prefer: words(prefer),
		})
	}
	return id
}

func (f *fleet) request(name, account, base, prefer string) {
	id := f.shape(account, base, prefer)
	f.of[name] = id
	f.s.Push(id, Item{Seq: f.seq(name), Place: uint64(f.seq(name))})
}

// account sets an account of those rates, with a balance.
func (f *fleet) account(name string, a Account, balance ...float64) {
	f.s.SetAccount(name, a)
	f.s.SetBalance(name, f.balanceOf(balance...), f.s.now)
}

func (f *fleet) balanceOf(values ...float64) Balance {
	b, err := BalanceOf(values...)
	if err != nil {
		f.t.Fatal(err)
	}
	return b
}

// run makes a request run on a worker, at a level and cost.
func (f *fleet) run(name, account, worker string, level Level, cost ...float64) {
	f.s.Hold(Held{
		Seq: f.seq(name), Shape: f.shape(account, "", ""), Worker: f.workerID(worker), Since: f.s.now,
		Charge: Charge{Level: level, Cost: f.balanceOf(cost...), At: f.s.now, Share: 1},
	})
}

type given struct {
	Job, Worker string
	Level       Level
}

// pass gives what was assigned, by name.
func (f *fleet) pass(seconds int) (list []given) {
	f.t.Helper()
	placed, more := f.s.Pass(at(seconds), math.MaxInt)
	if more {
		f.t.Fatal("a pass without bound came to no end")
	}
	for _, p := range placed {
		list = append(list, given{f.jobs[p.Seq-1], f.workers[p.Worker-1], p.Level})
	}
	slices.SortFunc(list, func(a, b given) int { return strings.Compare(a.Job, b.Job) })
	return list
}

func (f *fleet) want(got []given, want ...given) {
	f.t.Helper()
	if d := cmp.Diff(want, got); d != "" {
		f.t.Fatalf("assigned (-want +got):\n%s", d)
	}
}

func (f *fleet) wantBalance(name string, seconds int, values ...float64) {
	f.t.Helper()
	for _, a := range f.s.Balances(at(seconds)) {
		if a.Name == name {
			if d := cmp.Diff(f.balanceOf(values...), a.Balance); d != "" {
				f.t.Fatalf("balance of %s (-want +got):\n%s", name, d)
			}
			return
		}
	}
	f.t.Fatalf("no account %s", name)
}

func (f *fleet) level(name string) Level {
	c, _ := f.s.Charge(f.seq(name))
	return c.Level
}

func count(list []given, level Level) (n int) {
	for _, g := range list {
		if g.Level == level {
			n++
		}
	}
	return n
}

var unit = Balance{1, 1, 1}

// TestBestLevel has the cases 1 to 3.
func TestBestLevel(t *testing.T) {
	for _, c := range []struct {
		b    Balance
		want Level
	}{{Balance{}, Free}, {Balance{0, 1}, 1}, {Balance{-9, 0, 0.001}, 2}} {
		if got := c.b.Level(); got != c.want {
			t.Errorf("%v is of level %d, want %d", c.b, got, c.want)
		}
	}
}

// TestCharging has the cases 4 to 8.
func TestCharging(t *testing.T) {
	for _, c := range []struct {
		name           string
		rate, from     Balance
		window, passed int
		running, want  Balance
	}{
		{"4", Balance{1, 2, 3}, Balance{}, 10, 2, Balance{1, 1, 1}, Balance{0, 2, 4}},
		{"5", Balance{1, 1, 1}, Balance{9.5, 12, 10.5, 0}, 10, 1, Balance{0, 1, 1, 1}, Balance{10, 11, 10, -1}},
		{"6", Balance{1, 2, 3}, Balance{}, 2, 1, Balance{}, Balance{1, 2, 3}},
		{"7", Balance{1, 2, 3}, Balance{}, 2, 10, Balance{}, Balance{2, 4, 6}},
		{"8", Balance{1, 2, 3}, Balance{}, 2, 1, Balance{2}, Balance{-1, 2, 3}},
	} {
		f := newFleet(t, Config{})
		f.account("a", Account{Rate: c.rate, Window: time.Duration(c.window) * time.Second}, c.from[:]...)
		for level, n := range c.running {
			for range int(n) {
				f.run("r"+string(rune('a'+len(f.jobs))), "a", "w"+string(rune('a'+len(f.jobs))), Level(level))
			}
		}
		f.wantBalance("a", c.passed, c.want[:]...)
	}
}

// TestAccounts has the cases 9 to 14.
func TestAccounts(t *testing.T) {
	f := newFleet(t, Config{})
	f.s.SetAccount("a", Account{Rate: unit, Window: time.Hour})
	f.wantBalance("a", 0)
	f.s.DropAccount("a")
	if list := f.s.Balances(at(1)); len(list) > 0 {
		t.Errorf("9: there is %v", list)
	}
	f.account("a", Account{Rate: unit, Window: time.Hour}, 7)
	f.wantBalance("a", 10, 16, 9, 9)
	f.wantBalance("a", 9, 16, 9, 9)
	if _, err := BalanceOf(1, 2, 3, 4, 5, 6); err == nil {
		t.Error("12: six values are a balance")
	}
	f.s.ResetBalance("a")
	f.s.ResetBalance("nobody")
	f.wantBalance("a", 10)
	if b := f.balanceOf(1, 2, 3); b != (Balance{1, 2, 3, 0, 0}) {
		t.Errorf("14: %v", b)
	}
}

// TestMatching has the cases 15, 16 and 19 to 26.
func TestMatching(t *testing.T) {
	t.Run("15", func(t *testing.T) {
		f := newFleet(t, Config{})
		f.account("a", Account{}, 2)
		f.worker("w1", "")
		f.worker("w2", "label1")
		f.request("r1", "a", "", "label1")
		f.request("r2", "a", "", "label2")
		f.want(f.pass(0), given{"r1", "w2", 0}, given{"r2", "w1", 0})
		f.want(f.pass(0))
	})
	t.Run("19", func(t *testing.T) {
		f := newFleet(t, Config{})
		f.account("a", Account{}, 2)
		f.worker("w", "")
		f.request("r", "", "", "")
		f.want(f.pass(0), given{"r", "w", Free})
	})
	t.Run("20", func(t *testing.T) {
		f := newFleet(t, Config{})
		f.account("a", Account{}, 1)
		for i := range 500 {
			f.request("a"+string(rune(i+1000)), "a", "", "a")
		}
		f.request("b", "a", "", "b")
		f.worker("w", "b c")
		f.want(f.pass(0), given{"b", "w", 0})
	})
	t.Run("21", func(t *testing.T) {
		f := newFleet(t, Config{})
		f.account("a", Account{}, 1)
		f.worker("w", "")
		f.request("r", "a", "unsatisfied", "")
		f.want(f.pass(0))
	})
	t.Run("22", func(t *testing.T) {
		f := newFleet(t, Config{})
		f.account("a", Account{}, 1)
		f.worker("rare", "C R")
		for i := range 10 {
			f.worker("w"+string(rune('0'+i)), "C")
			f.request("r"+string(rune('0'+i)), "a", "C", "")
		}
		f.request("rare", "a", "C R", "")
		got := f.pass(0)
		if len(got) != 11 || !slices.Contains(got, given{"rare", "rare", 0}) {
			t.Errorf("assigned %v", got)
		}
	})
	t.Run("23", func(t *testing.T) {
		f := newFleet(t, Config{})
		f.account("a", Account{}, 1)
		f.worker("w", "base")
		f.request("r", "a", "base", "prov")
		f.want(f.pass(0), given{"r", "w", 0})
	})
	t.Run("24", func(t *testing.T) {
		for _, other := range []string{"a", "b"} {
			f := newFleet(t, Config{})
			f.account("a", Account{}, 1)
			f.account("b", Account{}, 1)
			f.worker("w", "pa")
			f.request("rb", other, "", "pb")
			f.request("ra", "a", "", "pa")
			f.want(f.pass(0), given{"ra", "w", 0})
		}
	})
	t.Run("25 and 26", func(t *testing.T) {
		f := newFleet(t, Config{})
		f.account("a", Account{NoFree: true})
		f.worker("w", "")
		f.request("r", "a", "", "")
		f.want(f.pass(0))
		f.s.SetAccount("a", Account{})
		f.want(f.pass(0), given{"r", "w", Free})
	})
}

// TestFanout has the cases 31, 32 and 40 to 43.
func TestFanout(t *testing.T) {
	for _, noFree := range []bool{false, true} {
		f := newFleet(t, Config{})
		f.account("a", Account{MaxFanout: 1, NoFree: noFree}, 1)
		for _, w := range []string{"w1", "w2", "w3"} {
			f.worker(w, "x y")
		}
		f.request("r1", "a", "x", "")
		f.request("r2", "a", "x", "")
		f.request("r3", "a", "y", "")
		got := f.pass(0)
		free := 1
		if noFree {
			free = 0
		}
		if count(got, 0) != 2 || count(got, Free) != free || len(got) != 2+free || got[len(got)-1].Job != "r3" || got[len(got)-1].Level != 0 {
			t.Errorf("no free: %v: assigned %v", noFree, got)
		}
	}

	f := newFleet(t, Config{})
	settings := Account{MaxFanout: 1, NoFree: true, Rate: Balance{100}, Window: 10 * time.Second}
	f.account("a", settings, 100)
	f.request("r1", "a", "", "")
	f.request("r2", "a", "", "")
	f.want(f.pass(100))
	f.worker("w1", "")
	f.worker("w2", "")
	f.want(f.pass(110), given{"r1", "w1", 0})
	settings.MaxFanout, settings.Rate = 10, Balance{}
	f.s.SetAccount("a", settings)
	f.s.ResetBalance("a")
	f.want(f.pass(110))
	settings.NoFree = false
	f.s.SetAccount("a", settings)
	f.want(f.pass(120), given{"r2", "w2", Free})
}

// TestFanoutOpens: a job that may not run for free starts when another alike ends.
func TestFanoutOpens(t *testing.T) {
	f := newFleet(t, Config{})
	f.account("a", Account{MaxFanout: 1, NoFree: true}, 1000)
	f.worker("w1", "")
	f.worker("w2", "")
	f.request("r1", "a", "", "")
	f.request("r2", "a", "", "")
	f.want(f.pass(0), given{"r1", "w1", 0})
	f.want(f.pass(1))
	f.s.Release(f.seq("r1"))
	if got := f.pass(2); len(got) != 1 || got[0].Job != "r2" || got[0].Level != 0 {
		t.Errorf("assigned %v", got)
	}
}

// TestLabelLimits has the cases 33 to 39.
func TestLabelLimits(t *testing.T) {
	for _, balance := range []float64{1, 0} {
		f := newFleet(t, Config{})
		f.account("a", Account{LabelLimits: map[string]int{"label-model": 2}}, balance)
		for _, w := range []string{"e1", "e2", "e3"} {
			f.worker(w, "label-model:eve")
		}
		f.worker("o1", "label-model:other")
		f.worker("p1", "label-model-more:eve")
		for _, r := range []string{"1", "2", "3", "4", "5"} {
			f.request(r, "a", "", "")
		}
		got := f.pass(0)
		n := 0
		for _, g := range got {
			if g.Worker[0] == 'e' {
				n++
			}
		}
		if len(got) != 4 || n != 2 {
			t.Fatalf("assigned %v", got)
		}
		f.want(f.pass(1))
		f.s.Release(f.seq(got[slices.IndexFunc(got, func(g given) bool { return g.Worker[0] == 'e' })].Job))
		if again := f.pass(2); len(again) != 1 || again[0].Worker[0] != 'e' {
			t.Fatalf("when one ended: %v", again)
		}
	}

	for _, c := range []struct {
		name   string
		limits map[string]int
		counts map[string]int
		full   bool
	}{
		{"34", nil, nil, false},
		{"35", map[string]int{"baz": 2}, nil, false},
		{"37", map[string]int{"foo": 2}, map[string]int{"foo:baz": 2}, false},
		{"38", map[string]int{"foo": 2}, map[string]int{"foo:bar": 1, "foo:baz": 2}, false},
		{"39", map[string]int{"foo": 2}, map[string]int{"foo:bar": 2}, true},
	} {
		a := newAccount("a", 0)
		a.LabelLimits, a.counts = c.limits, c.counts
		if got := a.atLimit(&worker{names: words("foo:bar")}); got != c.full {
			t.Errorf("case %s: at limit: %v", c.name, got)
		}
	}
	f := newFleet(t, Config{})
	f.account("a", Account{LabelLimits: map[string]int{"foo": 2}}, 1)
	f.account("b", Account{LabelLimits: map[string]int{"baz": 2}}, 1)
	f.worker("w", "foo:bar")
	f.run("36", "a", "w", 0)
	f.run("35", "b", "w", 0)
	if d := cmp.Diff(map[string]int{"foo:bar": 1}, f.s.accounts["a"].counts); d != "" {
		t.Errorf("case 36:\n%s", d)
	}
	if n := len(f.s.accounts["b"].counts); n > 0 {
		t.Errorf("case 35: %d counted", n)
	}
}

// TestReprioritise has the cases 44 to 47.
func TestReprioritise(t *testing.T) {
	rates := Account{Rate: Balance{1.1, 0.9}, Window: 2000 * time.Second}
	two := func(level Level) *fleet {
		f := newFleet(t, Config{})
		f.account("a", rates, -1200, 1200, 1200)
		f.worker("w1", "")
		f.worker("w2", "")
		f.run("r1", "a", "w1", level, 0)
		f.run("r2", "a", "w2", level, 1)
		return f
	}
	for _, c := range []struct {
		name  string
		from  Level
		moved Move
	}{
		{"44", 0, Move{Seq: 1, From: 0, To: 1}},
		{"45", 2, Move{Seq: 2, From: 2, To: 1, Cost: Balance{1}}},
	} {
		f := two(c.from)
		f.want(f.pass(0))
		if d := cmp.Diff([]Move{c.moved}, f.s.Moves()); d != "" {
			t.Errorf("case %s:\n%s", c.name, d)
		}
	}
	for _, b := range []float64{599, -599} {
		f := newFleet(t, Config{})
		f.account("a", Account{Rate: Balance{0.5, 3}}, b, b)
		f.worker("w1", "")
		f.worker("w2", "")
		f.run("r1", "a", "w1", 0)
		f.run("r2", "a", "w2", 2)
		if f.pass(0); len(f.s.Moves()) > 0 {
			t.Errorf("case 46: %v", f.s.Moves())
		}
	}
	f := newFleet(t, Config{})
	f.account("a", Account{}, 0, 0, 0, 0, -700)
	f.worker("w", "")
	f.run("r", "a", "w", 4)
	f.pass(0)
	if f.level("r") != Free {
		t.Errorf("case 47: level %d", f.level("r"))
	}
	f.wantBalance("a", 1000, 0, 0, 0, 0, -700)
	if c, _ := f.s.Charge(f.seq("r")); c.Cost != (Balance{}) {
		t.Errorf("case 47: it costs %v", c.Cost)
	}
}

// TestPromotionKeepsFanout: what is free since its fan-out has no room is not paid for
// either because there is much quota; another fan-out is.
func TestPromotionKeepsFanout(t *testing.T) {
	f := newFleet(t, Config{})
	f.account("a", Account{MaxFanout: 1, Rate: Balance{0, 3}, Window: time.Hour}, 0, 700)
	for _, w := range []string{"w1", "w2", "w3"} {
		f.worker(w, "x")
	}
	f.run("r1", "a", "w1", 1)
	f.run("r2", "a", "w2", Free, 9)
	f.request("other", "a", "x", "")
	f.want(f.pass(0), given{"other", "w3", 1})
	if len(f.s.Moves()) > 0 {
		t.Fatalf("%+v", f.s.Moves())
	}
	f.s.Release(f.seq("r1"))
	f.pass(1)
	if d := cmp.Diff([]Move{{Seq: f.s.held[f.seq("r2")].seq, From: Free, To: 1, Cost: Balance{9}}}, f.s.Moves()); d != "" {
		t.Fatal(d)
	}
}

// TestExplainQuota: why a job of an account is not running.
func TestExplainQuota(t *testing.T) {
	f := newFleet(t, Config{})
	f.account("poor", Account{NoFree: true})
	f.account("wide", Account{NoFree: true, MaxFanout: 1}, 100)
	f.account("many", Account{LabelLimits: map[string]int{"os": 1}}, 0, 5)
	f.worker("w1", "os:a")
	f.worker("w2", "os:a")
	f.request("p", "poor", "", "")
	f.request("m1", "many", "", "")
	f.request("m2", "many", "", "")
	f.want(f.pass(0), given{"m1", "w1", 1})
	why := func(name string) Explanation {
		return f.s.Explain(f.of[name], Item{Seq: f.seq(name), Place: uint64(f.seq(name))}, f.s.now)
	}
	if e := why("p"); e.Cause != CauseNoQuota || e.Account != "poor" || e.Level != Free {
		t.Errorf("no quota: %+v", e)
	}
	if e := why("m2"); e.Cause != CauseLabelLimit || e.Level != 1 || e.Balance != (Balance{0, 5}) {
		t.Errorf("at the limit: %+v", e)
	}
	f.request("x1", "wide", "", "")
	f.request("x2", "wide", "", "")
	f.pass(1)
	if e := why("x2"); e.Cause != CauseFanout {
		t.Errorf("fan-out: %+v", e)
	}

	f = newFleet(t, Config{})
	f.account("a", Account{}, 1)
	f.worker("w", "")
	f.run("v", "", "w", Free)
	f.request("r", "a", "", "")
	f.pass(0)
	if e := f.s.Explain(f.of["r"], Item{Seq: f.seq("r")}, f.s.now); e.Cause != CausePreempting || e.Victim != f.seq("v") {
		t.Errorf("preempting: %+v", e)
	}
}
