package run

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/muster-queue/muster/agent/home"
	"github.com/muster-queue/muster/job"
)

// behave carries out what the job wants done after its command: the behaviours
// for success or failure, then those for any end. Their failures are told in the
// log and change nothing about the result. It reports whether the directory
// stays.
func (x *attempt) behave() (keep bool) {
	c := x.spec.Command
	list, when := c.OnSuccess, "on success"
	if x.result.Reason != job.ReasonNone {
		list, when = c.OnFailure, "on failure"
	}
	// What a command left that runs again, in a new directory, is of use to nobody.
	keep = !x.result.Reason.Innocent()
	days := 0
	for _, b := range list {
		x.behaviour(when, b)
	}
	for _, b := range c.OnExit {
		x.behaviour("on exit", b)
	}
	for _, b := range slices.Concat(list, c.OnExit) {
		keep = keep && !b.Cleanup
		days = max(days, b.KeepDays)
	}
	if days > 0 {
		keep = true
		x.r.keepFor(x.dir.root, days)
	}
	return keep
}

// behaviour carries out what is to be run of one behaviour.
func (x *attempt) behaviour(when string, b job.Behaviour) {
	if b.Run == "" {
		return
	}
	limit := x.behaviourTime()
	if limit <= 0 {
		x.note("%s: %s: not run: %s", when, b.Run, x.stop.why)
		return
	}
	outcome, printed, err := x.aside(b.Run, limit)
	switch {
	case err != nil:
		x.note("%s: %s: %v", when, b.Run, err)
	case printed != "":
		x.note("%s: %s: %s: %s", when, b.Run, outcome, printed)
	default:
		x.note("%s: %s: %s", when, b.Run, outcome)
	}
}

// behaviourTime is how long a behaviour may take. When others wait for the slot
// it is no longer than the command's grace, and when the lease has ended nothing
// may run any more.
func (x *attempt) behaviourTime() time.Duration {
	switch x.stop.reason {
	case job.ReasonLost:
		return 0
	case job.ReasonPreempted, job.ReasonSignal:
		return min(x.grace(), x.r.cfg.BehaviourTime)
	}
	return x.r.cfg.BehaviourTime
}

// asideBytes is how much of each end of a behaviour's output goes to the log.
const asideBytes = 512

// aside runs a line in the attempt's directory and environment, as part of it,
// and says how it ended and what it printed.
func (x *attempt) aside(line string, limit time.Duration) (outcome, printed string, err error) {
	argv, err := x.shell(line)
	if err != nil {
		return "", "", err
	}
	path, err := x.find(argv[0])
	if err != nil {
		return "", "", err
	}
	out, err := newStream(asideBytes)
	if err != nil {
		return "", "", err
	}
	env := append(slices.Clone(x.env), "MUSTER_EXIT_CODE="+strconv.Itoa(x.result.ExitCode), "MUSTER_REASON="+x.result.Reason.Word())
	c, err := x.launch(program{path: path, argv: argv}, &syscall.ProcAttr{
		Dir: x.dir.cwd, Env: env,
		Files: []uintptr{x.r.null.Fd(), out.child(), out.child()},
	})
	out.closeChild()
	if err != nil {
		out.finish()
		return "", "", x.startFailure(path, err)
	}
	out.readOn()
	late := x.watchAside(c, limit)
	x.endRest(c)
	c.reap(x.r)
	out.finish()
	x.dir.used() // what is in it may have changed
	kept := out.output()
	return ending(c.status, late), text(kept), nil
}

// watchAside waits for a process and kills it, saying why, when its time, its
// lease or the context ends first.
func (x *attempt) watchAside(c *child, limit time.Duration) (late string) {
	stopped := x.ctx.Err() != nil // was so already: the behaviours of a stopped command run
	if !stopped {
		defer context.AfterFunc(x.ctx, c.interrupt)()
	}
	for end := c.began.Add(limit); ; {
		due := end
		if tick := time.Now().Add(x.r.cfg.Look); tick.Before(due) {
			due = tick
		}
		pending := func() bool { return !stopped && x.ctx.Err() != nil }
		if late != "" {
			pending, due = func() bool { return false }, time.Now().Add(killAgain)
		}
		if c.wait(due, pending) {
			return late
		}
		slot := x.r.cfg.Home.Table.Get(x.slot.Index)
		switch {
		case late != "":
		case pending():
			late = context.Cause(x.ctx).Error()
		case slot.Term != 0 && home.Now() >= slot.Term:
			late = ErrLease.Error()
		case !time.Now().Before(end):
			late = fmt.Sprintf("took more than %v", limit)
		default:
			continue
		}
		x.signal(c, unix.SIGKILL)
	}
}

func ending(ws unix.WaitStatus, late string) string {
	switch {
	case late != "":
		return "ended: " + late
	case ws.Exited():
		return "exit code " + strconv.Itoa(ws.ExitStatus())
	}
	return "ended by " + unix.SignalName(ws.Signal())
}

// text is what was printed, for a line of the log.
func text(o job.Output) string {
	s := string(o.Head)
	if o.Omitted > 0 {
		s += fmt.Sprintf("\n[... %d bytes ...]\n", o.Omitted)
	}
	return strings.ToValidUTF8(strings.TrimSpace(s+string(o.Tail)), "?")
}
