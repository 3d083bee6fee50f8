// Package seqset is a set of jobs' numbers that lie close together, at a few bits for
// each. Listings remember in it which jobs they have shown.
package seqset

// Set is a set of numbers. Its zero value is empty and ready for use.
type Set struct{ words map[uint64]uint64 }

// Add adds a number, and tells whether it was not there.
func (s *Set) Add(n uint64) bool {
	if s.words == nil {
		s.words = map[uint64]uint64{}
	}
	was := s.words[n/64]
	s.words[n/64] = was | 1<<(n%64)
	return s.words[n/64] != was
}

// Has tells whether a number is there.
func (s *Set) Has(n uint64) bool { return s.words[n/64]&(1<<(n%64)) != 0 }
