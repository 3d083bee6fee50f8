package queue

import "github.com/muster-queue/muster/job"

// timers is a heap of times, each with a reference, that tells the owner of a
// reference where its entry is, so that it can be moved or removed. It grows in
// chunks, never copying itself.
type timers struct {
	chunks []*[timerChunk]timer
	n      int32
	// moved stores the place of ref's entry, counted from 1; 0 is none.
	moved func(ref uint32, place int32)
}

const timerChunk = 1024

type timer struct {
	at  job.Time
	ref uint32
}

func (h *timers) slot(i int32) *timer { return &h.chunks[i/timerChunk][i%timerChunk] }

// first is the earliest entry; h must not be empty.
func (h *timers) first() timer { return *h.slot(0) }

// set gives ref, whose entry is at place (0: it has none), the time at.
func (h *timers) set(place int32, ref uint32, at job.Time) {
	if place == 0 {
		if int(h.n) == len(h.chunks)*timerChunk {
			h.chunks = append(h.chunks, new([timerChunk]timer))
		}
		h.n++
		h.up(h.n-1, timer{at, ref})
		return
	}
	i := place - 1
	if at < h.slot(i).at {
		h.up(i, timer{at, ref})
	} else {
		h.down(i, timer{at, ref})
	}
}

// remove takes out the entry at place, if there is one.
func (h *timers) remove(place int32) {
	if place == 0 {
		return
	}
	i := place - 1
	gone := *h.slot(i)
	h.moved(gone.ref, 0)
	h.n--
	if i == h.n {
		h.shrink()
		return
	}
	last := *h.slot(h.n)
	if last.at < gone.at {
		h.up(i, last)
	} else {
		h.down(i, last)
	}
	h.shrink()
}

// shrink lets chunks go that are two chunks away from being used.
func (h *timers) shrink() {
	if k := len(h.chunks); k > 1 && int(h.n) < (k-2)*timerChunk {
		h.chunks[k-1] = nil
		h.chunks = h.chunks[:k-1]
	}
}

func (h *timers) up(i int32, t timer) {
	for i > 0 {
		parent := (i - 1) / 4
		p := h.slot(parent)
		if p.at <= t.at {
			break
		}
		h.place(i, *p)
		i = parent
	}
	h.place(i, t)
}

func (h *timers) down(i int32, t timer) {
	for {
		least, at := int32(-1), t.at
		for c := 4*i + 1; c <= 4*i+4 && c < h.n; c++ {
			if x := h.slot(c).at; x < at {
				least, at = c, x
			}
		}
		if least < 0 {
			break
		}
		h.place(i, *h.slot(least))
		i = least
	}
	h.place(i, t)
}

func (h *timers) place(i int32, t timer) {
	*h.slot(i) = t
	h.moved(t.ref, i+1)
}
