package engine

import (
	"context"
	"sync"
	"time"

	"github.com/muster-queue/muster/job"
)

// AttachRequest opens an agent's session.
type AttachRequest struct {
	Worker job.Worker
	// Held are the attempts the agent still has: runs, or has yet to report.
	Held []Ref
	// Reports are what could not be reported before; they count before anything
	// is concluded from what the agent has or has not.
	Reports []Numbered
	// PredecessorEnded says that everything an earlier incarnation of this
	// agent started on this machine was ended, and that end verified: its other
	// attempts are over.
	PredecessorEnded bool
	// Prefetch is how many jobs beyond its free resources it wants.
	Prefetch int
	// Clock is the agent's clock reading (CLOCK_BOOTTIME, nanoseconds).
	Clock int64
	// Wake, if set, is called when there may be something for Take. It must not
	// block, nor call the session.
	Wake func()
}

// Beat is an agent's heartbeat.
type Beat struct {
	Clock    int64
	Prefetch int
	// Draining agents get no new jobs.
	Draining bool
	// Until is when its alloc ends; zero means never.
	Until time.Time
}

// Orders are what an agent is told, in order.
type Orders struct {
	Assign []Assignment
	Stop   []StopOrder
	// Withdraw asks for prefetched jobs back; the answer is a ReportReturn, or
	// nothing if they already began.
	Withdraw []Ref
	// Answers acknowledge reports, by the number the agent gave them.
	Answers []Answer
	// Renewed, if not zero, is the newest clock reading processed: all leases
	// last from that reading on.
	Renewed int64
	// Gone are attempts the agent named in Held which it must end: the server
	// no longer knows them.
	Gone []Ref
	// Tails ask for output of running attempts.
	Tails []TailOrder
	// HoldUntil is set before a planned stop: leases last until then.
	HoldUntil time.Time
	// Closed ends the session; the agent attaches again.
	Closed error
}

func (o *Orders) empty() bool {
	return len(o.Assign)+len(o.Stop)+len(o.Withdraw)+len(o.Answers)+len(o.Gone)+len(o.Tails) == 0 &&
		o.Renewed == 0 && o.HoldUntil.IsZero() && o.Closed == nil
}

// Assignment is a job for an agent.
type Assignment struct {
	Grant
	// Prefetched jobs wait at the agent for resources to become free.
	Prefetched bool
	// Since is the agent's clock reading that the lease counts from.
	Since int64

	version uint32
}

// StopOrder tells an agent to end a job's command.
type StopOrder struct {
	Ref
	Mark job.Mark
}

// Answer acknowledges one report.
type Answer struct {
	Number uint64
	ReportAnswer
}

// Numbered is a report with the agent's number for it.
type Numbered struct {
	Number uint64
	Report
}

// Session is an attached agent. Its methods may be called from any goroutine,
// Recv from one at a time.
type Session struct {
	ns     *Namespace
	worker job.WorkerID
	name   string

	// Owned by the writer.
	clock    int64 // newest reading processed
	draining bool
	prefetch int
	until    time.Time

	mu     sync.Mutex
	out    Orders
	wake   chan struct{}
	notify func()
	closed bool
	gone   chan struct{} // closed with the session
}

// Epoch is the namespace's incarnation.
func (s *Session) Epoch() uint32 { return s.ns.store.Epoch() }

// Worker is the id the agent's worker has.
func (s *Session) Worker() job.WorkerID { return s.worker }

// push adds orders; it is called once they may leave (after durability).
func (s *Session) push(add func(*Orders)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return
	}
	add(&s.out)
	s.signal()
}

func (s *Session) signal() {
	if s.notify != nil {
		s.notify()
	}
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// end closes the session with a reason that Recv gives to the agent.
func (s *Session) end(err error) {
	s.push(func(o *Orders) { o.Closed = err })
}

// Recv waits for orders and returns all there are. Descriptions of assigned
// jobs are read here, so that no writer ever waits for them.
func (s *Session) Recv(ctx context.Context) (*Orders, error) {
	for {
		if o, err := s.Take(); o != nil || err != nil {
			return o, err
		}
		select {
		case <-s.wake:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

// Take is Recv without waiting: nil when there are no orders. Like Recv it is
// called from one goroutine at a time.
func (s *Session) Take() (*Orders, error) {
	o := s.next()
	if o == nil {
		return nil, nil
	}
	var err error
	o.Assign, err = s.ns.fillAssignments(o.Assign)
	return o, err
}

func (s *Session) next() *Orders {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.out.empty() {
		return nil
	}
	o := s.out
	s.out = Orders{}
	return &o
}

// Beat processes a heartbeat: it renews all leases of the agent's jobs.
func (s *Session) Beat(ctx context.Context, b Beat) error {
	return s.ns.post(ctx, func(w *writer) { w.beat(s, b) })
}

// Report processes news of attempts; the answers come through Recv.
func (s *Session) Report(ctx context.Context, reports []Numbered) error {
	return s.ns.report(ctx, s, reports)
}

// Close detaches the agent: its leases run on, and it is given nothing more.
func (s *Session) Close() {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return
	}
	s.closed = true
	close(s.gone)
	s.mu.Unlock()
	_ = s.ns.post(context.Background(), func(w *writer) { w.detach(s) })
}
