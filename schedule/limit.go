package schedule

import (
	"cmp"
	"math"
	"slices"

	"github.com/muster-queue/muster/job"
)

// Named limits: what a job that is held counts against each limit it carries, from
// its grant to the end of the attempt; and, of rates, what was granted in the last
// period. A limit nobody set is counted, too, and lets everything pass.
//
// Lanes have their limits in common. A lane that one of them leaves no room is out of
// the order of service, as one whose queue is closed, so it costs passes nothing;
// with room it comes back to its place, and to the agenda.

// limit is a named limit, and how much of it is used.
type limit struct {
	known bool
	job.Limit
	// hours are its windows: closed is whether none is open, until turns.
	hours  job.Hours
	closed bool
	turns  job.Time

	// used is how many units are held; starts are those of a rate that were used up,
	// the oldest first, and started their sum.
	used    int64
	starts  []job.LimitStart
	started int64

	// uses are the limit sets it is part of by weight, the smallest first. Those that
	// need more than room are shut by it.
	uses []usesOf
	room int64
	// due is when time changes the room, in Scheduler.timed; zero: it does not.
	due   job.Time
	timed int

	changed bool // to be stored
}

// usesOf are the limit sets that count a limit with a weight.
type usesOf struct {
	weight int64
	sets   []*limitSet
}

// unlimited is the room of a limit that lets everything pass.
const unlimited = math.MaxInt64

// LimitState is a limit as it stands.
type LimitState struct {
	job.Limit
	// Known: somebody set it. Otherwise it is only counted.
	Known bool
	// Used is how many units are held. Started is, of a rate, how many of the present
	// period are used up.
	Used, Started int64
	// Room is how many units may start now.
	Room int64
	// Ready is how many ready jobs carry it.
	Ready int64
	// Opens is when time gives it more room, if it has none: a window opens, or units
	// of a rate come back. Zero: it has room, or time alone gives none.
	Opens job.Time
}

// SetLimit sets a valid limit, or changes it: at once, but nothing that is held is
// stopped. A rate counts what was granted since it has been one.
func (s *Scheduler) SetLimit(def *job.Limit) {
	kept := *def
	kept.Windows = slices.Clone(def.Windows)
	s.setLimit(s.limitNamed(def.Name), true, kept)
}

func (s *Scheduler) setLimit(l *limit, known bool, def job.Limit) {
	s.comeBack(l) // by the period that was
	if !def.Rate() {
		l.starts, l.started = nil, 0
	}
	timed := l.Timed()
	l.known, l.Limit, l.hours, l.turns = known, def, job.HoursOf(def.Windows), 0
	s.touchLimit(l)
	s.updateLimit(l)
	if timed && !l.Timed() {
		s.retryLimit(l) // they may be given in advance now
	}
}

// retryLimit has jobs that carry the limit be tried again.
func (s *Scheduler) retryLimit(l *limit) {
	for _, u := range l.uses {
		for _, set := range u.sets {
			if set.open() {
				s.turn(set.lanes)
			}
		}
	}
}

// RestoreLimit sets a limit as it was stored.
func (s *Scheduler) RestoreLimit(row *job.LimitRow) {
	s.SetLimit(&row.Limit)
	l := s.limits[row.Name]
	for _, st := range row.Started {
		l.starts, l.started = append(l.starts, st), l.started+st.Units
	}
	l.changed = false
	s.limitsChanged = without(s.limitsChanged, l)
	s.updateLimit(l)
}

// DropLimit lifts a limit; what is held of it is counted on. False if nobody set it.
func (s *Scheduler) DropLimit(name string) bool {
	l := s.limits[name]
	if l == nil || !l.known {
		return false
	}
	s.setLimit(l, false, job.Limit{Name: name})
	s.discardLimit(l)
	return true
}

// Limit is one limit as it stands, if it is set or counted.
func (s *Scheduler) Limit(name string, now job.Time) (LimitState, bool) {
	s.Advance(now)
	s.tick()
	if l := s.limits[name]; l != nil {
		return s.stateOf(l), true
	}
	return LimitState{}, false
}

