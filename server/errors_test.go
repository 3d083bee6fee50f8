package server

import (
	"context"
	"errors"
	"net/http/httptest"
	"strings"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/encoding/protojson"

	"github.com/muster-queue/muster/api"
	v1 "github.com/muster-queue/muster/api/muster/v1"
	"github.com/muster-queue/muster/job"
	"github.com/muster-queue/muster/store"
	"github.com/muster-queue/muster/store/memory"
)

// Every kind of error arrives as that kind, over gRPC and over HTTP.
func TestEveryKindOfErrorArrives(t *testing.T) {
	for k := job.Internal; k <= job.NoSpace; k++ {
		err := &job.Error{Kind: k, Op: "do", Subject: "it", Err: job.Errorf(k, "for a reason"), RetryAfter: 1500e6}
		over := api.FromStatus(api.Status(err))
		if !job.IsKind(over, k) || over.Error() != "do it: for a reason" {
			t.Errorf("%v over gRPC: %v (%v)", k, over, job.KindOf(over))
		}
		w := httptest.NewRecorder()
		writeError(w, fromGateway(api.Status(err)))
		var m v1.Error
		if bad := protojson.Unmarshal(w.Body.Bytes(), &m); bad != nil {
			t.Fatal(bad)
		}
		if w.Code != k.HTTPStatus() || m.Kind != k.String() || m.Message != "do it: for a reason" || w.Header().Get("Retry-After") != "2" {
			t.Errorf("%v over HTTP: %d %v %v", k, w.Code, &m, w.Header())
		}
	}
}

// A defect in one answer is an internal error for its caller, and no more.
func TestPanicsAreContained(t *testing.T) {
	s := testServer(t, nil)
	info := &grpc.UnaryServerInfo{FullMethod: "/grpc.health.v1.Health/Check"}
	_, err := s.unary(t.Context(), nil, info, func(context.Context, any) (any, error) { panic("oh") })
	if !job.IsKind(api.FromStatus(err), job.Internal) || strings.Contains(err.Error(), "oh") {
		t.Errorf("got %v", err)
	}
	err = s.stream(nil, nil, &grpc.StreamServerInfo{FullMethod: info.FullMethod}, func(any, grpc.ServerStream) error { panic("oh") })
	if !job.IsKind(api.FromStatus(err), job.Internal) {
		t.Errorf("got %v", err)
	}
	add(t, s, "true")
}

func TestMessagesAreBounded(t *testing.T) {
	s := testServer(t, func(c *Config) { c.MaxMessage = 8 << 10 })
	jobs, ctx := v1.NewJobsClient(dial(t, s)), as(t, s.Token())
	m := &v1.AddJobsRequest{Jobs: []*v1.Job{lineJob(strings.Repeat("x", 16<<10))}}
	if _, err := jobs.AddBatch(ctx, m); !job.IsKind(api.FromStatus(err), job.Exhausted) || !strings.Contains(err.Error(), "larger than max") {
		t.Errorf("a large message: %v", err)
	}
	add(t, s, "true")
	many := &v1.AddJobsRequest{Jobs: make([]*v1.Job, maxBatch+1)}
	if _, err := newBatch(many, ""); !job.IsKind(err, job.Invalid) {
		t.Errorf("many jobs: %v", err)
	}
}

// When as many requests are being answered as may, others are told when to come
// again; workers' reports are never among those.
func TestRequestsInFlightAreBounded(t *testing.T) {
	s := testServer(t, func(c *Config) { c.MaxInFlight = 1 })
	conn, ctx := dial(t, s), as(t, s.Token())
	s.places <- struct{}{}
	_, err := v1.NewJobsClient(conn).CountJobs(ctx, &v1.CountJobsRequest{})
	var e *job.Error
	if !errors.As(api.FromStatus(err), &e) || e.Kind != job.Exhausted || e.RetryAfter != busyRetry {
		t.Errorf("a request: %v", err)
	}
	if _, err := v1.NewWorkClient(conn).Report(ctx, &v1.ReportRequest{Worker: "w"}); err != nil {
		t.Errorf("a report: %v", err)
	}
	<-s.places
	add(t, s, "true")
}

// fullStore is a store whose disk is full.
type fullStore struct{ store.Store }

func (fullStore) Health() error { return job.ErrNoSpace }

func TestFullDisk(t *testing.T) {
	s := testServer(t, func(c *Config) {
		c.OpenStore = func() (store.Store, error) { return fullStore{memory.New()}, nil }
	})
	_, err := v1.NewJobsClient(dial(t, s)).AddBatch(as(t, s.Token()), &v1.AddJobsRequest{Jobs: []*v1.Job{lineJob("true")}})
	if !job.IsKind(api.FromStatus(err), job.NoSpace) {
		t.Errorf("adding: %v", err)
	}
	if code, body := request(t, s, "GET", "/healthz", "", ""); code != 507 || !strings.Contains(body, "no_space") {
		t.Errorf("health: %d %s", code, body)
	}
	if code, _ := request(t, s, "GET", "/v1/namespaces/default/counts", s.Token(), ""); code != 200 {
		t.Errorf("counting: %d", code)
	}
	if code, body := request(t, s, "GET", "/v1/server/stats", s.Token(), ""); code != 200 || !strings.Contains(body, "disk") {
		t.Errorf("stats: %d %s", code, body)
	}
}
