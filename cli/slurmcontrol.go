package cli

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"

	"github.com/muster-queue/muster/client"
	"github.com/muster-queue/muster/emulate"
	"github.com/muster-queue/muster/emulate/slurm"
	"github.com/muster-queue/muster/job"
)

func scontrol(ctx context.Context, e *emulation, args []string) error {
	c, err := slurm.ParseScontrol(args, e.caller())
	if err != nil {
		return err
	}
	switch {
	case c.Verb == "version" || c.Verb == "help":
		return e.about(c.Verb == "version", slurm.Version, "scontrol [OPTIONS] COMMAND")
	case c.What == "config":
		return e.print(c.Config())
	case c.What == "hostnames":
		return e.print(c.Hostnames(e.caller().Getenv))
	}
	l, err := e.connect(ctx, needServer)
	if err != nil {
		return err
	}
	switch {
	case c.Verb == "ping":
		return e.print("Slurmctld(primary) at muster is UP\n")
	case c.Verb != "show":
		return e.hold(ctx, l, c)
	case c.What == "job":
		return e.showJobs(ctx, l, c)
	}
	partitions, nodes, err := e.cluster(ctx, l)
	if err != nil {
		return err
	}
	text, err := c.Partitions(partitions, nodes)
	if c.What == "nodes" {
		text, err = c.Nodes(nodes)
	}
	if err != nil {
		return err
	}
	return e.print(text)
}

func (e *emulation) showJobs(ctx context.Context, l *link, c *slurm.Scontrol) error {
	c.Query.States = []job.State{job.Blocked, job.Delayed, job.Ready, job.Reserved, job.Running, job.Lost}
	jobs, _, err := e.findJobs(ctx, l, &c.Query)
	if err != nil {
		return err
	}
	text, err := c.Jobs(jobs)
	if err != nil {
		return err
	}
	return e.print(text)
}

// hold delays jobs for long, or makes delayed and failed ones ready.
func (e *emulation) hold(ctx context.Context, l *link, c *slurm.Scontrol) error {
	jobs, unknown, err := e.findJobs(ctx, l, &c.Query)
	if err != nil {
		return err
	}
	if len(unknown) > 0 {
		return emulate.Fail(1, "Invalid job id specified\nslurm_suspend error: Invalid job id specified")
	}
	refs := make([]client.Ref, len(jobs))
	for i, s := range jobs {
		refs[i] = client.Ref{Seq: s.Seq}
	}
	if c.Verb == "hold" || c.Verb == "uhold" {
		_, err = l.Modify(ctx, client.Select(refs...), &job.Job{NotBefore: slurm.HeldUntil(e.now())}, "not_before")
	} else {
		_, err = l.Kick(ctx, client.Select(refs...))
	}
	return err
}

// cluster is what there is of queues and machines.
func (e *emulation) cluster(ctx context.Context, l *link) ([]slurm.Partition, []slurm.Node, error) {
	partitions := []slurm.Partition{{Name: orElse(e.inherited("MUSTER_EMULATE_QUEUE"), job.DefaultQueue), Default: true}}
	for q, err := range l.Queues(ctx) {
		switch {
		case err != nil:
			return nil, nil, err
		case q.Defined():
		case q.Name == partitions[0].Name:
			partitions[0].Paused = q.Paused
		default:
			partitions = append(partitions, slurm.Partition{Name: q.Name, Paused: q.Paused})
		}
	}
	var nodes []slurm.Node
	for w, err := range l.Workers(ctx, client.WorkerFilter{}) {
		if err != nil {
			return nil, nil, err
		}
		if w.Agent && !w.Left {
			nodes = append(nodes, slurm.Node{
				Name: emulate.ShortHost(w.Host), Capacity: w.Capacity, Free: w.Free, Labels: w.Labels, Down: !w.Alive, Draining: w.Draining,
			})
		}
	}
	return partitions, nodes, nil
}

func sinfo(ctx context.Context, e *emulation, args []string) error {
	q, err := slurm.ParseSinfo(args)
	if err != nil {
		return err
	}
	if q.Help || q.Version {
		return e.about(q.Version, slurm.Version, "sinfo [OPTIONS]")
	}
	l, err := e.connect(ctx, needServer)
	if err != nil {
		return err
	}
	partitions, nodes, err := e.cluster(ctx, l)
	if err != nil {
		return err
	}
	return e.print(q.Show(partitions, nodes))
}

// srun becomes its command.
func srun(_ context.Context, e *emulation, args []string) error {
	s, err := slurm.ParseSrun(args, e.caller().Getenv)
	if err != nil {
		return err
	}
	if s.Help || s.Version {
		return e.about(s.Version, slurm.Version, "srun [OPTIONS] COMMAND [ARGUMENT...]")
	}
	if s.Dir != "" {
		if err := os.Chdir(e.path(s.Dir)); err != nil {
			return job.Errorf(job.Invalid, "Couldn't chdir to %s: %w", s.Dir, err)
		}
	}
	path, err := exec.LookPath(s.Command[0])
	if err != nil && !errors.Is(err, exec.ErrDot) {
		code := 127
		if errors.Is(err, fs.ErrPermission) {
			code = 126
		}
		return emulate.Fail(code, "srun: error: execve(): %s: %v", s.Command[0], errors.Unwrap(err))
	}
	if path, err = filepath.Abs(path); err == nil {
		err = syscall.Exec(path, s.Command, e.Environ)
	}
	return job.Errorf(job.Internal, "execve(): %s: %w", s.Command[0], err)
}

func sacctmgr(ctx context.Context, e *emulation, args []string) error {
	return e.accounts(ctx, "sacctmgr", args)
}

func sshare(ctx context.Context, e *emulation, args []string) error {
	return e.accounts(ctx, "sshare", args)
}

func (e *emulation) accounts(ctx context.Context, command string, args []string) error {
	q, err := slurm.ParseAccounts(command, args, e.caller())
	if err != nil {
		return err
	}
	if q.Help || q.Version {
		return e.about(q.Version, slurm.Version, command+" [OPTIONS]")
	}
	l, err := e.connect(ctx, needServer)
	if err != nil {
		return err
	}
	var names []string
	for a, err := range l.Accounts("").All(ctx) {
		if err != nil {
			return err
		}
		names = append(names, a.Name)
	}
	return e.print(q.Show(names))
}
