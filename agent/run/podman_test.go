package run_test

import (
	"archive/tar"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/muster-queue/muster/agent/home"
	"github.com/muster-queue/muster/agent/run"
	"github.com/muster-queue/muster/job"
)

// podman is the real one, with a store of its own and an image that has busybox.
type podman struct {
	dir string   // where the program to call is
	env []string // settings for jobs that use it
}

const testImage = "localhost/muster-test:1"

// newPodman fails when podman is missing although it is needed (see the Makefile),
// and skips where containers cannot run at all.
func newPodman(t *testing.T) *podman {
	t.Helper()
	real, err := exec.LookPath("podman")
	busybox, err2 := exec.LookPath("busybox")
	if err != nil || err2 != nil {
		if slices.Contains(strings.Fields(os.Getenv("MUSTER_TESTS_NEED")), "podman") {
			t.Fatalf("podman or busybox is missing: %v, %v; scripts/need podman installs them", err, err2)
		}
		t.Skip("podman or busybox is not installed; scripts/need podman installs them")
	}
	dir := t.TempDir()
	p := &podman{dir: dir, env: []string{
		"STORAGE_DRIVER=vfs", // what podman starts to clean up sees none of the files
		"CONTAINERS_CONF=" + dir + "/containers.conf", "CONTAINERS_STORAGE_CONF=" + dir + "/storage.conf",
		"PATH=" + dir + ":" + os.Getenv("PATH"),
	}}
	write := func(name, text string) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	// Without the right to raise limits, those that are must do; no network is needed.
	write("containers.conf", fmt.Sprintf("[containers]\nnetns=\"none\"\npids_limit=0\ndefault_ulimits=[%s, %s]\n[engine]\ncgroup_manager=\"cgroupfs\"\nevents_logger=\"file\"\n",
		ulimit(t, "nofile", unix.RLIMIT_NOFILE), ulimit(t, "nproc", unix.RLIMIT_NPROC)))
	write("storage.conf", fmt.Sprintf("[storage]\ndriver=\"vfs\"\ngraphroot=\"%s/store\"\nrunroot=\"%s/run\"\n", dir, dir))
	// Where cgroup2 is mounted beside the old hierarchies, crun wants it alone.
	write("podman", `#!/bin/sh
if [ -f /sys/fs/cgroup/cgroup.procs ]; then exec `+real+` "$@"; fi
exec unshare -m sh -c 'umount -R /sys/fs/cgroup; mount -t cgroup2 none /sys/fs/cgroup && exec `+real+` "$@"' podman "$@"
`)
	write("image.tar", image(t, busybox))
	if out, err := p.run("import", filepath.Join(dir, "image.tar"), testImage); err != nil {
		t.Skipf("podman cannot import an image here: %v: %s", err, out)
	}
	if out, err := p.run("run", "--rm", "--cgroups=disabled", testImage, "true"); err != nil {
		t.Skipf("containers cannot run here: %v: %s", err, out)
	}
	return p
}

func ulimit(t *testing.T, name string, which int) string {
	var l unix.Rlimit
	if err := unix.Getrlimit(which, &l); err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("%q", fmt.Sprintf("%s=%d:%d", name, min(l.Cur, 1024), min(l.Max, 1024)))
}

