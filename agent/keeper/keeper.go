// Package keeper is an agent's small companion process. In a session of its own
// it watches the agent and the deadlines in the agent's table (package home),
// and ends the commands when the agent dies or no longer extends their
// deadlines: at once with SIGKILL in the first case, with SIGTERM and SIGKILL at
// the times the table gives in the second. The agent starts it; importing the
// package is enough for a program to be able to become one.
package keeper

import (
	"errors"
	"os"
	"os/exec"
	"strconv"
	"sync"
	"syscall"
	"time"

	"github.com/muster-queue/muster/agent/home"
	"github.com/muster-queue/muster/agent/proc"
	"github.com/muster-queue/muster/job"
)

// Keeper is the agent's handle on its companion. When the companion dies, it is
// started again at once.
type Keeper struct {
	home *home.Home
	lost func(error)

	mu     sync.Mutex
	cmd    *exec.Cmd
	line   *os.File // the agent's end; the companion sees it close
	closed bool
	done   chan struct{} // closed when nothing is watched any more
}

// A companion that keeps dying before longLife is given up after maxDeaths.
const (
	longLife     = time.Second
	maxDeaths    = 10
	restartPause = 50 * time.Millisecond
)

// Start starts the companion of the agent that holds h and returns when it
// watches. lost is called, once and from another goroutine, when the companion
// died and could not be started again: without one the agent must end its
// commands.
func Start(h *home.Home, lost func(error)) (*Keeper, error) {
	k := &Keeper{home: h, lost: lost, done: make(chan struct{})}
	if err := k.start(); err != nil {
		return nil, err
	}
	go k.watch()
	return k, nil
}

// Pid is the companion's process id.
func (k *Keeper) Pid() int { return k.companion().Process.Pid }

// start starts a companion and waits until it says that it watches.
func (k *Keeper) start() error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.closed {
		return job.ErrClosed
	}
	theirs, ours, err := linePair()
	if err != nil {
		return job.Wrap(err, "start", "the keeper")
	}
	cmd := k.command(theirs)
	err = cmd.Start()
	theirs.Close()
	if err != nil {
		ours.Close()
		return job.Errorf(job.Unavailable, "start the keeper: %w", err)
	}
	if err := awaitReady(ours); err != nil {
		ours.Close()
		_ = cmd.Process.Kill()
		return errors.Join(job.Errorf(job.Unavailable, "the keeper did not begin to watch: %w", err), cmd.Wait())
	}
	if k.line != nil {
		k.line.Close()
	}
	k.cmd, k.line = cmd, ours
	return nil
}

func (k *Keeper) command(line *os.File) *exec.Cmd {
	tree := ""
	if k.home.Tree != nil {
		tree = k.home.Tree.Path()
	}
	cmd := exec.Command("/proc/self/exe", "keeper", k.home.Dir, k.home.ID, strconv.FormatUint(k.home.Incarnation, 10), tree)
	cmd.Args[0] = "muster"
	// An outer agent's mark is kept: the keeper belongs to the agent it serves.
	cmd.Env = []string{hookVar + "=1", proc.ScopeVar + "=" + os.Getenv(proc.ScopeVar), "GOMAXPROCS=1", "GOMEMLIMIT=16MiB"}
	cmd.ExtraFiles = []*os.File{line}
	cmd.Dir = "/"
	cmd.Stderr = os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	return cmd
}

// linePair is the line between agent and companion. Each side sees the other's
// death as the end of the file.
func linePair() (theirs, ours *os.File, err error) {
	fds, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC|syscall.SOCK_NONBLOCK, 0)
	if err != nil {
		return nil, nil, err
	}
	return os.NewFile(uintptr(fds[0]), "keeper"), os.NewFile(uintptr(fds[1]), "agent"), nil
}

// startTimeout bounds the wait for a companion's first word.
const startTimeout = 10 * time.Second

func awaitReady(line *os.File) error {
	_ = line.SetReadDeadline(time.Now().Add(startTimeout))
	defer func() { _ = line.SetReadDeadline(time.Time{}) }()
	var b [1]byte
	_, err := line.Read(b[:])
	return err
}

// watch starts the companion again whenever it dies.
func (k *Keeper) watch() {
	defer close(k.done)
	deaths := 0
	for {
		began := time.Now()
		err := k.companion().Wait()
		if time.Since(began) > longLife {
			deaths = 0
		}
		for again := true; again; {
			if deaths++; deaths > maxDeaths {
				k.lost(job.Errorf(job.Unavailable, "the keeper died %d times in a row and is not started again: %w", maxDeaths, err))
				return
			}
			err = k.start()
			if errors.Is(err, job.ErrClosed) {
				return
			}
			if again = err != nil; again {
				time.Sleep(restartPause)
			}
		}
	}
}

func (k *Keeper) companion() *exec.Cmd {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.cmd
}

// Close ends the companion; with it goes everything that is still marked as the
// agent's, so the agent calls it last.
func (k *Keeper) Close() error {
	k.mu.Lock()
	k.closed = true
	err := k.line.Close()
	k.mu.Unlock()
	<-k.done
	return err
}
