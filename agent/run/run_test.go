package run_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/muster-queue/muster/agent/home"
	"github.com/muster-queue/muster/agent/run"
	"github.com/muster-queue/muster/job"
)

// agent is a runner on a state directory of its own.
type agent struct {
	*run.Runner
	home *home.Home
	n    atomic.Uint64
}

// ways are the two ways of holding a command's processes together.
var ways = map[string]bool{"cgroup": true, "no cgroup": false}

// each runs a test both ways.
func each(t *testing.T, test func(t *testing.T, a *agent)) {
	for name, groups := range ways {
		t.Run(name, func(t *testing.T) {
			test(t, newAgent(t, groups, run.Config{Adopt: true}))
		})
	}
}

func newAgent(t testing.TB, groups bool, cfg run.Config) *agent {
	t.Helper()
	h, err := home.Takeover(t.Context(), home.Config{Dir: t.TempDir(), NoCgroup: !groups, Slots: 64})
	if err != nil {
		t.Fatal(err)
	}
	if groups && h.Tree == nil {
		t.Skip("no control groups here: ", h.NoTree)
	}
	cfg.Home = h
	if cfg.Look == 0 {
		cfg.Look = 20 * time.Millisecond
	}
	r, err := run.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if pids, err := h.Scope().Pids(); err != nil || len(pids) > 0 {
			t.Errorf("processes %v are left (%v)", pids, err)
			_ = h.Scope().End(context.Background())
		}
		r.Close()
		if err := h.Close(); err != nil {
			t.Error(err)
		}
	})
	return &agent{Runner: r, home: h}
}

func (a *agent) id() job.AttemptID { return job.AttemptID{Epoch: 1, N: a.n.Add(1)} }

// line runs a shell line.
func (a *agent) line(t *testing.T, line string) job.Result {
	t.Helper()
	return a.command(t, job.Command{Line: line})
}

func (a *agent) command(t *testing.T, c job.Command) job.Result {
	t.Helper()
	return a.spec(t.Context(), run.Spec{Command: &c})
}

func (a *agent) spec(ctx context.Context, s run.Spec) job.Result {
	if s.Attempt.IsZero() {
		s.Attempt = a.id()
	}
	return a.Run(ctx, s)
}

func stdout(r job.Result) string { return string(r.Stdout.Head) + string(r.Stdout.Tail) }
func stderr(r job.Result) string { return string(r.Stderr.Head) + string(r.Stderr.Tail) }

func want(t *testing.T, r job.Result, reason job.Reason) {
	t.Helper()
	if r.Reason != reason {
		t.Fatalf("reason %q, want %q: %s; exit code %d, printed %.200q and %.200q; log %.500q",
			r.Reason.Word(), reason.Word(), r.Message, r.ExitCode, stdout(r), stderr(r), r.Log)
	}
}

func TestSuccess(t *testing.T) {
	each(t, func(t *testing.T, a *agent) {
		r := a.line(t, "echo out; echo err >&2")
		want(t, r, job.ReasonNone)
		if !r.Exited || r.ExitCode != 0 || r.Pid == 0 || r.WallTime <= 0 || r.CPUTime <= 0 {
			t.Errorf("exited %v, exit code %d, pid %d, took %v, CPU %v", r.Exited, r.ExitCode, r.Pid, r.WallTime, r.CPUTime)
		}
		if stdout(r) != "out\n" || stderr(r) != "err\n" {
			t.Errorf("printed %q and %q", stdout(r), stderr(r))
		}
		if r.Dir != "" {
			t.Errorf("the empty directory %s of a success was kept", r.Dir)
		}
	})
}

