package queue

import (
	"github.com/muster-queue/muster/job"
)

// Wait is one dependency of a live job as it stands.
type Wait struct {
	// Group is the name of the group; empty for a key, which the job's description has
	// at the same place.
	Group     string
	Condition job.Condition
	Static    bool
	IfAbsent  job.IfAbsent
	Met       bool
	// Open, Buried and Complete are the members of the group by how far they are.
	Open, Buried, Complete int64
	// Never says that it cannot be met as things are: somebody has to act.
	Never bool
	// Culprit is a member that it waits for: a buried one where that is in the way, else
	// one that has not ended; zero if there is none.
	Culprit job.Seq
}

// Waits are the dependencies of a live job, in the order of its description.
func (s *State) Waits(seq job.Seq) []Wait {
	slot, r := s.find(seq)
	if r == nil || !r.linked {
		return nil
	}
	var all []Wait
	for i := s.dep.link(slot).first; i != 0; {
		t := s.dep.ties.at(i)
		if !t.member {
			all = append(all, s.wait(t))
		}
		i = t.next
	}
	return all
}

func (s *State) wait(t *tie) Wait {
	g := s.dep.groups.at(t.group)
	w := Wait{
		Group: s.dep.names[t.group], Condition: t.condition, Static: t.static, IfAbsent: t.absent, Met: t.satisfied(g.phase),
		Open: int64(g.n[openMembers]), Buried: int64(g.n[buriedMembers]), Complete: g.done,
	}
	if w.Met {
		return w
	}
	w.Never = g.phase != phaseAbsent && w.Open == 0 || w.Buried > 0 && t.condition == job.ConditionOK
	of := g.members[openMembers]
	if w.Never && g.members[buriedMembers] != 0 {
		of = g.members[buriedMembers]
	}
	if of != 0 {
		w.Culprit = s.recs.at(s.dep.ties.at(of).job).seq
	}
	return w
}

// Awaited are some of those who wait for a live job by its key, or for a group that it
// is a member of: at most max. More says that there are others.
func (s *State) Awaited(seq job.Seq, max int) (by []job.Seq, more bool) {
	slot, r := s.find(seq)
	if r == nil || !r.linked {
		return nil, false
	}
	for i := s.dep.link(slot).first; i != 0; {
		t := s.dep.ties.at(i)
		if !t.member {
			break
		}
		for w := s.dep.groups.at(t.group).waiters; w != 0; w = s.dep.ties.at(w).after {
			if len(by) == max {
				return by, true
			}
			by = append(by, s.recs.at(s.dep.ties.at(w).job).seq)
		}
		i = t.next
	}
	return by, false
}

// Depends reports whether any live job waits for another, or may be waited for.
func (s *State) Depends() bool { return s.dep.ties.used > 0 }

// Followers are jobs with all who wait for them, and who wait for those, collected step
// by step by Follow.
type Followers struct {
	Seqs map[job.Seq]bool
	// Found are those who were not given, in the order in which they were found.
	Found  []job.Seq
	todo   []job.Seq
	groups map[uint32]bool
	// Where Follow goes on: a group, and who waits for it from a tie on.
	group, next, joined uint32
	left                []uint32
}

// NewFollowers begins with jobs.
func NewFollowers(of []job.Seq) *Followers {
	f := &Followers{Seqs: make(map[job.Seq]bool, len(of)), todo: of, groups: map[uint32]bool{}}
	for _, seq := range of {
		f.Seqs[seq] = true
	}
	return f
}

// Follow collects at most about max more; more says that it must be called again.
func (s *State) Follow(f *Followers, max int) (more bool) {
	for ; max > 0; max-- {
		switch {
		case f.next != 0 || f.group != 0:
			s.followOne(f)
		case len(f.left) > 0:
			f.group = f.left[len(f.left)-1]
			f.left = f.left[:len(f.left)-1]
			s.followGroup(f)
		case len(f.todo) > 0:
			s.groupsOf(f, f.todo[0])
			f.todo = f.todo[1:]
		default:
			return false
		}
	}
	return true
}

// groupsOf notes the groups that a job is a member of.
func (s *State) groupsOf(f *Followers, seq job.Seq) {
	slot, r := s.find(seq)
	if r == nil || !r.linked {
		return
	}
	for i := s.dep.link(slot).first; i != 0; {
		t := s.dep.ties.at(i)
		if !t.member {
			break
		}
		if !f.groups[t.group] {
			f.groups[t.group] = true
			f.left = append(f.left, t.group)
		}
		i = t.next
	}
}

func (s *State) followGroup(f *Followers) {
	g := s.dep.groups.at(f.group)
	f.next, f.joined = g.waiters, g.joined
}

// followOne takes the next who waits for the group; from the start again when others
// came or went meanwhile.
func (s *State) followOne(f *Followers) {
	if f.next == 0 {
		f.group = 0
		return
	}
	t := s.dep.ties.at(f.next)
	if t.group != f.group || t.member || s.dep.groups.at(f.group).joined != f.joined {
		s.followGroup(f)
		return
	}
	f.next = t.after
	if seq := s.recs.at(t.job).seq; !f.Seqs[seq] {
		f.Seqs[seq] = true
		f.Found = append(f.Found, seq)
		f.todo = append(f.todo, seq)
	}
}
