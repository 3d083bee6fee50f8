package dispatch

import (
	"math"
	"strings"
	"testing"

	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/muster-queue/muster/dispatch/dispatchpb"
	"github.com/muster-queue/muster/job"
)

// given is a request that runs when a test begins.
type given struct {
	id      RequestID
	account AccountID
	worker  string // "ID label label"
	level   Priority
	cost    []float64
}

// loaded is a world at a time with accounts, of which some run something.
func loaded(t reporter, now float64, cfg Config, balances map[AccountID][]float64, runs ...given) *world {
	t.Helper()
	w := newWorld(t, cfg)
	doc := w.s.ToProto()
	doc.State.LastUpdateTime = timestamppb.New(at(now))
	for id, b := range balances {
		doc.State.Balances[string(id)] = &dispatchpb.Balance{Value: b}
	}
	for _, g := range runs {
		words := strings.Fields(g.worker)
		p := &dispatchpb.Worker{ConfirmedTime: timestamppb.New(at(0)), RunningTask: &dispatchpb.TaskRun{
			RequestId: string(g.id), Priority: int32(g.level), Cost: g.cost, Request: &dispatchpb.TaskRequest{AccountId: string(g.account)},
		}}
		for _, l := range words[1:] {
			id := uint64(len(doc.State.LabelMap) + 1)
			doc.State.LabelMap[id] = l
			p.LabelIds = append(p.LabelIds, id)
		}
		doc.State.Workers[words[0]] = p
	}
	s, err := NewSchedulerFromProto(doc)
	if err != nil {
		t.Fatal(err)
	}
	w.s = s
	return w
}

// rates is an account of these rates.
func rates(window float64, rate ...float64) *AccountConfig {
	c := &AccountConfig{MaxChargeSeconds: window}
	copy(c.ChargeRate[:], rate)
	return c
}

// running makes as many runs of account a at each level.
func running(numbers ...int) (list []given) {
	for level, n := range numbers {
		for range n {
			name := string(rune('a' + len(list)))
			list = append(list, given{RequestID("r" + name), "a", "w" + name, Priority(level), nil})
		}
	}
	return list
}

// TestBestPriority has the cases 1 to 3.
func TestBestPriority(t *testing.T) {
	for _, c := range []struct {
		balance []float64
		want    Priority
	}{{nil, FreeBucket}, {[]float64{0, 1, 0}, 1}, {[]float64{-9, 0, 0.001}, 2}} {
		w := newWorld(t, Config{})
		w.account("a", AccountConfig{}, c.balance...)
		w.request("r", "a", "", "", 0)
		w.idle("w", "", 0)
		w.want(w.pass(), Decision{WorkerID: "w", RequestID: "r", Priority: c.want})
	}
}

// TestUpdateTime has the cases 4 to 8 and 11.
func TestUpdateTime(t *testing.T) {
	for _, c := range []struct {
		name          string
		cfg           *AccountConfig
		balance, want []float64
		runs          []given
		seconds       float64
	}{
		{"4", rates(10, 1, 2, 3), nil, []float64{0, 2, 4}, running(1, 1, 1), 2},
		{"5", rates(10, 1, 1, 1), []float64{9.5, 12, 10.5, 0}, []float64{10, 11, 10, -1}, running(0, 1, 1, 1), 1},
		{"6", rates(2, 1, 2, 3), nil, []float64{1, 2, 3}, nil, 1},
		{"7", rates(2, 1, 2, 3), nil, []float64{2, 4, 6}, nil, 10},
		{"8", rates(2, 1, 2, 3), nil, []float64{-1, 2, 3}, running(2), 1},
		{"11", rates(2, 1, 2, 3), []float64{1}, []float64{1}, running(2), -1},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := loaded(t, 10, Config{AccountConfigs: map[AccountID]*AccountConfig{"a": c.cfg}}, map[AccountID][]float64{"a": c.balance}, c.runs...)
			w.s.UpdateTime(at(10 + c.seconds))
			w.wantBalance("a", c.want...)
			if c.seconds < 0 && !w.s.Time().Equal(at(10)) {
				t.Errorf("the time is %v", w.s.Time())
			}
		})
	}
}

// TestStepwise: quota above the cap is only spent, and reckoned at every step.
func TestStepwise(t *testing.T) {
	w := loaded(t, 0, Config{AccountConfigs: map[AccountID]*AccountConfig{"a": rates(20, 0.5)}}, map[AccountID][]float64{"a": {12}}, running(1)...)
	for second := range 5 {
		w.s.UpdateTime(at(float64(second + 1)))
	}
	w.wantBalance("a", 8.5)
}

