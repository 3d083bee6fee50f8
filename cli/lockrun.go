package cli

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/muster-queue/muster/job"
)

func lockRunCmd(a *app) *cobra.Command {
	f := &lockFlags{app: a}
	cmd := &cobra.Command{
		Use: "run PATH... -- COMMAND [ARGUMENT...]", Short: "Run a command while holding locks",
		Long: `Run takes the locks, waiting for them if need be, runs the command, and releases
them. It renews them meanwhile, and exits as the command does. If they cannot be
kept (they were removed, or the server was away for the whole lease) the command
is ended, for somebody else may hold them by then.`,
		Example: `  muster lock run backup/db1 -- pg_dump -f db1.sql db1
  muster lock run --wait 0 deploy -- ./deploy.sh`,
		RunE: func(cmd *cobra.Command, args []string) error {
			dash := cmd.ArgsLenAtDash()
			if dash < 0 || dash == len(args) {
				return job.Errorf(job.Invalid, "a command is missing; it follows \"--\", as in: muster lock run backup -- ./backup.sh")
			}
			if err := f.read(args[:dash]); err != nil {
				return err
			}
			return a.with(needStore, f.run)(cmd, args[dash:])
		},
	}
	f.ownerFlag(cmd, "a name of its own")
	f.timeFlags(cmd, "5m")
	return cmd
}

// run runs a command under the locks.
func (f *lockFlags) run(ctx context.Context, l *link, args []string) error {
	path, err := exec.LookPath(args[0])
	if err != nil {
		f.app.say("muster: %v", err)
		return exitStatus(exitNotFound)
	}
	h := &lockHold{flags: f, link: l, owner: cmp.Or(f.owner, fmt.Sprintf("%s/%d-%s", me(), os.Getpid(), rand.Text()[:8]))}
	if err := l.Lock(ctx, h.owner, f.paths, f.leaseTime, f.waitTime); err != nil {
		return err
	}
	c := &exec.Cmd{
		Path: path, Args: args, Env: f.app.Environ, Dir: f.app.Dir,
		Stdin: f.app.Stdin, Stdout: f.app.Stdout, Stderr: f.app.Stderr,
	}
	if err := c.Start(); err != nil {
		return errors.Join(job.Errorf(job.Invalid, "start %s: %w", args[0], err), h.release(ctx))
	}
	return h.during(ctx, c)
}

// exitNotFound is what shells exit with when there is no such command, and
// exitSignal what they add to the number of the signal that ended one.
const (
	exitNotFound = 127
	exitSignal   = 128
)

// lockHold is locks that are held while a command runs.
type lockHold struct {
	flags *lockFlags
	link  *link
	owner string
}

// killAfter is how long a command that lost its locks has to end.
const killAfter = 10 * time.Second

// during keeps the locks until the command has ended, then releases them. Ctrl-C
// does not cut that short: the command is told, and may take its time.
func (h *lockHold) during(ctx context.Context, c *exec.Cmd) error {
	keeping, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	lost, ended := make(chan error, 1), make(chan error, 1)
	go func() { lost <- h.keep(keeping) }()
	go func() { ended <- c.Wait() }()
	var why error
	var kill <-chan time.Time
	interrupted, losing := ctx.Done(), lost
	for {
		select {
		case err := <-ended:
			stop()
			if why == nil {
				why = <-lost
			}
			if why != nil {
				return job.Wrap(why, "hold", "the locks")
			}
			return cmp.Or(h.release(ctx), exitOf(c, err))
		case why = <-losing:
			losing = nil
			h.flags.app.say("muster: the locks are lost; ending %s", c.Args[0])
			_ = c.Process.Signal(syscall.SIGTERM) // it may have ended
			kill = time.After(killAfter)
		case <-interrupted:
			interrupted = nil
			_ = c.Process.Signal(syscall.SIGTERM)
		case <-kill:
			_ = c.Process.Kill()
		}
	}
}

// keep renews the locks until ctx ends (then it gives nil), or they are lost. The
// first renewal is at once: since when the lease counts is known only then.
func (h *lockHold) keep(ctx context.Context) error {
	lease := h.flags.leaseTime
	until := time.Now().Add(lease)
	for {
		asked := time.Now()
		err := h.renew(ctx, until)
		switch {
		case ctx.Err() != nil:
			return nil
		case err == nil:
			until = asked.Add(lease)
		case !job.IsKind(err, job.Unavailable) && !job.IsKind(err, job.Timeout), time.Now().After(until):
			return err
		}
		next := lease / 3
		if err != nil {
			next = min(next, time.Second)
		}
		if !pause(ctx, next) {
			return nil
		}
	}
}

// renew renews the locks while they last.
func (h *lockHold) renew(ctx context.Context, until time.Time) error {
	ctx, cancel := context.WithDeadline(ctx, until)
	defer cancel()
	return h.ask(ctx, func(l *link) error { return l.RenewLocks(ctx, h.owner, h.flags.paths, h.flags.leaseTime) })
}

// release gives the locks back; what cannot be released ends with the lease.
func (h *lockHold) release(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), h.flags.leaseTime)
	defer cancel()
	return h.ask(ctx, func(l *link) error { return l.Unlock(ctx, h.owner, h.flags.paths) })
}

// ask asks the server. When that was the server of another command, which has
// ended, another is found or made: locks outlive it.
func (h *lockHold) ask(ctx context.Context, do func(*link) error) error {
	err := do(h.link)
	if !job.IsKind(err, job.Unavailable) || !h.link.passing {
		return err
	}
	l, err := h.flags.app.connect(ctx, needStore)
	if err != nil {
		return err
	}
	h.link = l
	return do(l)
}

// exitOf is how a command ended, as a shell says it.
func exitOf(c *exec.Cmd, err error) error {
	if err == nil {
		return nil
	}
	status, ok := c.ProcessState.Sys().(syscall.WaitStatus)
	switch {
	case !ok:
		return err
	case status.Signaled():
		return exitStatus(exitSignal + int(status.Signal()))
	}
	return exitStatus(status.ExitStatus())
}
