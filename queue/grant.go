package queue

import (
	"time"

	"github.com/muster-queue/muster/job"
)

// Grant is an attempt given to a worker.
type Grant struct {
	Ref
	// Number counts the job's attempts for people.
	Number uint32
	// Version names the payload the attempt was given, Size its length in bytes
	// if it is the newest.
	Version uint32
	Size    uint32
	Queue   job.QueueID
	Shape   job.ShapeID
	Lease   time.Duration
	// Deadline is when the lease ends as the server counts.
	Deadline job.Time
	// Prefetched: it waits at the worker for its turn.
	Prefetched bool
}

// Renewal answers a renewed lease.
type Renewal struct {
	Deadline job.Time
	// Mark tells the worker that it should stop.
	Mark job.Mark
}

// Grant gives a ready job to a worker (zero: nobody known). It is false if the
// job is not ready any more, waits for others again, its queue or the namespace is paused or draining,
// the worker has left or is an agent that was not heard lately, or the job's
// attempts are used up (it is buried then). A lease of zero means the job's, else the queue's, else the
// default.
func (s *State) Grant(seq job.Seq, by job.WorkerID, lease time.Duration, prefetched bool) (Grant, bool) {
	slot, r := s.find(seq)
	if r == nil || r.state != job.Ready || s.meta.Paused || s.meta.Draining {
		return Grant{}, false
	}
	q := s.shapes.rows[r.shape].queue
	ws, w := s.holder(by)
	if q.Def.Paused || w == nil {
		return Grant{}, false
	}
	lease = s.leaseFor(r, q, w, lease)
	if s.blocked(slot, r) {
		s.block(slot, r)
		return Grant{}, false
	}
	if w.Agent && w.heard.Add(min(lease, s.cfg.Silence)) <= s.clock() || s.usedUp(slot, r, q, ws) {
		return Grant{}, false
	}
	return s.give(slot, r, ws, w, lease, prefetched), true
}

// give makes a new attempt of a ready job, which the scheduler has taken out of
// its lines, and leases it to the worker.
func (s *State) give(slot uint32, r *rec, ws uint32, w *worker, lease time.Duration, prefetched bool) Grant {
	t := s.attempt(slot, r, ws)
	t.lease = lease
	if prefetched {
		r.flags |= job.FlagPrefetched
	}
	s.move(slot, r, job.Reserved, CauseGrant)
	s.hold(r.try, t, ws, w)
	s.feedJob(FeedHold, r)
	if !w.Agent {
		s.hear(ws, w) // it asked
	}
	return s.grant(r, t, w)
}

func (s *State) grant(r *rec, t *try, w *worker) Grant {
	sh := s.shapes.rows[r.shape]
	return Grant{
		Ref: Ref{r.seq, t.attempt()}, Number: t.number, Version: t.given, Size: r.size,
		Queue: sh.Queue, Shape: sh.ID, Lease: t.lease, Deadline: s.deadline(w, t),
		Prefetched: r.flags&job.FlagPrefetched != 0,
	}
}

// holder finds a worker that may be granted something.
func (s *State) holder(id job.WorkerID) (uint32, *worker) {
	if id == 0 {
		return 0, s.workers.rows[0]
	}
	slot, ok := s.workers.byID[id]
	if !ok {
		return 0, nil
	}
	w := s.workers.rows[slot]
	if w.Forgotten || w.Left || w.Agent && w.silent {
		return 0, nil
	}
	return slot, w
}

// attempt begins a new attempt of the job by a worker.
func (s *State) attempt(slot uint32, r *rec, by uint32) *try {
	t := s.tried(slot, r)
	s.workers.rows[by].refs++
	s.workerUnref(t.worker)
	t.worker = by
	t.epoch, t.n = s.meta.Epoch, s.meta.NextAttempt
	s.meta.NextAttempt++
	t.number++
	t.given = r.version
	t.granted, t.started, t.due = s.now, 0, 0
	t.outcome, t.exit = job.OutcomeNone, 0
	s.grants(r, t)
	return t
}

