package simulate

import "github.com/muster-queue/muster/job"

// happening is something that will happen, unless it was called off meanwhile.
type happening struct {
	at   job.Time
	what what
	// n tells those of one time and kind apart: their order, and which it is: a
	// stream, a group of workers, a change. The end of a run has its job and try.
	n   int
	seq job.Seq
	try int
}

// what happens, in the order in which it does at one time.
type what uint8

const (
	runEnds what = iota
	graceEnds
	workersLeave
	workersArrive
	accountChanges
	jobArrives
	sampleDue
)

// before is the order of happenings: it is total, so that a simulation is the same
// every time.
func (h *happening) before(o *happening) bool {
	switch {
	case h.at != o.at:
		return h.at < o.at
	case h.what != o.what:
		return h.what < o.what
	case h.n != o.n:
		return h.n < o.n
	}
	return h.seq < o.seq || h.seq == o.seq && h.try < o.try
}

// agenda is a heap of happenings.
type agenda []happening

func (a *agenda) push(h happening) {
	list := append(*a, h)
	i := len(list) - 1
	for i > 0 {
		parent := (i - 1) / 2
		if !h.before(&list[parent]) {
			break
		}
		list[i] = list[parent]
		i = parent
	}
	list[i] = h
	*a = list
}

// next is when the first happens; false if nothing will.
func (a agenda) next() (job.Time, bool) {
	if len(a) == 0 {
		return 0, false
	}
	return a[0].at, true
}

func (a *agenda) pop() happening {
	list := *a
	top, last := list[0], list[len(list)-1]
	list = list[:len(list)-1]
	*a = list
	if len(list) == 0 {
		return top
	}
	i := 0
	for {
		child := 2*i + 1
		if child >= len(list) {
			break
		}
		if r := child + 1; r < len(list) && list[r].before(&list[child]) {
			child = r
		}
		if !list[child].before(&last) {
			break
		}
		list[i] = list[child]
		i = child
	}
	list[i] = last
	return top
}
