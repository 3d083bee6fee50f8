package lsf

import (
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/muster-queue/muster/emulate"
	"github.com/muster-queue/muster/emulate/option"
	"github.com/muster-queue/muster/job"
)

// heldFor is how long a held job waits when nobody releases it.
const heldFor = 5 * 365 * 24 * time.Hour

// Bsub is a call of bsub, as far as its arguments tell it.
type Bsub struct {
	// Command is what is to be run; empty: the standard input has a script.
	Command       []string
	Help, Version bool

	given []option.Given[bsub]
}

// bsub is what the options of a script and of the command line come to.
type bsub struct {
	now  time.Time
	call *Bsub

	name, comment, project, queue, dir string
	input, output, errors              string
	append, appendErrors               bool
	array                              *emulate.Array
	slots                              int64
	memory                             int64
	time                               time.Duration
	begin                              time.Time
	priority                           float64
	needs                              Requirement
	waits                              []emulate.Wait
	export                             emulate.Export
	sync, held                         bool
}

// ParseBsub reads the arguments of bsub.
func ParseBsub(args []string) (*Bsub, error) {
	given, operands, err := bsubOptions.LSF(args, false)
	if err != nil {
		return nil, usage("bsub", " Job not submitted.", err)
	}
	c := &Bsub{Command: operands, given: given}
	for _, g := range given {
		c.Help = c.Help || g.Name == "h"
		c.Version = c.Version || g.Name == "V"
	}
	return c, nil
}

// Submission is what is asked for: by the arguments, which win, and by a script if
// there is no command.
func (c *Bsub) Submission(script string, who *emulate.Caller) (*emulate.Submission, error) {
	r := &bsub{now: who.Now, call: c, dir: who.Dir, export: emulate.Export{All: true}}
	s, err := r.read(script, who)
	if err != nil {
		return nil, Failure("bsub", err)
	}
	return s, nil
}

func (r *bsub) read(script string, who *emulate.Caller) (*emulate.Submission, error) {
	if len(r.call.Command) == 0 {
		if strings.TrimSpace(script) == "" {
			return nil, errors.New("No command is specified")
		}
		if err := r.directives(script); err != nil {
			return nil, err
		}
	}
	r.needs = mergeable(r.call.given, r.needs)
	for _, g := range r.call.given {
		if err := g.Apply(r); err != nil {
			return nil, err
		}
	}
	return r.submission(script, who)
}

// mergeable is what is left of the requirements of a script when the command line has
// some as well: nothing, as in LSF.
func mergeable(given []option.Given[bsub], needs Requirement) Requirement {
	if slices.ContainsFunc(given, func(g option.Given[bsub]) bool { return g.Name == "R" }) {
		return Requirement{}
	}
	return needs
}

// directives reads the #BSUB lines.
func (r *bsub) directives(script string) error {
	lines, err := emulate.Directives(script, "#BSUB", true)
	if err != nil {
		return err
	}
	for _, words := range lines {
		given, operands, err := bsubOptions.LSF(words, false)
		if err == nil && len(operands) > 0 {
			err = job.Errorf(job.Invalid, "%q is no option", operands[0])
		}
		for i := 0; err == nil && i < len(given); i++ {
			err = given[i].Apply(r)
		}
		if err != nil {
			return job.Errorf(job.Invalid, "#BSUB %s: %w", strings.Join(words, " "), err)
		}
	}
	return nil
}

func (r *bsub) submission(script string, who *emulate.Caller) (*emulate.Submission, error) {
	argv, err := r.argv(script)
	if err != nil {
		return nil, err
	}
	needs, err := r.resources()
	if err != nil {
		return nil, err
	}
	name := r.name
	if name == "" {
		name = commandName(r.call.Command)
	}
	dir := r.dir
	if !strings.HasPrefix(dir, "/") {
		dir = who.Dir + "/" + dir
	}
	j := &job.Job{
		Queue: r.queue, Group: name, Kind: emulate.KindOf(name, "bsub"), Account: r.project,
		Needs: needs, Time: r.time, Override: job.OverrideAlways, Labels: r.needs.Labels,
		Priority: r.priority, NotBefore: r.begin, Retries: new(int), Wait: true,
		Command: &job.Command{
			Argv: argv, Dir: dir, DirGiven: true, Emulate: job.LSF,
			Batch: &job.Batch{
				Name: name, User: who.User, Comment: r.comment,
				Stdin: r.input, Stdout: inside(r.output), Stderr: inside(r.errors), Append: r.append || r.appendErrors,
			},
		},
	}
	if r.held {
		j.NotBefore = r.now.Add(heldFor)
	}
	j.Command.Env = r.settings(who)
	return &emulate.Submission{Job: j, Array: r.array, Waits: r.waits, Export: r.export, Sync: r.sync}, nil
}