// image is a tar of a file system with busybox.
func image(t *testing.T, busybox string) string {
	t.Helper()
	program, err := os.ReadFile(busybox)
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	add := func(h tar.Header, body []byte) {
		h.Size = int64(len(body))
		if err := w.WriteHeader(&h); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(body); err != nil {
			t.Fatal(err)
		}
	}
	add(tar.Header{Name: "bin/busybox", Mode: 0o755}, program)
	for _, name := range strings.Fields("sh cat echo env head id pwd sleep touch true tr test") {
		add(tar.Header{Typeflag: tar.TypeSymlink, Name: "bin/" + name, Linkname: "busybox"}, nil)
	}
	add(tar.Header{Typeflag: tar.TypeDir, Name: "tmp/", Mode: 0o1777}, nil)
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func (p *podman) run(args ...string) (string, error) {
	cmd := exec.Command(p.dir+"/podman", args...)
	cmd.Env = append(os.Environ(), p.env...)
	out, err := cmd.CombinedOutput()
	return strings.TrimSpace(string(out)), err
}

// none fails when a container is left, running or not.
func (p *podman) none(t *testing.T) {
	t.Helper()
	if out, err := p.run("ps", "--all", "--quiet"); err != nil || out != "" {
		t.Errorf("containers %q are left; %v", out, err)
	}
}

// spec is a command in the image; a line is one for its sh.
func (p *podman) spec(c job.Command) run.Spec {
	c.Image, c.Runtime, c.Shell = testImage, "podman", "sh"
	c.Env = append(slices.Clone(p.env), c.Env...)
	return run.Spec{Command: &c}
}

func TestPodmanRunsACommandAsItIs(t *testing.T) {
	p := newPodman(t)
	data := t.TempDir()
	if err := os.WriteFile(data+"/x", []byte("from outside\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	each(t, func(t *testing.T, a *agent) {
		s := p.spec(job.Command{
			Line:            `cat /in/x; touch /in/y 2>/dev/null || echo read-only; pwd; printf '%s|' "$A" "$SECRET" "$MUSTER_ATTEMPT" "${HIDDEN-none}"; echo made > result; id -u >&2; head -c 3`,
			ContainerMounts: []string{data + ":/in:ro"}, Env: []string{"A=b=c \"d\"\nnew line"},
		})
		s.Secrets, s.Env = []string{"SECRET=hunter2"}, []string{"HIDDEN=of the captured environment", "HOME=" + t.TempDir()}
		s.Attempt = job.AttemptID{Epoch: 3, N: 4}
		r := a.spec(t.Context(), s)
		want(t, r, job.ReasonNone)
		if got, want := stdout(r), "from outside\nread-only\n"+r.Dir+"\nb=c \"d\"\nnew line|hunter2|3-4|none|"; got != want {
			t.Errorf("printed %q\n   want %q; log %q", got, want, r.Log)
		}
		if b, err := os.ReadFile(r.Dir + "/result"); string(b) != "made\n" {
			t.Errorf("its file has %q, %v", b, err)
		}
		if got := strings.TrimSpace(stderr(r)); got != fmt.Sprint(os.Geteuid()) {
			t.Errorf("it ran as %q", got)
		}
		if len(r.Log) > 0 {
			t.Errorf("log %q", r.Log)
		}
		r = a.spec(t.Context(), p.spec(job.Command{Line: "exit 3"}))
		want(t, r, job.ReasonExit)
		if r.ExitCode != 3 {
			t.Errorf("exit code %d", r.ExitCode)
		}
		r = a.spec(t.Context(), p.spec(job.Command{Argv: []string{"no-such-program"}}))
		want(t, r, job.ReasonNotFound)
		p.none(t)
	})
}

func TestPodmanIsMeasured(t *testing.T) {
	p := newPodman(t)
	each(t, func(t *testing.T, a *agent) {
		s := p.spec(job.Command{Line: `x=$(head -c 30000000 /dev/zero | tr '\0' x); sleep 0.5; : $x`})
		r := a.spec(t.Context(), s)
		want(t, r, job.ReasonNone)
		if r.PeakMemory < 30e6 || r.CPUTime <= 0 {
			t.Errorf("30 MB measured as %d, CPU as %v", r.PeakMemory, r.CPUTime)
		}
		s = p.spec(job.Command{Line: `x=$(head -c 60000000 /dev/zero | tr '\0' x); sleep 60; : $x`})
		s.Needs = job.Resources{job.Memory: 40 << 20}
		want(t, a.spec(t.Context(), s), job.ReasonMemory)
		p.none(t)
	})
}

func TestPodmanIsEnded(t *testing.T) {
	p := newPodman(t)
	each(t, func(t *testing.T, a *agent) {
		for name, line := range map[string]string{"obeys": "sleep 600", "ignores SIGTERM": "trap '' TERM; sleep 600"} {
			t.Run(name, func(t *testing.T) {
				ctx, stop := context.WithCancelCause(t.Context())
				began := filepath.Join(t.TempDir(), "began")
				s := p.spec(job.Command{Line: "touch " + began + "; " + line, Grace: 200 * time.Millisecond, ContainerMounts: []string{filepath.Dir(began)}})
				go func() {
					for _, err := os.Stat(began); err != nil; _, err = os.Stat(began) {
						select {
						case <-t.Context().Done():
							return
						case <-time.After(10 * time.Millisecond):
						}
					}
					stop(run.ErrCancelled)
				}()
				want(t, a.spec(ctx, s), job.ReasonCancelled)
				p.none(t)
			})
		}
	})
}

// A container that a killed agent left is gone when its successor begins.
func TestPodmanOfAPredecessorIsEnded(t *testing.T) {
	p := newPodman(t)
	dir := t.TempDir()
	h, err := home.Takeover(t.Context(), home.Config{Dir: dir, NoCgroup: true})
	if err != nil {
		t.Fatal(err)
	}
	scope := h.Scope()
	scope.Run = 1
	name := "muster-" + scope.String()
	note, _ := json.Marshal(map[string]any{"Path": p.dir + "/podman", "Name": name, "Env": append(p.env, "HOME="+dir), "UID": os.Geteuid(), "GID": os.Getegid()})
	if err := os.MkdirAll(dir+"/containers", 0o700); err != nil {
		t.Fatal(err)
	}
	for file, body := range map[string][]byte{name: note, "torn": []byte(`{"Path`)} {
		if err := os.WriteFile(filepath.Join(dir, "containers", file), body, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if out, err := p.run("run", "--detach", "--rm", "--name", name, "--cgroups=disabled", "--env", "MUSTER_SCOPE="+scope.String(), testImage, "sleep", "600"); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if pids, _ := scope.Pids(); len(pids) == 0 {
		t.Fatal("the container's process does not carry the mark")
	}
	h.Close() // killed: nothing was ended
	if h, err = home.Takeover(t.Context(), home.Config{Dir: dir, NoCgroup: true}); err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	if pids, _ := scope.Pids(); len(pids) != 0 {
		t.Errorf("processes %v of the container outlive the takeover", pids)
	}
	r, err := run.New(run.Config{Home: h})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	p.none(t)
	if left, _ := os.ReadDir(dir + "/containers"); len(left) > 0 {
		t.Errorf("%v are still noted", left)
	}
}

// A container that the command starts itself counts as the command's, and ends with
// it.
func TestPodmanIsMonitored(t *testing.T) {
	p := newPodman(t)
	start := "podman run --rm --name mine --cidfile id.cid --cgroups=disabled -d " + testImage + ` sh -c "x=\$(head -c 30000000 /dev/zero | tr '\0' x); sleep 600; : \$x" >/dev/null; `
	for _, monitor := range []string{"mine", "./*.cid"} {
		// Detached from the attempt, as a daemon's would be.
		a := newAgent(t, true, run.Config{Adopt: true})
		c := job.Command{Line: "env -u MUSTER_SCOPE setsid sh -c '" + strings.ReplaceAll(start, "'", `'\''`) + "'; sleep 10; podman kill mine >/dev/null; sleep 0.2", MonitorContainer: monitor, Runtime: "podman", Env: p.env}
		if r := a.command(t, c); r.PeakMemory < 30e6 {
			t.Errorf("monitor %q: peak %d, printed %q; log %q", monitor, r.PeakMemory, stderr(r), r.Log)
		}
		_, _ = p.run("rm", "--force", "mine") // it is the command's to remove
	}
}
