package dispatch

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"
)

// twin tells the pool and the model the same, and looks for differences.
type twin struct {
	p  *Pool
	m  *model
	st stored
	// latest is not before any news so far.
	latest int
	events log
}

var someAccounts = []AccountID{"a", "b", "c", ""}

// TestAgainstModel wants the same decisions, and the same state after every step, of the
// pool and of the model. The invariants that the model has by itself are then those of
// the pool: a worker runs at most one task; a task is queued, or runs on one worker, or is
// not known; news that are older than what is known change nothing; news that come twice
// are as good as once.
func TestAgainstModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		calm := rapid.IntRange(0, 4).Draw(t, "calm") == 0
		p, err := NewPool(at(1000), Config{Recheck: 1, DisablePreemption: calm})
		if err != nil {
			t.Fatal(err)
		}
		w := &twin{p: p, m: newModel(someAccounts...), st: stored{}, latest: 1000}
		w.m.now, w.m.preempt = 1000, !calm
		w.m.number = func(id WorkerID) uint32 { return uint32(w.p.Scheduler.workers[id].number) }
		for range 3 {
			w.account(t)
			w.idle(t)
			w.waiting(t)
		}
		t.Repeat(map[string]func(*rapid.T){
			"account":     w.account,
			"reset":       w.reset,
			"delete":      w.delete,
			"waiting":     w.waiting,
			"idle":        w.idle,
			"running":     w.running,
			"absent":      w.absent,
			"error":       w.taskError,
			"unassign":    w.unassign,
			"time":        w.time,
			"pass":        w.pass,
			"assign":      w.assign,
			"assign too":  w.assign,
			"running too": w.running,
			"reread":      w.reread,
			"":            w.check,
		})
	})
}

func (w *twin) ok(t *rapid.T, err error) {
	if err != nil {
		t.Fatal(err)
	}
}

// when is the time of some news: mostly new, sometimes late.
func (w *twin) when(t *rapid.T) int {
	when := w.latest + rapid.SampledFrom([]int{-400, -20, -1, 0, 0, 1, 1, 5}).Draw(t, "when")
	w.latest = max(w.latest, when)
	return when
}

func drawTask(t *rapid.T) RequestID {
	return RequestID(rapid.StringMatching(`r[0-6]`).Draw(t, "task"))
}

func drawWorker(t *rapid.T) WorkerID {
	return WorkerID(rapid.StringMatching(`w[0-3]`).Draw(t, "worker"))
}

func drawLabels(t *rapid.T, from ...string) (list Labels) {
	for _, l := range from {
		if rapid.IntRange(0, 2).Draw(t, l) == 0 {
			list = append(list, l)
		}
	}
	return list
}

func sec(t int) time.Time { return at(float64(t)) }

// repeats is how often the pool is told the same.
func repeats(t *rapid.T) int { return rapid.SampledFrom([]int{1, 1, 2}).Draw(t, "repeats") }

func (w *twin) account(t *rapid.T) {
	name := rapid.SampledFrom(someAccounts[:3]).Draw(t, "account")
	a := &AccountConfig{
		MaxChargeSeconds: float64(rapid.SampledFrom([]int{0, 10, 1000}).Draw(t, "window")),
		MaxFanout:        rapid.SampledFrom([]int32{0, 0, 1, 2}).Draw(t, "fanout"),
		DisableFreeTasks: rapid.IntRange(0, 3).Draw(t, "no free") == 0,
	}
	for p := range 3 {
		a.ChargeRate[p] = float64(rapid.IntRange(0, 4).Draw(t, "rate")) / 2
	}
	if rapid.IntRange(0, 2).Draw(t, "limited") == 0 {
		a.PerLabelTaskLimits = map[string]int32{"os": rapid.Int32Range(0, 2).Draw(t, "limit")}
	}
	if old := w.m.accounts[name]; old != nil && rapid.Bool().Draw(t, "keep") {
		w.ok(t, w.p.Scheduler.SetAccountConfig(name, a))
		old.AccountConfig = a
		old.relevel()
		return
	}
	var b Balance
	for p := range 3 {
		b[p] = float64(rapid.SampledFrom([]int{-700, 0, 1, 30, 700}).Draw(t, "balance"))
	}
	w.ok(t, w.p.Scheduler.AddAccount(name, a, b[:]))
	w.m.accounts[name] = &modelAccount{AccountConfig: a, value: b}
	w.m.accounts[name].relevel()
}

