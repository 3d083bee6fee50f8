package dispatch

import (
	"encoding/binary"
	"slices"
	"time"

	"github.com/muster-queue/muster/job"
	"github.com/muster-queue/muster/schedule"
)

// TaskRequest is a task that is to run, or runs.
type TaskRequest struct {
	ID RequestID
	// AccountID is who pays; it may be empty or unknown.
	AccountID AccountID
	// EnqueueTime orders requests that are alike, the earlier first.
	EnqueueTime time.Time
	// BaseLabels are those its worker must have, ProvisionableLabels those that it had
	// better have.
	BaseLabels, ProvisionableLabels Labels
	// ConfirmedTime is that of the latest news of it; ExaminedTime that of the last
	// pass that left it without a worker, 1970 if there was none. Both are results.
	ConfirmedTime, ExaminedTime time.Time
}

// Validate checks a request. Errors: Invalid.
func (r *TaskRequest) Validate() error {
	if err := job.CheckName("task", string(r.ID)); err != nil {
		return err
	}
	if r.AccountID != "" {
		if err := job.CheckName("account", string(r.AccountID)); err != nil {
			return job.Wrap(err, "task", string(r.ID))
		}
	}
	if err := checkLabels("base labels", r.BaseLabels); err != nil {
		return job.Wrap(err, "task", string(r.ID))
	}
	return job.Wrap(checkLabels("provisionable labels", r.ProvisionableLabels), "task", string(r.ID))
}

// request is a request that is known: queued, or running on a worker.
type request struct {
	id       RequestID
	seq      job.Seq
	shape    *shape
	worker   *worker // nil: it is queued
	entered  uint64  // the passes there were when it was queued
	enqueued time.Time

	confirmed, examined time.Time
}

// shape is what requests that are alike have in common.
type shape struct {
	id                  job.ShapeID
	key                 string
	payer               *payer
	base, provisionable Labels // sorted
	requests            int
	examined            examined
}

// oneSlot is what every task needs, and every worker has.
func oneSlot() job.Resources { return job.Resources{"slot": job.Thousandth} }

// shapeOf is the shape of requests with these sets of labels of an account.
func (s *Scheduler) shapeOf(account AccountID, base, provisionable Labels) *shape {
	key := shapeKey(account, base, provisionable)
	sh := s.shapes[string(key)]
	if sh != nil {
		return sh
	}
	base, provisionable = slices.Clone(base), slices.Clone(provisionable)
	sh = &shape{
		id: job.ShapeID(s.shapeIDs.take()), key: string(key), payer: s.payerOf(account), base: base, provisionable: provisionable,
	}
	s.shapes[sh.key] = sh
	sh.payer.shapes[sh] = struct{}{}
	s.core.DefineShape(sh.id, &job.Shape{
		Queue: 1, Command: true, Needs: oneSlot(), Account: string(account), Labels: base, Prefer: provisionable,
	})
	return sh
}

// shapeKey is the same for the same account and labels, and for no others.
func shapeKey(account AccountID, base, provisionable Labels) []byte {
	b := make([]byte, 0, 128)
	b = binary.AppendUvarint(b, uint64(len(account)))
	b = append(b, account...)
	for _, list := range []Labels{base, provisionable} {
		b = binary.AppendUvarint(b, uint64(len(list)))
		for _, l := range list {
			b = binary.AppendUvarint(b, uint64(len(l)))
			b = append(b, l...)
		}
	}
	return b
}

// enter makes a request known; it is neither queued nor running yet.
func (s *Scheduler) enter(req *TaskRequest) *request {
	sh := s.shapeOf(req.AccountID, setOf(req.BaseLabels), setOf(req.ProvisionableLabels))
	sh.requests++
	s.lastSeq++
	r := &request{
		id: req.ID, seq: s.lastSeq, shape: sh, enqueued: normal(req.EnqueueTime),
		confirmed: normal(req.ConfirmedTime), examined: normal(req.ExaminedTime),
	}
	s.requests[r.id], s.bySeq[r.seq] = r, r
	return r
}

