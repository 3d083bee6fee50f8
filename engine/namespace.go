package engine

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/muster-queue/muster/job"
	"github.com/muster-queue/muster/store"
)

// Namespace is a running namespace. Its methods may be called by anyone at any
// time; what they do takes place on its one writer, in the order of arrival.
type Namespace struct {
	name   string
	engine *Engine
	cfg    Config
	store  store.Namespace
	inbox  *inbox
	bodies *payloads

	log atomic.Pointer[eventLog]
	// loads counts how often the namespace was loaded.
	loads   atomic.Uint64
	depends atomic.Bool  // jobs of it wait for others
	users   atomic.Int64 // callers, sessions and watchers at present
	retired atomic.Bool
	lastUse atomic.Int64 // monotonic nanoseconds of the engine's clock

	tails tails
	// courier has the deliveries of notices made.
	courier *courier
	// follows says which queue another one feeds (Then), by name: guesses for what
	// is made ready off the writer.
	follows sync.Map
	// background is work that goes on beside the writer, through its inbox; it
	// ends soon when that is closed.
	background sync.WaitGroup

	stopOnce sync.Once
	stopped  chan struct{} // closed when the writer has ended
}

// Name is the namespace's name.
func (n *Namespace) Name() string { return n.name }

// touch marks the namespace as used; false means that it was just retired.
func (n *Namespace) touch() bool {
	n.lastUse.Store(int64(n.cfg.Clock.Mono()))
	return !n.retired.Load()
}

// retire marks an unused namespace as about to be unloaded.
func (n *Namespace) retire(idle time.Duration) bool {
	unused := n.cfg.Clock.Mono() - time.Duration(n.lastUse.Load())
	if n.users.Load() > 0 || unused < idle {
		return false
	}
	busy, err := call(context.Background(), n, urgent, func(w *writer) (bool, error) { return w.busy(), nil })
	return err == nil && !busy && n.retired.CompareAndSwap(false, true)
}

// events is the log of the present incarnation.
func (n *Namespace) events() *eventLog { return n.log.Load() }

// post puts an urgent command into the inbox and does not wait for it.
func (n *Namespace) post(ctx context.Context, do func(*writer)) error {
	return n.inbox.put(ctx, urgent, op{do: do, done: func(error) {}}, true)
}

// call runs do on the writer and waits until what it did is durable.
func call[T any](ctx context.Context, n *Namespace, l lane, do func(*writer) (T, error)) (T, error) {
	return callSized(ctx, n, l, 0, true, do)
}

func callSized[T any](ctx context.Context, n *Namespace, l lane, bytes int64, wait bool, do func(*writer) (T, error)) (T, error) {
	var (
		result T
		failed error
		zero   T
	)
	done := make(chan error, 1)
	o := op{
		bytes: bytes,
		do:    func(w *writer) { result, failed = do(w) },
		done:  func(err error) { done <- err },
	}
	n.users.Add(1)
	defer n.users.Add(-1)
	n.touch()
	if err := n.inbox.put(ctx, l, o, wait); err != nil {
		return zero, err
	}
	select {
	case err := <-done:
		if err != nil {
			return zero, err
		}
		return result, failed
	case <-ctx.Done():
		return zero, job.Errorf(job.Timeout, "the request was given up while it was being done; its outcome is unknown: %w", context.Cause(ctx))
	}
}

// stop ends the writer; hold, if set, is when leases end at the earliest.
func (n *Namespace) stop(hold time.Time) {
	n.stopOnce.Do(func() {
		if !hold.IsZero() {
			_, err := call(context.Background(), n, urgent, func(w *writer) (struct{}, error) {
				w.hold(hold)
				return struct{}{}, nil
			})
			if err != nil {
				n.cfg.Logger.Warn("leases could not be extended before the stop", "namespace", n.name, "err", err)
			}
		}
		for _, o := range n.inbox.close(job.ErrClosed) {
			o.done(job.ErrClosed)
		}
		n.inbox.signal()
	})
	<-n.stopped
}

// heard gives the time from the load to now back to all leases: until now nobody
// could reach the server.
func (n *Namespace) heard() {
	_ = n.post(context.Background(), func(w *writer) {
		w.shift(w.state.Now().Sub(w.loaded))
		w.loaded = w.state.Now()
	})
}
