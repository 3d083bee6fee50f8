package queue

import (
	"github.com/muster-queue/muster/job"
)

// depends is who waits for whom: dependency groups with their members and with those
// that wait for them. A key that is waited for is a group of one. Nothing in it has
// pointers but the names, and jobs without dependencies are not in it.
type depends struct {
	groups   slab[depGroup]
	ties     slab[tie]
	links    []*[chunkSize]link // by slot of the job; nil where none is linked
	byID     map[job.DepGroupID]uint32
	byName   map[string]uint32
	byDigest map[job.Digest]uint32
	names    map[uint32]string

	// pending are groups whose phase changed and whose waiters were not all told.
	pending []uint32
	// looked is how many ties were looked at to tell those who wait, and to find cycles.
	looked uint64
	// stamp tells marks of one search from those of earlier ones.
	stamp uint32
	// in and on are buffers, see plan.
	in, on []uint32
	// loaded are the ties of jobs that are still to be loaded, in order of sequence.
	loaded []loadedLink
}

// depGroup is a dependency group.
type depGroup struct {
	digest job.Digest // of the key whose group it is
	done   int64      // complete members
	level  int64      // see keepLevels
	id     job.DepGroupID

	// waiters is the first tie of those who wait, members of those who are waited for,
	// the open and the buried ones apart; n is how many.
	waiters uint32
	members [2]uint32
	n       [2]uint32
	fed     uint32 // members that wait for something themselves
	next    uint32 // the waiter that is told next, see Resolve
	joined  uint32 // changes with each new waiter
	mark    uint32

	phase  phase
	past   job.DepPast
	named  bool // else it is that of a key
	queued bool // in pending
	dirty  bool
}

// depPast is what a group, by its slot, was while it had no members.
type depPast struct {
	group uint32
	past  job.DepPast
}

// The lists of a group's members.
const (
	openMembers = iota
	buriedMembers
)

// phase is what a group is to those who wait for it.
type phase uint8

// The phases.
const (
	phaseAbsent   phase = iota // it has no members, and never had
	phaseOpen                  // members are still to end
	phaseOK                    // all are complete
	phaseFailed                // all have ended, some are buried
	phaseReleased              // it has no members any more, nobody needs to wait
)

// tie connects a job with a group: it is a member, or waits for it.
type tie struct {
	job, group    uint32 // slots
	next          uint32 // of the same job
	after, before uint32 // of the same list of the group
	condition     job.Condition
	absent        job.IfAbsent
	member        bool
	list          uint8 // of a member: which
	own           bool  // of a member: the group is that of its key
	static, met   bool
	latched       bool // it was met, and is static
}

// link is what a job has of it.
type link struct {
	first         uint32 // tie: the memberships, then the dependencies in their order
	waits, unmet  uint16
	memberOfNamed bool // its row is stored, if only for this
}

func (d *depends) init() {
	d.byID, d.byName = map[job.DepGroupID]uint32{}, map[string]uint32{}
	d.byDigest, d.names = map[job.Digest]uint32{}, map[uint32]string{}
}

// link is the link of a job, made when there is none yet.
func (d *depends) link(slot uint32) *link {
	n := int(slot / chunkSize)
	for n >= len(d.links) {
		d.links = append(d.links, nil)
	}
	if d.links[n] == nil {
		d.links[n] = new([chunkSize]link)
	}
	return &d.links[n][slot%chunkSize]
}

// unused reports whether nobody needs the group any more: what is known of a key is
// known without it.
func (g *depGroup) unused() bool {
	return g.waiters == 0 && !g.queued && (!g.named || g.n == [2]uint32{} && g.done == 0)
}

// now is the phase that the group's numbers make.
func (g *depGroup) now() phase {
	switch {
	case g.n[openMembers] > 0:
		return phaseOpen
	case g.n[buriedMembers] > 0:
		return phaseFailed
	case g.done > 0 || g.past == job.DepComplete:
		return phaseOK
	case g.past == job.DepReleased:
		return phaseReleased
	}
	return phaseAbsent
}

// satisfied reports whether a dependency is met in a phase of its group.
func (t *tie) satisfied(p phase) bool {
	switch {
	case t.latched || p == phaseReleased:
		return true
	case p == phaseAbsent:
		return t.absent == job.IfAbsentMet
	case p == phaseOpen:
		return false
	case t.condition == job.ConditionAny:
		return true
	}
	return (p == phaseFailed) == (t.condition == job.ConditionFailed)
}

// depGroup is the slot of a named group, made when new.
func (s *State) depGroup(name string) uint32 {
	slot, ok := s.dep.byName[name]
	if !ok {
		slot = s.newDepGroup()
		s.dep.groups.at(slot).named = true
		s.dep.byName[name], s.dep.names[slot] = slot, name
	}
	return slot
}

// keyGroup is the slot of the group that a key is, made when new: a live job of that
// key becomes its member; done says that history has one.
func (s *State) keyGroup(d job.Digest, done bool) uint32 {
	slot, ok := s.dep.byDigest[d]
	if ok {
		return slot
	}
	slot = s.newDepGroup()
	g := s.dep.groups.at(slot)
	g.digest = d
	s.dep.byDigest[d] = slot
	if done {
		g.done = 1
	}
	if of := s.byDigest.find(&s.recs, &d); of != 0 {
		if r := s.recs.at(of); !r.ghost() {
			g.level = s.above(of, r)
			s.joinOwn(of, r, slot)
		}
	}
	s.regroup(slot)
	return slot
}

// above is the level above all that a job waits for.
func (s *State) above(slot uint32, r *rec) (level int64) {
	if !r.linked {
		return 0
	}
	for i := s.dep.link(slot).first; i != 0; {
		t := s.dep.ties.at(i)
		if !t.member {
			level = max(level, s.dep.groups.at(t.group).level+1)
		}
		i = t.next
	}
	return level
}

func (s *State) newDepGroup() uint32 {
	slot := s.dep.groups.take()
	g := s.dep.groups.at(slot)
	g.id = s.meta.NextDepGroup
	s.meta.NextDepGroup++
	s.dep.byID[g.id] = slot
	s.dirtyDepGroup(slot, g)
	return slot
}

func (s *State) dirtyDepGroup(slot uint32, g *depGroup) {
	if !g.dirty {
		g.dirty = true
		s.turn.depGroups = append(s.turn.depGroups, slot)
	}
}

// dropDepGroup forgets a group that is unused.
func (s *State) dropDepGroup(slot uint32, g *depGroup) {
	delete(s.dep.byID, g.id)
	if g.named {
		delete(s.dep.byName, s.dep.names[slot])
		delete(s.dep.names, slot)
	} else {
		s.leaveOwn(g)
		delete(s.dep.byDigest, g.digest)
	}
	s.dep.groups.give(slot)
}

// leaveOwn ends the membership of the job whose key the group is.
func (s *State) leaveOwn(g *depGroup) {
	for _, i := range g.members {
		if i == 0 {
			continue
		}
		slot := s.dep.ties.at(i).job
		l := s.dep.link(slot)
		at := &l.first
		for *at != i {
			at = &s.dep.ties.at(*at).next
		}
		*at = s.dep.ties.at(i).next
		s.recs.at(slot).linked = l.first != 0
		s.dep.ties.give(i)
	}
}
