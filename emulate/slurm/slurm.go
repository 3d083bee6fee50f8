// Package slurm reads the options of Slurm's commands (sbatch, squeue, scancel, sacct,
// scontrol, sinfo, srun) and writes answers as they do, for jobs of muster. It also
// has what a job sees of Slurm in its environment and in the names of its output
// files. The command line of muster and its agents call it; it does no I/O.
package slurm

import (
	"errors"
	"fmt"
	"strings"

	"github.com/muster-queue/muster/emulate"
	"github.com/muster-queue/muster/emulate/option"
	"github.com/muster-queue/muster/job"
)

// Version is what --version answers.
const Version = "slurm 24.11.0"

// Commands are those that are emulated.
var Commands = []string{"sbatch", "squeue", "scancel", "sacct", "scontrol", "sinfo", "srun", "sacctmgr", "sshare"}

// MinJobAge is how long squeue shows jobs that have ended, in seconds.
const MinJobAge = 300

// usage is how a command ends that has an option it does not know.
func usage(command string, err error) error {
	if _, ok := errors.AsType[*option.Unknown](err); !ok {
		return failure(command, err)
	}
	return emulate.Fail(1, "%s: %s\nTry \"%[1]s --help\" for more information", command, err)
}

// failure is how a command ends that cannot be done.
func failure(command string, err error) error {
	text := strings.ReplaceAll(err.Error(), "\n", "\n"+command+": error: ")
	if strings.Contains(err.Error(), "\n"+command+": error: ") {
		text = err.Error()
	}
	return emulate.Fail(1, "%s: error: %s", command, text)
}

// Failure is how a command ends for an error of muster's.
func Failure(command string, err error) error { return failure(command, err) }

// state is a state of Slurm's.
type state struct{ short, long string }

// The states of Slurm that jobs of muster can be in.
var (
	pending    = state{"PD", "PENDING"}
	running    = state{"R", "RUNNING"}
	completing = state{"CG", "COMPLETING"}
	completed  = state{"CD", "COMPLETED"}
	failed     = state{"F", "FAILED"}
	cancelled  = state{"CA", "CANCELLED"}
	timeout    = state{"TO", "TIMEOUT"}
	outOfMem   = state{"OOM", "OUT_OF_MEMORY"}
	nodeFail   = state{"NF", "NODE_FAIL"}
	preempted  = state{"PR", "PREEMPTED"}
)

// others are states that no job of muster is ever in.
var others = []state{
	{"BF", "BOOT_FAIL"}, {"CF", "CONFIGURING"}, {"DL", "DEADLINE"}, {"RH", "REQUEUE_HOLD"}, {"RQ", "REQUEUED"},
	{"RS", "RESIZING"}, {"RV", "REVOKED"}, {"S", "SUSPENDED"}, {"SE", "SPECIAL_EXIT"}, {"SI", "SIGNALING"},
	{"SO", "STAGE_OUT"}, {"ST", "STOPPED"}, {"RF", "REQUEUE_FED"},
}

// stateOf is the state that a job is in for Slurm.
func stateOf(s *emulate.Shown) state {
	switch {
	case s.State == job.Complete:
		return completed
	case s.State == job.Buried:
		return ended(s.Reason)
	case s.State.Held() && s.State != job.Reserved && s.Stopping != job.MarkNone:
		return completing
	case s.State == job.Running, s.State == job.Lost:
		return running
	}
	return pending
}

// ended is the state of a job that failed for a reason.
func ended(r job.Reason) state {
	switch r {
	case job.ReasonCancelled:
		return cancelled
	case job.ReasonTime:
		return timeout
	case job.ReasonMemory:
		return outOfMem
	case job.ReasonLost:
		return nodeFail
	case job.ReasonPreempted:
		return preempted
	}
	return failed
}

// parseStates reads a list of states by their short or long names; nil is all.
func parseStates(list string) (map[string]bool, error) {
	set := map[string]bool{}
	for word := range strings.SplitSeq(list, ",") {
		word = strings.ToUpper(word)
		if word == "ALL" {
			return nil, nil
		}
		known := false
		for _, s := range append([]state{pending, running, completing, completed, failed, cancelled, timeout, outOfMem, nodeFail, preempted}, others...) {
			if word == s.short || word == s.long {
				set[s.long], known = true, true
			}
		}
		if !known {
			return nil, fmt.Errorf("Invalid job state specified: %s\nValid job states include: PENDING,RUNNING,COMPLETING,"+
				"COMPLETED,FAILED,CANCELLED,TIMEOUT,OUT_OF_MEMORY,NODE_FAIL,PREEMPTED", word)
		}
	}
	return set, nil
}

// id is how a job is shown: its number, or that of its array and its index.
func id(s *emulate.Shown) string {
	if s.Element() {
		return emulate.Digits(s.First()) + "_" + emulate.Digits(s.Batch().Index)
	}
	return emulate.Digits(uint64(s.Seq))
}

// partition is the queue as Slurm would call it.
func partition(s *emulate.Shown) string { return s.Job.QueueName() }

// exit is how a job ended: its exit code and the signal that ended it.
func exit(s *emulate.Shown) string {
	if s.Finished().IsZero() {
		return "0:0"
	}
	if n := s.Signal(); n != 0 {
		return "0:" + emulate.Digits(n)
	}
	code := s.Result().ExitCode
	if code == 0 && s.State == job.Buried && s.Reason != job.ReasonCancelled {
		code = 1
	}
	return emulate.Digits(code) + ":0"
}

// reason is why a job does not run, or did not end well.
func reason(s *emulate.Shown) string {
	switch s.State {
	case job.Blocked:
		return "Dependency"
	case job.Delayed:
		if s.Due.Sub(s.Since) > heldFor/2 {
			return "JobHeldUser"
		}
		return "BeginTime"
	case job.Ready, job.Reserved:
		return "Priority"
	case job.Buried:
		switch ended(s.Reason) {
		case timeout:
			return "TimeLimit"
		case outOfMem:
			return "OutOfMemory"
		case nodeFail:
			return "NodeDown"
		}
		return "NonZeroExitCode"
	}
	return "None"
}
