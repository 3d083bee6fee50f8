package e2e

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

var (
	chaosJobs = flag.Int("jobs", 5000, "how many commands the chaos test runs")
	chaosTime = flag.Duration("chaos", 60*time.Second, "how long it kills")
	chaosSeed = flag.Uint64("seed", 0, "seed of its choices; zero: a new one")
)

// TestChaos proves from the commands' own traces that every one of thousands
// completed and that no two runs of one overlapped, while server, agents and
// keepers were killed with -9, one or all, again and again, and an agent was
// stopped for longer than its lease.
//
// A command holds a file lock of its own for as long as any process of it lives,
// and complains when another run holds it: the kernel says whether two overlap.
func TestChaos(t *testing.T) {
	seed := *chaosSeed
	if seed == 0 {
		seed = rand.Uint64()
	}
	t.Logf("seed %d", seed)
	c := newCluster(t)
	c.must("queue", "set", "default", "--lease", "15s", "--losses", "100000", "--retries", "100000", "--backoff", "1s")
	c.must("add", "-f", c.commands(*chaosJobs))
	c.torment(rand.New(rand.NewPCG(seed, 2)), *chaosTime)
	c.revive()
	c.must("wait")
	c.check(*chaosJobs)
}

// cluster is a server and two agents, each a process of its own, in one
// directory.
type cluster struct {
	t       *testing.T
	dir     string
	bin     string
	server  *daemon
	agents  []*daemon
	overlap string
}

func newCluster(t *testing.T) *cluster {
	t.Helper()
	dir := t.TempDir()
	c := &cluster{t: t, dir: dir, bin: build(t, dir), overlap: filepath.Join(dir, "overlaps")}
	for _, sub := range []string{"locks", "begun", "done"} {
		if err := os.Mkdir(filepath.Join(dir, sub), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	data := filepath.Join(dir, "data")
	c.server = c.daemon("server", "server", "--data", data, "--no-agent", "--listen", freeAddress(t), "--http", "off")
	for i := range 2 {
		state := filepath.Join(dir, fmt.Sprint("agent", i))
		a := c.daemon(fmt.Sprint("agent", i), "agent", "--data", data, "--dir", state, "--cpus", "4", "-m", "4G")
		a.state = state
		c.agents = append(c.agents, a)
	}
	c.revive()
	c.awaitServer()
	return c
}

// build makes the program.
func build(t *testing.T, dir string) string {
	t.Helper()
	bin := filepath.Join(dir, "muster")
	out, err := exec.Command("go", "build", "-o", bin, "github.com/muster-queue/muster/cmd/muster").CombinedOutput()
	if err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	return bin
}

// commands writes the file of commands. Every tenth leaves a background process
// behind, every eleventh a daemon in a session of its own; both hold the lock.
func (c *cluster) commands(n int) string {
	var b strings.Builder
	for i := range n {
		extra := ""
		switch {
		case i%10 == 0:
			extra = "(sleep 5 &) ; "
		case i%11 == 0:
			extra = "setsid sleep 5 & "
		}
		fmt.Fprintf(&b, "exec 9>>%[1]s/locks/%[2]d; flock -n 9 || echo %[2]d >> %[3]s; echo $$ >> %[1]s/begun/%[2]d; %[4]ssleep 0.0%[5]d; echo x >> %[1]s/done/%[2]d\n",
			c.dir, i, c.overlap, extra, 1+i%9)
	}
	path := filepath.Join(c.dir, "commands")
	if err := os.WriteFile(path, []byte(b.String()), 0o600); err != nil {
		c.t.Fatal(err)
	}
	return path
}

// torment kills and stops processes for a while.
func (c *cluster) torment(rng *rand.Rand, long time.Duration) {
	end := time.After(long)
	frozen := false
	for {
		select {
		case <-end:
			return
		case <-time.After(300*time.Millisecond + time.Duration(rng.Int64N(int64(2*time.Second)))):
		}
		a := c.agents[rng.IntN(len(c.agents))]
		switch n := rng.IntN(10); {
		case !frozen && n < 2:
			frozen = true
			a.freeze(20 * time.Second) // longer than the lease
		case n < 4:
			c.server.kill()
		case n < 6:
			a.kill()
		case n < 8:
			a.killKeeper()
		case n < 9:
			a.killKeeper()
			a.kill()
		default:
			c.server.kill()
			for _, a := range c.agents {
				a.killKeeper()
				a.kill()
			}
		}
		c.revive()
	}
}

// revive starts what does not run.
func (c *cluster) revive() {
	c.server.start()
	for _, a := range c.agents {
		a.start()
	}
}

// check reads the traces.
func (c *cluster) check(n int) {
	if b, err := os.ReadFile(c.overlap); err == nil {
		c.t.Errorf("two runs overlapped of: %s", strings.ReplaceAll(string(b), "\n", " "))
	}
	reruns := 0
	for i := range n {
		done, _ := os.ReadFile(filepath.Join(c.dir, "done", fmt.Sprint(i)))
		begun, _ := os.ReadFile(filepath.Join(c.dir, "begun", fmt.Sprint(i)))
		if len(done) == 0 {
			c.t.Errorf("command %d never completed", i)
		}
		if strings.Count(string(begun), "\n") > 1 {
			reruns++
		}
	}
	c.t.Logf("%d commands, %d of them begun more than once; %d kills", n, reruns, c.kills())
	if c.kills() == 0 || reruns == 0 {
		c.t.Error("nothing was disturbed: the test shows nothing")
	}
}

func (c *cluster) kills() int {
	n := c.server.kills
	for _, a := range c.agents {
		n += a.kills
	}
	return n
}

// must runs a command of the CLI, again while the server is away.
func (c *cluster) must(args ...string) {
	c.t.Helper()
	if out, err := c.muster(5*time.Minute, args...); err != nil {
		c.t.Fatalf("muster %s: %v\n%s", strings.Join(args, " "), err, out)
	}
}

func (c *cluster) muster(limit time.Duration, args ...string) (string, error) {
	cmd := exec.Command(c.bin, append(args, "--data", filepath.Join(c.dir, "data"))...)
	timer := time.AfterFunc(limit, func() { _ = cmd.Process.Signal(syscall.SIGTERM) })
	defer timer.Stop()
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func (c *cluster) awaitServer() {
	deadline := time.After(30 * time.Second)
	for {
		out, err := c.muster(10*time.Second, "info")
		if err == nil {
			return
		}
		select {
		case <-deadline:
			c.t.Fatalf("the server does not answer: %v\n%s\n%s", err, out, c.server.log())
		case <-time.After(50 * time.Millisecond):
		}
	}
}
