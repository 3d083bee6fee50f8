package queue

import (
	"github.com/muster-queue/muster/job"
)

// overlay remembers which keys finished, or were taken out of history, so
// recently that a look-up made off the writer may not know. It is kept in two
// generations; the older is let go as a whole.
type overlay struct {
	young, old generation
	// floor is the first end number that is still remembered: look-ups of a
	// lower reach are stale.
	floor uint64
	// least is how many a generation must have before it is closed, so that
	// look-ups do not become stale faster than they are made.
	least int
}

// leastGeneration is overlay.least of a namespace; about a megabyte.
const leastGeneration = 1 << 14

// generation maps digests to end numbers; 0 says that history has none.
type generation struct {
	ends map[job.Digest]uint64
	last uint64 // the highest end number that was given when one was entered
}

// put notes that the digest's finished job is end (0: none any more); next is
// the highest end number given by now.
func (o *overlay) put(d job.Digest, end, next uint64) {
	if o.young.ends == nil {
		o.young.ends = make(map[job.Digest]uint64)
	}
	o.young.ends[d] = end
	o.young.last = max(o.young.last, next)
}

func (o *overlay) find(d job.Digest) (end uint64, ok bool) {
	if end, ok = o.young.ends[d]; !ok {
		end, ok = o.old.ends[d]
	}
	return end, ok
}

// trim lets the old generation go when all of it is below reach.
func (o *overlay) trim(reach uint64) {
	if len(o.old.ends) > 0 && o.old.last >= reach || len(o.young.ends) < o.least {
		return
	}
	if len(o.old.ends) > 0 {
		o.floor = o.old.last + 1
	}
	o.old, o.young = o.young, generation{}
}

// TrimOverlay lets go of what is remembered of jobs that finished below the end
// number reach, keeping one generation more. Call it now and then with the
// store's Reach.
func (s *State) TrimOverlay(reach uint64) { s.recent.trim(reach) }

// Remembers reports whether what changed in history since the store's Reach was
// the given one is still remembered, so that records read then can be checked.
func (s *State) Remembers(reach uint64) bool { return reach >= s.recent.floor }

// FinishedLately is what is remembered of a key in history that the store's index
// may not know yet: the end number of its finished job, zero if that was taken
// out. known is false when the index knows.
func (s *State) FinishedLately(d job.Digest) (end uint64, known bool) { return s.recent.find(d) }

// complete ends a live job by its attempt a: it moves to history.
func (s *State) complete(slot uint32, r *rec, c Cause, a *job.Attempt) {
	from := r.state
	check(r.seq, from, job.Complete, c)
	if from == job.Ready {
		s.feedJob(FeedRemove, r)
	}
	s.count(r, -1)
	r.state, r.since = job.Complete, s.now
	s.event(r, from, job.Complete, c)
	f := job.Finished{End: s.meta.NextEnd, Ended: s.now, Used: a.Result.Usage(), Host: a.Host}
	s.meta.NextEnd++
	s.storedLive(r, &f.Live)
	s.completeKey(r, &f)
	if r.linked {
		s.membersDone(slot, &f)
	}
	s.turn.finished = append(s.turn.finished, f)
	s.recent.put(r.digest, f.End, f.End)
	s.done(s.shapes.rows[r.shape].queue, s.groups.rows[r.group], +1)
	s.leave(slot, r)
}

// done counts finished jobs.
func (s *State) done(q *queueRow, g *groupRow, n int64) {
	s.counts[job.Complete] += n
	q.Done += n
	s.dirtyQueue(q)
	g.Done += n
	s.dirtyGroup(g)
}

// forget takes a finished job out of history.
func (s *State) forget(f *job.Finished) {
	s.turn.forgotten = append(s.turn.forgotten, *f)
	s.recent.put(f.Digest, 0, s.meta.NextEnd)
	s.forgetKey(f)
	s.forgetMember(f)
	if q := s.queues.byNumber(f.Queue); q != nil {
		g := s.groups.byNumber(f.Group)
		if g == nil {
			g = s.groups.rows[0]
		}
		s.done(q, g, -1)
	}
}

