package external

import (
	"context"
	"time"

	"github.com/muster-queue/muster/dispatch"
	"github.com/muster-queue/muster/job"
)

// AssignTasks tells a pool which workers have nothing to do at a time (zero:
// now), and what each of them should run, if anything. The same is told again
// until it is acknowledged by news of the task. Each worker counts once. A time ahead
// of the server's clock counts as now; beyond MaxAhead it is refused as Invalid.
func (s *Scheduler) AssignTasks(ctx context.Context, namespace, pool string, at time.Time, idle []Worker) ([]dispatch.Assignment, error) {
	now := s.cfg.Now()
	if at.IsZero() {
		at = now
	}
	if err := checkTime(at, now); err != nil {
		return nil, err
	}
	workers, err := idleWorkers(idle)
	if err != nil {
		return nil, err
	}
	o := &op{phase: assign, idle: workers, at: earlier(at, now)}
	if err := s.do(ctx, id{namespace, pool}, o); err != nil {
		return nil, err
	}
	return o.assigned, nil
}

func idleWorkers(idle []Worker) ([]*dispatch.IdleWorker, error) {
	if len(idle) > MaxIdle {
		return nil, job.Errorf(job.Invalid, "%d idle workers; at most %d in one call", len(idle), MaxIdle)
	}
	workers := make([]*dispatch.IdleWorker, 0, len(idle))
	named := make(map[string]bool, len(idle))
	for i := range idle {
		w := &idle[i]
		err := job.CheckName("id of the worker", w.ID)
		if err == nil {
			err = checkTexts("dimension", w.Labels)
		}
		if err != nil {
			return nil, job.Errorf(job.Invalid, "idle_bots[%d]: %w", i, err)
		}
		if !named[w.ID] {
			named[w.ID] = true
			workers = append(workers, &dispatch.IdleWorker{ID: dispatch.WorkerID(w.ID), Labels: w.Labels})
		}
	}
	return workers, nil
}

// Cancellation is a task that is to be stopped.
type Cancellation struct {
	// Worker it runs on; empty if that is not known.
	Worker, Task string
	// Error: something is wrong with it. Otherwise another task is to run there.
	Error bool
	// Why is for people.
	Why string
}

// Cancellations are the tasks of a pool that are to be stopped, by worker and
// task. They are told again until news say that the task is gone. A worker must
// stop only exactly that task.
func (s *Scheduler) Cancellations(ctx context.Context, namespace, pool string) ([]Cancellation, error) {
	return ask(ctx, s, id{namespace, pool}, op{phase: look}, func(t *turn) ([]Cancellation, error) {
		return t.state.cancellations(t.ctx), nil
	})
}

func (s *state) cancellations(ctx context.Context) []Cancellation {
	next := map[dispatch.WorkerID]dispatch.RequestID{}
	for _, q := range s.Reconciler.WorkerQueues() {
		next[q.WorkerID] = q.TaskToAssign
	}
	all := s.Reconciler.Cancellations(ctx)
	list := make([]Cancellation, len(all))
	for i, c := range all {
		list[i] = Cancellation{Worker: string(c.WorkerID), Task: string(c.RequestID), Error: c.ErrorMessage != "", Why: c.ErrorMessage}
		if task := next[c.WorkerID]; c.ErrorMessage == "" && task != "" {
			list[i].Why = "preempted by task " + string(task)
		}
	}
	return list
}
