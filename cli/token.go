package cli

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/muster-queue/muster/cli/input"
	"github.com/muster-queue/muster/cli/output"
	"github.com/muster-queue/muster/client"
)

func tokenCmd(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "token",
		Short: "Make, list and revoke tokens: who may do what",
		Long: `Every request carries a token. The first one is made with the data directory and
may do everything; only its owner can read it. Others have a role: admin,
operator, submitter, worker or reader.`,
		Args: noArgs,
	}
	cmd.AddCommand(tokenCreateCmd(a), tokenListCmd(a), tokenRevokeCmd(a))
	return cmd
}

func tokenCreateCmd(a *app) *cobra.Command {
	var t client.Token
	var lifetime string
	cmd := &cobra.Command{
		Use: "create NAME", Short: "Make a token; its secret is shown only now",
		Example: `  muster token create --role worker node7 > node7.token
  muster token create --role submitter --namespace-only team7 --lifetime 30d alice`,
		Args: oneArg("a name to know the token by"),
		RunE: a.with(needStore, func(ctx context.Context, l *link, args []string) error {
			d, err := input.ParseTime(lifetime)
			if err != nil && lifetime != "" {
				return err
			}
			t.Name = args[0]
			made, secret, err := l.CreateToken(ctx, t, d)
			if err != nil {
				return err
			}
			a.say("Token %s of role %s; keep the secret, it is not shown again:", made.ID, made.Role)
			fmt.Fprintln(a.out, secret)
			return nil
		}),
	}
	f := cmd.Flags()
	f.StringVar(&t.Role, "role", "submitter", "`ROLE`: admin, operator, submitter, worker or reader")
	f.StringVar(&t.Namespace, "namespace-only", "", "good for this `NAMESPACE` only")
	f.StringVar(&t.Account, "account", "", "jobs added with it belong to this `ACCOUNT`")
	f.StringVar(&lifetime, "lifetime", "", "how long `TIME` it is good, e.g. 30d; for ever when not given")
	return cmd
}

func tokenListCmd(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use: "list", Aliases: []string{"ls"}, Short: "List the tokens, without their secrets",
		Example: `  muster token list`,
		Args:    noArgs,
		RunE: a.with(needData, func(ctx context.Context, l *link, _ []string) error {
			tokens, err := l.Tokens(ctx)
			if err != nil {
				return err
			}
			list, err := a.listing(output.Column{Name: "id"}, output.Column{Name: "name", Stretch: true}, output.Column{Name: "role"},
				output.Column{Name: "namespace"}, output.Column{Name: "created"}, output.Column{Name: "expires"}, output.Column{Name: "used"},
				output.Column{Name: "account", Detail: true})
			if err != nil {
				return err
			}
			for _, t := range tokens {
				if err := list.Row(t.ID, t.Name, t.Role, t.Namespace, t.Created, t.Expires, t.Used, t.Account); err != nil {
					return err
				}
			}
			return list.Close()
		}),
	}
	a.formatFlag(cmd, "")
	return cmd
}

func tokenRevokeCmd(a *app) *cobra.Command {
	return &cobra.Command{
		Use: "revoke ID", Aliases: []string{"rm"}, Short: "Make a token worthless",
		Example: `  muster token revoke k3x9`,
		Args:    oneArg("the id of the token; \"muster token list\" shows them"),
		RunE: a.with(needData, func(ctx context.Context, l *link, args []string) error {
			if err := l.RevokeToken(ctx, args[0]); err != nil {
				return err
			}
			a.say("Token %s is revoked.", args[0])
			return nil
		}),
	}
}
