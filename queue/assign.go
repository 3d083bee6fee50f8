package queue

import (
	"time"

	"github.com/muster-queue/muster/job"
)

// This file has what is done to pulled attempts, and to the jobs of pullers,
// outside of the usual way of grant and report.

// pulled finds a live job that carries data. Errors: job.ErrNoJob; Conflict for a
// command, and for whatever an agent holds, which only it can end.
func (s *State) pulled(doing string, seq job.Seq) (uint32, *rec, error) {
	slot, r := s.find(seq)
	switch {
	case r == nil:
		return 0, nil, job.ErrNoJob
	case r.flags&job.FlagCommand != 0:
		return 0, nil, job.Errorf(job.Conflict, "%s job %d: it is a command, which agents run", doing, seq)
	case r.state.Held() && s.workers.rows[s.tries.at(r.try).worker].Agent:
		return 0, nil, job.Errorf(job.Conflict, "%s job %d: an agent holds it", doing, seq)
	}
	return slot, r, nil
}

// Settle ends the hold of a pulled job whose lease is over, so that what is read
// and decided next is about the job as it is now.
func (s *State) Settle(seq job.Seq) {
	slot, r := s.find(seq)
	if r == nil || !r.state.Held() {
		return
	}
	t := s.tries.at(r.try)
	if w := s.workers.rows[t.worker]; !w.Agent && s.deadline(w, t) < s.now {
		s.lapse(slot, r, t, CauseLeaseEnd)
	}
}

// Lapse ends the lease of a pulled job now, as if its time had come. Errors:
// job.ErrNoJob; Conflict if nobody holds it, or it is a command.
func (s *State) Lapse(seq job.Seq) error {
	slot, r, err := s.pulled("end the lease of", seq)
	if err != nil {
		return err
	}
	if !r.state.Held() {
		return job.Errorf(job.Conflict, "end the lease of job %d: it is %v", seq, r.state)
	}
	s.lapse(slot, r, s.tries.at(r.try), CauseLeaseEnd)
	return nil
}

// Assign gives a live job that carries data to a worker (zero: nobody known),
// whatever its state and its queue's settings: an attempt that holds it is
// revoked. Errors: job.ErrNoJob; NotFound for the worker; Conflict for a command.
func (s *State) Assign(seq job.Seq, by job.WorkerID, lease time.Duration) (Grant, error) {
	slot, r, err := s.pulled("assign", seq)
	if err != nil {
		return Grant{}, err
	}
	ws, w := s.holder(by)
	if w == nil {
		return Grant{}, job.Errorf(job.NotFound, "assign job %d: worker %d is not known", seq, by)
	}
	switch {
	case s.blocked(slot, r):
		return Grant{}, job.Errorf(job.Conflict, "assign job %d: it waits for other jobs", seq)
	case r.state.Held():
		r.mark = job.MarkRevoked
		s.lapse(slot, r, s.tries.at(r.try), CauseStopped)
	case r.state != job.Ready:
		s.kick(slot, r)
	}
	s.feedJob(FeedRemove, r)
	return s.give(slot, r, ws, w, s.leaseFor(r, s.shapes.rows[r.shape].queue, w, lease), false), nil
}

// Rescue gives a pulled attempt whose lease ended its job back, as long as no
// newer attempt has it, with a lease from now (zero: as long as before). Errors:
// job.ErrNoJob; job.ErrLostLease; Conflict if it ended otherwise.
func (s *State) Rescue(ref Ref, lease time.Duration) (Renewal, error) {
	slot, r, err := s.pulled("renew", ref.Seq)
	if err != nil {
		return Renewal{}, err
	}
	if r.try == 0 || s.tries.at(r.try).attempt() != ref.Attempt {
		return Renewal{}, job.ErrLostLease
	}
	t := s.tries.at(r.try)
	w := s.workers.rows[t.worker]
	if w.Agent || t.outcome != job.OutcomeLost || r.state.Held() || r.state == job.Buried {
		return Renewal{}, job.Errorf(job.Conflict, "renew attempt %v: it is not pending: it ended (%v) and its job is %v", ref.Attempt, t.outcome, r.state)
	}
	t.lease = s.leaseFor(r, s.shapes.rows[r.shape].queue, w, orElse(lease, t.lease))
	s.rescue(slot, r, t, w)
	return s.renewal(r, t), nil
}

func (s *State) rescue(slot uint32, r *rec, t *try, w *worker) {
	to := job.Reserved
	if t.started != 0 {
		to = job.Running
	}
	if r.state == job.Ready && to == job.Reserved { // move takes it for a grant
		s.feedJob(FeedRemove, r)
	}
	s.undelay(r)
	if t.losses > 0 {
		t.losses-- // it was not lost after all
	}
	t.outcome, t.exit, t.due = job.OutcomeNone, 0, 0
	r.reason = job.ReasonNone
	s.move(slot, r, to, CauseRescue)
	s.hold(r.try, t, t.worker, w)
	s.feedJob(FeedHold, r)
}

// SetData gives the attempt that holds a job data of its own: body is the encoded
// description of a job that has nothing but data. Errors: those of Renew; Conflict for
// a command.
func (s *State) SetData(ref Ref, body []byte) error {
	if _, _, err := s.pulled("set data of", ref.Seq); err != nil {
		return err
	}
	slot, r, t, err := s.held(ref)
	if err != nil {
		return err
	}
	t.given = job.OwnData + t.number
	s.turn.payloads = append(s.turn.payloads, job.Payload{Seq: r.seq, Version: t.given, Body: body})
	s.touch(slot, r)
	return nil
}
