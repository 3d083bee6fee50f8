// Package sorted is a list that keeps millions of small things in order: sorted
// chunks, so that a change never moves more than one, and that the collector has
// nothing to follow but the chunks if the things have no pointers. Package
// schedule keeps ready jobs in it, package queue the keys of jobs.
package sorted

import "slices"

// chunkSize is how many things a chunk holds at most: all that is ever moved by
// one change.
const chunkSize = 512

// List is a sorted list; its zero value is empty. The order is a function given
// with each call, always the same for one list: whether a comes before b. Of
// two that are equal, neither before the other, only one is in it.
type List[T any] struct {
	chunks [][]T // none empty
	n      int
}

// Len is how many there are.
func (l *List[T]) Len() int { return l.n }

// Push adds v; false if its equal is there already.
func (l *List[T]) Push(v T, before func(a, b *T) bool) bool {
	last := len(l.chunks) - 1
	if last < 0 {
		l.chunks = append(l.chunks, []T{v})
		l.n++
		return true
	}
	c := l.chunks[last]
	if !before(&c[len(c)-1], &v) {
		return l.insert(v, before)
	}
	if len(c) < chunkSize { // in order: the usual case
		l.chunks[last] = append(c, v)
	} else {
		l.chunks = append(l.chunks, append(make([]T, 0, chunkSize), v))
	}
	l.n++
	return true
}

func (l *List[T]) insert(v T, before func(a, b *T) bool) bool {
	i, j, found := l.find(&v, before)
	if found {
		return false
	}
	c := l.chunks[i]
	if len(c) >= chunkSize {
		half := len(c) / 2
		upper := append(make([]T, 0, chunkSize), c[half:]...)
		l.chunks[i] = c[:half:half]
		l.chunks = slices.Insert(l.chunks, i+1, upper)
		if j > half {
			i, j = i+1, j-half
		}
		c = l.chunks[i]
	}
	l.chunks[i] = slices.Insert(c, j, v)
	l.n++
	return true
}

// find gives the chunk and the position in it where v is or belongs. The list
// is not empty.
func (l *List[T]) find(v *T, before func(a, b *T) bool) (chunk, pos int, found bool) {
	// The last chunk that does not begin behind it.
	lo, hi := 0, len(l.chunks)
	for lo < hi {
		mid := (lo + hi) / 2
		if before(v, &l.chunks[mid][0]) {
			hi = mid
		} else {
			lo = mid + 1
		}
	}
	chunk = max(lo-1, 0)
	c := l.chunks[chunk]
	lo, hi = 0, len(c)
	for lo < hi {
		mid := (lo + hi) / 2
		if before(&c[mid], v) {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	return chunk, lo, lo < len(c) && !before(v, &c[lo])
}

// Find is v's equal in the list.
func (l *List[T]) Find(v *T, before func(a, b *T) bool) (is T, found bool) {
	if l.n == 0 {
		return is, false
	}
	i, j, found := l.find(v, before)
	if found {
		is = l.chunks[i][j]
	}
	return is, found
}

// Remove takes v's equal out and returns it; false if it is not there.
func (l *List[T]) Remove(v *T, before func(a, b *T) bool) (was T, found bool) {
	if l.n == 0 {
		return was, false
	}
	i, j, found := l.find(v, before)
	if !found {
		return was, false
	}
	l.n--
	c := l.chunks[i]
	was = c[j]
	switch {
	case len(c) == 1:
		l.drop(i)
	case j == 0:
		l.chunks[i] = c[1:]
	default:
		l.chunks[i] = slices.Delete(c, j, j+1)
		l.merge(i)
	}
	return was, true
}

func (l *List[T]) drop(i int) {
	if i == 0 {
		l.chunks[0] = nil
		l.chunks = l.chunks[1:]
		return
	}
	l.chunks = slices.Delete(l.chunks, i, i+1)
}

// merge joins a chunk that became small with the next one, if they leave room.
func (l *List[T]) merge(i int) {
	c := l.chunks[i]
	if len(c) > chunkSize/4 || i+1 >= len(l.chunks) || len(l.chunks[i+1]) > chunkSize/2 {
		return
	}
	l.chunks[i] = append(c, l.chunks[i+1]...)
	l.drop(i + 1)
}

// Front is the first; the list is not empty.
func (l *List[T]) Front() *T { return &l.chunks[0][0] }

// Pop takes the first out; the list is not empty.
func (l *List[T]) Pop() T {
	c := l.chunks[0]
	v := c[0]
	if len(c) == 1 {
		l.drop(0)
	} else {
		l.chunks[0] = c[1:]
	}
	l.n--
	return v
}

// Ahead counts those before v.
func (l *List[T]) Ahead(v *T, before func(a, b *T) bool) int {
	if l.n == 0 {
		return 0
	}
	i, j, _ := l.find(v, before)
	for _, c := range l.chunks[:i] {
		j += len(c)
	}
	return j
}

// Lead counts those at the beginning for which is holds: it holds for none behind
// one for which it does not.
func (l *List[T]) Lead(is func(*T) bool) int {
	n := 0
	for _, c := range l.chunks {
		if is(&c[len(c)-1]) {
			n += len(c)
			continue
		}
		i, _ := slices.BinarySearchFunc(c, true, func(v T, _ bool) int {
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
func (l *List[T]) Each(v *T, before func(a, b *T) bool, visit func(*T) bool) {
	i, j := 0, 0
	if v != nil && l.n > 0 {
		var found bool
		if i, j, found = l.find(v, before); found {
			j++
		}
	}
	for ; i < len(l.chunks); i, j = i+1, 0 {
		for ; j < len(l.chunks[i]); j++ {
			if !visit(&l.chunks[i][j]) {
				return
			}
		}
	}
}
