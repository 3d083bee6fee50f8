package server

import (
	"maps"
	"sync"
	"time"

	"github.com/muster-queue/muster/job"
)

// rates bounds the requests a second of each token: a bucket that fills
// steadily and holds a second's worth.
type rates struct {
	perSecond float64 // not positive: no bound

	mu      sync.Mutex
	buckets map[string]*bucket
	// sweep is at how many buckets those are dropped that are full again.
	sweep int
}

// minSweep is the number of buckets from which on they are looked through.
const minSweep = 1024

type bucket struct {
	level float64
	at    time.Time
}

func newRates(perSecond float64) *rates {
	return &rates{perSecond: perSecond, buckets: map[string]*bucket{}, sweep: minSweep}
}

// take lets one request of a token through, or refuses it with Exhausted and
// when to try again. Tokens lent to jobs come and go, so a bucket that is full, which
// is as good as none, is dropped some time.
func (r *rates) take(id string) error {
	if r.perSecond <= 0 {
		return nil
	}
	now := time.Now()
	r.mu.Lock()
	defer r.mu.Unlock()
	b := r.buckets[id]
	if b == nil {
		r.drop(now)
		b = &bucket{level: r.perSecond, at: now}
		r.buckets[id] = b
	}
	b.level = min(r.perSecond, b.level+now.Sub(b.at).Seconds()*r.perSecond)
	b.at = now
	if b.level < 1 {
		wait := time.Duration((1 - b.level) / r.perSecond * float64(time.Second))
		return &job.Error{Kind: job.Exhausted, RetryAfter: wait,
			Err: job.Errorf(job.Exhausted, "more than %.0f requests a second with one token; try again in %v", r.perSecond, wait)}
	}
	b.level--
	return nil
}

// drop drops the buckets that are full again, each time their number has doubled.
func (r *rates) drop(now time.Time) {
	if len(r.buckets) < r.sweep {
		return
	}
	maps.DeleteFunc(r.buckets, func(_ string, b *bucket) bool { return now.Sub(b.at) >= time.Second })
	r.sweep = max(minSweep, 2*len(r.buckets))
}

// forget drops the bucket of a token that is no more.
func (r *rates) forget(id string) {
	r.mu.Lock()
	delete(r.buckets, id)
	r.mu.Unlock()
}
