package schedule

import (
	"cmp"
	"math/rand/v2"
	"slices"
	"testing"
)

type indexed struct {
	r rank
	v vec
}

// TestIndex holds an index of many leaves against a sorted slice.
func TestIndex(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	var x index[int]
	var want []indexed
	draw := func() (v vec) {
		for i := range v {
			v[i] = rnd.Int64N(6)
		}
		return v
	}
	for i := range 20_000 {
		grow := i/4000%2 == 0
		if len(want) == 0 || rnd.IntN(10) < 3 || grow && rnd.IntN(10) < 7 {
			e := indexed{rank{place: rnd.Uint64N(1 << 40), seq: uint64(i)}, draw()}
			if rnd.IntN(3) == 0 { // in order
				e.r.place += 1 << 41 * uint64(i)
			}
			x.insert(e.r, e.v, i)
			pos, _ := slices.BinarySearchFunc(want, e.r, compare)
			want = slices.Insert(want, pos, e)
		} else {
			pos := rnd.IntN(len(want))
			if !x.remove(want[pos].r) || x.remove(want[pos].r) {
				t.Fatalf("step %d: an entry was not there exactly once", i)
			}
			want = slices.Delete(want, pos, pos+1)
		}
		if i%50 == 0 {
			checkIndex(t, &x, want, draw(), rank{place: rnd.Uint64N(1 << 40)})
		}
	}
}

func compare(e indexed, r rank) int {
	switch {
	case e.r.less(r):
		return -1
	case r.less(e.r):
		return 1
	}
	return 0
}

func checkIndex(t *testing.T, x *index[int], want []indexed, q vec, from rank) {
	t.Helper()
	x.check(t)
	wanted := func(ref int) bool { return ref%3 > 0 }
	r, _, found := x.first(from, &q, wanted)
	pos := slices.IndexFunc(want, func(e indexed) bool { return !e.r.less(from) && e.v.covers(&q) && wanted(int(e.r.seq)) })
	if found != (pos >= 0) || found && r != want[pos].r {
		t.Fatalf("first from %v is %v %v, want entry %d", from, r, found, pos)
	}
	if len(want) == 0 {
		return
	}
	if x.head() != want[0].r {
		t.Fatalf("head is %v, want %v", x.head(), want[0].r)
	}
	top := want[0].v
	for _, e := range want {
		top.raise(&e.v)
	}
	if rough := x.roughBound(); !rough.covers(&top) {
		t.Fatalf("%v does not cover %v", rough, top)
	}
	if x.bound() != top {
		t.Fatalf("bound is %v, want %v", x.bound(), top)
	}
}

// TestAgenda holds the heap against sorting.
func TestAgenda(t *testing.T) {
	rnd := rand.New(rand.NewPCG(3, 4))
	var a agenda
	var want []rank
	for range 5000 {
		if len(a) == 0 || rnd.IntN(5) < 3 {
			r := rank{queue: rnd.Uint64N(3), place: rnd.Uint64N(1000)}
			a.push(task{at: r})
			want = append(want, r)
			continue
		}
		slices.SortFunc(want, func(a, b rank) int { return cmp.Or(cmp.Compare(a.queue, b.queue), cmp.Compare(a.place, b.place)) })
		if next, got := a.next(), a.pop().at; got != want[0] || next != got {
			t.Fatalf("popped %v, want %v", got, want[0])
		}
		want = want[1:]
	}
	if a = nil; a.next() != lastRank {
		t.Error("an empty agenda has something next")
	}
}
