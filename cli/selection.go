package cli

import (
	"context"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/muster-queue/muster/client"
	"github.com/muster-queue/muster/job"
)

// selection is which jobs a command is about; its flags are the same everywhere.
type selection struct {
	app    *app
	args   []string
	filter client.Filter

	file       string
	cwd        string
	duplicates bool
	buried     bool
	running    bool
	reasons    []string
	exit       int
	given      *pflag.FlagSet
	all        bool

	since, until, when string
}

// pageOfRefs is how many jobs are named in one request.
const pageOfRefs = 1000

func (a *app) addSelectionFlags(cmd *cobra.Command) *selection {
	s := &selection{app: a}
	f := cmd.Flags()
	f.SortFlags = false
	f.StringVarP(&s.file, "file", "f", "", "the jobs of this `FILE`, as it was added; - is the standard input")
	f.StringVarP(&s.filter.Group, "group", "i", "", "jobs of this report `GROUP`")
	f.StringVarP(&s.filter.Queue, "queue", "q", "", "jobs of this `QUEUE`")
	f.StringVarP(&s.filter.Kind, "kind", "g", "", "jobs of this `KIND`")
	f.StringVar(&s.filter.Account, "account", "", "jobs that this `ACCOUNT` pays for")
	f.StringSliceVar(&s.filter.States, "state", nil, "jobs in this `STATE`: blocked, delayed, ready, reserved, running, lost, buried, complete; or live, held, unfinished; may be repeated")
	f.BoolVarP(&s.buried, "buried", "b", false, "jobs that failed and wait for a person; short for --state buried")
	f.BoolVarP(&s.running, "running", "r", false, "jobs that run; short for --state running")
	f.StringSliceVar(&s.reasons, "reason", nil, "jobs whose last attempt failed for this `REASON`: exit, ram, time, cfound, lost, ...")
	f.IntVar(&s.exit, "exit", 0, "jobs whose last attempt ended with this exit `CODE`")
	f.StringVar(&s.filter.Host, "host", "", "jobs on this `HOST`")
	f.StringVar(&s.filter.Worker, "worker", "", "jobs of this `WORKER`")
	f.StringVar(&s.filter.Command, "command", "", "jobs with this `TEXT` in their command")
	f.StringVar(&s.filter.GroupPrefix, "group-prefix", "", "jobs of groups whose names begin with `TEXT`")
	f.StringVar(&s.filter.GroupPart, "group-part", "", "jobs of groups with this `TEXT` in their names")
	f.StringVar(&s.filter.KeyPrefix, "key-prefix", "", "jobs whose keys begin with `TEXT`")
	f.StringVar(&s.filter.KeyPart, "key-part", "", "jobs with this `TEXT` in their keys")
	f.StringVar(&s.filter.Submitter, "submitter", "", "jobs that this `USER` added")
	f.StringVar(&s.since, "since", "", "jobs that ended from this `TIME` on, e.g. 7d (ago), 2030-01-02 or 2030-01-02T15:04:05Z; see --when")
	f.StringVar(&s.until, "until", "", "jobs that ended before this `TIME`")
	f.StringVar(&s.when, "when", "ended", "`WHAT` --since and --until are about: added, started or ended (completed or buried)")
	f.StringVarP(&s.cwd, "cwd", "c", "", "with -f: the `DIR`ectory the file was added in, or with --cwd")
	f.BoolVar(&s.duplicates, "duplicates", false, "with -f: the file was added with --duplicates")
	s.given = f
	return s
}

// addAllFlag adds the flag that a change of every job needs.
func (s *selection) addAllFlag(cmd *cobra.Command) {
	cmd.Flags().BoolVar(&s.all, "all", false, "every job, when nothing else selects")
}

// settle makes the filter of the flags; it is called once.
func (s *selection) settle(args []string) error {
	s.args = args
	if err := s.empty(); err != nil {
		return err
	}
	if s.buried {
		s.filter.States = append(s.filter.States, job.Buried.String())
	}
	if s.running {
		s.filter.States = append(s.filter.States, job.Running.String())
	}
	for i, word := range s.filter.States {
		s.filter.States[i] = strings.ToLower(word)
		if _, err := statesOf(s.filter.States[i]); err != nil {
			return err
		}
	}
	for _, word := range s.reasons {
		r, err := job.ParseReason(word)
		if err != nil {
			return err
		}
		s.filter.Reasons = append(s.filter.Reasons, r)
	}
	if s.given.Changed("exit") {
		s.filter.Exit = &s.exit
	}
	if err := s.settleTime(); err != nil {
		return err
	}
	if s.file != "" && len(args) > 0 {
		return job.Errorf(job.Invalid, "give a file (-f %s) or jobs (%s), not both", s.file, args[0])
	}
	return nil
}

