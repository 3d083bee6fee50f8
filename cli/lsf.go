package cli

import (
	"context"
	"fmt"

	"github.com/muster-queue/muster/emulate"
	"github.com/muster-queue/muster/emulate/lsf"
	"github.com/muster-queue/muster/job"
)

// lsfCommands are the emulated commands of LSF.
var lsfCommands = []emulated{
	{"bsub", "LSF's bsub: add a command or a script as a job", bsub, lsf.Failure},
	{"bjobs", "LSF's bjobs: show jobs", bjobs, lsf.Failure},
	{"bkill", "LSF's bkill: stop jobs", bkill, lsf.Failure},
}

// lsfFailed is the exit status of LSF's commands when something was not found.
const lsfFailed exitStatus = 255

func bsub(ctx context.Context, e *emulation, args []string) error {
	call, err := lsf.ParseBsub(args)
	if err != nil {
		return err
	}
	if call.Help || call.Version {
		return e.about(call.Version, lsf.Version, lsf.Use("bsub"))
	}
	script := ""
	if len(call.Command) == 0 {
		if script, err = e.script(""); err != nil {
			return err
		}
	}
	s, err := call.Submission(script, e.caller())
	if err != nil {
		return err
	}
	l, err := e.connect(ctx, needServer)
	if err != nil {
		return err
	}
	named := s.Job.Queue != ""
	number, err := e.submit(ctx, l, s)
	if err != nil {
		return err
	}
	what := "queue"
	if !named {
		what = "default queue"
	}
	if err := e.print(fmt.Sprintf("Job <%d> is submitted to %s <%s>.\n", number, what, s.Job.QueueName())); err != nil || !s.Sync {
		return err
	}
	e.tell("<<Waiting for dispatch ...>>\n")
	err = e.sync(ctx, l, emulate.ID{Number: uint64(number)})
	e.tell("<<Job is finished>>\n")
	return err
}

func bjobs(ctx context.Context, e *emulation, args []string) error {
	q, err := lsf.ParseBjobs(args, e.caller())
	if err != nil {
		return err
	}
	if q.Help || q.Version {
		return e.about(q.Version, lsf.Version, lsf.Use("bjobs"))
	}
	l, err := e.connect(ctx, needServer)
	if err != nil {
		return err
	}
	jobs, unknown, err := e.findJobs(ctx, l, &q.Query)
	if err != nil {
		return err
	}
	if len(jobs) == 0 && len(unknown) == 0 {
		return q.None()
	}
	if len(jobs) > 0 {
		if err := e.print(q.Show(jobs)); err != nil {
			return err
		}
	}
	for _, id := range unknown {
		e.tell(q.Unknown(id))
	}
	if len(unknown) > 0 {
		return lsfFailed
	}
	return nil
}

func bkill(ctx context.Context, e *emulation, args []string) error {
	call, err := lsf.ParseBkill(args, e.caller())
	if err != nil {
		return err
	}
	if call.Help || call.Version {
		return e.about(call.Version, lsf.Version, lsf.Use("bkill"))
	}
	l, err := e.connect(ctx, needServer)
	if err != nil {
		return err
	}
	jobs, unknown, err := e.findJobs(ctx, l, &call.Query)
	if err != nil {
		return err
	}
	if len(jobs) == 0 && len(unknown) == 0 {
		return call.None()
	}
	var live []*emulate.Shown
	bad := len(unknown) > 0
	for _, s := range jobs {
		if s.State != job.Complete && s.State != job.Buried {
			live = append(live, s)
			continue
		}
		bad = true
		e.tell(call.Over(s))
	}
	for _, id := range unknown {
		e.tell(call.Unknown(id))
	}
	if err := e.cancel(ctx, l, live); err != nil {
		return err
	}
	if err := e.print(call.Done(live)); err != nil || !bad {
		return err
	}
	return lsfFailed
}
