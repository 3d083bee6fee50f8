package queue

import (
	"errors"
	"fmt"
	"strings"

	"github.com/muster-queue/muster/job"
)

// Looked is what history says about the key that a dependency names.
type Looked struct {
	Digest job.Digest
	// Found: there is a finished job of that key.
	Found bool
}

func (p *Prepared) digestOn(i int) job.Digest {
	if i < len(p.On) {
		return p.On[i].Digest
	}
	d := &p.Job.Dependencies[i]
	return job.DigestOf(d.Queue, d.Key)
}

// doneKey reports whether the key that a dependency names is of a finished job. It is
// not fresh when nobody can say, since the look-up is too old.
func (s *State) doneKey(p *Prepared, i int) (done, fresh bool) {
	d := p.digestOn(i)
	if slot, ok := s.dep.byDigest[d]; ok {
		return s.dep.groups.at(slot).done > 0, true
	}
	if end, ok := s.recent.find(d); ok {
		return end != 0, true
	}
	if s.byDigest.find(&s.recs, &d) != 0 {
		return false, true
	}
	return i < len(p.On) && p.On[i].Found, p.Reach >= s.recent.floor
}

// linkable reports whether a description's dependencies can be honoured: ErrStale when
// what they name must be looked up again, a Conflict with a Cycle when the job would
// wait for itself. Slot is the job's, zero for a new one.
func (s *State) linkable(slot uint32, p *Prepared) error {
	if len(p.Job.Dependencies) == 0 {
		return nil
	}
	for i := range p.Job.Dependencies {
		if !p.Job.Dependencies[i].OnGroup() {
			if _, fresh := s.doneKey(p, i); !fresh {
				return ErrStale
			}
		}
	}
	s.plan(p)
	if c := s.keepLevels(slot); c != nil {
		return job.Errorf(job.Conflict, "the job would wait for itself: %w; take one of these dependencies away", c)
	}
	return nil
}

// unlinkable is what became of a job whose dependencies cannot be honoured, as it is.
func unlinkable(err error) Added {
	if errors.Is(err, ErrStale) {
		return Added{Status: AddStale}
	}
	return Added{Err: err}
}

// Cycle is a way from a job back to it, by what waits for what.
type Cycle struct{ Path []Step }

// Step is a group on the way: its name, or, for that of a key, the number of the job
// that has it, zero for the job that is added or changed. Who knows such a job by name
// may put that into Group.
type Step struct {
	Group string
	Seq   job.Seq
}

// Error names the way.
func (c *Cycle) Error() string {
	names := make([]string, len(c.Path))
	for i, step := range c.Path {
		switch {
		case step.Group != "":
			names[i] = step.Group
		case step.Seq != 0:
			names[i] = fmt.Sprintf("job %d", step.Seq)
		default:
			names[i] = "the job"
		}
	}
	return strings.Join(names, " -> ")
}

// visit is how a search came to a group: by a job that waits for the group from.
type visit struct {
	group, from uint32
	via         uint32
}

// keepLevels sees to levels such that whatever a job waits for is below all it is a member of,
// for a job that is to be tied as planned. That is impossible just when the job would
// wait for itself: then the levels stay, and the way is told. Nothing is searched where
// the levels are right already, as they are when nobody waits for the job yet, so that
// chains and fans cost no more than their edges.
func (s *State) keepLevels(slot uint32) *Cycle {
	d := &s.dep
	d.stamp++
	for _, g := range d.on {
		d.groups.at(g).mark = d.stamp
	}
	for _, g := range d.in {
		if d.groups.at(g).mark == d.stamp {
			return &Cycle{[]Step{s.step(g, slot), s.step(g, slot)}}
		}
	}
	low, high, any := s.bounds()
	if !any || high < low {
		return nil
	}
	for _, i := range d.on { // what waits for nothing can be as low as one likes
		if g := d.groups.at(i); g.fed == 0 && g.level >= low {
			g.level = low - 1
		}
	}
	if low, high, _ = s.bounds(); high < low {
		return nil
	}
	return s.raise(slot, low, high)
}

