package cli

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/muster-queue/muster/cli/output"
	"github.com/muster-queue/muster/client"
	"github.com/muster-queue/muster/job"
	"github.com/muster-queue/muster/learn"
)

func kindCmd(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "kind",
		Aliases: []string{"kinds"},
		Short:   "Show what was learned of each kind of job, change how it is learned, forget it",
		Long: `A kind is a label of jobs that need about the same: the name of the program, or
what --kind says. The memory, disk and time of its runs are counted, and once
there are five, jobs of the kind that do not say what they need ask for what 95
of a hundred runs needed at most. docs/learning.md explains it.`,
		Args: noArgs,
	}
	cmd.AddCommand(kindListCmd(a), kindShowCmd(a), kindSetCmd(a), kindResetCmd(a))
	return cmd
}

var kindColumns = []output.Column{
	{Name: "kind", Stretch: true}, {Name: "runs", Right: true}, {Name: "memory", Right: true}, {Name: "disk", Right: true}, {Name: "time", Right: true},
	{Name: "last"}, {Name: "memory_median", Right: true, Detail: true}, {Name: "memory_quantile", Right: true, Detail: true}, {Name: "memory_max", Right: true, Detail: true},
	{Name: "time_median", Right: true, Detail: true}, {Name: "time_quantile", Right: true, Detail: true}, {Name: "time_max", Right: true, Detail: true},
	{Name: "settings", Detail: true},
}

func kindRow(list *output.Listing, k *client.Kind) error {
	m, t := &k.Learned[learn.Memory], &k.Learned[learn.Time]
	return list.Row(k.Name, k.Runs, askedCell(learn.Memory, m.Asked), askedCell(learn.Disk, k.Learned[learn.Disk].Asked), askedCell(learn.Time, t.Asked), k.Last,
		output.Bytes(m.Half), output.Bytes(m.Most), output.Bytes(m.Max), time.Duration(t.Half), time.Duration(t.Most), time.Duration(t.Max), settingTexts(k.Own))
}

// askedCell is what jobs that do not say ask for; nothing if that is nothing.
func askedCell(r learn.Resource, n int64) any {
	switch {
	case n == learn.Unknown:
		return nil
	case r == learn.Time:
		return time.Duration(n)
	}
	return output.Bytes(n)
}

// settingTexts are settings as words.
func settingTexts(s learn.Settings) (words []string) {
	texts := s.Texts()
	for _, name := range slices.Sorted(maps.Keys(texts)) {
		words = append(words, name+"="+texts[name])
	}
	return words
}

func kindListCmd(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use: "list", Aliases: []string{"ls"}, Short: "List the kinds, with what their jobs ask for that do not say",
		Example: `  muster kind list
  muster kind list -o json`,
		Args: noArgs,
		RunE: a.with(needData, func(ctx context.Context, l *link, _ []string) error {
			list, err := a.listing(kindColumns...)
			if err != nil {
				return err
			}
			n := 0
			for k, err := range l.Kinds(ctx) {
				if err != nil {
					return err
				}
				n++
				if err := kindRow(list, k); err != nil {
					return err
				}
			}
			if n == 0 && a.table() {
				a.say("Nothing was learned yet: no command has run to its end.")
			}
			return list.Close()
		}),
	}
	a.formatFlag(cmd, "")
	return cmd
}

func kindShowCmd(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use: "show [KIND]", Short: "Show what was learned of a kind, and from how many runs",
		Long: `Show shows what was learned of a kind: of memory, disk and time, how many runs
were counted, the median, the quantile that is asked for, the largest, and what
jobs that do not say ask for now. Without a name it shows the settings that
count for all kinds.`,
		Example: `  muster kind show align`,
		Args:    cobra.MaximumNArgs(1),
		RunE: a.with(needData, func(ctx context.Context, l *link, args []string) error {
			k, err := l.Kind(ctx, strings.Join(args, ""))
			if err != nil {
				return err
			}
			if a.table() {
				return a.showKind(k)
			}
			list, err := a.listing(kindColumns...)
			if err != nil {
				return err
			}
			return errors.Join(kindRow(list, k), list.Close())
		}),
	}
	a.formatFlag(cmd, "")
	return cmd
}

