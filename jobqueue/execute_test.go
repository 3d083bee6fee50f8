package jobqueue_test

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/muster-queue/muster/client"
	"github.com/muster-queue/muster/job"
	"github.com/muster-queue/muster/jobqueue"
)

func TestExecute(t *testing.T) {
	c := one(t)
	t.Setenv("GREETING", "hello")
	for _, x := range []struct {
		cmd    string
		reason string // empty: archived
		state  string
		exit   int
		left   uint32
		stdout string
	}{
		{`echo $GREETING; pwd`, "", "complete", 0, 4, "hello\n/tmp\n"},
		{`echo no; exit 1`, jobqueue.FailReasonExit, "delayed", 1, 3, "no\n"},
		{`false | true`, jobqueue.FailReasonExit, "delayed", 1, 3, ""}, // a part of a pipeline
		{`exit 126`, jobqueue.FailReasonCPerm, "buried", 126, 4, ""},
		{`no-such-program-here`, jobqueue.FailReasonCFound, "buried", 127, 4, ""},
		{`exit 128`, jobqueue.FailReasonCExit, "buried", 128, 4, ""},
		{`exit 255`, jobqueue.FailReasonAbnormal, "delayed", 255, 3, ""},
		{`kill -9 $$`, jobqueue.FailReasonAbnormal, "delayed", -1, 3, ""},
	} {
		t.Run(x.cmd, func(t *testing.T) {
			add(t, c, newJob(x.cmd))
			j := reserve(t, c)
			err := c.Execute(j, "bash")
			if x.reason == "" {
				ok(t, err)
			} else {
				fails(t, err, x.reason)
			}
			got := isState(t, c, x.cmd, x.state)
			if j.State != x.state || j.FailReason != x.reason || got.FailReason != x.reason {
				t.Errorf("it is %s (%s), and on the server %s (%s); want %s (%s)", j.State, j.FailReason, got.State, got.FailReason, x.state, x.reason)
			}
			if got.UntilBuried != x.left {
				t.Errorf("%d failures left; want %d", got.UntilBuried, x.left)
			}
			if got.Exitcode != x.exit || got.Attempts != 1 || got.Pid == 0 || got.Host == "" || got.Walltime <= 0 {
				t.Errorf("%+v", got)
			}
			if out, err := got.StdOut(); err != nil || out != x.stdout {
				t.Errorf("it said %q, %v; want %q", out, err, x.stdout)
			}
		})
	}
}

func TestExecuteMeasures(t *testing.T) {
	c := one(t)
	j := newJob(`x=$(head -c 40000000 /dev/zero | tr '\0' x); sleep 0.5; echo ${#x} >&2`)
	j.RAM = 1000
	add(t, c, j)
	j = reserve(t, c)
	ok(t, c.Execute(j, ""))
	if j.PeakRAM < 30 || j.PeakRAM > 900 || j.CPUtime <= 0 || j.Walltime < 500*time.Millisecond {
		t.Errorf("peak %d MB, %v of processor time, %v", j.PeakRAM, j.CPUtime, j.Walltime)
	}
	if text, err := j.StdErr(); err != nil || strings.TrimSpace(text) != "40000000" {
		t.Errorf("standard error is %q, %v", text, err)
	}
}

func TestExecuteWithout(t *testing.T) {
	c := one(t)
	j := newJob("true")
	j.Cwd = filepath.Join(t.TempDir(), "not-there")
	add(t, c, j)
	fails(t, c.Execute(reserve(t, c), ""), jobqueue.FailReasonCwd)
	got, err := c.GetByCmd("true", j.Cwd, false, false)
	if err != nil || got.State != "buried" || got.Attempts != 0 {
		t.Errorf("%+v, %v", got, err)
	}
	add(t, c, newJob("echo $0"))
	j = reserve(t, c)
	fails(t, c.Execute(j, "no-such-shell"), jobqueue.FailReasonCFound)
	if _, err := c.Kick([][2]string{{"echo $0", "/tmp"}}); err != nil {
		t.Fatal(err)
	}
	j = reserve(t, c)
	ok(t, c.Execute(j, "sh"))
	if out, _ := j.StdOut(); out != "sh\n" {
		t.Errorf("the shell was %q", out)
	}
}

// A job that takes longer than its Time is ended, and so is one whose process gets a
// signal; the second costs no retry.
func TestExecuteEnded(t *testing.T) {
	c := one(t)
	slow := newJob("sleep 60 & wait")
	slow.Time = 200 * time.Millisecond
	add(t, c, slow)
	j := reserve(t, c)
	fails(t, c.Execute(j, ""), jobqueue.FailReasonTime)
	if got := isState(t, c, slow.Cmd, "delayed"); got.UntilBuried != 3 {
		t.Errorf("%+v", got)
	}
	for _, sig := range []string{"QUIT", "USR1", "USR2"} { // INT and TERM would end the server, too
		cmd := "kill -" + sig + " $PPID; sleep 60"
		add(t, c, newJob(cmd))
		fails(t, c.Execute(reserve(t, c), ""), jobqueue.FailReasonSignal)
		if got := isState(t, c, cmd, "delayed"); got.UntilBuried != 4 || got.Exited {
			t.Errorf("%s: %+v", sig, got)
		}
	}
}

