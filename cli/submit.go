package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/muster-queue/muster/api"
	"github.com/muster-queue/muster/cli/input"
	"github.com/muster-queue/muster/client"
	"github.com/muster-queue/muster/job"
)

// submission is what run and add have in common: jobs of a file, of a pipe or of
// the command line go to the server.
type submission struct {
	app  *app
	jobs *jobFlags

	file       string
	duplicates bool
	partial    bool
	rerun      bool
	replace    bool

	// accounts that jobs name, up to maxWarned.
	accounts map[string]bool
	// item, when set, is told what became of each job; ref which jobs there are.
	item func(client.AddedItem) error
	ref  func(*job.Job) error
}

func (a *app) addSubmitFlags(cmd *cobra.Command) *submission {
	s := &submission{app: a}
	f := cmd.Flags()
	f.SortFlags = false
	f.StringVarP(&s.file, "file", "f", "", "read jobs from this `FILE`, one a line; - is the standard input")
	f.BoolVar(&s.duplicates, "duplicates", false, "each line is a job of its own, also when another line is identical")
	f.BoolVar(&s.partial, "partial", false, "add the good lines of a file in which others are bad")
	f.BoolVar(&s.rerun, "rerun", false, "run again what is complete already")
	s.jobs = a.addJobFlags(cmd)
	s.jobs.limits = &givenLimits{app: a}
	return s
}

// source opens what the flags and arguments name; a command on the command line
// is a source of one job, and then nil is returned for the file.
func (s *submission) source(args []string) (*input.Source, error) {
	switch {
	case s.file != "" && len(args) > 0:
		return nil, job.Errorf(job.Invalid, "give a file (-f %s) or a command (%s), not both", s.file, args[0])
	case len(args) == 1 && looksLikeJobs(args[0]):
		return nil, job.Errorf(job.Invalid, "%s is not a command; to run the commands in it, write -f %[1]s", args[0])
	case len(args) > 0:
		return nil, notQuoted(args, "muster run", "muster run --")
	case s.file == "":
		return nil, job.Errorf(job.Invalid, "nothing to do: give a file of commands (-f FILE, or -f - for the standard input) or a command")
	}
	return s.app.source(s.file)
}

// looksLikeJobs tells a file of jobs, given without -f, from a program.
func looksLikeJobs(arg string) bool {
	info, err := os.Stat(arg)
	return err == nil && info.Mode().IsRegular() && info.Mode().Perm()&0o111 == 0
}

// notQuoted refuses a command that is a whole line in quotes, and says how it is
// written: after bare as words, after dashed as a line of the shell.
func notQuoted(args []string, bare, dashed string) error {
	if len(args) != 1 || !quotedLine(args[0]) {
		return nil
	}
	return job.Errorf(job.Invalid, "%q is one word, and no program has that name; leave the quotes out (%s %s), or for a line of the shell write: %s %s",
		args[0], bare, args[0], dashed, (&job.Command{Argv: []string{"bash", "-c", args[0]}}).String())
}

// quotedLine tells a whole command line in quotes from the name of a program.
func quotedLine(arg string) bool {
	words := strings.Fields(arg)
	if len(words) < 2 {
		return false
	}
	if _, err := exec.LookPath(arg); err == nil {
		return false
	}
	_, err := exec.LookPath(strings.TrimRight(words[0], ";&|"))
	return err == nil || shellWord.MatchString(words[0])
}

// shellWord matches what begins a command of the shell and is no program: its own
// words, and settings of variables.
var shellWord = regexp.MustCompile(`^([A-Za-z_]\w*=.*|[({!]|\.|\[\[|case|cd|eval|exec|export|for|if|set|source|time|trap|ulimit|umask|until|wait|while)$`)

// prepare makes the template, with its environment stored on the server.
func (s *submission) prepare(ctx context.Context, l *link, name string) (*job.Job, error) {
	t, err := s.jobs.template()
	if err != nil {
		return nil, err
	}
	if t.Group == "" {
		t.Group = name
	}
	env, err := s.jobs.environment(t)
	if err != nil || env == nil {
		return t, err
	}
	t.Command.EnvID, err = l.PutEnvironment(ctx, env)
	return t, job.Wrap(err, "store", "the environment of the jobs")
}

func (s *submission) options(kick bool) client.AddOptions {
	o := client.AddOptions{Kick: kick, Partial: s.partial, EveryItem: s.item != nil}
	switch {
	case s.rerun:
		o.Existing = job.ExistingRerun
	case s.replace:
		o.Existing = job.ExistingReplace
	}
	return o
}

// submitted says what became of a submission.
type submitted struct {
	client.Added
	// Name is what the jobs came from, Group where they are counted.
	Name, Group, Queue string
	// Bad lines, which only a partial add passes over.
	Bad int64
}

// command adds the one job of a command line.
func (s *submission) command(ctx context.Context, l *link, args []string, kick bool) (*submitted, error) {
	t, err := s.prepare(ctx, l, path.Base(args[0]))
	if err != nil {
		return nil, err
	}
	t.Command.Argv = args
	salt := ""
	if s.duplicates {
		salt = s.app.now().String()
	}
	if err := input.Finish(t, salt); err != nil {
		return nil, err
	}
	if err := s.jobs.limits.send(ctx, l); err != nil {
		return nil, err
	}
	sum, err := s.feed(l.Add(ctx, s.adding(kick)), func(add func(*job.Job, int64) error) error { return add(t, 0) })
	if item, ok := errors.AsType[*api.ItemError](err); ok {
		err = job.Errorf(job.KindOf(err), "%s", reason(err, item))
	}
	return &submitted{Added: sum, Name: t.Command.String(), Group: t.Group, Queue: t.Queue}, err
}

