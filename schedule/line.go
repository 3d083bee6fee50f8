package schedule

import (
	"bytes"
	"math/bits"

	"github.com/muster-queue/muster/internal/sorted"
)

// line is the ready jobs of a shape in their order: by priority, then by place
// or, in a queue that is ordered by key, by the keys that places stand for.
type line struct {
	list  sorted.List[Item]
	key   func(place uint64) []byte // nil: places are the order
	order sorted.Order[Item]
}

// newLine is an empty line.
func newLine(key func(place uint64) []byte) *line {
	l := new(line)
	l.orderBy(key)
	return l
}

// orderBy says how the line is ordered; it is empty, or was ordered so before.
func (l *line) orderBy(key func(place uint64) []byte) {
	l.key = key
	l.order = sorted.Order[Item]{Before: l.before}
	if key != nil {
		l.order.Common, l.order.Part = l.common, l.part
	}
}

// before reports whether a comes before b.
func (l *line) before(a, b *Item) bool {
	switch {
	case a.Priority != b.Priority:
		return a.Priority > b.Priority
	case l.key != nil && a.Place != b.Place:
		if c := bytes.Compare(l.key(a.Place), l.key(b.Place)); c != 0 {
			return c < 0
		}
	case a.Place != b.Place:
		return a.Place < b.Place
	}
	return a.Seq < b.Seq
}

// An item's text is the eight bytes of its priority's rank, and its key.

// common is how many bytes the texts begin with in common.
func (l *line) common(a, b *Item) int {
	if x := priorityRank(a.Priority) ^ priorityRank(b.Priority); x != 0 {
		return bits.LeadingZeros64(x) / 8
	}
	return 8 + sorted.Common(l.key(a.Place), l.key(b.Place))
}

// part is eight bytes of the text.
func (l *line) part(it *Item, from int) uint64 {
	if from >= 8 {
		return sorted.Part(l.key(it.Place), from-8)
	}
	part := priorityRank(it.Priority) << (8 * from)
	if from > 0 {
		part |= sorted.Part(l.key(it.Place), 0) >> (8 * (8 - from))
	}
	return part
}

// rank is the item's rank in its lane.
func (l *line) rank(it *Item) rank {
	r := rank{priority: priorityRank(it.Priority), place: it.Place, seq: uint64(it.Seq)}
	if l.key != nil {
		r.place, r.key = 0, string(l.key(it.Place))
	}
	return r
}

// len is how many jobs there are.
func (l *line) len() int { return l.list.Len() }

// clear takes all out.
func (l *line) clear() { l.list = sorted.List[Item]{} }

// push adds an item; one that is already there is left alone.
func (l *line) push(it Item) bool { return l.list.Push(it, &l.order) }

// has reports whether the item is there.
func (l *line) has(it *Item) bool {
	_, found := l.list.Find(it, &l.order)
	return found
}

// remove takes the item out that has the place, priority and number of it; false
// if it is not there.
func (l *line) remove(it *Item) (was Item, found bool) { return l.list.Remove(it, &l.order) }

// front is the first item; the line is not empty.
func (l *line) front() *Item { return l.list.Front() }

// pop takes the first item out; the line is not empty.
func (l *line) pop() Item { return l.list.Pop() }

// ahead counts the items before it.
func (l *line) ahead(it *Item) int { return l.list.Ahead(it, &l.order) }

// aheadOf counts the items before a rank, which may be that of a job of another
// line.
func (l *line) aheadOf(r rank) int {
	return l.list.Lead(func(it *Item) bool { return l.rank(it).less(r) })
}

// each visits the items behind it (all if nil) in order until visit says no.
func (l *line) each(it *Item, visit func(*Item) bool) { l.list.Each(it, &l.order, visit) }
