package cli

import (
	"bufio"
	"context"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// TestMain makes the test binary the muster of the scripts.
func TestMain(m *testing.M) {
	commands := map[string]func(){"muster": musterMain}
	for _, c := range emulatedCommands() {
		commands[c.name] = musterMain
	}
	testscript.Main(m, commands)
}

// musterMain is the main function of cmd/muster.
func musterMain() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop)
	dir, err := os.Getwd()
	if err != nil {
		panic(err)
	}
	os.Exit(Main(ctx, System{
		Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr, Environ: os.Environ(), Dir: dir, Version: "test",
	}, Args(os.Args)))
}

// TestScripts runs the transcripts of testdata: each is what a person types, and
// what they see.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata",
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Setup: func(e *testscript.Env) error {
			e.Setenv("MUSTER_DATA", e.WorkDir+"/data")
			e.Setenv("HOME", e.WorkDir)
			e.Setenv("TMPDIR", e.WorkDir+"/.tmp")
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"server": startServer},
	})
}

// upTime bounds how long a server may take to come up on a busy machine.
const upTime = time.Minute

// startServer runs "muster server" in the background until the script ends, and
// waits for it to be up and to have its agent; with "coordinated" as first argument
// it runs that, which has none.
func startServer(ts *testscript.TestScript, neg bool, args []string) {
	if neg {
		ts.Fatalf("server: it must come up")
	}
	name, sign := "server", "msg=attached"
	if len(args) > 0 && args[0] == coordinatedName {
		name, sign, args = args[0], "the server is up", args[1:]
	}
	args = append([]string{name, "--listen", "127.0.0.1:0"}, args...)
	cmd := exec.Command("muster", args...)
	cmd.Dir = ts.MkAbs(".")
	cmd.Env = []string{"PATH=" + ts.Getenv("PATH"), "HOME=" + ts.Getenv("HOME"), "MUSTER_DATA=" + ts.Getenv("MUSTER_DATA"), "TMPDIR=" + ts.Getenv("TMPDIR")}
	stderr, err := cmd.StderrPipe()
	ts.Check(err)
	ts.Check(cmd.Start())
	up, ended := make(chan struct{}), make(chan struct{})
	var log []string // of the goroutine, until ended: a script's own log has no lock
	go func() {
		defer close(ended)
		attached := sync.OnceFunc(func() { close(up) })
		lines := bufio.NewScanner(stderr)
		for lines.Scan() {
			log = append(log, lines.Text())
			if strings.Contains(lines.Text(), sign) {
				attached()
			}
		}
		_, _ = io.Copy(io.Discard, stderr)
	}()
	ts.Defer(func() {
		_ = cmd.Process.Signal(os.Interrupt)
		<-ended
		_ = cmd.Wait()
		ts.Logf("server: %s", strings.Join(log, "\nserver: "))
	})
	select {
	case <-up:
	case <-ended:
		ts.Fatalf("the server has ended")
	case <-time.After(upTime):
		ts.Fatalf("the server does not come up")
	}
}
