package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/muster-queue/muster/cli/output"
	"github.com/muster-queue/muster/client"
)

const workerArg = "the name of the worker; \"muster worker list\" shows them"

func workerCmd(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "worker",
		Aliases: []string{"workers"},
		Short:   "Show the machines and programs that take jobs, and drain them",
		Args:    noArgs,
	}
	cmd.AddCommand(workerListCmd(a), workerShowCmd(a), workerDrainCmd(a))
	return cmd
}

var workerColumns = []output.Column{
	{Name: "worker", Stretch: true}, {Name: "state"}, {Name: "held", Right: true}, {Name: "capacity", Stretch: true}, {Name: "free", Stretch: true},
	{Name: "heard", Right: true}, {Name: "version"}, {Name: "host", Detail: true}, {Name: "pid", Detail: true}, {Name: "labels", Detail: true},
	{Name: "dir", Detail: true}, {Name: "agent", Detail: true}, {Name: "until", Detail: true}, {Name: "parent", Detail: true},
}

func workerState(w *client.WorkerInfo) output.State {
	switch {
	case w.Left:
		return "gone"
	case !w.Alive:
		return "silent"
	case w.Draining:
		return "draining"
	}
	return "ready"
}

func (a *app) workerRow(list *output.Listing, w *client.WorkerInfo) error {
	heard := any(w.Heard)
	if a.table() && !w.Heard.IsZero() {
		heard = output.Short(a.now().Sub(w.Heard).Truncate(time.Second)) + " ago"
	}
	return list.Row(w.Name, workerState(w), w.Held, w.Capacity, w.Free, heard, w.Version,
		w.Host, w.Pid, []string(w.Labels), w.Dir, w.Agent, w.Until, w.Parent)
}

func workerListCmd(a *app) *cobra.Command {
	var all bool
	cmd := &cobra.Command{
		Use: "list", Aliases: []string{"ls"}, Short: "List the workers",
		Example: `  muster worker list
  muster worker list --all -o json`,
		Args: noArgs,
		RunE: a.with(needData, func(ctx context.Context, l *link, _ []string) error {
			list, err := a.listing(workerColumns...)
			if err != nil {
				return err
			}
			n := 0
			for w, err := range l.Workers(ctx, client.WorkerFilter{All: all}) {
				if err != nil {
					return err
				}
				n++
				if err := a.workerRow(list, w); err != nil {
					return err
				}
			}
			if n == 0 && a.table() {
				a.say("There are no workers; \"muster agent\" starts one on this machine.")
			}
			return list.Close()
		}),
	}
	cmd.Flags().BoolVar(&all, "all", false, "also those that were not heard for long")
	a.formatFlag(cmd, "")
	return cmd
}

func workerShowCmd(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use: "show WORKER", Short: "Show a worker and the jobs it has",
		Example: `  muster worker show node7`,
		Args:    oneArg(workerArg),
		RunE: a.with(needData, func(ctx context.Context, l *link, args []string) error {
			w, err := l.WorkerInfo(ctx, args[0])
			if err != nil {
				return err
			}
			if a.table() {
				return a.showWorker(ctx, l, w)
			}
			list, err := a.listing(workerColumns...)
			if err != nil {
				return err
			}
			return errors.Join(a.workerRow(list, w), list.Close())
		}),
	}
	a.formatFlag(cmd, "")
	return cmd
}

// showWorker shows a person what a worker says of itself, and what it has.
func (a *app) showWorker(ctx context.Context, l *link, w *client.WorkerInfo) error {
	p := page{a}
	p.line("worker", output.Clean(w.Name))
	kind := "pulls jobs"
	if w.Agent {
		kind = "agent"
	}
	p.line("kind", kind)
	p.line("state", p.out.Paint(output.StateColour(workerState(w)), string(workerState(w))))
	if !w.Heard.IsZero() {
		p.line("heard", output.Short(a.now().Sub(w.Heard))+" ago")
	}
	p.line("host", output.Clean(w.Host))
	p.line("parent", output.Clean(w.Parent))
	p.line("mode", output.Clean(w.Mode))
	p.line("labels", output.Clean(strings.Join(w.Labels, " ")))
	p.line("capacity", output.Human(w.Capacity))
	p.line("free", output.Human(w.Free))
	p.line("until", output.Human(w.Until))
	p.line("directory", output.Clean(w.Dir))
	p.line("version", output.Clean(w.Version))
	fmt.Fprintln(a.out)
	if w.Held == 0 {
		a.say("It has no jobs.")
		return nil
	}
	s := status{selection: &selection{app: a, filter: client.Filter{Worker: w.Name, States: []string{"held"}}}}
	return s.showList(ctx, l)
}

func workerDrainCmd(a *app) *cobra.Command {
	var undo bool
	cmd := &cobra.Command{
		Use: "drain WORKER", Short: "Give a worker no more jobs; those it has go on",
		Example: `  muster worker drain node7
  muster worker drain --undo node7`,
		Args: oneArg(workerArg),
		RunE: a.with(needServer, func(ctx context.Context, l *link, args []string) error {
			w, err := l.DrainWorker(ctx, args[0], undo)
			if err != nil {
				return err
			}
			if undo {
				a.say("Worker %s gets jobs again.", w.Name)
			} else {
				a.say("Worker %s gets no more jobs; it still has %s.", w.Name, plural(w.Held, "job"))
			}
			return nil
		}),
	}
	cmd.Flags().BoolVar(&undo, "undo", false, "give it jobs again")
	return cmd
}
