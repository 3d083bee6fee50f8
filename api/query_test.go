package api_test

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/test/bufconn"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"

	"github.com/muster-queue/muster/api"
	musterv1 "github.com/muster-queue/muster/api/muster/v1"
)

// recorder answers calls and keeps what arrived.
type recorder struct {
	musterv1.UnimplementedJobsServer
	got proto.Message
	err error
}

func (r *recorder) ListJobs(_ context.Context, m *musterv1.ListJobsRequest) (*musterv1.ListJobsResponse, error) {
	r.got = m
	return &musterv1.ListJobsResponse{NextPageToken: "more"}, api.Status(r.err)
}

func (r *recorder) GetJob(_ context.Context, m *musterv1.GetJobRequest) (*musterv1.JobInfo, error) {
	r.got = m
	return &musterv1.JobInfo{}, api.Status(r.err)
}

func (r *recorder) AddBatch(_ context.Context, m *musterv1.AddJobsRequest) (*musterv1.AddJobsResponse, error) {
	r.got = m
	return &musterv1.AddJobsResponse{Added: int64(len(m.Jobs))}, api.Status(r.err)
}

// face is the HTTP face of a server that records.
func face(t *testing.T) (*recorder, string) {
	t.Helper()
	r := &recorder{}
	lis := bufconn.Listen(1 << 20)
	s := grpc.NewServer()
	musterv1.RegisterJobsServer(s, r)
	go func() { _ = s.Serve(lis) }()
	t.Cleanup(s.Stop)
	conn, err := grpc.NewClient("passthrough:test", grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return lis.DialContext(ctx) }))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	mux := runtime.NewServeMux(api.WithQuery(), runtime.WithUnescapingMode(runtime.UnescapingModeAllCharacters))
	if err := musterv1.RegisterJobsHandler(t.Context(), mux, conn); err != nil {
		t.Fatal(err)
	}
	web := httptest.NewServer(mux)
	t.Cleanup(web.Close)
	return r, web.URL
}

func ask(t *testing.T, method, url, body string) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(text)
}

func TestHTTPMapping(t *testing.T) {
	r, url := face(t)
	three := int32(3)
	for _, c := range []struct {
		method, path, body string
		want               proto.Message
	}{
		{"GET", "/v1/namespaces/default/jobs?state=buried&state=lost&group=g&exit_code=3&page_size=7", "", &musterv1.ListJobsRequest{
			Namespace: "default", PageSize: 7, Filter: &musterv1.Filter{States: []string{"buried", "lost"}, Group: "g", ExitCode: &three},
		}},
		{"GET", "/v1/namespaces/default/jobs?filter.states=ready", "", &musterv1.ListJobsRequest{
			Namespace: "default", Filter: &musterv1.Filter{States: []string{"ready"}},
		}},
		{"POST", "/v1/namespaces/default/jobs:list", `{"jobs":[{"key":"k"}]}`, &musterv1.ListJobsRequest{
			Namespace: "default", Jobs: []*musterv1.JobRef{{Key: "k"}},
		}},
		{"GET", "/v1/namespaces/n/jobs/q/a%2Fb/c%20d:e?output=true", "", &musterv1.GetJobRequest{
			Namespace: "n", Output: true, Job: &musterv1.JobRef{Queue: "q", Key: "a/b/c d:e"},
		}},
		{"GET", "/v1/namespaces/n/jobs/q/base64:_w", "", &musterv1.GetJobRequest{
			Namespace: "n", Job: &musterv1.JobRef{Queue: "q", Key: "base64:_w"},
		}},
		{"GET", "/v1/namespaces/n/jobs/0123456789abcdef0123456789abcdef", "", &musterv1.GetJobRequest{
			Namespace: "n", Job: &musterv1.JobRef{Id: "0123456789abcdef0123456789abcdef"},
		}},
		{"POST", "/v1/namespaces/n/jobs", `{"jobs":[{"command":{"line":"echo hi"},"needs":{"mem":1024},"time":"90s"}]}`, &musterv1.AddJobsRequest{
			Namespace: "n", Jobs: []*musterv1.Job{{
				Command: &musterv1.Command{Line: "echo hi"}, Needs: map[string]int64{"mem": 1024}, Time: api.FromDuration(90e9),
			}},
		}},
	} {
		r.got = nil
		status, body := ask(t, c.method, url+c.path, c.body)
		if status != 200 {
			t.Errorf("%s %s: %d %s", c.method, c.path, status, body)
			continue
		}
		if d := cmp.Diff(c.want, r.got, protocmp.Transform()); d != "" {
			t.Errorf("%s %s (-want +got):\n%s", c.method, c.path, d)
		}
	}
}

func TestUnknownQueryParameters(t *testing.T) {
	_, url := face(t)
	for query, want := range map[string]string{"sate=buried": "sate", "filter.sate=x": "sate", "page_size=many": "many"} {
		status, body := ask(t, "GET", url+"/v1/namespaces/n/jobs?"+query, "")
		if status != http.StatusBadRequest || !strings.Contains(body, want) {
			t.Errorf("%s: %d %s; want 400 that names %s", query, status, body, want)
		}
	}
}
