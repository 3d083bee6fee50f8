package e2e

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestLocksSurviveKill: the server is killed with -9 while locks are held. They are
// there afterwards, and a command that runs under one goes on and releases it.
func TestLocksSurviveKill(t *testing.T) {
	dir := t.TempDir()
	c := &cluster{t: t, dir: dir, bin: build(t, dir)}
	c.server = c.daemon("server", "server", "--data", filepath.Join(dir, "data"), "--no-agent", "--listen", freeAddress(t), "--http", "off")
	c.server.start()
	c.awaitServer()
	c.must("lock", "acquire", "--owner", "nightly", "--lease", "1h", "backup/db1")
	// The command tells that it runs, and is told to end.
	begun, end := filepath.Join(dir, "begun"), filepath.Join(dir, "go")
	for _, pipe := range []string{begun, end} {
		if err := syscall.Mkfifo(pipe, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	running, said := c.holding("run", "deploy", "--", "sh", "-c", "echo > begun; cat go")
	if _, err := os.ReadFile(begun); err != nil {
		t.Fatal(err)
	}

	c.server.kill()
	c.server.start()
	c.awaitServer()
	if out, err := c.muster(time.Minute, "lock", "acquire", "--wait", "0", "backup"); err == nil || !strings.Contains(out, `"nightly" holds "backup/db1" below it`) {
		t.Fatalf("a lock above one from before the kill: %v\n%s", err, out)
	}
	if out, err := c.muster(time.Minute, "lock", "acquire", "--wait", "0", "deploy"); err == nil {
		t.Fatalf("the lock that a command runs under was given to another:\n%s", out)
	}
	if err := os.WriteFile(end, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := running.Wait(); err != nil {
		t.Fatalf("lock run: %v\n%s", err, said)
	}
	c.must("lock", "acquire", "--wait", "0", "deploy")
	c.must("lock", "release", "--owner", "nightly", "backup/db1")
	c.must("lock", "acquire", "--wait", "0", "backup")
}

// holding starts a command of "muster lock" in the background.
func (c *cluster) holding(args ...string) (*exec.Cmd, *bytes.Buffer) {
	c.t.Helper()
	cmd := exec.Command(c.bin, append([]string{"--data", filepath.Join(c.dir, "data"), "lock"}, args...)...)
	out := &bytes.Buffer{}
	cmd.Dir, cmd.Stdout, cmd.Stderr = c.dir, out, out
	if err := cmd.Start(); err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(func() { _ = cmd.Process.Kill() })
	return cmd, out
}
