package server

import (
	"context"
	"errors"
	"fmt"
	"io"
	"testing"

	"google.golang.org/grpc"

	"github.com/muster-queue/muster/api"
	v1 "github.com/muster-queue/muster/api/muster/v1"
	"github.com/muster-queue/muster/job"
)

type clientSession = grpc.BidiStreamingClient[v1.WorkSessionRequest, v1.WorkSessionResponse]

func openWork(t testing.TB, ctx context.Context, conn *grpc.ClientConn, credits uint32, open *v1.OpenSession) clientSession {
	t.Helper()
	if open.Worker == "" {
		open.Worker = "w"
	}
	if open.Want == nil {
		open.Want = &v1.Want{Commands: true, Form: "data"}
	}
	stream, err := v1.NewWorkClient(conn).WorkSession(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if err := stream.Send(&v1.WorkSessionRequest{Open: open, Credits: credits}); err != nil {
		t.Fatal(err)
	}
	return stream
}

// grants receives until there are n grants; the last number acknowledged and the
// answers that came with them are returned too.
func grants(t testing.TB, stream clientSession, n int) (all []*v1.Grant, acked uint64, answers []*v1.ReportAnswer) {
	t.Helper()
	for len(all) < n {
		m, err := stream.Recv()
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, m.Grants...)
		acked = max(acked, m.Acked)
		answers = append(answers, m.Answers...)
	}
	return all, acked, answers
}

func reportOf(g *v1.Grant, action v1.Report_Action) *v1.Report {
	return &v1.Report{Epoch: g.Epoch, N: g.N, Seq: g.Seq, Action: action}
}

func addLines(t testing.TB, ctx context.Context, conn *grpc.ClientConn, n int) {
	t.Helper()
	m := &v1.AddJobsRequest{}
	for i := range n {
		m.Jobs = append(m.Jobs, lineJob(fmt.Sprintf("job %03d", i)))
	}
	if _, err := v1.NewJobsClient(conn).AddBatch(ctx, m); err != nil {
		t.Fatal(err)
	}
}

func counts(t testing.TB, ctx context.Context, conn *grpc.ClientConn) *v1.Counts {
	t.Helper()
	c, err := v1.NewJobsClient(conn).CountJobs(ctx, &v1.CountJobsRequest{})
	if err != nil {
		t.Fatal(err)
	}
	return c.Total
}

func TestSessionGivesAsManyJobsAsCredits(t *testing.T) {
	s := testServer(t, nil)
	conn, ctx := dial(t, s), as(t, s.Token())
	addLines(t, ctx, conn, 10)
	stream := openWork(t, ctx, conn, 3, &v1.OpenSession{})
	first, _, _ := grants(t, stream, 3)
	if c := counts(t, ctx, conn); c.Reserved != 3 || c.Ready != 7 {
		t.Errorf("with 3 credits: %v", c)
	}
	if err := stream.Send(&v1.WorkSessionRequest{Id: 1, Credits: 2, Reports: []*v1.Report{
		reportOf(first[0], v1.Report_complete),
		reportOf(&v1.Grant{Epoch: 9, N: 9, Seq: first[1].Seq}, v1.Report_complete),
		reportOf(first[2], v1.Report_start),
	}}); err != nil {
		t.Fatal(err)
	}
	second, acked, answers := grants(t, stream, 2)
	for acked < 1 {
		m, err := stream.Recv()
		if err != nil {
			t.Fatal(err)
		}
		acked, answers = m.Acked, append(answers, m.Answers...)
	}
	if len(answers) != 1 || answers[0].Item != 2 || answers[0].Error.GetKind() != "lost_lease" {
		t.Errorf("answers %v", answers)
	}
	if second[0].Key == first[0].Key {
		t.Error("a complete job was granted again")
	}
	if c := counts(t, ctx, conn); c.Complete != 1 || c.Running != 1 || c.Reserved != 3 {
		t.Errorf("after the reports: %v", c)
	}
	if err := stream.CloseSend(); err != nil {
		t.Fatal(err)
	}
	if _, err := stream.Recv(); !errors.Is(err, io.EOF) {
		t.Errorf("an orderly end is %v", err)
	}
}

