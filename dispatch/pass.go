package dispatch

import (
	"math"
	"time"

	"github.com/muster-queue/muster/schedule"
)

// DecisionType tells what has to happen on the worker first.
type DecisionType int

const (
	// AssignIdle is for a worker that is idle.
	AssignIdle DecisionType = iota
	// AssignPreempting is for a worker that has to stop what it runs.
	AssignPreempting
)

// Decision is that a worker is to run a task. The scheduler already takes it for done.
type Decision struct {
	Type      DecisionType
	WorkerID  WorkerID
	RequestID RequestID
	// TaskToAbort is what AssignPreempting stops. It is forgotten.
	TaskToAbort RequestID
	Priority    Priority
	// Time is that of the latest UpdateTime.
	Time time.Time
}

// RunOnce gives workers to the requests whose turn it is, and tells what it decided.
func (s *Scheduler) RunOnce(events EventSink) []Decision {
	s.passes++
	s.victims = map[RequestID]TaskRequest{}
	if listening(events) {
		s.reckoned()
	}
	var all []Decision
	for {
		placed, more := s.core.Pass(stamp(s.now), math.MaxInt)
		for i := range placed {
			all = append(all, s.assign(&placed[i], events))
		}
		for _, m := range s.core.Moves() {
			s.moved(m, events)
		}
		for _, p := range s.core.Preemptions() {
			all = append(all, s.preempt(p, events))
		}
		if !more {
			break
		}
	}
	s.balances = nil
	s.examine()
	return all
}

func (s *Scheduler) charge(level schedule.Level, cost Balance) schedule.Charge {
	return schedule.Charge{Level: level, Cost: cost, At: stamp(s.now), Share: 1}
}

// assign notes what the scheduler below has placed.
func (s *Scheduler) assign(p *schedule.Placement, events EventSink) Decision {
	r, w := s.bySeq[p.Seq], s.byNumber[p.Worker]
	s.occupy(r, w)
	if listening(events) {
		e := s.event(Assigned, r, w, s.now)
		e.Priority = Priority(p.Level)
		e.ProvisionRequired = !within(r.shape.provisionable, w.labels)
		events.AddEvent(e)
	}
	return Decision{Type: AssignIdle, WorkerID: w.id, RequestID: r.id, Priority: Priority(p.Level), Time: s.now}
}

// occupy gives a queued request, which the scheduler below has taken, its worker.
func (s *Scheduler) occupy(r *request, w *worker) {
	r.examined = r.examinedTime()
	s.waiting--
	r.worker, w.run = w, r
	s.touchRequest(r)
}

// moved notes that a run changed its priority.
func (s *Scheduler) moved(m schedule.Move, events EventSink) {
	r := s.bySeq[m.Seq]
	s.touchRequest(r)
	if listening(events) {
		e := s.event(Reprioritized, r, r.worker, s.now)
		e.OldPriority, e.NewPriority, e.Cost = Priority(m.From), Priority(m.To), m.Cost
		events.AddEvent(e)
	}
}

// preempt gives the worker to the preemptor at once. The victim is gone until the
// outside tells of it.
func (s *Scheduler) preempt(p schedule.Preemption, events EventSink) Decision {
	r, w := s.bySeq[p.Seq], s.byNumber[p.Worker]
	v := w.run
	s.victims[v.id] = v.task()
	if listening(events) {
		s.tellPreemption(r, v, w, &p, events)
	}
	s.forget(v)
	// The victim's end would have it placed by the next pass; it is placed now.
	s.core.Hold(schedule.Held{Seq: r.seq, Shape: r.shape.id, Worker: w.number, Since: stamp(s.now)})
	s.occupy(r, w)
	return Decision{
		Type: AssignPreempting, WorkerID: w.id, RequestID: r.id, TaskToAbort: v.id, Priority: Priority(p.Level), Time: s.now,
	}
}

// tellPreemption tells of both sides of it, with what the accounts had before.
func (s *Scheduler) tellPreemption(r, v *request, w *worker, p *schedule.Preemption, events EventSink) {
	e := s.event(Assigned, r, w, s.now)
	e.Priority, e.Preempting, e.PreemptionCost, e.PreemptedTask = Priority(p.Level), true, p.Cost, v.id
	e.ProvisionRequired = !within(r.shape.provisionable, w.labels)
	events.AddEvent(e)
	e = s.event(Preempted, v, w, s.now)
	e.Cost, e.Priority = p.Cost, Priority(p.Was)
	e.PreemptingAccount, e.PreemptingTask, e.PreemptingPriority = r.shape.payer.id, r.id, Priority(p.Level)
	events.AddEvent(e)
	if b, ok := s.balances[v.shape.payer.id]; ok {
		s.balances[v.shape.payer.id] = b.Add(p.Cost)
	}
	if b, ok := s.balances[r.shape.payer.id]; ok {
		s.balances[r.shape.payer.id] = b.Sub(p.Cost)
	}
}
