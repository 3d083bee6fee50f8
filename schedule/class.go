package schedule

import (
	"slices"
	"strings"

	"github.com/muster-queue/muster/job"
)

// maxRefused is how many refused demands a class remembers.
const maxRefused = 32

// class is the open agents that carry all of one set of labels: those a shape
// with these labels can run on. An agent is in every class it satisfies.
type class struct {
	labels job.Labels // sorted
	key    string
	number int // small: freed numbers are given again
	lanes  int

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
	sorted := labels.Sorted()
	key := strings.Join(sorted, "\x00")
	c := s.classes[key]
	if c != nil {
		return c
	}
	c = &class{labels: sorted, key: key, number: s.classNumber(), sizes: map[string]*capacity{}, version: 1}
	s.classes[key] = c
	for _, w := range s.agents {
		if c.accepts(w) {
			s.admit(w, c)
		}
	}
	return c
}

func (s *Scheduler) releaseClass(c *class) {
	if c.lanes--; c.lanes > 0 || c == s.anyone {
		return
	}
	for _, w := range s.agents {
		if w.in(c) {
			w.classes = slices.DeleteFunc(w.classes, func(o *class) bool { return o == c })
			w.member[c.number/64] &^= 1 << (c.number % 64)
		}
	}
	delete(s.classes, c.key)
	s.freeNumbers = append(s.freeNumbers, c.number)
}

func (s *Scheduler) classNumber() int {
	n := len(s.freeNumbers)
	if n == 0 {
		return len(s.classes)
	}
	number := s.freeNumbers[n-1]
	s.freeNumbers = s.freeNumbers[:n-1]
	return number
}

// in reports whether the agent is a member of the class.
func (w *worker) in(c *class) bool {
	i := c.number / 64
	return i < len(w.member) && w.member[i]&(1<<(c.number%64)) != 0
}

// accepts reports whether the worker has all the labels.
func (c *class) accepts(w *worker) bool {
	for _, l := range c.labels {
		if _, ok := w.labels[l]; !ok {
			return false
		}
	}
	return true
}

// admit makes an agent a member of a class.
func (s *Scheduler) admit(w *worker, c *class) {
	w.classes = append(w.classes, c)
	for len(w.member) <= c.number/64 {
		w.member = append(w.member, 0)
	}
	w.member[c.number/64] |= 1 << (c.number % 64)
	c.free.insert(w.key, w.vec, w)
	if w.spared {
		c.spare.insert(w.spareKey, w.room, w)
	}
	size := c.sizes[w.sizeKey]
	if size == nil {
		size = &capacity{amounts: w.capacity}
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
	c := sh.lane.class
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
