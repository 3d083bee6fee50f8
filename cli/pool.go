package cli

import (
	"context"
	"time"

	"github.com/spf13/cobra"

	"github.com/muster-queue/muster/cli/output"
	"github.com/muster-queue/muster/client"
	"github.com/muster-queue/muster/job"
)

const poolArg = "the name of the pool"

func poolCmd(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "pool",
		Aliases: []string{"pools"},
		Short:   "Look after the pools of outside dispatchers, for which muster only decides",
		Long: `A pool belongs to a dispatcher that has tasks and workers of its own: it tells the
server about them, and the server decides what runs where, with accounts and
quota of that pool ("muster account --pool POOL"). The dispatcher names the pool
as scheduler_id in the calls of the external scheduler, see docs/dispatch.md.`,
		Args: noArgs,
	}
	cmd.AddCommand(poolCreateCmd(a), poolSetCmd(a), poolListCmd(a), poolInspectCmd(a), poolWipeCmd(a), poolRmCmd(a))
	return cmd
}

// poolFlags are the settings of a pool on the command line.
type poolFlags struct {
	noPreemption bool
	expiry       string
}

func (f *poolFlags) add(cmd *cobra.Command) {
	fs := cmd.Flags()
	fs.SortFlags = false
	fs.BoolVar(&f.noPreemption, "no-preemption", false, "leave running tasks alone: none is stopped for one of a better paid level")
	fs.StringVar(&f.expiry, "worker-expiry", "", "forget an idle worker after `TIME` without news of it (default 5m)")
}

// read is the pool that the flags describe, and the settings that were given.
func (f *poolFlags) read(cmd *cobra.Command, name string) (*client.Pool, []string, error) {
	p := &client.Pool{Name: name, NoPreemption: f.noPreemption}
	var fields []string
	if cmd.Flags().Changed("no-preemption") {
		fields = append(fields, "no_preemption")
	}
	if cmd.Flags().Changed("worker-expiry") {
		fields = append(fields, "worker_expiry")
	}
	var err error
	p.WorkerExpiry, err = timeFlag("worker-expiry", f.expiry, 0)
	return p, fields, err
}

func poolCreateCmd(a *app) *cobra.Command {
	f := &poolFlags{}
	cmd := &cobra.Command{
		Use: "create POOL", Short: "Make a pool",
		Example: `  muster pool create phones
  muster pool create phones --no-preemption --worker-expiry 10m`,
		Args: oneArg(poolArg),
		RunE: func(cmd *cobra.Command, args []string) error {
			p, _, err := f.read(cmd, args[0])
			if err != nil {
				return err
			}
			return a.with(needStore, func(ctx context.Context, l *link, _ []string) error {
				if _, err := l.CreatePool(ctx, p); err != nil {
					return err
				}
				a.say("Pool %s is made; \"muster account add --pool %s ...\" gives it accounts.", p.Name, (&job.Command{Argv: []string{p.Name}}).String())
				return nil
			})(cmd, args)
		},
	}
	f.add(cmd)
	return cmd
}

func poolSetCmd(a *app) *cobra.Command {
	f := &poolFlags{}
	cmd := &cobra.Command{
		Use: "set POOL", Short: "Change settings of a pool",
		Example: `  muster pool set phones --no-preemption
  muster pool set phones --no-preemption=false --worker-expiry 10m`,
		Args: oneArg(poolArg),
		RunE: func(cmd *cobra.Command, args []string) error {
			p, fields, err := f.read(cmd, args[0])
			if err == nil && len(fields) == 0 {
				err = job.Errorf(job.Invalid, "say what to change of pool %s, e.g. --no-preemption", p.Name)
			}
			if err != nil {
				return err
			}
			return a.with(needData, func(ctx context.Context, l *link, _ []string) error {
				if _, err := l.SetPool(ctx, p, fields...); err != nil {
					return err
				}
				a.say("Pool %s is changed.", p.Name)
				return nil
			})(cmd, args)
		},
	}
	f.add(cmd)
	return cmd
}

func poolListCmd(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use: "list", Aliases: []string{"ls"}, Short: "List the pools",
		Example: `  muster pool list`,
		Args:    noArgs,
		RunE: a.with(needData, func(ctx context.Context, l *link, _ []string) error {
			list, err := a.listing(output.Column{Name: "pool", Stretch: true}, output.Column{Name: "no_preemption"},
				output.Column{Name: "worker_expiry", Right: true}, output.Column{Name: "created"})
			if err != nil {
				return err
			}
			for p, err := range l.Pools(ctx) {
				if err != nil {
					return err
				}
				if err := list.Row(p.Name, p.NoPreemption, expiry(p), p.Created); err != nil {
					return err
				}
			}
			return list.Close()
		}),
	}
	a.formatFlag(cmd, "")
	return cmd
}

// expiry is after how long without news an idle worker is forgotten.
func expiry(p *client.Pool) time.Duration {
	if p.WorkerExpiry == 0 {
		return 5 * time.Minute
	}
	return p.WorkerExpiry
}

func poolWipeCmd(a *app) *cobra.Command {
	var yes bool
	cmd := &cobra.Command{
		Use: "wipe --yes POOL", Short: "Forget all tasks and workers of a pool; settings and accounts stay",
		Long: `Wipe forgets all tasks and workers of a pool and what was decided, and takes
everything off its accounts. What runs outside goes on: the dispatcher has to
tell of all its tasks again. Settings and accounts stay.`,
		Example: `  muster pool wipe --yes phones`,
		Args:    oneArg(poolArg),
		RunE: func(cmd *cobra.Command, args []string) error {
			if !yes {
				return job.Errorf(job.Invalid, "this forgets all tasks and workers of pool %s; --yes says that this is meant", args[0])
			}
			return a.with(needData, func(ctx context.Context, l *link, _ []string) error {
				tasks, workers, err := l.WipePool(ctx, args[0])
				if err != nil {
					return err
				}
				a.say("Pool %s is empty; it had %s and %s.", args[0], plural(tasks, "task"), plural(workers, "worker"))
				return nil
			})(cmd, args)
		},
	}
	cmd.Flags().BoolVar(&yes, "yes", false, "do it")
	return cmd
}

func poolRmCmd(a *app) *cobra.Command {
	var force bool
	cmd := &cobra.Command{
		Use: "rm POOL", Aliases: []string{"remove", "delete"}, Short: "Remove a pool with its accounts; one that has tasks only with --force",
		Example: `  muster pool rm phones
  muster pool rm --force phones`,
		Args: oneArg(poolArg),
		RunE: a.with(needData, func(ctx context.Context, l *link, args []string) error {
			tasks, err := l.DeletePool(ctx, args[0], force)
			if err != nil {
				return err
			}
			a.say("Pool %s is removed, with %s.", args[0], plural(tasks, "task"))
			return nil
		}),
	}
	cmd.Flags().BoolVar(&force, "force", false, "also while it has tasks")
	return cmd
}
