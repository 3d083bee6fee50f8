package cli

import (
	"context"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/muster-queue/muster/cli/input"
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
	cmd.AddCommand(queueListCmd(a), queueShowCmd(a), queueSetCmd(a), queueRmCmd(a),
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
	return list.Close()
}

// queueDefaults are what holds where a queue says nothing.
var queueDefaults = map[string]any{
	"weight": int64(job.DefaultWeight), "retries": job.DefaultRetries, "losses": job.DefaultLosses,
	"backoff": job.DefaultBackoff.Base, "lease": job.DefaultLease,
}

// queueDefault is what a setting that is not set means. In a queue with a definition
// attempts alone are counted, so that the other budgets have no default.
func queueDefault(name string, q *job.Queue, value any) (any, bool) {
	usual, known := queueDefaults[name]
	if !known || value != nil && value != any(int64(0)) || len(q.Definition) > 0 && name != "weight" && name != "lease" {
		return nil, false
	}
	return usual, true
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

func queueSetCmd(a *app) *cobra.Command {
	values := map[string]*string{}
	var set []*queueSetting
	cmd := &cobra.Command{
		Use: "set QUEUE", Short: "Make a queue, or change settings of one",
		Example: `  muster queue set nightly --priority -5 --max-running 2
  muster queue set flaky --retries 10 --backoff 1m
  muster queue set careful --on-lost hold --lease 30m`,
		Args: oneArg(queueArg),
	}
	for i := range queueSettings {
		s := &queueSettings[i]
		if s.set != nil {
			values[s.name] = cmd.Flags().String(strings.ReplaceAll(s.name, "_", "-"), "", s.help)
		}
	}
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		q := &job.Queue{Name: args[0]}
		for i := range queueSettings {
			s := &queueSettings[i]
			name := strings.ReplaceAll(s.name, "_", "-")
			if s.set == nil || !cmd.Flags().Changed(name) {
				continue
			}
			if err := s.set(q, *values[s.name]); err != nil {
				return job.Wrap(err, "", "--"+name)
			}
			set = append(set, s)
		}
		return a.with(needStore, func(ctx context.Context, l *link, _ []string) error { return a.setQueue(ctx, l, q, set) })(cmd, args)
	}
	return cmd
}

func (a *app) setQueue(ctx context.Context, l *link, q *job.Queue, set []*queueSetting) error {
	var fields []string
	for _, s := range set {
		fields = append(fields, s.name)
	}
	_, err := l.Queue(ctx, q.Name)
	made := job.IsKind(err, job.NotFound)
	if err != nil && !made {
		return err
	}
	if len(fields) == 0 && !made {
		return job.Errorf(job.Invalid, "queue %s is there; say what to change, e.g. --priority 5", q.Name)
	}
	if made {
		fields = nil // all of it
	}
	if _, err := l.SetQueue(ctx, q, fields...); err != nil {
		return err
	}
	verb := "changed"
	if made {
		verb = "made"
	}
	a.say("Queue %s is %s.", q.Name, verb)
	return nil
}

// queueSetting is a setting of a queue: how it is read and shown.
type queueSetting struct {
	name, help string
	set        func(q *job.Queue, text string) error
	get        func(q *job.Queue) any
}

var queueSettings = []queueSetting{
	{"priority", "`N`: queues with a larger one go first", whole(func(q *job.Queue) *int64 { return &q.Priority }), func(q *job.Queue) any { return q.Priority }},
	{"weight", "`N`: the share among queues of equal priority", whole(func(q *job.Queue) *int64 { return &q.Weight }), func(q *job.Queue) any { return q.Weight }},
	{"max_running", "at most `N` of its jobs run at once; 0 is no limit", whole(func(q *job.Queue) *int64 { return &q.MaxRunning }), func(q *job.Queue) any { return q.MaxRunning }},
	{"max_per_request", "at most `N` jobs for one request of a pulling worker; 0 is no limit", whole(func(q *job.Queue) *int64 { return &q.MaxPerRequest }), func(q *job.Queue) any { return q.MaxPerRequest }},
	{"max_attempts", "a job is tried at most `N` times, whatever happens; 0 is no limit", whole(func(q *job.Queue) *int64 { return &q.MaxAttempts }), func(q *job.Queue) any { return q.MaxAttempts }},
	{"retries", "a failed job is tried again `N` times", optional(func(q *job.Queue) **int { return &q.Retries }), func(q *job.Queue) any { return orNil(q.Retries) }},
	{"losses", "a job is lost at most `N` times before it counts as failed", optional(func(q *job.Queue) **int { return &q.Losses }), func(q *job.Queue) any { return orNil(q.Losses) }},
	{"backoff", "the pause `TIME` before a failed job is tried again, e.g. 1m", setBackoff, getBackoff},
	{"lease", "how long `TIME` a machine may be silent before its jobs go to another, e.g. 5m", setLease, func(q *job.Queue) any { return unless(q.Lease, 0) }},
	{"order", "order among equal priorities: `fifo` or key", setOrder, func(q *job.Queue) any { return orders[q.Order] }},
	{"on_lost", "what follows when a machine is gone for good: `rerun` or hold", setOnLost, func(q *job.Queue) any { return lostPolicies[q.OnLost] }},
	{"paused", "", nil, func(q *job.Queue) any { return q.Paused }},
	{"runtime", "", nil, func(q *job.Queue) any { return q.Runtime }},
}

var (
	orders       = []string{"fifo", "key"}
	lostPolicies = []string{"rerun", "hold"}
)

func whole(at func(*job.Queue) *int64) func(*job.Queue, string) error {
	return func(q *job.Queue, text string) (err error) {
		*at(q), err = input.ParseWhole(text)
		return err
	}
}

func optional(at func(*job.Queue) **int) func(*job.Queue, string) error {
	return func(q *job.Queue, text string) error {
		n, err := input.ParseWhole(text)
		v := int(n)
		*at(q) = &v
		return err
	}
}

func orNil(p *int) any {
	if p == nil {
		return nil
	}
	return *p
}

func setLease(q *job.Queue, text string) (err error) {
	q.Lease, err = input.ParseTime(text)
	return err
}

func setBackoff(q *job.Queue, text string) error {
	d, err := input.ParseTime(text)
	q.Backoff = &job.Backoff{Base: d, Cap: d}
	return err
}

func getBackoff(q *job.Queue) any {
	if q.Backoff == nil {
		return nil
	}
	return q.Backoff.Base
}

func setOrder(q *job.Queue, text string) error {
	n, err := wordOf(orders, text)
	q.Order = job.Order(n)
	return err
}

func setOnLost(q *job.Queue, text string) error {
	n, err := wordOf(lostPolicies, text)
	q.OnLost = job.OnLost(n)
	return err
}

func wordOf(words []string, text string) (int, error) {
	if n := slices.Index(words, text); n >= 0 {
		return n, nil
	}
	return 0, job.Errorf(job.Invalid, "%q is none of %s", text, strings.Join(words, ", "))
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
