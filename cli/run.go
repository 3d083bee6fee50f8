package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/muster-queue/muster/cli/output"
	"github.com/muster-queue/muster/client"
	"github.com/muster-queue/muster/job"
)

func runCmd(a *app) *cobra.Command {
	var s *submission
	cmd := &cobra.Command{
		Use:   "run [-f FILE | COMMAND ARGUMENT...]",
		Short: "Run the commands of a file, or one command, and wait for them",
		Long: `Run adds jobs, waits until all of them have ended, and says which failed and why.
It exits with 0 when all are complete, and with 1 when one failed.

The same call again goes on where it was left: what is complete does not run
again, what failed is tried again, and what is new is added. So it is after
Ctrl-C, after a kill, and after a power failure.

Without a server, run brings its own for as long as it takes; with one, it uses
that, and then Ctrl-C stops only the waiting.

A file has a job on each line: a command for the shell, or JSON, or a command, a
TAB and JSON (docs/input.md has the fields). Commands run in the present
directory, as in a shell; --unique-dir gives each an empty one of its own.`,
		Example: `  muster run -f jobs.txt
  muster run -m 2G -t 1h --cpus 2 -f jobs.txt
  ls *.txt | sed 's/.*/gzip -k &/' | muster run -f -
  muster run sort -o sorted.txt big.txt`,
		RunE: a.with(needAgent, func(ctx context.Context, l *link, args []string) error { return s.run(ctx, l, args) }),
	}
	cmd.Flags().SetInterspersed(false)
	s = a.addSubmitFlags(cmd)
	return cmd
}

// run adds the jobs and waits for them.
func (s *submission) run(ctx context.Context, l *link, args []string) error {
	spool, err := newRefSpool()
	if err != nil {
		return err
	}
	defer spool.Close()
	s.ref = spool.add
	sum, err := s.submit(ctx, l, args, true)
	if err != nil {
		return s.stopped(ctx, l, args, err)
	}
	s.tell(sum, args)
	w := waiting{app: s.app, link: l, name: sum.Name, pages: spool.pages, delayed: &client.Filter{Queue: sum.Queue, Group: sum.Group}}
	if spool.count > pageOfRefs {
		w.group = &client.WaitFor{Queue: sum.Queue, Group: sum.Group}
	}
	if err := s.warn(ctx, l, spool.count); err != nil {
		return s.stopped(ctx, l, args, err)
	}
	counts, err := s.wait(ctx, &w)
	if err != nil {
		return s.stopped(ctx, w.link, args, err)
	}
	err = s.app.conclude(counts, func() ([]client.Outcome, error) { return w.failures(ctx) })
	if errors.Is(err, failed) {
		s.app.say("\nThe same call again tries what failed once more.")
	}
	if gone := spool.count - sum.Refused - counts[job.Complete] - counts[job.Buried]; gone > 0 {
		s.app.say("%s before being complete: what failed is removed by its behaviour remove, or somebody deleted it.", wasDeleted(gone))
		err = cmp.Or(err, error(failed))
	}
	if err == nil && sum.Refused+sum.Bad > 0 {
		err = failed
	}
	return err
}

func wasDeleted(n int64) string {
	if n == 1 {
		return "1 job was deleted"
	}
	return fmt.Sprintf("%d jobs were deleted", n)
}

// wait waits for the jobs. When the server was that of another run, which has
// ended, this one goes on with a server of its own.
func (s *submission) wait(ctx context.Context, w *waiting) (job.Counts, error) {
	for {
		counts, err := w.wait(ctx)
		if !job.IsKind(err, job.Unavailable) || !w.link.passing || ctx.Err() != nil {
			return counts, err
		}
		s.app.say("The other \"muster run\", whose server this was, has ended; going on alone.")
		l, err := s.app.connect(ctx, needAgent)
		if err != nil {
			return counts, err
		}
		w.link = l
	}
}

// tell says what was added, when that is not obvious.
func (s *submission) tell(sum *submitted, args []string) {
	if sum.Existed+sum.Kicked+sum.Rerun+sum.Refused+sum.Bad == 0 {
		return
	}
	s.app.say("%s", sum.sentence())
	switch {
	case sum.Existed == 0 || s.duplicates:
	case len(args) > 0 && !s.rerun:
		s.app.say("This command was run here before; --rerun runs it again.")
	case sum.Added.Added > 0:
		s.app.say("Identical commands are one job; --duplicates makes each line a job of its own.")
	}
}

// warn says what else a person should know: what goes first, or that nothing
// will happen.
func (s *submission) warn(ctx context.Context, l *link, own int64) error {
	s.warnOfAccounts(ctx, l)
	if l.passing {
		return nil // it may be without an agent for the moment
	}
	c, err := l.Counts(ctx, "", "")
	if err != nil {
		return err
	}
	if others := c.Live() - c[job.Buried] - own; others > 0 && l.embedded {
		s.app.say("%s in the queue from before.", isAre(others))
	}
	return s.app.serverNotes(ctx, l, &c)
}

// stopped explains an end by Ctrl-C.
func (s *submission) stopped(ctx context.Context, l *link, args []string, err error) error {
	if ctx.Err() == nil {
		return err
	}
	call := "muster run -f " + s.file
	if len(args) > 0 {
		call = "muster run " + (&job.Command{Argv: args}).String()
	}
	if l.embedded {
		s.app.say("Stopped. Nothing is lost: %s goes on from here.", s.app.err.Paint(output.Bold, strings.TrimSpace(call)))
	} else {
		s.app.say("No longer waiting; the server at %s goes on with the jobs. \"muster status\" shows how far they are.", l.Address())
	}
	return exitStatus(job.Cancelled.ExitCode())
}
