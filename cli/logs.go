package cli

import (
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/muster-queue/muster/cli/output"
	"github.com/muster-queue/muster/client"
	"github.com/muster-queue/muster/job"
)

func logsCmd(a *app) *cobra.Command {
	var o client.LogOptions
	var queue string
	var onlyOut, onlyErr bool
	cmd := &cobra.Command{
		Use:   "logs KEY",
		Short: "Show the output of a job",
		Long: `Logs shows what is kept of the output of a job's last attempt: the first and the
last 4 KiB of each stream when nothing else was asked for (see keep and spool in
docs/input.md). With --follow it goes on until the attempt ends. The job's stdout
comes on stdout and its stderr on stderr.`,
		Example: `  muster logs 3f2a9c01d7e4
  muster logs --follow 3f2a9c01d7e4
  muster logs --attempt 1 --stderr 3f2a9c01d7e4`,
		Args: oneArg("the key of the job; \"muster status -l\" lists them"),
		RunE: a.with(needData, func(ctx context.Context, l *link, args []string) error {
			if o.Stream = ""; onlyOut {
				o.Stream = "stdout"
			} else if onlyErr {
				o.Stream = "stderr"
			}
			ref, err := resolve(ctx, l, queue, args[0])
			if err != nil {
				return err
			}
			return a.logs(ctx, l, ref, o)
		}),
	}
	f := cmd.Flags()
	f.BoolVarP(&o.Follow, "follow", "f", false, "go on until the attempt ends")
	f.Uint32Var(&o.Attempt, "attempt", 0, "the attempt with this `NUMBER` instead of the last")
	f.Int64Var(&o.Tail, "tail", 0, "only about this many `BYTES` at the end")
	f.BoolVar(&onlyOut, "stdout", false, "only stdout")
	f.BoolVar(&onlyErr, "stderr", false, "only stderr")
	f.StringVarP(&queue, "queue", "q", "", "the job's `QUEUE`")
	cmd.MarkFlagsMutuallyExclusive("stdout", "stderr")
	return cmd
}

func (a *app) logs(ctx context.Context, l *link, ref client.Ref, o client.LogOptions) error {
	some := false
	for chunk, err := range l.Logs(ctx, ref, o) {
		if err != nil {
			return err
		}
		some = some || len(chunk.Data) > 0
		if err := a.chunk(chunk); err != nil {
			return job.Errorf(job.Internal, "show the output: %w", err)
		}
	}
	if !some {
		a.say("The job has written nothing; \"muster status KEY\" tells what else is known of it.")
	}
	return nil
}

// chunk writes a piece of output as it is, but makes it harmless for a terminal.
func (a *app) chunk(c client.LogChunk) error {
	to := a.out
	if c.Stream == "stderr" {
		to = a.err
	}
	if c.Omitted > 0 {
		fmt.Fprintf(a.err, "[... %d bytes are left out ...]\n", c.Omitted)
	}
	if to.Terminal {
		_, err := io.WriteString(to, output.CleanLines(string(c.Data)))
		return err
	}
	_, err := to.Write(c.Data)
	return err
}

// oneArg asks for exactly one argument and says what it is.
func oneArg(what string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) != 1 {
			return job.Errorf(job.Invalid, "%s needs one argument: %s", cmd.CommandPath(), what)
		}
		return nil
	}
}
