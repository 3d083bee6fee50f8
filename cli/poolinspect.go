package cli

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/muster-queue/muster/cli/output"
	"github.com/muster-queue/muster/client"
	"github.com/muster-queue/muster/job"
)

func poolInspectCmd(a *app) *cobra.Command {
	i := &poolInspector{app: a}
	cmd := &cobra.Command{
		Use: "inspect POOL", Aliases: []string{"show"}, Short: "Show what is in a pool: accounts, workers and tasks",
		Long: `Inspect shows what the server knows of a pool: the accounts with their quota, the
workers, the tasks that run and that wait, what was decided and not acknowledged
yet, and tasks with errors. Without a flag it shows all. News of what comes first
in a list were heard longest ago; ages are since then.`,
		Example: `  muster pool inspect phones
  muster pool inspect phones --accounts
  muster pool inspect phones --tasks --limit 0 -o json`,
		Args: oneArg(poolArg),
		RunE: a.with(needData, i.run),
	}
	fs := cmd.Flags()
	fs.SortFlags = false
	fs.BoolVar(&i.accounts, "accounts", false, "the accounts")
	fs.BoolVar(&i.workers, "workers", false, "the workers, and what was decided for them")
	fs.BoolVar(&i.tasks, "tasks", false, "the tasks")
	fs.IntVar(&i.limit, "limit", 1000, "show at most `N` rows of a list; 0: all, up to 100,000")
	a.formatFlag(cmd, "")
	return cmd
}

// poolInspector shows what is in a pool.
type poolInspector struct {
	*app
	accounts, workers, tasks bool
	limit                    int
	// shown is how many lists were.
	shown int
}

func (i *poolInspector) run(ctx context.Context, l *link, args []string) error {
	if i.limit < 0 || i.limit > mostRows {
		return job.Errorf(job.Invalid, "--limit %d; it must be between 0 and %d", i.limit, mostRows)
	}
	if !i.accounts && !i.workers && !i.tasks {
		i.accounts, i.workers, i.tasks = true, true, true
	}
	// Before the accounts, for it says so when there is no such pool.
	found, err := l.InspectPool(ctx, args[0], client.PoolView{Tasks: i.tasks, Workers: i.workers, Limit: cmp.Or(i.limit, mostRows)})
	if err != nil {
		return err
	}
	if i.table() {
		i.say("Pool %s has %s waiting, %s running, %s idle.", found.Name,
			plural(found.PoolInfo.Waiting, "task"), plural(found.PoolInfo.Running, "task"), plural(found.IdleWorkers, "worker"))
	}
	if i.accounts {
		if err := i.listAccounts(ctx, l, args[0]); err != nil {
			return err
		}
	}
	if i.workers {
		if err := i.listWorkers(found); err != nil {
			return err
		}
	}
	if i.tasks {
		if err := i.listTasks(found); err != nil {
			return err
		}
	}
	if found.More {
		i.say("There are more: %s%s.", i.more(found), i.showAll())
	}
	return nil
}

// mostRows is the most rows of a list that the server shows.
const mostRows = 100_000

// more is how many rows are not shown.
func (i *poolInspector) more(found *client.PoolInspection) string {
	var parts []string
	add := func(wanted bool, all int64, shown int, what string) {
		if n := all - int64(shown); wanted && n > 0 {
			parts = append(parts, plural(n, what))
		}
	}
	add(i.workers, found.IdleWorkers+found.PoolInfo.Running, len(found.Workers), "worker")
	add(i.workers, found.Unacknowledged, len(found.Decisions), "decision")
	add(i.tasks, found.PoolInfo.Running, len(found.Running), "running task")
	add(i.tasks, found.PoolInfo.Waiting, len(found.Waiting), "waiting task")
	add(i.tasks, found.TaskErrors, len(found.Errors), "task error")
	return strings.Join(parts, ", ")
}

// showAll says how to see them, if there is a way.
func (i *poolInspector) showAll() string {
	if i.limit == 0 || i.limit == mostRows {
		return ""
	}
	return "; --limit 0 shows them"
}

// begin begins a list; between tables there is an empty line.
func (i *poolInspector) begin(rows int, columns ...output.Column) (*output.Listing, error) {
	list, err := i.listing(columns...)
	if err == nil && i.table() && rows > 0 {
		if i.shown++; i.shown > 1 {
			_, err = fmt.Fprintln(i.out)
		}
	}
	return list, err
}