// A session that waits gets jobs as they are added, and its worker is told when
// one of its jobs is cancelled.
func TestSessionWaitsAndIsToldToStop(t *testing.T) {
	s := testServer(t, nil)
	conn, ctx := dial(t, s), as(t, s.Token())
	stream := openWork(t, ctx, conn, 100, &v1.OpenSession{})
	addLines(t, ctx, conn, 1)
	got, _, _ := grants(t, stream, 1)
	if err := stream.Send(&v1.WorkSessionRequest{Id: 1, Reports: []*v1.Report{reportOf(got[0], v1.Report_start)}}); err != nil {
		t.Fatal(err)
	}
	if m, err := stream.Recv(); err != nil || m.Acked != 1 {
		t.Fatalf("%v, %v", m, err)
	}
	if _, err := v1.NewJobsClient(conn).CancelJobs(ctx, &v1.ChangeJobsRequest{All: true}); err != nil {
		t.Fatal(err)
	}
	if err := stream.Send(&v1.WorkSessionRequest{Id: 2, Reports: []*v1.Report{reportOf(got[0], v1.Report_renew)}}); err != nil {
		t.Fatal(err)
	}
	m, err := stream.Recv()
	if err != nil || len(m.Stops) != 1 || m.Stops[0].Why != "cancelled" || m.Stops[0].Seq != got[0].Seq {
		t.Fatalf("%v, %v", m, err)
	}
}

// A session whose connection was lost comes back: what it has it keeps, what
// never arrived is granted again at once; also when the server has not noticed
// the loss.
func TestSessionComesBack(t *testing.T) {
	for _, noticed := range []bool{true, false} {
		s := testServer(t, nil)
		conn, ctx := dial(t, s), as(t, s.Token())
		addLines(t, ctx, conn, 2)
		lost, lose := context.WithCancel(ctx)
		defer lose()
		open := func(held ...*v1.AttemptRef) *v1.OpenSession {
			return &v1.OpenSession{Session: "process 7", Held: held}
		}
		before, _, _ := grants(t, openWork(t, lost, conn, 2, open()), 2)
		if noticed {
			lose()
		}
		kept := &v1.AttemptRef{Epoch: before[0].Epoch, N: before[0].N, Seq: before[0].Seq}
		stream := openWork(t, ctx, dial(t, s), 1, open(kept))
		after, _, _ := grants(t, stream, 1)
		if after[0].Seq != before[1].Seq || after[0].N == before[1].N {
			t.Errorf("noticed %v: granted %v after %v", noticed, after, before)
		}
		if err := stream.Send(&v1.WorkSessionRequest{Id: 1, Reports: []*v1.Report{
			reportOf(before[0], v1.Report_complete), reportOf(after[0], v1.Report_complete),
		}}); err != nil {
			t.Fatal(err)
		}
		if m, err := stream.Recv(); err != nil || m.Acked != 1 || len(m.Answers) > 0 {
			t.Errorf("noticed %v: %v, %v", noticed, m, err)
		}
	}
}

func TestSessionsThatAreRefused(t *testing.T) {
	s := testServer(t, nil)
	conn, ctx := dial(t, s), as(t, s.Token())
	for name, m := range map[string]*v1.WorkSessionRequest{
		"no open":        {Credits: 1},
		"no worker":      {Open: &v1.OpenSession{}},
		"unknown form":   {Open: &v1.OpenSession{Worker: "w", Want: &v1.Want{Form: "sculpture"}}},
		"unknown action": {Open: &v1.OpenSession{Worker: "w"}, Reports: []*v1.Report{{Action: 99}}},
		"short lease":    {Open: &v1.OpenSession{Worker: "w", Lease: api.FromDuration(1)}, Credits: 1},
		"negative need":  {Open: &v1.OpenSession{Worker: "w", Want: &v1.Want{Capacity: map[string]int64{"cpu": -1}}}},
	} {
		stream, err := v1.NewWorkClient(conn).WorkSession(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if err := stream.Send(m); err != nil {
			t.Fatal(err)
		}
		if _, err := stream.Recv(); !job.IsKind(api.FromStatus(err), job.Invalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
