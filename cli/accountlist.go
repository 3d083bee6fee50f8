package cli

import (
	"context"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/muster-queue/muster/cli/output"
	"github.com/muster-queue/muster/client"
	"github.com/muster-queue/muster/job"
)

func accountListCmd(a *app) *cobra.Command {
	var pool string
	cmd := &cobra.Command{
		Use: "list", Aliases: []string{"ls"}, Short: "List the accounts with their settings",
		Example: `  muster account list
  muster account list -o json`,
		Args: noArgs,
		RunE: a.with(needData, func(ctx context.Context, l *link, _ []string) error { return a.listAccounts(ctx, l, pool) }),
	}
	poolFlag(cmd, &pool)
	a.formatFlag(cmd, "")
	return cmd
}

// accountColumn is one field of a listing of accounts.
type accountColumn struct {
	output.Column
	value func(*client.AccountInfo) any
}

var accountColumns = []accountColumn{
	{output.Column{Name: "account", Stretch: true}, func(i *client.AccountInfo) any { return i.Name }},
	{output.Column{Name: "rate"}, func(i *client.AccountInfo) any { return levels(i.Rate[:]) }},
	{output.Column{Name: "window", Right: true}, func(i *client.AccountInfo) any { return i.Window }},
	{output.Column{Name: "fanout", Right: true}, func(i *client.AccountInfo) any { return unless(i.MaxFanout, 0) }},
	{output.Column{Name: "label_limits"}, func(i *client.AccountInfo) any { return limits(i.LabelLimits) }},
	{output.Column{Name: "no_free"}, func(i *client.AccountInfo) any { return unless(i.NoFree, false) }},
	{output.Column{Name: "running", Right: true}, func(i *client.AccountInfo) any { return sum(i.Running[:]) }},
	{output.Column{Name: "ready", Right: true}, func(i *client.AccountInfo) any { return i.Ready }},
	{output.Column{Name: "description", Stretch: true}, func(i *client.AccountInfo) any { return i.Description }},
	{output.Column{Name: "balance", Detail: true}, func(i *client.AccountInfo) any { return levels(i.Balance[:]) }},
	{output.Column{Name: "cap", Detail: true}, func(i *client.AccountInfo) any { limit := i.Cap(); return levels(limit[:]) }},
}

// levels are numbers for the levels, level 0 first.
type levels []float64

// String leaves out zeros at the end, but not the first.
func (l levels) String() string { return l.words(rounded) }

func (l levels) words(word func(float64) string) string {
	n := len(l)
	for n > 1 && l[n-1] == 0 {
		n--
	}
	words := make([]string, n)
	for i := range words {
		words[i] = word(l[i])
	}
	return strings.Join(words, ",")
}

// workTimes are balances for people, level 0 first.
type workTimes []float64

// String has as many as levels have.
func (w workTimes) String() string { return levels(w).words(workTime) }

// rounded is a number with as many digits as it needs, three after the point at
// most.
func rounded(f float64) string {
	text := strconv.FormatFloat(f, 'f', 3, 64)
	return strings.TrimSuffix(strings.TrimRight(text, "0"), ".")
}

// limits are numbers by the key of a label.
type limits map[string]int

// String is as the flag has them.
func (l limits) String() string {
	words := make([]string, 0, len(l))
	for _, key := range slices.Sorted(maps.Keys(l)) {
		words = append(words, key+"="+strconv.Itoa(l[key]))
	}
	return strings.Join(words, ",")
}

func sum[T int64 | float64](list []T) (total T) {
	for _, v := range list {
		total += v
	}
	return total
}

func (a *app) listAccounts(ctx context.Context, l *link, pool string) error {
	columns := make([]output.Column, len(accountColumns))
	for i, c := range accountColumns {
		columns[i] = c.Column
	}
	list, err := a.listing(columns...)
	if err != nil {
		return err
	}
	n := 0
	for account, err := range l.Accounts(pool).All(ctx) {
		if err != nil {
			return err
		}
		n++
		cells := make([]any, len(accountColumns))
		for i := range accountColumns {
			cells[i] = accountColumns[i].value(account)
		}
		if err := list.Row(cells...); err != nil {
			return err
		}
	}
	if n == 0 && a.table() {
		a.say("There are no accounts: all jobs are equal. \"muster account add\" makes one.")
	}
	return list.Close()
}

func accountShowCmd(a *app) *cobra.Command {
	var pool string
	cmd := &cobra.Command{
		Use: "show ACCOUNT", Short: "Show an account: its settings, what it has and what it uses",
		Example: `  muster account show physics`,
		Args:    oneArg(accountArg),
		RunE: a.with(needData, func(ctx context.Context, l *link, args []string) error {
			account, err := l.Accounts(pool).Get(ctx, args[0])
			if err != nil {
				return err
			}
			return a.showAccount(account)
		}),
	}
	poolFlag(cmd, &pool)
	a.formatFlag(cmd, "")
	return cmd
}

func (a *app) showAccount(i *client.AccountInfo) error {
	list, err := a.listing(output.Column{Name: "setting"}, output.Column{Name: "value", Stretch: true})
	if err != nil {
		return err
	}
	limit := i.Cap()
	quota := func(q job.Quota) any {
		if a.table() {
			return workTimes(q[:])
		}
		return levels(q[:])
	}
	for _, row := range []struct {
		name  string
		value any
	}{
		{"description", unless(i.Description, "")}, {"rate", levels(i.Rate[:])}, {"window", i.Window},
		{"fanout", unless(i.MaxFanout, 0)}, {"label_limits", limits(i.LabelLimits)}, {"no_free", i.NoFree},
		{"balance", quota(i.Balance)}, {"cap", quota(limit)},
		{"running", counts(i.Running[:])}, {"workers", levels(i.Workers[:])}, {"ready", i.Ready},
	} {
		if err := list.Row(row.name, row.value); err != nil {
			return err
		}
	}
	return list.Close()
}

// counts are numbers of jobs by level, as levels have them.
func counts(n []int64) levels {
	l := make(levels, len(n))
	for i := range n {
		l[i] = float64(n[i])
	}
	return l
}
