package slurm

import (
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/muster-queue/muster/emulate"
	"github.com/muster-queue/muster/emulate/option"
	"github.com/muster-queue/muster/job"
)

// Sbatch is a call of sbatch, as far as its arguments tell it.
type Sbatch struct {
	// Script is the file with the script; empty: the standard input, unless there is
	// one in Wrap. Args are its arguments.
	Script string
	Args   []string
	wrap   *string
	// Parsable: only the number is answered. Quiet: nothing but errors.
	Parsable, Quiet bool
	// TestOnly: nothing is added.
	TestOnly bool
	// Help and Version: nothing but that is asked for.
	Help, Version bool

	given []option.Given[sbatch]
}

// sbatch is what the options of a script and of the command line come to.
type sbatch struct {
	now  time.Time
	call *Sbatch

	name, comment, partition, account, dir string
	input, output, errors                  string
	append                                 bool
	tasks, cpus, nodes, perNode            int64
	memory, perCPU, perGPU                 int64
	gpus                                   int64
	needs                                  job.Resources
	labels                                 []string
	time                                   time.Duration
	begin                                  time.Time
	priority                               float64
	array                                  *emulate.Array
	depend                                 string
	export                                 emulate.Export
	sync                                   bool
}

// ParseSbatch reads the arguments of sbatch.
func ParseSbatch(args []string) (*Sbatch, error) {
	c := &Sbatch{}
	given, operands, err := sbatchOptions.GNU(args, false)
	if err != nil {
		return nil, usage("sbatch", err)
	}
	c.given = given
	// What concerns the call itself is known at once.
	early := &sbatch{call: c}
	for _, g := range given {
		switch g.Name {
		case "parsable", "quiet", "test-only", "help", "usage", "version", "wrap":
			if err := g.Apply(early); err != nil {
				return nil, failure("sbatch", err)
			}
		}
	}
	if len(operands) > 0 {
		c.Script, c.Args = operands[0], operands[1:]
	}
	if c.wrap != nil && len(operands) > 0 {
		return nil, failure("sbatch", errors.New("Script arguments not permitted with --wrap option"))
	}
	return c, nil
}

// Wrapped is the script made of the line of --wrap.
func (c *Sbatch) Wrapped() (script string, ok bool) {
	if c.wrap == nil {
		return "", false
	}
	return "#!/bin/sh\n# This script was created by sbatch --wrap.\n\n" + *c.wrap + "\n", true
}

// Submission is what a script asks for together with the arguments, which win.
func (c *Sbatch) Submission(script string, who *emulate.Caller) (*emulate.Submission, error) {
	if emulate.Interpreter(script) == "" {
		return nil, failure("sbatch", errors.New("This does not look like a batch script.  The first\n"+
			"sbatch: error: line must start with #! followed by the path to an interpreter.\n"+
			"sbatch: error: For instance: #!/bin/sh"))
	}
	r := &sbatch{now: who.Now, call: c, dir: who.Dir, export: emulate.Export{All: true}}
	if err := r.directives(script); err != nil {
		return nil, failure("sbatch", err)
	}
	if err := r.environment(who.Getenv); err != nil {
		return nil, failure("sbatch", err)
	}
	for _, g := range c.given {
		if err := g.Apply(r); err != nil {
			return nil, failure("sbatch", err)
		}
	}
	s, err := r.submission(script, who)
	if err != nil {
		return nil, failure("sbatch", err)
	}
	return s, nil
}

// directives reads the #SBATCH lines.
func (r *sbatch) directives(script string) error {
	lines, err := emulate.Directives(script, "#SBATCH", false)
	if err != nil {
		return err
	}
	for _, words := range lines {
		given, operands, err := sbatchOptions.GNU(words, false)
		if err == nil && len(operands) > 0 {
			err = job.Errorf(job.Invalid, "%q is no option", operands[0])
		}
		for i := 0; err == nil && i < len(given); i++ {
			err = given[i].Apply(r)
		}
		if err != nil {
			return job.Errorf(job.Invalid, "#SBATCH %s: %w", strings.Join(words, " "), err)
		}
	}
	return nil
}

// variables are options that the caller's environment may hold.
var variables = map[string]string{
	"SBATCH_ACCOUNT": "account", "SBATCH_PARTITION": "partition", "SBATCH_QOS": "qos", "SBATCH_TIMELIMIT": "time",
	"SBATCH_CONSTRAINT": "constraint", "SBATCH_EXPORT": "export", "SBATCH_GPUS": "gpus", "SBATCH_GRES": "gres",
	"SBATCH_JOB_NAME": "job-name", "SBATCH_MEM_PER_CPU": "mem-per-cpu", "SBATCH_MEM_PER_NODE": "mem",
	"SBATCH_OPEN_MODE": "open-mode", "SBATCH_ARRAY_INX": "array",
}

