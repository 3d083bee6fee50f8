package cli

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/muster-queue/muster/cli/output"
	"github.com/muster-queue/muster/client"
	"github.com/muster-queue/muster/job"
)

func queueCmd(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "queue",
		Aliases: []string{"queues"},
		Short:   "List queues, make them, change how their jobs are scheduled",
		Long: `A queue is a family of jobs with settings of its own: which goes first, how many
run at once, how often a failed job is tried. Jobs that name none are in the
queue "default". A queue is made when it is set, or when the first job names it.`,
		Args: noArgs,
	}
	cmd.AddCommand(queueListCmd(a), queueShowCmd(a), queueSetCmd(a), queueLoadCmd(a), queueRmCmd(a), queuePruneCmd(a),
		queueSwitchCmd(a, "pause", "Start no more jobs of a queue; running ones go on", "paused", (*link).pauseQueue),
		queueSwitchCmd(a, "resume", "Start jobs of a paused queue again", "resumed", (*link).resumeQueue))
	return cmd
}

func (l *link) pauseQueue(ctx context.Context, name string) error {
	_, err := l.PauseQueue(ctx, name)
	return err
}

func (l *link) resumeQueue(ctx context.Context, name string) error {
	_, err := l.ResumeQueue(ctx, name)
	return err
}

const queueArg = "the name of the queue"

func queueListCmd(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use: "list", Aliases: []string{"ls"}, Short: "List the queues with the numbers of their jobs",
		Example: `  muster queue list
  muster queue list -o json`,
		Args: noArgs,
		RunE: a.with(needData, func(ctx context.Context, l *link, _ []string) error {
			var sum job.Counts
			var queues []*client.QueueInfo
			for q, err := range l.Queues(ctx) {
				if err != nil {
					return err
				}
				sum.Add(&q.Counts)
				queues = append(queues, q)
			}
			return a.listQueues(queues, &sum)
		}),
	}
	a.formatFlag(cmd, "")
	return cmd
}

func (a *app) listQueues(queues []*client.QueueInfo, sum *job.Counts) error {
	t, err := a.newCounts("queue", sum, output.Column{Name: "priority", Right: true}, output.Column{Name: "max_running", Right: true},
		output.Column{Name: "paused"}, output.Column{Name: "weight", Detail: true})
	if err != nil {
		return err
	}
	for _, q := range queues {
		if err := t.row(q.Name, &q.Counts, q.Priority, unless(q.MaxRunning, 0), unless(q.Paused, false), q.Weight); err != nil {
			return err
		}
	}
	return t.Close()
}

// unless is nothing for a value that says nothing.
func unless[T comparable](v, nothing T) any {
	if v == nothing {
		return nil
	}
	return v
}

func queueShowCmd(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use: "show QUEUE", Short: "Show the settings of a queue",
		Example: `  muster queue show nightly`,
		Args:    oneArg(queueArg),
		RunE: a.with(needData, func(ctx context.Context, l *link, args []string) error {
			q, err := l.Queue(ctx, args[0])
			if err != nil {
				return err
			}
			return a.showQueue(q)
		}),
	}
	a.formatFlag(cmd, "")
	return cmd
}

func (a *app) showQueue(q *client.QueueInfo) error {
	list, err := a.listing(output.Column{Name: "setting"}, output.Column{Name: "value", Stretch: true}, output.Column{Name: "default", Detail: true})
	if err != nil {
		return err
	}
	for i := range queueSettings {
		s := &queueSettings[i]
		value := s.get(&q.Queue)
		if _, is := value.(definition); is && a.table() {
			continue // it is too much for a cell
		}
		usual, isDefault := queueDefault(s.name, &q.Queue, value)
		switch {
		case isDefault && a.table():
			value = output.Human(usual) + " (default)"
		case isDefault:
			value = usual
		}
		if err := list.Row(s.name, value, isDefault); err != nil {
			return err
		}
	}
	if err := list.Row("jobs", q.Counts.Total(), false); err != nil {
		return err
	}
	if err := list.Close(); err != nil || !a.table() {
		return err
	}
	page{a}.data("definition", q.Definition)
	return nil
}

func queueRmCmd(a *app) *cobra.Command {
	var force bool
	cmd := &cobra.Command{
		Use: "rm QUEUE", Aliases: []string{"remove"}, Short: "Remove a queue; one that has jobs only with --force, which removes them too",
		Example: `  muster queue rm nightly
  muster queue rm --force nightly`,
		Args: oneArg(queueArg),
		RunE: a.with(needData, func(ctx context.Context, l *link, args []string) error {
			n, err := l.DeleteQueue(ctx, args[0], force)
			if err != nil {
				return err
			}
			a.say("Queue %s is removed, with %s.", args[0], plural(n, "job"))
			return nil
		}),
	}
	cmd.Flags().BoolVar(&force, "force", false, "its jobs too, running ones included")
	return cmd
}

func queueSwitchCmd(a *app, use, short, done string, do func(*link, context.Context, string) error) *cobra.Command {
	return &cobra.Command{
		Use: use + " QUEUE", Short: short,
		Example: "  muster queue " + use + " nightly",
		Args:    oneArg(queueArg),
		RunE: a.with(needData, func(ctx context.Context, l *link, args []string) error {
			if err := do(l, ctx, args[0]); err != nil {
				return err
			}
			a.say("Queue %s is %s.", args[0], done)
			return nil
		}),
	}
}

// noArgs refuses arguments.
func noArgs(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	if cmd.HasSubCommands() {
		return job.Errorf(job.Invalid, "%s has no command %q; see \"%[1]s --help\"", cmd.CommandPath(), args[0])
	}
	return job.Errorf(job.Invalid, "%s takes no argument, not %q; see \"%[1]s --help\"", cmd.CommandPath(), args[0])
}
