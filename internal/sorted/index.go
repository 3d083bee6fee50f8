package sorted

import "slices"

// index is what a list by texts knows of its chunks, to find one without a look
// into them: all texts of the list have at least the first common bytes in common,
// and heads are the next eight of a text of each chunk that is not greater than
// any of the chunk, nor smaller than any of the chunk before.
type index struct {
	common int
	heads  []uint64
}

// among is which chunks v may belong to, but for the one before them.
func (l *List[T]) among(v *T, o *Order[T]) (lo, hi int) {
	if o.Part == nil {
		return 0, len(l.chunks)
	}
	if first := &l.chunks[0].items[0]; o.Common(v, first) < l.common { // before all or behind all
		if o.Before(v, first) {
			return 0, 0
		}
		return len(l.chunks), len(l.chunks)
	}
	return equal(l.heads, o.Part(v, l.common))
}

// entered is about a chunk that became the i-th.
func (l *List[T]) entered(i int, o *Order[T]) {
	if o.Part == nil {
		return
	}
	if len(l.chunks) == 1 {
		l.common, l.heads = l.chunks[0].common, l.heads[:0]
	}
	l.heads = slices.Insert(l.heads, i, o.Part(&l.chunks[i].items[0], l.common))
	if i == len(l.chunks)-1 {
		l.widen(o.Common(&l.chunks[0].items[0], &l.chunks[i].items[len(l.chunks[i].items)-1]), o)
	}
}

// changed is about the i-th chunk, whose first is another.
func (l *List[T]) changed(i int, o *Order[T]) {
	if o.Part != nil {
		l.heads[i] = o.Part(&l.chunks[i].items[0], l.common)
	}
}

// left is about the i-th chunk, which will be taken out.
func (l *List[T]) left(i int) {
	if l.heads == nil {
		return
	}
	if i == 0 {
		l.heads = l.heads[1:]
	} else {
		l.heads = slices.Delete(l.heads, i, i+1)
	}
}

// widen makes the heads anew if texts came that have less in common with those of
// their chunk, common bytes, than all had.
func (l *List[T]) widen(common int, o *Order[T]) {
	if o.Part == nil || common >= l.common {
		return
	}
	l.common = common
	for i, c := range l.chunks {
		l.heads[i] = o.Part(&c.items[0], common)
	}
}
