package cli

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/muster-queue/muster/cli/output"
	"github.com/muster-queue/muster/job"
	"github.com/muster-queue/muster/simulate"
)

// simulation is the command line of simulate.
type simulation struct {
	app *app
	history

	example, samples bool
	sets             []string
	picture, save    string
}

func simulateCmd(a *app) *cobra.Command {
	s := &simulation{app: a}
	cmd := &cobra.Command{
		Use:   "simulate [FILE...]",
		Short: "Try what a change of quota would do: run a described workload in simulated time",
		Long: `Simulate runs a workload through the scheduler itself in simulated time, a week in
seconds, and shows who gets what: shares, waits, preemptions, lost work. Nothing
is executed, and no server is needed. A file describes accounts, workers and jobs,
in YAML or JSON; "muster simulate --example" prints one with comments, and
docs/simulate.md explains it. Several files are compared, the first with the others.

With --history the workload is what the server has seen: the jobs that ran, its
accounts and its agents as they are now. --set changes something, and shows what
that changes; --save keeps the workload in a file, to be edited.`,
		Example: `  muster simulate --example > workload.yaml
  muster simulate workload.yaml --picture workload.svg
  muster simulate workload.yaml --set physics.rate=12 --set workers.node.count=20
  muster simulate today.yaml tomorrow.yaml
  muster simulate --history --since 7d --set teamA.rate=10,0,0
  muster simulate --history --queue nightly --save nightly.yaml`,
		RunE: s.run,
	}
	f := cmd.Flags()
	f.SortFlags = false
	f.BoolVar(&s.example, "example", false, "print a workload with comments, which runs")
	f.StringArrayVar(&s.sets, "set", nil, "change the workload and compare: `WHAT=VALUE`, e.g. teamA.rate=10,0,0 or workers.node.count=20; may be repeated")
	f.StringVar(&s.picture, "picture", "", "draw running jobs and balances over time into this `FILE`, .svg or .png")
	f.StringVar(&s.save, "save", "", "write the workload into this `FILE`, with all that --set changes, instead of simulating it; - is the standard output")
	f.BoolVar(&s.samples, "samples", false, "with -o json: also how things stood over time")
	s.history.flags(f)
	a.formatFlag(cmd, "")
	return cmd
}

func (s *simulation) run(cmd *cobra.Command, args []string) error {
	if err := s.checkFlags(cmd.Flags(), args); err != nil {
		return err
	}
	if s.example {
		_, err := s.app.out.Write(simulate.Example)
		return err
	}
	list, err := s.workloads(cmd, args)
	if err != nil {
		return err
	}
	if s.save != "" {
		return s.keep(list[len(list)-1])
	}
	file, err := s.openPicture(len(list))
	if err != nil {
		return err
	}
	defer file.close()
	var results []*simulate.Result
	for _, w := range list {
		r, err := s.simulate(cmd.Context(), w)
		if err != nil {
			return job.Wrap(err, "simulate", w.Name)
		}
		results = append(results, r)
	}
	if err := s.show(results); err != nil {
		return err
	}
	return file.draw(results)
}

// checkFlags refuses what would be ignored.
func (s *simulation) checkFlags(f *pflag.FlagSet, args []string) error {
	format, err := output.ParseFormat(s.app.format)
	if err != nil {
		return err
	}
	for _, c := range []struct {
		wrong bool
		is    string
	}{
		{s.example && (len(args) > 0 || s.from || len(s.sets) > 0 || s.picture != "" || s.save != "" || s.samples),
			"--example prints a workload and does nothing else; write it into a file, and simulate that"},
		{!s.from && f.Changed("queue"), "--queue is for --history; a file has its own jobs"},
		{!s.from && f.Changed("since"), "--since is for --history; a file has its own times"},
		{!s.from && f.Changed("until"), "--until is for --history; a file has its own times"},
		{s.save != "" && s.picture != "", "--save writes the workload and does not simulate it, so there is no --picture"},
		{s.samples && (s.save != "" || format != output.JSON), "--samples adds to what -o json prints; give that, too"},
	} {
		if c.wrong {
			return job.Errorf(job.Invalid, "%s", c.is)
		}
	}
	return s.checkPicture()
}