func (w *twin) reset(t *rapid.T) {
	name := rapid.SampledFrom(someAccounts[:3]).Draw(t, "account")
	w.p.Scheduler.ResetBalance(name)
	if a := w.m.accounts[name]; a != nil {
		a.value = Balance{}
		a.relevel()
	}
}

func (w *twin) delete(t *rapid.T) {
	if rapid.IntRange(0, 2).Draw(t, "really") > 0 {
		t.Skip("seldom")
	}
	name := rapid.SampledFrom(someAccounts[:3]).Draw(t, "account")
	w.p.Scheduler.DeleteAccount(name)
	delete(w.m.accounts, name)
	for _, r := range w.m.tasks {
		if r.AccountID == name {
			r.level = FreeBucket
		}
	}
	w.m.forgetTurns()
}

func (w *twin) waiting(t *rapid.T) {
	for range rapid.IntRange(1, 3).Draw(t, "tasks") {
		w.waitingOne(t)
	}
}

func (w *twin) waitingOne(t *rapid.T) {
	when := w.when(t)
	req := &TaskRequest{
		ID: drawTask(t), AccountID: rapid.SampledFrom(someAccounts).Draw(t, "account"),
		EnqueueTime: sec(when - rapid.SampledFrom([]int{0, 0, 10, 46*hour - 300}).Draw(t, "age")),
		BaseLabels:  drawLabels(t, "os:a", "x"), ProvisionableLabels: drawLabels(t, "x", "y"),
	}
	for range repeats(t) {
		w.ok(t, w.p.Reconciler.NotifyTaskWaiting(t.Context(), w.p.Scheduler, &w.events, &TaskWaitingRequest{
			RequestID: req.ID, AccountID: req.AccountID, EnqueueTime: req.EnqueueTime, BaseLabels: req.BaseLabels,
			ProvisionableLabels: req.ProvisionableLabels, Time: sec(when),
		}))
	}
	w.m.waiting(req, when)
	w.m.forgetTurns()
}

func (w *twin) idle(t *rapid.T) {
	id, labels, when := drawWorker(t), drawLabels(t, "os:a", "os:b", "x", "y"), w.when(t)
	for range repeats(t) {
		w.ok(t, w.p.Scheduler.MarkIdle(id, labels, sec(when), &w.events))
	}
	w.m.idle(id, labels, when)
	w.m.forgetTurns()
}

func (w *twin) running(t *rapid.T) {
	id, worker, when := drawTask(t), drawWorker(t), w.when(t)
	if r := w.m.tasks[id]; r != nil && r.worker != "" && rapid.Bool().Draw(t, "there") {
		worker = r.worker
	}
	for range repeats(t) {
		w.ok(t, w.p.Reconciler.NotifyTaskRunning(t.Context(), w.p.Scheduler, &w.events, &TaskRunningRequest{
			RequestID: id, WorkerID: worker, Time: sec(when),
		}))
	}
	w.m.tellRunning(id, worker, when)
	w.m.forgetTurns()
}

func (w *twin) absent(t *rapid.T) {
	id, when := drawTask(t), w.when(t)
	for range repeats(t) {
		w.ok(t, w.p.Reconciler.NotifyTaskAbsent(t.Context(), w.p.Scheduler, &w.events, &TaskAbsentRequest{RequestID: id, Time: sec(when)}))
	}
	w.m.tellAbsent(id, when)
	w.m.forgetTurns()
}

func (w *twin) taskError(t *rapid.T) {
	id := drawTask(t)
	w.ok(t, w.p.Reconciler.AddTaskError(id, errors.New("bad")))
	w.m.errors[id] = "bad"
}

