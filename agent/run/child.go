package run

import (
	"os"
	"runtime"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// child is a process of ours, watched through a pidfd in the runtime's own
// poller, so that a running command costs no thread.
type child struct {
	pid    int
	pidfd  *os.File
	raw    syscall.RawConn
	began  time.Time
	ended  time.Time
	status unix.WaitStatus
	usage  unix.Rusage
	stolen bool // another part of the program reaped it: how it ended is not known
}

// starter starts processes from one thread that lives as long as it: the kernel
// sends a process's parent-death signal when the thread that started it ends. A
// thread of a Go program ends when a goroutine that is locked to it returns,
// which may happen in programs that do other things beside.
type starter struct {
	requests chan *startRequest
}

type startRequest struct {
	path  string
	argv  []string
	attr  *syscall.ProcAttr
	pid   int
	began time.Time
	err   error
	done  chan struct{}
}

func newStarter() *starter {
	s := &starter{requests: make(chan *startRequest)}
	go s.serve()
	return s
}

func (s *starter) serve() {
	runtime.LockOSThread()
	for q := range s.requests {
		q.serve()
		close(q.done)
	}
}

func (q *startRequest) serve() {
	q.began = time.Now()
	q.pid, q.err = syscall.ForkExec(q.path, q.argv, q.attr)
}

func (s *starter) close() {
	if s != nil {
		close(s.requests)
	}
}

// start starts a process. Without a starter it is started from the caller's
// thread, which is cheaper by two changes of threads.
func (s *starter) start(q *startRequest) {
	if s == nil {
		q.serve()
		return
	}
	q.done = make(chan struct{})
	s.requests <- q
	<-q.done
}

// launch starts a program.
func (r *Runner) launch(path string, argv []string, attr *syscall.ProcAttr) (*child, error) {
	fd := -1
	attr.Sys.PidFD = &fd
	q := &startRequest{path: path, argv: argv, attr: attr}
	r.born.RLock() // see reapOrphan
	r.starter.start(q)
	pid, err := q.pid, q.err
	if err == nil {
		r.mu.Lock()
		r.mains[pid] = true
		r.mu.Unlock()
	}
	r.born.RUnlock()
	if err != nil {
		return nil, err
	}
	if fd < 0 { // a kernel before 5.3
		if fd, err = unix.PidfdOpen(pid, 0); err != nil {
			return nil, killNow(pid, err)
		}
	}
	if err := setNonblock(fd, unix.O_RDWR); err != nil {
		return nil, killNow(pid, err)
	}
	c := &child{pid: pid, pidfd: os.NewFile(uintptr(fd), "pidfd"), began: q.began}
	if c.raw, err = c.pidfd.SyscallConn(); err != nil {
		return nil, killNow(pid, err)
	}
	return c, nil
}

// killNow ends a process that cannot be watched.
func killNow(pid int, err error) error {
	_ = unix.Kill(-pid, unix.SIGKILL)
	_, _ = unix.Wait4(pid, nil, 0, nil)
	return err
}

// wait waits until the process has ended, the deadline passes, it is interrupted
// or pending says that there is something else to do, and reports whether it has
// ended. It is not yet reaped: its id stays its own.
func (c *child) wait(deadline time.Time, pending func() bool) bool {
	if err := c.pidfd.SetReadDeadline(deadline); err != nil {
		return false
	}
	ended := false
	look := func(fd uintptr) bool {
		ended = exited(int(fd))
		return ended
	}
	if !pending() {
		_ = c.raw.Read(look)
	}
	if !ended { // when the deadline has passed already, Read does not look at all
		_ = c.raw.Control(func(fd uintptr) { look(fd) })
	}
	if ended {
		c.ended = time.Now()
	}
	return ended
}

// interrupt ends a wait. It may be called from anywhere while the child lives.
func (c *child) interrupt() { _ = c.pidfd.SetReadDeadline(time.Unix(1, 0)) }

// exited asks without waiting.
func exited(pidfd int) bool {
	var info unix.Siginfo
	err := unix.Waitid(unix.P_PIDFD, pidfd, &info, unix.WEXITED|unix.WNOHANG|unix.WNOWAIT, nil)
	// When nothing ended the kernel leaves the structure zero. No such child:
	// another part of the program has reaped it.
	return err == nil && info.Signo != 0 || err == unix.ECHILD
}

// reap takes the end of a process that has ended.
func (c *child) reap(r *Runner) {
	for {
		_, err := unix.Wait4(c.pid, &c.status, 0, &c.usage)
		if err != unix.EINTR {
			c.stolen = err != nil
			break
		}
	}
	r.mu.Lock()
	delete(r.mains, c.pid)
	r.mu.Unlock()
	c.pidfd.Close()
}

func (c *child) cpu() time.Duration {
	return time.Duration(c.usage.Utime.Nano() + c.usage.Stime.Nano())
}
