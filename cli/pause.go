package cli

import (
	"context"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/muster-queue/muster/cli/input"
	"github.com/muster-queue/muster/cli/output"
	"github.com/muster-queue/muster/client"
	"github.com/muster-queue/muster/job"
	"github.com/muster-queue/muster/server"
)

func pauseCmd(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "pause",
		Short: "Start no more jobs until resume; running ones go on",
		Long: `Pause lets no job of the namespace start before "muster resume", also when the
server is restarted. Running jobs go on. "muster queue pause" pauses one queue.`,
		Example: `  muster pause`,
		Args:    noArgs,
		RunE: a.with(needData, func(ctx context.Context, l *link, _ []string) error {
			n, err := l.Pause(ctx, l.Name())
			if err != nil {
				return err
			}
			a.say("Paused; %s still running. \"muster resume\" goes on.", isAre(n))
			return nil
		}),
	}
}

func isAre(n int64) string {
	switch n {
	case 0:
		return "no job is"
	case 1:
		return "1 job is"
	}
	return plural(n, "job") + " are"
}

func resumeCmd(a *app) *cobra.Command {
	return &cobra.Command{
		Use:     "resume",
		Short:   "Start jobs again after a pause or a drain",
		Example: `  muster resume`,
		Args:    noArgs,
		RunE: a.with(needData, func(ctx context.Context, l *link, _ []string) error {
			if err := l.Resume(ctx, l.Name()); err != nil {
				return err
			}
			a.say("Resumed.")
			return nil
		}),
	}
}

func drainCmd(a *app) *cobra.Command {
	var stop bool
	cmd := &cobra.Command{
		Use:   "drain",
		Short: "Start no more jobs and say when the running ones should have ended",
		Long: `Drain gives out no more jobs. It may be repeated to see how far it is. With
--stop the server stops when the last running job has ended.`,
		Example: `  muster drain
  muster drain --stop`,
		Args: noArgs,
		RunE: a.with(needServer, func(ctx context.Context, l *link, _ []string) error {
			n, left, err := l.Drain(ctx, a.namespace, stop)
			if err != nil {
				return err
			}
			end := ""
			if left > 0 {
				end = "; the slowest should end in " + output.Short(left)
			}
			then := "\"muster resume\" takes it back."
			if stop {
				then = "The server stops when none is; \"muster resume\" takes that back."
				if n == 0 {
					then = "The server stops."
				}
			}
			a.say("Draining: %s still running%s. %s", isAre(n), end, then)
			return nil
		}),
	}
	cmd.Flags().BoolVar(&stop, "stop", false, "stop the server when the last job has ended")
	return cmd
}

func stopCmd(a *app) *cobra.Command {
	var hold string
	cmd := &cobra.Command{
		Use:   "stop",
		Short: "Stop the server; jobs on agents go on running",
		Long: `Stop ends the server, and waits until it has ended. Jobs on agents go on and report to the next server on the
same data directory, for as long as --hold says. Those of the server's own agent
end with it and run again later. "muster drain --stop" waits for all of them.`,
		Example: `  muster stop
  muster stop --hold 3d`,
		Args: noArgs,
		RunE: a.with(needServer, func(ctx context.Context, l *link, _ []string) error {
			var d time.Duration
			if hold != "" {
				var err error
				if d, err = input.ParseTime(hold); err != nil {
					return err
				}
			}
			n, err := l.Shutdown(ctx, d)
			if err != nil {
				return err
			}
			a.say("The server at %s stops; %s running.", l.Address(), isAre(n))
			return a.awaitStop(ctx)
		}),
	}
	cmd.Flags().StringVar(&hold, "hold", "", "how long `TIME` agents may go on without a server; 24h when not given")
	return cmd
}

// Bounds of waiting for a server that stops: it may have a backup to complete.
const (
	stopTime  = 2 * time.Minute
	stopQuiet = 3 * time.Second
)

// awaitStop waits until the server of the data directory is gone. Of a server
// elsewhere nothing more is heard.
func (a *app) awaitStop(ctx context.Context) error {
	if os.Getenv(client.EnvServer) != "" {
		return nil
	}
	layout := server.Layout{Dir: dataDir()}
	began, told := a.now(), false
	for {
		switch waited := a.now().Sub(began); {
		case layout.Free():
			return nil
		case waited > stopTime:
			return job.Errorf(job.Timeout, "the server still stops after %s; its log says what it waits for", output.Short(stopTime))
		case waited > stopQuiet && !told:
			told = true
			a.say("Waiting until it has ended ...")
		}
		if !pause(ctx, 20*time.Millisecond) {
			return context.Cause(ctx)
		}
	}
}
