package external

import (
	"math/rand/v2"
	"slices"
	"strconv"
	"testing"
	"time"
)

// The stalest are those of a sorted list of all, in whatever order they come.
func TestStalest(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 300 {
		all := make([]heard, r.IntN(50))
		for i := range all {
			all[i] = heard{id: strconv.Itoa(r.IntN(1000)), at: noon.Add(time.Duration(r.IntN(10)) * time.Second)}
		}
		s := &stalest{most: r.IntN(20)}
		for _, h := range all {
			s.add(h)
		}
		got := s.sorted()
		slices.SortFunc(all, heard.compare)
		if want := all[:min(s.most, len(all))]; !slices.Equal(got, want) || s.more != (len(all) > len(want)) {
			t.Fatalf("%d of %v: %v, more: %v", s.most, all, got, s.more)
		}
	}
}
