package queue

import (
	"github.com/muster-queue/muster/job"
)

// This file carries what happens to members to those who wait for them.

// regroup finds the phase that a group's numbers make; if it is another one, whoever
// waits for it is told, see Resolve.
func (s *State) regroup(slot uint32) {
	g := s.dep.groups.at(slot)
	p := g.now()
	if p == g.phase {
		return
	}
	g.phase, g.next = p, g.waiters
	if !g.queued && g.waiters != 0 && !s.loading {
		g.queued = true
		s.dep.pending = append(s.dep.pending, slot)
	}
}

// relist moves a job that became buried, or is not any more, to the other list of each
// group that it is a member of.
func (s *State) relist(slot uint32, r *rec) {
	list := listOf(r.state)
	for i := s.dep.link(slot).first; i != 0; {
		t := s.dep.ties.at(i)
		if t.member && t.list != list {
			g := s.dep.groups.at(t.group)
			s.drop(&g.members[t.list], t)
			g.n[t.list]--
			t.list = list
			s.push(&g.members[list], i, t)
			g.n[list]++
			s.regroup(t.group)
		}
		i = t.next
	}
}

// membersDone counts a job that completes in the groups it is a member of, and lists
// those with a name in its record.
func (s *State) membersDone(slot uint32, f *job.Finished) {
	for i := s.dep.link(slot).first; i != 0; {
		t := s.dep.ties.at(i)
		if t.member {
			g := s.dep.groups.at(t.group)
			g.done++
			s.dirtyDepGroup(t.group, g)
			if g.named {
				f.DepGroups = append(f.DepGroups, g.id)
			}
		}
		i = t.next
	}
}

// forgetMember takes a complete job out of the groups it is a member of.
func (s *State) forgetMember(f *job.Finished) {
	for _, id := range f.DepGroups {
		if slot, ok := s.dep.byID[id]; ok {
			s.undone(slot)
		}
	}
	if len(s.dep.byDigest) > 0 {
		if slot, ok := s.dep.byDigest[f.Digest]; ok {
			s.undone(slot)
		}
	}
}

func (s *State) undone(slot uint32) {
	g := s.dep.groups.at(slot)
	if g.done--; g.done <= 0 {
		g.done = 0
		if g.waiters != 0 && g.n == [2]uint32{} {
			g.past = job.DepComplete
		}
	}
	s.dirtyDepGroup(slot, g)
	s.regroup(slot)
}

// Resolve lets jobs go on, or wait again, that depend on groups which ended, or got a
// member, since the last call. It looks at no more than max dependencies; more says
// that it must be called again.
func (s *State) Resolve(max int) (more bool) {
	d := &s.dep
	for ; max > 0 && len(d.pending) > 0; max-- {
		slot := d.pending[0]
		g := d.groups.at(slot)
		if g.next == 0 {
			g.queued = false
			if d.pending = d.pending[1:]; g.waiters == 0 {
				s.dirtyDepGroup(slot, g)
			}
			continue
		}
		t := d.ties.at(g.next)
		g.next = t.after
		d.looked++
		s.reconsider(t, g)
		s.reline(t.job)
	}
	if len(d.pending) == 0 {
		d.pending = nil
	}
	return len(d.pending) > 0
}

// reconsider brings a dependency in line with the phase of its group.
func (s *State) reconsider(t *tie, g *depGroup) {
	met := t.satisfied(g.phase)
	if met == t.met {
		return
	}
	l := s.dep.link(t.job)
	if t.met = met; !met {
		l.unmet++
		return
	}
	l.unmet--
	if t.static {
		t.latched = true
		s.turn.linked = append(s.turn.linked, s.recs.at(t.job).seq)
	}
}

// blocked reports whether the job waits for others, as things are now.
func (s *State) blocked(slot uint32, r *rec) bool {
	if !r.linked {
		return false
	}
	l := s.dep.link(slot)
	if len(s.dep.pending) > 0 && l.waits > 0 {
		for i := l.first; i != 0; {
			t := s.dep.ties.at(i)
			if s.dep.looked++; !t.member {
				s.reconsider(t, s.dep.groups.at(t.group))
			}
			i = t.next
		}
	}
	return l.unmet > 0
}

// reline moves a waiting job that is blocked and need not be, or the other way round.
// One that is held, buried or complete is not disturbed.
func (s *State) reline(slot uint32) {
	r := s.recs.at(slot)
	unmet := s.dep.link(slot).unmet > 0
	switch {
	case r.state == job.Blocked && !unmet:
		s.move(slot, r, s.dueState(slot, r, s.due(r)), CauseMet)
	case (r.state == job.Ready || r.state == job.Delayed) && unmet:
		s.block(slot, r)
	}
}

// block makes a waiting job wait for others again. When it is due is kept.
func (s *State) block(slot uint32, r *rec) {
	if r.state == job.Ready && r.try != 0 {
		s.tries.at(r.try).due = 0 // that is over
	}
	s.undelay(r)
	s.move(slot, r, job.Blocked, CauseOpened)
}

// due is the time before which the job may not start; zero if there is none.
func (s *State) due(r *rec) job.Time {
	if r.try == 0 {
		return 0
	}
	return s.tries.at(r.try).due
}

// line is the state in which a job that nobody holds and that shall run is: blocked
// while it waits for others, delayed until it is due, else ready.
func (s *State) line(slot uint32, r *rec, due job.Time) job.State {
	if s.blocked(slot, r) {
		if due > s.now {
			s.tried(slot, r).due = due
		}
		return job.Blocked
	}
	return s.dueState(slot, r, due)
}

// requeue moves a job that nobody holds to where it is to wait, if that is elsewhere.
func (s *State) requeue(slot uint32, r *rec, due job.Time, c Cause) (moved bool) {
	s.undelay(r)
	to := s.line(slot, r, due)
	if to == job.Blocked && due <= s.now && r.try != 0 {
		s.tries.at(r.try).due = 0
	}
	if to == r.state {
		return false
	}
	s.move(slot, r, to, c)
	return true
}

// dueState is the state of a job that waits for no other: delayed until it is due.
func (s *State) dueState(slot uint32, r *rec, due job.Time) job.State {
	if due <= s.now {
		return job.Ready
	}
	s.delay(slot, r, due)
	return job.Delayed
}
