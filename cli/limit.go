package cli

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/muster-queue/muster/job"
)

const limitArg = "the name of the limit"

func limitCmd(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "limit",
		Aliases: []string{"limits"},
		Short:   "Say how many jobs of a name run at once, or start in a time, and when",
		Long: `A limit is a name that jobs carry ("muster add --limit NAME"), and how many of
these may run at once ("5"), or may start within any time of some length
("100/minute"), or in which times of the day or between which moments they may
start. A job may carry several, and count more than one against each
("--limit NAME*2"). docs/limits.md has it all.`,
		Args: noArgs,
	}
	cmd.AddCommand(limitSetCmd(a), limitListCmd(a), limitShowCmd(a), limitRmCmd(a))
	return cmd
}

func limitSetCmd(a *app) *cobra.Command {
	var windows []string
	cmd := &cobra.Command{
		Use: "set NAME [AMOUNT] [--window WINDOW]...", Short: "Make a limit, or change it; what is not given stays",
		Long: `Set makes a limit, or changes it, from now on. Nothing that runs is stopped; when
it is lowered, nothing starts until there is room.

AMOUNT is how many may run at once, as 5 (0: none), or how many may start within
any time of some length, as 100/minute, 10/30s or 500/day; "any" is any number,
where only the windows matter.`,
		Example: `  muster limit set irods 5
  muster limit set mail 100/minute
  muster limit set big any --window 22:00-06:00 --window 'sat,sun 00:00-24:00'
  muster limit set move --window 'mon-fri 08:00-18:00 Europe/London'
  muster limit set upgrade 0
  muster limit set migration 3 --window 2030-01-02T08:00:00Z..2030-01-05T00:00:00Z
  muster limit set big --window none`,
		Args: cobra.RangeArgs(1, 2),
		RunE: func(cmd *cobra.Command, args []string) error {
			limit, fields, err := readLimit(args, windows)
			if err != nil {
				return err
			}
			return a.with(needStore, func(ctx context.Context, l *link, _ []string) error {
				set, err := l.SetLimit(ctx, limit, fields...)
				if err != nil {
					return err
				}
				a.say("Limit %s is %s.", set.Name, set.String())
				return nil
			})(cmd, args)
		},
	}
	cmd.Flags().StringArrayVar(&windows, "window", nil, "jobs start only in this `WINDOW`: 22:00-06:00, with days before it and a time zone (else UTC) after it, or MOMENT..MOMENT; may be repeated; none lifts them")
	return cmd
}

// readLimit is the limit that a command line describes, and the fields it gives.
func readLimit(args, windows []string) (*job.Limit, []string, error) {
	limit := &job.Limit{Name: args[0], Max: job.AnyNumber}
	var fields []string
	var err error
	if len(args) > 1 {
		fields = append(fields, "max", "period")
		if limit.Max, limit.Period, err = job.ParseLimitAmount(args[1]); err != nil {
			return nil, nil, err
		}
	}
	if len(windows) > 0 {
		fields = append(fields, "windows")
	}
	for _, text := range windows {
		if len(windows) == 1 && text == "none" {
			continue
		}
		w, err := job.ParseWindow(text)
		if err != nil {
			return nil, nil, job.Wrap(err, "", "--window")
		}
		limit.Windows = append(limit.Windows, w)
	}
	if len(fields) == 0 {
		return nil, nil, job.Errorf(job.Invalid, "say what limit %s is to be, as: muster limit set %[1]s 5", args[0])
	}
	return limit, fields, job.CheckLimitName(limit.Name)
}

func limitRmCmd(a *app) *cobra.Command {
	return &cobra.Command{
		Use: "rm NAME...", Aliases: []string{"remove"}, Short: "Lift limits; what carries them is counted on",
		Example: `  muster limit rm irods`,
		Args:    cobra.MinimumNArgs(1),
		RunE: a.with(needData, func(ctx context.Context, l *link, args []string) error {
			for _, name := range args {
				if err := l.RemoveLimit(ctx, name); err != nil {
					return err
				}
				a.say("Limit %s is lifted.", name)
			}
			return nil
		}),
	}
}
