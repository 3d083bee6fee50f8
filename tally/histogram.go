package tally

import "slices"

// Histogram counts values by size. It belongs to one goroutine; others get a Clone.
type Histogram struct {
	// Bounds are the upper ends of the buckets, inclusive, in order.
	Bounds []float64
	// Counts are those of each bucket alone, and last of what is larger than all.
	Counts []uint64
	Sum    float64
}

// NewHistogram makes a histogram with buckets up to these bounds, which are in order.
func NewHistogram(bounds ...float64) Histogram {
	return Histogram{Bounds: bounds, Counts: make([]uint64, len(bounds)+1)}
}

// Observe counts a value.
func (h *Histogram) Observe(v float64) {
	i, _ := slices.BinarySearch(h.Bounds, v)
	h.Counts[i]++
	h.Sum += v
}

// Cumulative is how many values there were, and how many up to each bound.
func (h *Histogram) Cumulative() (total uint64, upTo map[float64]uint64) {
	upTo = make(map[float64]uint64, len(h.Bounds))
	for i, n := range h.Counts {
		total += n
		if i < len(h.Bounds) {
			upTo[h.Bounds[i]] = total
		}
	}
	return total, upTo
}

// Clone is a copy, for another goroutine.
func (h *Histogram) Clone() Histogram {
	c := *h
	c.Counts = slices.Clone(h.Counts)
	return c
}
