package server

import (
	"context"
	"errors"
	"io"
	"slices"
	"testing"
	"time"

	"google.golang.org/grpc"

	"github.com/muster-queue/muster/api"
	v1 "github.com/muster-queue/muster/api/muster/v1"
	"github.com/muster-queue/muster/job"
)

type agentClient struct {
	t      testing.TB
	stream grpc.BidiStreamingClient[v1.AttachRequest, v1.AttachResponse]
	seen   []*v1.AttachResponse
}

func helloOf(host string) *v1.Hello {
	return &v1.Hello{
		Machine: "m-" + host, Boot: "b", Dir: "/state", Incarnation: 1, Session: "s", Host: host,
		Capacity: map[string]int64{"cpu": 2000, "mem": 1 << 30}, Clock: 1000,
	}
}

func attach(t testing.TB, ctx context.Context, conn *grpc.ClientConn, h *v1.Hello) *agentClient {
	t.Helper()
	stream, err := v1.NewAgentsClient(conn).Attach(ctx)
	if err != nil {
		t.Fatal(err)
	}
	a := &agentClient{t: t, stream: stream}
	a.send(&v1.AttachRequest{Hello: h})
	return a
}

func (a *agentClient) send(m *v1.AttachRequest) {
	a.t.Helper()
	if err := a.stream.Send(m); err != nil {
		a.t.Fatal(err)
	}
}

// until receives until want is true of a message, and returns that.
func (a *agentClient) until(want func(*v1.AttachResponse) bool) *v1.AttachResponse {
	a.t.Helper()
	for {
		m, err := a.stream.Recv()
		if err != nil {
			a.t.Fatal(err)
		}
		a.seen = append(a.seen, m)
		if want(m) {
			return m
		}
	}
}

func hasAssign(m *v1.AttachResponse) bool { return len(m.Assign) > 0 }

func TestAgentIsGivenJobsAndReports(t *testing.T) {
	s := testServer(t, nil)
	conn, ctx := dial(t, s), as(t, s.Token())
	a := attach(t, ctx, conn, helloOf("node1"))
	w := a.until(func(m *v1.AttachResponse) bool { return m.Welcome != nil }).Welcome
	if w.Worker == "" || w.Settings.Heartbeat != int64(10*time.Second) || w.Epoch == 0 {
		t.Errorf("welcome %v", w)
	}
	addLines(t, ctx, conn, 1)
	g := a.until(hasAssign).Assign[0]
	var j job.Job
	if err := job.Decode(g.Encoded, &j); err != nil || j.Command.Line != "job 000" || g.Clock != 1000 {
		t.Errorf("assigned %v: %+v, %v", g, j, err)
	}
	a.send(&v1.AttachRequest{Heartbeat: &v1.Heartbeat{Clock: 2000}, Reports: []*v1.Report{
		{Id: 1, Epoch: g.Epoch, N: g.N, Seq: g.Seq, Action: v1.Report_start},
	}})
	a.until(func(m *v1.AttachResponse) bool { return m.Renewed == 2000 })
	if c := counts(t, ctx, conn); c.Running != 1 {
		t.Errorf("started: %v", c)
	}
	a.send(&v1.AttachRequest{Reports: []*v1.Report{
		{Id: 2, Epoch: g.Epoch, N: g.N, Seq: g.Seq, Action: v1.Report_complete, Result: &v1.Result{Exited: true, Stdout: &v1.Output{Head: []byte("out")}}},
		{Id: 3, Epoch: g.Epoch, N: g.N + 9, Seq: g.Seq + 9, Action: v1.Report_complete},
		{Id: 4, Epoch: g.Epoch, N: g.N, Seq: g.Seq, Action: v1.Report_bury, Result: &v1.Result{Reason: "a reason of tomorrow"}},
	}})
	m := a.until(func(m *v1.AttachResponse) bool { return slices.Contains(m.Acked, 3) })
	if i := slices.IndexFunc(m.Answers, func(a *v1.ReportAnswer) bool { return a.Item == 3 }); i < 0 || m.Answers[i].Error.GetKind() != "lost_lease" {
		t.Errorf("answers %v", m.Answers)
	}
	if c := counts(t, ctx, conn); c.Complete != 1 {
		t.Errorf("completed: %v", c)
	}
	if err := a.stream.CloseSend(); err != nil {
		t.Fatal(err)
	}
	if _, err := a.stream.Recv(); !errors.Is(err, io.EOF) {
		t.Errorf("an orderly end is %v", err)
	}
}

