package summary

import (
	"cmp"
	"math"
	"slices"
)

// Spread is how values are spread: exact in number and mean, and in quantiles to
// Accuracy. It counts values in buckets whose bounds grow by a constant factor, of which
// only those that have values are kept: a group of alike jobs has a handful.
type Spread struct {
	Count int64
	// Sum of the values.
	Sum     float64
	squares float64
	bins    []bin // in order
}

// Accuracy is how far a quantile may be from the value it stands for, as a part of it.
const Accuracy = 0.02

// growth is the factor between the bounds of buckets.
const growth = (1 + Accuracy) / (1 - Accuracy)

var logGrowth = math.Log(growth)

// bin is a bucket with its number of values.
type bin struct {
	index uint16
	count uint32
}

func indexOf(v int64) uint16 { return uint16(math.Ceil(math.Log(float64(v)) / logGrowth)) }

// valueOf is the value that stands for those of a bucket.
func valueOf(index uint16) float64 { return 2 * math.Pow(growth, float64(index)) / (growth + 1) }

// add counts a value by times, or takes it away; values that are not positive were not
// measured.
func (s *Spread) add(v, by int64) {
	if v <= 0 {
		return
	}
	s.Count += by
	s.Sum += float64(by) * float64(v)
	s.squares += float64(by) * float64(v) * float64(v)
	s.put(indexOf(v), by)
}

func (s *Spread) put(index uint16, by int64) {
	i, found := slices.BinarySearchFunc(s.bins, index, func(b bin, index uint16) int { return cmp.Compare(b.index, index) })
	switch {
	case !found && by > 0:
		s.bins = slices.Insert(s.bins, i, bin{index, uint32(by)})
	case found && int64(s.bins[i].count)+by <= 0:
		s.bins = slices.Delete(s.bins, i, i+1)
	case found:
		s.bins[i].count = uint32(min(int64(s.bins[i].count)+by, math.MaxUint32))
	}
}

func (s *Spread) merge(o *Spread) {
	s.Count += o.Count
	s.Sum += o.Sum
	s.squares += o.squares
	for _, b := range o.bins {
		s.put(b.index, int64(b.count))
	}
}

// Mean is the mean of the values; zero of none.
func (s *Spread) Mean() float64 {
	if s.Count <= 0 {
		return 0
	}
	return s.Sum / float64(s.Count)
}

// Deviation is the standard deviation of the values.
func (s *Spread) Deviation() float64 {
	if s.Count <= 1 {
		return 0
	}
	mean := s.Mean()
	return math.Sqrt(max(0, s.squares/float64(s.Count)-mean*mean))
}

// Quantile is the value that a part q of the values, from 0 to 1, does not exceed.
func (s *Spread) Quantile(q float64) float64 {
	if s.Count <= 0 || len(s.bins) == 0 {
		return 0
	}
	rank := int64(math.Ceil(q * float64(s.Count)))
	for _, b := range s.bins {
		if rank -= int64(b.count); rank <= 0 {
			return valueOf(b.index)
		}
	}
	return valueOf(s.bins[len(s.bins)-1].index)
}
