package simulate

import (
	"hash/fnv"
	"math/rand/v2"
	"time"

	"github.com/muster-queue/muster/job"
)

// source makes the jobs of a stream, one after the other.
type source struct {
	*Stream
	seed uint64
	rnd  *rand.Rand
	// made is how many there were, at when the next comes, nth which arrival that is
	// and left how many come with it.
	made int64
	at   time.Duration
	nth  int
	left int
}

// newSource begins a stream; what is random in it depends on its name only, so
// that it stays the same when others change.
func newSource(s *Stream, seed uint64) *source {
	h := fnv.New64a()
	_, _ = h.Write([]byte(s.Name)) // it cannot fail
	o := &source{Stream: s, seed: h.Sum64() ^ seed}
	o.rnd = rand.New(rand.NewPCG(o.seed, 0x9e3779b97f4a7c15))
	o.left = s.Arrivals.Burst
	o.at = o.first()
	return o
}

// first is when the first job comes.
func (o *source) first() time.Duration {
	switch a := &o.Arrivals; {
	case len(o.Recorded) > 0:
		return o.Recorded[0].At
	case len(a.At) > 0:
		return a.At[0]
	case a.Rate > 0:
		return a.From + o.pause()
	default:
		return a.From
	}
}

// pause is a random one, in whole microseconds.
func (o *source) pause() time.Duration {
	seconds := min(o.rnd.ExpFloat64()/o.Arrivals.Rate, job.MaxTime.Seconds())
	return time.Duration(seconds*1e6) * time.Microsecond
}

// next is when the next job comes; false if none does.
func (o *source) next() (time.Duration, bool) {
	a := &o.Arrivals
	switch {
	case o.Recorded != nil:
		return o.at, o.made < int64(len(o.Recorded))
	case a.Count > 0 && o.made >= a.Count, a.Until > 0 && o.at > a.Until, a.At != nil && o.nth >= len(a.At):
		return 0, false
	}
	return o.at, true
}

// take is how long the next job lasts, and goes on to the one after it.
func (o *source) take() time.Duration {
	n := o.made
	o.made++
	if o.Recorded != nil {
		if o.made < int64(len(o.Recorded)) {
			o.at = o.Recorded[o.made].At
		}
		return o.Recorded[n].Lasts
	}
	if o.left--; o.left <= 0 {
		o.left = o.Arrivals.Burst
		o.advance()
	}
	return o.Lasts.of(n, o.seed)
}

// advance goes on to the next arrival.
func (o *source) advance() {
	o.nth++
	switch a := &o.Arrivals; {
	case a.Every > 0:
		o.at += a.Every
	case a.Rate > 0:
		o.at += o.pause()
	case o.nth < len(a.At):
		o.at = a.At[o.nth]
	}
}
