package queue

import "math/bits"

// chunkSize is how many records a chunk of a slab has. Chunks are what the
// collector sees; records hold no pointers, so it never looks into them.
const chunkSize = 256

// slab is a growing array of records that are addressed by slot and never move.
// Slot 0 is never given out: it means none.
type slab[T any] struct {
	chunks []*chunk[T]
	open   []uint32 // chunks with room, as a stack
	spare  *chunk[T]
	used   int
}

type chunk[T any] struct {
	items [chunkSize]T
	taken [chunkSize / 64]uint64
	used  int
}

func (s *slab[T]) at(slot uint32) *T {
	return &s.chunks[slot/chunkSize].items[slot%chunkSize]
}

// has reports whether the slot's chunk is there; its record may be zero.
func (s *slab[T]) has(slot uint32) bool { return s.chunks[slot/chunkSize] != nil }

// take gives out a slot with a zero record.
func (s *slab[T]) take() uint32 {
	if len(s.open) == 0 {
		s.open = append(s.open, uint32(len(s.chunks)))
		s.chunks = append(s.chunks, nil)
	}
	n := s.open[len(s.open)-1]
	c := s.chunks[n]
	if c == nil {
		c = s.fresh(n)
	}
	i := c.take()
	if c.used == chunkSize {
		s.open = s.open[:len(s.open)-1]
	}
	s.used++
	return n*chunkSize + i
}

func (s *slab[T]) fresh(n uint32) *chunk[T] {
	c := s.spare
	s.spare = nil
	if c == nil {
		c = new(chunk[T])
	}
	if n == 0 { // slot 0 is none
		c.taken[0], c.used = 1, 1
	}
	s.chunks[n] = c
	return c
}

func (c *chunk[T]) take() uint32 {
	for w := range c.taken {
		if free := ^c.taken[w]; free != 0 {
			b := bits.TrailingZeros64(free)
			c.taken[w] |= 1 << b
			c.used++
			return uint32(w*64 + b)
		}
	}
	panic("queue: a full chunk was open")
}

// give takes a slot back and clears its record. A chunk that is empty is let go,
// all but one.
func (s *slab[T]) give(slot uint32) {
	n, i := slot/chunkSize, slot%chunkSize
	c := s.chunks[n]
	var zero T
	c.items[i] = zero
	c.taken[i/64] &^= 1 << (i % 64)
	if c.used == chunkSize {
		s.open = append(s.open, n)
	}
	c.used--
	s.used--
	if c.used == 0 {
		s.chunks[n] = nil
		if s.spare == nil {
			s.spare = c
		}
	}
}
