package queue

import (
	"time"

	"github.com/muster-queue/muster/job"
)

// rec is what every live job costs; what only jobs need that were tried, are
// held or wait for a time is in its try.
type rec struct {
	digest   job.Digest
	seq      job.Seq
	place    uint64
	priority float64
	added    job.Time
	since    job.Time

	group, shape  uint32 // slots of State.groups and State.shapes
	version, size uint32
	try           uint32 // slot of State.tries
	retries       int32

	state   job.State
	mark    job.Mark
	reason  job.Reason
	flags   job.Flags
	touched bool // is in State.dirty
	linked  bool // has a link in State.dep
}

// try is the part of a job that was granted at least once, or is delayed.
type try struct {
	epoch  uint32
	worker uint32 // slot of State.workers: the holder, or who held it last
	ask    uint32 // slot of State.asks: what its attempt was given
	n      uint64

	number, starts, failures, losses uint32
	given                            uint32
	exit                             int32

	due, granted, started job.Time
	lease                 time.Duration
	// deadline of a pulled attempt's lease, on the lease clock.
	deadline job.Time

	job  uint32 // slot of the rec
	next uint32 // the tries a worker holds are a list
	prev uint32
	// Places in State.timers and State.ends, 0 for none.
	timer, end int32
	outcome    job.Outcome
	held       bool // in its worker's list
}

func (t *try) attempt() job.AttemptID { return job.AttemptID{Epoch: t.epoch, N: t.n} }

// ghost reports whether the job was deleted by force and only its lease is left.
func (r *rec) ghost() bool { return r.mark == job.MarkDeleted }

// find is the slot and record of a live job that people can see; nil if none.
func (s *State) find(seq job.Seq) (uint32, *rec) {
	slot := s.bySeq.find(seq)
	if slot == 0 {
		return 0, nil
	}
	r := s.recs.at(slot)
	if r.ghost() {
		return 0, nil
	}
	return slot, r
}

// tried is the job's try, made when it has none yet.
func (s *State) tried(slot uint32, r *rec) *try {
	if r.try == 0 {
		r.try = s.tries.take()
		s.tries.at(r.try).job = slot
	}
	return s.tries.at(r.try)
}

// live writes a job's record to l.
func (s *State) live(r *rec, l *job.Live) {
	sh := s.shapes.rows[r.shape]
	*l = job.Live{
		Seq: r.seq, Digest: r.digest, Place: r.place, Priority: r.priority,
		Queue: sh.Queue, Group: s.groups.rows[r.group].ID, Kind: sh.Kind, Shape: sh.ID,
		State: r.state, Mark: r.mark, Reason: r.reason, Flags: r.flags,
		Version: r.version, Size: r.size, Retries: r.retries,
		Added: r.added, Since: r.since,
	}
	if r.try == 0 {
		return
	}
	t := s.tries.at(r.try)
	l.Exit, l.GivenVersion = t.exit, t.given
	l.Number, l.Starts, l.Failures, l.Losses = t.number, t.starts, t.failures, t.losses
	l.Attempt, l.Worker, l.Outcome = t.attempt(), s.workers.rows[t.worker].ID, t.outcome
	l.Due, l.Lease, l.Granted, l.Started = t.due, t.lease, t.granted, t.started
}

// storedLive writes the record to l that is stored: a place that stands for a key
// means nothing there.
func (s *State) storedLive(r *rec, l *job.Live) {
	s.live(r, l)
	if s.shapes.rows[r.shape].queue.keyed != nil {
		l.Place = uint64(r.seq)
	}
}

// enter makes a slot for a job and puts it into the indexes. The caller fills in
// the rest and calls count.
func (s *State) enter(seq job.Seq, d *job.Digest) (uint32, *rec) {
	slot := s.recs.take()
	r := s.recs.at(slot)
	r.seq, r.digest = seq, *d
	s.jobs++
	s.byDigest.put(d, slot)
	s.bySeq.put(seq, slot)
	if s.meta.MinLive == 0 || seq < s.meta.MinLive {
		s.meta.MinLive = seq
	}
	return slot, r
}

// leave takes a job that was counted out of everything; its live record ends.
func (s *State) leave(slot uint32, r *rec) {
	s.turn.gone = append(s.turn.gone, r.seq)
	s.jobs--
	s.bytes -= int64(r.size)
	s.byDigest.remove(&r.digest, slot)
	s.bySeq.remove(r.seq)
	s.dropKey(r)
	s.unlink(slot, r)
	if r.try != 0 {
		t := s.tries.at(r.try)
		s.timers.remove(t.timer)
		s.ends.remove(t.end)
		s.workerUnref(t.worker)
		s.unask(t.ask)
		s.tries.give(r.try)
	}
	s.unrefShape(r.shape)
	s.unrefGroup(r.group)
	s.recs.give(slot)
}
