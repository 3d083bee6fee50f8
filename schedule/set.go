package schedule

import (
	"math/bits"
	"slices"
)

// set is small numbers, sixty-four to a word; words without any are left out. It
// is as good for a handful out of a million as for half of all.
type set []word

type word struct {
	at   uint32 // its numbers are from 64 times at on
	bits uint64
}

// find is where the word at that place is or belongs.
func (b set) find(at uint32) (int, bool) {
	lo, hi := 0, len(b)
	for lo < hi {
		if mid := (lo + hi) / 2; b[mid].at < at {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	return lo, lo < len(b) && b[lo].at == at
}

// has reports whether n is in the set.
func (b set) has(n uint32) bool {
	i, ok := b.find(n / 64)
	return ok && b[i].bits&(1<<(n%64)) != 0
}

// add puts n in.
func (b *set) add(n uint32) {
	i, ok := b.find(n / 64)
	if !ok {
		*b = slices.Insert(*b, i, word{at: n / 64})
	}
	(*b)[i].bits |= 1 << (n % 64)
}

// remove takes n out.
func (b *set) remove(n uint32) {
	i, ok := b.find(n / 64)
	if !ok {
		return
	}
	if (*b)[i].bits &^= 1 << (n % 64); (*b)[i].bits == 0 {
		*b = slices.Delete(*b, i, i+1)
	}
}

// meet appends to common what is in both sets.
func (b set) meet(o, common set) set {
	for i, j := 0, 0; i < len(b) && j < len(o); {
		switch x, y := &b[i], &o[j]; {
		case x.at < y.at:
			i++
		case x.at > y.at:
			j++
		default:
			if both := x.bits & y.bits; both != 0 {
				common = append(common, word{x.at, both})
			}
			i++
			j++
		}
	}
	return common
}

// each visits the numbers, the smallest first.
func (b set) each(visit func(uint32)) {
	for _, w := range b {
		for left := w.bits; left != 0; left &= left - 1 {
			visit(w.at*64 + uint32(bits.TrailingZeros64(left)))
		}
	}
}
