package external

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/muster-queue/muster/engine"
	"github.com/muster-queue/muster/job"
)

// What is wrong with a task is told as its cancellation, until it is known to be
// gone; what cannot be a task at all is left out.
func TestMistakenTasks(t *testing.T) {
	w := newWorld(t, Config{})
	w.create("p")
	slice := [][]string{{"a"}}
	for i, c := range []struct {
		Task
		why string
	}{
		{Task{State: 0x77, Slices: slice}, "0x77 is unknown"},
		{Task{State: waiting}, "0 slices"},
		{Task{State: waiting, Slices: [][]string{{"a"}, {"b"}}}, "must be a part of the first"},
		{Task{State: waiting, Slices: slice, Tags: []string{"qs_account:x", "qs_account:y"}}, "two tags say who pays"},
		{Task{State: waiting, Slices: [][]string{{strings.Repeat("x", MaxLabel+1)}}}, "a dimension of"},
		{Task{State: waiting, Slices: [][]string{{"a\nb"}}}, "control characters"},
		{Task{State: waiting, Slices: slice, Tags: make([]string, MaxLabels+1)}, "1001 tags"},
		{Task{State: waiting, Slices: slice, Tags: []string{"qs_account:a\x00"}}, "control characters"},
		{Task{State: running}, "the worker it runs on"},
		{Task{State: waiting, Slices: slice, Enqueued: time.Unix(-1, 0)}, "before 1970"},
	} {
		c.ID = fmt.Sprint("task", i)
		if err := w.NotifyTasks(t.Context(), "", "p", []News{{Task: c.Task}}, false); err != nil {
			t.Errorf("%d: %v", i, err)
		}
		w.restart()
		list, err := w.Cancellations(t.Context(), "", "p")
		if err != nil || len(list) != 1 || list[0].Task != c.ID || !list[0].Error || list[0].Worker != "" || !strings.Contains(list[0].Why, c.why) {
			t.Errorf("%d: %+v, %v", i, list, err)
		}
		w.pass(time.Second)
		w.tell(completed, "", c.ID)
		if list, _ := w.Cancellations(t.Context(), "", "p"); len(list) > 0 {
			t.Errorf("%d is gone: %+v", i, list)
		}
	}
	if err := w.NotifyTasks(t.Context(), "", "p", make([]News, MaxNews+1), false); !job.IsKind(err, job.Invalid) {
		t.Errorf("too many: %v", err)
	}
	if _, err := w.AssignTasks(t.Context(), "", "p", time.Time{}, make([]Worker, MaxIdle+1)); !job.IsKind(err, job.Invalid) {
		t.Errorf("too many: %v", err)
	}
	if _, err := w.AssignTasks(t.Context(), "", "p", time.Time{}, []Worker{{ID: "w", Labels: make([]string, MaxLabels+1)}}); !job.IsKind(err, job.Invalid) {
		t.Errorf("too many labels: %v", err)
	}
}

// News that name no task are left out of a call, and the log says so once a minute; the
// others are done.
func TestNamelessNews(t *testing.T) {
	var log bytes.Buffer
	w := newWorld(t, Config{Logger: slog.New(slog.NewTextHandler(&log, nil))})
	w.create("p")
	slice := [][]string{{"a"}}
	tell := func(good string) {
		t.Helper()
		news := []News{
			{Task: Task{State: waiting, Slices: slice}},
			{Task: Task{ID: strings.Repeat("x", job.MaxName+1), State: waiting, Slices: slice}},
			{Task: Task{ID: good, State: waiting, Slices: slice}},
			{Task: Task{ID: "wrong", State: waiting, Slices: slice}, Wrong: errors.New("not a time")},
		}
		if err := w.NotifyTasks(t.Context(), "", "p", news, false); err != nil {
			t.Error(err)
		}
	}
	tell("a")
	tell("b")
	w.pass(time.Minute)
	tell("c")
	if info, _ := w.Get(t.Context(), "", "p"); info.Waiting != 3 || info.TaskErrors != 1 {
		t.Errorf("%+v", info)
	}
	lines := strings.Split(strings.TrimSpace(log.String()), "\n")
	if len(lines) != 2 || !strings.Contains(lines[0], "news=2") || !strings.Contains(lines[1], "news=4") || !strings.Contains(lines[0], "the name is empty") {
		t.Errorf("the log has %q", lines)
	}
}