// A person's word, or the loss of the job, ends what Execute runs.
func TestExecuteCancelled(t *testing.T) {
	s := serve(t, jobqueue.ServerConfig{})
	c := dial(t, s, jobqueue.ClientConfig{Queue: "q", TouchInterval: 50 * time.Millisecond})
	began := filepath.Join(t.TempDir(), "began")
	cmd := "echo > " + began + "; sleep 60"
	add(t, c, newJob(cmd))
	j := reserve(t, c)
	ended := make(chan error)
	go func() { ended <- c.Execute(j, "") }()
	ns := inner(t, s)
	awaitState(t, ns, job.Running)
	if _, err := ns.Cancel(t.Context(), client.Where(client.Filter{Queue: "q"})); err != nil {
		t.Fatal(err)
	}
	err := <-ended
	fails(t, err, "cancelled by a person")
	if got := isState(t, c, cmd, "buried"); got.FailReason != "cancelled by a person" {
		t.Errorf("%+v", got)
	}

	if _, err := c.Kick([][2]string{{cmd, "/tmp"}}); err != nil {
		t.Fatal(err)
	}
	j = reserve(t, c)
	go func() { ended <- c.Execute(j, "") }()
	awaitState(t, ns, job.Running)
	if _, err := ns.Delete(t.Context(), client.Where(client.Filter{Queue: "q"}), client.DeleteOptions{Force: true}); err != nil {
		t.Fatal(err)
	}
	fails(t, <-ended, jobqueue.ErrBadJob)
}

// inner is the server as muster's own client sees it.
func inner(t *testing.T, s *jobqueue.Server) *client.Namespace {
	t.Helper()
	cfg, err := client.DiscoverIn(s.Data())
	ok(t, err)
	c, err := client.Dial(t.Context(), cfg)
	ok(t, err)
	t.Cleanup(func() { _ = c.Close() })
	return c.Namespace("")
}

// awaitState waits until a job is in a state.
func awaitState(t *testing.T, ns *client.Namespace, state job.State) {
	t.Helper()
	for step, err := range ns.Watch(t.Context(), client.WatchOptions{}) {
		ok(t, err)
		if step.Counts[state] > 0 {
			return
		}
	}
	t.Fatal("the watch ended")
}

// When a client is killed, its command dies with it, and the job runs again.
func TestClientCrash(t *testing.T) {
	s := serve(t, jobqueue.ServerConfig{})
	c := connect(t, s, "q")
	marks := filepath.Join(t.TempDir(), "marks")
	// The first run kills the client and would go on; the second finds no trace of it.
	cmd := `if mkdir ` + marks + `; then (sleep 1.5; touch ` + marks + `/alive) & kill -9 $PPID; wait; else ls ` + marks + `; fi`
	add(t, c, newJob(cmd))
	crash := exec.CommandContext(t.Context(), os.Args[0], s.Addr())
	crash.Env = append(os.Environ(), roleVar+"=crash", "TMPDIR="+t.TempDir()) // it cannot clean up
	err := crash.Run()
	if e, is := errors.AsType[*exec.ExitError](err); !is || e.Exited() {
		t.Fatalf("the client was to be killed: %v", err)
	}
	j := reserve(t, c) // when the TTR is over: two seconds
	ok(t, c.Execute(j, ""))
	if out, _ := j.StdOut(); out != "" {
		t.Errorf("the command of the killed client lived on: %q", out)
	}
	if j.Attempts != 2 {
		t.Errorf("%d attempts; want 2", j.Attempts)
	}
}

// Disconnect ends what is being executed, and waits for its end.
func TestDisconnectEndsCommands(t *testing.T) {
	s := serve(t, jobqueue.ServerConfig{})
	c := connect(t, s, "q")
	add(t, c, newJob("sleep 60"))
	j := reserve(t, c)
	ended := make(chan error, 1)
	go func() { ended <- c.Execute(j, "") }()
	awaitState(t, inner(t, s), job.Running)
	c.Disconnect()
	fails(t, <-ended, jobqueue.ErrQueueClosed)
}

// Jobs that others added, with secrets among what they need, are run as agents do.
func TestExecuteWithSecrets(t *testing.T) {
	t.Setenv("JOBQUEUE_WORD", "hush")
	s := serve(t, jobqueue.ServerConfig{})
	c := connect(t, s, "q")
	ns := inner(t, s)
	command := func(name, ref string) *job.Job {
		return &job.Job{Queue: "q", Command: &job.Command{
			Line: "echo " + name + " $WORD", Dir: "/tmp", DirGiven: true, Secrets: map[string]string{"WORD": ref},
		}}
	}
	for _, x := range []struct{ name, ref, reason string }{
		{"there", "env:JOBQUEUE_WORD", ""},
		{"not there", "env:JOBQUEUE_NOTHING", jobqueue.FailReasonEnv},
	} {
		if _, _, err := ns.AddJobs(t.Context(), client.AddOptions{}, command(x.name, x.ref)); err != nil {
			t.Fatal(err)
		}
		j := reserve(t, c)
		err := c.Execute(j, "")
		if x.reason != "" {
			fails(t, err, x.reason)
			isState(t, c, j.Cmd, "buried")
			continue
		}
		ok(t, err)
		if out, _ := j.StdOut(); out != "there hush\n" {
			t.Errorf("it said %q", out)
		}
	}
}
