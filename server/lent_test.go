package server

import (
	"testing"

	"google.golang.org/grpc"

	v1 "github.com/muster-queue/muster/api/muster/v1"
	"github.com/muster-queue/muster/job"
	"github.com/muster-queue/muster/server/token"
)

// lent reserves a job that emulates Slurm and is paid by an account, and gives the token
// that it is lent, and what ends its attempt.
func lent(t *testing.T, s *Server, conn *grpc.ClientConn) (secret string, grant *v1.Grant, end func()) {
	t.Helper()
	ctx, work := as(t, s.Token()), v1.NewWorkClient(conn)
	j := lineJob("head")
	j.Command.Emulate, j.Account = job.Slurm, "physics"
	if _, err := v1.NewJobsClient(conn).AddBatch(ctx, &v1.AddJobsRequest{Jobs: []*v1.Job{j}}); err != nil {
		t.Fatal(err)
	}
	got, err := work.Reserve(ctx, &v1.ReserveRequest{Worker: "w", Want: &v1.Want{Commands: true}})
	if err != nil || len(got.Grants) != 1 {
		t.Fatalf("%v, %v", got, err)
	}
	g := got.Grants[0]
	r, err := v1.NewSecretsClient(conn).RevealSecrets(ctx, &v1.RevealSecretsRequest{Epoch: g.Epoch, N: g.N, Seq: g.Seq})
	if err != nil || !token.IsLent(r.Token) {
		t.Fatalf("%v, %v", r, err)
	}
	return r.Token, g, func() {
		said, err := work.Report(ctx, &v1.ReportRequest{Worker: "w", Reports: []*v1.Report{
			{Epoch: g.Epoch, N: g.N, Seq: g.Seq, Action: v1.Report_complete, Result: &v1.Result{Exited: true}},
		}})
		if err != nil || said.Accepted != 1 {
			t.Fatalf("%v, %v", said, err)
		}
	}
}

func TestTokensAreLentToHeldAttempts(t *testing.T) {
	s := testServer(t, nil)
	conn := dial(t, s)
	if _, err := v1.NewAccountsClient(conn).AddAccount(as(t, s.Token()), &v1.AddAccountRequest{Account: &v1.Account{Name: "physics"}}); err != nil {
		t.Fatal(err)
	}
	secret, g, end := lent(t, s, conn)
	ctx, jobs := as(t, secret), v1.NewJobsClient(conn)
	if _, err := jobs.AddBatch(ctx, &v1.AddJobsRequest{Jobs: []*v1.Job{lineJob("child")}}); err != nil {
		t.Errorf("it adds: %v", err)
	}
	child, err := jobs.GetJob(ctx, &v1.GetJobRequest{Job: &v1.JobRef{Seq: g.Seq + 1}})
	if err != nil || child.Job.GetAccount() != "physics" {
		t.Errorf("what it added is paid by %q, %v", child.GetJob().GetAccount(), err)
	}
	other := lineJob("other")
	other.Account = "chemistry"
	for name, try := range map[string]func() error{
		"another account": func() error {
			_, err := jobs.AddBatch(ctx, &v1.AddJobsRequest{Jobs: []*v1.Job{other}})
			return err
		},
		"another namespace": func() error {
			_, err := jobs.CountJobs(ctx, &v1.CountJobsRequest{Namespace: "other"})
			return err
		},
		"an operator's call": func() error {
			_, err := v1.NewServerClient(conn).Drain(ctx, &v1.DrainRequest{})
			return err
		},
		"a worker's call": func() error {
			_, err := v1.NewSecretsClient(conn).RevealSecrets(ctx, &v1.RevealSecretsRequest{Epoch: g.Epoch, N: g.N, Seq: g.Seq})
			return err
		},
	} {
		if err := try(); kindOf(err) != job.Denied {
			t.Errorf("%s: %v", name, err)
		}
	}
	if all, err := v1.NewTokensClient(conn).ListTokens(as(t, s.Token()), &v1.ListTokensRequest{}); err != nil || len(all.Tokens) != 1 {
		t.Errorf("it is listed: %v, %v", all, err)
	}
	end()
	if _, err := jobs.CountJobs(ctx, &v1.CountJobsRequest{}); kindOf(err) != job.Unauthenticated {
		t.Errorf("after the end: %v", err)
	}
	watch, err := jobs.WatchJobs(ctx, &v1.WatchJobsRequest{})
	if err == nil {
		_, err = watch.Recv()
	}
	if kindOf(err) != job.Unauthenticated {
		t.Errorf("a stream after the end: %v", err)
	}
}

// A stream of a caller with a lent token ends with the attempt, and a server that was
// started again knows the token.
func TestLentTokensOutliveTheServerAndStreamsDoNotOutliveThem(t *testing.T) {
	cfg := Config{Data: t.TempDir(), Listen: "127.0.0.1:0"}
	first := start(t, cfg)
	if _, err := v1.NewAccountsClient(dial(t, first)).AddAccount(as(t, first.Token()), &v1.AddAccountRequest{Account: &v1.Account{Name: "physics"}}); err != nil {
		t.Fatal(err)
	}
	secret, g, _ := lent(t, first, dial(t, first))
	first.Stop(-1, ErrStopped)

	s := start(t, cfg)
	conn := dial(t, s)
	watch, err := v1.NewJobsClient(conn).WatchJobs(as(t, secret), &v1.WatchJobsRequest{})
	if err == nil {
		_, err = v1.NewJobsClient(conn).CountJobs(as(t, secret), &v1.CountJobsRequest{})
	}
	if err != nil {
		t.Fatalf("after a restart: %v", err)
	}
	said, err := v1.NewWorkClient(conn).Report(as(t, s.Token()), &v1.ReportRequest{Worker: "w", Reports: []*v1.Report{
		{Epoch: g.Epoch, N: g.N, Seq: g.Seq, Action: v1.Report_complete, Result: &v1.Result{Exited: true}},
	}})
	if err != nil || said.Accepted != 1 {
		t.Fatalf("%v, %v", said, err)
	}
	for err == nil { // what happened before the end of the stream
		_, err = watch.Recv()
	}
	if kindOf(err) != job.Unauthenticated {
		t.Errorf("the stream ended with %v", err)
	}
}

func TestFullBucketsAreDropped(t *testing.T) {
	r := newRates(10)
	for i := range 3 * minSweep {
		if err := r.take(string(rune(i))); err != nil {
			t.Fatal(err)
		}
	}
	for _, b := range r.buckets {
		b.at = b.at.Add(-2 * lentCheck)
	}
	r.sweep = len(r.buckets)
	if err := r.take("one more"); err != nil || len(r.buckets) != 1 {
		t.Errorf("%d buckets, %v", len(r.buckets), err)
	}
}
