package cli

import (
	"context"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/muster-queue/muster/cli/output"
	"github.com/muster-queue/muster/client"
	"github.com/muster-queue/muster/job"
)

func kickCmd(a *app) *cobra.Command {
	return changeCmd(a, "kick", "retry", &cobra.Command{
		Use:     "kick [KEY...]",
		Aliases: []string{"retry"},
		Short:   "Run failed jobs again",
		Long: `Kick makes buried jobs ready again, with a fresh number of retries, and does not
let delayed ones wait any longer.`,
		Example: `  muster kick 3f2a9c01d7e4
  muster kick -f jobs.txt
  muster kick -i align --reason ram
  muster kick --all`,
	}, func(ctx context.Context, l *link, s client.Selection) (client.Change, error) { return l.Kick(ctx, s) })
}

func cancelCmd(a *app) *cobra.Command {
	return changeCmd(a, "cancel", "cancelled", &cobra.Command{
		Use:     "cancel [KEY...]",
		Aliases: []string{"kill"},
		Short:   "Stop jobs, running ones too",
		Long: `Cancel stops running jobs and takes waiting ones out of the queue. They end up
buried, from where kick brings them back and rm removes them. For a lost job it
is your word that the machine it ran on is dead.`,
		Example: `  muster cancel 3f2a9c01d7e4
  muster cancel -i align -r
  muster cancel --all`,
	}, func(ctx context.Context, l *link, s client.Selection) (client.Change, error) { return l.Cancel(ctx, s) })
}

func rmCmd(a *app) *cobra.Command {
	var force, held, awaited bool
	var dependants string
	cmd := changeCmd(a, "remove", "removed", &cobra.Command{
		Use:     "rm [KEY...]",
		Aliases: []string{"remove"},
		Short:   "Remove jobs and all that is known of them",
		Long: `Rm removes jobs with their history. Running ones are only removed with --force,
which stops them. A job that others wait for, by its key or as a member of a
dependency group, is only removed together with them, or if --dependants says
what becomes of them: "delete" removes them too, and whoever waits for them;
"release" lets them go on without it.`,
		Example: `  muster rm 3f2a9c01d7e4
  muster rm -i align --state complete
  muster rm -f jobs.txt -b
  muster rm 3f2a9c01d7e4 --dependants release
  muster rm --all --force`,
	}, func(ctx context.Context, l *link, s client.Selection) (client.Change, error) {
		d, err := job.ParseDependants(dependants)
		if err != nil {
			return client.Change{}, err
		}
		c, err := l.Delete(ctx, s, client.DeleteOptions{Force: force, Dependants: d})
		isAwaited := func(r client.Refusal) bool { return strings.Contains(r.Err.Error(), "wait for it") }
		conflict := func(r client.Refusal) bool { return job.IsKind(r.Err, job.Conflict) && !isAwaited(r) }
		awaited = awaited || slices.ContainsFunc(c.Refusals, isAwaited)
		held = held || c.Skipped > 0 && (len(c.Refusals) == 0 || slices.ContainsFunc(c.Refusals, conflict))
		return c, err
	})
	remove := cmd.RunE
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		err := remove(cmd, args)
		if held && !force {
			a.say("Running jobs are removed only with --force, which stops them.")
		}
		if awaited {
			a.say("What others wait for is removed with --dependants delete, which removes them too, or --dependants release, which lets them go on without it.")
		}
		return err
	}
	cmd.Flags().BoolVar(&force, "force", false, "running jobs too")
	cmd.Flags().StringVar(&dependants, "dependants", "", "what becomes of jobs that wait for them: delete or release")
	return cmd
}

type changeFunc func(ctx context.Context, l *link, s client.Selection) (client.Change, error)

// changeCmd is a command that changes the selected jobs and says how many.
func changeCmd(a *app, verb, done string, cmd *cobra.Command, change changeFunc) *cobra.Command {
	s := a.addSelectionFlags(cmd)
	s.addAllFlag(cmd)
	say := wording{done: done, refused: "not in a state for it"}
	if verb == "kick" {
		say.done = "to run again"
	}
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if err := s.settle(args); err != nil {
			return err
		}
		if err := s.must(verb); err != nil {
			return err
		}
		return a.with(needData, func(ctx context.Context, l *link, _ []string) error {
			return a.change(ctx, l, s, say, change)
		})(cmd, args)
	}
	return cmd
}

// wording is how a change is told; each says that every refusal is, also of jobs that
// were not named.
type wording struct {
	done, refused string
	each          bool
}

func (a *app) change(ctx context.Context, l *link, s *selection, say wording, change changeFunc) error {
	var sum client.Change
	err := s.pages(ctx, l, func(page client.Selection) error {
		c, err := change(ctx, l, page)
		sum.Changed += c.Changed
		sum.Skipped += c.Skipped
		sum.Refusals = append(sum.Refusals, c.Refusals[:min(len(c.Refusals), max(0, shown-len(sum.Refusals)))]...)
		return err
	})
	if err != nil {
		return err
	}
	text := plural(sum.Changed, "job") + " " + say.done
	if sum.Skipped > 0 {
		text += ", " + plural(sum.Skipped, "job") + " " + say.refused
	}
	a.say("%s.", text)
	for _, r := range sum.Refusals {
		if len(s.args) > 0 || say.each {
			a.say("  %s: %v", output.Clean(shortened(r.Job.Key)), r.Err)
		}
	}
	if sum.Changed+sum.Skipped == 0 {
		return s.sayUnknown(ctx, l)
	}
	if (len(s.args) > 0 || say.each) && sum.Changed == 0 {
		return failed
	}
	return nil
}
