package schedule

import (
	"slices"

	"github.com/muster-queue/muster/job"
)

// maxRefused is how many refused demands a class remembers.
const maxRefused = 32

// class is all that want one set of labels, with the open agents that have all of
// them. An agent is in every class that it satisfies.
type class struct {
	labels []labelID // sorted
	number uint32    // freed numbers are given again
	shapes int       // how many shapes want these labels
	lanes  []*lane
	// filed is the label it is found by, filedAt where among those found so.
	filed   labelID
	filedAt int
	// stranded are the shapes that stand with nobody, since the class had no agent;
	// arriving is whether one came.
	stranded []*shape
	arriving bool
	*crew
}

// crew is the agents of a class.
type crew struct {
	// free holds the agents by size of what they have free, spare those that may
	// be given jobs beyond it, the least loaded first.
	free, spare index[*worker]
	// refused are demands that found no agent, since none of them has become
	// freer: whatever needs as much will find none either.
	refused []vec
	victim  int // which one gives way to a new one
	// sizes counts the agents by capacity; version changes with its keys.
	sizes   map[string]*capacity
	version uint64
	largest vec
}

type capacity struct {
	amounts
	agents int
}

func (s *Scheduler) classOf(labels job.Labels) *class {
	ids := s.labels.intern(labels)
	key := keyOf(ids)
	c := s.classes[key]
	if c != nil {
		return c
	}
	c = &class{labels: ids, number: s.classNumber(), crew: s.nobody.crew}
	s.classes[key] = c
	if len(ids) == 0 {
		return c // the first of all
	}
	s.labels.hold(ids)
	s.labels.file(c)
	s.labels.members(c).each(func(n uint32) { s.admit(s.numbered[n], c) })
	return c
}

func (s *Scheduler) releaseClass(c *class) {
	if c.shapes > 0 || len(c.lanes) > 0 || c == s.anyone || c == s.nobody {
		return
	}
	c.free.each(func(w *worker) {
		w.classes = without(w.classes, c)
		w.member.remove(c.number)
	})
	delete(s.classes, keyOf(c.labels))
	s.labels.unfile(c)
	s.labels.drop(c.labels)
	s.freeNumbers = append(s.freeNumbers, c.number)
}

func (s *Scheduler) classNumber() uint32 {
	n := len(s.freeNumbers)
	if n == 0 {
		return uint32(len(s.classes))
	}
	number := s.freeNumbers[n-1]
	s.freeNumbers = s.freeNumbers[:n-1]
	return number
}

// staffed reports whether the class has any agent.
func (c *class) staffed() bool { return c.free.n > 0 }

// in reports whether the agent is a member of the class.
func (w *worker) in(c *class) bool { return w.member.has(c.number) }

// accepts reports whether the worker has all the labels.
func (c *class) accepts(w *worker) bool {
	for _, l := range c.labels {
		if _, ok := slices.BinarySearch(w.labels, l); !ok {
			return false
		}
	}
	return true
}

// admit makes an agent a member of a class.
func (s *Scheduler) admit(w *worker, c *class) {
	w.classes = append(w.classes, c)
	w.member.add(c.number)
	s.man(c)
	c.free.insert(w.key, w.vec, w)
	if len(c.stranded) > 0 && !c.arriving {
		c.arriving = true
		s.arriving = append(s.arriving, c)
	}
	if w.spared {
		c.spare.insert(w.spareKey, w.room, w)
	}
	size := c.sizes[w.sizeKey]
	if size == nil {
		size = &capacity{amounts: w.capacity}
		if c.sizes == nil {
			c.sizes = map[string]*capacity{}
		}
		c.sizes[w.sizeKey] = size
		c.resized()
		if len(c.sizes) == 1 {
			s.resweep()
		}
	}
	size.agents++
}

// expel is the opposite of admit, the worker's own list apart.
func (s *Scheduler) expel(w *worker, c *class) {
	c.free.remove(w.key)
	if w.spared {
		c.spare.remove(w.spareKey)
	}
	size := c.sizes[w.sizeKey]
	if size.agents--; size.agents == 0 {
		delete(c.sizes, w.sizeKey)
		c.resized()
		s.resweep()
	}
}

// man gives the class a crew of its own.
func (s *Scheduler) man(c *class) {
	if c.crew == s.nobody.crew && c != s.nobody {
		c.crew = &crew{version: 1}
	}
}

// resized notes that the set of capacities changed.
func (c *class) resized() {
	c.version++
	c.largest = vec{never, never, never, never, never, never, never}
	for _, size := range c.sizes {
		v := columnsOf(&size.amounts)
		c.largest.raise(&v)
	}
}

// suits reports whether some agent of the shape's class is large enough for it
// when nothing else runs there.
func (sh *shape) suits() bool {
	c := sh.class
	if sh.version != c.version {
		sh.version, sh.possible = c.version, c.suits(sh.demand)
	}
	return sh.possible
}

func (c *class) suits(d *demand) bool {
	if !c.largest.covers(&d.want) {
		return false
	}
	for _, size := range c.sizes {
		if d.fit(&size.amounts) {
			return true
		}
	}
	return false
}

// refuses reports whether the demand is known to find no agent.
func (c *class) refuses(d *demand) bool {
	for i := range c.refused {
		if d.want.covers(&c.refused[i]) {
			return true
		}
	}
	return false
}

// refuse remembers that a demand found no agent. A demand with resources outside
// the columns is not comparable with others and not remembered.
func (c *class) refuse(d *demand) {
	c.free.bound()
	c.spare.bound()
	if len(d.rest) > 0 {
		return
	}
	c.refused = slices.DeleteFunc(c.refused, func(v vec) bool { return v.covers(&d.want) })
	if len(c.refused) < maxRefused {
		c.refused = append(c.refused, d.want)
		return
	}
	c.refused[c.victim] = d.want
	c.victim = (c.victim + 1) % maxRefused
}

// reconsider forgets the refusals that an agent with that much might revoke.
func (c *class) reconsider(reach *vec) {
	c.refused = slices.DeleteFunc(c.refused, func(v vec) bool {
		v[colUntil], v[colStart] = never, never
		return reach.covers(&v)
	})
}
