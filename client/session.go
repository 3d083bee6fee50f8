package client

import (
	"context"
	"errors"
	"io"
	"sync"
	"time"

	"github.com/muster-queue/muster/api"
	musterv1 "github.com/muster-queue/muster/api/muster/v1"
	"github.com/muster-queue/muster/job"
)

// SessionOptions say what a session takes.
type SessionOptions struct {
	Want Want
	// Credits is how many jobs the worker may have at a time, taken by Next or
	// on their way; zero means 1.
	Credits int
	// Stop, if set, is told that an attempt shall be ended, and why; Refused,
	// that a report was refused. They are called from another goroutine.
	Stop    func(job.AttemptID, job.Mark)
	Refused func(job.AttemptID, error)
}

// Session pulls jobs over one stream: the server sends them as they become
// ready, and reports go back in batches. A lost connection is made again. Its
// methods may be called from any goroutine. It must be closed.
type Session struct {
	w    *Worker
	o    SessionOptions
	ctx  context.Context
	end  context.CancelFunc
	done chan struct{} // closed when run has ended

	wake  chan struct{} // there is something to send
	ready chan struct{} // there is something for Next
	acked chan struct{} // there is something for Flush

	mu     sync.Mutex
	queue  []*Grant                          // for Next
	active map[job.AttemptID]*musterv1.Grant // granted, and no end reported
	// reports are those not acknowledged, in order; the first sent of them went
	// over the present stream, in messages of these sizes.
	reports  []*musterv1.Report
	sent     int
	repeats  int // how many of the first of them went over an earlier one
	messages []message
	last     uint64
	heard    bool // the present stream acknowledged something
	owed     int  // credits to give with the next message
	closing  bool
	err      error
}

// message is one that waits for its acknowledgement.
type message struct {
	id    uint64
	count int
}

// Bounds of one message, of what a new stream carries before it proved to get
// through, and of what may wait for acknowledgement. A worker asks for no more
// jobs while several reports for each of its credits wait.
const (
	maxReports       = 1000
	firstReports     = 64
	maxUnacked       = 100_000
	reportsPerCredit = 8
)

// drainPause is how long a session asks for nothing after the server said that
// it gives out no jobs.
const drainPause = time.Second

// Session begins to pull.
func (w *Worker) Session(ctx context.Context, o SessionOptions) *Session {
	o.Credits = max(o.Credits, 1)
	ctx, end := context.WithCancel(ctx)
	s := &Session{
		w: w, o: o, ctx: ctx, end: end, done: make(chan struct{}),
		wake: make(chan struct{}, 1), ready: make(chan struct{}, 1), acked: make(chan struct{}, 1),
		active: map[job.AttemptID]*musterv1.Grant{},
	}
	go s.run()
	return s
}

