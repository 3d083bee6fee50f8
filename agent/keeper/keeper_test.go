package keeper_test

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/muster-queue/muster/agent/home"
	"github.com/muster-queue/muster/agent/keeper"
	"github.com/muster-queue/muster/agent/run"
	"github.com/muster-queue/muster/job"
)

// The test binary is also the agent that the tests kill and stop, and, because
// it imports the package, that agent's keeper.
func TestMain(m *testing.M) {
	if dir := os.Getenv("MUSTER_TEST_AGENT"); dir != "" {
		if err := standIn(dir); err != nil {
			fmt.Println("error", err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// standIn is an agent without a server: it takes orders on its standard input.
//
//	run N UNTIL LINE   runs a line as attempt N, for UNTIL (0: no deadline)
//	keeper             tells the keeper's pid
//	stop               stops
func standIn(dir string) error {
	h, err := home.Takeover(context.Background(), home.Config{Dir: dir, NoCgroup: os.Getenv("MUSTER_TEST_NO_CGROUP") != ""})
	if err != nil {
		return err
	}
	k, err := keeper.Start(h, func(err error) { fmt.Println("lost", err) })
	if err != nil {
		return err
	}
	r, err := run.New(run.Config{Home: h, Adopt: true})
	if err != nil {
		return err
	}
	fmt.Println("ready", h.Incarnation, h.Tree != nil)
	orders := bufio.NewScanner(os.Stdin)
	for orders.Scan() {
		word, rest, _ := strings.Cut(orders.Text(), " ")
		switch word {
		case "run":
			f := strings.SplitN(rest, " ", 3)
			n, _ := strconv.ParseUint(f[0], 10, 64)
			until, _ := time.ParseDuration(f[1])
			if until != 0 {
				until += home.Now()
			}
			go func() {
				res := r.Run(context.Background(), run.Spec{
					Attempt: job.AttemptID{Epoch: 1, N: n}, Until: until, Command: &job.Command{Line: f[2], Dir: dir, DirGiven: true},
				})
				fmt.Println("ended", n, res.Reason.Word(), res.Message)
			}()
		case "keeper":
			fmt.Println("keeper", k.Pid())
		case "stop":
			r.Close()
			if err := k.Close(); err != nil {
				return err
			}
			return h.Close()
		}
	}
	select {} // its standard input ends with the test
}

// standing is a stand-in agent that a test started.
type standing struct {
	t      *testing.T
	dir    string
	cmd    *exec.Cmd
	orders *os.File
	says   chan string
	ended  *process
}

var ways = map[string]bool{"cgroup": true, "no cgroup": false}

func each(t *testing.T, test func(t *testing.T, groups bool)) {
	for name, groups := range ways {
		t.Run(name, func(t *testing.T) { test(t, groups) })
	}
}

func start(t *testing.T, dir string, groups bool) *standing {
	t.Helper()
	if err := os.WriteFile(dir+"/daemon", []byte(daemon), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = append(os.Environ(), "MUSTER_TEST_AGENT="+dir)
	if !groups {
		cmd.Env = append(cmd.Env, "MUSTER_TEST_NO_CGROUP=1")
	}
	cmd.Stderr = os.Stderr
	in, orders, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stdin = in
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	in.Close()
	a := &standing{t: t, dir: dir, cmd: cmd, orders: orders, says: make(chan string, 100), ended: pin(t, cmd.Process.Pid)}
	go func() {
		lines := bufio.NewScanner(out)
		for lines.Scan() {
			a.says <- lines.Text()
		}
		close(a.says)
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		orders.Close()
	})
	if says := a.hear("ready"); groups && !strings.HasSuffix(says, "true") {
		t.Skip("no control groups here")
	}
	return a
}

// hear waits for a line that begins with word.
func (a *standing) hear(word string) string {
	a.t.Helper()
	timeout := time.After(20 * time.Second)
	for {
		select {
		case line, ok := <-a.says:
			if !ok {
				a.t.Fatalf("the agent ended before it said %q", word)
			}
			if rest, ok := strings.CutPrefix(line, word); ok {
				return strings.TrimSpace(rest)
			}
			if strings.HasPrefix(line, "error") {
				a.t.Fatal(line)
			}
		case <-timeout:
			a.t.Fatalf("the agent did not say %q", word)
		}
	}
}

func (a *standing) order(format string, args ...any) {
	a.t.Helper()
	if _, err := fmt.Fprintf(a.orders, format+"\n", args...); err != nil {
		a.t.Fatal(err)
	}
}

// keeperPid is the agent's present keeper.
func (a *standing) keeperPid() int {
	a.order("keeper")
	pid, _ := strconv.Atoi(a.hear("keeper"))
	return pid
}

func (a *standing) keeper() *process { return pin(a.t, a.keeperPid()) }

// run runs a line that writes the pid of its last process to the file in $P, and
// pins that process.
func (a *standing) run(n int, until time.Duration, line string) *process {
	a.t.Helper()
	fifo := fmt.Sprintf("%s/fifo%d", a.dir, n)
	if err := unix.Mkfifo(fifo, 0o600); err != nil {
		a.t.Fatal(err)
	}
	a.order("run %d %v P=%s; %s", n, until, fifo, line)
	b, err := os.ReadFile(fifo)
	if err != nil {
		a.t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(b)))
	if err != nil {
		a.t.Fatalf("the command wrote %q", b)
	}
	return pin(a.t, pid)
}

// daemon is a script that says its pid and stays.
const daemon = "echo $$ >$1\nwhile :; do sleep 1; done\n"

// crowd runs commands that hide in all the ways there are.
func (a *standing) crowd() []*process {
	return []*process{
		a.run(1, 0, "echo $$ >$P; exec sleep 100"),
		a.run(2, 0, "sleep 100 & echo $! >$P; wait"),
		a.run(3, 0, "trap '' TERM HUP INT; setsid sh ./daemon $P & wait"),
		a.run(4, 0, "(setsid sh -c 'exec </dev/null >/dev/null 2>&1; sh ./daemon '$P' &' &); sleep 100"),
	}
}

// process is a process pinned against the reuse of its pid.
type process struct {
	t   *testing.T
	pid int
	fd  int
}

func pin(t *testing.T, pid int) *process {
	t.Helper()
	fd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		t.Fatalf("process %d: %v", pid, err)
	}
	t.Cleanup(func() { unix.Close(fd) })
	return &process{t, pid, fd}
}

func (p *process) signal(sig unix.Signal) {
	p.t.Helper()
	if err := unix.PidfdSendSignal(p.fd, sig, nil, 0); err != nil {
		p.t.Fatal(err)
	}
}

// wait waits for the process's end.
func (p *process) wait(most time.Duration) bool {
	poll := []unix.PollFd{{Fd: int32(p.fd), Events: unix.POLLIN}}
	for deadline := time.Now().Add(most); ; {
		n, err := unix.Poll(poll, int(max(time.Until(deadline), 0)/time.Millisecond))
		if err != unix.EINTR {
			return n > 0
		}
	}
}

// patience is what a process may take to be gone on a machine that is busy with
// other things; the bound promised is logged, not asserted.
const patience = 10 * time.Second

func allGone(t *testing.T, what string, crowd []*process) {
	t.Helper()
	began := time.Now()
	for i, p := range crowd {
		if !p.wait(patience) {
			t.Errorf("process %d (command %d) outlives %s", p.pid, i+1, what)
			_ = unix.Kill(p.pid, unix.SIGKILL)
		}
	}
	t.Logf("after %s all were gone in %v", what, time.Since(began))
}

func TestAgentKilled(t *testing.T) {
	each(t, func(t *testing.T, groups bool) {
		a := start(t, t.TempDir(), groups)
		k := a.keeper()
		crowd := a.crowd()
		a.ended.signal(unix.SIGKILL)
		allGone(t, "the agent", crowd)
		if !k.wait(patience) {
			t.Error("the keeper stays")
		}
	})
}

// Signals that reach the agent's terminal or are sent to the keeper by mistake
// do not end it.
func TestKeeperIsNotEndedBySignals(t *testing.T) {
	a := start(t, t.TempDir(), false)
	k := a.keeper()
	for _, sig := range []unix.Signal{unix.SIGINT, unix.SIGTERM, unix.SIGHUP, unix.SIGQUIT, unix.SIGUSR1} {
		k.signal(sig)
	}
	crowd := a.crowd()
	a.ended.signal(unix.SIGKILL)
	allGone(t, "the agent", crowd)
	if sid, _ := unix.Getsid(a.cmd.Process.Pid); sid == k.pid {
		t.Error("the keeper shares the agent's session")
	}
}

func TestAgentHangs(t *testing.T) {
	each(t, func(t *testing.T, groups bool) {
		a := start(t, t.TempDir(), groups)
		until := home.Now() + 2500*time.Millisecond
		polite := a.run(1, 2500*time.Millisecond, "echo $$ >$P; exec sleep 100")
		stubborn := a.run(2, 2500*time.Millisecond, "trap '' TERM; (setsid sh -c 'sh ./daemon '$P' &' &); while :; do sleep 1; done")
		free := a.run(3, time.Hour, "echo $$ >$P; exec sleep 100")
		a.ended.signal(unix.SIGSTOP)
		for _, p := range []*process{polite, stubborn} {
			if !p.wait(patience) {
				t.Errorf("process %d outlives its deadline", p.pid)
			}
		}
		t.Logf("the last was gone %v before the time it had to be", until-home.Now())
		if free.wait(0) {
			t.Error("a command with time left was ended, too")
		}
		a.ended.signal(unix.SIGCONT)
		for range 2 {
			if says := a.hear("ended"); !strings.Contains(says, " lost ") {
				t.Errorf("the agent says %q", says)
			}
		}
		a.ended.signal(unix.SIGKILL)
		allGone(t, "the agent", []*process{free})
	})
}

func TestKeeperKilled(t *testing.T) {
	each(t, func(t *testing.T, groups bool) {
		a := start(t, t.TempDir(), groups)
		crowd := a.crowd()
		old := a.keeper()
		old.signal(unix.SIGKILL)
		if !old.wait(patience) {
			t.Fatal("the keeper survives SIGKILL")
		}
		for deadline := time.Now().Add(patience); a.keeperPid() == old.pid; {
			if time.Now().After(deadline) {
				t.Fatal("no new keeper was started")
			}
		}
		for _, p := range crowd {
			if p.wait(0) {
				t.Errorf("process %d ended with the keeper", p.pid)
			}
		}
		a.ended.signal(unix.SIGKILL)
		allGone(t, "the agent", crowd)
	})
}

func TestKeeperCannotBeStartedAgain(t *testing.T) {
	a := start(t, t.TempDir(), false)
	old := a.keeper()
	if err := os.Remove(a.dir + "/running.1"); err != nil {
		t.Fatal(err)
	}
	old.signal(unix.SIGKILL)
	if says := a.hear("lost"); !strings.Contains(says, "keeper") {
		t.Errorf("the agent says %q", says)
	}
}

// With agent and keeper killed at once, the main processes go with the agent and
// the successor ends the rest.
func TestBothKilled(t *testing.T) {
	each(t, func(t *testing.T, groups bool) {
		a := start(t, t.TempDir(), groups)
		k := a.keeper()
		crowd := a.crowd()
		k.signal(unix.SIGSTOP) // a keeper that was restarted would spoil the test
		a.ended.signal(unix.SIGKILL)
		k.signal(unix.SIGKILL)
		if !crowd[0].wait(patience) {
			t.Error("a main process outlives its agent")
		}
		h, err := home.Takeover(t.Context(), home.Config{Dir: a.dir, NoCgroup: !groups})
		if err != nil {
			t.Fatal(err)
		}
		defer h.Close()
		for _, p := range crowd {
			if !p.wait(0) && !exiting(p.pid) {
				t.Errorf("process %d outlives the take-over", p.pid)
			}
		}
		if h.Incarnation != 2 || !h.Proven || len(h.Superseded) != 4 {
			t.Errorf("incarnation %d, proven %v, superseded %v", h.Incarnation, h.Proven, h.Superseded)
		}
	})
}

// exiting tells that a process runs no more of its program.
func exiting(pid int) bool {
	b, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/environ")
	return err != nil || len(b) == 0
}

func TestSecondAgentIsRefused(t *testing.T) {
	a := start(t, t.TempDir(), false)
	p := a.run(1, 0, "echo $$ >$P; exec sleep 100")
	_, err := home.Takeover(t.Context(), home.Config{Dir: a.dir, NoCgroup: true})
	if !job.IsKind(err, job.Conflict) || !strings.Contains(err.Error(), fmt.Sprintf("pid %d ", a.cmd.Process.Pid)) {
		t.Errorf("a second agent: %v", err)
	}
	if p.wait(0) {
		t.Error("the first agent's command was ended")
	}
}

func TestStopLeavesNothing(t *testing.T) {
	each(t, func(t *testing.T, groups bool) {
		a := start(t, t.TempDir(), groups)
		k := a.keeper()
		a.order("stop")
		for _, p := range []*process{a.ended, k} {
			if !p.wait(patience) {
				t.Errorf("process %d stays", p.pid)
			}
		}
		h, err := home.Takeover(t.Context(), home.Config{Dir: a.dir, NoCgroup: true})
		if err != nil || len(h.Superseded) > 0 {
			t.Fatal(err, h.Superseded)
		}
		h.Close()
	})
}

func TestMainRefusesPeople(t *testing.T) {
	if code := keeper.Main(nil); code == 0 {
		t.Error("it runs without an agent")
	}
}
