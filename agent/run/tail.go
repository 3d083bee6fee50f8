package run

import (
	"context"

	"github.com/muster-queue/muster/job"
)

// Tail reads the output of a running attempt as it comes. It never slows the
// command: who reads too slowly misses what has left the window (64 KiB), unless
// the full output is being spooled.
type Tail struct {
	s      *stream
	offset int64
}

// Tail begins to read an attempt's standard output, or error, from the byte at
// offset; a negative offset counts from the end.
func (r *Runner) Tail(id job.AttemptID, stderr bool, offset int64) (*Tail, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	x := r.running[id]
	if x == nil || x.main == nil {
		return nil, job.Errorf(job.NotFound, "attempt %v is not running on this agent", id)
	}
	s := x.out
	if stderr {
		s = x.err
	}
	if offset < 0 {
		s.mu.Lock()
		offset = max(0, s.total+offset)
		s.mu.Unlock()
	}
	return &Tail{s: s, offset: offset}, nil
}

// Next returns the next bytes and the offset of the first; an offset larger than
// expected means that bytes were missed. It waits for some; after the end it
// returns io.EOF.
func (t *Tail) Next(ctx context.Context) (p []byte, offset int64, err error) {
	for {
		p, at, wait, err := t.s.from(t.offset)
		if err != nil || len(p) > 0 {
			t.offset = at + int64(len(p))
			return p, at, err
		}
		select {
		case <-ctx.Done():
			return nil, t.offset, context.Cause(ctx)
		case <-wait:
		}
	}
}
