package cli

import (
	"github.com/spf13/cobra"

	"github.com/muster-queue/muster/server"
	"github.com/muster-queue/muster/store/pebble"
)

func restoreCmd(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "restore DIR",
		Short: "Make the data directory from a copy that backup made",
		Long: `Restore makes the store of the data directory (--data) from a backup. It never
overwrites one: move a damaged store away first. No server may run there.`,
		Example: `  mv ~/.local/state/muster/store ~/damaged-store
  muster restore /backup/muster`,
		Args: oneArg("the directory with the copy"),
		RunE: func(cmd *cobra.Command, args []string) error {
			dir := server.Layout{Dir: dataDir()}.Store()
			if err := pebble.Restore(cmd.Context(), a.path(args[0]), dir); err != nil {
				return err
			}
			a.say("Restored to %s. Attempts that ran when the copy was made are not known to it: their jobs run again.", dir)
			return nil
		},
	}
}
