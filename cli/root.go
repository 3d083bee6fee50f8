package cli

import (
	"github.com/spf13/cobra"

	"github.com/muster-queue/muster/job"
)

// The groups that the help shows commands in.
const (
	groupJobs   = "jobs"
	groupSteer  = "steer"
	groupServer = "server"
)

func newRoot(a *app) *cobra.Command {
	root := &cobra.Command{
		Use:   "muster",
		Short: "A durable queue for commands: a file of them goes in, every one completes",
		Long: `muster runs commands: millions of them, from many people, on this machine or on
many, losing none and running none twice at the same time.

  muster run -f jobs.txt     runs the commands of a file, one a line, and waits
  muster status              shows how things stand

Nothing needs to be installed or started for that. "muster server" runs in the
background for work that goes on when you log out; all other commands use it
when it is there. The documentation is in docs/ of the project.`,
		Version:       a.Version,
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	root.SetIn(a.Stdin)
	root.SetOut(a.out)
	root.SetErr(a.err)
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return job.Errorf(job.Invalid, "%w; see %q", err, cmd.CommandPath()+" --help")
	})
	root.AddGroup(
		&cobra.Group{ID: groupJobs, Title: "Jobs:"},
		&cobra.Group{ID: groupSteer, Title: "Queues and access:"},
		&cobra.Group{ID: groupServer, Title: "Servers and machines:"},
	)
	root.CompletionOptions.HiddenDefaultCmd = false
	root.SetHelpCommandGroupID(groupServer)
	root.SetCompletionCommandGroupID(groupServer)
	a.globalFlags(root)
	for _, group := range []struct {
		id    string
		makes []func(*app) *cobra.Command
	}{
		{groupJobs, []func(*app) *cobra.Command{runCmd, addCmd, statusCmd, waitCmd, logsCmd, kickCmd, cancelCmd, rmCmd, modCmd, summaryCmd, exportCmd}},
		{groupSteer, []func(*app) *cobra.Command{queueCmd, kindCmd, poolCmd, lockCmd, accountCmd, limitCmd, quotaCmd, eventsCmd, simulateCmd, namespaceCmd, workerCmd, tokenCmd, secretCmd, emulateCmd, pauseCmd, resumeCmd}},
		{groupSteer, []func(*app) *cobra.Command{cronCmd, noticeCmd}},
		{groupServer, []func(*app) *cobra.Command{serverCmd, coordinatedCmd, agentCmd, infoCmd, drainCmd, stopCmd, backupCmd, restoreCmd, benchCmd, versionCmd}},
	} {
		for _, make := range group.makes {
			c := make(a)
			c.GroupID = group.id
			root.AddCommand(c)
		}
	}
	for _, m := range emulatedCommands() {
		root.AddCommand(m.command(a))
	}
	return root
}

// globalFlags are those of every command.
func (a *app) globalFlags(root *cobra.Command) {
	f := root.PersistentFlags()
	f.SortFlags = false
	f.String("server", "", "the server's `ADDRESS`, HOST:PORT (MUSTER_SERVER); needs a token")
	f.String("data", "", "the data `DIR`ectory, where the local server is found (MUSTER_DATA)")
	f.String("token-file", "", "the `FILE` with the token for --server (MUSTER_TOKEN_FILE)")
	f.String("ca", "", "the `FILE` with the authority that --server's certificate is from (MUSTER_CA)")
	f.StringVarP(&a.namespace, "namespace", "n", "", "the `NAMESPACE` to work in (MUSTER_NAMESPACE; default \"default\")")
	root.PersistentPreRunE = func(cmd *cobra.Command, _ []string) error { return a.settle(cmd) }
}
