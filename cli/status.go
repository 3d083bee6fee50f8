package cli

import (
	"context"
	"errors"
	"iter"

	"github.com/spf13/cobra"

	"github.com/muster-queue/muster/client"
	"github.com/muster-queue/muster/job"
)

// status is what the command shows, and of which jobs.
type status struct {
	*selection
	list, outcomes, explain, env bool
	byQueue                      bool
	limit                        int
	sort                         string
}

func statusCmd(a *app) *cobra.Command {
	s := &status{}
	cmd := &cobra.Command{
		Use:   "status [KEY...]",
		Short: "Show how jobs stand",
		Long: `Without a selection, or with one of a group or a queue alone, status counts the
jobs of each group by their state (-l lists them). With any other selection it
lists the jobs; of a single job it shows everything that is known.

--outcomes puts jobs together that ended alike, with an example of each, which is
the way to look at many failures. --explain says why a job is not running.`,
		Example: `  muster status
  muster status -b
  muster status 3f2a9c01d7e4
  muster status -f jobs.txt --outcomes
  muster status -i align --state ready --explain
  muster status -l -o json | jq .wall_time`,
	}
	s.selection = a.addSelectionFlags(cmd)
	f := cmd.Flags()
	f.BoolVarP(&s.list, "list", "l", false, "list jobs, also without a selection")
	f.BoolVar(&s.outcomes, "outcomes", false, "group jobs by how they ended, most frequent first")
	f.BoolVar(&s.explain, "explain", false, "say why jobs are not running")
	f.BoolVar(&s.byQueue, "by-queue", false, "count by queue instead of by group")
	f.BoolVarP(&s.env, "env", "e", false, "of a single job: its environment too")
	f.IntVar(&s.limit, "limit", 0, "list at most `N` jobs (default 100 in a table, else all), or N examples of each outcome (default 1)")
	f.StringVar(&s.sort, "sort", "", "list by `FIELD`: added, started, ended, wall, cpu, memory, disk, priority or attempts, the smallest first; -FIELD the largest (e.g. --sort=-memory); at most 1000")
	cmd.MarkFlagsMutuallyExclusive("list", "outcomes", "explain", "by-queue")
	a.formatFlag(cmd, "")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if err := s.settle(args); err != nil {
			return err
		}
		if s.limit < 0 {
			return job.Errorf(job.Invalid, "--limit %d: it cannot be negative", s.limit)
		}
		if s.sort != "" && (s.named() || s.outcomes || s.explain || s.byQueue) {
			return job.Errorf(job.Invalid, "--sort lists jobs that a filter selects; it does not go with jobs one by one, --outcomes, --explain or --by-queue")
		}
		err := a.with(needData, func(ctx context.Context, l *link, _ []string) error { return s.show(ctx, l) })(cmd, args)
		return s.excuse(err)
	}
	return cmd
}

// excuse takes it that there are no jobs yet as an answer, unless certain ones were
// asked for.
func (s *selection) excuse(err error) error {
	if !errors.Is(err, errNothingYet) || s.named() {
		return err
	}
	s.app.say("There are no jobs in %s yet. \"muster run -f FILE\" runs the commands of a file, \"muster server\" starts a server.", dataDir())
	return nil
}

func (s *status) show(ctx context.Context, l *link) error {
	switch {
	case s.outcomes:
		return s.showOutcomes(ctx, l)
	case s.explain:
		return s.showExplanations(ctx, l)
	case len(s.args) == 1 && !s.list && s.app.table():
		return s.showOne(ctx, l)
	case s.list || s.limit > 0 || s.sort != "" || s.fine():
		return s.showList(ctx, l)
	}
	return s.showCounts(ctx, l)
}

// selected are the selected jobs. Those named by arguments must exist.
func (s *selection) selected(ctx context.Context, l *link, d client.Detail) iter.Seq2[*client.Info, error] {
	if !s.named() {
		return l.List(ctx, s.filter, d)
	}
	return func(yield func(*client.Info, error) bool) {
		left := errors.New("left")
		err := s.pages(ctx, l, func(page client.Selection) error {
			list, err := l.Lookup(ctx, page.Jobs, d)
			for _, i := range list {
				if !yield(i, nil) {
					return left
				}
			}
			return err
		})
		if err != nil && !errors.Is(err, left) {
			yield(nil, err)
		}
	}
}
