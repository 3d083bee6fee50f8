package schedule

import "slices"

// leafSize is how many entries a leaf of an index holds at most.
const leafSize = 64

// index keeps things in order of rank, each with a vec. It stands in leaves of at
// most leafSize entries and knows for every leaf the largest value of each column,
// so that the first one in order which has enough in every column is found
// without looking into most leaves. Workers are kept by free size with what they
// have free; shapes by rank with what they need, negated; lanes likewise.
type index[T any] struct {
	firsts []rank // no entry of the leaf is smaller, none of the leaf before as large
	tops   []vec  // the largest of each column in the leaf
	leaves []*leaf[T]
	n      int
	top    vec // covers every entry
	loose  int // removals since top was exact
}

type leaf[T any] struct {
	ranks []rank
	vecs  []vec
	refs  []T
}

// leafOf is the leaf where r is or belongs; there is at least one.
func (x *index[T]) leafOf(r rank) int {
	lo, hi := 1, len(x.firsts)
	for lo < hi {
		mid := (lo + hi) / 2
		if r.less(x.firsts[mid]) {
			hi = mid
		} else {
			lo = mid + 1
		}
	}
	return lo - 1
}

// search is where in the leaf r is or belongs.
func (l *leaf[T]) search(r rank) int {
	lo, hi := 0, len(l.ranks)
	for lo < hi {
		mid := (lo + hi) / 2
		if l.ranks[mid].less(r) {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	return lo
}

// insert adds an entry; no other has the same rank.
func (x *index[T]) insert(r rank, v vec, ref T) {
	if x.n == 0 {
		x.firsts, x.tops, x.leaves = append(x.firsts, r), append(x.tops, v), append(x.leaves, &leaf[T]{})
		x.top, x.loose = v, 0
	}
	x.n++
	x.top.raise(&v)
	i := x.leafOf(r)
	l := x.leaves[i]
	if len(l.ranks) >= leafSize {
		i = x.split(i, r)
		l = x.leaves[i]
	}
	pos := l.search(r)
	l.ranks = slices.Insert(l.ranks, pos, r)
	l.vecs = slices.Insert(l.vecs, pos, v)
	l.refs = slices.Insert(l.refs, pos, ref)
	if r.less(x.firsts[i]) {
		x.firsts[i] = r
	}
	if len(l.ranks) == 1 {
		x.tops[i] = v
	} else {
		x.tops[i].raise(&v)
	}
}

// split makes room in a full leaf and gives the leaf that r belongs to now. At
// the end of the index only a new leaf is begun, so that entries that come in
// order fill their leaves.
func (x *index[T]) split(i int, r rank) int {
	l := x.leaves[i]
	half := len(l.ranks) / 2
	if i == len(x.leaves)-1 && l.ranks[len(l.ranks)-1].less(r) {
		half = len(l.ranks)
	}
	upper := &leaf[T]{
		ranks: append(make([]rank, 0, leafSize), l.ranks[half:]...),
		vecs:  append(make([]vec, 0, leafSize), l.vecs[half:]...),
		refs:  append(make([]T, 0, leafSize), l.refs[half:]...),
	}
	clear(l.refs[half:])
	l.ranks, l.vecs, l.refs = l.ranks[:half], l.vecs[:half], l.refs[:half]
	first := r
	if len(upper.ranks) > 0 {
		first = upper.ranks[0]
	}
	x.firsts = slices.Insert(x.firsts, i+1, first)
	x.leaves = slices.Insert(x.leaves, i+1, upper)
	x.tops = slices.Insert(x.tops, i+1, upper.top())
	x.tops[i] = l.top()
	if r.less(first) {
		return i
	}
	return i + 1
}

// top is the largest of each column; of an empty leaf it covers nothing.
func (l *leaf[T]) top() vec {
	v := vec{never, never, never, never, never, never, never}
	for i := range l.vecs {
		v.raise(&l.vecs[i])
	}
	return v
}

// remove takes the entry of that rank out.
func (x *index[T]) remove(r rank) bool {
	if x.n == 0 {
		return false
	}
	i := x.leafOf(r)
	l := x.leaves[i]
	pos := l.search(r)
	if pos == len(l.ranks) || l.ranks[pos] != r {
		return false
	}
	gone := l.vecs[pos]
	l.ranks = slices.Delete(l.ranks, pos, pos+1)
	l.vecs = slices.Delete(l.vecs, pos, pos+1)
	l.refs = slices.Delete(l.refs, pos, pos+1)
	x.n--
	x.loose++
	switch {
	case len(l.ranks) == 0:
		x.drop(i)
	case !x.join(i):
		x.tighten(i, &gone)
	}
	return true
}

// tighten brings a leaf's top up to date after gone left. Most columns are the
// same in most entries, so that the first one looked at settles it.
func (x *index[T]) tighten(i int, gone *vec) {
	top, vecs := &x.tops[i], x.leaves[i].vecs
	for c, was := range top {
		if gone[c] < was {
			continue
		}
		most := int64(never)
		for j := 0; j < len(vecs) && most < was; j++ {
			most = max(most, vecs[j][c])
		}
		top[c] = most
	}
}

func (x *index[T]) drop(i int) {
	x.firsts = slices.Delete(x.firsts, i, i+1)
	x.tops = slices.Delete(x.tops, i, i+1)
	x.leaves = slices.Delete(x.leaves, i, i+1)
}

// join adds the next leaf to one that became small, if they leave room.
func (x *index[T]) join(i int) bool {
	l := x.leaves[i]
	if len(l.ranks) > leafSize/4 || i+1 >= len(x.leaves) || len(x.leaves[i+1].ranks) > leafSize/2 {
		return false
	}
	next := x.leaves[i+1]
	l.ranks = append(l.ranks, next.ranks...)
	l.vecs = append(l.vecs, next.vecs...)
	l.refs = append(l.refs, next.refs...)
	x.drop(i + 1)
	x.tops[i] = l.top()
	return true
}

// first finds the first entry at or behind from that covers q and is wanted (nil:
// any is).
func (x *index[T]) first(from rank, q *vec, wanted func(T) bool) (r rank, ref T, ok bool) {
	if x.n == 0 || !x.top.covers(q) {
		return r, ref, false
	}
	i := x.leafOf(from)
	if x.tops[i].covers(q) {
		l := x.leaves[i]
		if r, ref, ok = l.first(l.search(from), q, wanted); ok {
			return r, ref, true
		}
	}
	for i++; i < len(x.tops); i++ {
		if !x.tops[i].covers(q) {
			continue
		}
		if r, ref, ok = x.leaves[i].first(0, q, wanted); ok {
			return r, ref, true
		}
	}
	return r, ref, false
}

func (l *leaf[T]) first(pos int, q *vec, wanted func(T) bool) (r rank, ref T, ok bool) {
	for ; pos < len(l.vecs); pos++ {
		if l.vecs[pos].covers(q) && (wanted == nil || wanted(l.refs[pos])) {
			return l.ranks[pos], l.refs[pos], true
		}
	}
	return r, ref, false
}

// each visits every entry in order; nothing is changed meanwhile.
func (x *index[T]) each(visit func(T)) {
	for _, l := range x.leaves {
		for _, ref := range l.refs {
			visit(ref)
		}
	}
}

// head is the smallest rank; the index is not empty.
func (x *index[T]) head() rank { return x.leaves[0].ranks[0] }

// bound is the largest of each column over all entries.
func (x *index[T]) bound() vec {
	if x.n == 0 {
		return (&leaf[T]{}).top()
	}
	if x.loose > 0 {
		x.top = x.tops[0]
		for i := 1; i < len(x.tops); i++ {
			x.top.raise(&x.tops[i])
		}
		x.loose = 0
	}
	return x.top
}

// roughBound covers every entry; it is made exact only after so many removals
// that this costs next to nothing for each. The index is not empty.
func (x *index[T]) roughBound() vec {
	if x.loose > len(x.tops) {
		return x.bound()
	}
	return x.top
}
