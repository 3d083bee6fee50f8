package server

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"

	"github.com/muster-queue/muster/api"
	v1 "github.com/muster-queue/muster/api/muster/v1"
	"github.com/muster-queue/muster/engine"
	"github.com/muster-queue/muster/job"
	"github.com/muster-queue/muster/learn"
)

// What agents are told of the rules of leases (section 3 of the design) and
// about how much work to have ahead.
const (
	heartbeat     = 10 * time.Second
	margin        = 2 * time.Second
	marginPercent = 1
	agentGrace    = 10 * time.Second
	agentPrefetch = time.Second
)

type attachStream = grpc.BidiStreamingServer[v1.AttachRequest, v1.AttachResponse]

// Attach is an agent's session. Its one goroutine hears what the agent says; what
// the engine wants is told by another that lives only while there is something:
// there are ten thousand sessions, and most are silent most of the time.
func (s *agentsService) Attach(stream attachStream) error {
	ctx := stream.Context()
	first, err := stream.Recv()
	if err != nil {
		return err
	}
	if first.Hello == nil {
		return job.Errorf(job.Invalid, "hello: the first message of an agent says who it is")
	}
	ns, err := s.namespace(ctx, first.Hello.Namespace)
	if err != nil {
		return err
	}
	r, err := attachRequest(first)
	if err != nil {
		return err
	}
	t := &teller{stream: stream, clock: r.Clock, telling: true}
	t.idle.L = &t.mu
	r.Wake = t.wake
	if t.session, err = ns.Attach(ctx, r); err != nil {
		return err
	}
	defer t.session.Close()
	welcome := &v1.Welcome{Worker: r.Worker.Name, Settings: agentSettings(), Epoch: t.session.Epoch(), Version: s.cfg.Version}
	if err := stream.Send(&v1.AttachResponse{Welcome: welcome}); err != nil {
		return err
	}
	go t.tell()
	defer t.stop()
	first.Hello, first.Reports = nil, nil // they are in r
	if err := hear(ctx, stream, t.session, first); !errors.Is(err, io.EOF) {
		return err
	}
	return nil // the agent left in order
}

func agentSettings() *v1.AgentSettings {
	return &v1.AgentSettings{
		Heartbeat: int64(heartbeat), Margin: int64(margin), MarginPercent: marginPercent,
		Grace: int64(agentGrace), Prefetch: int64(agentPrefetch),
	}
}

// attachRequest reads the first message: who the agent is, and what it could not
// report before, which counts before anything is concluded from what it has.
func attachRequest(m *v1.AttachRequest) (engine.AttachRequest, error) {
	h := m.Hello
	w, err := api.FromHello(h)
	if err != nil {
		return engine.AttachRequest{}, err
	}
	reports, err := numbered(m.Reports)
	if err != nil {
		return engine.AttachRequest{}, err
	}
	w.Name = agentName(h)
	r := engine.AttachRequest{
		Worker: w, PredecessorEnded: h.Superseded, Prefetch: int(h.Prefetch), Clock: h.Clock,
		Reports: reports, Held: make([]engine.Ref, len(h.Held)),
	}
	for i, a := range h.Held {
		r.Held[i] = refOf(a)
	}
	return r, nil
}

// agentName tells agents and their incarnations apart, for people too.
func agentName(h *v1.Hello) string {
	sum := sha256.Sum256([]byte(h.Machine + "\x00" + h.Dir))
	host := h.Host
	if host == "" {
		host = "agent"
	}
	return fmt.Sprintf("%.200s-%s-%d", host, hex.EncodeToString(sum[:4]), h.Incarnation)
}

// attempt is any message that names an attempt.
type attempt interface {
	GetEpoch() uint32
	GetN() uint64
	GetSeq() uint64
}

func refOf(m attempt) engine.Ref {
	return engine.Ref{Seq: job.Seq(m.GetSeq()), Attempt: job.AttemptID{Epoch: m.GetEpoch(), N: m.GetN()}}
}

// hear passes on what an agent says until its stream ends.
func hear(ctx context.Context, stream attachStream, session *engine.Session, m *v1.AttachRequest) error {
	for {
		if err := hearOne(ctx, session, m); err != nil {
			return err
		}
		var err error
		if m, err = stream.Recv(); err != nil {
			return err // io.EOF: the agent leaves in order
		}
	}
}

func hearOne(ctx context.Context, session *engine.Session, m *v1.AttachRequest) error {
	if m.Hello != nil {
		return job.Errorf(job.Invalid, "hello: an agent says who it is once")
	}
	// Reports first: an end in this message may be of an attempt that the
	// heartbeat would else renew.
	if len(m.Reports) > 0 {
		reports, err := numbered(m.Reports)
		if err != nil {
			return err
		}
		if err := session.Report(ctx, reports); err != nil {
			return err
		}
	}
	for _, c := range m.Logs {
		session.Chunk(ctx, engine.TailChunk{ID: c.Tail, Offset: c.Offset, Data: c.Data, EOF: c.End, Err: c.Error})
	}
	if m.Heartbeat == nil {
		return nil
	}
	beat, err := readBeat(m.Heartbeat)
	if err != nil {
		return err
	}
	return session.Beat(ctx, beat)
}

