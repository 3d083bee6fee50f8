package cli

import (
	"context"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/muster-queue/muster/cli/output"
	"github.com/muster-queue/muster/job"
)

func noticeDeadCmd(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use: "dead", Short: "See, retry and remove deliveries that were given up",
		Long: `Dead is about deliveries that nobody took for a day, or as long as the notice says.
They are kept, 10,000 of each notice, until they are tried again or removed.`,
		Args: noArgs,
	}
	cmd.AddCommand(deadListCmd(a), deadRetryCmd(a), deadRmCmd(a))
	return cmd
}

func deadListCmd(a *app) *cobra.Command {
	var waiting bool
	cmd := &cobra.Command{
		Use: "list [NOTICE]", Aliases: []string{"ls"}, Short: "List what was given up, or is yet to be delivered",
		Example: `  muster notice dead list
  muster notice dead list done --waiting`,
		Args: cobra.MaximumNArgs(1),
		RunE: a.with(needData, func(ctx context.Context, l *link, args []string) error {
			list, err := a.listing(output.Column{Name: "id", Stretch: true}, output.Column{Name: "notice"}, output.Column{Name: "event"}, output.Column{Name: "at"},
				output.Column{Name: "tries", Right: true}, output.Column{Name: "error", Stretch: true},
				output.Column{Name: "next", Detail: true}, output.Column{Name: "body", Detail: true})
			if err != nil {
				return err
			}
			n := 0
			for d, err := range l.Deliveries(ctx, append(args, "")[0], !waiting) {
				if err != nil {
					return err
				}
				n++
				if err := list.Row(d.ID, d.Notice, d.Event, d.At, d.Tries, d.Error, d.Next, d.Body); err != nil {
					return err
				}
			}
			if n == 0 && a.table() {
				a.say("There are none.")
			}
			return list.Close()
		}),
	}
	cmd.Flags().BoolVar(&waiting, "waiting", false, "what is yet to be delivered instead")
	a.formatFlag(cmd, "")
	return cmd
}

// deadFlags say which deliveries are meant.
type deadFlags struct {
	notice string
	all    bool
}

func (f *deadFlags) add(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.notice, "notice", "", "all those of this `NOTICE`")
	cmd.Flags().BoolVar(&f.all, "all", false, "all of all notices")
}

func (f *deadFlags) check(ids []string) error {
	if len(ids) == 0 && f.notice == "" && !f.all {
		return job.Errorf(job.Invalid, "say which: ids, --notice NOTICE or --all")
	}
	return nil
}

func deadRetryCmd(a *app) *cobra.Command {
	var f deadFlags
	cmd := &cobra.Command{
		Use: "retry [ID...]", Short: "Try again what was given up",
		Example: `  muster notice dead retry --notice done`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := f.check(args); err != nil {
				return err
			}
			return a.with(needStore, func(ctx context.Context, l *link, args []string) error {
				n, err := l.RetryDeliveries(ctx, f.notice, args...)
				if err == nil {
					a.say("%s tried again.", deliveries(n))
				}
				return err
			})(cmd, args)
		},
	}
	f.add(cmd)
	return cmd
}

func deadRmCmd(a *app) *cobra.Command {
	var f deadFlags
	cmd := &cobra.Command{
		Use: "rm [ID...]", Aliases: []string{"remove"}, Short: "Forget what was given up",
		Example: `  muster notice dead rm --all`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := f.check(args); err != nil {
				return err
			}
			return a.with(needStore, func(ctx context.Context, l *link, args []string) error {
				n, err := l.RemoveDeliveries(ctx, f.notice, args...)
				if err == nil {
					a.say("%s forgotten.", deliveries(n))
				}
				return err
			})(cmd, args)
		},
	}
	f.add(cmd)
	return cmd
}

func deliveries(n int64) string {
	if n == 1 {
		return "1 delivery is"
	}
	return strconv.FormatInt(n, 10) + " deliveries are"
}
