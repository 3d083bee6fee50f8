package cli

import (
	"context"
	"fmt"

	"github.com/muster-queue/muster/client"
	"github.com/muster-queue/muster/emulate"
	"github.com/muster-queue/muster/emulate/slurm"
	"github.com/muster-queue/muster/job"
)

// slurmCommands are the emulated commands of Slurm.
var slurmCommands = []emulated{
	{"sbatch", "Slurm's sbatch: add a script as a job", sbatch, slurm.Failure},
	{"squeue", "Slurm's squeue: show jobs that have not ended", squeue, slurm.Failure},
	{"scancel", "Slurm's scancel: stop jobs", scancel, slurm.Failure},
	{"sacct", "Slurm's sacct: show jobs, those that ended too", sacct, slurm.Failure},
	{"scontrol", "Slurm's scontrol: show jobs and queues, hold and release jobs", scontrol, slurm.Failure},
	{"sinfo", "Slurm's sinfo: show queues and machines", sinfo, slurm.Failure},
	{"srun", "Slurm's srun, inside a job: run a step of it", srun, slurm.Failure},
	{"sacctmgr", "Slurm's sacctmgr: list accounts", sacctmgr, slurm.Failure},
	{"sshare", "Slurm's sshare: list accounts", sshare, slurm.Failure},
}

func sbatch(ctx context.Context, e *emulation, args []string) error {
	call, err := slurm.ParseSbatch(args)
	if err != nil {
		return err
	}
	if call.Help || call.Version {
		return e.about(call.Version, slurm.Version, "sbatch [OPTIONS...] [SCRIPT [ARGUMENTS...]]")
	}
	script, wrapped := call.Wrapped()
	if !wrapped {
		if script, err = e.script(call.Script); err != nil {
			return err
		}
	}
	s, err := call.Submission(script, e.caller())
	if err != nil || call.TestOnly {
		return err
	}
	l, err := e.connect(ctx, needServer)
	if err != nil {
		return err
	}
	number, err := e.submit(ctx, l, s)
	if err != nil {
		return err
	}
	switch {
	case call.Parsable:
		err = e.print(fmt.Sprintf("%d\n", number))
	case !call.Quiet:
		err = e.print(fmt.Sprintf("Submitted batch job %d\n", number))
	}
	if err != nil || !s.Sync {
		return err
	}
	return e.sync(ctx, l, emulate.ID{Number: uint64(number)})
}

// about answers --help and --version.
func (e *emulation) about(version bool, answer, use string) error {
	if version {
		return e.print(answer + "\n")
	}
	return e.print("Usage: " + use + "\n\nThis is muster's; docs/emulation.md has the options.\n")
}

// sync waits until a job has ended, and ends with its exit code: of an array with the
// largest.
func (e *emulation) sync(ctx context.Context, l *link, id emulate.ID) error {
	jobs, _, err := e.byNumber(ctx, l, []emulate.ID{id})
	if err != nil {
		return err
	}
	refs := make([]client.Ref, len(jobs))
	for i, s := range jobs {
		refs[i] = client.Ref{Seq: s.Seq}
	}
	for from := 0; from < len(refs); from += pageOfRefs {
		if _, err := l.Wait(ctx, client.WaitFor{Jobs: refs[from:min(len(refs), from+pageOfRefs)]}, nil); err != nil {
			return err
		}
	}
	if jobs, _, err = e.byNumber(ctx, l, []emulate.ID{id}); err != nil {
		return err
	}
	worst := 0
	for _, s := range jobs {
		if s.State == job.Buried {
			worst = max(worst, s.Result().ExitCode, 1)
		}
	}
	if worst > 0 {
		return exitStatus(worst)
	}
	return nil
}

func squeue(ctx context.Context, e *emulation, args []string) error {
	q, err := slurm.ParseSqueue(args, e.caller())
	if err != nil {
		return err
	}
	if q.Help || q.Version {
		return e.about(q.Version, slurm.Version, "squeue [OPTIONS]")
	}
	l, err := e.connect(ctx, needServer)
	if err != nil {
		return err
	}
	jobs, unknown, err := e.findJobs(ctx, l, &q.Query)
	if err != nil {
		return err
	}
	if len(q.IDs) > 0 && len(unknown) == len(q.IDs) {
		return q.Unknown()
	}
	return e.print(q.Show(jobs))
}

func sacct(ctx context.Context, e *emulation, args []string) error {
	q, err := slurm.ParseSacct(args, e.caller())
	if err != nil {
		return err
	}
	if q.Help || q.Version {
		return e.about(q.Version, slurm.Version, "sacct [OPTIONS]")
	}
	l, err := e.connect(ctx, needServer)
	if err != nil {
		return err
	}
	jobs, _, err := e.findJobs(ctx, l, &q.Query)
	if err != nil {
		return err
	}
	return e.print(q.Show(jobs))
}

func scancel(ctx context.Context, e *emulation, args []string) error {
	call, err := slurm.ParseScancel(args, e.caller())
	if err != nil {
		return err
	}
	if call.Help || call.Version {
		return e.about(call.Version, slurm.Version, "scancel [OPTIONS] [JOB_ID...]")
	}
	l, err := e.connect(ctx, needServer)
	if err != nil {
		return err
	}
	jobs, unknown, err := e.findJobs(ctx, l, &call.Query)
	if err != nil {
		return err
	}
	for _, id := range unknown {
		e.tell(call.Unknown(id))
	}
	var live []*emulate.Shown
	for _, s := range jobs {
		switch {
		case s.Finished().IsZero():
			live = append(live, s)
		case call.Verbose:
			e.tell(call.Over(s))
		}
	}
	if err := e.cancel(ctx, l, live); err != nil {
		return err
	}
	if len(unknown) > 0 {
		return exitStatus(1)
	}
	return nil
}

// cancel stops jobs.
func (e *emulation) cancel(ctx context.Context, l *link, jobs []*emulate.Shown) error {
	for from := 0; from < len(jobs); from += pageOfRefs {
		var refs []client.Ref
		for _, s := range jobs[from:min(len(jobs), from+pageOfRefs)] {
			refs = append(refs, client.Ref{Seq: s.Seq})
		}
		// One that ended meanwhile is skipped, which is what is wanted.
		if _, err := l.Cancel(ctx, client.Select(refs...)); err != nil {
			return err
		}
	}
	return nil
}
