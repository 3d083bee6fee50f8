package schedule

import (
	"cmp"
	"encoding/binary"
	"slices"

	"github.com/muster-queue/muster/job"
)

// labelID numbers a label that a worker has or a shape wants.
type labelID uint32

// label is one of them: who has it, and which classes are found by it.
type label struct {
	name string
	refs int // workers and classes that name it
	// agents are the numbers of the open agents that have it, count how many.
	agents set
	count  int
	// classes are the ones filed under it: each class is filed under one of its
	// labels, the rarest, so that an agent that comes looks at few it is not in.
	classes []filed
}

// filed is a class as it is found by a label. others are two more labels of it, as
// far as it has any, by which those that do not suit are passed over at a glance.
type filed struct {
	class  *class
	others [2]labelID
}

// labelTable is all labels.
type labelTable struct {
	ids    map[string]labelID
	all    []label
	freed  []labelID
	marked []bool // by number, while agents are compared with classes
	spare  [2]set
}

// intern gives the numbers of labels, sorted and without repetitions. They are
// good until hold has not been called for them and something else is interned.
func (t *labelTable) intern(names job.Labels) []labelID {
	ids := make([]labelID, 0, len(names))
	for _, name := range names {
		id, known := t.ids[name]
		if !known {
			id = t.enter(name)
		}
		ids = append(ids, id)
	}
	slices.Sort(ids)
	return slices.Compact(ids)
}

func (t *labelTable) enter(name string) labelID {
	id := labelID(len(t.all))
	if n := len(t.freed); n > 0 {
		id = t.freed[n-1]
		t.freed = t.freed[:n-1]
	} else {
		t.all = append(t.all, label{})
	}
	t.all[id].name = name
	t.ids[name] = id
	return id
}

// hold keeps labels known until they are dropped as often.
func (t *labelTable) hold(ids []labelID) {
	for _, id := range ids {
		t.all[id].refs++
	}
}

func (t *labelTable) drop(ids []labelID) {
	for _, id := range ids {
		l := &t.all[id]
		if l.refs--; l.refs == 0 {
			delete(t.ids, l.name)
			*l = label{}
			t.freed = append(t.freed, id)
		}
	}
}

// names are the labels of these numbers.
func (t *labelTable) names(ids []labelID) job.Labels {
	names := make(job.Labels, len(ids))
	for i, id := range ids {
		names[i] = t.all[id].name
	}
	return names
}

// keyOf is the same for equal sets of labels.
func keyOf(ids []labelID) string {
	key := make([]byte, 0, 4*len(ids))
	for _, id := range ids {
		key = binary.LittleEndian.AppendUint32(key, uint32(id))
	}
	return string(key)
}

// file makes the class found by the rarest of its labels; there is at least one.
func (t *labelTable) file(c *class) {
	rarest := slices.MinFunc(c.labels, func(a, b labelID) int {
		x, y := &t.all[a], &t.all[b]
		return cmp.Or(x.count-y.count, len(x.classes)-len(y.classes))
	})
	l := &t.all[rarest]
	c.filed, c.filedAt = rarest, len(l.classes)
	f := filed{c, [2]labelID{rarest, rarest}}
	for i, id := range c.labels {
		if id != rarest {
			f.others[i%2] = id
		}
	}
	l.classes = append(l.classes, f)
}

// unfile is the opposite.
func (t *labelTable) unfile(c *class) {
	l := &t.all[c.filed]
	last := len(l.classes) - 1
	l.classes[c.filedAt] = l.classes[last]
	l.classes[c.filedAt].class.filedAt = c.filedAt
	l.classes[last] = filed{}
	l.classes = l.classes[:last]
}

// members are the numbers of the open agents that have all the labels of a class
// that is filed. They are good until the next call.
func (t *labelTable) members(c *class) set {
	common := t.all[c.filed].agents
	for i, id := range c.labels {
		if len(common) == 0 || id == c.filed {
			continue
		}
		buf := &t.spare[i%2]
		*buf = common.meet(t.all[id].agents, (*buf)[:0])
		common = *buf
	}
	return common
}

// join makes an agent one of those that have its labels, and visits the classes it
// belongs to by them.
func (t *labelTable) join(w *worker, visit func(*class)) {
	for len(t.marked) < len(t.all) {
		t.marked = append(t.marked, false)
	}
	for _, id := range w.labels {
		l := &t.all[id]
		l.agents.add(w.number)
		l.count++
		t.marked[id] = true
	}
	for _, id := range w.labels {
		for _, f := range t.all[id].classes {
			if t.marked[f.others[0]] && t.marked[f.others[1]] && t.covers(f.class.labels) {
				visit(f.class)
			}
		}
	}
	for _, id := range w.labels {
		t.marked[id] = false
	}
}

// covers reports whether all the labels are marked.
func (t *labelTable) covers(ids []labelID) bool {
	for _, id := range ids {
		if !t.marked[id] {
			return false
		}
	}
	return true
}

// leave is the opposite of join.
func (t *labelTable) leave(w *worker) {
	for _, id := range w.labels {
		l := &t.all[id]
		l.agents.remove(w.number)
		l.count--
	}
}
