package cli

import (
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/muster-queue/muster/cli/input"
	"github.com/muster-queue/muster/client"
	"github.com/muster-queue/muster/job"
)

// jobFlags are the flags that describe jobs: one for each field of the input.
type jobFlags struct {
	// Patterns of what is captured and what is not.
	allow, deny []string

	app    *app
	values []*fieldValue
	noEnv  bool
	// limits are those that the jobs set; nil where they may not.
	limits *givenLimits
}

// fieldValue collects what a flag says about a field.
type fieldValue struct {
	field  *input.Field
	values []string
}

// String is the value so far.
func (v *fieldValue) String() string { return strings.Join(v.values, ", ") }

// Set is called for each time the flag is given.
func (v *fieldValue) Set(s string) error {
	v.values = append(v.values, s)
	return nil
}

// Type is the word for the value in help texts.
func (v *fieldValue) Type() string {
	if v.field.Flag == input.BoolFlag {
		return "bool"
	}
	return v.field.Arg
}

func (a *app) addJobFlags(cmd *cobra.Command) *jobFlags {
	f := &jobFlags{app: a}
	for i := range input.Fields {
		field := &input.Fields[i]
		if field.Flag == input.NoFlag {
			continue
		}
		v := &fieldValue{field: field}
		f.values = append(f.values, v)
		flag := cmd.Flags().VarPF(v, field.FlagName(), field.Short, field.FlagHelp())
		if field.Flag == input.BoolFlag {
			flag.NoOptDefVal = strconv.FormatBool(true)
		}
	}
	cmd.Flags().StringArrayVar(&f.allow, "env-allow", nil, "capture variables of this `PATTERN` although they look secret or are denied; may be repeated; e.g. 'LC_*' (and those of "+client.EnvAllow+", with commas)")
	cmd.Flags().StringArrayVar(&f.deny, "env-deny", nil, "do not capture variables of this `PATTERN`; may be repeated; e.g. 'LESS*', or '*' for none but those allowed (and those of "+client.EnvDeny+", with commas)")
	cmd.Flags().BoolVar(&f.noEnv, "no-env", false, "do not capture the environment: the jobs get that of the agent")
	return f
}

// template is the job that the flags describe, without a command.
func (f *jobFlags) template() (*job.Job, error) {
	return f.fill(&job.Job{Submitter: userName(), Command: &job.Command{Dir: f.app.Dir, DirGiven: true}})
}

// given reports whether any of the flags is.
func (f *jobFlags) given() bool {
	return slices.ContainsFunc(f.values, func(v *fieldValue) bool { return len(v.values) > 0 })
}

// fill sets the fields of a job that flags are given for.
func (f *jobFlags) fill(j *job.Job) (*job.Job, error) {
	for _, v := range f.values {
		if len(v.values) == 0 {
			continue
		}
		values, err := v.values, error(nil)
		switch {
		case v.field.Name == "env":
			values, err = resolveEnv(values, f.app.lookup)
		case v.field.Name == "limits" && f.limits != nil:
			values, err = f.limits.take(values)
		}
		if err != nil {
			return nil, err
		}
		if err := v.field.SetFlag(j, f.app.now(), values); err != nil {
			return nil, err
		}
	}
	if !filepath.IsAbs(j.Command.Dir) {
		j.Command.Dir = filepath.Join(f.app.Dir, j.Command.Dir)
	}
	return j, nil
}

// environment is the environment to capture for the jobs; nil for none. It tells
// what is held back.
func (f *jobFlags) environment(j *job.Job) ([]string, error) {
	if f.noEnv {
		return nil, nil
	}
	c, err := client.NewCapture(f.allow, f.deny, f.app.lookup)
	if err != nil {
		return nil, err
	}
	kept, held := c.Of(f.app.Environ)
	held = slices.DeleteFunc(without(held, j.Command.Env), func(name string) bool { _, ok := j.Command.Secrets[name]; return ok })
	if len(held) > 0 {
		f.app.say("Not passed on to the jobs, for it looks secret: %s (--secret NAME refers to one that \"muster secret set\" made; --env NAME passes it on as it is).", strings.Join(held, ", "))
	}
	if kept == nil {
		kept = []string{} // an empty environment, not the agent's
	}
	return kept, nil
}

// without are the names that no setting is for.
func without(names, settings []string) []string {
	var left []string
	for _, n := range names {
		found := false
		for _, s := range settings {
			found = found || strings.HasPrefix(s, n+"=")
		}
		if !found {
			left = append(left, n)
		}
	}
	return left
}