// bounds are the lowest level of the groups that the planned job is a member of, and the
// highest of those it waits for.
func (s *State) bounds() (low, high int64, any bool) {
	d := &s.dep
	if len(d.in) == 0 || len(d.on) == 0 {
		return 0, 0, false
	}
	low, high = d.groups.at(d.in[0]).level, d.groups.at(d.on[0]).level
	for _, g := range d.in {
		low = min(low, d.groups.at(g).level)
	}
	for _, g := range d.on {
		high = max(high, d.groups.at(g).level)
	}
	return low, high, true
}

// raise lifts what the planned job is a member of above the level high, and with it what
// depends on that, all by the same, so that each is visited once.
func (s *State) raise(slot uint32, low, high int64) *Cycle {
	d := &s.dep
	by := high + 1 - low
	var way []visit
	seen := map[uint32]int{}
	for _, g := range d.in {
		if d.groups.at(g).level <= high {
			seen[g] = len(way)
			way = append(way, visit{group: g})
		}
	}
	for at := 0; at < len(way); at++ {
		g := d.groups.at(way[at].group)
		for w := g.waiters; w != 0; w = d.ties.at(w).after {
			of := d.ties.at(w).job
			d.looked++
			if of == slot {
				continue // its ties are about to change
			}
			for i := d.link(of).first; i != 0; {
				t := d.ties.at(i)
				if d.looked++; !t.member {
					break
				}
				i = t.next
				k := d.groups.at(t.group)
				if _, known := seen[t.group]; known || k.level > g.level+by {
					continue
				}
				v := visit{t.group, way[at].group, of}
				if k.mark == d.stamp {
					return s.cycle(way, seen, v, slot)
				}
				seen[t.group] = len(way)
				way = append(way, v)
			}
		}
	}
	for i := range way {
		d.groups.at(way[i].group).level += by
	}
	return nil
}

// cycle is the way back from a group that the planned job waits for.
func (s *State) cycle(way []visit, seen map[uint32]int, end visit, slot uint32) *Cycle {
	var path []Step
	for v := end; ; v = way[seen[v.from]] {
		path = append(path, s.step(v.group, v.via))
		if v.from == 0 {
			break
		}
	}
	first := path[len(path)-1]
	if first.Group == "" {
		first = s.step(0, slot)
	}
	path[len(path)-1] = first
	return &Cycle{append([]Step{first}, path...)}
}

// step names a group; of that of a key the job is named.
func (s *State) step(group, of uint32) Step {
	if name, named := s.dep.names[group]; named {
		return Step{Group: name}
	}
	if of == 0 {
		return Step{}
	}
	return Step{Seq: s.recs.at(of).seq}
}

// renumber gives all groups levels after a load.
func (s *State) renumber() {
	d := &s.dep
	left := map[uint32]uint16{} // of each job, what of it was not seen yet
	fed := map[uint32]uint32{}  // of each group, the members that were not seen yet
	var todo []uint32
	for _, slot := range d.byID {
		g := d.groups.at(slot)
		if fed[slot] = g.fed; g.fed == 0 {
			todo = append(todo, slot)
		}
	}
	for ; len(todo) > 0; todo = todo[1:] {
		for w := d.groups.at(todo[0]).waiters; w != 0; w = d.ties.at(w).after {
			of := d.ties.at(w).job
			if _, met := left[of]; !met {
				left[of] = d.link(of).waits
			}
			if left[of]--; left[of] == 0 {
				todo = append(todo, s.lift(of, fed)...)
			}
		}
	}
}

// lift puts what a job is a member of above all it waits for; it returns the groups all
// of whose members were seen.
func (s *State) lift(of uint32, fed map[uint32]uint32) (seen []uint32) {
	d := &s.dep
	level := s.above(of, s.recs.at(of))
	for i := d.link(of).first; i != 0; {
		t := d.ties.at(i)
		if t.member {
			g := d.groups.at(t.group)
			g.level = max(g.level, level)
			if fed[t.group]--; fed[t.group] == 0 {
				seen = append(seen, t.group)
			}
		}
		i = t.next
	}
	return seen
}
