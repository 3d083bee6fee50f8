package schedule

import (
	"math"
	"strings"
)

// rank is a position in the order of service; smaller comes sooner. This is the
// one place where "larger runs sooner" is turned round.
type rank struct {
	queue    uint64 // from the queue's priority; zero inside a lane
	priority uint64 // from the job's priority
	grade    uint64 // of its lane; zero inside a lane
	place    uint64
	key      string // of a job in a queue that is ordered by key; its place is zero
	seq      uint64
	// owner is the shape or lane that is filed there: its rank may be out of
	// date and that of a job which is in another shape by now.
	owner uint64
}

// lastRank is behind every job.
var lastRank = rank{queue: math.MaxUint64, priority: math.MaxUint64, grade: math.MaxUint64, place: math.MaxUint64, seq: math.MaxUint64, owner: math.MaxUint64}

// less reports whether r comes before o.
func (r rank) less(o rank) bool {
	switch {
	case r.queue != o.queue:
		return r.queue < o.queue
	case r.priority != o.priority:
		return r.priority < o.priority
	case r.grade != o.grade:
		return r.grade < o.grade
	case r.place != o.place:
		return r.place < o.place
	case r.key != o.key:
		return strings.Compare(r.key, o.key) < 0
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
func (r rank) in(l *lane) rank {
	r.queue, r.grade = l.queue.rank, l.grade
	return r
}

// queueRank turns a queue's priority into its part of a rank.
func queueRank(priority int64) uint64 { return ^(uint64(priority) ^ 1<<63) }

// priorityRank turns a job's priority into its part of a rank.
func priorityRank(priority float64) uint64 {
	bits := math.Float64bits(priority + 0) // -0 and 0 are the same priority
	if bits>>63 != 0 {
		bits = ^bits
	} else {
		bits |= 1 << 63
	}
	return ^bits
}
