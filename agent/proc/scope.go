package proc

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/muster-queue/muster/job"
)

// ScopeVar is the environment variable that marks every process an agent
// started. Its value is a list, outermost agent first: a command that is itself
// an agent passes its mark on, so that ending the outer one finds all.
const ScopeVar = "MUSTER_SCOPE"

// Scope names a set of processes by their mark: all of an agent, of one of its
// incarnations, or of one run. Zero fields mean any.
type Scope struct {
	Agent       string
	Incarnation uint64
	Run         uint64
}

// String is the mark itself, "agent.incarnation.run".
func (s Scope) String() string {
	return fmt.Sprintf("%s.%d.%d", s.Agent, s.Incarnation, s.Run)
}

// Env is the setting that marks a process that is started by this one.
func (s Scope) Env() string {
	if outer := os.Getenv(ScopeVar); outer != "" {
		return ScopeVar + "=" + outer + " " + s.String()
	}
	return ScopeVar + "=" + s.String()
}

// Contains reports whether a mark lies in the scope.
func (s Scope) Contains(mark string) bool {
	agent, rest, ok := strings.Cut(mark, ".")
	if !ok || agent != s.Agent {
		return false
	}
	inc, run, _ := strings.Cut(rest, ".")
	if s.Incarnation != 0 && inc != strconv.FormatUint(s.Incarnation, 10) {
		return false
	}
	return s.Run == 0 || run == strconv.FormatUint(s.Run, 10)
}

// Has reports whether the process carries a mark of the scope. A process whose
// environment may not be read (another user's) has none.
func (s Scope) Has(pid int) bool {
	var buf [8192]byte
	for range executingLooks {
		env, err := read("/proc/"+strconv.Itoa(pid)+"/environ", buf[:])
		if err != nil {
			return false
		}
		if len(env) > 0 {
			return s.marks(env)
		}
		// No environment at all, or none for a moment?
		if p, err := Read(pid); err != nil || !p.executing() {
			return false
		}
		time.Sleep(executingPause)
	}
	return false
}

// A process that is being given a new program is waited for, about a second; a
// mark cannot be told from it meanwhile.
const (
	executingLooks = 5000
	executingPause = 100 * time.Microsecond
)

// marks reports whether an environment holds a mark of the scope.
func (s Scope) marks(env []byte) bool {
	const name = ScopeVar + "="
	for entry := range bytes.SplitSeq(env, []byte{0}) {
		value, ok := bytes.CutPrefix(entry, []byte(name))
		if !ok {
			continue
		}
		if slices.ContainsFunc(strings.Fields(string(value)), s.Contains) {
			return true
		}
	}
	return false
}

// Pids lists the processes of the scope, the caller's own left out.
func (s Scope) Pids() ([]int, error) {
	all, err := Pids()
	if err != nil {
		return nil, err
	}
	self := os.Getpid()
	var pids []int
	for _, pid := range all {
		if pid != self && s.Has(pid) {
			pids = append(pids, pid)
		}
	}
	return pids, nil
}

// Signal sends sig to a process if it is still of the scope. The process is
// pinned before it is looked at, so that a reused pid is never hit.
func (s Scope) Signal(pid int, sig unix.Signal) error {
	fd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	if !s.Has(pid) {
		return unix.ESRCH
	}
	return unix.PidfdSendSignal(fd, sig, nil, 0)
}

// SignalAll sends sig once to every process of the scope and says to how many.
func (s Scope) SignalAll(sig unix.Signal) (int, error) {
	pids, err := s.Pids()
	n := 0
	for _, pid := range pids {
		if s.Signal(pid, sig) == nil {
			n++
		}
	}
	return n, err
}

// End kills every process of the scope and returns when none is left. Killing
// races with forking, and a listing of /proc may miss a child born behind it,
// so it looks until two listings in a row are clean. The error, when ctx ends
// first, names a process that would not go.
func (s Scope) End(ctx context.Context) error {
	wait := time.Millisecond
	for clean := 0; ; {
		pids, err := s.Pids()
		if err != nil {
			return job.Wrap(err, "look for processes of", s.String())
		}
		if len(pids) == 0 {
			if clean++; clean == 2 {
				return nil
			}
			continue
		}
		clean = 0
		for _, pid := range pids {
			_ = s.Signal(pid, unix.SIGKILL)
		}
		select {
		case <-ctx.Done():
			return job.Errorf(job.Timeout, "process %d, started by agent %s, does not end although it was killed; it may hang in the kernel (a dead network file system?)", pids[0], s.Agent)
		case <-time.After(wait):
			wait = min(2*wait, 50*time.Millisecond)
		}
	}
}
