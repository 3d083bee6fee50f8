package keeper

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strconv"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/muster-queue/muster/agent/cgroup"
	"github.com/muster-queue/muster/agent/home"
	"github.com/muster-queue/muster/agent/proc"
)

// hookVar tells a process that it is to be a keeper.
const hookVar = "MUSTER_KEEPER"

// A program that embeds an agent re-executes itself for the companion; it need
// not know, because the re-executed one never reaches its main.
func init() {
	if os.Getenv(hookVar) != "" && len(os.Args) > 1 && os.Args[1] == "keeper" {
		os.Exit(Main(os.Args[2:]))
	}
}

// lineFD is the companion's end of the line.
const lineFD = 3

// look is how often the deadlines are looked at. Leases are at least 15 s.
const look = 500 * time.Millisecond

// companion is the keeper's own side.
type companion struct {
	table *home.Table
	scope proc.Scope
	tree  string // path of the agent's control group; empty: none
}

// Main is the companion's main function: args are the state directory, the
// agent's id, its incarnation, and its control group (or ""). It returns the
// exit code when the agent is gone and everything it started has ended.
func Main(args []string) int {
	c, err := open(args)
	if err != nil {
		fmt.Fprintln(os.Stderr, "muster keeper:", err)
		return 2
	}
	// Whatever is sent to the agent's terminal or group is not for us; only
	// SIGKILL ends the keeper, and the agent starts another.
	signal.Ignore(syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGQUIT,
		syscall.SIGUSR1, syscall.SIGUSR2, syscall.SIGPIPE, syscall.SIGTSTP, syscall.SIGTTIN, syscall.SIGTTOU)
	line := os.NewFile(lineFD, "agent")
	if _, err := line.Write([]byte{'r'}); err != nil {
		c.endAll()
		return 1
	}
	gone := make(chan struct{})
	go func() {
		_, _ = io.Copy(io.Discard, line)
		close(gone)
	}()
	c.keep(gone)
	return 0
}

func open(args []string) (*companion, error) {
	if len(args) != 4 {
		return nil, fmt.Errorf("this command is started by an agent, not by hand")
	}
	inc, err := strconv.ParseUint(args[2], 10, 64)
	if err != nil {
		return nil, fmt.Errorf("incarnation %q is not a number", args[2])
	}
	syscall.CloseOnExec(lineFD)
	if err := syscall.SetNonblock(lineFD, true); err != nil {
		return nil, fmt.Errorf("this command is started by an agent, not by hand: %w", err)
	}
	table, err := home.OpenTable(args[0], inc)
	if err != nil {
		return nil, err
	}
	return &companion{table: table, scope: proc.Scope{Agent: args[1], Incarnation: inc}, tree: args[3]}, nil
}

// keep looks at the deadlines until the agent is gone, then ends everything.
func (c *companion) keep(gone <-chan struct{}) {
	ticker := time.NewTicker(look)
	defer ticker.Stop()
	termed := map[uint64]bool{}
	for {
		select {
		case <-gone:
			c.endAll()
			return
		case <-ticker.C:
			c.enforce(termed)
		}
	}
}

// enforce ends the runs whose deadlines have passed. An agent that is well has
// ended them before; this one hangs.
func (c *companion) enforce(termed map[uint64]bool) {
	now := home.Now()
	for _, s := range c.table.Running() {
		switch {
		case s.Kill != 0 && now >= s.Kill:
			c.table.Keep(s.Index)
			c.signal(s, unix.SIGKILL)
		case s.Term != 0 && now >= s.Term && !termed[s.Run]:
			termed[s.Run] = true
			c.table.Keep(s.Index)
			c.signal(s, unix.SIGTERM)
		}
	}
}

// signal signals every process of a run.
func (c *companion) signal(s home.Slot, sig unix.Signal) {
	if c.tree != "" {
		group := cgroup.LeafPath(c.tree, s.Index)
		if sig == unix.SIGKILL {
			_ = cgroup.Kill(group)
			c.signalMarked(s, sig) // a container may run elsewhere
			return
		}
		for _, pid := range cgroup.Pids(group) {
			_ = unix.Kill(pid, sig)
			_ = unix.Kill(pid, unix.SIGCONT)
		}
		return
	}
	c.signalMarked(s, sig)
}

// signalMarked signals every process with the mark of a run.
func (c *companion) signalMarked(s home.Slot, sig unix.Signal) {
	scope := c.scope
	scope.Run = s.Run
	_, _ = scope.SignalAll(sig)
	if sig != unix.SIGKILL {
		_, _ = scope.SignalAll(unix.SIGCONT)
	}
}

// endAll kills everything the agent started, until none is left. A process that
// hangs in the kernel is waited for: the agent's successor waits too.
func (c *companion) endAll() {
	ctx := context.Background()
	if c.tree != "" {
		if err := cgroup.Kill(c.tree); err != nil {
			fmt.Fprintln(os.Stderr, "muster keeper:", err)
		}
	}
	if err := c.scope.End(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "muster keeper:", err)
	}
	if c.tree != "" {
		_ = cgroup.End(ctx, c.tree)
	}
}
