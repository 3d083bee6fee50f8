package engine

import (
	"context"
	"sync"

	"github.com/muster-queue/muster/job"
	"github.com/muster-queue/muster/queue"
)

// Cursor is a place in a namespace's stream of events: the incarnation, the
// commit in it, and the event in that.
type Cursor struct {
	Epoch  uint32
	Commit uint64
	Index  uint32
}

// WatchBatch is what a watcher gets at a time: events in order, or, when those
// it wanted are no longer kept (too old, too slow, from before a restart),
// Resync with the counters as of Next.
type WatchBatch struct {
	Events []queue.Event
	Resync bool
	Counts job.Counts
	// Next is the cursor after this batch.
	Next Cursor
}

// eventLog keeps the last events in memory, by commit. Watchers read it at
// their own pace and never slow the writer: one that falls out of it resyncs.
type eventLog struct {
	mu      sync.Mutex
	epoch   uint32
	commits []eventCommit // consecutive commit numbers
	size    int
	max     int
	next    uint64 // the number of the next commit
	more    chan struct{}
	closed  error
	watched int // watchers present
}

type eventCommit struct {
	number uint64
	events []queue.Event
	counts job.Counts // after it
}

// eventSize is what one kept event costs in memory, roughly.
const eventSize = 64

// unwatchedShare is the part of the buffer that is kept while nobody watches,
// for those who come back soon.
const unwatchedShare = 16

func newEventLog(epoch uint32, max int, counts job.Counts) *eventLog {
	l := &eventLog{epoch: epoch, max: max, next: 1, more: make(chan struct{})}
	l.commits = append(l.commits, eventCommit{number: 0, counts: counts})
	return l
}

// publish adds the events of a durable commit.
func (l *eventLog) publish(events []queue.Event, counts job.Counts) {
	if len(events) == 0 {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.commits = append(l.commits, eventCommit{number: l.next, events: events, counts: counts})
	l.next++
	l.size += len(events) * eventSize
	limit := l.max
	if l.watched == 0 {
		limit /= unwatchedShare
	}
	drop := 0
	for l.size > limit && drop < len(l.commits)-1 {
		l.size -= len(l.commits[drop].events) * eventSize
		l.commits[drop].events = nil
		drop++
	}
	l.commits = l.commits[drop:]
	close(l.more)
	l.more = make(chan struct{})
}

// close ends all watches.
func (l *eventLog) close(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed == nil {
		l.closed = err
		close(l.more)
	}
}

func (l *eventLog) enter(n int) {
	l.mu.Lock()
	l.watched += n
	l.mu.Unlock()
}

// after returns what follows the cursor, or a channel to wait on.
func (l *eventLog) after(at Cursor) (WatchBatch, <-chan struct{}, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed != nil {
		return WatchBatch{}, nil, l.closed
	}
	newest := l.commits[len(l.commits)-1]
	end := Cursor{Epoch: l.epoch, Commit: newest.number, Index: uint32(len(newest.events))}
	if at == end {
		return WatchBatch{}, l.more, nil
	}
	if at.Epoch != l.epoch || at.Commit > newest.number || at.Commit < l.commits[0].number {
		return WatchBatch{Resync: true, Counts: newest.counts, Next: end}, nil, nil
	}
	b := WatchBatch{Next: end, Counts: newest.counts}
	for _, c := range l.commits[at.Commit-l.commits[0].number:] {
		from := 0
		if c.number == at.Commit {
			from = min(int(at.Index), len(c.events))
		}
		b.Events = append(b.Events, c.events[from:]...)
	}
	if len(b.Events) == 0 {
		return WatchBatch{}, l.more, nil
	}
	return b, nil, nil
}

// Watch sends batches of events after the cursor to send until ctx ends or send
// fails. The zero cursor begins with a resync: the counters of this moment.
func (n *Namespace) Watch(ctx context.Context, from Cursor, send func(WatchBatch) error) error {
	log := n.events()
	log.enter(1)
	defer log.enter(-1)
	for {
		batch, more, err := log.after(from)
		if err != nil {
			return err
		}
		if more == nil {
			if err := send(batch); err != nil {
				return err
			}
			from = batch.Next
			continue
		}
		select {
		case <-more:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}
