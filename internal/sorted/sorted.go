// Package sorted is a list that keeps millions of small things in order: sorted
// chunks, so that a change never moves more than one, and that the collector has
// nothing to follow but the chunks if the things have no pointers. Package
// schedule keeps ready jobs in it, package queue the keys of jobs.
package sorted

import "slices"

// List is a sorted list; its zero value is empty. The order is given with each
// call, always the same for one list. Of two that are equal, neither before the
// other, only one is in it.
type List[T any] struct {
	chunks []*chunk[T] // none empty
	n      int
	index
}

// Order is how a list is ordered.
type Order[T any] struct {
	// Before reports whether a comes before b.
	Before func(a, b *T) bool
	// Common and Part are for things that are ordered by a text that is not in
	// them, or only by something else where that is equal: how many bytes the
	// texts of a and b have in common at their beginning, and the eight bytes of a
	// text from one on, the first in the highest bits, zero behind its end. A list
	// keeps parts of the texts with them, so that it seldom has to look at a text.
	// Both are nil otherwise.
	Common func(a, b *T) int
	Part   func(v *T, from int) uint64
}

// Len is how many there are.
func (l *List[T]) Len() int { return l.n }

// Push adds v; false if its equal is there already.
func (l *List[T]) Push(v T, o *Order[T]) bool {
	last := len(l.chunks) - 1
	if last < 0 {
		l.append(newChunk(v, 1, o), o)
		return true
	}
	c := l.chunks[last]
	if !o.Before(&c.items[len(c.items)-1], &v) {
		return l.insert(v, o)
	}
	if len(c.items) < chunkSize { // in order: the usual case
		c.append(v, o)
		l.widen(c.common, o)
		l.n++
	} else {
		l.append(newChunk(v, chunkSize, o), o)
	}
	return true
}

// Fill adds things that are in order, none twice, to an empty list.
func (l *List[T]) Fill(all []T, o *Order[T]) {
	for part := range slices.Chunk(all, chunkSize) {
		c := &chunk[T]{items: slices.Clone(part)}
		c.hint(o)
		l.append(c, o)
	}
}

// append adds a chunk behind the others.
func (l *List[T]) append(c *chunk[T], o *Order[T]) {
	l.chunks = append(l.chunks, c)
	l.n += len(c.items)
	l.entered(len(l.chunks)-1, o)
}

func (l *List[T]) insert(v T, o *Order[T]) bool {
	i, j, found := l.find(&v, o)
	if found {
		return false
	}
	c := l.chunks[i]
	if len(c.items) >= chunkSize {
		upper := c.split(o)
		l.chunks = slices.Insert(l.chunks, i+1, upper)
		l.entered(i+1, o)
		if half := len(c.items); j > half {
			i, j, c = i+1, j-half, upper
		}
	}
	c.insert(j, v, o)
	l.widen(c.common, o)
	if j == 0 {
		l.changed(i, o)
	}
	l.n++
	return true
}

// find gives the chunk and the position in it where v is or belongs. The list
// is not empty.
func (l *List[T]) find(v *T, o *Order[T]) (chunk, pos int, found bool) {
	// The last chunk that does not begin behind it.
	lo, hi := l.among(v, o)
	for lo < hi {
		mid := (lo + hi) / 2
		if o.Before(v, &l.chunks[mid].items[0]) {
			hi = mid
		} else {
			lo = mid + 1
		}
	}
	chunk = max(lo-1, 0)
	pos, found = l.chunks[chunk].find(v, o)
	return chunk, pos, found
}

// Find is v's equal in the list.
func (l *List[T]) Find(v *T, o *Order[T]) (is T, found bool) {
	if l.n == 0 {
		return is, false
	}
	i, j, found := l.find(v, o)
	if found {
		is = l.chunks[i].items[j]
	}
	return is, found
}

// Remove takes v's equal out and returns it; false if it is not there.
func (l *List[T]) Remove(v *T, o *Order[T]) (was T, found bool) {
	if l.n == 0 {
		return was, false
	}
	i, j, found := l.find(v, o)
	if !found {
		return was, false
	}
	l.n--
	c := l.chunks[i]
	was = c.items[j]
	switch {
	case len(c.items) == 1:
		l.drop(i)
	case j == 0:
		c.pop()
	default:
		c.remove(j)
		l.merge(i, o)
	}
	return was, true
}

func (l *List[T]) drop(i int) {
	l.left(i)
	if i == 0 {
		l.chunks[0] = nil
		l.chunks = l.chunks[1:]
		return
	}
	l.chunks = slices.Delete(l.chunks, i, i+1)
}

// merge joins a chunk that became small with the next one, if they leave room.
func (l *List[T]) merge(i int, o *Order[T]) {
	c := l.chunks[i]
	if len(c.items) > chunkSize/4 || i+1 >= len(l.chunks) || len(l.chunks[i+1].items) > chunkSize/2 {
		return
	}
	c.items = append(c.items, l.chunks[i+1].items...)
	c.hint(o)
	l.drop(i + 1)
}

// Front is the first; the list is not empty.
func (l *List[T]) Front() *T { return &l.chunks[0].items[0] }

// Pop takes the first out; the list is not empty.
func (l *List[T]) Pop() T {
	c := l.chunks[0]
	v := c.items[0]
	if len(c.items) == 1 {
		l.drop(0)
	} else {
		c.pop()
	}
	l.n--
	return v
}

// Ahead counts those before v.
func (l *List[T]) Ahead(v *T, o *Order[T]) int {
	if l.n == 0 {
		return 0
	}
	i, j, _ := l.find(v, o)
	for _, c := range l.chunks[:i] {
		j += len(c.items)
	}
	return j
}

// Lead counts those at the beginning for which is holds: it holds for none behind
// one for which it does not.
func (l *List[T]) Lead(is func(*T) bool) int {
	n := 0
	for _, c := range l.chunks {
		if is(&c.items[len(c.items)-1]) {
			n += len(c.items)
			continue
		}
		i, _ := slices.BinarySearchFunc(c.items, true, func(v T, _ bool) int {
			if is(&v) {
				return -1
			}
			return 1
		})
		return n + i
	}
	return n
}

// Each visits those behind v (all if nil) in order until visit says no.
func (l *List[T]) Each(v *T, o *Order[T], visit func(*T) bool) {
	i, j := 0, 0
	if v != nil && l.n > 0 {
		var found bool
		if i, j, found = l.find(v, o); found {
			j++
		}
	}
	for ; i < len(l.chunks); i, j = i+1, 0 {
		for items := l.chunks[i].items; j < len(items); j++ {
			if !visit(&items[j]) {
				return
			}
		}
	}
}