func TestReasonsOfExitCodes(t *testing.T) {
	tests := []struct {
		line   string
		reason job.Reason
		code   int
		signal string
	}{
		{"exit 1", job.ReasonExit, 1, ""},
		{"exit 125", job.ReasonExit, 125, ""},
		{"exit 126", job.ReasonPermission, 126, ""},
		{"/etc/passwd", job.ReasonPermission, 126, ""},
		{"no-such-command-at-all", job.ReasonNotFound, 127, ""},
		{"exit 128", job.ReasonInvalidExit, 128, ""},
		{"exit 137", job.ReasonExit, 137, ""},
		{"exit 255", job.ReasonAbnormal, 255, ""},
		{"kill -SEGV $$", job.ReasonAbnormal, -1, "SIGSEGV"},
		{"kill -KILL $$", job.ReasonAbnormal, -1, "SIGKILL"},
		{"kill -USR1 $$", job.ReasonAbnormal, -1, "SIGUSR1"},
		{"false | cat", job.ReasonExit, 1, ""},
	}
	each(t, func(t *testing.T, a *agent) {
		for _, test := range tests {
			t.Run(test.line, func(t *testing.T) {
				r := a.line(t, test.line)
				want(t, r, test.reason)
				if r.ExitCode != test.code || r.Signal != test.signal || r.Exited != (test.signal == "") {
					t.Errorf("exit code %d, signal %q, exited %v", r.ExitCode, r.Signal, r.Exited)
				}
				if r.Message == "" {
					t.Error("nothing is said to people")
				}
			})
		}
	})
}

func TestReasonsWhyACommandDoesNotStart(t *testing.T) {
	plain := t.TempDir() + "/plain"
	if err := os.WriteFile(plain, []byte("data"), 0o644); err != nil {
		t.Fatal(err)
	}
	garbage := t.TempDir() + "/garbage"
	if err := os.WriteFile(garbage, []byte{0x7f, 'E', 'L', 'F', 0, 1, 2}, 0o755); err != nil {
		t.Fatal(err)
	}
	tests := map[string]struct {
		command job.Command
		reason  job.Reason
		says    string
	}{
		"not in PATH":       {job.Command{Argv: []string{"no-such-program"}}, job.ReasonNotFound, "no-such-program"},
		"no such file":      {job.Command{Argv: []string{"/no/such/program"}}, job.ReasonNotFound, "/no/such/program"},
		"not executable":    {job.Command{Argv: []string{plain}}, job.ReasonPermission, plain},
		"a directory":       {job.Command{Argv: []string{"/tmp"}}, job.ReasonPermission, "/tmp"},
		"not a program":     {job.Command{Argv: []string{garbage}}, job.ReasonPermission, garbage},
		"no directory":      {job.Command{Argv: []string{"true"}, Dir: "/no/such/dir", DirGiven: true}, job.ReasonCwd, "/no/such/dir"},
		"relative":          {job.Command{Argv: []string{"true"}, Dir: "here", DirGiven: true}, job.ReasonCwd, "absolute"},
		"a file as dir":     {job.Command{Argv: []string{"true"}, Dir: plain, DirGiven: true}, job.ReasonCwd, plain},
		"base not makeable": {job.Command{Argv: []string{"true"}, Dir: plain}, job.ReasonCwd, plain},
		"NUL":               {job.Command{Argv: []string{"true"}, Env: []string{"A=\x00"}}, job.ReasonEnv, "NUL"},
		"unknown user":      {job.Command{Argv: []string{"true"}, User: "no-such-user"}, job.ReasonPermission, "no-such-user"},
		"unknown group":     {job.Command{Argv: []string{"true"}, UnixGroup: "no-such-group"}, job.ReasonPermission, "no-such-group"},
		"unknown runtime":   {job.Command{Argv: []string{"true"}, Image: "i", Runtime: "lxc"}, job.ReasonContainer, "docker"},
		"no runtime":        {job.Command{Argv: []string{"true"}, Image: "i", Env: []string{"PATH=/nowhere"}}, job.ReasonContainer, "docker"},
		"mounts":            {job.Command{Argv: []string{"true"}, Mounts: []job.Mount{{}}}, job.ReasonMount, "later release"},
		"inputs":            {job.Command{Argv: []string{"true"}, Inputs: []job.File{{}}}, job.ReasonInput, "later release"},
		"outputs":           {job.Command{Argv: []string{"true"}, Outputs: []job.File{{}}}, job.ReasonUpload, "later release"},
		"emulation":         {job.Command{Argv: []string{"true"}, Emulate: "lsf"}, job.ReasonEnv, "lsf"},
		"too long":          {job.Command{Argv: []string{"true", strings.Repeat("x", 200<<10)}}, job.ReasonStart, "longer than the system allows"},
		"no module command": {job.Command{Argv: []string{"true"}, Modules: []string{"x"}}, job.ReasonEnv, "module load failed"},
	}
	each(t, func(t *testing.T, a *agent) {
		for name, test := range tests {
			t.Run(name, func(t *testing.T) {
				r := a.command(t, test.command)
				want(t, r, test.reason)
				if !strings.Contains(r.Message, test.says) {
					t.Errorf("says %q, which does not mention %q", r.Message, test.says)
				}
				if r.Dir != "" && !test.command.DirGiven {
					t.Errorf("directory %s was left", r.Dir)
				}
			})
		}
	})
}

