package worker

import (
	"context"
	"log/slog"
	"net"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/test/bufconn"

	"github.com/muster-queue/muster/api"
	musterv1 "github.com/muster-queue/muster/api/muster/v1"
	"github.com/muster-queue/muster/client"
	"github.com/muster-queue/muster/job"
)

// fake is a server over memory, for virtual time: it grants what a test lays out
// and notes what is reported.
type fake struct {
	musterv1.UnimplementedWorkServer
	musterv1.UnimplementedQueuesServer
	musterv1.UnimplementedWorkersServer
	begin time.Time

	mu      sync.Mutex
	queues  []*job.Queue
	grants  []*musterv1.Grant
	noted   []note
	answers map[musterv1.Report_Action]*musterv1.ReportAnswer
	down    bool // reports are not answered
	there   map[string]int
}

// note is a report, and when it came.
type note struct {
	at     time.Duration
	action musterv1.Report_Action
	report *musterv1.Report
}

// bubble runs a test in virtual time with a fake server.
func bubble(t *testing.T, test func(t *testing.T, f *fake, c *client.Client)) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{begin: time.Now(), answers: map[musterv1.Report_Action]*musterv1.ReportAnswer{}, there: map[string]int{}}
		listener := bufconn.Listen(1 << 16)
		server := grpc.NewServer()
		musterv1.RegisterWorkServer(server, f)
		musterv1.RegisterQueuesServer(server, f)
		musterv1.RegisterWorkersServer(server, f)
		go func() { _ = server.Serve(listener) }()
		c, err := client.New(client.Config{
			Address: "memory", Dialer: func(ctx context.Context, _ string) (net.Conn, error) { return listener.DialContext(ctx) },
		})
		if err != nil {
			t.Fatal(err)
		}
		test(t, f, c)
		_ = c.Close()
		server.Stop()
	})
}

func (f *fake) ListQueues(context.Context, *musterv1.ListQueuesRequest) (*musterv1.ListQueuesResponse, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	m := &musterv1.ListQueuesResponse{}
	for _, q := range f.queues {
		m.Queues = append(m.Queues, &musterv1.QueueInfo{Queue: api.FromQueue(q)})
	}
	return m, nil
}

func (f *fake) Reserve(ctx context.Context, r *musterv1.ReserveRequest) (*musterv1.ReserveResponse, error) {
	f.mu.Lock()
	n := min(int(r.N), len(f.grants))
	m := &musterv1.ReserveResponse{Grants: f.grants[:n]}
	f.grants = f.grants[n:]
	f.mu.Unlock()
	if n == 0 {
		pause(ctx, r.Wait.AsDuration())
	}
	return m, nil
}

func (f *fake) Report(ctx context.Context, r *musterv1.ReportRequest) (*musterv1.ReportResponse, error) {
	f.mu.Lock()
	down := f.down
	f.mu.Unlock()
	if down {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	m := &musterv1.ReportResponse{}
	for i, report := range r.Reports {
		f.noted = append(f.noted, note{time.Since(f.begin), report.Action, report})
		answer := &musterv1.ReportAnswer{Item: uint64(i + 1)}
		if a := f.answers[report.Action]; a != nil {
			answer.Error, answer.Stopping = a.Error, a.Stopping
		}
		m.Answers = append(m.Answers, answer)
	}
	return m, nil
}

func (f *fake) AnnounceWorker(_ context.Context, r *musterv1.AnnounceWorkerRequest) (*musterv1.AnnounceWorkerResponse, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if r.Leave {
		f.there["left"]++
	} else {
		f.there["there"]++
	}
	return &musterv1.AnnounceWorkerResponse{}, nil
}

func (f *fake) set(change func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	change()
}

// grant lays out a job of the queue q.
func (f *fake) grant(key string, lease, limit time.Duration) {
	j := &job.Job{Queue: "q", Key: job.Key(key), Data: []byte{0xa0}, Time: limit}
	body, err := job.Encode(nil, j)
	if err != nil {
		panic(err)
	}
	f.set(func() {
		f.queues = []*job.Queue{{Name: "q", Runtime: "go"}}
		f.grants = append(f.grants, &musterv1.Grant{
			Epoch: 1, N: uint64(len(f.grants) + 1), Seq: 1, Number: 1, Lease: int64(lease), Encoded: body,
		})
	})
}

// times are when reports of an action came, in order.
func (f *fake) times(action musterv1.Report_Action) []time.Duration {
	f.mu.Lock()
	defer f.mu.Unlock()
	var at []time.Duration
	for _, n := range f.noted {
		if n.action == action {
			at = append(at, n.at)
		}
	}
	return at
}

// start runs a worker with one function; stop ends it and gives what Run returned.
func start(t *testing.T, cfg Config, f Func) (stop func() error) {
	t.Helper()
	cfg.Logger = slog.New(slog.DiscardHandler)
	w, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	w.Handle("q", f)
	ctx, end := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- w.Run(ctx) }()
	return func() error {
		end()
		return <-ended
	}
}
