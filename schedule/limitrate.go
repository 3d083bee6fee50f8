package schedule

import (
	"container/heap"
	"slices"

	"github.com/muster-queue/muster/job"
)

// What a rate lets start is the most in any time of its period's length. For that
// each grant is kept until a period later: to the moment up to fineRate units a
// period, else by the next of fineRate parts of the period, so that units come back at
// most that much late and never early.
const (
	fineRate  = 64
	maxStarts = 2 * fineRate
)

// useRate takes units of a rate that are granted now.
func (s *Scheduler) useRate(l *limit, units int64) {
	s.comeBack(l)
	at := s.now
	if part := job.Time(l.Period / fineRate); l.Max > fineRate {
		at = (at + part - 1) / part * part
	}
	last := len(l.starts) - 1
	if last >= 0 && l.starts[last].At >= at {
		l.starts[last].Units += units
	} else {
		l.starts = append(l.starts, job.LimitStart{At: at, Units: units})
	}
	if len(l.starts) > maxStarts { // its settings were others
		l.starts[1].Units += l.starts[0].Units
		l.starts = slices.Delete(l.starts, 0, 1)
	}
	l.started += units
	s.touchLimit(l)
	s.updateLimit(l)
}

// unuseRate gives back units that were used just now, and came to nothing.
func (s *Scheduler) unuseRate(l *limit, units int64) {
	for units > 0 && len(l.starts) > 0 {
		last := &l.starts[len(l.starts)-1]
		n := min(units, last.Units)
		last.Units, l.started, units = last.Units-n, l.started-n, units-n
		if last.Units == 0 {
			l.starts = l.starts[:len(l.starts)-1]
		}
	}
	s.touchLimit(l)
	s.updateLimit(l)
}

// comeBack forgets the units of a rate that were used up a period ago.
func (s *Scheduler) comeBack(l *limit) {
	n := 0
	for n < len(l.starts) && l.starts[n].At.Add(l.Period) <= s.now {
		l.started -= l.starts[n].Units
		n++
	}
	if n > 0 {
		l.starts = slices.Delete(l.starts, 0, n)
	}
}

// updateLimit brings a limit's room up to date, and what it shuts or opens with it.
func (s *Scheduler) updateLimit(l *limit) {
	s.comeBack(l)
	l.reopen(s.now)
	was := l.room
	l.room = l.roomNow()
	for i := range l.uses {
		switch u := &l.uses[i]; {
		case was < u.weight && u.weight <= l.room:
			s.unshut(u.sets)
		case l.room < u.weight && u.weight <= was:
			s.shut(u.sets)
		}
	}
	s.timed.set(l, l.nextChange())
}

// nextChange is when time changes the room of the limit, as far as it matters: that
// units of a rate come back does only to those that wait for them.
func (l *limit) nextChange() job.Time {
	if !l.known || len(l.uses) == 0 {
		return 0
	}
	due := l.turns
	if len(l.starts) > 0 && l.uses[len(l.uses)-1].weight > l.room {
		due = min(due, l.starts[0].At.Add(l.Period))
	}
	if due == forever {
		return 0
	}
	return due
}

// tick brings the limits up to date that time has changed.
func (s *Scheduler) tick() {
	for len(s.timed) > 0 && s.timed[0].due <= s.now {
		s.updateLimit(s.timed[0])
	}
}

// NextOpening is when time next changes what limits let start.
func (s *Scheduler) NextOpening() (job.Time, bool) {
	if len(s.timed) == 0 {
		return 0, false
	}
	return s.timed[0].due, true
}

// Opened reports whether jobs came back into the order of service since the last call,
// since a queue or a limit has room again; with more it wants to be called again for that.
func (s *Scheduler) Opened(now job.Time) (opened, more bool) {
	s.Advance(now)
	s.tick()
	if s.budget = s.tune.turns; !s.turnLanes() {
		return false, true
	}
	opened, s.opened = s.opened, false
	return opened, false
}

// dueLimits are limits by the time at which their room changes, the soonest first.
type dueLimits []*limit

// set files a limit under its time, or takes it out for zero.
func (h *dueLimits) set(l *limit, due job.Time) {
	switch was := l.due; {
	case due == was:
	case due == 0:
		h.remove(l)
	default:
		if l.due = due; was == 0 {
			heap.Push(h, l)
		} else {
			heap.Fix(h, l.timed)
		}
	}
}

func (h *dueLimits) remove(l *limit) {
	if l.due != 0 {
		heap.Remove(h, l.timed)
		l.due = 0
	}
}

func (h dueLimits) Len() int           { return len(h) }
func (h dueLimits) Less(i, j int) bool { return h[i].due < h[j].due }
func (h dueLimits) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].timed, h[j].timed = i, j
}

// Push is for package heap.
func (h *dueLimits) Push(x any) {
	l := x.(*limit)
	l.timed = len(*h)
	*h = append(*h, l)
}

// Pop is for package heap.
func (h *dueLimits) Pop() any {
	old := *h
	last := len(old) - 1
	l := old[last]
	old[last] = nil
	*h = old[:last]
	return l
}
