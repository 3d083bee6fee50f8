package engine

import (
	"cmp"
	"container/heap"
	"context"
	"strings"
	"sync"
	"time"

	"github.com/muster-queue/muster/job"
)

// courier has the deliveries of a namespace made, beside its writer. Each notice has
// a round of its own, so that a slow receiver holds up nobody else. What it knows are
// places and times; what is delivered stays in the store until it has arrived.
type courier struct {
	ns     *Namespace
	ctx    context.Context
	cancel context.CancelFunc
	wake   chan struct{}

	mu      sync.Mutex
	rounds  map[string]*round
	running bool
	tally   Deliveries
}

// Deliveries counts what became of deliveries since the namespace was loaded.
type Deliveries struct {
	// Sent arrived; Failed are tries that failed; Dead were given up.
	Sent, Failed, Dead int64
	// Pending are to be made.
	Pending int64
}

// round are the deliveries of a notice.
type round struct {
	waiting wait
	known   map[string]bool
	busy    int
	held    bool
}

// maxBusy is how many deliveries of one notice are on their way at a time.
const maxBusy = 4

// stop is one place of a round, and when it is due by the monotonic clock.
type stop struct {
	key string
	due time.Duration
}

// wait is a heap, the first that is due first.
type wait []stop

// Len, Less, Swap, Push and Pop are for package heap.
func (w wait) Len() int { return len(w) }
func (w wait) Less(i, j int) bool {
	return cmp.Or(cmp.Compare(w[i].due, w[j].due), strings.Compare(w[i].key, w[j].key)) < 0
}
func (w wait) Swap(i, j int) { w[i], w[j] = w[j], w[i] }

// Push adds at the end.
func (w *wait) Push(x any) { *w = append(*w, x.(stop)) }

// Pop takes the last away.
func (w *wait) Pop() any {
	s := (*w)[len(*w)-1]
	*w = (*w)[:len(*w)-1]
	return s
}

func newCourier(n *Namespace) *courier {
	c := &courier{ns: n, wake: make(chan struct{}, 1), rounds: map[string]*round{}}
	c.ctx, c.cancel = context.WithCancel(context.Background())
	return c
}

// load finds what is to be delivered in the store.
func (c *courier) load() error {
	return c.ns.store.Documents(roomOut, "", func(key string, _ []byte) bool {
		name, _, _ := strings.Cut(key, "/")
		c.offer(name, key, 0)
		return true
	})
}

// offer gives the courier a delivery to be made after a time; one that it has already
// is left alone.
func (c *courier) offer(name, key string, in time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	r := c.rounds[name]
	if r == nil {
		r = &round{known: map[string]bool{}}
		c.rounds[name] = r
	}
	if r.known[key] || c.ctx.Err() != nil {
		return
	}
	r.known[key] = true
	heap.Push(&r.waiting, stop{key, c.ns.cfg.Clock.Mono() + in})
	if !c.running {
		c.running = true
		c.ns.background.Go(c.run)
	}
	c.signal()
}

func (c *courier) signal() {
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

// forget takes a delivery back that is not on its way.
func (c *courier) forget(name, key string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if r := c.rounds[name]; r != nil {
		for i := range r.waiting {
			if r.waiting[i].key == key {
				heap.Remove(&r.waiting, i)
				delete(r.known, key)
				break
			}
		}
	}
}

// hold lets the deliveries of a notice wait, until resume.
func (c *courier) hold(name string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if r := c.rounds[name]; r != nil {
		r.held = true
	}
}

func (c *courier) resume(name string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if r := c.rounds[name]; r != nil {
		r.held = false
	}
	c.signal()
}

// pending is how many deliveries of a notice are to be made.
func (c *courier) pending(name string) int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	if r := c.rounds[name]; r != nil {
		return int64(len(r.known))
	}
	return 0
}

// counts are the sums of all notices.
func (c *courier) counts() Deliveries {
	c.mu.Lock()
	defer c.mu.Unlock()
	t := c.tally
	for _, r := range c.rounds {
		t.Pending += int64(len(r.known))
	}
	return t
}

// idle reports whether nothing is to be delivered that is not held.
func (c *courier) idle() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, r := range c.rounds {
		if len(r.known) > 0 && !r.held {
			return false
		}
	}
	return true
}

// run starts deliveries when they are due, until the namespace is stopped.
func (c *courier) run() {
	var under sync.WaitGroup
	defer under.Wait()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		next, any := c.start(&under)
		if any {
			timer.Reset(next)
		} else {
			timer.Stop()
		}
		select {
		case <-c.wake:
		case <-timer.C:
		case <-c.ctx.Done():
			return
		}
	}
}

// start starts what is due, and tells in how long the next one is.
func (c *courier) start(under *sync.WaitGroup) (next time.Duration, any bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.ns.cfg.Clock.Mono()
	for name, r := range c.rounds {
		for !r.held && r.busy < maxBusy && len(r.waiting) > 0 && r.waiting[0].due <= now {
			s := heap.Pop(&r.waiting).(stop)
			r.busy++
			under.Go(func() { c.made(name, s.key, c.ns.deliver(c.ctx, name, s.key)) })
		}
		switch {
		case len(r.known) == 0:
			delete(c.rounds, name)
		case !r.held && r.busy < maxBusy && len(r.waiting) > 0:
			if in := r.waiting[0].due - now; !any || in < next {
				next, any = in, true
			}
		}
	}
	return next, any
}

// made notes what came of a delivery.
func (c *courier) made(name, key string, o outcome) {
	c.mu.Lock()
	r := c.rounds[name]
	r.busy--
	delete(r.known, key)
	c.tally.Sent += o.sent
	c.tally.Failed += o.failed
	c.tally.Dead += o.dead
	c.mu.Unlock()
	if o.hold {
		c.hold(name)
	}
	if !o.over {
		c.offer(name, key, o.again)
	}
	c.signal()
}

// outcome is what came of a try.
type outcome struct {
	// over: it is not tried again; else it is after again.
	over  bool
	again time.Duration
	hold  bool
	// What to count.
	sent, failed, dead int64
}

// storeAgain is after how long a delivery is tried again that the store, or the
// writer, was in the way of.
const storeAgain = 5 * time.Second

// troubled is the outcome of a try that muster itself was in the way of.
func (c *courier) troubled(key string, err error) outcome {
	if c.ctx.Err() == nil && !job.IsKind(err, job.Unavailable) {
		c.ns.cfg.Logger.Warn("a delivery is tried again", "namespace", c.ns.name, "delivery", key, "err", err)
	}
	return outcome{again: storeAgain}
}
