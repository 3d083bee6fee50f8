package schedule

import (
	"container/heap"

	"github.com/muster-queue/muster/job"
)

// groupIndex has the ready jobs by group and shape. It is built when somebody
// asks for jobs by group, in steps, and dropped when nobody has for a while. A
// job is in it when its shape's slot and its place in the shape are before the
// position the building has reached.
type groupIndex struct {
	lines map[job.GroupID]map[*shape]*line
	slot  int
	done  *Item // the last one indexed in that slot
	used  job.Time
}

// indexGroups brings the index by group further; it reports whether it is whole.
func (s *Scheduler) indexGroups() bool {
	if s.groups == nil {
		s.groups = &groupIndex{lines: map[job.GroupID]map[*shape]*line{}}
	}
	g := s.groups
	g.used = s.now
	for left := s.tune.indexed; g.slot < len(s.slots); g.slot, g.done = g.slot+1, nil {
		left--
		sh := s.slots[g.slot]
		if sh == nil {
			continue
		}
		sh.items.each(g.done, func(it *Item) bool {
			if left <= 0 {
				return false
			}
			left--
			g.add(sh, *it)
			last := *it
			g.done = &last
			return true
		})
		if left <= 0 {
			return false
		}
	}
	return true
}

// covers reports whether the building has come past the job.
func (g *groupIndex) covers(sh *shape, it *Item) bool {
	return sh.slot < g.slot || sh.slot == g.slot && g.done != nil && !sh.items.before(g.done, it)
}

func (g *groupIndex) push(sh *shape, it Item) {
	if g.covers(sh, &it) {
		g.add(sh, it)
	}
}

func (g *groupIndex) add(sh *shape, it Item) {
	lines := g.lines[it.Group]
	if lines == nil {
		lines = map[*shape]*line{}
		g.lines[it.Group] = lines
	}
	l := lines[sh]
	if l == nil {
		l = newLine(sh.items.key)
		lines[sh] = l
	}
	l.push(it)
}

func (g *groupIndex) remove(sh *shape, it *Item) {
	lines := g.lines[it.Group]
	l := lines[sh]
	if l == nil {
		return
	}
	if l.remove(it); l.len() > 0 {
		return
	}
	delete(lines, sh)
	if len(lines) == 0 {
		delete(g.lines, it.Group)
	}
}

// forget takes a shape with its jobs out.
func (g *groupIndex) forget(sh *shape) {
	sh.items.each(nil, func(it *Item) bool { g.remove(sh, it); return true })
	if sh.slot == g.slot {
		g.done = nil
	}
}

// dropGroups drops the index when it was not used for a while.
func (s *Scheduler) dropGroups() {
	if s.groups != nil && s.now >= s.groups.used.Add(s.cfg.GroupIdle) {
		s.groups = nil
	}
}

// groupHeap merges lines of a group by the rank of their first jobs.
type groupHeap []groupLine

type groupLine struct {
	at    rank
	shape *shape
	line  *line
}

func (h *groupHeap) push(sh *shape, l *line) {
	heap.Push(h, groupLine{l.rank(l.front()).in(sh.lane), sh, l})
}

func (h *groupHeap) pop() groupLine { return heap.Pop(h).(groupLine) }

func (h groupHeap) Len() int           { return len(h) }
func (h groupHeap) Less(i, j int) bool { return h[i].at.less(h[j].at) }
func (h groupHeap) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }

// Push is for package heap.
func (h *groupHeap) Push(x any) { *h = append(*h, x.(groupLine)) }

// Pop is for package heap.
func (h *groupHeap) Pop() any {
	old := *h
	x := old[len(old)-1]
	*h = old[:len(old)-1]
	return x
}
