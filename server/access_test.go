package server

import (
	"context"
	"slices"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/dynamicpb"

	"github.com/muster-queue/muster/api"
	v1 "github.com/muster-queue/muster/api/muster/v1"
	"github.com/muster-queue/muster/job"
	"github.com/muster-queue/muster/server/token"
)

// methods are all methods of the contract.
func methods(t testing.TB) map[string]protoreflect.MethodDescriptor {
	t.Helper()
	all := map[string]protoreflect.MethodDescriptor{}
	protoregistry.GlobalFiles.RangeFilesByPackage("muster.v1", func(f protoreflect.FileDescriptor) bool {
		for i := range f.Services().Len() {
			s := f.Services().Get(i)
			for k := range s.Methods().Len() {
				m := s.Methods().Get(k)
				all["/"+string(s.FullName())+"/"+string(m.Name())] = m
			}
		}
		return true
	})
	return all
}

func TestAccessTableIsComplete(t *testing.T) {
	all := methods(t)
	if len(all) < 40 {
		t.Fatalf("only %d methods were found", len(all))
	}
	for name := range all {
		if len(access[name]) == 0 {
			t.Errorf("%s: nobody may call it", name)
		}
		if !slices.Contains(access[name], token.Admin) {
			t.Errorf("%s: not even an admin may call it", name)
		}
		if public[name] {
			t.Errorf("%s needs no token", name)
		}
	}
	for name := range access {
		if all[name] == nil {
			t.Errorf("%s is in the table, not in the contract", name)
		}
	}
}

// secretOf makes a token on the server.
func secretOf(t testing.TB, s *Server, tok token.Token) string {
	t.Helper()
	_, secret, err := s.tokens.Create(tok, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	return secret
}

// try calls a method with an empty request and returns the kind of its error;
// none is false.
func try(ctx context.Context, conn *grpc.ClientConn, name string, m protoreflect.MethodDescriptor) (job.ErrorKind, bool) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	desc := &grpc.StreamDesc{ServerStreams: true, ClientStreams: true}
	stream, err := conn.NewStream(ctx, desc, name)
	if err == nil {
		_ = stream.SendMsg(dynamicpb.NewMessage(m.Input()))
		_ = stream.CloseSend()
		err = stream.RecvMsg(dynamicpb.NewMessage(m.Output()))
	}
	if err == nil || err.Error() == "EOF" {
		return 0, false
	}
	return job.KindOf(api.FromStatus(err)), true
}

// Every role calls every method: it is let through, or denied, as the table says,
// and the denial comes before anything else is looked at.
func TestRolesTimesMethods(t *testing.T) {
	s := testServer(t, nil)
	conn := dial(t, s)
	for name, m := range methods(t) {
		if name == v1.Server_Shutdown_FullMethodName {
			continue // it would
		}
		for _, role := range token.Roles {
			secret := secretOf(t, s, token.Token{Role: role})
			kind, failed := try(as(t, secret), conn, name, m)
			denied := failed && kind == job.Denied
			if allowed := slices.Contains(access[name], role); denied == allowed {
				t.Errorf("%s as %s: denied %v (%v)", name, role, denied, kind)
			}
			if failed && (kind == job.Internal || kind == job.Unimplemented) {
				t.Errorf("%s as %s: %v", name, role, kind)
			}
		}
		for what, ctx := range map[string]context.Context{
			"no token":    t.Context(),
			"wrong token": as(t, "0123456789abcdef.0123456789012345678901234567890123456789012"),
		} {
			if kind, failed := try(ctx, conn, name, m); !failed || kind != job.Unauthenticated {
				t.Errorf("%s with %s: %v", name, what, kind)
			}
		}
	}
}

// A token of one namespace is refused for every other, by every method that
// names one.
func TestNamespacesAreKeptApart(t *testing.T) {
	s := testServer(t, nil)
	conn := dial(t, s)
	if err := s.engine.CreateNamespace(t.Context(), "mine"); err != nil {
		t.Fatal(err)
	}
	ctx := as(t, secretOf(t, s, token.Token{Role: token.Admin, Namespace: "mine"}))
	for name, m := range methods(t) {
		field := m.Input().Fields().ByName("namespace")
		if field == nil || name == v1.Tokens_CreateToken_FullMethodName {
			continue
		}
		in := dynamicpb.NewMessage(m.Input())
		in.Set(field, protoreflect.ValueOfString(job.DefaultNamespace))
		stream, err := conn.NewStream(ctx, &grpc.StreamDesc{ServerStreams: true, ClientStreams: true}, name)
		if err != nil {
			t.Fatal(err)
		}
		_ = stream.SendMsg(in)
		_ = stream.CloseSend()
		err = stream.RecvMsg(dynamicpb.NewMessage(m.Output()))
		if !job.IsKind(api.FromStatus(err), job.Denied) {
			t.Errorf("%s: %v", name, err)
		}
	}
	jobs := v1.NewJobsClient(conn)
	if _, err := jobs.AddBatch(ctx, &v1.AddJobsRequest{Jobs: []*v1.Job{lineJob("true")}}); err != nil {
		t.Fatal(err)
	}
	info, err := v1.NewNamespacesClient(conn).GetNamespace(ctx, &v1.GetNamespaceRequest{})
	if err != nil || info.Name != "mine" || info.Counts.Ready != 1 {
		t.Errorf("without a name: %v, %v", info, err)
	}
	list, err := v1.NewNamespacesClient(conn).ListNamespaces(ctx, &v1.ListNamespacesRequest{})
	if err != nil || !slices.Equal(list.Namespaces, []string{"mine"}) {
		t.Errorf("listed: %v, %v", list, err)
	}
	made, err := v1.NewTokensClient(conn).CreateToken(ctx, &v1.CreateTokenRequest{Role: "reader"})
	if err != nil || made.Token.Namespace != "mine" {
		t.Errorf("made: %v, %v", made, err)
	}
}

