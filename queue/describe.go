package queue

import (
	"github.com/muster-queue/muster/job"
)

// describe gives a job a new version of its description and files it anew under
// what changed. A job that is not counted yet (new, or a ghost) is not fed.
func (s *State) describe(slot uint32, r *rec, p *Prepared, q *queueRow) {
	var was *shapeRow
	if r.shape != 0 {
		was = s.shapes.rows[r.shape]
	}
	shape, group := s.shape(p.Job, q, was), s.group(p.Job.Group)
	counted := r.state != job.Absent && !r.ghost()
	moved := counted && (s.shapes.rows[r.shape].queue != q || r.group != group)
	from := s.shapes.rows[r.shape].queue
	refed := r.state != job.Absent && (shape != r.shape || group != r.group || r.priority != p.Job.Priority || s.moves(r, from, q, p.Job.Key))
	if refed {
		s.unfeed(r)
	}
	if moved {
		s.event(r, r.state, job.Absent, CauseModify)
	}
	if counted {
		s.count(r, -1)
	}
	if r.shape != 0 {
		s.unrefShape(r.shape)
	}
	s.setKey(slot, r, from, q, p.Job.Key)
	r.shape = shape
	s.setGroup(r, group)
	s.fill(r, p, q)
	if counted {
		s.count(r, +1)
	}
	if moved {
		s.event(r, job.Absent, r.state, CauseModify)
	}
	if refed {
		s.refeed(r)
	}
	s.unlinger(r)
	s.relink(slot, r, p)
	s.touch(slot, r)
}

// unlinger gives a lost job that was kept by policy hold, and whose new
// description has it no more, its timer back.
func (s *State) unlinger(r *rec) {
	if r.state == job.Lost && r.flags&job.FlagHold == 0 {
		t := s.tries.at(r.try)
		s.timers.set(t.timer, r.try, s.leaseEnd(s.workers.rows[t.worker], t))
	}
}

// fill copies what the state machine needs of a description.
func (s *State) fill(r *rec, p *Prepared, q *queueRow) {
	j := p.Job
	r.version++
	s.bytes += int64(len(p.Body)) - int64(r.size)
	r.size = uint32(len(p.Body))
	r.priority, r.retries = j.Priority, job.RetriesDefault
	if j.Retries != nil {
		r.retries = int32(*j.Retries)
	}
	r.flags = flagsOf(j, &q.Def) | r.flags&job.FlagPrefetched
	s.turn.payloads = append(s.turn.payloads, job.Payload{Seq: r.seq, Version: r.version, Body: p.Body})
}

func flagsOf(j *job.Job, q *job.Queue) (f job.Flags) {
	set := func(on bool, flag job.Flags) {
		if on {
			f |= flag
		}
	}
	set(j.IsCommand(), job.FlagCommand)
	set(j.OnLost == job.OnLostHold || q.OnLost == job.OnLostHold, job.FlagHold)
	set(j.NotPreemptible, job.FlagNotPreemptible)
	set(j.Wait, job.FlagWait)
	set(j.Backoff != nil, job.FlagOwnBackoff)
	set(j.NoRetryAfter > 0, job.FlagNoRetryAfter)
	return f
}

// unfeed takes a ready job out of the scheduler's picture while it is filed under
// the old shape, refeed puts it in again. What a held job takes is counted by its
// newest description, without a moment in which nobody seems to hold it.
func (s *State) unfeed(r *rec) {
	if r.state == job.Ready {
		s.feedJob(FeedRemove, r)
	}
}

func (s *State) refeed(r *rec) {
	switch {
	case r.state == job.Ready:
		s.feedJob(FeedPush, r)
	case r.state.Held():
		s.feedJob(FeedHold, r)
		if r.mark != job.MarkNone {
			s.feedJob(FeedStopping, r)
		}
	}
}

// setGroup files the job under a group, which lives as long as it has jobs.
func (s *State) setGroup(r *rec, group uint32) {
	s.groups.rows[group].refs++
	s.unrefGroup(r.group)
	r.group = group
}

func (s *State) unrefGroup(slot uint32) {
	g := s.groups.rows[slot]
	if g.refs--; slot != 0 && g.refs == 0 && g.Done == 0 {
		s.dirtyGroup(g)
	}
}

// Modify gives a live job a new description, which may change its key. A held
// attempt is not disturbed: the next one gets the new description. Errors:
// job.ErrNoJob, Exists if another job has the new key, Conflict if the key or queue of
// a held job would change, Exhausted, ErrStale.
func (s *State) Modify(seq job.Seq, p *Prepared) error {
	slot, r := s.find(seq)
	if r == nil {
		return job.ErrNoJob
	}
	if err := s.fitting(p.Job); err != nil {
		return err
	}
	if grown := int64(len(p.Body)) - int64(r.size); grown > 0 {
		if err := s.Room(0, grown); err != nil {
			return err
		}
	}
	if err := s.linkable(slot, p); err != nil {
		return err
	}
	if p.Digest != r.digest {
		if err := s.rekey(slot, r, p); err != nil {
			return err
		}
	}
	s.describe(slot, r, p, s.queueFor(p.Job))
	due := job.TimeOf(p.Job.NotBefore)
	if due <= s.now && !p.Redue && r.state != job.Ready {
		due = s.due(r) // what else delays it goes on doing so
	}
	if r.state.Held() || r.state == job.Buried || !s.requeue(slot, r, due, CauseModify) {
		s.event(r, r.state, r.state, CauseModify)
	}
	return nil
}

func (s *State) rekey(slot uint32, r *rec, p *Prepared) error {
	if s.byDigest.find(&s.recs, &p.Digest) != 0 {
		return job.Errorf(job.Exists, "another job of queue %s has the key %.80q", p.Job.Queue, p.Job.Key)
	}
	end, fresh := s.History(p)
	switch {
	case !fresh:
		return ErrStale
	case end != 0:
		return job.Errorf(job.Exists, "a finished job of queue %s has the key %.80q", p.Job.Queue, p.Job.Key)
	case r.state.Held():
		return job.Errorf(job.Conflict, "job %d is %v; what changes its key can be changed when its attempt has ended", r.seq, r.state)
	}
	if g := s.dep.byDigest[r.digest]; g != 0 && s.dep.groups.at(g).waiters != 0 {
		return job.Errorf(job.Conflict, "%w by the key it has: change what they depend on first", s.someAwaiters(g))
	}
	s.byDigest.remove(&r.digest, slot)
	r.digest = p.Digest
	s.byDigest.put(&r.digest, slot)
	return nil
}
