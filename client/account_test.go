package client_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/muster-queue/muster/client"
	"github.com/muster-queue/muster/job"
	"github.com/muster-queue/muster/server"
)

func TestAccounts(t *testing.T) {
	ctx := t.Context()
	ns := ready(t)
	accounts := ns.Accounts("")
	want := job.Account{
		Name: "lab", Description: "the lab", Window: 2 * time.Hour, MaxFanout: 3, LabelLimits: map[string]int{"gpu": 2}, NoFree: true,
	}
	made, err := accounts.Add(ctx, &want, job.Quota{0, 7})
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(want, made.Account); d != "" || made.Balance != (job.Quota{0, 7}) || made.At.IsZero() {
		t.Errorf("%s %v at %v", d, made.Balance, made.At)
	}
	if _, err := accounts.Add(ctx, &want, job.Quota{}); !job.IsKind(err, job.Exists) {
		t.Errorf("again: %v", err)
	}
	if i, err := accounts.Add(ctx, &job.Account{Name: "a"}, job.Quota{}); err != nil || i.Window != job.DefaultWindow {
		t.Errorf("without a window: %v, %v", i, err)
	}
	changed, err := accounts.Set(ctx, &job.Account{Name: "lab", Rate: job.Quota{2, 0, 0.5}}, "rate", "no_free")
	want.Rate, want.NoFree = job.Quota{2, 0, 0.5}, false
	if err != nil || cmp.Diff(want, changed.Account) != "" {
		t.Errorf("changed: %v, %v", changed, err)
	}
	if c := changed.Cap(); c != (job.Quota{14400, 0, 3600}) {
		t.Errorf("cap: %v", c)
	}
	if i, err := accounts.Reset(ctx, "lab"); err != nil || i.Balance[1] != 0 {
		t.Errorf("reset: %v, %v", i, err)
	}
	names := func() (names []string) {
		for _, a := range collect(t, accounts.All(ctx)) {
			names = append(names, a.Name)
		}
		return names
	}
	if got := names(); !cmp.Equal(got, []string{"a", "lab"}) {
		t.Errorf("listed: %v", got)
	}
	if err := accounts.Remove(ctx, "lab"); err != nil {
		t.Error(err)
	}
	if got := names(); !cmp.Equal(got, []string{"a"}) {
		t.Errorf("listed: %v", got)
	}
	if _, err := accounts.Get(ctx, "lab"); !job.IsKind(err, job.NotFound) {
		t.Errorf("gone: %v", err)
	}
	if _, err := ns.Accounts("nowhere").Get(ctx, "lab"); !job.IsKind(err, job.NotFound) {
		t.Errorf("of no pool: %v", err)
	}
}

// What a lost answer was about is not done twice: a repeated add of an account is
// told that it was made, not that it is there.
func TestAccountsOverBadConnections(t *testing.T) {
	s := serve(t, server.Config{})
	change, dials := frailty(t, 300)
	accounts := dial(t, s, change).Namespace("").Accounts("")
	for i := range 50 {
		name := string(rune('a'+i%26)) + string(rune('a'+i/26))
		if _, err := accounts.Add(t.Context(), &job.Account{Name: name}, job.Quota{1}); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if _, err := accounts.Reset(t.Context(), name); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
	}
	if n := len(collect(t, accounts.All(t.Context()))); n != 50 || dials.Load() < 5 {
		t.Errorf("%d accounts after %d connections", n, dials.Load())
	}
}

func TestWhoPays(t *testing.T) {
	ctx := t.Context()
	ns := ready(t)
	if err := ns.SetDefaultAccount(ctx, "rest"); err != nil {
		t.Fatal(err)
	}
	if s, err := ns.Summary(ctx); err != nil || s.DefaultAccount != "rest" {
		t.Errorf("%+v, %v", s, err)
	}
	own := line("a")
	own.Account = "own"
	a := ns.Add(ctx, client.AddOptions{})
	for _, j := range []*job.Job{own, line("b")} {
		if err := a.Add(j, 0); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := a.Close(); err != nil {
		t.Fatal(err)
	}
	for account, command := range map[string]string{"own": "a", "rest": "b"} {
		list := collect(t, ns.List(ctx, client.Filter{Account: account}, client.Detail{}))
		if len(list) != 1 || list[0].Account != account || list[0].Job.Command.Line != command {
			t.Errorf("%s pays for %v", account, list)
		}
	}
}
