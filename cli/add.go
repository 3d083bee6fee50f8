package cli

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/muster-queue/muster/api"
	"github.com/muster-queue/muster/cli/output"
	"github.com/muster-queue/muster/client"
	"github.com/muster-queue/muster/job"
)

func addCmd(a *app) *cobra.Command {
	var s *submission
	cmd := &cobra.Command{
		Use:   "add [-f FILE | COMMAND ARGUMENT...]",
		Short: "Add jobs to the queue and return at once",
		Long: `Add puts jobs into the queue, durably, and returns. A running server gives them
to its agents; without one they wait for the next "muster run" or "muster server".

A file has a job on each line: a command for the shell, or JSON, or a command, a
TAB and JSON (docs/input.md has the fields). Identical commands in the same
directory are the same job and run once; --duplicates makes each line its own.
A file with a bad line is refused as a whole, unless --partial is given.`,
		Example: `  muster add -f jobs.txt
  muster add -m 2G -t 1h -i align -f jobs.txt
  printf '%s\n' 'gzip a.txt' 'gzip b.txt' | muster add -f -
  muster add sort -o sorted.txt big.txt`,
		RunE: a.with(needStore, func(ctx context.Context, l *link, args []string) error { return s.add(ctx, l, args) }),
	}
	cmd.Flags().SetInterspersed(false)
	s = a.addSubmitFlags(cmd)
	cmd.Flags().BoolVar(&s.replace, "replace", false, "give jobs that are there the new description; finished ones run again")
	cmd.MarkFlagsMutuallyExclusive("rerun", "replace")
	a.formatFlag(cmd, "with json, csv or plain, list every job with what became of it")
	return cmd
}

func (s *submission) add(ctx context.Context, l *link, args []string) error {
	list, err := s.app.listing(
		output.Column{Name: "result"}, output.Column{Name: "line"}, output.Column{Name: "queue"},
		output.Column{Name: "key"}, output.Column{Name: "id"}, output.Column{Name: "error"})
	if err != nil {
		return err
	}
	if s.app.format != "table" {
		s.item = func(i client.AddedItem) error {
			return list.Row(i.Result, i.Line, i.Queue, api.KeyText(i.Key), i.ID, errorText(i.Err))
		}
	}
	sum, err := s.submit(ctx, l, args, false)
	if cerr := list.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return err
	}
	s.app.say("%s", sum.sentence())
	s.warnOfAccounts(ctx, l)
	if l.embedded {
		s.app.say("No server is running: what was added waits for \"muster server\" or \"muster run\".")
	}
	if sum.Bad+sum.Refused > 0 {
		return failed
	}
	return nil
}

// submit adds what the arguments or the file say.
func (s *submission) submit(ctx context.Context, l *link, args []string, kick bool) (*submitted, error) {
	src, err := s.source(args)
	if err != nil {
		return nil, err
	}
	if src == nil {
		return s.command(ctx, l, args, kick)
	}
	return s.lines(ctx, l, src, kick)
}

// sentence says what became of the jobs.
func (s *submitted) sentence() string {
	parts := []string{}
	for _, p := range []struct {
		n    int64
		text string
	}{
		{s.Added.Added, "added"}, {s.Replaced, "replaced"}, {s.Rerun, "to run again"}, {s.Existed, "there already"},
		{s.Kicked, "to be tried again"}, {s.Refused, "refused"}, {s.Bad, "bad"},
	} {
		if p.n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", p.n, p.text))
		}
	}
	return fmt.Sprintf("%s: %s.", plural(s.Total()+s.Bad, "job"), strings.Join(parts, ", "))
}

func plural(n int64, noun string) string { return job.Plural(n, noun) }

func errorText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}
