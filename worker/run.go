package worker

import (
	"context"
	"sync"
	"time"

	"github.com/muster-queue/muster/client"
	"github.com/muster-queue/muster/job"
)

// do runs a function over its batch and reports the ends.
func (w *Worker) do(work context.Context, f BatchFunc, batch []*Attempt) {
	ctx, stop := context.WithCancelCause(work)
	defer stop(nil)
	left := &countdown{n: len(batch), over: stop}
	for _, a := range batch {
		defer a.start(work, left)()
	}
	err := protect(ctx, f, batch)
	for _, a := range batch {
		a.end(err)
	}
}

// start reports that the attempt runs and keeps its lease, until what it gives back
// is called.
func (a *Attempt) start(work context.Context, left *countdown) (release func()) {
	ctx, cancel := context.WithCancelCause(work)
	timeUp := func() {}
	if a.job.Time > 0 {
		ctx, timeUp = context.WithTimeout(ctx, a.job.Time)
	}
	a.ctx, a.cancel, a.left = ctx, cancel, left
	a.unwatch = context.AfterFunc(ctx, func() { left.done(context.Cause(ctx)) })
	a.w.reports.add(item{report: client.Start(a.grant), answered: func(sent time.Time, refusal error, stopping job.Mark) {
		_ = a.heed(sent, refusal, stopping) // the context says it
	}})
	go a.keep()
	return func() {
		timeUp()
		cancel(nil)
	}
}

// countdown ends the context of a batch when all its attempts are over, and one of
// them by the end of its context.
type countdown struct {
	over context.CancelCauseFunc

	mu    sync.Mutex
	n     int
	cause error
}

// end counts an attempt that the function has ended.
func (c *countdown) end(a *Attempt) {
	if a.unwatch() {
		c.done(nil)
	}
}

func (c *countdown) done(cause error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.n--
	if c.cause == nil {
		c.cause = cause
	}
	if c.n == 0 && c.cause != nil {
		c.over(c.cause)
	}
}
