package muster_test

import (
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"go.uber.org/goleak"

	"github.com/muster-queue/muster"
	"github.com/muster-queue/muster/agent"
	"github.com/muster-queue/muster/client"
	"github.com/muster-queue/muster/job"
	"github.com/muster-queue/muster/server"
)

// roleVar makes this test binary a muster that obeys signals and says why it
// ended.
const roleVar = "MUSTER_TEST_ROLE"

func TestMain(m *testing.M) {
	if os.Getenv(roleVar) != "" {
		beMuster()
		return
	}
	goleak.VerifyTestMain(m,
		// A connection's reader waits some seconds for an agent that has left.
		goleak.IgnoreTopFunction("github.com/muster-queue/muster/agent.(*link).serve"),
		goleak.IgnoreTopFunction("os/signal.loop"),
		goleak.IgnoreTopFunction("os/signal.signal_recv"))
}

func inMemory() muster.Config {
	return muster.Config{Server: server.Config{Listen: "127.0.0.1:0", Store: "memory:"}}
}

func open(t *testing.T, cfg muster.Config) *muster.Handle {
	t.Helper()
	m, err := muster.Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := m.Stop(); err != nil && !t.Failed() {
			t.Error(err)
		}
	})
	return m
}

func beMuster() {
	cfg := inMemory()
	cfg.Signals = true
	m, err := muster.Open(context.Background(), cfg)
	if err != nil {
		os.Exit(1)
	}
	_, _ = os.Stdout.WriteString("up\n")
	switch err := m.Wait(); {
	case errors.Is(err, muster.ErrInterrupted):
		_, _ = os.Stdout.WriteString("interrupted\n")
	case errors.Is(err, muster.ErrTerminated):
		_, _ = os.Stdout.WriteString("terminated\n")
	}
}

func TestSignalsStopAsPlanned(t *testing.T) {
	for signal, want := range map[syscall.Signal]string{syscall.SIGINT: "interrupted\n", syscall.SIGTERM: "terminated\n"} {
		c := exec.CommandContext(t.Context(), os.Args[0])
		c.Env = append(os.Environ(), roleVar+"=server")
		out, err := c.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		up := make([]byte, 3)
		if _, err := io.ReadFull(out, up); err != nil {
			t.Fatal(err)
		}
		if err := c.Process.Signal(signal); err != nil {
			t.Fatal(err)
		}
		rest, err := io.ReadAll(out)
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Wait(); err != nil || string(rest) != want {
			t.Errorf("after %v: %q, %v", signal, rest, err)
		}
	}
}

func TestStopTwiceIsNoError(t *testing.T) {
	m := open(t, inMemory())
	for range 2 {
		if err := m.Stop(); err != nil {
			t.Error(err)
		}
	}
	if err := m.Wait(); !errors.Is(err, muster.ErrStopped) {
		t.Error(err)
	}
}

func TestClientsCanStopIt(t *testing.T) {
	m := open(t, inMemory())
	if _, err := m.Client().Shutdown(t.Context(), 0); err != nil {
		t.Fatal(err)
	}
	if err := m.Wait(); !errors.Is(err, muster.ErrStopped) {
		t.Error(err)
	}
}

func TestDrainEndsAfterTheLastJob(t *testing.T) {
	cfg := inMemory()
	cfg.Agent = &agent.Config{}
	m := open(t, cfg)
	jobs := m.Client().Namespace("")
	dir := t.TempDir()
	line := "while ! test -e go; do sleep 0.01; done"
	if _, _, err := jobs.AddJobs(t.Context(), client.AddOptions{}, &job.Job{Command: &job.Command{Line: line, Dir: dir, DirGiven: true}}); err != nil {
		t.Fatal(err)
	}
	for step, err := range jobs.Watch(t.Context(), client.WatchOptions{}) {
		if err != nil {
			t.Fatal(err)
		}
		if step.Counts[job.Running] == 1 {
			break
		}
	}
	if has, err := m.HasAgents(t.Context(), ""); err != nil || !has {
		t.Errorf("agents: %v, %v", has, err)
	}
	running, _, err := m.Drain(t.Context(), true)
	if err != nil || running != 1 {
		t.Errorf("drain: %d, %v", running, err)
	}
	if err := os.WriteFile(dir+"/go", nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := m.Wait(); !errors.Is(err, muster.ErrDrained) {
		t.Error(err)
	}
}

// In the same process neither network nor token is needed.
func TestNamespace(t *testing.T) {
	m := open(t, inMemory())
	ns, err := m.Namespace(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	if ns.Name() != job.DefaultNamespace {
		t.Errorf("it is %s", ns.Name())
	}
	if _, err := m.Namespace(t.Context(), "absent"); !job.IsKind(err, job.NotFound) {
		t.Errorf("absent: %v", err)
	}
	if has, err := m.HasAgents(t.Context(), ""); err != nil || has {
		t.Errorf("agents: %v, %v", has, err)
	}
}

func TestOpenErrors(t *testing.T) {
	cfg := muster.Config{Server: server.Config{Listen: "127.0.0.1:0", Data: t.TempDir()}}
	open(t, cfg)
	if _, err := muster.Open(t.Context(), cfg); !job.IsKind(err, job.Conflict) {
		t.Errorf("twice on one directory: %v", err)
	}
	bad := inMemory()
	file := t.TempDir() + "/file"
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	bad.Agent = &agent.Config{Dir: file}
	if _, err := muster.Open(t.Context(), bad); err == nil || !strings.Contains(err.Error(), file) {
		t.Errorf("an agent without a place: %v", err)
	}
}
