package external

import (
	"context"
	"time"

	"github.com/muster-queue/muster/dispatch"
	"github.com/muster-queue/muster/job"
)

// NotifyTasks tells a pool how tasks stand, and returns when that is stored. News
// that say nothing of a task that can be understood (no id) are refused as
// Invalid, all of the call; a task that is not as it should be becomes an error,
// which Cancellations has. A pool that is full refuses new tasks as Exhausted;
// the rest of the call is done. callback says that the news were asked for.
func (s *Scheduler) NotifyTasks(ctx context.Context, namespace, pool string, news []News, callback bool) error {
	if len(news) > MaxNews {
		return job.Errorf(job.Invalid, "%d notifications; at most %d in one call", len(news), MaxNews)
	}
	updates, err := s.updates(news)
	if err != nil {
		return err
	}
	return s.do(ctx, id{namespace, pool}, &op{phase: notify, do: func(t *turn) error {
		return t.tell(updates, callback)
	}})
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

func (s *Scheduler) updates(news []News) ([]update, error) {
	now := s.cfg.Now()
	updates := make([]update, len(news))
	for i := range news {
		n := &news[i]
		if n.Time.IsZero() {
			n.Time = now
		}
		err := job.CheckName("id of the task", n.Task.ID)
		if err == nil {
			err = checkTime(n.Time, now)
		}
		if err != nil {
			return nil, job.Errorf(job.Invalid, "notifications[%d]: %w", i, err)
		}
		if updates[i], err = n.update(now); err != nil {
			updates[i] = mistaken(n.Task.ID, err)
		}
	}
	return updates, nil
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
	enqueued := task.Enqueued
	if enqueued.IsZero() {
		enqueued = n.Time
	}
	if err := checkTime(enqueued, now); err != nil {
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