// showKind shows a person a kind.
func (a *app) showKind(k *client.Kind) error {
	p := page{a}
	if k.Name != "" {
		p.line("kind", output.Clean(k.Name))
		p.line("runs", fmt.Sprint(k.Runs))
		p.line("last", output.Human(k.Last))
	}
	p.line("settings", strings.Join(settingTexts(k.Own), " "))
	p.line("effective", strings.Join(settingTexts(k.Effective), " "))
	if k.Name == "" {
		return nil
	}
	fmt.Fprintln(a.out)
	t := output.NewListing(a.out, output.Table, output.Column{Name: "resource"}, output.Column{Name: "runs", Right: true},
		output.Column{Name: "median", Right: true}, output.Column{Name: "quantile", Right: true}, output.Column{Name: "max", Right: true}, output.Column{Name: "asked", Right: true})
	for i := range k.Learned {
		r, f := learn.Resource(i), &k.Learned[i]
		if err := t.Row(r.String(), f.Runs, amountCell(r, f.Half), amountCell(r, f.Most), amountCell(r, f.Max), askedCell(r, f.Asked)); err != nil {
			return err
		}
	}
	return t.Close()
}

func amountCell(r learn.Resource, n int64) any {
	if r == learn.Time {
		return time.Duration(n)
	}
	return output.Bytes(n)
}

func kindSetCmd(a *app) *cobra.Command {
	texts := make([]string, len(kindSettings))
	cmd := &cobra.Command{
		Use: "set [KIND]", Short: "Change how is learned of a kind, or of all",
		Long: `Set changes the settings that are given of a kind, which needs to have no jobs
yet; without a name, of all kinds. A kind for which something is not said is as
is said for all; "default" takes back what was said. What waits follows at once.`,
		Example: `  muster kind set align --quantile 0.99 --round-memory 500M
  muster kind set align --below yes
  muster kind set --min-runs 20
  muster kind set align --quantile default
  muster kind set --off yes`,
		Args: cobra.MaximumNArgs(1),
	}
	for i := range kindSettings {
		cmd.Flags().StringVar(&texts[i], kindSettings[i].flag(), "", kindSettings[i].help)
	}
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		var s learn.Settings
		var fields []string
		for i := range kindSettings {
			setting := &kindSettings[i]
			if !cmd.Flags().Changed(setting.flag()) {
				continue
			}
			fields = append(fields, setting.name)
			if texts[i] == "default" {
				continue
			}
			if err := setting.set(&s, texts[i]); err != nil {
				return job.Wrap(err, "", "--"+setting.flag())
			}
		}
		if len(fields) == 0 {
			return job.Errorf(job.Invalid, "say what to change, e.g. --quantile 0.99; muster kind set --help lists it all")
		}
		return a.with(needData, func(ctx context.Context, l *link, _ []string) error {
			if _, err := l.SetKind(ctx, strings.Join(args, ""), s, fields...); err != nil {
				return err
			}
			a.say("%s changed.", kindsSaid(args))
			return nil
		})(cmd, args)
	}
	return cmd
}

func kindsSaid(args []string) string {
	if len(args) == 0 {
		return "The settings of all kinds are"
	}
	return "The settings of kind " + output.Clean(args[0]) + " are"
}

func kindResetCmd(a *app) *cobra.Command {
	return &cobra.Command{
		Use: "reset KIND...", Short: "Forget what was learned of kinds",
		Long: `Reset forgets what was learned of kinds, so that it is learned anew: when a
program needs much less than it did, say. Settings stay.`,
		Example: `  muster kind reset align`,
		Args:    cobra.MinimumNArgs(1),
		RunE: a.with(needData, func(ctx context.Context, l *link, args []string) error {
			for _, name := range args {
				if err := l.ResetKind(ctx, name); err != nil {
					return err
				}
				a.say("What was learned of kind %s is forgotten.", output.Clean(name))
			}
			return nil
		}),
	}
}
