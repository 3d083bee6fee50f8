package cli

import (
	"cmp"
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/muster-queue/muster/cli/output"
	"github.com/muster-queue/muster/job"
)

const accountArg = "the name of the account"

func accountCmd(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "account",
		Aliases: []string{"accounts"},
		Short:   "Say who shares the machines: make accounts, change, list and remove them",
		Long: `An account is who pays for jobs: with quota that it gains at a rate, and spends
while its jobs run. There are five levels; what is paid at level 0 goes before
what is paid at level 1, and so on, and what nobody pays for runs last. Without
any account all jobs are equal. docs/quota.md explains it, with an example;
"muster quota" shows how things stand.

With --pool the accounts are those of an external scheduler's pool.`,
		Args: noArgs,
	}
	cmd.AddCommand(accountAddCmd(a), accountSetCmd(a), accountListCmd(a), accountShowCmd(a),
		accountResetCmd(a), accountRmCmd(a), accountDefaultCmd(a))
	return cmd
}

// poolFlag adds the flag that says whose accounts are meant.
func poolFlag(cmd *cobra.Command, pool *string) {
	cmd.Flags().StringVar(pool, "pool", "", "the accounts of this external scheduler's `POOL`, not the namespace's own")
}

func accountAddCmd(a *app) *cobra.Command {
	f := &accountFlags{}
	cmd := &cobra.Command{
		Use: "add ACCOUNT", Short: "Make an account",
		Long: `Add makes an account. Its rate is how many workers it may have in the long run,
for each level, level 0 first. A worker is a whole machine: a job that takes a
quarter of one counts a quarter. What is not used is saved, up to what the rate
brings in the window.`,
		Example: `  muster account add physics --rate 10,4 --window 2h
  muster account add biology --rate 4 --fanout 20 --label-limit gpu=2
  muster account add visitors --rate 0,0,1 --no-free --description "until May"
  muster account add project9 --balance 360000`,
		Args: oneArg(accountArg),
		RunE: func(cmd *cobra.Command, args []string) error {
			account, _, err := f.read(cmd, args[0])
			if err != nil {
				return err
			}
			balance, err := readQuota("balance", f.balance)
			if err != nil {
				return err
			}
			return a.with(needStore, func(ctx context.Context, l *link, _ []string) error {
				if _, err := l.Accounts(f.pool).Add(ctx, account, balance); err != nil {
					return err
				}
				a.say("Account %s is made.", account.Name)
				return nil
			})(cmd, args)
		},
	}
	f.add(cmd)
	cmd.Flags().StringSliceVar(&f.balance, "balance", nil, "begin with this quota `Q`: worker-seconds for each level, level 0 first")
	return cmd
}

func accountSetCmd(a *app) *cobra.Command {
	f := &accountFlags{}
	cmd := &cobra.Command{
		Use: "set ACCOUNT", Short: "Change an account; what is not given stays",
		Long: `Set changes an account from now on. What it has saved stays, up to the new limit
at least; "muster account reset" takes that away too.`,
		Example: `  muster account set physics --rate 12,4
  muster account set biology --label-limit none --no-free=false`,
		Args: oneArg(accountArg),
		RunE: func(cmd *cobra.Command, args []string) error {
			account, fields, err := f.read(cmd, args[0])
			if err != nil {
				return err
			}
			if len(fields) == 0 {
				return job.Errorf(job.Invalid, "say what to change of account %s, e.g. --rate 4", args[0])
			}
			return a.with(needData, func(ctx context.Context, l *link, _ []string) error {
				if _, err := l.Accounts(f.pool).Set(ctx, account, fields...); err != nil {
					return err
				}
				a.say("Account %s is changed.", account.Name)
				return nil
			})(cmd, args)
		},
	}
	f.add(cmd)
	return cmd
}

func accountResetCmd(a *app) *cobra.Command {
	var pool string
	cmd := &cobra.Command{
		Use: "reset ACCOUNT...", Short: "Make balances zero: what was saved, and what is owed",
		Example: `  muster account reset physics`,
		Args:    cobra.MinimumNArgs(1),
		RunE: a.with(needData, func(ctx context.Context, l *link, args []string) error {
			for _, name := range args {
				if _, err := l.Accounts(pool).Reset(ctx, name); err != nil {
					return err
				}
				a.say("The balance of account %s is zero.", name)
			}
			return nil
		}),
	}
	poolFlag(cmd, &pool)
	return cmd
}

func accountRmCmd(a *app) *cobra.Command {
	var pool string
	cmd := &cobra.Command{
		Use: "rm ACCOUNT...", Aliases: []string{"remove"}, Short: "Remove accounts; what runs of them goes on, for free",
		Example: `  muster account rm visitors`,
		Args:    cobra.MinimumNArgs(1),
		RunE: a.with(needData, func(ctx context.Context, l *link, args []string) error {
			for _, name := range args {
				if err := l.Accounts(pool).Remove(ctx, name); err != nil {
					return err
				}
				a.say("Account %s is removed.", name)
			}
			return nil
		}),
	}
	poolFlag(cmd, &pool)
	return cmd
}

func accountDefaultCmd(a *app) *cobra.Command {
	return &cobra.Command{
		Use: "default [ACCOUNT | none]", Short: "Say, or show, who pays for jobs that name no account",
		Long: `The default account of a namespace pays for jobs that name no account, neither by
themselves nor by their queue ("muster queue set QUEUE --account ACCOUNT").`,
		Example: `  muster account default visitors
  muster account default none
  muster account default`,
		Args: cobra.MaximumNArgs(1),
		RunE: a.with(needData, func(ctx context.Context, l *link, args []string) error {
			if len(args) == 0 {
				s, err := l.Summary(ctx)
				if err != nil {
					return err
				}
				_, err = fmt.Fprintln(a.out, cmp.Or(s.DefaultAccount, noAccount))
				return err
			}
			return a.setDefaultAccount(ctx, l, args[0])
		}),
	}
}

// noAccount is said in place of an account for nobody.
const noAccount = "none"

func (a *app) setDefaultAccount(ctx context.Context, l *link, name string) error {
	if name == noAccount {
		if err := l.SetDefaultAccount(ctx, ""); err != nil {
			return err
		}
		a.say("Nobody pays for jobs that name no account.")
		return nil
	}
	if err := l.SetDefaultAccount(ctx, name); err != nil {
		return err
	}
	a.say("Account %s pays for jobs that name no account.", name)
	a.warnOfAccounts(ctx, l, name)
	return nil
}

// warnOfAccounts tells a person which of the accounts that were named do not exist.
// It is only a word of advice: what cannot be found out is passed over.
func (a *app) warnOfAccounts(ctx context.Context, l *link, names ...string) {
	for _, name := range names {
		if _, err := l.Accounts("").Get(ctx, name); job.IsKind(err, job.NotFound) {
			a.say("%s there is no account %s: what names it runs for free, after all that is paid for. \"muster account list\" shows the accounts there are, \"muster account add %[2]s\" makes it.",
				a.err.Paint(output.Yellow, "Warning:"), output.Clean(name))
		}
	}
}
