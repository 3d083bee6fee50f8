package server

import (
	"context"
	"errors"
	"sync"

	"google.golang.org/grpc"

	"github.com/muster-queue/muster/api"
	v1 "github.com/muster-queue/muster/api/muster/v1"
	"github.com/muster-queue/muster/engine"
	"github.com/muster-queue/muster/job"
)

// readAhead is how many messages of a session may wait to be processed; all
// that wait go to the engine as one command.
const readAhead = 1024

// maxCredits bounds the jobs a session may have on their way.
const maxCredits = 1_000_000

// smallWindow is the number of credits up to which each job has a message of its
// own: a worker that asks for few at a time waits for the next one. Larger
// windows get as many jobs in a message as keeps that number of messages.
const smallWindow = 64

type workStream = grpc.BidiStreamingServer[v1.WorkSessionRequest, v1.WorkSessionResponse]

// reservers is how many reserves of a session may be under way: while the jobs of
// one become durable, credits that come meanwhile are not left waiting.
const reservers = 3

// pulling is a session of a worker that pulls: some goroutines reserve as long as
// there are credits, one reports, one reads, and one (the stream's own) sends.
type pulling struct {
	ns      *engine.Namespace
	request engine.ReserveRequest
	form    form

	mu       sync.Mutex
	credits  int
	window   int
	granted  []*v1.Grant
	answers  []*v1.WorkSessionResponse
	draining bool
	// held are the attempts the worker has or is about to get, if its session
	// has a name by which it may come back for them.
	held held

	credited chan struct{} // has room for one signal
	ready    chan struct{} // the same, for the sender
}

// WorkSession serves a pulling worker until one of them leaves.
func (s *workService) WorkSession(stream workStream) error {
	first, err := stream.Recv()
	if err != nil {
		return err
	}
	ctx, end := context.WithCancelCause(stream.Context())
	defer end(nil)
	p, err := s.openSession(ctx, first)
	if err != nil {
		return err
	}
	if name := p.sessionName(first.Open); name != "" {
		before, err := s.parked.enter(ctx, name, end)
		if err != nil {
			return err
		}
		p.held = make(held)
		defer func() { s.parked.leave(name, p.held) }()
		if err := p.comeBack(ctx, before, first.Open.Held); err != nil {
			return err
		}
	}
	first.Open = nil
	p.credit(first)
	return p.run(ctx, end, stream, first)
}

// run has the session's parts work until one of them ends it.
func (p *pulling) run(ctx context.Context, end context.CancelCauseFunc, stream workStream, first *v1.WorkSessionRequest) error {
	in := receive(ctx, func() (*v1.WorkSessionRequest, error) {
		m, err := stream.Recv()
		if err == nil {
			p.credit(m) // at once: the next jobs need not wait for these reports
		}
		return m, err
	}, readAhead)
	var parts sync.WaitGroup
	parts.Go(func() { end(p.report(ctx, first, in)) })
	for range reservers {
		parts.Go(func() { p.reserve(ctx, end) })
	}
	err := p.send(ctx, stream)
	end(err)
	parts.Wait()
	return err
}

// errLeft ends a session whose worker left in order.
var errLeft = errors.New("the worker left")

func (s *workService) openSession(ctx context.Context, m *v1.WorkSessionRequest) (*pulling, error) {
	o := m.Open
	if o == nil {
		return nil, job.Errorf(job.Invalid, "open: the first message of a session says who pulls what")
	}
	ns, err := s.namespace(ctx, o.Namespace)
	if err != nil {
		return nil, err
	}
	r, err := wanted(o.Worker, o.About, o.Want)
	if err != nil {
		return nil, err
	}
	if err := job.CheckName("worker", o.Worker); err != nil {
		return nil, err
	}
	r.Lease, err = api.ToDuration("lease", o.Lease)
	r.Wait = -1
	return &pulling{
		ns: ns, request: r, form: formOf(o.Want),
		credited: make(chan struct{}, 1), ready: make(chan struct{}, 1),
	}, err
}

