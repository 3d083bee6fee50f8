package cli

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/muster-queue/muster/cli/output"
	"github.com/muster-queue/muster/client"
	"github.com/muster-queue/muster/job"
)

// eventFlags say which entries of the logs are shown.
type eventFlags struct {
	app          *app
	filter       client.LogFilter
	pool, queue  string
	since, until string
	limit        int
}

// noPool says that what is about pools is not wanted.
const noPool = "none"

func eventsCmd(a *app) *cobra.Command {
	f := &eventFlags{app: a}
	cmd := &cobra.Command{
		Use: "events", Short: "Show who changed what, and what was decided about the jobs of accounts",
		Long: `Events shows what a namespace remembers, the newest first: changes that people
made of accounts, queues, pools, tokens and the like (--audit shows only these),
and, where there are accounts, which jobs were given to workers, preempted, moved
to another level of quota, or ended. Old entries are deleted; see the flags of
"muster server".`,
		Example: `  muster events
  muster events --audit --since 30d
  muster events --kind preempted --kind reprioritized --account physics
  muster events --task 3f6c0a9d
  muster events --since 1h --limit 0 -o json`,
		Args: noArgs,
		RunE: a.with(needData, func(ctx context.Context, l *link, _ []string) error { return f.show(ctx, l) }),
	}
	f.add(cmd)
	a.formatFlag(cmd, "")
	return cmd
}

func (f *eventFlags) add(cmd *cobra.Command) {
	fl := cmd.Flags()
	fl.StringArrayVar(&f.filter.Kinds, "kind", nil, "only entries of this `KIND`, e.g. preempted; may be given more than once")
	fl.BoolVar(&f.filter.Audit, "audit", false, "only changes that somebody made, not what became of jobs")
	fl.StringVar(&f.filter.Account, "account", "", "only what is about this `ACCOUNT`")
	fl.StringVar(&f.pool, "pool", "", "only what is about this external scheduler's `POOL`; none: only the namespace's own")
	fl.StringVar(&f.filter.Task, "task", "", "only what is about this `TASK`: a job, by its key or id or the beginning of its key, or an external task, by its name")
	fl.StringVarP(&f.queue, "queue", "q", "", "with --task: the `QUEUE` of the job")
	fl.StringVar(&f.filter.Worker, "worker", "", "only what is about this `WORKER`")
	fl.StringVar(&f.filter.Who, "who", "", "only what was changed with this token, by `NAME` as shown")
	fl.StringVar(&f.since, "since", "", "only what happened after this `TIME`, e.g. 7d (ago) or 2030-01-02T15:04:05Z")
	fl.StringVar(&f.until, "until", "", "only what happened before this `TIME`")
	fl.IntVar(&f.limit, "limit", 50, "show at most `N` entries; 0: all")
	_ = cmd.RegisterFlagCompletionFunc("kind", func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		var words []string
		for _, k := range job.EventKinds() {
			words = append(words, k.Word+"\t"+k.Text)
		}
		return words, cobra.ShellCompDirectiveNoFileComp
	}) // the flag is there
}

// read settles the flags that are not taken as they are.
func (f *eventFlags) read() (err error) {
	now := f.app.now()
	if f.filter.Since, err = moment(f.since, time.Time{}, now); err != nil {
		return job.Wrap(err, "", "--since")
	}
	if f.filter.Until, err = moment(f.until, time.Time{}, now); err != nil {
		return job.Wrap(err, "", "--until")
	}
	switch f.pool {
	case "":
	case noPool:
		f.filter.Pool = new("")
	default:
		f.filter.Pool = &f.pool
	}
	for _, word := range f.filter.Kinds {
		if _, err := job.EventKindOf(word); err != nil {
			return job.Wrap(err, "", "--kind")
		}
	}
	if f.queue != "" && f.filter.Task == "" {
		return job.Errorf(job.Invalid, "--queue says where the job of --task is; that is missing")
	}
	if f.limit < 0 {
		return job.Errorf(job.Invalid, "--limit %d; it must not be negative", f.limit)
	}
	return nil
}

// findTask makes the task's name of what a person calls it. A job that is no more is
// known to the log by its id only.
func (f *eventFlags) findTask(ctx context.Context, l *link) error {
	if f.filter.Task == "" || f.pool != "" && f.pool != noPool {
		return nil
	}
	i, err := find(ctx, l, f.queue, f.filter.Task)
	switch {
	case err == nil:
		f.filter.Task = i.ID
	case !job.IsKind(err, job.NotFound):
		return err
	}
	return nil
}

func (f *eventFlags) show(ctx context.Context, l *link) error {
	if err := f.read(); err != nil {
		return err
	}
	if err := f.findTask(ctx, l); err != nil {
		return err
	}
	t := &eventTable{app: f.app}
	n := 0
	for e, err := range l.Events(ctx, f.filter) {
		if err != nil {
			return err
		}
		if err := t.row(&e); err != nil {
			return err
		}
		if n++; n == f.limit {
			break
		}
	}
	if n == 0 && f.app.table() {
		f.app.say("Nothing of the kind is remembered.")
	}
	return t.close()
}

// eventTable shows entries. A table for people waits for the first of them, to leave
// out the columns in which they have nothing.
type eventTable struct {
	app   *app
	list  *output.Listing
	first [][]any
}

// eventColumns are in the order of eventRow.
var eventColumns = []output.Column{
	{Name: "number", Detail: true}, {Name: "time"}, {Name: "kind"}, {Name: "audit", Detail: true},
	{Name: "pool"}, {Name: "account"}, {Name: "task", Stretch: true}, {Name: "worker", Stretch: true}, {Name: "who", Stretch: true},
	{Name: "details", Stretch: true},
}

func eventRow(e *client.LogEntry) []any {
	return []any{e.Number, e.Time, e.Kind, e.Audit, e.Pool, e.Account, e.Task, e.Worker, e.Who, eventDetails(e.Details)}
}

// eventDetails are words like "old=1" in a table, and an object in JSON.
type eventDetails map[string]string

// String is the details in the order of their names.
func (d eventDetails) String() string {
	var b []byte
	for i, name := range slices.Sorted(maps.Keys(d)) {
		if i > 0 {
			b = append(b, ", "...)
		}
		b = append(append(append(b, name...), '='), d[name]...)
	}
	return string(b)
}

// eventsMeasured is how many entries show which columns are needed.
const eventsMeasured = 1000

func (t *eventTable) row(e *client.LogEntry) error {
	row := eventRow(e)
	if t.list != nil {
		return t.list.Row(row...)
	}
	if t.first = append(t.first, row); t.app.table() && len(t.first) < eventsMeasured {
		return nil
	}
	return t.begin()
}

func (t *eventTable) begin() error {
	columns := slices.Clone(eventColumns)
	for i := range columns {
		empty := !slices.ContainsFunc(t.first, func(row []any) bool { return output.Human(row[i]) != "" })
		columns[i].Detail = columns[i].Detail || empty
	}
	var err error
	if t.list, err = t.app.listing(columns...); err != nil {
		return err
	}
	for _, row := range t.first {
		if err := t.list.Row(row...); err != nil {
			return err
		}
	}
	t.first = nil
	return nil
}

func (t *eventTable) close() error {
	if t.list == nil {
		if err := t.begin(); err != nil {
			return err
		}
	}
	return t.list.Close()
}