// reason is an error about an item without the place, which is told otherwise.
func reason(err error, item *api.ItemError) string {
	place := (&api.ItemError{Item: item.Item, Line: item.Line, Err: errors.New("")}).Error()
	return strings.TrimPrefix(err.Error(), place)
}

// refused says of a line that only the server could refuse which it is, and what became
// of the lines before it.
func (s *submission) refused(err error, before int64) error {
	item, ok := errors.AsType[*api.ItemError](err)
	if !ok || item.Line == 0 {
		return err
	}
	added := "nothing was added"
	if before > 0 {
		added = fmt.Sprintf("the first %s of the file were added, and are found again when the mended file is added", plural(before, "job"))
	}
	return job.Errorf(job.KindOf(err), "%s line %d: %s; %s (--partial adds the other lines)", s.name(), item.Line, reason(err, item), added)
}

// lines adds the jobs of a file: first all of it is checked, so that a bad line
// at the end leaves nothing half-added.
func (s *submission) lines(ctx context.Context, l *link, src *input.Source, kick bool) (*submitted, error) {
	if err := s.check(src); err != nil {
		return nil, err
	}
	t, err := s.prepare(ctx, l, src.Name)
	if err != nil {
		return nil, err
	}
	out := &submitted{Name: src.Name, Group: t.Group, Queue: (&job.Job{Queue: t.Queue}).QueueName()}
	out.Added, err = s.feed(l.Add(ctx, s.adding(kick)), func(add func(*job.Job, int64) error) error {
		return s.each(src, t, func(j *job.Job, line int, bad error) error {
			if bad != nil {
				out.Bad++
				s.app.say("%v", bad)
				return nil
			}
			if err := s.jobs.limits.send(ctx, l); err != nil {
				return err
			}
			return add(j, int64(line))
		})
	})
	return out, s.refused(err, out.Total())
}

// adding are the options with the answers for items in them.
func (s *submission) adding(kick bool) client.AddOptions {
	o := s.options(kick)
	o.Item = func(item client.AddedItem) {
		if item.Err != nil {
			s.app.say("%v", lineError(s.name(), item))
		}
		if s.item != nil {
			_ = s.item(item) // a closed pipe: the adding goes on
		}
	}
	return o
}

func (s *submission) name() string {
	if s.file == "" || s.file == input.Stdin {
		return "stdin"
	}
	return filepath.Base(s.file)
}

func lineError(name string, item client.AddedItem) error {
	if item.Line == 0 {
		return item.Err
	}
	err := item.Err
	if at, ok := errors.AsType[*api.ItemError](err); ok {
		err = errors.New(reason(err, at))
	}
	return &input.LineError{File: name, Line: int(item.Line), Err: err}
}

// feed gives an adder its jobs, and each to ref.
func (s *submission) feed(a *client.Adder, all func(add func(*job.Job, int64) error) error) (client.Added, error) {
	err := all(func(j *job.Job, line int64) error {
		s.names(j.Account)
		if s.ref != nil {
			if err := s.ref(j); err != nil {
				return err
			}
		}
		return a.Add(j, line)
	})
	sum, cerr := a.Close()
	if cerr != nil {
		err = cerr
	}
	return sum, err
}

// maxWarned is of how many accounts it is found out whether they exist.
const maxWarned = 20

// names keeps the account that a job names.
func (s *submission) names(account string) {
	if account == "" || s.accounts[account] || len(s.accounts) == maxWarned {
		return
	}
	if s.accounts == nil {
		s.accounts = map[string]bool{}
	}
	s.accounts[account] = true
}

// warnOfAccounts tells which accounts of the jobs do not exist. The server takes
// such jobs, and does not look: so adding costs nothing for it.
func (s *submission) warnOfAccounts(ctx context.Context, l *link) {
	s.app.warnOfAccounts(ctx, l, slices.Sorted(maps.Keys(s.accounts))...)
}

// each visits the jobs of a source, and the errors of its bad lines.
func (s *submission) each(src *input.Source, t *job.Job, visit func(j *job.Job, line int, bad error) error) error {
	r, err := src.Reader()
	if err != nil {
		return err
	}
	r.Template, r.Now, r.SetLimit = t, s.app.now(), s.jobs.limits.add
	if s.duplicates {
		r.Duplicates = src.Identity
	}
	for {
		j, err := r.Next()
		var bad *input.LineError
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil && !errors.As(err, &bad):
			return job.Errorf(job.Internal, "read %s: %w", src.Name, err)
		}
		if err := visit(j, r.Line(), err); err != nil {
			return err
		}
	}
}

// shown is how many bad lines are told of before only their number is.
const shown = 10

// check reads a whole source; bad lines are an error unless the add is partial.
func (s *submission) check(src *input.Source) error {
	if s.partial {
		return nil
	}
	t, err := s.jobs.template()
	if err != nil {
		return err
	}
	var jobs, count int
	var first []error
	err = s.each(src, t, func(_ *job.Job, _ int, bad error) error {
		jobs++
		if bad != nil {
			if count++; count <= shown {
				first = append(first, bad)
			}
		}
		return nil
	})
	s.jobs.limits.drop()
	switch {
	case err != nil:
		return err
	case jobs == 0:
		return job.Errorf(job.Invalid, "%s has no jobs in it; write one command a line", src.Name)
	case count == 1:
		return fmt.Errorf("%w; nothing was added (--partial adds the other lines)", first[0])
	case count > 1:
		return job.Errorf(job.Invalid, "%d of %d lines of %s are bad; nothing was added (--partial adds the other lines):\n%w",
			count, jobs, src.Name, errors.Join(first...))
	}
	return nil
}
