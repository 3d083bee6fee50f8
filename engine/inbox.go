package engine

import (
	"context"
	"sync"
	"time"

	"github.com/muster-queue/muster/job"
)

// op is one command for a writer: do is called on the writer's goroutine and
// changes the state; done is called once, when what do changed is durable, or
// with the error because of which that is unknown.
type op struct {
	do   func(*writer)
	done func(error)
	// bytes are the payloads it carries, for the inbox's bound.
	bytes int64
}

// lane orders what waits for a writer.
type lane int

// The lanes: what keeps leases alive goes before everything else and is never
// refused for load.
const (
	urgent lane = iota
	normal
	lanes
)

// inbox is what waits for a writer: two lanes in order of arrival.
type inbox struct {
	wake chan struct{} // has room for one signal

	mu      sync.Mutex
	space   chan struct{} // closed and replaced when room was made
	waiting [lanes][]op
	bytes   int64
	closed  error

	maxBytes int64
	maxOps   int
}

func newInbox(cfg Config) *inbox {
	return &inbox{
		wake:     make(chan struct{}, 1),
		space:    make(chan struct{}),
		maxBytes: cfg.InboxBytes,
		maxOps:   cfg.InboxOps,
	}
}

// retryAfter is what a refused caller is told; a writer drains a full inbox
// faster than that.
const retryAfter = 250 * time.Millisecond

// put adds a command. A full normal lane is waited for if wait is set, else
// refused with Exhausted.
func (b *inbox) put(ctx context.Context, l lane, o op, wait bool) error {
	for {
		space, err := b.try(l, o)
		if err != nil {
			return err
		}
		if space == nil {
			return nil
		}
		if !wait {
			return &job.Error{Kind: job.Exhausted, RetryAfter: retryAfter,
				Err: job.Errorf(job.Exhausted, "the server has more requests than it can take at present; try again in %v", retryAfter)}
		}
		select {
		case <-space:
		case <-ctx.Done():
			return job.Errorf(job.Timeout, "waiting for a busy server: %w", context.Cause(ctx))
		}
	}
}

// try adds the command, or returns the channel that is closed when there is room.
func (b *inbox) try(l lane, o op) (<-chan struct{}, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed != nil {
		return nil, b.closed
	}
	if l == normal && len(b.waiting[normal]) > 0 &&
		(len(b.waiting[normal]) >= b.maxOps || b.bytes+o.bytes > b.maxBytes) {
		return b.space, nil
	}
	b.waiting[l] = append(b.waiting[l], o)
	b.bytes += o.bytes
	b.signal()
	return nil, nil
}

// signal wakes the writer.
func (b *inbox) signal() {
	select {
	case b.wake <- struct{}{}:
	default:
	}
}

// take moves everything that waits into the two slices given, which it reuses.
func (b *inbox) take(into *[lanes][]op) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for l := range b.waiting {
		into[l], b.waiting[l] = b.waiting[l], into[l][:0]
	}
	b.bytes = 0
	close(b.space)
	b.space = make(chan struct{})
}

// isClosed reports whether close was called.
func (b *inbox) isClosed() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.closed != nil
}

// close refuses further commands and returns those that waited.
func (b *inbox) close(err error) []op {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed != nil {
		return nil
	}
	b.closed = err
	left := append(b.waiting[urgent], b.waiting[normal]...)
	b.waiting = [lanes][]op{}
	close(b.space)
	b.space = make(chan struct{})
	return left
}
