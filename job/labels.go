package job

import "slices"

// Labels are strings "key:value" of a worker, or the ones a job asks for.
type Labels []string

// SubsetOf reports whether all labels are in have.
func (l Labels) SubsetOf(have Labels) bool {
	for _, x := range l {
		if !slices.Contains(have, x) {
			return false
		}
	}
	return true
}

// Sorted is a sorted copy without repetitions.
func (l Labels) Sorted() Labels {
	c := slices.Clone(l)
	slices.Sort(c)
	return slices.Compact(c)
}