func TestDescriptors(t *testing.T) {
	each(t, func(t *testing.T, a *agent) {
		r := a.line(t, "cat; readlink /proc/self/fd/0; ls /proc/self/fd | wc -l")
		want(t, r, job.ReasonNone)
		if stdout(r) != "/dev/null\n4\n" { // the fourth is the directory that ls lists
			t.Errorf("standard input and number of descriptors: %q", stdout(r))
		}
	})
}

func TestTimeLimit(t *testing.T) {
	each(t, func(t *testing.T, a *agent) {
		for line, signal := range map[string]string{
			"sleep 60":                                 "SIGTERM",
			"trap '' TERM; sleep 60; sleep 60":         "SIGKILL",
			"kill -STOP $$":                            "SIGTERM",
			"trap 'exit 0' TERM; sleep 60 & wait":      "",
			"setsid sleep 60 & trap '' TERM; sleep 60": "SIGKILL",
		} {
			t.Run(line, func(t *testing.T) {
				t.Parallel()
				began := time.Now()
				r := a.spec(context.Background(), run.Spec{
					Time: 100 * time.Millisecond, Command: &job.Command{Line: line, Grace: 200 * time.Millisecond},
				})
				want(t, r, job.ReasonTime)
				if took := time.Since(began); took > 20*time.Second {
					t.Errorf("took %v to end", took)
				}
				if r.Signal != signal {
					t.Errorf("ended by %q, want %q", r.Signal, signal)
				}
				if len(r.Log) == 0 || !strings.Contains(r.Log[0], "time limit of 100ms") {
					t.Errorf("log %q", r.Log)
				}
			})
		}
	})
}

func TestStops(t *testing.T) {
	tests := map[error]job.Reason{
		run.ErrCancelled: job.ReasonCancelled,
		run.ErrDeleted:   job.ReasonCancelled,
		run.ErrPreempted: job.ReasonPreempted,
		run.ErrLease:     job.ReasonLost,
		run.ErrStopping:  job.ReasonSignal,
		context.Canceled: job.ReasonSignal,
	}
	each(t, func(t *testing.T, a *agent) {
		for cause, reason := range tests {
			t.Run(cause.Error(), func(t *testing.T) {
				ctx, cancel := context.WithCancelCause(t.Context())
				began := time.Now()
				r := a.spec(ctx, run.Spec{
					Started: func(int) { cancel(cause) },
					Command: &job.Command{Line: "sleep 60", Grace: 100 * time.Millisecond},
				})
				want(t, r, reason)
				if took := time.Since(began); took > 10*time.Second {
					t.Errorf("took %v from order to end", took)
				}
			})
			t.Run("before the start: "+cause.Error(), func(t *testing.T) {
				ctx, cancel := context.WithCancelCause(t.Context())
				cancel(cause)
				r := a.spec(ctx, run.Spec{Command: &job.Command{Line: "sleep 60"}})
				want(t, r, reason)
				if r.Pid != 0 {
					t.Error("it was started")
				}
			})
		}
	})
}

