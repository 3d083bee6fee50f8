package run

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/muster-queue/muster/job"
)

// Causes to give to the context of a Run that is to be stopped.
var (
	ErrCancelled = job.Errorf(job.Cancelled, "cancelled by a person")
	ErrDeleted   = job.Errorf(job.Cancelled, "its job was deleted")
	ErrPreempted = job.Errorf(job.Conflict, "preempted by a better job")
	ErrLease     = job.Errorf(job.LostLease, "its lease could not be renewed in time")
	ErrStopping  = job.Errorf(job.Unavailable, "the agent is stopping")
)

// failure is an error that knows which reason the attempt failed for.
type failure struct {
	reason job.Reason
	err    error
}

func (f *failure) Error() string { return f.err.Error() }
func (f *failure) Unwrap() error { return f.err }

func failed(reason job.Reason, format string, args ...any) error {
	return &failure{reason, fmt.Errorf(format, args...)}
}

// stopReason is the reason of a stop that a context's cause asks for.
func stopReason(cause error) job.Reason {
	switch {
	case errors.Is(cause, ErrCancelled), errors.Is(cause, ErrDeleted):
		return job.ReasonCancelled
	case errors.Is(cause, ErrPreempted):
		return job.ReasonPreempted
	case errors.Is(cause, ErrLease):
		return job.ReasonLost
	}
	return job.ReasonSignal
}

// fail fills the result of an attempt whose command did not get to run.
func (x *attempt) fail(err error) {
	x.result.Reason, x.result.Message = job.ReasonStart, err.Error()
	if f, ok := errors.AsType[*failure](err); ok {
		x.result.Reason = f.reason
	}
	x.result.Log = x.log
}

// conclude fills in how a command that ran ended: table 2.5 of the causes, the
// first that holds. A person's cancel comes before everything; memory needs
// evidence; a success is a success unless we had begun to stop it.
func (x *attempt) conclude() {
	res, ws := &x.result, x.main.status
	res.Exited = ws.Exited() && !x.main.stolen
	switch {
	case x.main.stolen:
		res.ExitCode = -1
	case ws.Exited():
		res.ExitCode = ws.ExitStatus()
	default:
		res.ExitCode, res.Signal, res.Core = -1, unix.SignalName(ws.Signal()), ws.CoreDump()
	}
	res.Reason, res.Message = x.verdict()
}

func (x *attempt) verdict() (job.Reason, string) {
	ws := x.main.status
	code := ws.ExitStatus()
	switch {
	case x.stop.reason != job.ReasonNone:
		return x.stop.reason, x.stop.why
	case x.keptBy():
		return job.ReasonLost, "ended by the keeper: the agent did not respond until the lease's deadline"
	case x.main.stolen:
		return job.ReasonAbnormal, "how it ended is not known: another part of this program took its exit status"
	case ws.Exited() && code == 0:
		return job.ReasonNone, ""
	case x.result.OOMKills > 0:
		return job.ReasonMemory, fmt.Sprintf("the kernel ended %d of its processes at the memory limit of %s", x.result.OOMKills, x.amount(job.Memory))
	case x.modulesFailed():
		return job.ReasonEnv, "module load failed; see its standard error"
	case x.containerFailed(code):
		return job.ReasonContainer, "the container runtime reports a failure of its own (exit code 125); see standard error"
	case code == 126:
		return job.ReasonPermission, "exit code 126: found, but it could not be executed"
	case code == 127 && x.prog.container != nil:
		return job.ReasonNotFound, "exit code 127: no such command in the image (a line needs bash there, unless the job names another shell)"
	case code == 127:
		return job.ReasonNotFound, "exit code 127: no such command in PATH"
	case code == 128:
		return job.ReasonInvalidExit, "exit code 128: exit was given an invalid argument"
	}
	if full := x.dir.full(); full != "" {
		return job.ReasonDisk, "no space left on the volume of " + full
	}
	switch {
	case !ws.Exited() && ws.CoreDump():
		return job.ReasonAbnormal, "ended by " + x.result.Signal + ", core dumped"
	case !ws.Exited():
		return job.ReasonAbnormal, "ended by " + x.result.Signal
	case code == 255:
		return job.ReasonAbnormal, "exit code 255"
	}
	return job.ReasonExit, fmt.Sprintf("exit code %d", code)
}

func (x *attempt) amount(name string) string {
	return job.FormatAmount(name, x.spec.Needs[name])
}

// startFailure tells why a program could not be started.
func (x *attempt) startFailure(path string, err error) error {
	switch {
	case errors.Is(err, unix.ENOENT):
		return failed(job.ReasonNotFound, "start %s: it, or the interpreter its first line names, is not there", path)
	case x.who != nil && errors.Is(err, unix.EACCES):
		return failed(job.ReasonPermission, "start %s: user %s (group %d) may not execute it, or not enter the directory %s or one above", path, x.who.title(), x.who.gid, x.dir.cwd)
	case errors.Is(err, unix.EACCES), errors.Is(err, unix.EPERM):
		return failed(job.ReasonPermission, "start %s: no permission to execute it (is it a directory, not marked executable, or on a volume mounted noexec?)", path)
	case errors.Is(err, unix.ENOEXEC):
		return failed(job.ReasonPermission, "start %s: not a program this machine can execute", path)
	case errors.Is(err, unix.E2BIG):
		return failed(job.ReasonStart, "start %s: its arguments and environment together are longer than the system allows", path)
	}
	return failed(job.ReasonStart, "start %s: %w", path, err)
}
