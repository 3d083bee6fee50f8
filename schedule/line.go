package schedule

import "slices"

// chunkSize is how many items a chunk of a line holds at most: 16 KiB, the most
// that is ever moved by one change.
const chunkSize = 512

// line is the ready jobs of a shape in their order: sorted chunks, so that it
// never moves more than one chunk, holds exactly what was not removed, and has
// no pointers for the collector to follow beyond one for each chunk.
type line struct {
	chunks [][]Item // none empty
	n      int
}

// push adds an item; one that is already there is left alone.
func (l *line) push(it Item) bool {
	last := len(l.chunks) - 1
	if last < 0 {
		l.chunks = append(l.chunks, []Item{it})
		l.n++
		return true
	}
	if c := l.chunks[last]; c[len(c)-1].before(&it) { // in order: the usual case
		if len(c) < chunkSize {
			l.chunks[last] = append(c, it)
		} else {
			l.chunks = append(l.chunks, append(make([]Item, 0, chunkSize), it))
		}
		l.n++
		return true
	}
	return l.insert(it)
}

func (l *line) insert(it Item) bool {
	i, j, found := l.find(&it)
	if found {
		return false
	}
	c := l.chunks[i]
	if len(c) >= chunkSize {
		half := len(c) / 2
		upper := append(make([]Item, 0, chunkSize), c[half:]...)
		l.chunks[i] = c[:half:half]
		l.chunks = slices.Insert(l.chunks, i+1, upper)
		if j > half {
			i, j = i+1, j-half
		}
		c = l.chunks[i]
	}
	l.chunks[i] = slices.Insert(c, j, it)
	l.n++
	return true
}

// find gives the chunk and the position in it where it is or belongs. The line
// is not empty.
func (l *line) find(it *Item) (chunk, pos int, found bool) {
	// The last chunk that does not begin behind it.
	lo, hi := 0, len(l.chunks)
	for lo < hi {
		mid := (lo + hi) / 2
		if it.before(&l.chunks[mid][0]) {
			hi = mid
		} else {
			lo = mid + 1
		}
	}
	chunk = max(lo-1, 0)
	c := l.chunks[chunk]
	lo, hi = 0, len(c)
	for lo < hi {
		mid := (lo + hi) / 2
		if c[mid].before(it) {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	return chunk, lo, lo < len(c) && c[lo].Seq == it.Seq && !it.before(&c[lo])
}

// remove takes the item out that has the place, priority and number of it; false
// if it is not there.
func (l *line) remove(it *Item) (was Item, found bool) {
	if l.n == 0 {
		return was, false
	}
	i, j, found := l.find(it)
	if !found {
		return was, false
	}
	l.n--
	c := l.chunks[i]
	was = c[j]
	switch {
	case len(c) == 1:
		l.drop(i)
	case j == 0:
		l.chunks[i] = c[1:]
	default:
		l.chunks[i] = slices.Delete(c, j, j+1)
		l.merge(i)
	}
	return was, true
}

func (l *line) drop(i int) {
	if i == 0 {
		l.chunks[0] = nil
		l.chunks = l.chunks[1:]
		return
	}
	l.chunks = slices.Delete(l.chunks, i, i+1)
}

// merge joins a chunk that became small with the next one, if they leave room.
func (l *line) merge(i int) {
	c := l.chunks[i]
	if len(c) > chunkSize/4 || i+1 >= len(l.chunks) || len(l.chunks[i+1]) > chunkSize/2 {
		return
	}
	l.chunks[i] = append(c, l.chunks[i+1]...)
	l.drop(i + 1)
}

// front is the first item; the line is not empty.
func (l *line) front() *Item { return &l.chunks[0][0] }

// pop takes the first item out; the line is not empty.
func (l *line) pop() Item {
	c := l.chunks[0]
	it := c[0]
	if len(c) == 1 {
		l.drop(0)
	} else {
		l.chunks[0] = c[1:]
	}
	l.n--
	return it
}

// ahead counts the items before it.
func (l *line) ahead(it *Item) int {
	if l.n == 0 {
		return 0
	}
	i, j, _ := l.find(it)
	for _, c := range l.chunks[:i] {
		j += len(c)
	}
	return j
}

// each visits the items behind it (all if nil) in order until visit says no.
func (l *line) each(it *Item, visit func(*Item) bool) {
	i, j := 0, 0
	if it != nil && l.n > 0 {
		var found bool
		if i, j, found = l.find(it); found {
			j++
		}
	}
	for ; i < len(l.chunks); i, j = i+1, 0 {
		for ; j < len(l.chunks[i]); j++ {
			if !visit(&l.chunks[i][j]) {
				return
			}
		}
	}
}
