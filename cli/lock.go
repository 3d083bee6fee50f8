package cli

import (
	"cmp"
	"context"
	"os"
	"os/user"
	"time"

	"github.com/spf13/cobra"

	"github.com/muster-queue/muster/cli/input"
	"github.com/muster-queue/muster/cli/output"
	"github.com/muster-queue/muster/job"
	"github.com/muster-queue/muster/lock"
)

func lockCmd(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "lock",
		Aliases: []string{"locks"},
		Short:   "Run a command under a lock, take and release locks, clear stale ones",
		Long: `A lock is a name that one owner at a time holds, for as long as the lease lasts
unless it is renewed. Names are paths, "backup/db1": whoever holds one keeps
everybody from what is above it and below it. Locks outlive the server.`,
		Args: noArgs,
	}
	cmd.AddCommand(lockRunCmd(a), lockAcquireCmd(a), lockReleaseCmd(a), lockListCmd(a), lockRmCmd(a))
	return cmd
}

// lockFlags say who takes which locks for how long.
type lockFlags struct {
	app                *app
	owner, lease, wait string
	paths              []lock.Path
	leaseTime          time.Duration
	waitTime           time.Duration // negative: as long as it takes
}

func (f *lockFlags) ownerFlag(cmd *cobra.Command, otherwise string) {
	cmd.Flags().StringVar(&f.owner, "owner", "", "the `NAME` that holds the locks (default: "+otherwise+")")
}

func (f *lockFlags) timeFlags(cmd *cobra.Command, lease string) {
	cmd.Flags().StringVar(&f.lease, "lease", lease, "how long `TIME` they are held unless renewed")
	cmd.Flags().StringVar(&f.wait, "wait", "", "wait at most `TIME` for locks that others hold; 0 is not at all (default: as long as it takes)")
}

// read reads the paths and the flags.
func (f *lockFlags) read(paths []string) (err error) {
	if len(paths) == 0 {
		return job.Errorf(job.Invalid, "name what to lock, e.g. backup/db1")
	}
	if f.paths, err = lockPaths(paths); err != nil {
		return err
	}
	if f.leaseTime, err = timeFlag("lease", f.lease, 0); err != nil {
		return err
	}
	f.waitTime, err = timeFlag("wait", f.wait, -1)
	return err
}

func timeFlag(name, text string, otherwise time.Duration) (time.Duration, error) {
	if text == "" {
		return otherwise, nil
	}
	if text == "0" {
		return 0, nil
	}
	d, err := input.ParseTime(text)
	return d, job.Wrap(err, "", "--"+name)
}

func lockPaths(texts []string) ([]lock.Path, error) {
	paths := make([]lock.Path, len(texts))
	for i, text := range texts {
		var err error
		if paths[i], err = lock.Parse(text); err != nil {
			return nil, err
		}
	}
	return paths, nil
}

// userName is who calls; empty if the system does not know.
func userName() string {
	u, err := user.Current()
	if err != nil {
		return ""
	}
	return u.Username
}

// me is the owner of locks that are taken without a name.
func me() string {
	name, host := orElse(userName(), "somebody"), "localhost"
	if h, err := os.Hostname(); err == nil {
		host = h
	}
	return name + "@" + host
}

func lockAcquireCmd(a *app) *cobra.Command {
	f := &lockFlags{app: a}
	cmd := &cobra.Command{
		Use: "acquire PATH...", Short: "Take locks: all of the paths, or none",
		Long: `Acquire takes locks and ends; nobody renews them. They are held until release,
or the end of the lease. "muster lock run" is simpler where one command is all
that needs them.`,
		Example: `  muster lock acquire --lease 1h deploy/web
  muster lock acquire --wait 0 --owner nightly backup/db1 backup/db2`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := f.read(args); err != nil {
				return err
			}
			return a.with(needStore, f.acquire)(cmd, args)
		},
	}
	f.ownerFlag(cmd, "USER@HOST")
	f.timeFlags(cmd, "1h")
	return cmd
}

func (f *lockFlags) acquire(ctx context.Context, l *link, _ []string) error {
	owner := cmp.Or(f.owner, me())
	if err := l.Lock(ctx, owner, f.paths, f.leaseTime, f.waitTime); err != nil {
		return err
	}
	f.app.say("%s holds %s for %s.", owner, plural(int64(len(f.paths)), "lock"), output.Short(f.leaseTime))
	return nil
}

func lockReleaseCmd(a *app) *cobra.Command {
	f := &lockFlags{app: a}
	cmd := &cobra.Command{
		Use: "release PATH...", Short: "Release locks that one holds",
		Example: `  muster lock release deploy/web
  muster lock release --owner nightly backup/db1 backup/db2`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := f.read(args); err != nil {
				return err
			}
			return a.with(needData, func(ctx context.Context, l *link, _ []string) error {
				return l.Unlock(ctx, cmp.Or(f.owner, me()), f.paths)
			})(cmd, args)
		},
	}
	f.ownerFlag(cmd, "USER@HOST")
	return cmd
}

func lockListCmd(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use: "list [PATH]", Aliases: []string{"ls"}, Short: "List the locks that are held, or those on a path and below it",
		Example: `  muster lock list
  muster lock list backup -o json`,
		Args: cobra.MaximumNArgs(1),
		RunE: a.with(needData, func(ctx context.Context, l *link, args []string) error {
			paths, err := lockPaths(args)
			if err != nil {
				return err
			}
			return a.listLocks(ctx, l, append(paths, "")[0])
		}),
	}
	a.formatFlag(cmd, "")
	return cmd
}

func (a *app) listLocks(ctx context.Context, l *link, under lock.Path) error {
	list, err := a.listing(output.Column{Name: "path", Stretch: true}, output.Column{Name: "owner", Stretch: true},
		output.Column{Name: "since", Right: true}, output.Column{Name: "until", Right: true}, output.Column{Name: "lease", Right: true, Detail: true})
	if err != nil {
		return err
	}
	n := 0
	for h, err := range l.Locks(ctx, under) {
		if err != nil {
			return err
		}
		n++
		since, until := any(h.Since.Std()), any(h.Until.Std())
		if a.table() {
			since = output.Short(a.now().Sub(h.Since.Std())) + " ago"
			until = "in " + output.Short(h.Until.Std().Sub(a.now()))
		}
		if err := list.Row(h.Path.String(), h.Owner, since, until, h.Lease); err != nil {
			return err
		}
	}
	if n == 0 && a.table() {
		a.say("No locks are held.")
	}
	return list.Close()
}

func lockRmCmd(a *app) *cobra.Command {
	var below bool
	cmd := &cobra.Command{
		Use: "rm PATH...", Aliases: []string{"remove"}, Short: "Release locks whoever holds them, such as stale ones",
		Long: `Rm takes locks away from their owners. Who still works under one is told when it
renews it; "muster lock run" then ends its command.`,
		Example: `  muster lock rm deploy/web
  muster lock rm --below backup`,
		Args: cobra.MinimumNArgs(1),
		RunE: a.with(needData, func(ctx context.Context, l *link, args []string) error {
			paths, err := lockPaths(args)
			if err != nil {
				return err
			}
			n, err := l.DeleteLocks(ctx, paths, below)
			if err != nil {
				return err
			}
			if n == 0 {
				return job.Errorf(job.NotFound, "no such lock is held; \"muster lock list\" shows those that are")
			}
			a.say("%s released.", plural(n, "lock"))
			return nil
		}),
	}
	cmd.Flags().BoolVar(&below, "below", false, "also those below the paths")
	return cmd
}
