package agent_test

import (
	"context"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/test/bufconn"

	"github.com/muster-queue/muster/agent"
	v1 "github.com/muster-queue/muster/api/muster/v1"
	"github.com/muster-queue/muster/client"
	"github.com/muster-queue/muster/job"
)

// director is a server that does what a test says: it hands out attempts and stops
// them, and passes on what the agent reports.
type director struct {
	v1.UnimplementedAgentsServer
	t       *testing.T
	dir     string
	stream  chan v1.Agents_AttachServer
	to      v1.Agents_AttachServer
	reports chan *v1.Report

	mu    sync.Mutex
	clock int64
	// ahead marks what is assigned as sent ahead; wanted is how much the agent said
	// it would like to have so.
	ahead  bool
	wanted uint32
}

// direct starts an agent on a director.
func direct(t *testing.T, cfg agent.Config) *director {
	t.Helper()
	d := &director{t: t, dir: t.TempDir(), stream: make(chan v1.Agents_AttachServer), reports: make(chan *v1.Report, 100)}
	listener := bufconn.Listen(1 << 16)
	server := grpc.NewServer()
	v1.RegisterAgentsServer(server, d)
	go func() { _ = server.Serve(listener) }()
	c, err := client.New(client.Config{
		Address: "memory", Dialer: func(ctx context.Context, _ string) (net.Conn, error) { return listener.DialContext(ctx) },
	})
	if err != nil {
		t.Fatal(err)
	}
	cfg.Client, cfg.Dir, cfg.Capacity = c, filepath.Join(d.dir, "agent"), job.Resources{job.CPU: 4000}
	a, err := agent.New(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- a.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		if err := a.Close(); err != nil {
			t.Error(err)
		}
		_ = c.Close()
		server.Stop()
	})
	d.to = <-d.stream
	return d
}

// Attach welcomes the agent and acknowledges its reports.
func (d *director) Attach(stream v1.Agents_AttachServer) error {
	m, err := stream.Recv()
	if err != nil {
		return err
	}
	d.heard(m.Hello.Clock, m.Hello.Prefetch)
	if err := stream.Send(&v1.AttachResponse{Welcome: &v1.Welcome{Worker: "w", Epoch: 1}}); err != nil {
		return err
	}
	d.stream <- stream
	for {
		for _, r := range m.Reports {
			d.reports <- r
			if err := d.send(&v1.AttachResponse{Acked: []uint64{r.Id}}); err != nil {
				return err
			}
		}
		if m, err = stream.Recv(); err != nil {
			return nil //nolint:nilerr // the agent has left
		}
		if m.Heartbeat != nil {
			d.heard(m.Heartbeat.Clock, m.Heartbeat.Prefetch)
		}
	}
}

func (d *director) heard(clock int64, wanted uint32) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.clock, d.wanted = clock, wanted
}

func (d *director) send(m *v1.AttachResponse) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.to.Send(m)
}

// assign gives the agent attempt n of a job.
func (d *director) assign(n uint64, c *job.Command) {
	d.t.Helper()
	j := &job.Job{Key: "victim", Command: c}
	j.Normalise()
	body, err := job.Encode(nil, j)
	if err != nil {
		d.t.Fatal(err)
	}
	d.mu.Lock()
	g := &v1.Grant{
		Epoch: 1, N: n, Seq: 7, Number: uint32(n), Lease: int64(time.Minute), Clock: d.clock, Queue: "default",
		Encoded: body, Needs: map[string]int64{job.CPU: 4000}, Prefetched: d.ahead,
	}
	d.mu.Unlock()
	if err := d.send(&v1.AttachResponse{Assign: []*v1.Grant{g}}); err != nil {
		d.t.Fatal(err)
	}
}

// preempt tells the agent to make room.
func (d *director) preempt(n uint64) {
	d.t.Helper()
	stop := &v1.Stop{Epoch: 1, N: n, Seq: 7, Why: job.MarkPreempted.String()}
	if err := d.send(&v1.AttachResponse{Stops: []*v1.Stop{stop, stop}}); err != nil { // a repeat changes nothing
		d.t.Fatal(err)
	}
}

// end is the next report that is not of a start.
func (d *director) end() *v1.Report {
	d.t.Helper()
	limit := time.After(30 * time.Second)
	for {
		select {
		case r := <-d.reports:
			if r.Action != v1.Report_start {
				return r
			}
		case <-limit:
			d.t.Fatal("nothing is reported")
		}
	}
}