// TestAccounts has the cases 9, 10, 12 and 13.
func TestAccounts(t *testing.T) {
	w := loaded(t, 0, Config{}, map[AccountID][]float64{"ghost": {5}})
	w.s.UpdateTime(at(1))
	w.same(map[AccountID]Balance{}, w.s.GetBalances())

	w.account("a", AccountConfig{})
	w.wantBalance("a")
	if err := w.s.AddAccount("b", nil, []float64{1, 2, 3, 4, 5, 6}); !job.IsKind(err, job.Invalid) {
		t.Errorf("12: %v", err)
	}
	w.account("a", AccountConfig{}, 7)
	w.wantBalance("a", 7)
	w.s.ResetBalance("a")
	w.s.ResetBalance("nobody")
	w.wantBalance("a")
	w.s.DeleteAccount("a")
	w.s.DeleteAccount("a")
	w.same(map[AccountID]Balance{}, w.s.GetBalances())
	if n := len(w.s.Config().AccountConfigs); n > 0 {
		t.Errorf("%d accounts are configured", n)
	}
}

// TestSetAccountConfig: other settings, the same balance.
func TestSetAccountConfig(t *testing.T) {
	w := newWorld(t, Config{})
	w.account("a", AccountConfig{}, 7)
	w.ok(w.s.SetAccountConfig("a", rates(100, 1)))
	w.s.UpdateTime(at(3))
	w.wantBalance("a", 10)
	if err := w.s.SetAccountConfig("b", nil); !job.IsKind(err, job.NotFound) {
		t.Errorf("of no account: %v", err)
	}
}

// TestDeleteAccountRuns: what runs goes on, for free.
func TestDeleteAccountRuns(t *testing.T) {
	w := newWorld(t, Config{})
	w.account("a", AccountConfig{}, 7)
	w.request("r", "a", "", "", 0)
	w.idle("w", "", 0)
	w.pass()
	w.s.UpdateTime(at(2))
	w.s.DeleteAccount("a")
	w.s.UpdateTime(at(5))
	got, _ := w.s.GetWorker("w")
	if r := got.Running; r == nil || r.Priority != FreeBucket || r.Cost != (Balance{2}) {
		t.Errorf("it runs as %+v", r)
	}
}

// TestConfig has the case 14, and settings that are refused.
func TestConfig(t *testing.T) {
	c := AccountConfigFromProto(&dispatchpb.AccountConfig{
		ChargeRate: []float64{1, 2, 3}, MaxChargeSeconds: 10, PerLabelTaskLimits: map[string]int32{"label-model": 2}, Description: "foo",
	})
	want := &AccountConfig{
		ChargeRate: Balance{1, 2, 3, 0, 0}, MaxChargeSeconds: 10, PerLabelTaskLimits: map[string]int32{"label-model": 2}, Description: "foo",
	}
	w := newWorld(t, Config{})
	w.same(want, c)
	w.same(want, AccountConfigFromProto(c.ToProto()))
	a := c.Account("x")
	w.same(want, ConfigOf(&a))
	w.same(&AccountConfig{}, (&AccountConfig{PerLabelTaskLimits: map[string]int32{}}).clone())
	w.same(Balance{1, 2, 3, 4, 5}, AccountConfigFromProto(&dispatchpb.AccountConfig{ChargeRate: []float64{1, 2, 3, 4, 5, 6}}).ChargeRate)

	for name, bad := range map[string]*AccountConfig{
		"rate":        rates(1, -1),
		"no number":   rates(1, math.NaN()),
		"window":      rates(math.Inf(1), 1),
		"no window":   rates(math.NaN(), 1),
		"fan-out":     {MaxFanout: -1},
		"limit":       {PerLabelTaskLimits: map[string]int32{"a": -1}},
		"key":         {PerLabelTaskLimits: map[string]int32{"": 1}},
		"description": {Description: "\xff"},
	} {
		if err := w.s.AddAccount("a", bad, nil); !job.IsKind(err, job.Invalid) {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := NewWithConfig(at(0), Config{AccountConfigs: map[AccountID]*AccountConfig{"a": bad}}); !job.IsKind(err, job.Invalid) {
			t.Errorf("%s, when made: %v", name, err)
		}
	}
	if err := w.s.AddAccount("", nil, nil); !job.IsKind(err, job.Invalid) {
		t.Errorf("no name: %v", err)
	}
	if err := w.s.AddAccount("a", nil, []float64{math.Inf(1)}); !job.IsKind(err, job.Invalid) {
		t.Errorf("without end: %v", err)
	}
}
