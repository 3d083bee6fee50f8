package schedule

import (
	"cmp"
	"encoding/binary"
	"slices"

	"github.com/muster-queue/muster/job"
)

// limitSet is limits that jobs count against together, each with a weight. A set
// without any is nil.
type limitSet struct {
	key   string
	parts []limitPart
	shuts int // parts without room
	lanes []*lane
	held  int
	ready int64 // jobs
}

// limitPart is one limit of a set; at is the place of the set among those that count
// it with the same weight.
type limitPart struct {
	*limit
	weight int64
	at     int
}

// limitsOf is the set of the limits that a shape carries.
func (s *Scheduler) limitsOf(uses []job.LimitUse) *limitSet {
	if len(uses) == 0 {
		return nil
	}
	sorted := slices.Clone(uses)
	slices.SortFunc(sorted, func(a, b job.LimitUse) int { return cmp.Compare(a.Name, b.Name) })
	var key []byte
	for _, u := range sorted {
		key = binary.AppendUvarint(append(append(key, u.Name...), 0), uint64(u.Units()))
	}
	set := s.limitSets[string(key)]
	if set != nil {
		return set
	}
	set = &limitSet{key: string(key)}
	for _, u := range sorted {
		s.addPart(set, u)
	}
	if s.limitSets == nil {
		s.limitSets = map[string]*limitSet{}
	}
	s.limitSets[set.key] = set
	return set
}

// addPart makes a limit part of a set, and the set one of those that it may shut.
func (s *Scheduler) addPart(set *limitSet, u job.LimitUse) {
	l, weight := s.limitNamed(u.Name), u.Units()
	i, found := l.find(weight)
	if !found {
		l.uses = slices.Insert(l.uses, i, usesOf{weight: weight})
	}
	set.parts = append(set.parts, limitPart{limit: l, weight: weight, at: len(l.uses[i].sets)})
	l.uses[i].sets = append(l.uses[i].sets, set)
	if weight > l.room {
		set.shuts++
	}
	s.updateLimit(l) // it may not have been kept up to date
}

// find is where the sets that count the limit with a weight are, or belong.
func (l *limit) find(weight int64) (int, bool) {
	return slices.BinarySearchFunc(l.uses, weight, func(u usesOf, w int64) int { return cmp.Compare(u.weight, w) })
}

// discardSet forgets a set that no lane and no held job has.
func (s *Scheduler) discardSet(set *limitSet) {
	if set == nil || len(set.lanes) > 0 || set.held > 0 || s.limitSets[set.key] != set {
		return
	}
	delete(s.limitSets, set.key)
	for i := range set.parts {
		p := &set.parts[i]
		at, _ := p.find(p.weight)
		u := &p.uses[at]
		if u.sets = withoutAt(u.sets, p.at); p.at < len(u.sets) {
			u.sets[p.at].part(p.limit).at = p.at
		}
		if len(u.sets) == 0 {
			p.uses = slices.Delete(p.uses, at, at+1)
		}
		s.updateLimit(p.limit)
		s.discardLimit(p.limit)
	}
}

// part is the part of the set that is of a limit; there is one.
func (set *limitSet) part(l *limit) *limitPart {
	i := slices.IndexFunc(set.parts, func(p limitPart) bool { return p.limit == l })
	return &set.parts[i]
}

// open reports whether all limits have room for one more job.
func (set *limitSet) open() bool { return set == nil || set.shuts == 0 }

// timed reports whether time plays a part in when jobs may start.
func (set *limitSet) timed() bool {
	return set != nil && slices.ContainsFunc(set.parts, func(p limitPart) bool { return p.known && p.Timed() })
}

// inHours reports whether the windows of all limits are open.
func (set *limitSet) inHours(now job.Time) bool {
	return set == nil || !slices.ContainsFunc(set.parts, func(p limitPart) bool { return p.known && !p.hours.Open(now) })
}

// enter notes a lane that was made.
func (set *limitSet) enter(l *lane) {
	if set != nil {
		l.inLimits = len(set.lanes)
		set.lanes = append(set.lanes, l)
	}
}

// leaveLimits notes a lane that goes.
func (s *Scheduler) leaveLimits(l *lane) {
	set := l.limits
	if set == nil {
		return
	}
	if set.lanes = withoutAt(set.lanes, l.inLimits); l.inLimits < len(set.lanes) {
		set.lanes[l.inLimits].inLimits = l.inLimits
	}
	s.discardSet(set)
}

// shut notes that a limit of each set has no room any more, unshut that one has.
func (s *Scheduler) shut(sets []*limitSet) {
	for _, set := range sets {
		if set.shuts++; set.shuts == 1 {
			s.turn(set.lanes)
		}
	}
}

func (s *Scheduler) unshut(sets []*limitSet) {
	for _, set := range sets {
		if set.shuts--; set.shuts == 0 {
			s.turn(set.lanes)
		}
	}
}

// countLimits counts a job that is held, with sign 1, or is no more, with -1.
func (s *Scheduler) countLimits(set *limitSet, sign int) {
	if set == nil {
		return
	}
	set.held += sign
	for i := range set.parts {
		s.countLimit(set.parts[i].limit, int64(sign)*set.parts[i].weight)
	}
	s.discardSet(set)
}

// useRates takes what a grant takes of the rates in the set.
func (s *Scheduler) useRates(set *limitSet) {
	if set == nil {
		return
	}
	for i := range set.parts {
		if p := &set.parts[i]; p.known && p.Rate() {
			s.useRate(p.limit, p.weight)
		}
	}
}

// unuseRates gives back what a grant took that came to nothing just now.
func (s *Scheduler) unuseRates(set *limitSet) {
	if set == nil {
		return
	}
	for i := range set.parts {
		if p := &set.parts[i]; p.known && p.Rate() {
			s.unuseRate(p.limit, p.weight)
		}
	}
}

// takeFrom takes what n jobs need of what is left of the limits, and tells for how
// many that is enough.
func (set *limitSet) takeFrom(taken map[*limit]int64, n int64) int64 {
	if set == nil {
		return n
	}
	for _, p := range set.parts {
		n = min(n, max(0, p.room-taken[p.limit])/p.weight)
	}
	for _, p := range set.parts {
		taken[p.limit] += n * p.weight
	}
	return n
}

// blocking is the limit that shuts the set: one that never lets it pass, else the
// first without room. There is one.
func (set *limitSet) blocking(now job.Time) (p *limitPart, never bool) {
	for i := range set.parts {
		switch q := &set.parts[i]; {
		case q.never(now, q.weight):
			return q, true
		case p == nil && q.weight > q.room:
			p = q
		}
	}
	return p, false
}