// queue puts a request on the queue.
func (s *Scheduler) queue(r *request) {
	r.entered = s.passes
	s.core.Push(r.shape.id, r.item())
	s.waiting++
	s.touchRequest(r)
}

// item is the request as the scheduler below knows it: first come, first served.
func (r *request) item() schedule.Item {
	return schedule.Item{Seq: r.seq, Place: uint64(stamp(r.enqueued))}
}

// run makes a request that is not queued run on a worker that is idle.
func (s *Scheduler) run(r *request, w *worker, c schedule.Charge) {
	s.core.Hold(schedule.Held{Seq: r.seq, Shape: r.shape.id, Worker: w.number, Since: c.At, Charge: c})
	r.worker, w.run = w, r
	s.touchRequest(r)
}

// withdraw takes a request off the queue.
func (s *Scheduler) withdraw(r *request) {
	r.examined = r.examinedTime()
	s.core.Remove(r.shape.id, r.item())
	s.waiting--
}

// free ends the run of a request; its worker is idle.
func (s *Scheduler) free(r *request) {
	s.core.Release(r.seq)
	r.worker.run, r.worker = nil, nil
}

// forget forgets a request.
func (s *Scheduler) forget(r *request) {
	if r.worker != nil {
		s.free(r)
	} else {
		s.withdraw(r)
	}
	delete(s.requests, r.id)
	delete(s.bySeq, r.seq)
	s.touchRequest(r)
	sh := r.shape
	if sh.requests--; sh.requests > 0 {
		return
	}
	s.core.DropShape(sh.id)
	s.shapeIDs.give(uint32(sh.id))
	delete(s.shapes, sh.key)
	delete(sh.payer.shapes, sh)
	s.discardPayer(sh.payer)
}

func (r *request) confirm(t time.Time) { r.confirmed = later(r.confirmed, t) }

func (s *Scheduler) touchRequest(r *request) { s.journal.touch(requestRecord, string(r.id)) }

// task is the request as it is shown.
func (r *request) task() TaskRequest {
	return TaskRequest{
		ID: r.id, AccountID: r.shape.payer.id, EnqueueTime: r.enqueued, BaseLabels: slices.Clone(r.shape.base),
		ProvisionableLabels: slices.Clone(r.shape.provisionable), ConfirmedTime: r.confirmed, ExaminedTime: r.examinedTime(),
	}
}

// cost is what a running request has cost, and its priority.
func (s *Scheduler) cost(r *request) (Balance, Priority) {
	if r.worker == nil {
		return Balance{}, FreeBucket
	}
	c, _ := s.core.Charge(r.seq)
	return c.Cost, Priority(c.Level)
}

// GetRequest is a request that is queued or running.
func (s *Scheduler) GetRequest(id RequestID) (TaskRequest, bool) {
	r := s.requests[id]
	if r == nil {
		return TaskRequest{}, false
	}
	return r.task(), true
}

// GetWaitingRequests are the queued requests.
func (s *Scheduler) GetWaitingRequests() map[RequestID]TaskRequest {
	all := make(map[RequestID]TaskRequest, s.waiting)
	for id, r := range s.requests {
		if r.worker == nil {
			all[id] = r.task()
		}
	}
	return all
}

// RunningRequests is how many requests run.
func (s *Scheduler) RunningRequests() int { return len(s.requests) - s.waiting }

// WaitingRequests is how many requests are queued.
func (s *Scheduler) WaitingRequests() int { return s.waiting }

// IsAssigned reports whether a request is running on a worker, as far as is known.
func (s *Scheduler) IsAssigned(id RequestID, worker WorkerID) bool {
	r := s.requests[id]
	return r != nil && r.worker != nil && r.worker.id == worker
}
