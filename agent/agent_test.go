package agent_test

import (
	"bytes"
	"context"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"github.com/muster-queue/muster"
	"github.com/muster-queue/muster/agent"
	"github.com/muster-queue/muster/client"
	"github.com/muster-queue/muster/job"
	"github.com/muster-queue/muster/server"
)

// site is a server on a directory and an agent that reaches it over loopback, so
// that the server can go away and come back.
type site struct {
	t       *testing.T
	dir     string
	address string
	server  *muster.Handle
	client  *client.Client
	ns      *client.Namespace
}

func newSite(t *testing.T) *site {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &site{t: t, dir: t.TempDir(), address: l.Addr().String()}
	_ = l.Close()
	s.start()
	s.client, err = client.Dial(t.Context(), client.Config{Address: s.address, Token: s.server.Server().Token()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = s.client.Close()
		_ = s.server.Stop()
	})
	s.ns = s.client.Namespace("")
	return s
}

func (s *site) start() {
	s.t.Helper()
	var err error
	s.server, err = muster.Open(s.t.Context(), muster.Config{Server: server.Config{
		Data: filepath.Join(s.dir, "data"), Listen: s.address, HTTP: server.NoHTTP,
	}})
	if err != nil {
		s.t.Fatal(err)
	}
}

// agent runs an agent until the returned function is called, which waits for its
// end and gives Run's error.
func (s *site) agent(cfg agent.Config) (stop func() error) {
	s.t.Helper()
	cfg.Client = s.client
	if cfg.Dir == "" {
		cfg.Dir = filepath.Join(s.dir, "agent")
	}
	if cfg.Capacity == nil {
		cfg.Capacity = job.Resources{job.CPU: 4000}
	}
	a, err := agent.New(s.t.Context(), cfg)
	if err != nil {
		s.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- a.Run(ctx) }()
	stopped := false
	stop = func() error {
		if stopped {
			return nil
		}
		stopped = true
		cancel()
		err := <-ended
		if err := a.Close(); err != nil {
			s.t.Error(err)
		}
		return err
	}
	s.t.Cleanup(func() { _ = stop() })
	return stop
}

func (s *site) command(key, line string) *job.Job {
	return &job.Job{Key: job.Key(key), Command: &job.Command{Line: line, Dir: s.dir, DirGiven: true, Grace: time.Second}}
}

func (s *site) add(jobs ...*job.Job) {
	s.t.Helper()
	if _, _, err := s.ns.AddJobs(s.t.Context(), client.AddOptions{}, jobs...); err != nil {
		s.t.Fatal(err)
	}
}

// await waits until n jobs are in a state.
func (s *site) await(state job.State, n int64) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), 30*time.Second)
	defer cancel()
	for step, err := range s.ns.Watch(ctx, client.WatchOptions{}) {
		if err != nil {
			s.t.Fatalf("waiting for %d %v: %v", n, state, err)
		}
		if step.Counts[state] >= n {
			return
		}
	}
}

func (s *site) info(key string) *client.Info {
	s.t.Helper()
	i, err := s.ns.Get(s.t.Context(), client.Ref{Key: job.Key(key)}, client.Detail{Output: true})
	if err != nil {
		s.t.Fatal(err)
	}
	return i
}

func TestRunsAndReports(t *testing.T) {
	s := newSite(t)
	s.agent(agent.Config{})
	zero := 0
	fails := s.command("fails", "echo oops >&2; exit 3")
	fails.Retries = &zero
	s.add(s.command("ok", "echo hello"), fails, s.command("none", "no-such-program-here"))
	s.await(job.Complete, 1)
	s.await(job.Buried, 2)
	if i := s.info("ok"); i.Attempt == nil || string(i.Attempt.Result.Stdout.Head) != "hello\n" || i.Attempt.Number != 1 {
		t.Errorf("ok: %+v", i.Attempt)
	}
	if i := s.info("fails"); i.Attempt.Result.Reason != job.ReasonExit || i.Attempt.Result.ExitCode != 3 || string(i.Attempt.Result.Stderr.Head) != "oops\n" {
		t.Errorf("fails: %+v", i.Attempt)
	}
	if i := s.info("none"); i.Attempt.Result.Reason != job.ReasonNotFound {
		t.Errorf("none: %+v", i.Attempt)
	}
}

// TestServerAway: a stop and restart of the server kills no job, and the result
// that came meanwhile is reported.
func TestServerAway(t *testing.T) {
	s := newSite(t)
	s.agent(agent.Config{})
	fifo := filepath.Join(s.dir, "go")
	ended := filepath.Join(s.dir, "ended")
	s.add(s.command("long", "mkfifo "+fifo+"; echo started; cat "+fifo+"; echo x > "+ended))
	s.await(job.Running, 1)
	if err := s.server.Stop(); err != nil {
		t.Fatal(err)
	}
	release(t, fifo)
	awaitFile(t, ended)
	s.start()
	s.await(job.Complete, 1)
	if i := s.info("long"); i.Attempt.Number != 1 {
		t.Errorf("it took attempt %d; the first one should have been kept", i.Attempt.Number)
	}
}