// sessionName is the name a session may come back by; without one it cannot.
func (p *pulling) sessionName(o *v1.OpenSession) string {
	if o.Session == "" {
		return ""
	}
	return p.ns.Name() + "\x00" + o.Worker + "\x00" + o.Session
}

// comeBack gives back what was granted to the session before its connection was
// lost and never arrived: it is granted again, most likely to the same worker.
func (p *pulling) comeBack(ctx context.Context, before held, has []*v1.AttemptRef) error {
	for _, m := range has {
		ref := refOf(m)
		p.held[ref] = struct{}{}
		delete(before, ref)
	}
	if len(before) == 0 {
		return nil
	}
	back := make([]engine.Report, 0, len(before))
	for ref := range before {
		back = append(back, engine.Report{Ref: ref, Kind: engine.ReportReturn})
	}
	// A refusal means that it is not the worker's any more, which is as well.
	_, err := p.ns.Report(ctx, p.request.Worker.Name, back)
	return err
}

// credit lets more jobs be sent.
func (p *pulling) credit(m *v1.WorkSessionRequest) {
	if m.Credits == 0 {
		return
	}
	p.mu.Lock()
	p.credits = min(p.credits+int(m.Credits), maxCredits)
	p.window = max(p.window, p.credits)
	p.mu.Unlock()
	signal(p.credited)
}

// claim takes the credits there are, for one reserve; what it does not use is
// returned. Others may use what is left.
func (p *pulling) claim() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := min(p.credits, engine.MaxReserve)
	p.credits -= n
	return n
}

func (p *pulling) unclaim(n int) {
	p.mu.Lock()
	p.credits += n
	p.mu.Unlock()
	if n > 0 {
		signal(p.credited)
	}
}

func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// reserve takes jobs as long as there are credits.
func (p *pulling) reserve(ctx context.Context, end context.CancelCauseFunc) {
	for {
		if n := p.claim(); n > 0 {
			switch got, err := p.reserveSome(ctx, n); {
			case errors.Is(err, job.ErrDraining):
				p.drains(n) // it asks again if it wants
			case err != nil:
				end(err)
				return
			default:
				p.unclaim(n - got)
				continue
			}
		}
		select {
		case <-p.credited:
		case <-ctx.Done():
			return
		}
	}
}

// drains tells the worker that there are no jobs while the server is draining.
func (p *pulling) drains(n int) {
	p.mu.Lock()
	p.draining = true
	p.credits += n
	p.mu.Unlock()
	signal(p.ready)
}

// reserveSome takes up to n jobs, waiting for the first.
func (p *pulling) reserveSome(ctx context.Context, n int) (got int, err error) {
	r := p.request
	r.N = n
	grants, err := p.ns.Reserve(ctx, r)
	if err != nil {
		return 0, err
	}
	messages := make([]*v1.Grant, len(grants))
	for i := range grants {
		if messages[i], err = p.form(&grants[i]); err != nil {
			return 0, err
		}
	}
	p.mu.Lock()
	p.granted = append(p.granted, messages...)
	if p.held != nil {
		for i := range grants {
			p.held[engine.Ref{Seq: grants[i].Seq, Attempt: grants[i].Attempt}] = struct{}{}
		}
	}
	p.mu.Unlock()
	signal(p.ready)
	return len(grants), nil
}

