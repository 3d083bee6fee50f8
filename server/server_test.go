package server

import (
	"context"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"

	v1 "github.com/muster-queue/muster/api/muster/v1"
)

// testing.TB's context ends before cleanups; servers are stopped in those.
func testServer(t testing.TB, change func(*Config)) *Server {
	t.Helper()
	cfg := Config{Data: t.TempDir(), Listen: "127.0.0.1:0", Store: "memory:", Hold: -1}
	if change != nil {
		change(&cfg)
	}
	s, err := Start(context.Background(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Stop(-1, ErrStopped) })
	return s
}

// dial connects over memory.
func dial(t testing.TB, s *Server) *grpc.ClientConn {
	t.Helper()
	c, err := grpc.NewClient("passthrough:///memory", grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return s.Dial(ctx) }))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// as is a context with a token.
func as(t testing.TB, token string) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	t.Cleanup(cancel)
	return metadata.AppendToOutgoingContext(ctx, "authorization", "Bearer "+token)
}

func lineJob(line string) *v1.Job { return &v1.Job{Command: &v1.Command{Line: line}} }

func TestJobsAreAddedReservedAndCompleted(t *testing.T) {
	s := testServer(t, nil)
	conn, ctx := dial(t, s), as(t, s.Token())
	jobs, work := v1.NewJobsClient(conn), v1.NewWorkClient(conn)
	added, err := jobs.AddBatch(ctx, &v1.AddJobsRequest{Jobs: []*v1.Job{lineJob("true"), lineJob("false"), lineJob("true")}})
	if err != nil {
		t.Fatal(err)
	}
	if added.Added != 2 || added.Existed != 1 {
		t.Fatalf("added %v", added)
	}
	got, err := work.Reserve(ctx, &v1.ReserveRequest{Worker: "w", N: 10, Want: &v1.Want{Commands: true}})
	if err != nil {
		t.Fatal(err)
	}
	if len(got.Grants) != 2 || got.Grants[0].Job.Command.Line != "true" {
		t.Fatalf("granted %v", got)
	}
	g := got.Grants[0]
	said, err := work.Report(ctx, &v1.ReportRequest{Worker: "w", Items: true, Reports: []*v1.Report{
		{Epoch: g.Epoch, N: g.N, Seq: g.Seq, Action: v1.Report_complete, Result: &v1.Result{Exited: true}},
		{Epoch: g.Epoch, N: g.N + 99, Seq: g.Seq + 99, Action: v1.Report_complete},
	}})
	if err != nil {
		t.Fatal(err)
	}
	if said.Accepted != 1 || said.Answers[0].State != "complete" || said.Answers[1].Error.GetKind() != "lost_lease" {
		t.Fatalf("answers %v", said)
	}
	info, err := jobs.GetJob(ctx, &v1.GetJobRequest{Job: &v1.JobRef{Key: g.Key}, Output: true})
	if err != nil {
		t.Fatal(err)
	}
	if info.State != "complete" || info.Attempt.GetWorker() != "w" {
		t.Errorf("job %v", info)
	}
	counts, err := jobs.CountJobs(ctx, &v1.CountJobsRequest{})
	if err != nil {
		t.Fatal(err)
	}
	if counts.Total.Complete != 1 || counts.Total.Reserved != 1 {
		t.Errorf("counts %v", counts)
	}
}

// request sends an HTTP request and returns the status and the body.
func request(t testing.TB, s *Server, method, path, token, body string) (int, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, "http://"+s.Where().HTTPAddress+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	a, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer a.Body.Close()
	b, err := io.ReadAll(a.Body)
	if err != nil {
		t.Fatal(err)
	}
	return a.StatusCode, string(b)
}
