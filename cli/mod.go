package cli

import (
	"context"
	"strings"

	"github.com/spf13/cobra"

	"github.com/muster-queue/muster/cli/input"
	"github.com/muster-queue/muster/client"
	"github.com/muster-queue/muster/job"
)

func modCmd(a *app) *cobra.Command {
	var set, unset []string
	cmd := &cobra.Command{
		Use:     "mod [KEY...] --set FIELD=VALUE",
		Aliases: []string{"modify"},
		Short:   "Change jobs that are in the queue",
		Long: `Mod changes fields of jobs. The fields and their values are those of the input
(docs/input.md). An attempt that runs already goes on as it was; the next one is
changed. A new command has a new key: where another job has it, or the job runs,
the change is refused and said so for each. Complete jobs are history: add them
again with --existing replace.`,
		Example: `  muster mod -f jobs.txt -b --set memory=4G && muster kick -f jobs.txt
  muster mod -i align --set priority=10
  muster mod 3f2a9c01d7e4 --set 'env=["LC_ALL=C"]' --unset time
  muster mod -q slow --state ready,delayed --set queue=fast`,
	}
	s := a.addSelectionFlags(cmd)
	s.addAllFlag(cmd)
	cmd.Flags().StringArrayVar(&set, "set", nil, "`FIELD=VALUE`, where the value may be JSON; may be repeated")
	cmd.Flags().StringArrayVar(&unset, "unset", nil, "the `FIELD` has its default again; may be repeated")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if err := s.settle(args); err != nil {
			return err
		}
		if err := s.must("change"); err != nil {
			return err
		}
		changes, fields, err := a.changes(set, unset)
		if err != nil {
			return err
		}
		return a.with(needData, func(ctx context.Context, l *link, _ []string) error {
			return a.change(ctx, l, s, wording{done: "changed", refused: "refused", each: true}, func(ctx context.Context, l *link, sel client.Selection) (client.Change, error) {
				return l.Modify(ctx, sel, changes, fields...)
			})
		})(cmd, args)
	}
	return cmd
}

// changes are the new values and the names of what changes.
func (a *app) changes(set, unset []string) (*job.Job, []string, error) {
	j := &job.Job{Command: &job.Command{}}
	var fields []string
	for _, s := range set {
		name, value, ok := strings.Cut(s, "=")
		if !ok {
			return nil, nil, job.Errorf(job.Invalid, "--set %s: write FIELD=VALUE", s)
		}
		paths, err := input.Change(j, a.now(), name, value)
		if err != nil {
			return nil, nil, err
		}
		fields = append(fields, paths...)
	}
	for _, name := range unset {
		paths, err := input.ChangePaths(name)
		if err != nil {
			return nil, nil, err
		}
		fields = append(fields, paths...)
	}
	if len(fields) == 0 {
		return nil, nil, job.Errorf(job.Invalid, "nothing to change: give --set FIELD=VALUE or --unset FIELD")
	}
	return j, fields, nil
}
