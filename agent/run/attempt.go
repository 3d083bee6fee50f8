package run

import (
	"context"
	"fmt"
	"syscall"

	"github.com/muster-queue/muster/agent/cgroup"
	"github.com/muster-queue/muster/agent/home"
	"github.com/muster-queue/muster/agent/proc"
	"github.com/muster-queue/muster/job"
)

// attempt is one run of one command, from its preparation to its result. Its
// fields belong to the goroutine in Run, what others touch says so.
type attempt struct {
	r    *Runner
	spec *Spec
	ctx  context.Context

	slot  home.Slot
	scope proc.Scope
	leaf  *cgroup.Leaf // nil: no control group
	who   *identity    // nil: the agent's own user
	dir   *workdir
	env   []string
	prog  program
	// monitor looks for a container that the command itself starts; nil: none.
	monitor *monitor

	// main is the command's process; set under Runner.mu before others may see it.
	main     *child
	out, err *stream // have their own locks

	stop      stop
	looks     looks
	restNoted bool
	log       []string

	result job.Result
}

// run is the sequence of everything. An error means that the command did not run.
func (x *attempt) run() error {
	if err := context.Cause(x.ctx); err != nil {
		return &failure{stopReason(err), err}
	}
	if err := x.unsupported(); err != nil {
		return err
	}
	if err := x.takeSlot(); err != nil {
		return err
	}
	defer x.freeSlot()
	if err := x.r.enter(x); err != nil {
		return err
	}
	defer x.r.leave(x)
	if err := x.prepare(); err != nil {
		x.leaveUnused()
		return err
	}
	if err := x.start(); err != nil {
		x.closeOutputs()
		x.leaveUnused()
		return err
	}
	x.watch()
	x.finish()
	return nil
}

// prepare makes what the command needs before it can start, in the order in
// which a person would want to hear what is missing.
func (x *attempt) prepare() (err error) {
	c := x.spec.Command
	if x.who, err = lookUp(c.User, c.UnixGroup); err != nil {
		return err
	}
	if x.dir, err = x.makeDir(); err != nil {
		return err
	}
	x.result.Dir = x.dir.cwd
	if x.env, err = x.environ(); err != nil {
		return err
	}
	if x.prog, err = x.program(); err != nil {
		return err
	}
	if err := x.makeMonitor(); err != nil {
		return err
	}
	return x.makeOutputs()
}

func (x *attempt) makeDir() (*workdir, error) {
	c := x.spec.Command
	if c.DirGiven {
		return givenDir(c.Dir)
	}
	base := c.Dir
	if base == "" {
		base = x.r.cfg.Base
	}
	return x.r.dirs.get(base, x.who)
}

// takeSlot notes in the table that the attempt runs and readies its control group.
func (x *attempt) takeSlot() (err error) {
	h := x.r.cfg.Home
	term, kill := x.deadline(x.spec.Until)
	if x.slot, err = h.Table.Take(x.spec.Attempt, term, kill); err != nil {
		return err
	}
	x.scope = h.Scope()
	x.scope.Run = x.slot.Run
	if h.Tree == nil {
		return nil
	}
	if x.leaf = x.r.leaves[x.slot.Index]; x.leaf == nil {
		if x.leaf, err = h.Tree.Leaf(x.slot.Index); err != nil {
			h.Table.Free(x.slot.Index)
			return err
		}
		x.r.leaves[x.slot.Index] = x.leaf
	}
	needs := x.spec.Needs
	err = x.leaf.Prepare(cgroup.Limits{Memory: needs[job.Memory], CPU: needs[job.CPU], CPUCap: x.r.cfg.CPUCap, Procs: x.r.cfg.Procs})
	if err != nil {
		x.freeSlot()
	}
	return err
}

func (x *attempt) freeSlot() {
	if x.leaf != nil && (x.keptBy() || !x.leaf.Reusable()) {
		x.r.leaves[x.slot.Index] = nil
		x.leaf.Close()
	}
	x.r.cfg.Home.Table.Free(x.slot.Index)
}

// start starts the command's process.
func (x *attempt) start() error {
	attr := &syscall.ProcAttr{
		Dir: x.dir.cwd, Env: x.env,
		Files: []uintptr{x.r.null.Fd(), x.out.child(), x.err.child()},
	}
	if x.prog.status != nil {
		attr.Files = append(attr.Files, x.prog.status.child())
	}
	main, err := x.launch(x.prog, attr)
	x.closeChildEnds()
	if err != nil {
		return x.startFailure(x.prog.path, err)
	}
	x.r.mu.Lock()
	x.main = main
	x.r.mu.Unlock()
	x.result.Pid = main.pid
	x.r.cfg.Home.Table.SetProcess(x.slot.Index, main.pid, 0)
	x.watchContainer()
	if x.spec.Started != nil {
		x.spec.Started(main.pid)
	}
	return nil
}

// launch starts a process of the attempt: in a session of its own, born into the
// control group, ended by the kernel should the agent die.
func (x *attempt) launch(p program, attr *syscall.ProcAttr) (*child, error) {
	attr.Sys = &syscall.SysProcAttr{Setsid: true, Pdeathsig: syscall.SIGKILL}
	if x.who != nil {
		attr.Sys.Credential = x.who.credential()
	}
	if x.leaf != nil {
		if err := x.leaf.Renew(); err != nil {
			return nil, err
		}
		attr.Sys.UseCgroupFD, attr.Sys.CgroupFD = true, x.leaf.FD()
	}
	return x.r.launch(p.path, p.argv, attr)
}

// finish does everything that follows the end of the command's process.
func (x *attempt) finish() {
	x.endMonitor()
	x.endContainer()
	x.endRest(x.main)
	x.main.reap(x.r)
	x.result.WallTime = x.main.ended.Sub(x.main.began)
	x.drain()
	x.measure()
	x.conclude()
	x.result.Stdout, x.result.Stderr = x.out.output(), x.err.output()
	keep := x.behave()
	x.leaveDir(keep)
	x.result.Log = x.log
}

// leaveUnused gives the directory of a command that did not start back.
func (x *attempt) leaveUnused() {
	if k := x.prog.container; k != nil {
		x.r.forgetContainer(k)
	}
	if x.dir != nil {
		x.dir.used()
	}
	x.leaveDir(false)
}

// leaveDir gives the directory back or leaves it for people to look at.
func (x *attempt) leaveDir(keep bool) {
	if x.dir == nil {
		return
	}
	left, err := x.r.dirs.leave(x.dir, keep)
	if err != nil {
		x.note("clean up: %v", err)
	}
	if !left {
		x.result.Dir = ""
	}
}

// note adds a line to what a person can read about the attempt.
func (x *attempt) note(format string, args ...any) {
	const most = 200 // lines; a behaviour that prints much must not fill the store
	if len(x.log) < most {
		x.log = append(x.log, fmt.Sprintf(format, args...))
	}
}

// nudge makes the attempt look at its clock and context now. Callers hold
// Runner.mu.
func (x *attempt) nudge() {
	if x.main != nil {
		x.main.interrupt()
	}
}

// keptBy reports whether the keeper ended the command.
func (x *attempt) keptBy() bool {
	return x.r.cfg.Home.Table.Get(x.slot.Index).Kept
}
