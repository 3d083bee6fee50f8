package dispatch

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/google/go-cmp/cmp"
)

// at is so many seconds after 1970, the unit of the cases of the specification.
func at(seconds float64) time.Time { return time.Unix(0, int64(seconds*1e9)).UTC() }

func set(words string) Labels { return strings.Fields(words) }

// reporter is what a test, a benchmark or a random case reports to.
type reporter interface {
	Helper()
	Errorf(format string, args ...any)
	Fatal(args ...any)
	Fatalf(format string, args ...any)
}

// world is a pool with what a test says to it in few words.
type world struct {
	t      reporter
	s      *Scheduler
	r      *Reconciler
	events log
}

// log keeps events.
type log struct{ all []Event }

func (l *log) AddEvent(e Event) { l.all = append(l.all, e) }

func (l *log) WithFields(isCallback bool) EventSink { return marked{l, isCallback} }

type marked struct {
	log      *log
	callback bool
}

func (m marked) AddEvent(e Event) {
	e.IsCallback = m.callback
	m.log.AddEvent(e)
}

func (m marked) WithFields(isCallback bool) EventSink { return marked{m.log, isCallback} }

// take gives the events since the last call.
func (l *log) take() []Event {
	all := l.all
	l.all = nil
	return all
}

func newWorld(t reporter, cfg Config) *world {
	cfg.Recheck = 1
	s, err := NewWithConfig(at(0), cfg)
	if err != nil {
		t.Fatal(err)
	}
	return &world{t: t, s: s, r: New()}
}

func (w *world) ok(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) account(id AccountID, cfg AccountConfig, balance ...float64) {
	w.t.Helper()
	w.ok(w.s.AddAccount(id, &cfg, balance))
}

// request is a waiting task with base and provisionable labels.
func (w *world) request(id RequestID, account AccountID, base, provisionable string, t float64) {
	w.t.Helper()
	w.ok(w.s.AddRequest(&TaskRequest{
		ID: id, AccountID: account, EnqueueTime: at(t), BaseLabels: set(base), ProvisionableLabels: set(provisionable),
	}, at(t), nil, &w.events))
}

func (w *world) idle(id WorkerID, labels string, t float64) {
	w.t.Helper()
	w.ok(w.s.MarkIdle(id, set(labels), at(t), &w.events))
}

func (w *world) running(id RequestID, worker WorkerID, t float64) {
	w.t.Helper()
	w.ok(w.s.NotifyTaskRunning(id, worker, at(t), &w.events))
}

func (w *world) absent(id RequestID, t float64) {
	w.t.Helper()
	w.ok(w.s.NotifyTaskAbsent(id, at(t), &w.events))
}

// pass is RunOnce, by request.
func (w *world) pass() []Decision {
	all := w.s.RunOnce(&w.events)
	slices.SortFunc(all, func(a, b Decision) int { return strings.Compare(string(a.RequestID), string(b.RequestID)) })
	return all
}

func (w *world) want(got []Decision, want ...Decision) {
	w.t.Helper()
	for i := range want {
		want[i].Time = w.s.now
	}
	w.same(want, got)
}

func (w *world) same(want, got any, opts ...cmp.Option) {
	w.t.Helper()
	if d := cmp.Diff(want, got, opts...); d != "" {
		w.t.Fatalf("(-want +got):\n%s", d)
	}
}

// on is where a request runs: "" when it is queued, "gone" when it is not known.
func (w *world) on(id RequestID) WorkerID {
	r := w.s.requests[id]
	switch {
	case r == nil:
		return "gone"
	case r.worker == nil:
		return ""
	}
	return r.worker.id
}

func (w *world) wantOn(id RequestID, worker WorkerID) {
	w.t.Helper()
	if got := w.on(id); got != worker {
		w.t.Fatalf("task %s is on %q, want %q", id, got, worker)
	}
}

func (w *world) wantWorker(id WorkerID, known bool) {
	w.t.Helper()
	if _, ok := w.s.GetWorker(id); ok != known {
		w.t.Fatalf("worker %s known: %v, want %v", id, ok, known)
	}
}

func (w *world) wantBalance(id AccountID, values ...float64) {
	w.t.Helper()
	want, err := balanceOf(values)
	w.ok(err)
	got, ok := w.s.GetBalances()[id]
	if !ok {
		w.t.Fatalf("account %s has no balance", id)
	}
	w.same(want, got)
}

func (w *world) wantExamined(id RequestID, t float64) {
	w.t.Helper()
	r, _ := w.s.GetRequest(id)
	if !r.ExaminedTime.Equal(at(t)) {
		w.t.Fatalf("task %s was examined at %v, want %v", id, r.ExaminedTime, at(t))
	}
}

// calls is AssignTasks: workers are "ID label label".
func (w *world) calls(t float64, workers ...string) []Assignment {
	var list []*IdleWorker
	for _, one := range workers {
		words := strings.Fields(one)
		list = append(list, &IdleWorker{ID: WorkerID(words[0]), Labels: words[1:]})
	}
	return w.r.AssignTasks(context.Background(), w.s, at(t), &w.events, list...)
}

func (w *world) tellWaiting(id RequestID, account AccountID, provisionable string, t float64) {
	w.t.Helper()
	w.ok(w.r.NotifyTaskWaiting(context.Background(), w.s, &w.events, &TaskWaitingRequest{
		RequestID: id, AccountID: account, ProvisionableLabels: set(provisionable), EnqueueTime: at(t), Time: at(t),
	}))
}

func (w *world) tellRunning(id RequestID, worker WorkerID, t float64) {
	w.t.Helper()
	w.ok(w.r.NotifyTaskRunning(context.Background(), w.s, &w.events, &TaskRunningRequest{RequestID: id, WorkerID: worker, Time: at(t)}))
}

func (w *world) tellAbsent(id RequestID, t float64) {
	w.t.Helper()
	w.ok(w.r.NotifyTaskAbsent(context.Background(), w.s, &w.events, &TaskAbsentRequest{RequestID: id, Time: at(t)}))
}

func (w *world) wantCancelled(want ...Cancellation) {
	w.t.Helper()
	w.same(want, w.r.Cancellations(context.Background()))
}