// A person's cancel is what counts, even while the command is being stopped for
// something else.
func TestCancelWins(t *testing.T) {
	each(t, func(t *testing.T, a *agent) {
		ctx, cancel := context.WithCancelCause(t.Context())
		c := job.Command{Line: "trap 'echo stopping; while :; do sleep 0.01; done' TERM; while :; do sleep 0.01; done", Grace: 500 * time.Millisecond}
		id := a.id()
		go func() {
			tail := await(t, func() (*run.Tail, error) { return a.Tail(id, false, 0) })
			_, _, _ = tail.Next(ctx) // it was told to stop for its time
			cancel(run.ErrCancelled)
		}()
		r := a.spec(ctx, run.Spec{Attempt: id, Time: 50 * time.Millisecond, Command: &c})
		want(t, r, job.ReasonCancelled)
		if len(r.Log) != 1 {
			t.Errorf("log %q: it should have been stopped once", r.Log)
		}
	})
}

// await tries until there is no error.
func await[T any](t *testing.T, try func() (T, error)) T {
	for deadline := time.Now().Add(5 * time.Second); ; time.Sleep(time.Millisecond) {
		v, err := try()
		if err == nil {
			return v
		}
		if time.Now().After(deadline) {
			t.Error(err)
			return v
		}
	}
}

func TestLeaseEnds(t *testing.T) {
	each(t, func(t *testing.T, a *agent) {
		until := home.Now() + 1300*time.Millisecond
		r := a.spec(t.Context(), run.Spec{Until: until, Command: &job.Command{Line: "trap '' TERM; sleep 60; sleep 60", Grace: 100 * time.Millisecond}})
		want(t, r, job.ReasonLost)
		if home.Now() > until {
			t.Errorf("ended %v after it had to", home.Now()-until)
		}
	})
}

func TestLeaseIsExtended(t *testing.T) {
	each(t, func(t *testing.T, a *agent) {
		id := a.id()
		r := a.spec(t.Context(), run.Spec{
			Attempt: id, Until: home.Now() + 1100*time.Millisecond,
			Started: func(int) {
				if !a.Extend(id, home.Now()+time.Minute) {
					t.Error("the attempt is not known")
				}
			},
			Command: &job.Command{Line: "sleep 0.4"},
		})
		want(t, r, job.ReasonNone)
		if a.Extend(id, home.Now()+time.Minute) {
			t.Error("an ended attempt was extended")
		}
	})
}

func TestSameAttemptTwice(t *testing.T) {
	a := newAgent(t, true, run.Config{Adopt: true})
	id := a.id()
	r := a.spec(t.Context(), run.Spec{Attempt: id, Command: &job.Command{Line: "true"}, Started: func(int) {
		want(t, a.spec(t.Context(), run.Spec{Attempt: id, Command: &job.Command{Line: "true"}}), job.ReasonStart)
	}})
	want(t, r, job.ReasonNone)
}

// What a command leaves in the background ends with it, however it hides.
func TestNothingIsLeft(t *testing.T) {
	lines := map[string]string{
		"background":         `sleep 60 & echo $!`,
		"own session":        `setsid sleep 60 & echo $!`,
		"double fork":        `mkfifo p; (setsid sh -c 'sleep 60 & echo $!; echo >p' &) ; read x <p`,
		"ignores signals":    `(trap '' TERM HUP INT; setsid sleep 60 & echo $!)`,
		"closes its outputs": `mkfifo p; setsid sh -c 'exec >/dev/null 2>&1 </dev/null; echo $$ >p; exec sleep 60' & cat p`,
	}
	each(t, func(t *testing.T, a *agent) {
		for name, line := range lines {
			t.Run(name, func(t *testing.T) {
				began := time.Now()
				r := a.line(t, line)
				want(t, r, job.ReasonNone)
				if took := time.Since(began); took > 20*time.Second {
					t.Errorf("took %v; somebody waited for the one in the background", took)
				}
				pid, err := strconv.Atoi(strings.TrimSpace(stdout(r)))
				if err != nil {
					t.Fatalf("printed %q", stdout(r))
				}
				gone(t, pid)
				os.RemoveAll(r.Dir)
			})
		}
	})
}