// release lets a command go on that reads a fifo.
func release(t *testing.T, fifo string) {
	t.Helper()
	f, err := os.OpenFile(fifo, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	_ = f.Close()
}

// awaitFile waits until a file is there. Nobody signals that, so it looks.
func awaitFile(t *testing.T, path string) {
	t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	limit := time.After(20 * time.Second)
	for {
		if _, err := os.Stat(path); err == nil {
			return
		}
		select {
		case <-tick.C:
		case <-limit:
			t.Fatalf("%s does not appear", path)
		}
	}
}

func TestCancelRunning(t *testing.T) {
	s := newSite(t)
	s.agent(agent.Config{})
	s.add(s.command("long", "sleep 60"))
	s.await(job.Running, 1)
	began := time.Now()
	if _, err := s.ns.Cancel(t.Context(), client.Select(client.Ref{Key: "long"})); err != nil {
		t.Fatal(err)
	}
	s.await(job.Buried, 1)
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("the cancel took %v", took)
	}
	if i := s.info("long"); i.Attempt.Result.Reason != job.ReasonCancelled {
		t.Errorf("%+v", i.Attempt)
	}
}

func TestLimits(t *testing.T) {
	s := newSite(t)
	s.agent(agent.Config{Capacity: job.Resources{job.CPU: 1000, job.Memory: 1 << 30}})
	zero := 0
	slow := s.command("slow", "sleep 60")
	slow.Time, slow.Retries = 200*time.Millisecond, &zero
	s.add(slow)
	s.await(job.Buried, 1)
	if i := s.info("slow"); i.Attempt.Result.Reason != job.ReasonTime {
		t.Errorf("slow: %+v", i.Attempt)
	}
	huge := s.command("huge", "true")
	huge.Needs = job.Resources{job.Memory: 1 << 40}
	s.add(huge)
	s.await(job.Buried, 2)
	if i := s.info("huge"); i.Reason != job.ReasonResource {
		t.Errorf("huge: %+v", i)
	}
}

// TestAgentStops: an agent that is stopped gives back what it has not begun and
// ends what runs; a successor takes both.
func TestAgentStops(t *testing.T) {
	s := newSite(t)
	stop := s.agent(agent.Config{Capacity: job.Resources{job.CPU: 1000}})
	first := filepath.Join(s.dir, "first")
	line := "if mkdir " + first + "; then sleep 60; fi"
	running := s.command("running", line)
	running.Backoff = &job.Backoff{Base: time.Millisecond, Cap: time.Millisecond}
	s.add(running, s.command("next", "true"))
	s.await(job.Running, 1)
	awaitFile(t, first)
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	s.agent(agent.Config{Capacity: job.Resources{job.CPU: 1000}})
	s.await(job.Complete, 2)
}

func TestTail(t *testing.T) {
	s := newSite(t)
	s.agent(agent.Config{})
	fifo := filepath.Join(s.dir, "go")
	s.add(s.command("talks", "mkfifo "+fifo+"; echo first; cat "+fifo+"; echo second"))
	s.await(job.Running, 1)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	var got string
	for c, err := range s.ns.Logs(ctx, client.Ref{Key: "talks"}, client.LogOptions{Follow: true, Stream: "stdout"}) {
		if err != nil {
			t.Fatalf("after %q: %v", got, err)
		}
		got += string(c.Data)
		if got == "first\n" {
			release(t, fifo)
		}
	}
	if got != "first\nsecond\n" {
		t.Errorf("the output was %q", got)
	}
}

func TestSecondAgentIsRefused(t *testing.T) {
	s := newSite(t)
	s.agent(agent.Config{})
	_, err := agent.New(t.Context(), agent.Config{Client: s.client, Dir: filepath.Join(s.dir, "agent")})
	if !job.IsKind(err, job.Conflict) {
		t.Fatalf("a second agent in one directory: %v", err)
	}
}

// TestRunLeavesNothingBehind: with Run ends its connection, whether its server
// is there or not.
func TestRunLeavesNothingBehind(t *testing.T) {
	for _, gone := range []bool{false, true} {
		s := newSite(t)
		stop := s.agent(agent.Config{})
		s.add(s.command("ok", "true"))
		s.await(job.Complete, 1)
		if gone {
			if err := s.server.Stop(); err != nil {
				t.Fatal(err)
			}
		}
		if err := stop(); err != nil {
			t.Fatal(err)
		}
		stacks := make([]byte, 1<<20)
		stacks = stacks[:runtime.Stack(stacks, true)]
		for _, what := range []string{"agent.(*link)", "agent.(*conn)"} {
			if bytes.Contains(stacks, []byte(what)) {
				t.Errorf("the server gone: %v: %s still runs:\n%s", gone, what, stacks)
			}
		}
	}
}
