package external

import (
	"context"
	"slices"
	"time"

	"github.com/muster-queue/muster/dispatch"
)

// pool is a pool that is used. As long as operations wait one goroutine runs it,
// which alone touches what it has in memory.
type pool struct {
	scheduler *Scheduler
	id        id

	// Of Scheduler.mu: what waits, whether it runs, and until when it did.
	waiting []*op
	runs    bool
	used    time.Time
	// filled wakes a batch that waits for more.
	filled chan struct{}

	// Of the goroutine that runs it: nil until it is loaded.
	state *state
	// nameless are the news that were left out since complained, when the log said so.
	nameless   int64
	complained time.Time
}

// phase orders the operations of a batch.
type phase uint8

// First changes of the pool itself, then news, then idle workers, which all
// are served by one pass, then what only looks.
const (
	change phase = iota
	notify
	assign
	look
	phases
)

// op is an operation on a pool.
type op struct {
	phase phase
	// alone operations are a batch of their own; those that make a pool want that
	// there is none.
	alone, makes bool
	// do does it; an error concerns this operation only. Those of phase look see
	// what is stored.
	do func(*turn) error
	// idle workers at a time, for phase assign; assigned is what they get.
	idle     []*dispatch.IdleWorker
	at       time.Time
	assigned []dispatch.Assignment

	ctx  context.Context
	done chan error
}

func (o *op) answer(err error) { o.done <- err }

func newPool(s *Scheduler, id id) *pool {
	return &pool{scheduler: s, id: id, filled: make(chan struct{}, 1)}
}

// full wakes a batch that waits for more.
func (p *pool) full() {
	select {
	case p.filled <- struct{}{}:
	default:
	}
}

// run does batches until nothing waits.
func (p *pool) run() {
	for {
		p.gather()
		batch := p.take()
		if batch == nil {
			return
		}
		p.turn(batch)
	}
}

// gather gives more requests the time to come.
func (p *pool) gather() {
	if p.scheduler.cfg.Wait <= 0 {
		return
	}
	t := time.NewTimer(p.scheduler.cfg.Wait)
	defer t.Stop()
	select {
	case <-t.C:
	case <-p.filled:
	}
}

// take takes the next batch; nil means that the pool has stopped to run.
func (p *pool) take() []*op {
	s := p.scheduler
	s.mu.Lock()
	defer s.mu.Unlock()
	n := min(len(p.waiting), s.cfg.Batch)
	if n == 0 {
		p.runs, p.used = false, time.Now()
		if p.state == nil {
			delete(s.pools, p.id) // there is no such pool, or it cannot be read
		}
		return nil
	}
	if i := slices.IndexFunc(p.waiting[:n], func(o *op) bool { return o.alone }); i >= 0 {
		n = max(i, 1)
	}
	batch := slices.Clone(p.waiting[:n])
	p.waiting = slices.Delete(p.waiting, 0, n)
	return batch
}
