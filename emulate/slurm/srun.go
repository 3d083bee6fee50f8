package slurm

import (
	"errors"
	"strings"

	"github.com/muster-queue/muster/emulate"
	"github.com/muster-queue/muster/emulate/option"
	"github.com/muster-queue/muster/job"
)

// Srun is a call of srun inside a job: a step of it, which is its command, run once,
// with all that the job has.
type Srun struct {
	Command       []string
	Dir           string
	Help, Version bool

	tasks, nodes int64
}

// srunOptions are the options of srun. What a job has is shared by its steps, so that
// amounts have no effect.
var srunOptions = option.Set[Srun]{
	{Name: "chdir", Short: "D", Arg: option.Required, Set: func(s *Srun, v string) error {
		s.Dir = v
		return nil
	}},
	{Name: "help", Short: "h", Set: func(s *Srun, _ string) error {
		s.Help = true
		return nil
	}},
	{Name: "nodes", Short: "N", Arg: option.Required, Set: func(s *Srun, v string) (err error) {
		s.nodes, err = positive(strings.Split(v, "-")[0])
		return err
	}},
	{Name: "ntasks", Short: "n", Arg: option.Required, Set: func(s *Srun, v string) (err error) {
		s.tasks, err = positive(v)
		return err
	}},
	{Name: "version", Short: "V", Set: func(s *Srun, _ string) error {
		s.Version = true
		return nil
	}},
	{Name: "cpus-per-task", Short: "c", Arg: option.Required}, {Name: "cpu-bind", Arg: option.Required}, {Name: "mem-bind", Arg: option.Required},
	{Name: "mem", Arg: option.Required}, {Name: "mem-per-cpu", Arg: option.Required}, {Name: "mem-per-gpu", Arg: option.Required}, {Name: "exclusive", Arg: option.Optional}, {Name: "exact"},
	{Name: "overlap"}, {Name: "gpus", Short: "G", Arg: option.Required}, {Name: "gpus-per-task", Arg: option.Required}, {Name: "gres", Arg: option.Required},
	{Name: "gpu-bind", Arg: option.Required}, {Name: "cpus-per-gpu", Arg: option.Required}, {Name: "ntasks-per-gpu", Arg: option.Required},
	{Name: "job-name", Short: "J", Arg: option.Required}, {Name: "time", Short: "t", Arg: option.Required}, {Name: "label", Short: "l"},
	{Name: "unbuffered", Short: "u"}, {Name: "quiet", Short: "Q"}, {Name: "verbose", Short: "v"}, {Name: "kill-on-bad-exit", Short: "K", Arg: option.Optional}, {Name: "wait", Short: "W", Arg: option.Required},
	{Name: "mpi", Arg: option.Required}, {Name: "hint", Arg: option.Required}, {Name: "export", Arg: option.Required}, {Name: "comment", Arg: option.Required},
	{Name: "jobid", Arg: option.Required}, {Name: "account", Short: "A", Arg: option.Required}, {Name: "partition", Short: "p", Arg: option.Required},
	{Name: "distribution", Short: "m", Arg: option.Required}, {Name: "ntasks-per-node", Arg: option.Required}, {Name: "threads-per-core", Arg: option.Required},
	{Name: "propagate", Arg: option.Optional}, {Name: "no-kill", Short: "k"}, {Name: "preserve-env", Short: "E"}, {Name: "immediate", Short: "I", Arg: option.Optional},
	{Name: "pty", Arg: option.Optional, Refuse: "a job of muster has no terminal"},
	{Name: "multi-prog", Refuse: "a step runs one program"},
	{Name: "output", Short: "o", Arg: option.Required, Refuse: "a step writes to the job's output; redirect it in the script"},
	{Name: "error", Short: "e", Arg: option.Required, Refuse: "a step writes to the job's output; redirect it in the script"},
	{Name: "input", Short: "i", Arg: option.Required, Refuse: "a step reads the job's input; redirect it in the script"},
	{Name: "array", Short: "a", Arg: option.Required, Refuse: "arrays are added with sbatch"},
	{Name: "dependency", Short: "d", Arg: option.Required, Refuse: "jobs that wait are added with sbatch"},
}

// ParseSrun reads the arguments of srun.
func ParseSrun(args []string, getenv func(string) string) (*Srun, error) {
	s := &Srun{}
	given, operands, err := srunOptions.GNU(args, false)
	if err != nil {
		return nil, usage("srun", err)
	}
	for _, g := range given {
		if err := g.Apply(s); err != nil {
			return nil, failure("srun", err)
		}
	}
	s.Command = operands
	switch {
	case s.Help || s.Version:
		return s, nil
	case getenv("SLURM_JOB_ID") == "":
		return nil, failure("srun", errors.New("it runs steps of a job, inside of it; add jobs with sbatch"))
	case len(operands) == 0:
		return nil, emulate.Fail(1, "srun: error: No command given to execute.")
	case s.nodes > 1:
		return nil, failure("srun", job.Errorf(job.Invalid, "--nodes=%d: %s", s.nodes, oneMachine))
	case s.tasks > 1:
		return nil, failure("srun", job.Errorf(job.Invalid, "--ntasks=%d: a step is one process here; start more with & and wait, or with mpirun", s.tasks))
	}
	return s, nil
}
