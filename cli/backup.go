package cli

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/muster-queue/muster/cli/output"
)

func backupCmd(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "backup DIR",
		Short: "Copy everything the server keeps into a directory, while it runs",
		Long: `Backup writes a consistent copy into a directory of the server's machine. One that
holds an earlier copy is brought up to date, which copies only what is new.
"muster restore" makes a data directory of it; "muster server --backup DIR" keeps
one up to date all the time.`,
		Example: `  muster backup /backup/muster`,
		Args:    oneArg("the directory for the copy"),
		RunE: a.with(needData, func(ctx context.Context, l *link, args []string) error {
			dir := a.path(args[0])
			bytes, took, err := l.Backup(ctx, dir)
			if err != nil {
				return err
			}
			a.say("The copy in %s is complete: %s in %s.", dir, output.Bytes(bytes), output.Short(took))
			return nil
		}),
	}
}