// textFlags are those that select by a text.
var textFlags = []string{
	"file", "group", "queue", "kind", "account", "state", "reason", "host", "worker", "command", "group-prefix", "group-part",
	"key-prefix", "key-part", "submitter", "since", "until",
}

// empty refuses a flag with nothing in it, as an unset variable of a script gives:
// it would select all jobs.
func (s *selection) empty() error {
	for _, name := range textFlags {
		f := s.given.Lookup(name)
		if f == nil || !f.Changed {
			continue
		}
		if text := f.Value.String(); text == "" || text == "[]" && f.Value.Type() == "stringSlice" {
			return job.Errorf(job.Invalid, "--%s is empty; say what, or leave it out", name)
		}
	}
	return nil
}

// settleTime reads the times that jobs are selected by.
func (s *selection) settleTime() error {
	span := map[string]*client.Span{"added": &s.filter.Added, "started": &s.filter.Started, "ended": &s.filter.Ended, "": &s.filter.Ended}[s.when]
	if span == nil {
		return job.Errorf(job.Invalid, "--when %s: it is added, started or ended", s.when)
	}
	var err error
	if span.Since, err = moment(s.since, time.Time{}, s.app.now()); err != nil {
		return job.Wrap(err, "", "--since")
	}
	if span.Until, err = moment(s.until, time.Time{}, s.app.now()); err != nil {
		return job.Wrap(err, "", "--until")
	}
	switch {
	case s.given.Changed("when") && s.since == "" && s.until == "":
		return job.Errorf(job.Invalid, "--when %s says what --since and --until are about: give one of them", s.when)
	case !span.Until.IsZero() && !span.Since.Before(span.Until):
		return job.Errorf(job.Invalid, "--since %s is not before --until %s: nothing can be selected", s.since, s.until)
	}
	return nil
}

// statesOf are the states a word of the flag stands for.
func statesOf(word string) ([]job.State, error) {
	switch word {
	case "live":
		return []job.State{job.Blocked, job.Delayed, job.Ready, job.Reserved, job.Running, job.Lost, job.Buried}, nil
	case "held":
		return []job.State{job.Reserved, job.Running, job.Lost}, nil
	case "unfinished":
		return []job.State{job.Blocked, job.Delayed, job.Ready, job.Reserved, job.Running, job.Lost}, nil
	}
	st, err := job.ParseState(word)
	if err != nil {
		return nil, job.Errorf(job.Invalid, "--state: %w; or live, held, unfinished", err)
	}
	return []job.State{st}, nil
}

// named tells whether jobs are selected one by one.
func (s *selection) named() bool { return len(s.args) > 0 || s.file != "" }

// fine tells whether more than a queue or a group is asked for, so that counts
// do not do.
func (s *selection) fine() bool {
	return s.named() || s.finer()
}

// finer tells whether the filter says more than a queue and a group.
func (s *selection) finer() bool {
	f := s.filter
	f.Queue, f.Group = "", ""
	return !reflect.ValueOf(f).IsZero()
}

// must refuses a change that nothing restricts, unless all was said.
func (s *selection) must(verb string) error {
	if s.all || s.fine() || s.filter.Group != "" || s.filter.Queue != "" {
		return nil
	}
	return job.Errorf(job.Invalid, "say which jobs to %s: keys, -f FILE, -i GROUP, -q QUEUE, --state STATE, ..., or --all for every job", verb)
}

// pages gives the selected jobs to do: those that are named a page at a time,
// else the filter.
func (s *selection) pages(ctx context.Context, l *link, do func(client.Selection) error) error {
	switch {
	case len(s.args) > 0:
		refs, err := s.resolveAll(ctx, l)
		if err != nil {
			return err
		}
		for page := range slices.Chunk(refs, pageOfRefs) {
			if err := s.page(ctx, l, page, do); err != nil {
				return err
			}
		}
		return nil
	case s.file != "":
		return s.filePages(func(page []client.Ref) error { return s.page(ctx, l, page, do) })
	}
	return do(client.Selection{Filter: &s.filter, All: s.all})
}