func (r *sbatch) environment(getenv func(string) string) error {
	for variable, name := range variables {
		value := getenv(variable)
		if value == "" {
			continue
		}
		o, _ := sbatchOptions.Named(name)
		g := option.Given[sbatch]{Option: o, As: variable, Value: value}
		if err := g.Apply(r); err != nil {
			return err
		}
	}
	return nil
}

func (r *sbatch) submission(script string, who *emulate.Caller) (*emulate.Submission, error) {
	c := r.call
	name := r.name
	switch {
	case name != "":
	case c.wrap != nil:
		name = "wrap"
	case c.Script != "":
		name = c.Script[strings.LastIndexByte(c.Script, '/')+1:]
	default:
		name = "sbatch"
	}
	argv, err := emulate.Run(script, "", orElse(c.Script, name), c.Args)
	if err != nil {
		return nil, err
	}
	needs, err := r.resources()
	if err != nil {
		return nil, err
	}
	j := &job.Job{
		Queue: r.partition, Group: name, Kind: emulate.KindOf(name, "sbatch"), Account: r.account,
		Needs: needs, Time: r.time, Override: job.OverrideAlways, Labels: r.labels,
		Priority: r.priority, NotBefore: r.begin, Retries: new(int), Wait: true,
		Command: &job.Command{
			Argv: argv, Dir: inDir(who.Dir, r.dir), DirGiven: true, Emulate: job.Slurm,
			Batch: &job.Batch{
				Name: name, User: who.User, Comment: r.comment,
				Stdin: r.input, Stdout: r.out(), Stderr: r.errors, Append: r.append,
			},
		},
	}
	j.Command.Env = r.settings(j, who)
	s := &emulate.Submission{Job: j, Array: r.array, Export: r.export, Sync: r.sync}
	return s, r.dependencies(s)
}

// out is the file for the output.
func (r *sbatch) out() string {
	switch {
	case r.output != "":
		return r.output
	case r.array != nil:
		return "slurm-%A_%a.out"
	}
	return "slurm-%j.out"
}

// resources are what the options for tasks, cores, memory and gpus come to.
func (r *sbatch) resources() (job.Resources, error) {
	if r.nodes > 1 {
		return nil, job.Errorf(job.Invalid, "--nodes=%d: a job of muster runs on one machine", r.nodes)
	}
	needs := r.needs.Clone()
	tasks := max(1, r.tasks, r.perNode)
	cores := tasks * max(1, r.cpus)
	if r.tasks+r.perNode+r.cpus > 0 {
		needs[job.CPU] = cores * job.Thousandth
	}
	if r.gpus > 0 {
		needs["gpu"] = r.gpus * job.Thousandth
	}
	switch {
	case r.memory > 0:
		needs[job.Memory] = r.memory
	case r.perCPU > 0:
		needs[job.Memory] = r.perCPU * cores
	case r.perGPU > 0:
		needs[job.Memory] = r.perGPU * max(1, needs["gpu"]/job.Thousandth)
	}
	if len(needs) == 0 {
		return nil, nil
	}
	return needs, nil
}

// settings are those variables of the job that are known before it runs.
func (r *sbatch) settings(j *job.Job, who *emulate.Caller) []string {
	set := []string{
		"SLURM_SUBMIT_DIR=" + who.Dir, "SLURM_SUBMIT_HOST=" + who.Host,
		"SLURM_JOB_NAME=" + j.Group, "SLURM_JOB_USER=" + who.User,
		"SLURM_NTASKS=" + emulate.Digits(max(1, r.tasks, r.perNode)), "SLURM_NPROCS=" + emulate.Digits(max(1, r.tasks, r.perNode)),
	}
	add := func(name string, n int64) {
		if n > 0 {
			set = append(set, name+"="+emulate.Digits(n))
		}
	}
	add("SLURM_CPUS_PER_TASK", r.cpus)
	add("SLURM_NTASKS_PER_NODE", r.perNode)
	add("SLURM_MEM_PER_CPU", r.perCPU>>20)
	if r.perCPU == 0 {
		add("SLURM_MEM_PER_NODE", r.memory>>20)
	}
	add("SLURM_GPUS", r.gpus)
	if r.account != "" {
		set = append(set, "SLURM_JOB_ACCOUNT="+r.account)
	}
	if a := r.array; a != nil {
		set = append(set, "SLURM_ARRAY_TASK_MIN="+emulate.Digits(a.First), "SLURM_ARRAY_TASK_MAX="+emulate.Digits(a.Last),
			"SLURM_ARRAY_TASK_STEP="+emulate.Digits(a.Step), "SLURM_ARRAY_TASK_COUNT="+emulate.Digits(len(a.Indices)))
	}
	return set
}

func orElse(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}

// inDir is a directory as seen from another.
func inDir(from, dir string) string {
	if dir == "" || dir[0] == '/' {
		return orElse(dir, from)
	}
	return from + "/" + dir
}

// count reads how many of something.
func count(s string) (int64, error) {
	n, err := strconv.ParseUint(s, 10, 20)
	if err != nil {
		return 0, job.Errorf(job.Invalid, "%q is no number", s)
	}
	return int64(n), nil
}
