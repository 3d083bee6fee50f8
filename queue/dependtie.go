package queue

import (
	"slices"

	"github.com/muster-queue/muster/job"
)

// This file ties jobs to groups and takes the ties off again.

// relink brings a job's ties in line with its description. What it waits for must
// have been checked, see linkable.
func (s *State) relink(slot uint32, r *rec, p *Prepared) {
	j := p.Job
	plain := len(j.DepGroups)+len(j.Dependencies) == 0
	if plain && !r.linked && len(s.dep.byDigest) == 0 {
		return
	}
	s.plan(p)
	in, on := s.dep.in, s.dep.on
	if r.linked && s.sameTies(slot, in, on, j.Dependencies) {
		return
	}
	latched := s.latches(slot, r)
	s.unlink(slot, r)
	own := s.dep.byDigest[r.digest]
	if plain && own == 0 {
		return
	}
	r.linked = true
	for i := len(on) - 1; i >= 0; i-- {
		s.tieTo(slot, on[i], &j.Dependencies[i], latched)
	}
	l := s.dep.link(slot)
	for _, g := range in {
		s.join(slot, r, l, g, g == own)
		l.memberOfNamed = l.memberOfNamed || g != own
	}
	if l.waits > 0 || l.memberOfNamed {
		s.turn.linked = append(s.turn.linked, r.seq)
	}
}

// plan finds the groups that a description makes the job a member of, its key's among
// them if there is one, and those that it waits for.
func (s *State) plan(p *Prepared) {
	d := &s.dep
	d.in, d.on = d.in[:0], d.on[:0]
	for i := range p.Job.Dependencies {
		if on := &p.Job.Dependencies[i]; on.OnGroup() {
			d.on = append(d.on, s.depGroup(on.Group))
		} else {
			done, _ := s.doneKey(p, i)
			d.on = append(d.on, s.keyGroup(p.digestOn(i), done))
		}
	}
	for i, name := range p.Job.DepGroups {
		if g := s.depGroup(name); i == 0 || !slices.Contains(d.in, g) {
			d.in = append(d.in, g)
		}
	}
	if own := d.byDigest[p.Digest]; own != 0 {
		d.in = append(d.in, own)
	}
}

// sameTies reports whether a job's ties are as planned.
func (s *State) sameTies(slot uint32, in, on []uint32, of []job.Dependency) bool {
	n, m := 0, 0
	for i := s.dep.link(slot).first; i != 0; {
		t := s.dep.ties.at(i)
		if t.member {
			if n++; !slices.Contains(in, t.group) {
				return false
			}
		} else {
			if m == len(on) || on[m] != t.group || of[m].Condition != t.condition || of[m].IfAbsent != t.absent || of[m].Static != t.static {
				return false
			}
			m++
		}
		i = t.next
	}
	return n == len(in) && m == len(on)
}

// latch is a static dependency that was met.
type latch struct {
	group     uint32
	condition job.Condition
}

// latches are the static dependencies of the job that were met.
func (s *State) latches(slot uint32, r *rec) (met []latch) {
	if !r.linked {
		return nil
	}
	for i := s.dep.link(slot).first; i != 0; {
		t := s.dep.ties.at(i)
		if t.latched {
			met = append(met, latch{t.group, t.condition})
		}
		i = t.next
	}
	return met
}

// tieTo makes a job wait for a group; the tie becomes the job's first.
func (s *State) tieTo(slot, group uint32, on *job.Dependency, latched []latch) {
	i := s.dep.ties.take()
	t, l, g := s.dep.ties.at(i), s.dep.link(slot), s.dep.groups.at(group)
	*t = tie{job: slot, group: group, next: l.first, condition: on.Condition, absent: on.IfAbsent, static: on.Static}
	t.latched = on.Static && slices.Contains(latched, latch{group, on.Condition})
	l.first = i
	l.waits++
	s.push(&g.waiters, i, t)
	g.joined++
	if t.met = t.satisfied(g.phase); !t.met {
		l.unmet++
	}
	t.latched = t.met && t.static
}

// join makes a job a member of a group; the tie becomes the job's first.
func (s *State) join(slot uint32, r *rec, l *link, group uint32, own bool) {
	i := s.dep.ties.take()
	t, g := s.dep.ties.at(i), s.dep.groups.at(group)
	*t = tie{job: slot, group: group, next: l.first, member: true, own: own, list: listOf(r.state)}
	l.first = i
	s.push(&g.members[t.list], i, t)
	g.n[t.list]++
	if l.waits > 0 {
		g.fed++
	}
	if g.past != job.DepNever {
		s.turn.pasts = append(s.turn.pasts, depPast{group, g.past})
		g.past = job.DepNever
		s.dirtyDepGroup(group, g)
	}
	s.regroup(group)
}

// joinOwn makes a live job a member of the group that its key has become.
func (s *State) joinOwn(slot uint32, r *rec, group uint32) {
	r.linked = true
	s.join(slot, r, s.dep.link(slot), group, true)
}

func listOf(st job.State) uint8 {
	if st == job.Buried {
		return buriedMembers
	}
	return openMembers
}

// unlink takes all ties off a job. What it waits for may be forgotten then.
func (s *State) unlink(slot uint32, r *rec) {
	if !r.linked {
		return
	}
	l := s.dep.link(slot)
	for i := l.first; i != 0; {
		t := s.dep.ties.at(i)
		next := t.next
		s.untie(i, t, l)
		i = next
	}
	if l.waits > 0 || l.memberOfNamed {
		s.turn.linked = append(s.turn.linked, r.seq)
	}
	*l = link{}
	r.linked = false
}

func (s *State) untie(i uint32, t *tie, l *link) {
	g := s.dep.groups.at(t.group)
	if t.member {
		s.drop(&g.members[t.list], t)
		g.n[t.list]--
		if l.waits > 0 {
			g.fed--
		}
	} else {
		if g.next == i {
			g.next = t.after
		}
		s.drop(&g.waiters, t)
	}
	s.regroup(t.group)
	if g.waiters == 0 {
		s.dirtyDepGroup(t.group, g) // it may be unused now
	}
	s.dep.ties.give(i)
}

// push puts a tie first into a list of its group.
func (s *State) push(list *uint32, i uint32, t *tie) {
	t.before, t.after = 0, *list
	if *list != 0 {
		s.dep.ties.at(*list).before = i
	}
	*list = i
}

func (s *State) drop(list *uint32, t *tie) {
	if t.before != 0 {
		s.dep.ties.at(t.before).after = t.after
	} else {
		*list = t.after
	}
	if t.after != 0 {
		s.dep.ties.at(t.after).before = t.before
	}
	t.before, t.after = 0, 0
}
