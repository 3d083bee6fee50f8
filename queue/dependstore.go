package queue

import (
	"slices"

	"github.com/muster-queue/muster/job"
)

// This file stores what depends on what, and loads it.

// takeDepends writes what the turn changed of groups and of what jobs wait for.
func (s *State) takeDepends(c *job.Changes) {
	for _, slot := range s.turn.depGroups {
		g := s.dep.groups.at(slot)
		if !g.dirty {
			continue
		}
		g.dirty = false
		if g.waiters == 0 && g.past != job.DepNever {
			g.past = job.DepNever
			g.phase = g.now()
		}
		row := job.DepGroupRow{ID: g.id, Name: s.dep.names[slot], Digest: g.digest, Done: g.done, Past: g.past}
		if g.unused() {
			row.Gone = true
			s.dropDepGroup(slot, g)
		}
		c.DepGroups = append(c.DepGroups, row)
	}
	if len(s.turn.linked) == 0 {
		return
	}
	slices.Sort(s.turn.linked)
	for _, seq := range slices.Compact(s.turn.linked) {
		c.Depends = append(c.Depends, s.dependRow(seq))
	}
}

func (s *State) dependRow(seq job.Seq) job.DependRow {
	row := job.DependRow{Seq: seq, Gone: true}
	slot := s.bySeq.find(seq)
	if slot == 0 || !s.recs.at(slot).linked {
		return row
	}
	for i := s.dep.link(slot).first; i != 0; {
		t := s.dep.ties.at(i)
		id := s.dep.groups.at(t.group).id
		if !t.member {
			row.On = append(row.On, job.DependOn{Group: id, Condition: t.condition, Static: t.static, IfAbsent: t.absent, Met: t.latched})
		} else if !t.own {
			row.Groups = append(row.Groups, id)
		}
		i = t.next
	}
	row.Gone = len(row.On)+len(row.Groups) == 0
	return row
}

// loadedLink is the link of a job that is still to be loaded.
type loadedLink struct {
	seq job.Seq
	link
}

// LoadDepGroup receives a dependency group.
func (s *State) LoadDepGroup(r job.DepGroupRow) {
	d := &s.dep
	slot := d.groups.take()
	*d.groups.at(slot) = depGroup{id: r.ID, digest: r.Digest, done: r.Done, past: r.Past, named: r.Name != ""}
	d.byID[r.ID] = slot
	if r.Name != "" {
		d.byName[r.Name], d.names[slot] = slot, r.Name
	} else {
		d.byDigest[r.Digest] = slot
	}
}

// LoadDepend receives what a live job waits for, and which groups it is a member of,
// before the job itself.
func (s *State) LoadDepend(r job.DependRow) {
	d := &s.dep
	l := loadedLink{seq: r.Seq}
	put := func(id job.DepGroupID, t tie) {
		slot, ok := d.byID[id]
		if !ok {
			s.damaged("job %d depends on group %d, which is not there", r.Seq, id)
			return
		}
		i := d.ties.take()
		t.group, t.next, l.first = slot, l.first, i
		*d.ties.at(i) = t
	}
	for _, on := range slices.Backward(r.On) {
		put(on.Group, tie{condition: on.Condition, static: on.Static, absent: on.IfAbsent, latched: on.Met})
		l.waits++
	}
	for _, id := range r.Groups {
		put(id, tie{member: true})
		l.memberOfNamed = true
	}
	d.loaded = append(d.loaded, l)
}

// loadLink ties a job that was just loaded.
func (s *State) loadLink(slot uint32, r *rec) {
	d := &s.dep
	for len(d.loaded) > 0 && d.loaded[0].seq < r.seq {
		d.loaded = d.loaded[1:]
	}
	if len(d.loaded) > 0 && d.loaded[0].seq == r.seq {
		r.linked = true
		l := d.link(slot)
		*l = d.loaded[0].link
		for i := l.first; i != 0; {
			t := d.ties.at(i)
			t.job = slot
			s.loadTie(r, l, i, t)
			i = t.next
		}
	}
	if own, ok := d.byDigest[r.digest]; ok && !r.ghost() {
		s.joinOwn(slot, r, own)
	}
}

func (s *State) loadTie(r *rec, l *link, i uint32, t *tie) {
	g := s.dep.groups.at(t.group)
	if !t.member {
		s.push(&g.waiters, i, t)
		return
	}
	t.list = listOf(r.state)
	s.push(&g.members[t.list], i, t)
	g.n[t.list]++
	if l.waits > 0 {
		g.fed++
	}
}

// loadedDepends finds out, once everything is loaded, who may go on: what was not told
// when the server ended is told now.
func (s *State) loadedDepends() {
	d := &s.dep
	d.loaded = nil
	for _, slot := range d.byID {
		g := d.groups.at(slot)
		if g.phase = g.now(); g.waiters == 0 {
			s.dirtyDepGroup(slot, g)
		}
		for w := g.waiters; w != 0; w = d.ties.at(w).after {
			t := d.ties.at(w)
			if t.met = t.satisfied(g.phase); !t.met {
				d.link(t.job).unmet++
			}
		}
	}
	for _, slot := range d.byID {
		if g := d.groups.at(slot); g.waiters != 0 {
			g.next, g.queued = g.waiters, true
			d.pending = append(d.pending, slot)
		}
	}
	s.renumber()
}
