package queue

import (
	"github.com/muster-queue/muster/job"
)

// Going are jobs that are deleted together: those that wait for one of them are no
// reason to keep it if they go as well.
type Going struct {
	// Goes reports whether a job goes too.
	Goes func(job.Seq) bool
	// clear are the groups, as of the waiters that they had, all of which go.
	clear map[uint32]uint32
}

// DeleteOptions say how a job is deleted.
type DeleteOptions struct {
	// Force deletes held jobs too.
	Force bool
	// Going are jobs that are deleted as well; nil: no others.
	Going *Going
	// Release lets those who wait for the job, or for the last member of a group, go on
	// as if that had ended as they want it.
	Release bool
}

// ErrAwaited is the Conflict of a job that cannot be deleted, or be given another key,
// since others wait for it.
type ErrAwaited struct {
	// By are some of those who wait.
	By []job.Seq
	// More says that there are others.
	More bool
}

// Error says who waits.
func (e *ErrAwaited) Error() string { return "other jobs wait for it" }

// maxAwaiters bounds ErrAwaited.By.
const maxAwaiters = 3

// awaited is why a job must not vanish: others wait for it that would not go too.
func (s *State) awaited(slot uint32, r *rec, o *DeleteOptions) error {
	if !r.linked || o.Release {
		return nil
	}
	e := &ErrAwaited{}
	for i := s.dep.link(slot).first; i != 0 && !e.More; {
		t := s.dep.ties.at(i)
		if !t.member {
			break
		}
		s.awaiters(t.group, o.Going, e)
		i = t.next
	}
	if len(e.By) == 0 {
		return nil
	}
	return job.Errorf(job.Conflict, "%w: delete them too, or let them go on without it", e)
}

// awaiters collects who waits for a group in vain, should one of its members vanish.
func (s *State) awaiters(group uint32, going *Going, e *ErrAwaited) {
	g := s.dep.groups.at(group)
	if going != nil {
		if joined, clear := going.clear[group]; clear && joined == g.joined {
			return
		}
	}
	for w := g.waiters; w != 0; w = s.dep.ties.at(w).after {
		t := s.dep.ties.at(w)
		r := s.recs.at(t.job)
		if t.satisfied(g.phase) || r.state.Held() || going != nil && going.Goes(r.seq) {
			continue
		}
		if len(e.By) == maxAwaiters {
			e.More = true
			return
		}
		e.By = append(e.By, r.seq)
	}
	if going != nil && len(e.By) == 0 {
		if going.clear == nil {
			going.clear = map[uint32]uint32{}
		}
		going.clear[group] = g.joined
	}
}

// someAwaiters names some of those who wait for a group, whatever their state.
func (s *State) someAwaiters(group uint32) *ErrAwaited {
	e := &ErrAwaited{}
	for w := s.dep.groups.at(group).waiters; w != 0; w = s.dep.ties.at(w).after {
		if len(e.By) == maxAwaiters {
			e.More = true
			break
		}
		e.By = append(e.By, s.recs.at(s.dep.ties.at(w).job).seq)
	}
	return e
}

// release lets those who wait for a job's groups go on where it is the last member, and
// it is about to vanish. Where all of them go too there is nobody to release.
func (s *State) release(slot uint32, r *rec, o *DeleteOptions) {
	if !r.linked || o.Going != nil && !o.Release {
		return
	}
	for i := s.dep.link(slot).first; i != 0; {
		t := s.dep.ties.at(i)
		if g := s.dep.groups.at(t.group); t.member && g.waiters != 0 && g.n[0]+g.n[1] == 1 && g.done == 0 {
			g.past = job.DepReleased
			s.dirtyDepGroup(t.group, g)
		}
		i = t.next
	}
}
