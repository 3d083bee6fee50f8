package queue

import (
	"github.com/muster-queue/muster/job"
)

// Counts are the numbers of all jobs by state. Those deleted by force are not in
// them, though a worker may still hold their lease.
func (s *State) Counts() job.Counts { return s.counts }

// Bytes are those of the newest descriptions of live jobs.
func (s *State) Bytes() int64 { return s.bytes }

// Named is a queue or group with its counters.
type Named struct {
	Name string
	// ID is the job.QueueID or job.GroupID.
	ID     uint32
	Counts job.Counts
	// Next is when a continuous queue may make its next job, if it has to wait.
	Next job.Time
}

func (q *queueRow) named() Named {
	n := Named{Name: q.Def.Name, ID: uint32(q.ID), Counts: q.counts, Next: q.Next}
	n.Counts[job.Complete] = q.Done
	return n
}

func (g *groupRow) named() Named {
	n := Named{Name: g.Name, ID: uint32(g.ID), Counts: g.counts}
	n.Counts[job.Complete] = g.Done
	return n
}

// Queues lists at most limit queues in the order of their names, those after the
// name after.
func (s *State) Queues(after string, limit int) []Named {
	var list []Named
	for _, name := range s.queueNames.after(after, limit) {
		list = append(list, s.queues.rows[s.queues.byKey[name]].named())
	}
	return list
}

// Groups lists at most limit groups in the order of their names, those after the
// name after. Jobs without a group are in none.
func (s *State) Groups(after string, limit int) []Named {
	var list []Named
	for _, name := range s.groupNames.after(after, limit) {
		list = append(list, s.groups.rows[s.groups.byKey[name]].named())
	}
	return list
}

// QueueNamed finds a queue by name.
func (s *State) QueueNamed(name string) (Named, bool) {
	if slot, ok := s.queues.byKey[name]; ok {
		return s.queues.rows[slot].named(), true
	}
	return Named{}, false
}

// GroupNamed finds a group by name.
func (s *State) GroupNamed(name string) (Named, bool) {
	if slot, ok := s.groups.byKey[name]; ok {
		return s.groups.rows[slot].named(), true
	}
	return Named{}, false
}

// Queue is the definition behind a number.
func (s *State) Queue(id job.QueueID) (job.Queue, bool) {
	if q := s.queues.byNumber(id); q != nil {
		return q.Def, true
	}
	return job.Queue{}, false
}

// Group is the name behind a number; that of zero is empty.
func (s *State) Group(id job.GroupID) (string, bool) {
	if id == 0 {
		return "", true
	}
	if g := s.groups.byNumber(id); g != nil {
		return g.Name, true
	}
	return "", false
}

// Kind is the name behind a number; that of zero is empty.
func (s *State) Kind(id job.KindID) (string, bool) {
	if id == 0 {
		return "", true
	}
	if k := s.kinds.byNumber(id); k != nil {
		return k.Name, true
	}
	return "", false
}

// KindNamed finds a kind by name.
func (s *State) KindNamed(name string) (job.KindID, bool) {
	if slot, ok := s.kinds.byKey[name]; ok {
		return s.kinds.rows[slot].ID, true
	}
	return 0, false
}