func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// Next is the next job; it waits for one until ctx or the session ends.
func (s *Session) Next(ctx context.Context) (*Grant, error) {
	for {
		g, err := s.pop()
		if g != nil || err != nil {
			return g, err
		}
		select {
		case <-s.ready:
		case <-s.done:
			return nil, s.failed()
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

func (s *Session) pop() (*Grant, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil || s.closing {
		return nil, s.ended()
	}
	if len(s.queue) == 0 {
		return nil, nil
	}
	g := s.queue[0]
	s.queue[0] = nil
	if s.queue = s.queue[1:]; len(s.queue) > 0 {
		signal(s.ready)
	}
	return g, nil
}

func (s *Session) failed() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.ended()
}

// ended is why the session is over; it is called with mu held.
func (s *Session) ended() error {
	if s.err != nil {
		return s.err
	}
	return job.Errorf(job.Cancelled, "the session was closed")
}

// Report queues reports; they are sent soon, together with others, and repeated
// until they are durable. The end of an attempt makes room for another job.
func (s *Session) Report(reports ...Report) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil || s.closing {
		return s.ended()
	}
	if len(s.reports)+len(reports) > maxUnacked {
		return job.Errorf(job.Exhausted, "%d reports wait for the server; Flush before there are more", len(s.reports))
	}
	s.queueReports(reports)
	return nil
}

func (s *Session) queueReports(reports []Report) {
	for _, r := range reports {
		s.reports = append(s.reports, r.m)
		id := attemptOf(r.m)
		if _, ok := s.active[id]; ok && r.ends() {
			delete(s.active, id)
			s.owed++
		}
	}
	signal(s.wake)
}

func attemptOf(m interface {
	GetEpoch() uint32
	GetN() uint64
},
) job.AttemptID {
	return job.AttemptID{Epoch: m.GetEpoch(), N: m.GetN()}
}

// Flush waits until all reports so far are durable, or refused.
func (s *Session) Flush(ctx context.Context) error {
	for {
		s.mu.Lock()
		left, err := len(s.reports), s.err
		s.mu.Unlock()
		if left == 0 || err != nil {
			signal(s.acked) // others may flush too
			return err
		}
		select {
		case <-s.acked:
		case <-s.done:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// Close gives back what Next has not given out, waits until all reports are
// durable, and ends the session. Attempts that are still active keep their
// leases and can be reported by Worker.Report.
func (s *Session) Close() error {
	s.mu.Lock()
	back := each(s.queue, GiveBack)
	s.queue = nil
	s.queueReports(back)
	s.closing = true
	s.mu.Unlock()
	err := s.Flush(s.ctx)
	s.end()
	<-s.done
	return err
}

// run keeps a stream until the session is closed, or fails.
func (s *Session) run() {
	defer close(s.done)
	r := s.w.n.c.retry()
	for pause := time.Duration(0); ; {
		err := s.stream(r, pause)
		pause = 0
		if errors.Is(err, errDraining) {
			pause = drainPause
			continue
		}
		if err = r.again(s.ctx, err); err != nil {
			s.mu.Lock()
			if s.err = err; s.closing && len(s.reports) == 0 {
				s.err = nil
			}
			s.mu.Unlock()
			return
		}
	}
}

// errDraining ends a stream to ask again for jobs, later.
var errDraining = errors.New("draining")

// stream is one connection, which asks for jobs after a pause.
func (s *Session) stream(r *retry, pause time.Duration) error {
	ctx, cancel := context.WithCancel(s.ctx)
	defer cancel()
	stream, err := s.w.n.c.work.WorkSession(ctx)
	if err != nil {
		return s.w.n.c.failure(s.ctx, err)
	}
	open := s.reopen()
	ended := make(chan error, 1)
	go func() { ended <- s.receive(stream.Recv, r) }()
	asks := time.NewTimer(pause)
	defer asks.Stop()
	asking := false
	for {
		if m := s.toSend(open, asking); m != nil {
			open = nil
			if stream.Send(m) != nil {
				return <-ended // it knows why
			}
			continue
		}
		select {
		case <-s.wake:
		case <-asks.C:
			asking = true
		case err := <-ended:
			return err
		}
	}
}

// reopen forgets what was sent over the stream before.
func (s *Session) reopen() *musterv1.OpenSession {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.repeats = max(s.repeats, s.sent)
	s.sent, s.messages, s.last, s.heard = 0, nil, 0, false
	s.owed = s.o.Credits - len(s.active)
	o := &musterv1.OpenSession{
		Namespace: s.w.n.name, Worker: s.w.name, Session: s.w.session, About: s.w.about,
		Lease: api.FromDuration(s.o.Want.Lease), Want: s.o.Want.message(),
	}
	for _, g := range s.active {
		o.Held = append(o.Held, &musterv1.AttemptRef{Epoch: g.Epoch, N: g.N, Seq: g.Seq})
	}
	for _, r := range s.reports { // the server has to believe these first
		if (Report{r}).ends() {
			o.Held = append(o.Held, &musterv1.AttemptRef{Epoch: r.Epoch, N: r.N, Seq: r.Seq})
		}
	}
	return o
}

// toSend is the next message, or nil if there is nothing to say.
func (s *Session) toSend(open *musterv1.OpenSession, asking bool) *musterv1.WorkSessionRequest {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := min(len(s.reports)-s.sent, maxReports)
	if !s.heard {
		n = min(n, firstReports-s.sent)
	}
	ask := asking && s.owed > 0 && !s.closing && len(s.reports) <= reportsPerCredit*s.o.Credits
	if open == nil && n == 0 && !ask {
		return nil
	}
	m := &musterv1.WorkSessionRequest{Open: open}
	if n > 0 {
		s.last++
		m.Id = s.last
		m.Reports = append(m.Reports, s.reports[s.sent:s.sent+n]...)
		s.messages = append(s.messages, message{m.Id, n})
		s.sent += n
	}
	if ask {
		m.Credits = uint32(s.owed)
		s.owed = 0
	}
	return m
}

// receive takes what the server sends until the stream ends.
func (s *Session) receive(recv func() (*musterv1.WorkSessionResponse, error), r *retry) error {
	for {
		m, err := recv()
		if errors.Is(err, io.EOF) {
			return job.ErrClosed
		}
		if err != nil {
			return s.w.n.c.failure(s.ctx, err)
		}
		r.worked()
		s.grant(m.Grants)
		s.acknowledge(m)
		for _, stop := range m.Stops {
			if why, err := api.ParseMark(stop.Why); err == nil && s.o.Stop != nil {
				s.o.Stop(attemptOf(stop), why)
			}
		}
		if m.Draining {
			return errDraining
		}
	}
}

func (s *Session) grant(grants []*musterv1.Grant) {
	if len(grants) == 0 {
		return
	}
	now := time.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, m := range grants {
		g := toGrant(m, now)
		s.active[g.Attempt] = m
		if s.closing {
			s.queueReports([]Report{GiveBack(g)})
			continue
		}
		s.queue = append(s.queue, g)
	}
	signal(s.ready)
}

// acknowledge forgets reports that are durable and passes refusals on.
func (s *Session) acknowledge(m *musterv1.WorkSessionResponse) {
	if m.Acked == 0 {
		return
	}
	s.mu.Lock()
	var told []*musterv1.Report // of the message with that id
	repeats := 0                // among those
	for len(s.messages) > 0 && s.messages[0].id <= m.Acked {
		n := s.messages[0].count
		told, repeats = s.reports[:n], min(n, s.repeats)
		s.messages, s.reports = s.messages[1:], s.reports[n:]
		s.sent -= n
		s.repeats -= repeats
	}
	s.heard = true
	s.mu.Unlock()
	signal(s.acked)
	signal(s.wake) // there may be room for more
	for _, a := range m.Answers {
		if s.o.Refused == nil || a.Error == nil || a.Item < 1 || a.Item > uint64(len(told)) {
			continue
		}
		// That an attempt began, said again after its end was, is no news.
		if r := told[a.Item-1]; int(a.Item) > repeats || (Report{r}).ends() {
			s.o.Refused(attemptOf(r), api.ToError(a.Error))
		}
	}
}
