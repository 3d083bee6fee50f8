package queue

import (
	"slices"
	"time"

	"github.com/muster-queue/muster/job"
)

// Kept is how many complete jobs a queue has, and how many of them are kept.
type Kept struct {
	ID   job.QueueID
	Name string
	Done int64
	// Keep and For are job.Queue.KeepFinished and KeepFinishedFor.
	Keep *int64
	For  time.Duration
	// Oldest is a lower bound of the end numbers of the queue's complete jobs.
	Oldest uint64
}

// Limited reports whether not all are kept for ever.
func (k *Kept) Limited() bool { return k.Keep != nil || k.For > 0 }

// Excess reports whether the oldest complete job, which ended at a time, is not to
// be kept any longer.
func (k *Kept) Excess(ended, now job.Time) bool {
	return k.Keep != nil && k.Done > *k.Keep || k.For > 0 && ended.Add(k.For) <= now
}

func (q *queueRow) kept() Kept {
	return Kept{ID: q.ID, Name: q.Def.Name, Done: q.Done, Keep: q.Def.KeepFinished, For: q.Def.KeepFinishedFor, Oldest: q.Oldest}
}

// noteKept lists the queue among those that are pruned, or not.
func (s *State) noteKept(q *queueRow, exists bool) {
	i := slices.Index(s.keeping, q)
	k := q.kept()
	switch limited := exists && k.Limited(); {
	case limited && i < 0:
		s.keeping = append(s.keeping, q)
	case !limited && i >= 0:
		s.keeping = slices.Delete(s.keeping, i, i+1)
	}
}

// Kept is what is kept of a queue; zero if there is none.
func (s *State) Kept(id job.QueueID) Kept {
	if q := s.queues.byNumber(id); q != nil {
		return q.kept()
	}
	return Kept{}
}

// KeptQueues are the queues that do not keep all complete jobs for ever.
func (s *State) KeptQueues() []Kept {
	var all []Kept
	for _, q := range s.keeping {
		all = append(all, q.kept())
	}
	return all
}

// Pruned says that no complete job of the queue is left with an end number up to
// end.
func (s *State) Pruned(id job.QueueID, end uint64) {
	if q := s.queues.byNumber(id); q != nil && end >= q.Oldest {
		q.Oldest = end + 1
		s.dirtyQueue(q)
	}
}