// report passes on reports: all that wait as one command, again and again.
func (p *pulling) report(ctx context.Context, first *v1.WorkSessionRequest, in *received[v1.WorkSessionRequest]) error {
	waiting := []*v1.WorkSessionRequest{first}
	for {
		if err := p.reportAll(ctx, waiting); err != nil {
			return err
		}
		waiting = waiting[:0]
		select {
		case m, ok := <-in.messages:
			if !ok {
				if in.err == nil {
					return errLeft
				}
				return in.err
			}
			waiting = append(waiting, m)
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		for more := true; more && len(waiting) < readAhead; {
			select {
			case m, ok := <-in.messages:
				if more = ok; ok {
					waiting = append(waiting, m)
				}
			default:
				more = false
			}
		}
	}
}

func (p *pulling) reportAll(ctx context.Context, messages []*v1.WorkSessionRequest) error {
	var reports []engine.Report
	for _, m := range messages {
		if m.Open != nil {
			return job.Errorf(job.Invalid, "open: a session is opened once")
		}
		if len(m.Reports) > maxReports {
			return job.Errorf(job.Invalid, "reports: %d in one message; at most %d", len(m.Reports), maxReports)
		}
		for i, rm := range m.Reports {
			r, err := readReport(rm)
			if err != nil {
				return &api.ItemError{Item: i + 1, Err: err}
			}
			reports = append(reports, r)
		}
	}
	var answers []engine.ReportAnswer
	if len(reports) > 0 {
		var err error
		if answers, err = p.ns.Report(ctx, p.request.Worker.Name, reports); err != nil {
			return err
		}
	}
	p.answer(messages, reports, answers)
	return nil
}

// answer queues what is said to the messages: one number for all that need no
// more, an answer of its own for each that does.
func (p *pulling) answer(messages []*v1.WorkSessionRequest, reports []engine.Report, answers []engine.ReportAnswer) {
	p.mu.Lock()
	defer p.mu.Unlock()
	next := 0
	for _, m := range messages {
		a := &v1.WorkSessionResponse{Acked: m.Id}
		for i := range m.Reports {
			said := &answers[next]
			if p.held != nil && reports[next].Kind > engine.ReportRenew {
				delete(p.held, reports[next].Ref)
			}
			next++
			if said.Err != nil || said.Mark != job.MarkNone {
				a.Answers = append(a.Answers, reportAnswer(uint64(i+1), said))
			}
			if said.Mark != job.MarkNone {
				r := m.Reports[i]
				a.Stops = append(a.Stops, &v1.Stop{Epoch: r.Epoch, N: r.N, Seq: r.Seq, Why: said.Mark.String()})
			}
		}
		last := len(p.answers) - 1
		switch {
		case a.Acked == 0 && len(a.Answers) == 0:
		case last >= 0 && len(p.answers[last].Answers) == 0 && a.Acked != 0:
			p.answers[last] = a
		default:
			p.answers = append(p.answers, a)
		}
	}
	if len(p.answers) > 0 {
		signal(p.ready)
	}
}

// send sends what there is until the session ends.
func (p *pulling) send(ctx context.Context, stream workStream) error {
	for {
		for _, m := range p.outgoing() {
			if err := stream.Send(m); err != nil {
				return err
			}
		}
		select {
		case <-p.ready:
		case <-ctx.Done():
			if cause := context.Cause(ctx); !errors.Is(cause, errLeft) {
				return cause
			}
			return nil
		}
	}
}

// outgoing takes what waits to be sent: grants first, a worker is idle without.
func (p *pulling) outgoing() []*v1.WorkSessionResponse {
	p.mu.Lock()
	defer p.mu.Unlock()
	size := max(1, p.window/smallWindow)
	messages := make([]*v1.WorkSessionResponse, 0, len(p.granted)/size+len(p.answers)+1)
	for g := p.granted; len(g) > 0; {
		n := min(size, len(g))
		messages = append(messages, &v1.WorkSessionResponse{Grants: g[:n:n]})
		g = g[n:]
	}
	answers := p.answers
	if len(messages) > 0 && len(answers) > 0 && len(answers[0].Answers) == 0 {
		messages[0].Acked = answers[0].Acked
		answers = answers[1:]
	}
	messages = append(messages, answers...)
	if p.draining {
		messages = append(messages, &v1.WorkSessionResponse{Draining: true})
	}
	p.granted, p.answers, p.draining = nil, nil, false
	return messages
}