// TestStuckIsGivenBack: what was sent ahead, for commands were short, and then waits
// behind a long one, is given back, and no more is asked for.
func TestStuckIsGivenBack(t *testing.T) {
	d := direct(t, agent.Config{})
	dir := t.TempDir()
	d.assign(1, &job.Command{Line: "true", Dir: dir, DirGiven: true})
	if r := d.end(); r.Action != v1.Report_complete {
		t.Fatalf("%+v", r)
	}
	d.assign(2, &job.Command{Line: "touch begun; exec sleep 600", Dir: dir, DirGiven: true, Grace: time.Second})
	awaitFile(t, filepath.Join(dir, "begun"))
	began := time.Now()
	d.ahead = true
	d.assign(3, &job.Command{Line: "touch third", Dir: dir, DirGiven: true})
	if r := d.end(); r.N != 3 || r.Action != v1.Report_give_back {
		t.Errorf("reported %v of attempt %d, want the third to be given back", r.Action, r.N)
	}
	if waited := time.Since(began); waited < time.Second {
		t.Errorf("it was given back after %v: short commands would never be ahead", waited)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.wanted != 0 {
		t.Errorf("the agent would like %d more", d.wanted)
	}
}

// trace is what a command wrote to a file.
func trace(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// TestPreemptedBySignal: the victim is told with SIGTERM at once, has its grace, is
// killed after it with what it started, and its end is reported as preempted.
func TestPreemptedBySignal(t *testing.T) {
	tests := map[string]struct {
		grace  time.Duration
		line   string
		signal string
		trace  string
	}{
		"ends by itself": {time.Minute, "trap 'echo term >> trace; exit 0' TERM; echo begun >> trace; while :; do read -t 1 < wait; done", "", "begun\nterm\n"},
		"does not listen": {time.Second, "trap 'echo term >> trace' TERM; echo begun >> trace; (trap '' TERM; exec sleep 600) & while :; do wait; done",
			"SIGKILL", "begun\nterm\n"},
		"says nothing": {time.Minute, "echo begun >> trace; exec sleep 600", "SIGTERM", "begun\n"},
	}
	d := direct(t, agent.Config{})
	n := uint64(0)
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			n++
			dir := t.TempDir()
			prepare := "mkfifo wait; exec 9<>wait; " // a fifo that nobody writes to
			d.assign(n, &job.Command{Line: prepare + test.line, Dir: dir, DirGiven: true, Grace: test.grace})
			awaitFile(t, filepath.Join(dir, "trace"))
			began := time.Now()
			d.preempt(n)
			r := d.end()
			took := time.Since(began)
			if r.Action != v1.Report_release || r.Result.Reason != job.ReasonPreempted.Word() || r.N != n {
				t.Errorf("reported %v of attempt %d because of %q, want a release, preempted", r.Action, r.N, r.Result.GetReason())
			}
			if r.Result.Signal != test.signal {
				t.Errorf("it was ended by %q, want %q", r.Result.Signal, test.signal)
			}
			if killed := test.signal == "SIGKILL"; killed && took < test.grace || !killed && took >= test.grace {
				t.Errorf("it took %v with a grace of %v", took, test.grace)
			}
			if got := trace(t, filepath.Join(dir, "trace")); got != test.trace {
				t.Errorf("the victim saw %q, want %q", got, test.trace)
			}
		})
	}
}

// TestPreemptedDirectory: what a preempted attempt made in a directory of its own is
// gone, its behaviours were told why it ended, and the next attempt has a new one.
func TestPreemptedDirectory(t *testing.T) {
	d := direct(t, agent.Config{})
	base := t.TempDir()
	seen := filepath.Join(base, "seen")
	c := &job.Command{
		Line: "ls >> " + seen + "; pwd > " + seen + ".dir; touch half-done; if [ $MUSTER_ATTEMPT_NUMBER = 1 ]; then touch " + seen + ".begun; exec sleep 600; fi",
		Dir:  base, Grace: 10 * time.Second,
		OnSuccess: []job.Behaviour{{Run: "echo success >> " + seen}},
		OnFailure: []job.Behaviour{{Run: "echo $MUSTER_REASON >> " + seen}},
		OnExit:    []job.Behaviour{{Run: "ls >> " + seen}},
	}
	d.assign(1, c)
	awaitFile(t, seen+".begun")
	first := strings.TrimSpace(trace(t, seen+".dir"))
	d.preempt(1)
	if r := d.end(); r.Result.Reason != job.ReasonPreempted.Word() || r.Result.Dir != "" {
		t.Errorf("the end: %v, directory %q", r.Result.Reason, r.Result.Dir)
	}
	if _, err := os.Stat(first); !os.IsNotExist(err) {
		t.Errorf("the half-done directory %s is left (%v)", first, err)
	}
	d.assign(2, c)
	if r := d.end(); r.Action != v1.Report_complete || r.Result.Dir == "" {
		t.Errorf("the second attempt: %v %v", r.Action, r.Result)
	}
	if second := strings.TrimSpace(trace(t, seen+".dir")); second == first {
		t.Errorf("both attempts ran in %s", first)
	}
	if got, want := trace(t, seen), "preempted\nhalf-done\nsuccess\nhalf-done\n"; got != want {
		t.Errorf("seen: %q, want %q", got, want)
	}
}

// TestPreemptedBeforeItBegan: a victim that waits on the agent for room is given
// back as one that never began.
func TestPreemptedBeforeItBegan(t *testing.T) {
	d := direct(t, agent.Config{})
	dir := t.TempDir()
	d.assign(1, &job.Command{Line: "touch begun; exec sleep 600", Dir: dir, DirGiven: true, Grace: time.Second})
	awaitFile(t, filepath.Join(dir, "begun"))
	d.assign(2, &job.Command{Line: "touch second", Dir: dir, DirGiven: true})
	d.preempt(2)
	if r := d.end(); r.N != 2 || r.Action != v1.Report_give_back {
		t.Errorf("reported %v of attempt %d, want the second to be given back", r.Action, r.N)
	}
	d.preempt(1)
	if r := d.end(); r.N != 1 || r.Result.Reason != job.ReasonPreempted.Word() {
		t.Errorf("reported %v of attempt %d", r.Result, r.N)
	}
	if _, err := os.Stat(filepath.Join(dir, "second")); !os.IsNotExist(err) {
		t.Errorf("what was given back has run (%v)", err)
	}
}
