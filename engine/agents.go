package engine

import (
	"context"
	"slices"
	"time"

	"github.com/muster-queue/muster/job"
	"github.com/muster-queue/muster/queue"
	"github.com/muster-queue/muster/schedule"
)

// Attach brings an agent in: its jobs are renewed, what it no longer has is
// given out again or back, and jobs are pushed to it from now on.
func (n *Namespace) Attach(ctx context.Context, r AttachRequest) (*Session, error) {
	r.Worker.Agent = true
	if err := r.Worker.Validate(); err != nil {
		return nil, err
	}
	s := &Session{ns: n, name: r.Worker.Name, notify: r.Wake, wake: make(chan struct{}, 1), gone: make(chan struct{})}
	_, err := call(ctx, n, urgent, func(w *writer) (struct{}, error) { return struct{}{}, w.attach(s, &r) })
	if err != nil {
		return nil, err
	}
	n.users.Add(1)
	return s, nil
}

func (w *writer) attach(s *Session, r *AttachRequest) error {
	id, before := w.state.Join(r.Worker)
	if old := w.sessions[id]; old != nil {
		old.end(job.Errorf(job.Conflict, "agent %s attached again from elsewhere", s.name))
	}
	s.worker, s.clock = id, r.Clock
	s.prefetch, s.until = r.Prefetch, r.Worker.Until
	w.sessions[id] = s
	w.answer(s, r.Reports)
	if r.PredecessorEnded {
		for _, p := range before {
			if err := w.state.Supersede(p); err != nil {
				return err
			}
		}
	}
	w.state.EndHold(id)
	if err := w.state.Heard(id); err != nil {
		return err
	}
	w.setWorker(s, &r.Worker, r.Prefetch)
	w.reconcile(s, r.Held)
	w.feed()
	w.later(func() { s.push(func(o *Orders) { o.Renewed = r.Clock }) })
	return nil
}

func (w *writer) setWorker(s *Session, a *job.Worker, prefetch int) {
	w.sched.SetWorker(s.worker, schedule.Worker{
		Labels: a.Labels, Capacity: a.Capacity, Until: job.TimeOf(a.Until),
		Prefetch: prefetch, Agent: true, Closed: s.draining || w.state.Drained(s.worker) || w.silent(s.worker),
	})
	w.agentsChanged()
}

// silent reports whether the agent was not heard of for so long that its jobs are
// shown lost: it gets no more, and nothing of it is stopped for others, who would
// have to wait until its leases end.
func (w *writer) silent(id job.WorkerID) bool {
	row, _ := w.state.Worker(id)
	return row.Silent
}

// reconcile compares what the agent has (runs, or has yet to report) with what it
// holds here. What it has and does not hold any more it must end. What it holds
// and does not have: jobs that never arrived are sent again, and those that ran
// are lost, by the word of the one who would know.
func (w *writer) reconcile(s *Session, has []Ref) {
	var gone []Ref
	holds := w.state.Held(s.worker)
	for _, ref := range has {
		if !slices.ContainsFunc(holds, func(h queue.HeldJob) bool { return h.Attempt == ref.Attempt }) {
			gone = append(gone, ref)
		}
	}
	var again []Assignment
	var stops []StopOrder
	for i := range holds {
		h := &holds[i]
		ref := Ref{Seq: h.Seq, Attempt: h.Attempt}
		known := slices.Contains(has, ref)
		switch {
		case known && h.Mark != job.MarkNone:
			stops = append(stops, StopOrder{Ref: ref, Mark: h.Mark})
		case !known && h.State == job.Reserved && !h.Ghost:
			again = append(again, w.assignment(s, &h.Live, h.Deadline))
		case !known:
			w.lose(ref)
		}
	}
	w.later(func() {
		s.push(func(o *Orders) {
			o.Gone = append(o.Gone, gone...)
			o.Assign = append(o.Assign, again...)
			o.Stop = append(o.Stop, stops...)
		})
	})
}

func (w *writer) lose(ref Ref) {
	_, err := w.state.End(&queue.End{Ref: ref, How: queue.Released, Result: job.Result{
		Reason: job.ReasonLost, Message: "its agent came back without it",
	}})
	if err != nil {
		w.log.Warn("an attempt its agent no longer has", "namespace", w.ns.name, "attempt", ref.Attempt, "err", err)
	}
}

func (w *writer) assignment(s *Session, l *job.Live, deadline job.Time) Assignment {
	name := ""
	if q, ok := w.state.Queue(l.Queue); ok {
		name = q.Name
	}
	a := Assignment{Since: s.clock, version: l.GivenVersion}
	a.Queue, a.Seq, a.Attempt, a.Number = name, l.Seq, l.Attempt, l.Number
	a.Lease, a.Deadline = l.Lease, deadline.Std()
	ask := w.state.Granted(l.Seq)
	a.Needs, a.Limits = ask.Needs, ask.Limits
	return a
}