// A pool that is full takes no new tasks and workers; those it has go on.
func TestFullPool(t *testing.T) {
	w := newWorld(t, Config{MaxTasks: 2, MaxWorkers: 2})
	w.create("p")
	w.tell(waiting, "", "a", "b")
	slice := [][]string{{"os:linux"}}
	news := []News{{Task: Task{ID: "c", State: waiting, Slices: slice}}, {Task: Task{ID: "a", State: running, Worker: "w1"}}}
	if err := w.NotifyTasks(t.Context(), "", "p", news, false); !job.IsKind(err, job.Exhausted) {
		t.Errorf("a third: %v", err)
	}
	if info, _ := w.Get(t.Context(), "", "p"); info.Waiting != 1 || info.Running != 1 {
		t.Errorf("the rest of the call is not done: %+v", info)
	}
	w.tell(waiting, "", "b") // again
	if err := w.NotifyTasks(t.Context(), "", "p", []News{{Task: Task{ID: "x", State: 1}}}, false); !job.IsKind(err, job.Exhausted) {
		t.Errorf("a mistaken one: %v", err)
	}
	w.idle("w2")
	if _, err := w.AssignTasks(t.Context(), "", "p", time.Time{}, []Worker{{ID: "w3"}}); !job.IsKind(err, job.Exhausted) {
		t.Errorf("a third worker: %v", err)
	}
	if w.idle("w2") != "b" {
		t.Error("a worker that is known is refused")
	}
}

// The stalest tasks are asked about, and not the same again as long as others were
// not asked about.
func TestCallbacks(t *testing.T) {
	w := newWorld(t, Config{})
	w.create("p")
	for i := range 300 {
		w.pass(time.Second)
		w.tell(waiting, "", fmt.Sprintf("t%03d", i))
	}
	w.pass(time.Second)
	for i := range 40 {
		w.pass(time.Millisecond)
		w.tell(running, fmt.Sprintf("w%02d", i), fmt.Sprintf("t%03d", i))
	}
	ask := func() []string {
		w.pass(time.Second)
		list, err := w.Callbacks(t.Context(), "", "p")
		if err != nil {
			t.Fatal(err)
		}
		return list
	}
	first := []string{"t040", "t041", "t042", "t000", "t001"}
	if got := ask(); !slices.Equal(got, first) {
		t.Errorf("first %q", got)
	}
	if got := ask(); !slices.Equal(got, []string{"t043", "t044", "t045", "t002", "t003"}) {
		t.Errorf("then %q", got)
	}
	w.tell(waiting, "", "t046")
	if got := ask(); !slices.Equal(got, []string{"t047", "t048", "t049", "t004", "t005"}) {
		t.Errorf("after news of t046: %q", got)
	}
	seen := map[string]bool{}
	for range 200 {
		for _, id := range ask() {
			seen[id] = true
		}
	}
	if len(seen) != 300 {
		t.Errorf("%d of 300 tasks were ever asked about", len(seen))
	}
}