// Limits are the limits that are set, and those that jobs carry, by name.
func (s *Scheduler) Limits(now job.Time) []LimitState {
	s.Advance(now)
	s.tick()
	list := make([]LimitState, 0, len(s.limits))
	for _, l := range s.limits {
		list = append(list, s.stateOf(l))
	}
	slices.SortFunc(list, func(a, b LimitState) int { return cmp.Compare(a.Name, b.Name) })
	return list
}

func (s *Scheduler) stateOf(l *limit) LimitState {
	s.comeBack(l)
	l.reopen(s.now)
	st := LimitState{Limit: l.Limit, Known: l.known, Used: l.used, Started: l.started, Room: l.roomNow()}
	st.Windows = slices.Clone(l.Windows)
	if st.Room == 0 {
		st.Opens = l.opens(s.now, 1)
	}
	for _, u := range l.uses {
		for _, set := range u.sets {
			st.Ready += set.ready
		}
	}
	return st
}

// ChangedLimits are the limits that cannot be told from what was last taken here: the
// rows to store, in one batch with the grants and releases of the same turn.
func (s *Scheduler) ChangedLimits() []job.LimitRow {
	if len(s.limitsChanged) == 0 {
		return nil
	}
	rows := make([]job.LimitRow, 0, len(s.limitsChanged))
	for _, l := range s.limitsChanged {
		l.changed = false
		rows = append(rows, job.LimitRow{Limit: l.Limit, Started: slices.Clone(l.starts), Gone: !l.known})
	}
	clear(s.limitsChanged)
	s.limitsChanged = s.limitsChanged[:0]
	slices.SortFunc(rows, func(a, b job.LimitRow) int { return cmp.Compare(a.Name, b.Name) })
	return rows
}

func (s *Scheduler) touchLimit(l *limit) {
	if !l.changed {
		l.changed = true
		s.limitsChanged = append(s.limitsChanged, l)
	}
}

func (s *Scheduler) limitNamed(name string) *limit {
	l := s.limits[name]
	if l == nil {
		l = &limit{Limit: job.Limit{Name: name}, room: unlimited}
		if s.limits == nil {
			s.limits = map[string]*limit{}
		}
		s.limits[name] = l
	}
	return l
}

// discardLimit forgets a limit that nobody set and no job carries.
func (s *Scheduler) discardLimit(l *limit) {
	if !l.known && len(l.uses) == 0 && s.limits[l.Name] == l {
		s.timed.remove(l)
		delete(s.limits, l.Name)
	}
}

// reopen looks at the windows when one may have opened or closed.
func (l *limit) reopen(now job.Time) {
	if now < l.turns {
		return
	}
	l.closed, l.turns = !l.hours.Open(now), l.hours.Change(now)
	if l.turns == 0 {
		l.turns = forever
	}
}

// roomNow is how many units may start, once reopen and comeBack have looked.
func (l *limit) roomNow() int64 {
	switch {
	case !l.known:
		return unlimited
	case l.closed:
		return 0
	case l.Max < 0:
		return unlimited
	case l.Rate():
		return max(0, l.Max-l.started)
	}
	return max(0, l.Max-l.used)
}

// never reports whether the limit, as it is, will never let so many units start.
func (l *limit) never(now job.Time, units int64) bool {
	return l.known && (l.Max >= 0 && units > l.Max || l.hours.Next(now) == 0)
}

// opens is when time gives the limit room for so many units; zero if time alone does
// not, or it has.
func (l *limit) opens(now job.Time, units int64) job.Time {
	at := now
	switch left := l.Max - l.started; {
	case !l.known || l.Max < 0:
	case units > l.Max || !l.Rate() && l.Max-l.used < units:
		return 0
	case l.Rate():
		for i := 0; left < units; i++ {
			left += l.starts[i].Units
			at = l.starts[i].At.Add(l.Period)
		}
	}
	if next := l.hours.Next(at); next > now {
		return next
	}
	return 0
}

// countLimit adds units to what is held of a limit.
func (s *Scheduler) countLimit(l *limit, units int64) {
	l.used += units
	if l.known && !l.Rate() {
		s.updateLimit(l)
	}
}
