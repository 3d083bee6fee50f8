package run_test

import (
	"bytes"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/muster-queue/muster/agent/run"
	"github.com/muster-queue/muster/job"
)

// hog takes megabytes of memory, tells, and keeps them.
func hog(megabytes int) string {
	return "exec perl -e '$x = \"x\" x (" + strconv.Itoa(megabytes) + " << 20); $| = 1; print \"taken\\n\"; sleep 60'"
}

func TestMemoryAboveTheNeed(t *testing.T) {
	each(t, func(t *testing.T, a *agent) {
		began := time.Now()
		r := a.spec(t.Context(), run.Spec{
			Needs: job.Resources{job.Memory: 64 << 20}, Command: &job.Command{Line: "sh -c \"$HOG\"; true", Env: []string{"HOG=" + hog(200)}},
		})
		want(t, r, job.ReasonMemory)
		if r.PeakMemory < 64<<20 || r.Message == "" {
			t.Errorf("peak %d, message %q", r.PeakMemory, r.Message)
		}
		if took := time.Since(began); took > 20*time.Second {
			t.Errorf("took %v", took)
		}
	})
}

func TestPeakMemoryIsTheCommandsOwn(t *testing.T) {
	ballast := bytes.Repeat([]byte{1}, 150<<20) // the agent itself is large
	each(t, func(t *testing.T, a *agent) {
		r := a.line(t, "sleep 0.2")
		want(t, r, job.ReasonNone)
		if r.PeakMemory <= 0 || r.PeakMemory > 50<<20 {
			t.Errorf("sleep used %d bytes", r.PeakMemory)
		}
		// It is looked at about every second, later on a busy machine.
		r = a.line(t, "perl -e '$x = \"x\" x (40 << 20); select(undef, undef, undef, 12)'; true")
		want(t, r, job.ReasonNone)
		if r.PeakMemory < 40<<20 || r.PeakMemory > 150<<20 {
			t.Errorf("40 MiB measured as %d bytes", r.PeakMemory)
		}
	})
	_ = ballast[len(ballast)-1]
}

// A command over its need that fails for another cause is not blamed for memory.
func TestMemoryNeedsEvidence(t *testing.T) {
	each(t, func(t *testing.T, a *agent) {
		r := a.spec(t.Context(), run.Spec{Needs: job.Resources{job.Memory: 1 << 30}, Command: &job.Command{Line: "kill -KILL $$"}})
		want(t, r, job.ReasonAbnormal)
	})
}

func TestCPUTime(t *testing.T) {
	each(t, func(t *testing.T, a *agent) {
		r := a.line(t, "timeout 0.3 sh -c 'while :; do :; done' & wait; true")
		want(t, r, job.ReasonNone)
		if r.CPUTime < 20*time.Millisecond || r.CPUTime > 2*time.Second {
			t.Errorf("CPU time %v", r.CPUTime)
		}
	})
}

func TestDisk(t *testing.T) {
	each(t, func(t *testing.T, a *agent) {
		r := a.line(t, "head -c 3M /dev/zero >file; ln file again; truncate -s 1G sparse; head -c 1M /dev/zero >$TMPDIR/f; false")
		want(t, r, job.ReasonExit)
		if r.PeakDisk < 4<<20 || r.PeakDisk > 5<<20 {
			t.Errorf("4 MiB measured as %d bytes", r.PeakDisk)
		}
	})
}

func TestDiskAboveTheNeed(t *testing.T) {
	a := newAgent(t, true, run.Config{})
	r := a.spec(t.Context(), run.Spec{
		Needs: job.Resources{job.Disk: 1 << 20}, Command: &job.Command{Line: "head -c 3M /dev/zero >file; sleep 60"},
	})
	want(t, r, job.ReasonDisk)
}

func TestVolumeFull(t *testing.T) {
	dir := t.TempDir()
	if err := syscall.Mount("none", dir, "tmpfs", 0, "size=1M"); err != nil {
		t.Skip("cannot mount a small volume: ", err)
	}
	defer syscall.Unmount(dir, syscall.MNT_DETACH)
	a := newAgent(t, true, run.Config{})
	r := a.command(t, job.Command{Line: "head -c 3M /dev/zero >file", Dir: dir})
	want(t, r, job.ReasonDisk)
	if !strings.Contains(r.Message, dir) || !strings.Contains(stderr(r), "No space") {
		t.Errorf("message %q, standard error %q", r.Message, stderr(r))
	}
	os.RemoveAll(r.Dir)
}

func TestAnotherUser(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root becomes another user")
	}
	base := "/tmp"
	each(t, func(t *testing.T, a *agent) {
		r := a.command(t, job.Command{Line: "id -un; id -gn; pwd; touch here $TMPDIR/there && echo $HOME $USER", User: "nobody", UnixGroup: "daemon", Dir: base,
			OnSuccess: []job.Behaviour{{Run: "id -un"}, {Cleanup: true}}})
		want(t, r, job.ReasonNone)
		lines := strings.Split(stdout(r), "\n")
		if lines[0] != "nobody" || lines[1] != "daemon" || !strings.HasPrefix(lines[2], base+"/muster-work/") || !strings.HasSuffix(lines[3], " nobody") {
			t.Errorf("printed %q, %q", lines, stderr(r))
		}
		if len(r.Log) != 1 || !strings.HasSuffix(r.Log[0], "exit code 0: nobody") {
			t.Errorf("log %q", r.Log)
		}
	})
}

// An agent that is not root says what would help. The test runs itself as nobody.
func TestAnotherUserWithoutTheRight(t *testing.T) {
	if os.Getenv("MUSTER_TEST_NOBODY") != "" {
		a := newAgent(t, false, run.Config{})
		r := a.command(t, job.Command{Line: "true", User: "daemon"})
		want(t, r, job.ReasonPermission)
		if !strings.Contains(r.Message, "root") {
			t.Errorf("message %q", r.Message)
		}
		want(t, a.command(t, job.Command{Line: "test $(id -un) = nobody", User: "nobody"}), job.ReasonNone)
		return
	}
	if os.Geteuid() != 0 {
		t.Skip("only root becomes another user")
	}
	self, err := os.ReadFile("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	dir, err := os.MkdirTemp("/tmp", "muster-test")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	if err := os.WriteFile(dir+"/test", self, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(dir+"/test", "-test.run", "^TestAnotherUserWithoutTheRight$")
	cmd.Env = []string{"MUSTER_TEST_NOBODY=1", "TMPDIR=" + dir, "PATH=" + os.Getenv("PATH")}
	cmd.Dir = dir
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}
