package e2e

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// daemon is a process of the cluster that is started again after it was killed.
type daemon struct {
	c     *cluster
	name  string
	args  []string
	state string // an agent's state directory
	cmd   *exec.Cmd
	ended chan struct{} // closed when cmd has been waited for
	kills int
}

func (c *cluster) daemon(name string, args ...string) *daemon {
	d := &daemon{c: c, name: name, args: args}
	c.t.Cleanup(func() {
		d.kill()
		if c.t.Failed() {
			c.t.Logf("log of %s:\n%s", name, d.log())
		}
	})
	return d
}

// start starts it unless it runs.
func (d *daemon) start() {
	if d.cmd != nil {
		select {
		case <-d.ended:
		default:
			return
		}
	}
	log, err := os.OpenFile(d.logPath(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		d.c.t.Fatal(err)
	}
	defer log.Close()
	d.cmd = exec.Command(d.c.bin, d.args...)
	d.cmd.Stdout, d.cmd.Stderr = log, log
	if err := d.cmd.Start(); err != nil {
		d.c.t.Fatal(err)
	}
	cmd, ended := d.cmd, make(chan struct{})
	d.ended = ended
	go func() {
		_ = cmd.Wait()
		close(ended)
	}()
}

// kill ends it with -9 and waits until it has ended.
func (d *daemon) kill() {
	if d.cmd == nil {
		return
	}
	_ = d.cmd.Process.Kill()
	_ = d.cmd.Process.Signal(syscall.SIGCONT)
	<-d.ended
	d.kills++
}

// freeze stops it for a while, in the background; it may be killed meanwhile.
func (d *daemon) freeze(long time.Duration) {
	p := d.cmd.Process
	_ = p.Signal(syscall.SIGSTOP)
	timer := time.AfterFunc(long, func() { _ = p.Signal(syscall.SIGCONT) })
	d.c.t.Cleanup(func() { timer.Stop() })
	d.kills++
}

// killKeeper ends the agent's companion with -9.
func (d *daemon) killKeeper() {
	procs, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, path := range procs {
		b, err := os.ReadFile(path)
		if err != nil {
			continue
		}
		args := strings.Split(string(b), "\x00")
		if len(args) > 2 && strings.Contains(args[0], "keeper") && strings.Contains(string(b), "\x00"+d.state+"\x00") {
			pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(path)))
			_ = syscall.Kill(pid, syscall.SIGKILL)
			d.kills++
		}
	}
}

func (d *daemon) logPath() string { return filepath.Join(d.c.dir, d.name+".log") }

// log is the end of what it has logged.
func (d *daemon) log() string {
	b, err := os.ReadFile(d.logPath())
	if err != nil {
		return err.Error()
	}
	return string(b[max(0, len(b)-4000):])
}

// freeAddress is a loopback address nobody listens on.
func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}
