package queue

import (
	"math/rand/v2"
	"testing"

	"github.com/muster-queue/muster/job"
)

// TestTables compares the tables of digests and of numbers with maps.
func TestTables(t *testing.T) {
	rnd := rand.New(rand.NewPCG(3, 4))
	var recs slab[rec]
	var byDigest table
	var bySeq pages
	want := map[job.Digest]uint32{}
	var all []job.Digest
	check := func() {
		t.Helper()
		n := 0
		for i := range byDigest.shards {
			n += byDigest.shards[i].n
		}
		if recs.used != len(want) || n != len(want) {
			t.Fatalf("%d slots, %d entries, want %d", recs.used, n, len(want))
		}
		for d, slot := range want {
			if byDigest.find(&recs, &d) != slot || bySeq.find(recs.at(slot).seq) != slot {
				t.Fatalf("slot %d is not found", slot)
			}
		}
	}
	for step := range 200_000 {
		if step%10_000 == 0 {
			check()
		}
		if n := len(all); n > 0 && (rnd.IntN(100) < 40 || step > 100_000 && rnd.IntN(3) == 0) {
			i := rnd.IntN(n)
			d := all[i]
			all[i] = all[n-1]
			all = all[:n-1]
			slot := want[d]
			byDigest.remove(&d, slot)
			bySeq.remove(recs.at(slot).seq)
			recs.give(slot)
			delete(want, d)
			continue
		}
		var d job.Digest
		for i := range d {
			d[i] = byte(rnd.UintN(256))
		}
		slot := recs.take()
		r := recs.at(slot)
		if r.seq != 0 {
			t.Fatal("a slot was given out with something in it")
		}
		r.digest, r.seq = d, job.Seq(step+1)
		byDigest.put(&d, slot)
		bySeq.put(r.seq, slot)
		want[d], all = slot, append(all, d)
	}
	check()
	n := 0
	for seq := job.Seq(0); ; n++ {
		slot, at := bySeq.next(seq, 200_001, 1<<20)
		if slot == 0 {
			break
		}
		if recs.at(slot).seq != at {
			t.Fatalf("number %d leads to slot %d of number %d", at, slot, recs.at(slot).seq)
		}
		seq = at + 1
	}
	if n != len(want) {
		t.Fatalf("%d in order, want %d", n, len(want))
	}
}

// TestTimers compares the heap with sorting.
func TestTimers(t *testing.T) {
	rnd := rand.New(rand.NewPCG(5, 6))
	place := map[uint32]int32{}
	h := timers{moved: func(ref uint32, p int32) {
		if place[ref] = p; p == 0 {
			delete(place, ref)
		}
	}}
	at := map[uint32]job.Time{}
	for range 50_000 {
		ref := rnd.Uint32N(3000)
		if rnd.IntN(3) == 0 {
			h.remove(place[ref])
			delete(at, ref)
			continue
		}
		at[ref] = job.Time(rnd.IntN(1000))
		h.set(place[ref], ref, at[ref])
	}
	if len(place) != len(at) || int(h.n) != len(at) {
		t.Fatalf("%d places, %d entries, want %d", len(place), h.n, len(at))
	}
	last := job.Time(-1)
	for h.n > 0 {
		f := h.first()
		if f.at < last || at[f.ref] != f.at {
			t.Fatalf("entry %+v after %v, set to %v", f, last, at[f.ref])
		}
		last = f.at
		h.remove(place[f.ref])
	}
}