// gone waits for a killed process to be gone: it runs no more of its program, but
// the kernel may still be busy with it.
func gone(t *testing.T, pid int) {
	t.Helper()
	await(t, func() (any, error) {
		if state := processState(pid); state != "" {
			return nil, fmt.Errorf("process %d still runs, state %s", pid, state)
		}
		return nil, nil
	})
}

// processState is the state of a living process, else "".
func processState(pid int) string {
	b, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return ""
	}
	s := string(b[bytes.LastIndexByte(b, ')')+2:][:1])
	if s == "Z" || s == "X" {
		return ""
	}
	return s
}

// Without taking orphans in, what is left is found by looking through everything.
func TestNothingIsLeftWithoutAdopting(t *testing.T) {
	a := newAgent(t, false, run.Config{})
	r := a.line(t, "mkfifo p; (setsid sh -c 'sleep 60 & echo $!; echo >p' &) ; read x <p")
	want(t, r, job.ReasonNone)
	pid, err := strconv.Atoi(strings.TrimSpace(stdout(r)))
	if err != nil {
		t.Fatalf("printed %q", stdout(r))
	}
	gone(t, pid)
}

// Ending what one command left does not touch the daemons of another.
func TestOthersAreLeftAlone(t *testing.T) {
	each(t, func(t *testing.T, a *agent) {
		dir := t.TempDir()
		first := make(chan job.Result)
		go func() {
			first <- a.spec(context.Background(), run.Spec{Command: &job.Command{
				Line: "mkfifo ready go end; (setsid sh -c 'echo x >ready; read x <go; echo done; echo x >end' &); read x <end",
				Dir:  dir, DirGiven: true,
			}})
		}()
		await(t, func() ([]byte, error) { return os.ReadFile(dir + "/ready") }) // the daemon is there
		for range 5 {
			want(t, a.line(t, "sleep 60 & true"), job.ReasonNone)
		}
		if err := os.WriteFile(dir+"/go", []byte("x\n"), 0); err != nil {
			t.Fatal(err)
		}
		r := <-first
		want(t, r, job.ReasonNone)
		if stdout(r) != "done\n" {
			t.Errorf("its daemon printed %q", stdout(r))
		}
	})
}

// Many commands at once, each leaving something behind, are each told their own
// end.
func TestManyAtOnce(t *testing.T) {
	each(t, func(t *testing.T, a *agent) {
		var wg sync.WaitGroup
		for w := range 8 {
			wg.Go(func() {
				for i := range 25 {
					code := (8*i + w) % 100
					r := a.spec(context.Background(), run.Spec{Command: &job.Command{Shell: "sh", Line: fmt.Sprintf("(setsid true &); setsid sleep 60 & echo %d; exit %d", code, code)}})
					if r.ExitCode != code || !r.Exited || stdout(r) != fmt.Sprintln(code) {
						t.Errorf("exit code %d, printed %q, want %d; %s", r.ExitCode, stdout(r), code, r.Message)
					}
				}
			})
		}
		wg.Wait()
	})
}

// Another part of the program that reaps everything must not make a command
// hang, nor its failure a success.
func TestStolenEnd(t *testing.T) {
	a := newAgent(t, true, run.Config{Adopt: true})
	r := a.spec(t.Context(), run.Spec{
		Command: &job.Command{Line: "exit 3"},
		Started: func(pid int) { _, _ = syscall.Wait4(pid, nil, 0, nil) },
	})
	want(t, r, job.ReasonAbnormal)
	if r.Exited || !strings.Contains(r.Message, "exit status") {
		t.Errorf("exited %v, message %q", r.Exited, r.Message)
	}
}