// workloads are those that are meant; with --set the same once more, changed.
func (s *simulation) workloads(cmd *cobra.Command, args []string) (list []*simulate.Workload, err error) {
	switch {
	case s.from && len(args) > 0:
		return nil, job.Errorf(job.Invalid, "give --history or files, not both; --save makes a file of a history")
	case s.from:
		list, err = s.recall(cmd)
	case len(args) == 0:
		return nil, job.Errorf(job.Invalid, "give a file with a workload, or --history; \"muster simulate --example > workload.yaml\" makes one to begin with")
	default:
		list, err = s.read(args)
	}
	if err != nil || len(s.sets) == 0 {
		return list, err
	}
	if len(list) > 1 {
		return nil, job.Errorf(job.Invalid, "--set changes one workload; with several files change the files")
	}
	changed, err := list[0].With(s.sets...)
	if err != nil {
		return nil, err
	}
	list[0].Name, changed.Name = "before", "after"
	return append(list, changed), nil
}

func (s *simulation) read(names []string) (list []*simulate.Workload, err error) {
	for _, name := range names {
		text, err := s.app.readAll(name)
		if err != nil {
			return nil, err
		}
		w, err := simulate.Decode(name, text)
		if err != nil {
			return nil, err
		}
		list = append(list, w)
	}
	return list, nil
}

// readAll is what is in a file, or comes from the standard input ("-"), if that is
// no more than a workload may be.
func (a *app) readAll(name string) ([]byte, error) {
	in := a.Stdin
	if name != "-" {
		f, err := os.Open(a.path(name))
		if err != nil {
			return nil, job.Errorf(job.NotFound, "read the workload: %w", err)
		}
		defer func() { _ = f.Close() }()
		in = f
	}
	text, err := io.ReadAll(io.LimitReader(in, simulate.MaxFile+1))
	if err != nil {
		return nil, job.Errorf(job.Invalid, "read the workload %s: %w", name, err)
	}
	return text, nil
}

// keep writes a workload into the file of --save.
func (s *simulation) keep(w *simulate.Workload) error {
	if w.Name == "after" || w.Name == "before" {
		// What is read without a name has that of its file.
		w.Name = strings.TrimPrefix(filepath.Base(s.save), "-")
	}
	text, err := w.Encode()
	if err != nil {
		return err
	}
	if s.save == "-" {
		_, err := s.app.out.Write(text)
		return err
	}
	if err := os.WriteFile(s.app.path(s.save), text, 0o644); err != nil {
		return job.Errorf(job.Invalid, "write the workload: %w", err)
	}
	s.app.say("The workload is in %s.", s.save)
	return nil
}

// simulate runs a workload and shows how far it is, where that can be seen.
func (s *simulation) simulate(ctx context.Context, w *simulate.Workload) (*simulate.Result, error) {
	begun := s.app.now()
	drawn := time.Time{}
	o := simulate.Options{}
	if s.app.err.Terminal {
		o.Progress = func(p simulate.Progress) {
			if now := s.app.now(); now.Sub(begun) > time.Second && now.Sub(drawn) > 200*time.Millisecond {
				drawn = now
				fmt.Fprintf(s.app.err, "\r%s\x1b[K", s.app.err.Fit(1, progressText(w.Name, p)))
			}
		}
	}
	r, err := simulate.Run(ctx, w, o)
	if !drawn.IsZero() {
		fmt.Fprint(s.app.err, "\r\x1b[K")
	}
	return r, err
}

func progressText(name string, p simulate.Progress) string {
	of := ""
	if p.Duration > 0 {
		of = " of " + output.Short(p.Duration)
	}
	return fmt.Sprintf("%s: %s%s simulated, %d of %s done", output.Clean(name), output.Short(p.Now), of, p.Done, plural(p.Jobs, "job"))
}
