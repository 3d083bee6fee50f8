package cli

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/muster-queue/muster/cli/output"
	"github.com/muster-queue/muster/client"
	"github.com/muster-queue/muster/job"
)

const namespaceArg = "the name of the namespace"

func namespaceCmd(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "namespace",
		Short: "List, make and destroy namespaces: worlds that know nothing of each other",
		Args:  noArgs,
	}
	cmd.AddCommand(namespaceListCmd(a), namespaceCreateCmd(a), namespaceShowCmd(a), namespaceRmCmd(a))
	return cmd
}

func namespaceListCmd(a *app) *cobra.Command {
	var long bool
	cmd := &cobra.Command{
		Use: "list", Aliases: []string{"ls"}, Short: "List the namespaces",
		Example: `  muster namespace list
  muster namespace list --long -o json`,
		Args: noArgs,
		RunE: a.with(needData, func(ctx context.Context, l *link, _ []string) error {
			var names []string
			for name, err := range l.Namespaces(ctx) {
				if err != nil {
					return err
				}
				names = append(names, name)
			}
			if long {
				return a.sumUp(ctx, l, names...)
			}
			list, err := a.listing(output.Column{Name: "namespace"})
			if err != nil {
				return err
			}
			for _, name := range names {
				if err := list.Row(name); err != nil {
					return err
				}
			}
			return list.Close()
		}),
	}
	cmd.Flags().BoolVarP(&long, "long", "l", false, "sum each of them up, as show does; that wakes those that sleep")
	a.formatFlag(cmd, "")
	return cmd
}

func namespaceCreateCmd(a *app) *cobra.Command {
	return &cobra.Command{
		Use: "create NAMESPACE", Short: "Make a namespace",
		Example: `  muster namespace create team7
  muster -n team7 add -f jobs.txt`,
		Args: oneArg(namespaceArg),
		RunE: a.with(needStore, func(ctx context.Context, l *link, args []string) error {
			if err := l.CreateNamespace(ctx, args[0]); err != nil {
				return err
			}
			a.say("Namespace %s is made; \"muster -n %[1]s ...\" works in it.", args[0])
			return nil
		}),
	}
}

func namespaceShowCmd(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use: "show NAMESPACE", Short: "Sum a namespace up",
		Example: `  muster namespace show team7`,
		Args:    oneArg(namespaceArg),
		RunE: a.with(needData, func(ctx context.Context, l *link, args []string) error {
			return a.sumUp(ctx, l, args[0])
		}),
	}
	a.formatFlag(cmd, "")
	return cmd
}

// sumUp is a table of namespaces with what they have.
func (a *app) sumUp(ctx context.Context, l *link, names ...string) error {
	all := make([]*client.NamespaceInfo, len(names))
	var sum job.Counts
	for i, name := range names {
		var err error
		if all[i], err = l.Client.Namespace(name).Summary(ctx); err != nil {
			return err
		}
		sum.Add(&all[i].Counts)
	}
	t, err := a.newCounts("namespace", &sum, output.Column{Name: "queues", Right: true}, output.Column{Name: "groups", Right: true},
		output.Column{Name: "workers", Right: true}, output.Column{Name: "paused"}, output.Column{Name: "draining"}, output.Column{Name: "default_account"})
	if err != nil {
		return err
	}
	for _, s := range all {
		if err := t.row(s.Name, &s.Counts, s.Queues, s.Groups, s.Workers, unless(s.Paused, false), unless(s.Draining, false), unless(s.DefaultAccount, "")); err != nil {
			return err
		}
	}
	return t.Close()
}

func namespaceRmCmd(a *app) *cobra.Command {
	var force bool
	cmd := &cobra.Command{
		Use: "rm NAMESPACE", Aliases: []string{"destroy"}, Short: "Destroy a namespace with all its jobs, queues and history",
		Example: `  muster namespace rm team7`,
		Args:    oneArg(namespaceArg),
		RunE: a.with(needData, func(ctx context.Context, l *link, args []string) error {
			if err := l.Client.Namespace(args[0]).Destroy(ctx, force); err != nil {
				return err
			}
			a.say("Namespace %s is destroyed.", args[0])
			return nil
		}),
	}
	cmd.Flags().BoolVar(&force, "force", false, "also while its jobs run")
	return cmd
}
