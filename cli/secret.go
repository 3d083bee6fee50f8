package cli

import (
	"bytes"
	"context"
	"io"

	"github.com/spf13/cobra"

	"github.com/muster-queue/muster/cli/output"
	"github.com/muster-queue/muster/job"
)

const secretArg = "the name of a secret; \"muster secret list\" shows them" //nolint:gosec // a help text

func secretCmd(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "secret",
		Short: "Keep values that jobs get by name, and nobody reads back",
		Long: `A secret is kept by the server, sealed with a key that lies apart from the store.
A job names it (--secret DB_PASSWORD=store:db), and its agent gets the value when
the command starts: it is in no description, status, log, export or backup.
Secrets that the server shall not have can be files or variables of the agent's
machine (file:NAME, env:NAME).`,
		Args: noArgs,
	}
	cmd.AddCommand(secretSetCmd(a), secretListCmd(a), secretRmCmd(a))
	return cmd
}

func secretSetCmd(a *app) *cobra.Command {
	return &cobra.Command{
		Use: "set NAME", Short: "Keep a secret, read from the standard input",
		Long: `Set reads the value from the standard input, to its end; one newline at the end
is not part of it. A secret of that name is replaced: jobs that are started from
now on get the new value.`,
		Example: `  muster secret set db < password.txt
  pass show db | muster secret set db
  muster run --secret DB_PASSWORD=store:db ./load.sh`,
		Args: oneArg("a name for the secret; its value comes from the standard input"),
		RunE: a.with(needStore, func(ctx context.Context, l *link, args []string) error {
			value, err := a.secretValue()
			if err != nil {
				return err
			}
			replaced, err := l.SetSecret(ctx, args[0], value)
			if err != nil {
				return err
			}
			if replaced {
				a.say("The secret %s is replaced.", args[0])
			} else {
				a.say("The secret %s is kept; jobs get it by: --secret NAME=store:%[1]s", args[0])
			}
			return nil
		}),
	}
}

// secretValue reads a value from the standard input.
func (a *app) secretValue() ([]byte, error) {
	value, err := io.ReadAll(io.LimitReader(a.Stdin, job.MaxSecret+2))
	if err != nil {
		return nil, job.Errorf(job.Internal, "read the secret from the standard input: %w", err)
	}
	value = bytes.TrimSuffix(value, []byte{'\n'})
	switch {
	case len(value) == 0:
		return nil, job.Errorf(job.Invalid, "the standard input is empty; write the secret to it, e.g.: muster secret set NAME < FILE")
	case len(value) > job.MaxSecret:
		return nil, job.Errorf(job.Invalid, "the secret has more than %d bytes; keep it in a file of the agent's machine", job.MaxSecret)
	}
	return value, nil
}

func secretListCmd(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use: "list", Aliases: []string{"ls"}, Short: "List the secrets, without their values",
		Example: `  muster secret list`,
		Args:    noArgs,
		RunE: a.with(needData, func(ctx context.Context, l *link, _ []string) error {
			secrets, err := l.Secrets(ctx)
			if err != nil {
				return err
			}
			list, err := a.listing(output.Column{Name: "name", Stretch: true}, output.Column{Name: "size", Right: true},
				output.Column{Name: "set"}, output.Column{Name: "by"})
			if err != nil {
				return err
			}
			for _, s := range secrets {
				if err := list.Row(s.Name, s.Size, s.Set, s.By); err != nil {
					return err
				}
			}
			return list.Close()
		}),
	}
	a.formatFlag(cmd, "")
	return cmd
}

func secretRmCmd(a *app) *cobra.Command {
	return &cobra.Command{
		Use: "rm NAME", Short: "Forget a secret; jobs that name it fail when they are started",
		Example: `  muster secret rm db`,
		Args:    oneArg(secretArg),
		RunE: a.with(needData, func(ctx context.Context, l *link, args []string) error {
			if err := l.RemoveSecret(ctx, args[0]); err != nil {
				return err
			}
			a.say("The secret %s is forgotten.", args[0])
			return nil
		}),
	}
}
