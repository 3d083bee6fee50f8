package external

import (
	"testing"
	"time"

	"github.com/muster-queue/muster/job"
)

// Times ahead of the server's clock move no pool: no account gains by them, what was
// decided stays so, and later news, told now, count.
func TestTimesAhead(t *testing.T) {
	w := newWorld(t, Config{})
	w.create("p")
	ctx := t.Context()
	a := job.Account{Name: "a", Rate: job.Quota{1}, Window: time.Hour}
	if _, err := w.Accounts("", "p").AddAccount(ctx, a, job.Quota{}, "tester"); err != nil {
		t.Fatal(err)
	}
	ahead := noon.Add(MaxAhead)
	far := noon.Add(1000 * time.Hour)
	w.tell(waiting, "", "decided", "other")
	if got := w.idle("w"); got != "decided" {
		t.Fatalf("w got %q", got)
	}
	if _, err := w.AssignTasks(ctx, "", "p", ahead, nil); err != nil {
		t.Fatal(err)
	}
	if _, err := w.AssignTasks(ctx, "", "p", ahead.Add(1), nil); !job.IsKind(err, job.Invalid) {
		t.Errorf("too far ahead: %v", err)
	}
	news := func(id string, state State, worker string, at time.Time) News {
		return News{Time: at, Task: Task{ID: id, State: state, Worker: worker, Slices: [][]string{{"os:linux"}}, Enqueued: far}}
	}
	// Out of order, as any call may be.
	err := w.NotifyTasks(ctx, "", "p", []News{news("other", running, "w2", far), news("other", waiting, "", ahead)}, false)
	if err != nil {
		t.Fatal(err)
	}
	info, err := w.Get(ctx, "", "p")
	if err != nil || !info.Time.Equal(noon) || info.Running != 2 || info.Unacknowledged != 1 {
		t.Errorf("%+v, %v", info, err)
	}
	if got, err := w.Accounts("", "p").Account(ctx, "a"); err != nil || got.Balance != (job.Quota{}) {
		t.Errorf("the account has %v, %v", got.Balance, err)
	}
	w.pass(time.Second)
	w.tell(completed, "", "other", "decided")
	if info, _ := w.Get(ctx, "", "p"); info.Waiting+info.Running != 0 {
		t.Errorf("later news do not count: %+v", info)
	}
}

// A wipe heals a pool whose time is ahead, since the server's clock was set back.
func TestWipeHealsTheClock(t *testing.T) {
	w := newWorld(t, Config{})
	w.create("p")
	if got := w.idle("w"); got != "" {
		t.Fatalf("got %q", got)
	}
	a := job.Account{Name: "a", Rate: job.Quota{1}, Window: time.Hour}
	if _, err := w.Accounts("", "p").AddAccount(t.Context(), a, job.Quota{}, "tester"); err != nil {
		t.Fatal(err)
	}
	w.pass(-time.Hour)
	if _, err := w.Wipe(t.Context(), "", "p", "tester"); err != nil {
		t.Fatal(err)
	}
	w.restart()
	if info, err := w.Get(t.Context(), "", "p"); err != nil || !info.Time.Equal(noon.Add(-time.Hour)) {
		t.Errorf("%+v, %v", info, err)
	}
	w.pass(time.Minute)
	w.idle("w")
	if got, err := w.Accounts("", "p").Account(t.Context(), "a"); err != nil || got.Balance != (job.Quota{60}) {
		t.Errorf("%v, %v", got.Balance, err)
	}
}