// inside is a file in a directory when only that is named.
func inside(file string) string {
	if strings.HasSuffix(file, "/") {
		return file + "%J.out"
	}
	return file
}

// argv runs the command as LSF does, its words joined into a line of the shell, or the
// script.
func (r *bsub) argv(script string) ([]string, error) {
	if len(r.call.Command) > 0 {
		return emulate.Run(strings.Join(r.call.Command, " "), "/bin/sh", "bsub", nil)
	}
	return emulate.Run(script, "/bin/sh", "bsub", nil)
}

func commandName(command []string) string {
	if len(command) == 0 {
		return "bsub"
	}
	name := strings.Join(command, " ")
	const longest = 256
	if len(name) > longest || strings.ContainsAny(name, "\n\t") {
		name = strings.Fields(name + " bsub")[0]
		name = name[strings.LastIndexByte(name, '/')+1:]
	}
	return strings.ToValidUTF8(name[:min(len(name), longest)], "")
}

func (r *bsub) resources() (job.Resources, error) {
	if r.needs.PerHost > 0 && r.slots > r.needs.PerHost {
		return nil, job.Errorf(job.Invalid, "span[ptile=%d] with -n %d: a job of muster runs on one machine", r.needs.PerHost, r.slots)
	}
	needs := r.needs.Needs.Clone()
	if r.slots > 0 {
		needs[job.CPU] = r.slots * job.Thousandth
	}
	if n := max(r.memory, r.needs.Memory); n > 0 {
		needs[job.Memory] = n
	}
	if len(needs) == 0 {
		return nil, nil
	}
	return needs, nil
}

// settings are those variables of the job that are known before it runs.
func (r *bsub) settings(who *emulate.Caller) []string {
	set := []string{"LS_SUBCWD=" + who.Dir, "LSB_SUB_HOST=" + who.Host, "LSB_SUB_USER=" + who.User, "LSFUSER=" + who.User}
	if r.project != "" {
		set = append(set, "LSB_PROJECT_NAME="+r.project)
	}
	if a := r.array; a != nil {
		set = append(set, "LSB_JOBINDEX_END="+emulate.Digits(a.Last), "LSB_JOBINDEX_STEP="+emulate.Digits(a.Step))
	}
	return set
}

// naming reads a name, with the indices of an array: "name[1-10:2]%3".
func (r *bsub) naming(v string) (err error) {
	name, rest, isArray := strings.Cut(v, "[")
	r.name = name
	if !isArray {
		return nil
	}
	indices, after, closed := strings.Cut(rest, "]")
	if !closed || after != "" && !strings.HasPrefix(after, "%") {
		return job.Errorf(job.Invalid, "%q: Bad job array name; write \"NAME[1-10]\" or \"NAME[1-10]%%3\"", v)
	}
	r.array, err = emulate.ParseArray(indices+after, 1)
	return err
}

// processors reads "4" or "min,max"; the least is asked for.
func (r *bsub) processors(v string) error {
	least, _, _ := strings.Cut(v, ",")
	n, err := strconv.ParseUint(least, 10, 20)
	if err != nil || n == 0 {
		return job.Errorf(job.Invalid, "%q is no number of processors", v)
	}
	r.slots = int64(n)
	return nil
}

func (r *bsub) environment(v string) error {
	r.export = emulate.Export{}
	for word := range strings.SplitSeq(strings.Trim(v, `"' `), ",") {
		word = strings.TrimSpace(word)
		switch name, _, set := strings.Cut(word, "="); {
		case word == "all":
			r.export.All = true
		case word == "none", word == "":
		case strings.HasPrefix(word, "~"):
			return job.Errorf(job.Invalid, "%q: variables cannot be left out one by one", word)
		case set && name != "":
			r.export.Set = append(r.export.Set, word)
		default:
			r.export.Names = append(r.export.Names, word)
		}
	}
	return nil
}

// gpus reads "num=2:mode=shared:gmodel=..." ("-" is one).
func (r *bsub) gpus(v string) error {
	n := int64(1)
	for part := range strings.SplitSeq(v, ":") {
		name, value, _ := strings.Cut(part, "=")
		switch name {
		case "num":
			amount, err := strconv.ParseUint(strings.TrimSuffix(value, "/host"), 10, 16)
			if err != nil {
				return job.Errorf(job.Invalid, "%q: num is a number", v)
			}
			n = int64(amount)
		case "gmodel":
			r.needs.label("gpu:" + value)
		case "-", "", "mode", "mps", "j_exclusive", "block", "gpack", "gvendor", "glink", "gtile", "aff":
		default:
			return job.Errorf(job.Invalid, "%q: %s is not known here", v, name)
		}
	}
	if r.needs.Needs == nil {
		r.needs.Needs = job.Resources{}
	}
	r.needs.Needs["gpu"] = n * job.Thousandth
	return nil
}