// Preemption: the victim is to be stopped, which is told with the reason until it is
// known to be gone; its worker gets the other; all of it over restarts.
func TestPreemption(t *testing.T) {
	w := newWorld(t, Config{})
	w.create("p")
	w.tell(waiting, "", "free")
	if got := w.idle("w"); got != "free" {
		t.Fatalf("got %q", got)
	}
	w.tell(running, "w", "free")
	a := job.Account{Name: "rich", Rate: job.Quota{1}, Window: time.Hour}
	if _, err := w.Accounts("", "p").AddAccount(t.Context(), a, job.Quota{100}, "tester"); err != nil {
		t.Fatal(err)
	}
	w.pass(time.Second)
	paid := News{Task: Task{ID: "paid", State: waiting, Slices: [][]string{{"os:linux"}}, Tags: []string{"qs_account:rich"}}}
	if err := w.NotifyTasks(t.Context(), "", "p", []News{paid}, false); err != nil {
		t.Fatal(err)
	}
	w.pass(time.Second)
	if _, err := w.AssignTasks(t.Context(), "", "p", time.Time{}, nil); err != nil {
		t.Fatal(err)
	}
	w.restart()
	list, err := w.Cancellations(t.Context(), "", "p")
	want := Cancellation{Worker: "w", Task: "free", Why: "preempted by task paid"}
	if err != nil || !slices.Equal(list, []Cancellation{want}) {
		t.Errorf("%+v, %v", list, err)
	}
	w.pass(time.Second)
	w.tell(0x33, "", "free")
	w.restart()
	if list, _ := w.Cancellations(t.Context(), "", "p"); len(list) > 0 {
		t.Errorf("gone, and still %+v", list)
	}
	if got := w.idle("w"); got != "paid" {
		t.Errorf("w got %q", got)
	}
	c := w.counters(id{job.DefaultNamespace, "p"})
	if c.Operations == 0 {
		t.Errorf("%+v", c)
	}
	var kinds []string
	ns, err := w.engine.Namespace(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	pool := "p"
	rows, _, err := ns.Events(t.Context(), engine.EventsRequest{Pool: &pool, Limit: 100})
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range rows {
		if err := r.Validate(); err != nil {
			t.Error(err)
		}
		kinds = append(kinds, r.Kind+" "+r.Task)
	}
	slices.Reverse(kinds)
	if want := []string{
		"pool_created ", "enqueued free", "assigned free", "account_added ", "enqueued paid", "assigned paid", "preempted free",
	}; !slices.Equal(kinds, want) {
		t.Errorf("the log has %q", kinds)
	}
}

// An unused pool leaves memory, and is there again when it is asked for.
func TestIdlePools(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, Config{Idle: time.Minute})
		w.create("p")
		w.tell(waiting, "", "a")
		time.Sleep(5 * time.Minute)
		w.Scheduler.mu.Lock()
		n := len(w.pools)
		w.Scheduler.mu.Unlock()
		if n != 0 {
			t.Errorf("%d pools are in memory", n)
		}
		if got := w.idle("w"); got != "a" {
			t.Errorf("got %q", got)
		}
	})
}

// A commit that fails is told as unknown; then the pool is what the store has.
func TestFailedCommit(t *testing.T) {
	w := newWorld(t, Config{})
	w.create("p")
	w.tell(waiting, "", "a", "b")
	w.store.fail.Store(true)
	list, err := w.AssignTasks(t.Context(), "", "p", time.Time{}, []Worker{{ID: "w", Labels: []string{"os:linux"}}})
	if !errors.Is(err, job.ErrUnknownOutcome) || len(list) > 0 {
		t.Errorf("%v, %v", list, err)
	}
	w.store.fail.Store(false)
	if info, err := w.Get(t.Context(), "", "p"); err != nil || info.Waiting != 2 || info.Running != 0 {
		t.Errorf("what was not stored is there: %+v, %v", info, err)
	}
	if got := w.idle("w"); got == "" {
		t.Error("the pool does not go on")
	}
}

// A namespace that is destroyed and made again has none of the old one's pools.
func TestDestroyedNamespace(t *testing.T) {
	w := newWorld(t, Config{})
	ctx := t.Context()
	if err := w.engine.CreateNamespace(ctx, "n"); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Create(ctx, "n", Settings{Name: "p"}, ""); err != nil {
		t.Fatal(err)
	}
	if err := w.engine.DestroyNamespace(ctx, "n", true); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Get(ctx, "n", "p"); !job.IsKind(err, job.NotFound) {
		t.Errorf("destroyed: %v", err)
	}
	if err := w.engine.CreateNamespace(ctx, "n"); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Get(ctx, "n", "p"); !job.IsKind(err, job.NotFound) {
		t.Errorf("made again: %v", err)
	}
}
