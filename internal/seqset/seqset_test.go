package seqset

import "testing"

func TestSet(t *testing.T) {
	var s Set
	if s.Has(0) || s.Has(64) {
		t.Fatal("a new set has something")
	}
	for _, n := range []uint64{0, 63, 64, 1 << 63, 1<<64 - 1} {
		if !s.Add(n) || s.Add(n) || !s.Has(n) {
			t.Fatalf("%d is not there after it was added once", n)
		}
	}
	if s.Has(1) || s.Has(65) || s.Has(1<<63+1) {
		t.Fatal("neighbours are there")
	}
}