func (w *twin) unassign(t *rapid.T) {
	for _, r := range w.m.tasks {
		if r.worker == "" || r.ID != RequestID("r0") {
			continue
		}
		when := w.when(t)
		w.ok(t, w.p.Scheduler.Unassign(r.ID, r.worker, sec(when), &w.events))
		w.m.unassign(r.ID, when)
		w.m.forgetTurns()
		return
	}
	t.Skip("not assigned")
}

// later is a time for a pass: quota that is the same as at the last one preempts nobody.
func (w *twin) later(t *rapid.T) int {
	w.latest = max(w.latest, w.m.now) + rapid.SampledFrom([]int{1, 1, 2, 7, 30, 100, 700}).Draw(t, "seconds")
	return w.latest
}

func (w *twin) time(t *rapid.T) {
	when := w.m.now + rapid.SampledFrom([]int{-5, 0, 3, 200}).Draw(t, "seconds")
	w.p.Scheduler.UpdateTime(sec(when))
	w.m.update(when)
	w.m.forgetTurns()
}

func (w *twin) pass(t *rapid.T) {
	now := w.later(t)
	w.p.Scheduler.UpdateTime(sec(now))
	w.m.update(now)
	w.m.forgetTurns()
	known, b := len(w.m.tasks), w.p.Scheduler.before()
	want, got := w.m.pass(), w.p.Scheduler.RunOnce(&w.events)
	victims := 0
	for i := range want {
		want[i].Time = sec(now)
		victims += int(want[i].Type)
	}
	byTask := func(a, b Decision) int { return cmp.Compare(a.RequestID, b.RequestID) }
	slices.SortFunc(want, byTask)
	slices.SortFunc(got, byTask)
	if d := gocmp.Diff(want, got); d != "" {
		t.Fatalf("pass at %d (-model +pool):\n%s", now, d)
	}
	if len(w.p.Scheduler.requests) != known-victims {
		t.Fatalf("%d tasks, of %d with %d victims", len(w.p.Scheduler.requests), known, victims)
	}
	passKeeps(t, b, w.p.Scheduler, got)
	conserved(t, b, w.p.Scheduler, got)
	w.busyPass(t)
}

func (w *twin) assign(t *rapid.T) {
	now := w.later(t)
	var callers []*IdleWorker
	for range rapid.IntRange(0, 3).Draw(t, "callers") {
		c := &IdleWorker{ID: drawWorker(t), Labels: drawLabels(t, "os:a", "os:b", "x", "y")}
		if !slices.ContainsFunc(callers, func(o *IdleWorker) bool { return o.ID == c.ID }) {
			callers = append(callers, c)
		}
	}
	first := w.call(t, now, callers)
	w.check(t)
	// Who asks again gets the same, unless that had to give way.
	w.latest++
	again := w.call(t, now+1, callers)
	for _, a := range first {
		if q := w.p.Reconciler.queues[a.WorkerID]; !slices.Contains(again, a) && !slices.Contains(q.aborts, a.RequestID) {
			t.Fatalf("%v was not assigned again: %v", a, again)
		}
	}
}

func (w *twin) call(t *rapid.T, now int, callers []*IdleWorker) []Assignment {
	got := w.p.Reconciler.AssignTasks(t.Context(), w.p.Scheduler, sec(now), &w.events, callers...)
	if d := gocmp.Diff(w.m.assign(now, callers), got); d != "" {
		t.Fatalf("assigned at %d (-model +pool):\n%s", now, d)
	}
	return got
}

// reread goes on with the pool as a document or its records tell of it.
func (w *twin) reread(t *rapid.T) {
	tb := &world{t: t}
	old := w.p
	if rapid.Bool().Draw(t, "whole") {
		w.p, w.st = tb.reread(old), stored{}
		if !proto.Equal(old.ToProto(), w.p.ToProto()) {
			t.Fatalf("it was %v, is %v", old.ToProto(), w.p.ToProto())
		}
	} else {
		w.st.put(old.Changed())
		w.p = w.st.load(t)
	}
	tb.samePool(old, w.p)
	w.learn()
	w.pass(t)
}