// current reports whether the record is not out of date: the job does not run
// again, and is not gone.
func (s *State) current(f *job.Finished) bool {
	end, lately := s.recent.find(f.Digest)
	return (!lately || end == f.End) && s.bySeq.find(f.Seq) == 0
}

// DeleteFinished removes a finished job with all that is kept of it. It is
// job.ErrNoJob when the record is out of date: the job runs again, or is gone.
func (s *State) DeleteFinished(f *job.Finished) error {
	if !s.current(f) {
		return job.ErrNoJob
	}
	s.forget(f)
	s.turn.deleted = append(s.turn.deleted, f.Seq)
	s.turn.events = append(s.turn.events, Event{
		Seq: f.Seq, Queue: f.Queue, Group: f.Group, From: job.Complete, To: job.Absent, Cause: CauseDelete,
		Attempt: f.Attempt, At: s.now,
	})
	return nil
}

// Reopen makes a finished job live again with its description as it was
// (complete to ready). p.Finished must be set.
func (s *State) Reopen(p *Prepared) Added {
	if s.byDigest.find(&s.recs, &p.Digest) != 0 {
		return Added{Err: job.Errorf(job.Conflict, "reopen: the job is not complete any more")}
	}
	end, fresh := s.History(p)
	switch {
	case !fresh:
		return Added{Status: AddStale}
	case end == 0:
		return Added{Err: job.ErrNoJob}
	case p.Finished == nil || p.Finished.End != end:
		return Added{Status: AddNeedFinished, State: job.Complete, End: end}
	}
	return s.readd(p, CauseReopen)
}

// Conclude is the administrative end of a job that nobody holds: ready, delayed
// or buried to Complete, ready or delayed to Buried. Where no attempt buried it this
// makes an attempt by the worker (zero: nobody). Result and data are the
// attempt's. Errors: job.ErrNoJob; Conflict from other states; Invalid.
func (s *State) Conclude(seq job.Seq, to job.State, by job.WorkerID, res *job.Result, data []byte) error {
	slot, r := s.find(seq)
	switch {
	case r == nil:
		return job.ErrNoJob
	case to != job.Complete && to != job.Buried:
		return job.Errorf(job.Invalid, "conclude job %d: a job can be concluded as complete or buried, not %v", seq, to)
	case r.state.Held() || r.state == to:
		return job.Errorf(job.Conflict, "conclude job %d as %v: it is %v", seq, to, r.state)
	}
	e := End{Data: data}
	if res != nil {
		e.Result = *res
	}
	s.undelay(r)
	t := s.concluded(slot, r, by)
	t.exit, t.outcome = int32(e.Result.ExitCode), job.OutcomeComplete
	r.reason = job.ReasonNone
	if to == job.Buried {
		t.outcome, r.reason = job.OutcomeBuried, orElse(e.Result.Reason, job.ReasonWorker)
	}
	a := s.record(r, t, &e)
	if to == job.Complete {
		s.complete(slot, r, CauseConclude, a)
		return nil
	}
	s.move(slot, r, to, CauseConclude)
	return nil
}

// buried reports whether the attempt is what buried its job.
func (t *try) buried() bool {
	return t.outcome == job.OutcomeBuried || t.outcome == job.OutcomeCancelled
}

// concluded is the attempt that Conclude ends: the one that buried the job, or else
// a new one.
func (s *State) concluded(slot uint32, r *rec, by job.WorkerID) *try {
	if r.state == job.Buried && r.try != 0 && s.tries.at(r.try).buried() {
		return s.tries.at(r.try)
	}
	w := uint32(0)
	if by != 0 {
		w = s.workers.byID[by]
	}
	return s.attempt(slot, r, w)
}
