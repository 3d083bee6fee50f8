// Package lock is a namespace's tree of named locks: who holds which path, until
// when. A lock covers what is below it, so neither a path above nor one below a
// held path can be locked. It is pure: the time is an argument, and what has to
// be stored is taken from it after each turn. Package engine calls it.
package lock

import (
	"cmp"
	"strings"
	"time"

	"github.com/RaduBerinde/btreemap"

	"github.com/muster-queue/muster/job"
)

// Bounds.
const (
	// MaxLocks is how many locks a namespace may hold.
	MaxLocks = 100_000
	// MaxPaths is how many paths one request may name.
	MaxPaths = job.MaxList
	// MaxOwner is the length of an owner's name in bytes.
	MaxOwner = 1 << 10
)

// Lengths of a lease.
const (
	// DefaultLease is what zero means.
	DefaultLease = time.Minute
	// MaxLease is what a longer one is cut down to.
	MaxLease = 1_000_000 * time.Second
)

// Held is a lock that somebody holds.
type Held struct {
	Path  Path
	Owner string
	// Since is when it was locked; it is held up to Until, that moment included.
	Since, Until job.Time
	// Lease is the length of the last lease.
	Lease time.Duration
}

// Tree has the locks of a namespace. To its methods a lock whose time lies strictly
// before now is none; most release it first.
type Tree struct {
	max     int
	held    *btreemap.BTreeMap[Path, *Held]
	due     *btreemap.BTreeMap[deadline, struct{}]
	changed map[Path]bool // since the last Take
}

// deadline orders locks by the time at which they end.
type deadline struct {
	at   job.Time
	path Path
}

func (d deadline) compare(o deadline) int {
	return cmp.Or(cmp.Compare(d.at, o.at), cmp.Compare(d.path, o.path))
}

const degree = 32

// New makes a tree that nobody holds a lock of, for at most max (0: MaxLocks).
func New(max int) *Tree {
	return &Tree{
		max:     cmp.Or(max, MaxLocks),
		held:    btreemap.New[Path, *Held](degree, cmp.Compare[Path]),
		due:     btreemap.New[deadline, struct{}](degree, deadline.compare),
		changed: map[Path]bool{},
	}
}

// Len is how many locks are held.
func (t *Tree) Len() int { return t.held.Len() }

// Next is the time after which the next lock ends.
func (t *Tree) Next() (at job.Time, ok bool) {
	d, _, ok := t.due.Min()
	return d.at, ok
}

// Expire releases locks whose time lies before now, at most limit; more tells that
// some are left.
func (t *Tree) Expire(now job.Time, limit int) (more bool) {
	for ; ; limit-- {
		d, _, ok := t.due.Min()
		if !ok || d.at >= now {
			return false
		}
		if limit == 0 {
			return true
		}
		t.release(d.path)
	}
}

// expire releases all of them; where Expire was called before, there are none.
func (t *Tree) expire(now job.Time) { t.Expire(now, -1) }

// Shift gives every lock d more time: nobody could renew it for that long.
func (t *Tree) Shift(d time.Duration) {
	if d <= 0 {
		return
	}
	t.due.Clear(true)
	for _, h := range t.held.Ascend(btreemap.Min[Path](), btreemap.Max[Path]()) {
		h.Until = h.Until.Add(d)
		t.due.ReplaceOrInsert(deadline{h.Until, h.Path}, struct{}{})
	}
}

// blocker is the lock because of which p cannot be locked: on it, above or below.
func (t *Tree) blocker(p Path) *Held {
	for q := range p.lineage() {
		if _, h, ok := t.held.Get(q); ok {
			return h
		}
	}
	for h := range t.under(p) {
		return h
	}
	return nil
}

// under visits the locks below p, not that on p itself, in the order of paths.
func (t *Tree) under(p Path) func(yield func(*Held) bool) {
	return func(yield func(*Held) bool) {
		below := p.below()
		for q, h := range t.held.Ascend(btreemap.GE(below), btreemap.Max[Path]()) {
			if q == p {
				continue // the root is below nothing
			}
			if !strings.HasPrefix(string(q), string(below)) || !yield(h) {
				return
			}
		}
	}
}

func (t *Tree) set(h *Held) {
	if h.Until < h.Since {
		t.release(h.Path) // given up as soon as taken
		return
	}
	if _, old, there := t.held.ReplaceOrInsert(h.Path, h); there {
		t.due.Delete(deadline{old.Until, h.Path})
	}
	t.due.ReplaceOrInsert(deadline{h.Until, h.Path}, struct{}{})
	t.changed[h.Path] = true
}

func (t *Tree) release(p Path) {
	if _, h, there := t.held.Delete(p); there {
		t.due.Delete(deadline{h.Until, p})
		t.changed[p] = true
	}
}

// length is the lease that is given when d is asked for.
func length(d time.Duration) time.Duration {
	return min(cmp.Or(d, DefaultLease), MaxLease)
}