func (i *poolInspector) listAccounts(ctx context.Context, l *link, pool string) error {
	var accounts []*client.AccountInfo
	for account, err := range l.Accounts(pool).All(ctx) {
		if err != nil {
			return err
		}
		accounts = append(accounts, account)
	}
	list, err := i.begin(len(accounts), output.Column{Name: "account", Stretch: true}, output.Column{Name: "balance"}, output.Column{Name: "rate"},
		output.Column{Name: "running", Right: true}, output.Column{Name: "waiting", Right: true}, output.Column{Name: "no_free"},
		output.Column{Name: "description", Stretch: true})
	if err != nil {
		return err
	}
	for _, c := range accounts {
		if err := list.Row(c.Name, levels(c.Balance[:]), levels(c.Rate[:]), sum(c.Running[:]), c.Ready, unless(c.NoFree, false), c.Description); err != nil {
			return err
		}
	}
	return list.Close()
}

func (i *poolInspector) listWorkers(found *client.PoolInspection) error {
	decided := map[string]client.PoolDecision{}
	for _, d := range found.Decisions {
		decided[d.Worker] = d
	}
	list, err := i.begin(len(found.Workers), output.Column{Name: "worker", Stretch: true}, output.Column{Name: "task"},
		output.Column{Name: "age", Right: true}, output.Column{Name: "decided"}, output.Column{Name: "labels", Stretch: true})
	if err != nil {
		return err
	}
	for _, w := range found.Workers {
		d := decided[w.ID]
		if err := list.Row(w.ID, unless(w.Task, ""), age(found, w.Confirmed), unless(decision(d), ""), w.Labels); err != nil {
			return err
		}
	}
	return list.Close()
}

// decision is what a worker is to do and has not been seen to do, in words.
func decision(d client.PoolDecision) string {
	switch {
	case d.Worker == "":
		return ""
	case len(d.Abort) == 0:
		return "to run " + d.Task
	}
	return "to stop " + strings.Join(d.Abort, ", ") + " and run " + d.Task
}

// age is how long before the time of the pool something was heard.
func age(found *client.PoolInspection, at time.Time) time.Duration { return max(found.Time.Sub(at), 0) }

func (i *poolInspector) listTasks(found *client.PoolInspection) error {
	list, err := i.begin(len(found.Running)+len(found.Waiting), output.Column{Name: "task", Stretch: true}, output.Column{Name: "state"}, output.Column{Name: "account"},
		output.Column{Name: "worker", Stretch: true}, output.Column{Name: "level", Right: true}, output.Column{Name: "age", Right: true},
		output.Column{Name: "labels", Stretch: true}, output.Column{Name: "prefer", Stretch: true},
		output.Column{Name: "cost", Detail: true}, output.Column{Name: "enqueued", Detail: true}, output.Column{Name: "error", Detail: true})
	if err != nil {
		return err
	}
	for k, t := range slices.Concat(found.Running, found.Waiting) {
		state := "running"
		if k >= len(found.Running) {
			state = "waiting"
		}
		if err := list.Row(taskRow(found, state, &t)...); err != nil {
			return err
		}
	}
	if i.table() {
		if err := list.Close(); err != nil {
			return err
		}
		return i.listErrors(found)
	}
	for _, e := range found.Errors {
		if err := list.Row(e.Task, "error", nil, nil, nil, nil, nil, nil, nil, nil, e.Error); err != nil {
			return err
		}
	}
	return list.Close()
}

// listErrors is a table of its own: the texts are long.
func (i *poolInspector) listErrors(found *client.PoolInspection) error {
	list, err := i.begin(len(found.Errors), output.Column{Name: "task", Stretch: true}, output.Column{Name: "error", Stretch: true})
	if err != nil {
		return err
	}
	for _, e := range found.Errors {
		if err := list.Row(e.Task, e.Error); err != nil {
			return err
		}
	}
	return list.Close()
}

func taskRow(found *client.PoolInspection, state string, t *client.PoolTask) []any {
	var level any
	if t.Worker != "" {
		level = levelText(t.Level)
	}
	return []any{
		t.ID, output.State(state), unless(t.Account, ""), unless(t.Worker, ""), level, age(found, t.Confirmed),
		t.Labels, t.Prefer, levels(t.Cost[:]), t.Enqueued, nil,
	}
}

// levelText is a level of quota for people.
func levelText(level int) string {
	if level >= job.QuotaLevels {
		return "free"
	}
	return fmt.Sprint(level)
}
