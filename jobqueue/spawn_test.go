package jobqueue_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/muster-queue/muster/client"
	"github.com/muster-queue/muster/job"
	"github.com/muster-queue/muster/jobqueue"
)

// runnerCmd makes this test binary the runner.
func runnerCmd() string {
	return roleVar + "=runner " + os.Args[0] + " %s '%s' %s %s %d %d"
}

// A server starts runners for what is ready, of each queue and scheduler group, and
// they end when there is nothing more to do.
func TestRunners(t *testing.T) {
	s := serve(t, jobqueue.ServerConfig{
		RunnerCmd: runnerCmd(), ReserveTicker: 50 * time.Millisecond,
		SchedulerConfig: &jobqueue.LocalConfig{MaxCores: 2, MaxRAM: 2000},
	})
	a, b := connect(t, s, "a"), connect(t, s, "b")
	here := t.TempDir()
	// Each waits for the other, so two must run at once; no third has room.
	meet := func(me, other string) string {
		return fmt.Sprintf("touch %[1]s/%[2]s; until [ -e %[1]s/%[3]s ]; do sleep 0.01; done; pgrep -fc 'sh -c .*touch %[1]s' || true", here, me, other)
	}
	one, two := newJob(meet("one", "two")), newJob(meet("two", "one"))
	large := newJob("echo large > " + here + "/large")
	large.Cores, large.RAM = 2, 1500
	add(t, a, one, large)
	add(t, b, two)
	ns := inner(t, s)
	counts, err := ns.Wait(t.Context(), client.WaitFor{}, nil)
	ok(t, err)
	if counts.Total() != 3 || counts.Live() != 0 {
		t.Fatalf("%v", counts)
	}
	for _, name := range []string{"one", "two", "large"} {
		if _, err := os.Stat(filepath.Join(here, name)); err != nil {
			t.Error(err)
		}
	}
	if !s.HasRunners() {
		t.Error("a runner waits two seconds for another job; it is not counted")
	}
}

// Stop ends runners, which give their jobs back at no cost.
func TestStopEndsRunners(t *testing.T) {
	db := filepath.Join(t.TempDir(), "db")
	s := serve(t, jobqueue.ServerConfig{RunnerCmd: runnerCmd(), ReserveTicker: 50 * time.Millisecond, DBFile: db})
	c := connect(t, s, "q")
	add(t, c, newJob("sleep 60"))
	awaitState(t, inner(t, s), job.Running)
	ok(t, s.Stop())
	if s.HasRunners() {
		t.Error("runners are left")
	}
	s = serve(t, jobqueue.ServerConfig{DBFile: db})
	if got := isState(t, connect(t, s, "q"), "sleep 60", "delayed"); got.UntilBuried != 4 || got.FailReason != jobqueue.FailReasonSignal {
		t.Errorf("%+v", got)
	}
}

// Runners that fail are not started again and again.
func TestFailingRunners(t *testing.T) {
	log := filepath.Join(t.TempDir(), "log")
	s := serve(t, jobqueue.ServerConfig{
		RunnerCmd: "echo %s %s %s %s %d %d >> " + log + "; exit 3", ReserveTicker: 400 * time.Millisecond,
		SchedulerConfig: &jobqueue.LocalConfig{MaxCores: 1},
	})
	c := connect(t, s, "q")
	add(t, c, newJob("true"))
	began := time.Now()
	for time.Since(began) < 20*time.Second {
		b, _ := os.ReadFile(log)
		if n := strings.Count(string(b), "\n"); n == 3 {
			break
		}
	}
	b, err := os.ReadFile(log)
	ok(t, err)
	line, _, _ := strings.Cut(string(b), "\n")
	want := fmt.Sprintf("q %s production %s 2 0", newJob("").SchedulerGroup(), s.Addr())
	if line != want {
		t.Errorf("the runner was told %q; want %q", line, want)
	}
	if took := time.Since(began); took < time.Second {
		t.Errorf("three failing runners were started within %v", took)
	}
}
