package emulate

import (
	"slices"
	"strconv"
	"strings"

	"github.com/muster-queue/muster/job"
)

// MaxArray is how many elements an array may have: they are added in one batch.
const MaxArray = 10_000

// MaxIndex is the largest index of an element.
const MaxIndex = 1<<31 - 2

// Array has the indices of a job array.
type Array struct {
	// Text is what its user wrote: "1-10:2,20%3".
	Text string
	// Indices are in the order of adding, without duplicates.
	Indices []int64
	// AtOnce is how many may run at once; zero: any number.
	AtOnce int64
	// First, Last and Step are of a simple range; Step is 1 for a list.
	First, Last, Step int64
}

// ParseArray reads "1-10", "0-20:4", "1,3,5-7" with "%3" behind it for how many may
// run at once. The least index is 0 or 1.
func ParseArray(text string, least int64) (*Array, error) {
	list, most, limited := strings.Cut(text, "%")
	a := &Array{Text: text, Step: 1}
	if limited {
		n, err := strconv.ParseInt(most, 10, 64)
		if err != nil || n < 1 || n > MaxIndex {
			return nil, job.Errorf(job.Invalid, "%q: after %% comes how many elements may run at once", text)
		}
		a.AtOnce = n
	}
	seen := map[int64]bool{}
	for part := range strings.SplitSeq(list, ",") {
		from, to, step, ok := parseRange(part)
		if !ok || from < least || to < from || to > MaxIndex {
			return nil, job.Errorf(job.Invalid, "%q: %q is not an index, nor a range FIRST-LAST or FIRST-LAST:STEP from %d on", text, part, least)
		}
		a.Step = step
		if (to-from)/step >= MaxArray {
			return nil, tooManyElements(text)
		}
		for i := from; i <= to; i += step {
			if seen[i] {
				continue
			}
			if len(a.Indices) == MaxArray {
				return nil, tooManyElements(text)
			}
			seen[i] = true
			a.Indices = append(a.Indices, i)
		}
	}
	a.First, a.Last = slices.Min(a.Indices), slices.Max(a.Indices)
	if strings.Contains(list, ",") {
		a.Step = 1
	}
	return a, nil
}

func tooManyElements(text string) error {
	return job.Errorf(job.Invalid, "%q: more than %d elements; add several arrays", text, MaxArray)
}

func parseRange(part string) (from, to, step int64, ok bool) {
	ends, by, stepped := strings.Cut(part, ":")
	first, last, ranged := strings.Cut(ends, "-")
	step = 1
	var err1, err2, err3 error
	from, err1 = number(first)
	if to = from; ranged {
		to, err2 = number(last)
	}
	if stepped {
		step, err3 = number(by)
	}
	return from, to, step, err1 == nil && err2 == nil && err3 == nil && step > 0 && (ranged || !stepped)
}

// number reads a number of digits only.
func number(s string) (int64, error) {
	n, err := strconv.ParseUint(s, 10, 31)
	return int64(n), err
}
