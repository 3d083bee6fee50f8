package external

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/muster-queue/muster/dispatch"
	"github.com/muster-queue/muster/job"
)

// NotifyTasks tells a pool how tasks stand, and returns when that is stored. A task
// that is not as it should be becomes an error, which Cancellations has. News that
// name no task are left out, which the server's log says: who repeats a call until
// it succeeds must not be stuck. Times ahead of the server's clock count as now. A
// pool that is full refuses new tasks as Exhausted; the rest of the call is done.
// callback says that the news were asked for.
func (s *Scheduler) NotifyTasks(ctx context.Context, namespace, pool string, news []News, callback bool) error {
	if len(news) > MaxNews {
		return job.Errorf(job.Invalid, "%d notifications; at most %d in one call", len(news), MaxNews)
	}
	updates, nameless := s.updates(news)
	return s.do(ctx, id{namespace, pool}, &op{phase: notify, do: func(t *turn) error {
		t.leftOut(len(news)-len(updates), nameless)
		return t.tell(updates, callback)
	}})
}

// complainEvery is how often the log says at most that news of a pool were left out.
const complainEvery = time.Minute

// leftOut notes news that name no task, and why the first does not.
func (t *turn) leftOut(n int, why error) {
	if n == 0 {
		return
	}
	if t.nameless += int64(n); t.now.Sub(t.complained) < complainEvery {
		return
	}
	t.scheduler.cfg.Logger.Warn("news that name no task were left out; the dispatcher should be mended",
		"pool", t.id, "news", t.nameless, "error", why)
	t.nameless, t.complained = 0, t.now
}

// update is what one of the news changes.
type update func(t *turn, events dispatch.EventSink) error

// tell does what news change; the error is the first one that there was.
func (t *turn) tell(updates []update, callback bool) error {
	events := t.state.events.WithFields(callback)
	var first error
	for _, u := range updates {
		if err := u(t, events); err != nil && first == nil {
			first = err
		}
	}
	return first
}

// updates are what news change; the error is what is wrong with the first that name
// no task.
func (s *Scheduler) updates(news []News) (updates []update, nameless error) {
	now := s.cfg.Now()
	updates = make([]update, 0, len(news))
	for _, n := range inOrder(news, now) {
		if err := job.CheckName("id of the task", n.Task.ID); err != nil {
			nameless = cmp.Or(nameless, err)
			continue
		}
		u, err := n.update(now)
		if err != nil {
			u = mistaken(n.Task.ID, err)
		}
		updates = append(updates, u)
	}
	return updates, nameless
}

// inOrder is a copy of news without times to come. If a clock is ahead, the order of
// what it said is kept.
func inOrder(news []News, now time.Time) []News {
	list := slices.Clone(news)
	ahead := func(n News) bool { return n.Time.After(now) }
	if slices.ContainsFunc(list, ahead) {
		slices.SortStableFunc(list, func(a, b News) int { return cmp.Or(a.Time, now).Compare(cmp.Or(b.Time, now)) })
	}
	for i := range list {
		if n := &list[i]; n.Time.IsZero() || ahead(*n) {
			n.Time = now
		}
	}
	return list
}

// mistaken notes what is wrong with a task.
func mistaken(task string, why error) update {
	return func(t *turn, _ dispatch.EventSink) error { return t.mistaken(dispatch.RequestID(task), why) }
}

func (t *turn) mistaken(task dispatch.RequestID, why error) error {
	if err := t.room(task); err != nil {
		return err
	}
	return t.state.Reconciler.AddTaskError(task, why)
}

// room refuses a task that is new to a pool that is full.
func (t *turn) room(task dispatch.RequestID) error {
	s := t.state.Scheduler
	if s.WaitingRequests()+s.RunningRequests()+t.state.Reconciler.TaskErrors() < t.scheduler.cfg.MaxTasks {
		return nil
	}
	if _, known := s.GetRequest(task); known {
		return nil
	}
	return job.Errorf(job.Exhausted, "the pool has %d tasks, which is all it may; new ones are taken when some have ended", t.scheduler.cfg.MaxTasks)
}

// update is what the news change; an error is what is wrong with the task.
func (n *News) update(now time.Time) (update, error) {
	if err := cmp.Or(n.Wrong, checkOld(n.Time)); err != nil {
		return nil, err
	}
	category, known := n.Task.State.category()
	switch {
	case !known:
		return nil, job.Errorf(job.Invalid, "its state %#x is unknown", int32(n.Task.State))
	case category == waiting:
		return n.waits(now)
	case category == running:
		return n.runs()
	}
	return n.gone(), nil
}

// waits is that a task waits.
func (n *News) waits(now time.Time) (update, error) {
	r, err := n.request(now)
	if err != nil {
		return nil, err
	}
	return func(t *turn, events dispatch.EventSink) error {
		if err := t.room(r.RequestID); err != nil {
			return err
		}
		if err := t.state.Reconciler.NotifyTaskWaiting(t.ctx, t.state.Scheduler, events, r); err != nil {
			return t.mistaken(r.RequestID, err)
		}
		return nil
	}, nil
}

func (n *News) request(now time.Time) (*dispatch.TaskWaitingRequest, error) {
	task := &n.Task
	if err := checkTexts("tag", task.Tags); err != nil {
		return nil, err
	}
	for _, slice := range task.Slices {
		if err := checkTexts("dimension", slice); err != nil {
			return nil, err
		}
	}
	base, provisionable, err := Labels(task.Slices)
	if err != nil {
		return nil, err
	}
	account, err := Account(task.Tags)
	if err != nil {
		return nil, err
	}
	enqueued := earlier(cmp.Or(task.Enqueued, n.Time), now)
	if err := checkOld(enqueued); err != nil {
		return nil, err
	}
	return &dispatch.TaskWaitingRequest{
		RequestID: dispatch.RequestID(task.ID), AccountID: dispatch.AccountID(account), Time: n.Time, EnqueueTime: enqueued,
		BaseLabels: base, ProvisionableLabels: provisionable, Tags: task.Tags,
	}, nil
}

// runs is that a task runs.
func (n *News) runs() (update, error) {
	if err := job.CheckName("id of the worker it runs on", n.Task.Worker); err != nil {
		return nil, err
	}
	r := &dispatch.TaskRunningRequest{
		RequestID: dispatch.RequestID(n.Task.ID), WorkerID: dispatch.WorkerID(n.Task.Worker), Time: n.Time,
	}
	return func(t *turn, events dispatch.EventSink) error {
		return t.state.Reconciler.NotifyTaskRunning(t.ctx, t.state.Scheduler, events, r)
	}, nil
}

// gone is that a task has ended, or will never run.
func (n *News) gone() update {
	r := &dispatch.TaskAbsentRequest{
		RequestID: dispatch.RequestID(n.Task.ID), WorkerID: dispatch.WorkerID(n.Task.Worker), Time: n.Time,
	}
	return func(t *turn, events dispatch.EventSink) error {
		return t.state.Reconciler.NotifyTaskAbsent(t.ctx, t.state.Scheduler, events, r)
	}
}
