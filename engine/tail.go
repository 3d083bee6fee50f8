package engine

import (
	"context"
	"sync"

	"github.com/muster-queue/muster/job"
)

// TailOrder asks an agent for the output of a running attempt.
type TailOrder struct {
	ID uint64
	Ref
	Stderr bool
	Offset int64
	Follow bool
	// Stop ends an earlier order with this ID.
	Stop bool
}

// TailChunk is a piece of output an agent sends for a TailOrder.
type TailChunk struct {
	ID     uint64
	Offset int64
	Data   []byte
	EOF    bool
	Err    string
}

// tails are the people who watch output at present. Chunks pass by the writer:
// they are no part of the state.
type tails struct {
	mu   sync.Mutex
	next uint64
	subs map[uint64]chan TailChunk
}

// tailBuffer is how many chunks may wait for a slow reader; when it is full,
// the agent's stream waits, which slows only that agent's output.
const tailBuffer = 16

func (t *tails) open() (uint64, chan TailChunk) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.next++
	if t.subs == nil {
		t.subs = map[uint64]chan TailChunk{}
	}
	ch := make(chan TailChunk, tailBuffer)
	t.subs[t.next] = ch
	return t.next, ch
}

func (t *tails) close(id uint64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.subs, id)
}

func (t *tails) get(id uint64) chan TailChunk {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.subs[id]
}

// Tail sends the output of a held attempt, as its agent has it, to send: what
// there is, and with follow what comes until the attempt ends.
func (n *Namespace) Tail(ctx context.Context, ref Ref, o TailOrder, send func(TailChunk) error) error {
	session, err := call(ctx, n, normal, func(w *writer) (*Session, error) { return w.sessionOf(ref) })
	if err != nil {
		return err
	}
	id, chunks := n.tails.open()
	defer n.tails.close(id)
	o.ID, o.Ref = id, ref
	session.push(func(out *Orders) { out.Tails = append(out.Tails, o) })
	defer session.push(func(out *Orders) { out.Tails = append(out.Tails, TailOrder{ID: id, Stop: true}) })
	for {
		select {
		case c := <-chunks:
			if c.Err != "" {
				return job.Errorf(job.NotFound, "the agent has no output of attempt %s: %s", ref.Attempt, c.Err)
			}
			if err := send(c); err != nil || c.EOF {
				return err
			}
		case <-session.gone:
			return job.Errorf(job.Unavailable, "the agent went away while its output was read; try again")
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// Chunk passes a piece of output on to whoever asked for it; without a taker it
// is dropped.
func (s *Session) Chunk(ctx context.Context, c TailChunk) {
	ch := s.ns.tails.get(c.ID)
	if ch == nil {
		return
	}
	select {
	case ch <- c:
	case <-ctx.Done():
	case <-s.gone:
	}
}