func numbered(messages []*v1.Report) ([]engine.Numbered, error) {
	reports := make([]engine.Numbered, len(messages))
	for i, m := range messages {
		r, err := readReport(m)
		if err != nil {
			return nil, err
		}
		reports[i] = engine.Numbered{Number: m.Id, Report: r}
	}
	return reports, nil
}

func readBeat(m *v1.Heartbeat) (engine.Beat, error) {
	until, err := api.ToTime("until", m.Until)
	return engine.Beat{Clock: m.Clock, Prefetch: int(m.Prefetch), Draining: m.Draining, Until: until}, err
}

// teller tells an agent the engine's orders.
type teller struct {
	session *engine.Session
	stream  attachStream
	clock   int64 // the newest reading of the agent's clock that was processed

	mu      sync.Mutex
	telling bool // a goroutine is telling
	again   bool // it has to look again before it ends
	stopped bool
	idle    sync.Cond
}

// wake is called by the engine when there may be orders.
func (t *teller) wake() {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case t.stopped:
	case t.telling:
		t.again = true
	default:
		t.telling = true
		go t.tell()
	}
}

// tell passes on orders until there are no more.
func (t *teller) tell() {
	for {
		o, err := t.session.Take()
		if err == nil && o != nil {
			err = t.pass(o)
		}
		if err != nil {
			endStream(t.stream.Context(), err)
		}
		if (o == nil || err != nil) && t.done(err != nil) {
			return
		}
	}
}

func (t *teller) pass(o *engine.Orders) error {
	t.clock = max(t.clock, o.Renewed)
	if m := orders(o, t.clock); proto.Size(m) > 0 {
		if err := t.stream.Send(m); err != nil {
			return err
		}
	}
	return o.Closed
}

// done ends the telling, unless there is something again.
func (t *teller) done(failed bool) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.stopped = t.stopped || failed
	if t.again && !t.stopped {
		t.again = false
		return false
	}
	t.telling = false
	t.idle.Broadcast()
	return true
}

// stop waits until nothing is being told any more: the stream must not be used
// after its end.
func (t *teller) stop() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.stopped = true
	for t.telling {
		t.idle.Wait()
	}
}

// orders are the engine's orders as a message; clock is the newest reading of
// the agent's clock that was processed.
func orders(o *engine.Orders, clock int64) *v1.AttachResponse {
	m := &v1.AttachResponse{
		Renewed: o.Renewed, Withdraw: refs(o.Withdraw), Disown: refs(o.Gone),
	}
	for i := range o.Assign {
		m.Assign = append(m.Assign, assignment(&o.Assign[i]))
	}
	for _, stop := range o.Stop {
		m.Stops = append(m.Stops, &v1.Stop{
			Epoch: stop.Attempt.Epoch, N: stop.Attempt.N, Seq: uint64(stop.Seq), Why: stop.Mark.String(),
		})
	}
	for i := range o.Answers {
		a := &o.Answers[i]
		m.Acked = append(m.Acked, a.Number)
		if a.Err != nil || a.Mark != job.MarkNone {
			m.Answers = append(m.Answers, reportAnswer(a.Number, &a.ReportAnswer))
		}
	}
	for i := range o.Tails {
		m.Tails = append(m.Tails, tailOrder(&o.Tails[i]))
	}
	if !o.HoldUntil.IsZero() {
		// Counted from a reading older than now: the agent's deadline is not
		// later than the server's.
		m.Renewed, m.Hold = clock, int64(time.Until(o.HoldUntil))
	}
	return m
}

func assignment(a *engine.Assignment) *v1.Grant {
	return &v1.Grant{
		Epoch: a.Attempt.Epoch, N: a.Attempt.N, Seq: uint64(a.Seq), Number: a.Number,
		Lease: int64(a.Lease), Queue: a.Queue, Encoded: a.Body, Clock: a.Since,
		Needs: a.Needs, Time: int64(learn.Duration(a.Limits[learn.Time])), Prefetched: a.Prefetched, Limits: limits(&a.Grant),
	}
}

// limits are what an attempt may use at most, where that is not what was set aside.
func limits(a *engine.Grant) (differ map[string]int64) {
	for _, r := range [...]learn.Resource{learn.Memory, learn.Disk} {
		n := max(a.Limits[r], 0)
		if need, set := a.Needs[r.String()]; set && need != n {
			if differ == nil {
				differ = map[string]int64{}
			}
			differ[r.String()] = n
		}
	}
	return differ
}

func tailOrder(o *engine.TailOrder) *v1.Tail {
	stream := "stdout"
	if o.Stderr {
		stream = "stderr"
	}
	return &v1.Tail{
		Id: o.ID, Epoch: o.Attempt.Epoch, N: o.Attempt.N, Seq: uint64(o.Seq),
		Stream: stream, Offset: o.Offset, Follow: o.Follow, Stop: o.Stop,
	}
}

func refs(list []engine.Ref) []*v1.AttemptRef {
	if len(list) == 0 {
		return nil
	}
	all := make([]*v1.AttemptRef, len(list))
	for i, r := range list {
		all[i] = &v1.AttemptRef{Epoch: r.Attempt.Epoch, N: r.Attempt.N, Seq: uint64(r.Seq)}
	}
	return all
}
