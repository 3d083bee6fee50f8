package queue

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/muster-queue/muster/job"
)

// emptyData is what a job that a continuous queue makes carries: an empty map in
// CBOR.
var emptyData = []byte{0xa0}

// noteContinuous keeps the list of continuous queues.
func (s *State) noteContinuous(q *queueRow, on bool) {
	i, found := slices.BinarySearchFunc(s.continuous, q.ID, func(c *queueRow, id job.QueueID) int { return cmp.Compare(c.ID, id) })
	switch {
	case on && !found:
		s.continuous = slices.Insert(s.continuous, i, q)
	case !on && found:
		s.continuous = slices.Delete(s.continuous, i, i+1)
	}
}

// empty reports whether a continuous queue could make a job if its time has come.
func (q *queueRow) empty() bool {
	c := &q.counts
	return !q.Def.Paused && job.Share(q.Def.Weight) > 0 && c[job.Ready]+c[job.Reserved]+c[job.Running]+c[job.Lost] == 0
}

// Idle lists the continuous queues that can make a job of their own now: nothing
// in them is ready or held, and their time has come.
func (s *State) Idle() []job.QueueID {
	var ids []job.QueueID
	for _, q := range s.continuous {
		if q.Next <= s.now && q.empty() {
			ids = append(ids, q.ID)
		}
	}
	return ids
}

// Arisen reports whether a queue is idle (see Idle) that was not at the last call.
func (s *State) Arisen() bool {
	arisen := false
	for _, q := range s.continuous {
		idle := q.Next <= s.now && q.empty()
		arisen = arisen || idle && !q.idled
		q.idled = idle
	}
	return arisen
}

// NextIdle is when the next queue becomes idle (see Idle) by the passing of time
// alone; false if none does.
func (s *State) NextIdle() (at job.Time, any bool) {
	for _, q := range s.continuous {
		if q.Next > s.now && q.empty() && (!any || q.Next < at) {
			at, any = q.Next, true
		}
	}
	return at, any
}

// ContinuousKey is the key of a job that a continuous queue makes at a time: its
// Unix seconds and milliseconds.
func ContinuousKey(at job.Time) job.Key {
	ms := int64(at) / int64(time.Millisecond)
	return job.Key(fmt.Sprintf("%d.%03d", ms/1000, ms%1000))
}

// Invent makes the job of an idle continuous queue. One that is there already
// under the same key is made available again; of a finished one the record may be
// needed (AddNeedFinished, with its number in Added.End): read it and ask again.
func (s *State) Invent(id job.QueueID, finished *job.Finished) Added {
	q := s.queues.byNumber(id)
	if q == nil {
		return Added{Err: job.ErrNoQueue}
	}
	j := &job.Job{Queue: q.Def.Name, Key: ContinuousKey(s.now), Data: emptyData}
	body, err := job.Encode(nil, j)
	if err != nil {
		return Added{Err: err}
	}
	// What finished in this very millisecond is still remembered, so that nothing
	// need be looked up.
	p := Prepared{Job: j, Digest: job.DigestOf(j.Queue, j.Key), Body: body, Reach: s.meta.NextEnd, Finished: finished}
	a := s.addOne(&p, AddOptions{Existing: job.ExistingReplace})
	if a.Err != nil || a.State != job.Ready {
		return a
	}
	q.Next, q.idled = s.now.Add(q.Def.Interval), false
	s.dirtyQueue(q)
	return a
}

// Postpone keeps a queue from making its next job for a millisecond, since the key
// it would have now is taken.
func (s *State) Postpone(id job.QueueID) {
	if q := s.queues.byNumber(id); q != nil {
		q.Next = s.now.Add(time.Millisecond)
	}
}
