package schedule

import "math"

// rank is a position in the order of service; smaller comes sooner. This is the
// one place where "larger runs sooner" is turned round.
type rank struct {
	queue    uint64 // from the queue's priority; zero inside a lane
	priority uint64 // from the job's priority
	place    uint64
	seq      uint64
	// owner is the shape or lane that is filed there: its rank may be out of
	// date and that of a job which is in another shape by now.
	owner uint64
}

// lastRank is behind every job.
var lastRank = rank{math.MaxUint64, math.MaxUint64, math.MaxUint64, math.MaxUint64, math.MaxUint64}

// less reports whether r comes before o.
func (r rank) less(o rank) bool {
	switch {
	case r.queue != o.queue:
		return r.queue < o.queue
	case r.priority != o.priority:
		return r.priority < o.priority
	case r.place != o.place:
		return r.place < o.place
	case r.seq != o.seq:
		return r.seq < o.seq
	}
	return r.owner < o.owner
}

// after is the first position behind r.
func (r rank) after() rank {
	if r.owner++; r.owner == 0 {
		r.seq++
	}
	return r
}

// in is the rank r, of a job in its lane, in the whole order of service.
func (r rank) in(q *queue) rank {
	r.queue = q.rank
	return r
}

// queueRank turns a queue's priority into its part of a rank.
func queueRank(priority int64) uint64 { return ^(uint64(priority) ^ 1<<63) }

// rank is the item's rank in its lane.
func (it *Item) rank() rank {
	bits := math.Float64bits(it.Priority + 0) // -0 and 0 are the same priority
	if bits>>63 != 0 {
		bits = ^bits
	} else {
		bits |= 1 << 63
	}
	return rank{priority: ^bits, place: it.Place, seq: uint64(it.Seq)}
}

// before reports whether the item comes before o in their shape.
func (it *Item) before(o *Item) bool {
	switch {
	case it.Priority != o.Priority:
		return it.Priority > o.Priority
	case it.Place != o.Place:
		return it.Place < o.Place
	}
	return it.Seq < o.Seq
}