// page passes on those of a page that the filter lets through.
func (s *selection) page(ctx context.Context, l *link, page []client.Ref, do func(client.Selection) error) error {
	if !s.restricts() {
		return do(client.Select(page...))
	}
	infos, err := l.Lookup(ctx, page, client.Detail{Brief: s.filter.Command+s.filter.Submitter == ""})
	if err != nil {
		return err
	}
	var kept []client.Ref
	for _, i := range infos {
		if s.matches(i) {
			kept = append(kept, refOf(i))
		}
	}
	if len(kept) == 0 {
		return nil
	}
	return do(client.Select(kept...))
}

// restricts tells whether the filter says more than the queue, which named jobs
// have in their names.
func (s *selection) restricts() bool {
	return s.filter.Group != "" || s.finer()
}

// matches is the filter, applied here: the server takes names or a filter.
func (s *selection) matches(i *client.Info) bool {
	f := &s.filter
	return among(f.Group, i.Group) && among(f.Kind, i.Kind) && among(f.Account, i.Account) &&
		(f.Command == "" || strings.Contains(commandText(i), f.Command)) && among(f.Submitter, submitter(i)) &&
		strings.HasPrefix(i.Group, f.GroupPrefix) && strings.Contains(i.Group, f.GroupPart) &&
		strings.HasPrefix(string(i.Key), f.KeyPrefix) && strings.Contains(string(i.Key), f.KeyPart) && s.matchesTime(i) &&
		s.matchesAttempt(i) &&
		(len(f.States) == 0 || slices.ContainsFunc(f.States, func(word string) bool {
			states, _ := statesOf(word) // settle has checked it
			return slices.Contains(states, i.State)
		}))
}

// matchesTime is what the filter says of times.
func (s *selection) matchesTime(i *client.Info) bool {
	ended := i.Ended
	if i.State == job.Buried {
		ended = i.Since
	}
	return within(s.filter.Added, i.Added) && within(s.filter.Started, attempt(i).Started) && within(s.filter.Ended, ended)
}

func within(s client.Span, t time.Time) bool {
	if s == (client.Span{}) {
		return true
	}
	return !t.IsZero() && !t.Before(s.Since) && (s.Until.IsZero() || t.Before(s.Until))
}

// among tells whether a filter that names one lets a value through.
func among(wanted, value string) bool { return wanted == "" || wanted == value }

// matchesAttempt is what the filter says of the job's attempt.
func (s *selection) matchesAttempt(i *client.Info) bool {
	f := &s.filter
	if len(f.Reasons) > 0 && !slices.Contains(f.Reasons, i.Reason) {
		return false
	}
	if f.Exit == nil && f.Host == "" && f.Worker == "" {
		return true
	}
	return i.Attempt != nil && (f.Exit == nil || i.Exit == *f.Exit) &&
		among(f.Host, i.Attempt.Host) && among(f.Worker, i.Attempt.Worker)
}

func commandText(i *client.Info) string {
	if i.Job == nil || i.Job.Command == nil {
		return ""
	}
	return i.Job.Command.String()
}

// filePages visits the jobs of the file, a page at a time.
func (s *selection) filePages(do func([]client.Ref) error) error {
	src, err := s.app.source(s.file)
	if err != nil {
		return err
	}
	t := &job.Job{Queue: s.filter.Queue, Command: &job.Command{Dir: s.app.path(s.cwd), DirGiven: true}}
	sub := submission{app: s.app, file: s.file, duplicates: s.duplicates, jobs: &jobFlags{app: s.app, limits: &givenLimits{app: s.app}}}
	page := make([]client.Ref, 0, pageOfRefs)
	err = sub.each(src, t, func(j *job.Job, _ int, bad error) error {
		if bad != nil {
			return nil // it cannot have been added
		}
		if page = append(page, client.Ref{Queue: j.Queue, Key: j.Key}); len(page) < pageOfRefs {
			return nil
		}
		defer func() { page = page[:0] }()
		return do(page)
	})
	if err == nil && len(page) > 0 {
		err = do(page)
	}
	return err
}