// Live output goes from the agent to whoever asks, and ends with the attempt.
func TestLiveOutput(t *testing.T) {
	s := testServer(t, nil)
	conn, ctx := dial(t, s), as(t, s.Token())
	a := attach(t, ctx, conn, helloOf("node1"))
	addLines(t, ctx, conn, 1)
	g := a.until(hasAssign).Assign[0]
	a.send(&v1.AttachRequest{Reports: []*v1.Report{{Id: 1, Epoch: g.Epoch, N: g.N, Seq: g.Seq, Action: v1.Report_start}}})
	a.until(func(m *v1.AttachResponse) bool { return len(m.Acked) > 0 })
	list, err := v1.NewJobsClient(conn).ListJobs(ctx, &v1.ListJobsRequest{})
	if err != nil {
		t.Fatal(err)
	}
	logs, err := v1.NewJobsClient(conn).StreamLogs(ctx, &v1.StreamLogsRequest{Job: &v1.JobRef{Id: list.Jobs[0].Id}, Stream: "stderr", Follow: true, Tail: 100})
	if err != nil {
		t.Fatal(err)
	}
	order := a.until(func(m *v1.AttachResponse) bool { return len(m.Tails) > 0 }).Tails[0]
	if order.Stream != "stderr" || order.Offset != -100 || !order.Follow || order.N != g.N {
		t.Errorf("order %v", order)
	}
	a.send(&v1.AttachRequest{Logs: []*v1.LogChunk{
		{Tail: order.Id, Data: []byte("one ")}, {Tail: order.Id, Data: []byte("two")}, {Tail: order.Id, End: true},
	}})
	var text []byte
	for {
		m, err := logs.Recv()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		text = append(text, m.Data...)
	}
	if string(text) != "one two" {
		t.Errorf("got %q", text)
	}
}

// Before a planned stop the agents are told how long they may go on alone.
func TestAgentsAreToldOfTheStop(t *testing.T) {
	s := testServer(t, nil)
	a := attach(t, as(t, s.Token()), dial(t, s), helloOf("node1"))
	a.until(func(m *v1.AttachResponse) bool { return m.Renewed == 1000 })
	done := make(chan struct{})
	go func() { s.Stop(time.Hour, ErrStopped); close(done) }()
	m := a.until(func(m *v1.AttachResponse) bool { return m.Hold > 0 })
	if hold := time.Duration(m.Hold); hold > time.Hour || hold < time.Hour-time.Minute || m.Renewed != 1000 {
		t.Errorf("hold %v from %d", hold, m.Renewed)
	}
	if _, err := a.stream.Recv(); !job.IsKind(api.FromStatus(err), job.Unavailable) {
		t.Errorf("ended with %v", err)
	}
	<-done
}

func TestAgentsThatAreRefused(t *testing.T) {
	s := testServer(t, nil)
	conn, ctx := dial(t, s), as(t, s.Token())
	anonymous := helloOf("x")
	anonymous.Machine = ""
	huge := helloOf("x")
	huge.Capacity["cpu"] = -5
	for name, m := range map[string]*v1.AttachRequest{
		"no hello":    {},
		"no machine":  {Hello: anonymous},
		"capacity":    {Hello: huge},
		"odd action":  {Hello: helloOf("y"), Reports: []*v1.Report{{Id: 1, Action: 77}}},
		"hello again": nil,
	} {
		a := &agentClient{t: t}
		var err error
		if a.stream, err = v1.NewAgentsClient(conn).Attach(ctx); err != nil {
			t.Fatal(err)
		}
		if m == nil {
			a.send(&v1.AttachRequest{Hello: helloOf("z")})
			m = &v1.AttachRequest{Hello: helloOf("z")}
		}
		a.send(m)
		for err == nil {
			_, err = a.stream.Recv()
		}
		if !job.IsKind(api.FromStatus(err), job.Invalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