// usedUp buries a job whose attempts reached its queue's cap. Work units count
// every attempt there was, other jobs those that were charged to a budget since
// the last kick.
func (s *State) usedUp(slot uint32, r *rec, q *queueRow, by uint32) bool {
	if q.Def.MaxAttempts <= 0 || r.try == 0 {
		return false
	}
	t := s.tries.at(r.try)
	n := t.failures + t.losses
	if s.unit(r) {
		n = t.number
	}
	if int64(n) < q.Def.MaxAttempts {
		return false
	}
	t = s.attempt(slot, r, by)
	t.outcome, r.reason = job.OutcomeBuried, job.ReasonWorker
	e := End{Result: job.Result{Reason: r.reason, Message: tooManyRetries}}
	if r.flags&job.FlagCommand == 0 {
		e.Data = tooManyRetriesData
	}
	s.record(r, t, &e)
	s.move(slot, r, job.Buried, CauseGrant)
	return true
}

// What the attempt says that a job's cap of attempts refuses: a person reads the
// message, programs that pull work the data, {"traceback": message} in CBOR.
const tooManyRetries = "too many retries"

var tooManyRetriesData = []byte("\xa1\x69traceback\x70" + tooManyRetries)

// unit reports whether the job is a work unit: one with data in a queue that has a
// definition. Every attempt of it counts, and nothing else.
func (s *State) unit(r *rec) bool {
	return r.flags&job.FlagCommand == 0 && s.shapes.rows[r.shape].queue.Def.Defined()
}

func (s *State) leaseFor(r *rec, q *queueRow, w *worker, asked time.Duration) time.Duration {
	least := job.MinLease
	if w.Agent {
		least = job.MinCommandLease
	}
	for _, d := range [...]time.Duration{asked, s.shapes.rows[r.shape].Lease, q.Def.Lease} {
		if d > 0 {
			return min(max(d, least), job.MaxLease)
		}
	}
	return s.cfg.Lease
}

// held is the slot, record and try of the attempt, if it is the one that holds
// its job. Overdue attempts of pulled work are ended first.
func (s *State) held(ref Ref) (uint32, *rec, *try, error) {
	slot, r := s.find(ref.Seq)
	if r == nil {
		if s.bySeq.find(ref.Seq) != 0 {
			return 0, nil, nil, job.ErrLostLease
		}
		return 0, nil, nil, job.ErrNoJob
	}
	if r.try == 0 || r.mark == job.MarkRevoked {
		return 0, nil, nil, job.ErrLostLease
	}
	t := s.tries.at(r.try)
	if t.attempt() != ref.Attempt || !r.state.Held() {
		return 0, nil, nil, job.ErrLostLease
	}
	if w := s.workers.rows[t.worker]; !w.Agent && s.deadline(w, t) < s.now {
		s.lapse(slot, r, t, CauseLeaseEnd)
		return 0, nil, nil, job.ErrLostLease
	}
	return slot, r, t, nil
}

// Start says that the attempt runs since at (zero: now). A repeat is accepted.
func (s *State) Start(ref Ref, at job.Time) (Renewal, error) {
	slot, r, t, err := s.held(ref)
	if err != nil {
		return Renewal{}, err
	}
	s.signOfLife(t)
	if r.state != job.Running {
		s.started(r, t, at)
		if r.mark == job.MarkWithdrawn {
			r.mark = job.MarkNone
		}
		s.move(slot, r, job.Running, CauseStart)
		if r.flags&job.FlagPrefetched != 0 {
			r.flags &^= job.FlagPrefetched
			s.feedJob(FeedStart, r)
		}
	}
	return s.renewal(r, t), nil
}

// started notes when the attempt's run began, once.
func (s *State) started(r *rec, t *try, at job.Time) {
	if t.started != 0 {
		return
	}
	if at == 0 {
		at = s.now
	}
	t.started = max(t.granted, min(at, s.now))
	t.starts++
	if time := s.asks[t.ask].Time; time > 0 && r.state.Held() {
		s.ends.set(t.end, r.try, -t.started.Add(time))
	}
}

// Renew gives the attempt a lease from now; zero means as long as before. What
// an agent holds is renewed all at once by Heard: here only the length counts.
func (s *State) Renew(ref Ref, lease time.Duration) (Renewal, error) {
	slot, r, t, err := s.held(ref)
	if err != nil {
		return Renewal{}, err
	}
	s.signOfLife(t)
	w := s.workers.rows[t.worker]
	if lease > 0 {
		if d := s.leaseFor(r, s.shapes.rows[r.shape].queue, w, lease); d != t.lease {
			t.lease = d
			s.touch(slot, r)
		}
	}
	s.arm(r.try, t, t.worker, w)
	return s.renewal(r, t), nil
}

func (s *State) renewal(r *rec, t *try) Renewal {
	return Renewal{Deadline: s.deadline(s.workers.rows[t.worker], t), Mark: r.mark}
}