func TestAccountsOfTokens(t *testing.T) {
	s := testServer(t, nil)
	jobs := v1.NewJobsClient(dial(t, s))
	ctx := as(t, secretOf(t, s, token.Token{Role: token.Submitter, Account: "physics"}))
	if _, err := jobs.AddBatch(ctx, &v1.AddJobsRequest{Jobs: []*v1.Job{lineJob("a")}}); err != nil {
		t.Fatal(err)
	}
	list, err := jobs.ListJobs(ctx, &v1.ListJobsRequest{})
	if err != nil || list.Jobs[0].Job.Account != "physics" {
		t.Errorf("charged: %v, %v", list, err)
	}
	other := lineJob("b")
	other.Account = "chemistry"
	if _, err := jobs.AddBatch(ctx, &v1.AddJobsRequest{Jobs: []*v1.Job{other}}); !job.IsKind(api.FromStatus(err), job.Denied) {
		t.Errorf("another account: %v", err)
	}
	_, err = jobs.ModifyJobs(ctx, &v1.ModifyJobsRequest{All: true, Changes: &v1.Job{Account: "chemistry"}})
	if !job.IsKind(api.FromStatus(err), job.Denied) {
		t.Errorf("changed to another account: %v", err)
	}
}

func TestReadersDoNotSeeEnvironments(t *testing.T) {
	s := testServer(t, nil)
	conn := dial(t, s)
	content, digest, err := api.Environment([]string{"PASSWORD=secret"})
	if err != nil {
		t.Fatal(err)
	}
	admin := as(t, s.Token())
	if _, err := v1.NewEnvironmentsClient(conn).PutEnvironment(admin, &v1.PutEnvironmentRequest{Content: content}); err != nil {
		t.Fatal(err)
	}
	j := lineJob("env")
	j.Command.EnvId = digest
	jobs := v1.NewJobsClient(conn)
	if _, err := jobs.AddBatch(admin, &v1.AddJobsRequest{Jobs: []*v1.Job{j}}); err != nil {
		t.Fatal(err)
	}
	got, err := jobs.ListJobs(admin, &v1.ListJobsRequest{Environment: true})
	if err != nil || !slices.Equal(got.Jobs[0].Environment, []string{"PASSWORD=secret"}) {
		t.Errorf("an admin sees %v, %v", got, err)
	}
	reader := as(t, secretOf(t, s, token.Token{Role: token.Reader}))
	for _, ask := range []func() (proto.Message, error){
		func() (proto.Message, error) {
			return jobs.ListJobs(reader, &v1.ListJobsRequest{Environment: true})
		},
		func() (proto.Message, error) {
			return jobs.ListOutcomes(reader, &v1.ListOutcomesRequest{Environment: true})
		},
		func() (proto.Message, error) {
			return jobs.GetJob(reader, &v1.GetJobRequest{Job: &v1.JobRef{Id: got.Jobs[0].Id}, Environment: true})
		},
	} {
		if m, err := ask(); !job.IsKind(api.FromStatus(err), job.Denied) {
			t.Errorf("a reader sees %v, %v", m, err)
		}
	}
}

// A stream ends with its token: at once when that is revoked, in time when it
// expires.
func TestStreamsEndWithTheirToken(t *testing.T) {
	s := testServer(t, nil)
	conn := dial(t, s)
	jobs, tokens := v1.NewJobsClient(conn), v1.NewTokensClient(conn)
	admin := as(t, s.Token())
	for _, lifetime := range []time.Duration{0, time.Second} {
		made, err := tokens.CreateToken(admin, &v1.CreateTokenRequest{Role: "reader", Lifetime: api.FromDuration(lifetime)})
		if err != nil {
			t.Fatal(err)
		}
		stream, err := jobs.WatchJobs(as(t, made.Secret), &v1.WatchJobsRequest{})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := stream.Recv(); err != nil {
			t.Fatal(err)
		}
		if lifetime == 0 {
			if _, err := tokens.RevokeToken(admin, &v1.RevokeTokenRequest{Id: made.Token.Id}); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := stream.Recv(); !job.IsKind(api.FromStatus(err), job.Unauthenticated) {
			t.Errorf("lifetime %v: ended with %v", lifetime, err)
		}
	}
}

func TestRequestRate(t *testing.T) {
	r := newRates(10)
	for range 10 {
		if err := r.take("a"); err != nil {
			t.Fatal(err)
		}
	}
	err := r.take("a")
	var e *job.Error
	if !job.IsKind(err, job.Exhausted) {
		t.Fatalf("the eleventh: %v", err)
	}
	if e, _ = err.(*job.Error); e.RetryAfter <= 0 || e.RetryAfter > 100*time.Millisecond {
		t.Errorf("retry after %v", e.RetryAfter)
	}
	if err := r.take("b"); err != nil {
		t.Errorf("another token: %v", err)
	}
}
