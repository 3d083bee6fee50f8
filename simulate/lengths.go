package simulate

import (
	"math"
	"math/rand/v2"
	"time"

	"github.com/muster-queue/muster/job"
)

// Form is how lengths of time are spread.
type Form uint8

// The forms.
const (
	// Fixed: all are A.
	Fixed Form = iota
	// Uniform: between A and B, all alike.
	Uniform
	// Exponential: A on average.
	Exponential
	// LogNormal: half of them below A; Sigma says how far they spread.
	LogNormal
	// Listed: those of List, in turn.
	Listed
)

// Lengths says how long jobs take.
type Lengths struct {
	Form  Form
	A, B  time.Duration
	Sigma float64
	List  []time.Duration
}

// maxSigma makes one job in a thousand take a million times as long as the median.
const maxSigma = 5

func (l *Lengths) check() error {
	if err := checkTimes(map[string]time.Duration{"duration": l.A, "duration to": l.B}); err != nil {
		return err
	}
	switch {
	case l.Form == Uniform && l.B < l.A:
		return invalid("duration: from %v to %v; the second must be the longer", l.A, l.B)
	case l.Form == LogNormal && !(l.Sigma >= 0 && l.Sigma <= maxSigma):
		return invalid("duration: sigma %v; it must be 0 to %d", l.Sigma, maxSigma)
	case l.Form == Listed && len(l.List) == 0:
		return invalid("duration: the list is empty")
	case l.Form != Listed && l.A <= 0:
		return invalid("duration: say how long a job takes, e.g. 5m")
	}
	for _, d := range l.List {
		if d < 0 || d > job.MaxTime {
			return invalid("duration: %v; it must be positive and at most ten years", d)
		}
	}
	return nil
}

// of is the length of the n-th, from zero. It depends on the stream's seed and n
// only, so that a job is the same whatever else changes.
func (l *Lengths) of(n int64, seed uint64) time.Duration {
	switch l.Form {
	case Fixed:
		return l.A
	case Listed:
		return l.List[n%int64(len(l.List))]
	}
	r := rand.New(rand.NewPCG(seed, uint64(n)))
	var seconds float64
	switch l.Form {
	case Uniform:
		seconds = l.A.Seconds() + r.Float64()*(l.B-l.A).Seconds()
	case Exponential:
		seconds = l.A.Seconds() * r.ExpFloat64()
	default:
		seconds = l.A.Seconds() * math.Exp(l.Sigma*r.NormFloat64())
	}
	return toTicks(seconds)
}

// toTicks is a random length as a whole number of ticks, at least one.
func toTicks(seconds float64) time.Duration {
	ticks := math.Round(min(seconds, job.MaxTime.Seconds()) * float64(time.Second/tick))
	return max(tick, time.Duration(ticks)*tick)
}

// tick is what random times are rounded to.
const tick = time.Millisecond
