package external

import (
	"context"
	"runtime/debug"
	"time"

	"github.com/muster-queue/muster/dispatch"
	"github.com/muster-queue/muster/engine"
	"github.com/muster-queue/muster/job"
)

// turn is a batch that is being done.
type turn struct {
	*pool
	ns  *engine.Namespace
	ctx context.Context // of no caller in particular
	now time.Time
	ops []*op
	// docs are to be stored beside what changed of the state; with erase set,
	// nothing else of it stays stored.
	docs  []job.Document
	erase bool
	rows  []job.EventRow
	// failed are operations that did nothing, and why.
	failed map[*op]error
}

// turn does a batch and answers it. When something breaks, the memory of the pool
// is thrown away, and with it what was not stored.
func (p *pool) turn(batch []*op) {
	t := &turn{pool: p, ctx: context.Background(), now: p.scheduler.cfg.Now()}
	err := t.run(batch)
	t.count(err == nil)
	if err != nil {
		p.state = nil
	}
	for _, o := range t.ops {
		if failed, ok := t.failed[o]; ok {
			o.answer(failed)
			continue
		}
		o.answer(job.Wrap(err, "ask pool", p.id.name))
	}
}

// run does a batch. An error is of all operations that have not failed by
// themselves: the outcome is unknown.
func (t *turn) run(batch []*op) (err error) {
	defer t.recovered(&err)
	t.ops, t.failed = batch, map[*op]error{}
	t.skipGone()
	if err := t.ready(); err != nil {
		return err
	}
	for at := range look {
		t.step(at)
	}
	if err := t.store(); err != nil {
		return err
	}
	t.step(look)
	return nil
}

// recovered turns a panic into an error: a defect shall not end the other pools.
func (t *turn) recovered(err *error) {
	if p := recover(); p != nil {
		t.scheduler.cfg.Logger.Error("a pool failed by a defect", "pool", t.id, "panic", p, "stack", string(debug.Stack()))
		*err = job.Errorf(job.Internal, "it failed by a defect of the server, which its log describes")
	}
}

// skipGone leaves out what nobody waits for any more.
func (t *turn) skipGone() {
	for _, o := range t.ops {
		if o.ctx.Err() != nil {
			t.failed[o] = job.Errorf(kindOf(o.ctx), "ask pool %s: %w", t.id.name, context.Cause(o.ctx))
		}
	}
}

// step does the operations of one phase, in the order of their coming.
func (t *turn) step(at phase) {
	if at == assign {
		t.assign()
		return
	}
	for _, o := range t.ops {
		if o.phase != at || t.failed[o] != nil {
			continue
		}
		if err := t.do(o); err != nil {
			t.failed[o] = err
		}
	}
}

// do does one operation.
func (t *turn) do(o *op) error {
	switch {
	case t.state == nil && !o.makes:
		return noPool(t.id.name)
	case t.state != nil && o.makes:
		return job.Errorf(job.Exists, "there is a pool %s already", t.id.name)
	}
	return o.do(t)
}

func noPool(name string) error {
	return job.Errorf(job.NotFound, "there is no pool %.100q; \"muster pool create\" makes one", name)
}

// assign serves all idle workers of the batch by one pass, at the latest of
// their times.
func (t *turn) assign() {
	ops, all, at := t.asking()
	if len(ops) == 0 {
		return
	}
	byWorker := make(map[dispatch.WorkerID]dispatch.Assignment, len(all))
	for _, a := range t.state.Reconciler.AssignTasks(t.ctx, t.state.Scheduler, at, &t.state.events, all...) {
		byWorker[a.WorkerID] = a
	}
	for _, o := range ops {
		for _, w := range o.idle {
			if a, ok := byWorker[w.ID]; ok {
				o.assigned = append(o.assigned, a)
			}
		}
	}
}

// asking are the operations of idle workers, all of their workers, and the latest
// time.
func (t *turn) asking() (ops []*op, all []*dispatch.IdleWorker, at time.Time) {
	for _, o := range t.ops {
		if o.phase != assign || t.failed[o] != nil {
			continue
		}
		if err := t.admit(o.idle, len(all)); err != nil {
			t.failed[o] = err
			continue
		}
		ops, all = append(ops, o), append(all, o.idle...)
		if o.at.After(at) {
			at = o.at
		}
	}
	return ops, all, at
}

// admit refuses idle workers that are new to a pool that is full, or about to be.
func (t *turn) admit(idle []*dispatch.IdleWorker, admitted int) error {
	if t.state == nil {
		return noPool(t.id.name)
	}
	s := t.state.Scheduler
	if s.IdleWorkers()+s.RunningRequests()+admitted+len(idle) <= t.scheduler.cfg.MaxWorkers {
		return nil
	}
	for _, w := range idle {
		if _, known := s.GetWorker(w.ID); !known {
			return job.Errorf(job.Exhausted, "the pool has %d workers, or nearly, which is all it may; new ones are taken when some are forgotten", t.scheduler.cfg.MaxWorkers)
		}
	}
	return nil
}
