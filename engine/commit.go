package engine

import (
	"sync"

	"github.com/muster-queue/muster/job"
	"github.com/muster-queue/muster/queue"
	"github.com/muster-queue/muster/store"
)

// entry is one turn on its way out: its commit, and what may leave once that
// and every earlier one is durable.
type entry struct {
	commit  store.Commit // nil when the turn changed nothing
	done    []func(error)
	leaving []func() // pushes to sessions
	events  []queue.Event
	counts  job.Counts
}

// committer lets turns out in their order, each after its commit is durable.
// Once a commit failed, that and every later entry fails: their outcome is
// unknown, and the writer starts anew from what is stored.
type committer struct {
	entries chan entry
	failed  chan error // receives once
	events  *eventLog
	wg      sync.WaitGroup
}

func newCommitter(inflight int, events *eventLog) *committer {
	c := &committer{
		entries: make(chan entry, inflight),
		failed:  make(chan error, 1),
		events:  events,
	}
	c.wg.Go(c.run)
	return c
}

// send hands a turn over; it blocks while too many are under way.
func (c *committer) send(e entry) { c.entries <- e }

// close waits until everything sent has left.
func (c *committer) close() {
	close(c.entries)
	c.wg.Wait()
}

func (c *committer) run() {
	var broken error
	for e := range c.entries {
		if e.commit != nil {
			if err := e.commit.Wait(); err != nil && broken == nil {
				broken = err
				c.failed <- err
			}
		}
		c.release(&e, broken)
	}
}

func (c *committer) release(e *entry, broken error) {
	if broken != nil {
		for _, done := range e.done {
			done(job.ErrUnknownOutcome)
		}
		return
	}
	for _, done := range e.done {
		done(nil)
	}
	for _, push := range e.leaving {
		push()
	}
	c.events.publish(e.events, e.counts)
}
