package cli

import (
	"context"
	"encoding/json"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/muster-queue/muster/cli/output"
	"github.com/muster-queue/muster/client"
	"github.com/muster-queue/muster/job"
)

func limitListCmd(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use: "list", Aliases: []string{"ls"}, Short: "List the limits: those that are set, and those that jobs carry",
		Example: `  muster limit list
  muster limit list -o json`,
		Args: noArgs,
		RunE: a.with(needData, func(ctx context.Context, l *link, _ []string) error { return a.listLimits(ctx, l) }),
	}
	a.formatFlag(cmd, "")
	return cmd
}

// limitColumn is one field of a listing of limits, and of what is shown of one.
type limitColumn struct {
	output.Column
	value func(*client.LimitInfo) any
}

var limitColumns = []limitColumn{
	{output.Column{Name: "limit", Stretch: true}, func(i *client.LimitInfo) any { return i.Name }},
	{output.Column{Name: "amount", Right: true}, func(i *client.LimitInfo) any {
		if !i.Known {
			return notSet
		}
		return i.Amount()
	}},
	{output.Column{Name: "used", Right: true}, func(i *client.LimitInfo) any { return i.Used }},
	{output.Column{Name: "started", Right: true}, func(i *client.LimitInfo) any {
		if !i.Rate() {
			return nil
		}
		return i.Started
	}},
	{output.Column{Name: "waiting", Right: true}, func(i *client.LimitInfo) any { return i.Ready }},
	{output.Column{Name: "open"}, func(i *client.LimitInfo) any { return !i.Full }},
	{output.Column{Name: "opens"}, func(i *client.LimitInfo) any {
		if i.Opens.IsZero() {
			return nil
		}
		return i.Opens
	}},
	{output.Column{Name: "windows", Stretch: true}, func(i *client.LimitInfo) any { return windows(i.Windows) }},
	{output.Column{Name: "max", Detail: true}, func(i *client.LimitInfo) any {
		if !i.Known || i.Max == job.AnyNumber {
			return nil
		}
		return i.Max
	}},
	{output.Column{Name: "period", Detail: true}, func(i *client.LimitInfo) any { return unless(i.Period, time.Duration(0)) }},
}

// notSet stands for the amount of a limit that jobs carry and nobody set.
const notSet = "not set"

type windows []job.Window

func (w windows) texts() []string {
	texts := make([]string, len(w))
	for i := range w {
		texts[i] = w[i].String()
	}
	return texts
}

// String has semicolons between.
func (w windows) String() string { return strings.Join(w.texts(), "; ") }

// MarshalJSON is a list of texts.
func (w windows) MarshalJSON() ([]byte, error) { return json.Marshal(w.texts()) }

func (a *app) listLimits(ctx context.Context, l *link) error {
	columns := make([]output.Column, len(limitColumns))
	for i, c := range limitColumns {
		columns[i] = c.Column
	}
	list, err := a.listing(columns...)
	if err != nil {
		return err
	}
	n := 0
	for limit, err := range l.Limits(ctx) {
		if err != nil {
			return err
		}
		n++
		cells := make([]any, len(limitColumns))
		for i := range limitColumns {
			cells[i] = limitColumns[i].value(limit)
		}
		if err := list.Row(cells...); err != nil {
			return err
		}
	}
	if n == 0 && a.table() {
		a.say("There are no limits. \"muster limit set\" makes one.")
	}
	return list.Close()
}

func limitShowCmd(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use: "show NAME", Short: "Show a limit: what it is, what is used of it, what waits for it",
		Example: `  muster limit show irods`,
		Args:    oneArg(limitArg),
		RunE: a.with(needData, func(ctx context.Context, l *link, args []string) error {
			limit, err := l.Limit(ctx, args[0])
			if err != nil {
				return err
			}
			list, err := a.listing(output.Column{Name: "setting"}, output.Column{Name: "value", Stretch: true})
			if err != nil {
				return err
			}
			for _, c := range limitColumns {
				if c.Detail && a.table() {
					continue
				}
				if err := list.Row(c.Name, c.value(limit)); err != nil {
					return err
				}
			}
			return list.Close()
		}),
	}
	a.formatFlag(cmd, "")
	return cmd
}
