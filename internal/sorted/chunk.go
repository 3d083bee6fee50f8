package sorted

import "slices"

// chunkSize is how many things a chunk holds at most: all that is ever moved by
// one change. A chunk that is not filled in order grows by chunkStep, so that
// little room is left over.
const (
	chunkSize = 512
	chunkStep = chunkSize / 4
)

type chunk[T any] struct {
	items []T
	// In a list by texts: all texts of the chunk have at least the first common
	// bytes in common, and hints are the next four of each.
	common int
	hints  []uint32
}

// newChunk is a chunk of one, with room for n.
func newChunk[T any](v T, n int, o *Order[T]) *chunk[T] {
	c := &chunk[T]{items: append(make([]T, 0, n), v)}
	if o.Part != nil {
		c.hints = make([]uint32, 0, n)
		c.hint(o)
	}
	return c
}

// hint makes the hints anew.
func (c *chunk[T]) hint(o *Order[T]) {
	if o.Part == nil {
		return
	}
	c.common = o.Common(&c.items[0], &c.items[len(c.items)-1])
	c.hints = c.hints[:0]
	for i := range c.items {
		c.hints = append(c.hints, part(&c.items[i], c.common, o))
	}
}

func part[T any](v *T, from int, o *Order[T]) uint32 { return uint32(o.Part(v, from) >> 32) }

// append adds v behind the others.
func (c *chunk[T]) append(v T, o *Order[T]) {
	c.items = append(c.items, v)
	c.entered(len(c.items)-1, o)
}

// insert adds v.
func (c *chunk[T]) insert(j int, v T, o *Order[T]) {
	if len(c.items) == cap(c.items) {
		c.items, c.hints = roomier(c.items), roomier(c.hints)
	}
	c.items = slices.Insert(c.items, j, v)
	c.entered(j, o)
}

// roomier moves a part of a chunk to where it has room for more.
func roomier[T any](all []T) []T {
	if all == nil {
		return nil
	}
	return append(make([]T, 0, len(all)+chunkStep), all...)
}

// entered gives what was put into items its hint.
func (c *chunk[T]) entered(j int, o *Order[T]) {
	if o.Part == nil {
		return
	}
	if (j == 0 || j == len(c.items)-1) && o.Common(&c.items[0], &c.items[len(c.items)-1]) < c.common {
		c.hint(o)
		return
	}
	c.hints = slices.Insert(c.hints, j, part(&c.items[j], c.common, o))
}

// split takes the upper half away. What is left and what is taken have more in
// common than both had.
func (c *chunk[T]) split(o *Order[T]) (upper *chunk[T]) {
	half := len(c.items) / 2
	upper = &chunk[T]{items: roomier(c.items[half:])}
	c.items = roomier(c.items[:half])
	if o.Part != nil {
		upper.hints, c.hints = roomier(c.hints[half:]), roomier(c.hints[:half])
		upper.hint(o)
		c.hint(o)
	}
	return upper
}

// pop takes the first out.
func (c *chunk[T]) pop() {
	c.items = c.items[1:]
	if c.hints != nil {
		c.hints = c.hints[1:]
	}
}

func (c *chunk[T]) remove(j int) {
	c.items = slices.Delete(c.items, j, j+1)
	if c.hints != nil {
		c.hints = slices.Delete(c.hints, j, j+1)
	}
}

// find gives the position where v is or belongs.
func (c *chunk[T]) find(v *T, o *Order[T]) (pos int, found bool) {
	lo, end := c.among(v, o)
	for hi := end; lo < hi; {
		mid := (lo + hi) / 2
		if o.Before(&c.items[mid], v) {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	return lo, lo < end && !o.Before(v, &c.items[lo])
}

// among is where v must belong as far as hints tell.
func (c *chunk[T]) among(v *T, o *Order[T]) (lo, hi int) {
	if o.Part == nil {
		return 0, len(c.items)
	}
	if o.Common(v, &c.items[0]) < c.common { // before all or behind all
		if o.Before(v, &c.items[0]) {
			return 0, 0
		}
		return len(c.items), len(c.items)
	}
	return equal(c.hints, part(v, c.common, o))
}

// equal is where v is in a sorted list, as often as it is there.
func equal[V uint32 | uint64](all []V, v V) (lo, hi int) {
	lo, found := slices.BinarySearch(all, v)
	if !found {
		return lo, lo
	}
	above, _ := slices.BinarySearchFunc(all[lo:], v, func(x, v V) int {
		if x <= v {
			return -1
		}
		return 1
	})
	return lo, lo + above
}