// beat is an agent's heartbeat: its leases count from here, and it learns which
// of its clock readings that was.
func (w *writer) beat(s *Session, b Beat) {
	if w.sessions[s.worker] != s {
		s.end(job.Errorf(job.Unavailable, "attach again"))
		return
	}
	if err := w.state.Heard(s.worker); err != nil {
		s.end(err)
		return
	}
	s.clock = max(s.clock, b.Clock)
	row, ok := w.state.Worker(s.worker)
	if ok && s.changed(&b) {
		s.draining, s.prefetch, s.until = b.Draining, b.Prefetch, b.Until
		row.Worker.Until = b.Until
		w.setWorker(s, &row.Worker, b.Prefetch)
	}
	clock := s.clock
	w.later(func() { s.push(func(o *Orders) { o.Renewed = max(o.Renewed, clock) }) })
}

func (s *Session) changed(b *Beat) bool {
	return s.draining != b.Draining || s.prefetch != b.Prefetch || !s.until.Equal(b.Until)
}

// detach closes an agent to new jobs; what it holds keeps its leases.
func (w *writer) detach(s *Session) {
	w.ns.users.Add(-1)
	if w.sessions[s.worker] != s {
		return
	}
	delete(w.sessions, s.worker)
	w.sched.DropWorker(s.worker)
	w.agentsChanged()
}

// placeMax bounds the scheduler's work of one step; steps are repeated until
// nothing is left or the slice is over.
const placeMax = 500

// places reports whether jobs are pushed to agents at present.
func (w *writer) places() bool { return len(w.sessions) > 0 && !w.idle() }

// place pushes ready jobs to agents.
func (w *writer) place() {
	if !w.places() {
		w.giveBackClaims()
		return
	}
	for {
		placed, more := w.sched.Pass(w.state.Now(), placeMax)
		w.moved(w.sched.Moves())
		w.preempt(w.sched.Preemptions())
		grants, _ := w.grant(placed, 0)
		w.assign(grants, placed)
		if !more {
			return
		}
		if w.cfg.Clock.Mono()-w.began > w.cfg.Slice {
			w.more = true
			return
		}
	}
}

// moved notes that runs are paid at another level.
func (w *writer) moved(list []schedule.Move) {
	for i := range list {
		w.ledger.touch(list[i].Seq)
		w.noteMove(&list[i])
	}
}

// assign sends grants to their agents once they are durable.
func (w *writer) assign(grants []queue.Grant, placed []schedule.Placement) {
	if len(grants) == 0 {
		return
	}
	workers := make(map[job.Seq]job.WorkerID, len(placed))
	for _, p := range placed {
		workers[p.Seq] = p.Worker
	}
	bySession := map[*Session][]Assignment{}
	for _, g := range grants {
		s := w.sessions[workers[g.Seq]]
		l, ok := w.state.BySeq(g.Seq)
		if s == nil || !ok {
			continue // it left in this very turn; the lease will end
		}
		a := w.assignment(s, &l, g.Deadline)
		a.Prefetched = g.Prefetched
		bySession[s] = append(bySession[s], a)
	}
	for s, assigned := range bySession {
		w.later(func() {
			s.push(func(o *Orders) { o.Assign = append(o.Assign, assigned...) })
		})
	}
}

// sendOrders tells agents what to stop or give back.
func (w *writer) sendOrders() {
	for _, o := range w.state.Orders() {
		s := w.sessions[o.Worker]
		if s == nil {
			continue // it is told when it attaches or reports again
		}
		order := o
		w.later(func() {
			s.push(func(out *Orders) {
				if order.Kind == queue.OrderWithdraw {
					out.Withdraw = append(out.Withdraw, order.Ref)
					return
				}
				out.Stop = append(out.Stop, StopOrder{Ref: order.Ref, Mark: order.Mark})
			})
		})
	}
}

// hold extends all leases before a planned stop and tells the agents.
func (w *writer) hold(until time.Time) {
	w.state.Hold(job.TimeOf(until))
	for _, s := range w.sessions {
		w.later(func() { s.push(func(o *Orders) { o.HoldUntil = until }) })
	}
}

// sessionOf finds the session of the agent that holds an attempt.
func (w *writer) sessionOf(ref Ref) (*Session, error) {
	l, ok := w.state.BySeq(ref.Seq)
	if !ok || !l.State.Held() || l.Attempt != ref.Attempt {
		return nil, job.Errorf(job.NotFound, "attempt %s is not running", ref.Attempt)
	}
	s := w.sessions[l.Worker]
	if s == nil {
		return nil, job.Errorf(job.Unavailable, "the agent that runs attempt %s is not connected at present", ref.Attempt)
	}
	return s, nil
}

// fillAssignments reads the descriptions of assigned jobs, and leaves those out
// that were deleted meanwhile.
func (n *Namespace) fillAssignments(assigned []Assignment) ([]Assignment, error) {
	refs := make([]job.PayloadRef, len(assigned))
	for i := range assigned {
		refs[i] = job.PayloadRef{Seq: assigned[i].Seq, Version: assigned[i].version}
	}
	bodies, err := n.bodies.take(refs)
	if err != nil {
		return nil, err
	}
	filled := assigned[:0]
	for i := range assigned {
		if assigned[i].Body = bodies[i]; bodies[i] == nil {
			if err := n.deletedMeanwhile(Ref{Seq: assigned[i].Seq, Attempt: assigned[i].Attempt}); err != nil {
				return nil, err
			}
			continue
		}
		filled = append(filled, assigned[i])
	}
	return filled, nil
}
