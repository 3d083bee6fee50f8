package learn

import (
	"math"

	"github.com/DataDog/sketches-go/ddsketch"
	"github.com/DataDog/sketches-go/ddsketch/mapping"
	"github.com/DataDog/sketches-go/ddsketch/store"

	"github.com/muster-queue/muster/job"
)

// sketch is the distribution of an amount over runs, of fixed size: bins that
// grow by 2 %, 256 of them. What is less than a 160th of the largest is not told
// apart, and passes for more than it is. The newest run weighs one, each older one
// a little less than the next.
type sketch struct {
	bins *ddsketch.DDSketch // nil before the first run
	runs uint64             // how many were added
	max  int64              // the largest amount that was added
	// scale is what the next run is added with: to let it grow is to let all others
	// shrink.
	scale float64
}

const (
	maxBins  = 256
	accuracy = 0.01
	// rescaled is the scale at which all weights are divided by it.
	rescaled = 1 << 20
)

var bins = func() mapping.IndexMapping {
	m, err := mapping.NewLogarithmicMapping(accuracy)
	if err != nil {
		panic(err) // the accuracy is between 0 and 1
	}
	return m
}()

func newBins() *ddsketch.DDSketch {
	return ddsketch.NewDDSketch(bins, store.NewCollapsingLowestDenseStore(maxBins), store.NewSparseStore())
}

// add adds a run. After halfLife more it weighs half.
func (s *sketch) add(n int64, halfLife int) {
	if s.bins == nil {
		s.bins, s.scale = newBins(), 1
	}
	n = min(max(n, 0), job.MaxAmount)
	_ = s.bins.AddWithCount(float64(n), s.scale) // only what is negative or not a number is refused
	s.runs++
	s.max = max(s.max, n)
	s.scale *= math.Exp2(1 / float64(halfLife))
	if s.scale > rescaled {
		s.rescale()
	}
}

// rescale makes the next run weigh one.
func (s *sketch) rescale() {
	if s.bins != nil && s.scale != 1 {
		_ = s.bins.Reweight(1 / s.scale) // it is positive
		s.scale = 1
	}
}

// quantile is an amount that at least the part q of all runs, by weight, did not
// exceed; it is at most 2 % more than the least such amount, and never above the
// largest there was.
func (s *sketch) quantile(q float64) int64 {
	if s.bins == nil {
		return 0
	}
	// A rounding error must not ask for one run more.
	rank := s.bins.GetCount()*q*(1-1e-9) - s.bins.GetZeroCount()
	if rank <= 0 {
		return 0
	}
	bin := s.bins.GetPositiveValueStore().KeyAtRank(math.Nextafter(rank, 0))
	return min(s.max, int64(min(bins.LowerBound(bin+1), math.MaxInt64/2)))
}