// learn tells the model what is not kept: when accounts were served, what came first of
// what came at once, and of records when tasks were examined.
func (w *twin) learn() {
	clear(w.m.served)
	for id, r := range w.p.Scheduler.requests {
		w.m.tasks[id].seq, w.m.tasks[id].examined = int(r.seq), int(r.examined.Unix())
	}
	w.m.seq = int(w.p.Scheduler.lastSeq)
}

// check wants all that can be seen to be the same.
func (w *twin) check(t *rapid.T) {
	s := w.p.Scheduler
	if d := gocmp.Diff(w.m.view(), w.p.seen()); d != "" {
		t.Fatalf("(-model +pool):\n%s", d)
	}
	if len(s.requests) != s.WaitingRequests()+s.RunningRequests() || s.core.Ready() != int64(s.waiting) {
		t.Fatalf("%d tasks, %d wait (%d below), %d run", len(s.requests), s.waiting, s.core.Ready(), s.RunningRequests())
	}
	for _, q := range w.p.Reconciler.WorkerQueues() {
		if slices.Contains(q.TasksToAbort, q.TaskToAssign) {
			t.Fatalf("worker %s is to run and to stop %s", q.WorkerID, q.TaskToAssign)
		}
	}
}

// seen is all that can be seen, in words.
type seen struct {
	Tasks, Workers, Queues []string
	Balances               map[AccountID]Balance
	Cancel                 []Cancellation
}

func (m *model) view() (v seen) {
	v.Balances = map[AccountID]Balance{}
	for id, a := range m.accounts {
		v.Balances[id] = a.value
	}
	for id, r := range m.tasks {
		if r.worker == "" {
			v.Tasks = append(v.Tasks, fmt.Sprint(id, " of ", r.AccountID, r.EnqueueTime.Unix(), r.BaseLabels, r.ProvisionableLabels, r.confirmed, r.examined))
		}
	}
	for id, w := range m.workers {
		row := fmt.Sprint(id, " has ", w.labels, w.confirmed, w.modified)
		if r := m.runningOn(id); r != nil {
			row += fmt.Sprint(" runs ", r.ID, " of ", r.AccountID, r.level, r.cost, r.confirmed)
		}
		v.Workers = append(v.Workers, row)
	}
	for id, q := range m.queues {
		v.Queues = append(v.Queues, fmt.Sprint(id, q.enqueued, q.assign, q.aborts))
	}
	v.Cancel = m.cancellations()
	v.sort()
	return v
}

func (p *Pool) seen() (v seen) {
	v.Balances = p.Scheduler.GetBalances()
	for id, r := range p.Scheduler.GetWaitingRequests() {
		v.Tasks = append(v.Tasks, fmt.Sprint(id, " of ", r.AccountID, r.EnqueueTime.Unix(), r.BaseLabels, r.ProvisionableLabels, r.ConfirmedTime.Unix(), r.ExaminedTime.Unix()))
	}
	for id, w := range p.Scheduler.GetWorkers() {
		row := fmt.Sprint(id, " has ", w.Labels, w.ConfirmedTime.Unix(), w.ModifiedTime.Unix())
		if r := w.Running; r != nil {
			row += fmt.Sprint(" runs ", r.Request.ID, " of ", r.Request.AccountID, r.Priority, r.Cost, r.Request.ConfirmedTime.Unix())
		}
		v.Workers = append(v.Workers, row)
	}
	for _, q := range p.Reconciler.WorkerQueues() {
		v.Queues = append(v.Queues, fmt.Sprint(q.WorkerID, q.EnqueueTime.Unix(), q.TaskToAssign, q.TasksToAbort))
	}
	v.Cancel = p.Reconciler.Cancellations(context.Background())
	v.sort()
	return v
}

func (v *seen) sort() {
	for _, list := range [][]string{v.Tasks, v.Workers, v.Queues} {
		slices.SortFunc(list, func(a, b string) int { return cmp.Compare(a, b) })
	}
}
