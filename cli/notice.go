package cli

import (
	"cmp"
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/muster-queue/muster/api"
	"github.com/muster-queue/muster/cli/output"
	"github.com/muster-queue/muster/client"
	"github.com/muster-queue/muster/job"
	"github.com/muster-queue/muster/notice"
)

const noticeArg = "the name of a notice; \"muster notice list\" shows them"

func noticeCmd(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "notice",
		Short: "Tell others when jobs or groups end: by a webhook or a command",
		Long: `Notice keeps notices: each says which jobs it is about, of what to tell, and whom: a
URL, which gets a signed POST, or a command, which is added as a job. What is to be
told is kept with the end of the job, and tried for a day: nothing is left untold
over restarts. docs/notices.md has what is sent.`,
		Args: noArgs,
	}
	cmd.AddCommand(noticeAddCmd(a), noticeSetCmd(a), noticeListCmd(a), noticeShowCmd(a), noticeTestCmd(a),
		noticePauseCmd(a, true), noticePauseCmd(a, false), noticeRmCmd(a), noticeDeadCmd(a))
	return cmd
}

// noticeFlags are the settings of a notice on the command line.
type noticeFlags struct {
	app                        *app
	group, queue, key, account string
	on                         []string
	url, command, hookQueue    string
	giveUp, secret             string
	paused                     bool
}

// noticeFields are the flags of settings with their names in the API.
var noticeFields = map[string]string{
	"group": "group", "queue": "queue", "key": "key", "account": "account", "on": "on", "url": "url", "command": "job",
	"give-up": "give_up", "paused": "paused",
}

func addNoticeFlags(a *app, cmd *cobra.Command) *noticeFlags {
	f := &noticeFlags{app: a}
	fs := cmd.Flags()
	fs.SortFlags = false
	fs.StringVarP(&f.group, "group", "i", "", "tell of the jobs of this `GROUP`")
	fs.StringVarP(&f.queue, "queue", "q", "", "tell of the jobs of this `QUEUE`")
	fs.StringVar(&f.key, "key", "", "tell of the job with this `KEY`, in --queue")
	fs.StringVar(&f.account, "account", "", "tell of the jobs that this `ACCOUNT` pays for")
	fs.StringSliceVar(&f.on, "on", nil, "of `WHAT` to tell: end (complete or buried; the default), complete, buried, failed (each failed attempt), lost, group_end (no unfinished job of --group is left); may be repeated")
	fs.StringVar(&f.url, "url", "", "send it to this `URL`, http or https, by POST")
	fs.StringVar(&f.command, "command", "", "add a job that runs this `LINE` of shell, with what happened in its environment as MUSTER_NOTICE_...")
	fs.StringVar(&f.hookQueue, "hook-queue", "", "the `QUEUE` that --command is added to")
	fs.StringVar(&f.giveUp, "give-up", "", "try a delivery for this `TIME` (default 1d)")
	fs.StringVar(&f.secret, "secret", "", "sign with this `SECRET`, whsec_...; one is made when it is not given")
	fs.BoolVar(&f.paused, "paused", false, "keep what is to be told until \"muster notice resume\"")
	return f
}

// read is the notice that the flags describe, and the fields that were given.
func (f *noticeFlags) read(cmd *cobra.Command, name string) (n *notice.Notice, fields []string, err error) {
	n = &notice.Notice{Name: name, Group: f.group, Queue: f.queue, Account: f.account, URL: f.url, Paused: f.paused}
	if n.Key, err = api.ParseKey(f.key); err != nil {
		return nil, nil, err
	}
	if n.On, err = notice.ParseEvents(f.on); err != nil {
		return nil, nil, err
	}
	if n.GiveUp, err = timeFlag("give-up", f.giveUp, 0); err != nil {
		return nil, nil, err
	}
	if f.command != "" {
		n.Job = &job.Job{Queue: f.hookQueue, Command: &job.Command{Line: f.command, Dir: f.app.Dir, DirGiven: true}}
	}
	if f.hookQueue != "" && f.command == "" {
		return nil, nil, job.Errorf(job.Invalid, "--hook-queue says where --command goes: give that, too")
	}
	for flag, field := range noticeFields {
		if cmd.Flags().Changed(flag) {
			fields = append(fields, field)
		}
	}
	return n, fields, nil
}

func noticeAddCmd(a *app) *cobra.Command {
	var f *noticeFlags
	cmd := &cobra.Command{
		Use: "add NAME", Short: "Make a notice; the secret that it signs with is shown only now",
		Long: `Add makes a notice. Without --group, --queue, --key or --account it tells of every
job. The jobs that --command adds are of no notice. Making a notice has the server
send requests, so that it takes an operator's token.`,
		Example: `  muster notice add done --group nightly --on group_end --url https://example.org/hook
  muster notice add trouble --on buried --command 'mail -s "$MUSTER_NOTICE_KEY" me'`,
		Args: oneArg("a name to know the notice by"),
	}
	f = addNoticeFlags(a, cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		n, _, err := f.read(cmd, args[0])
		if err == nil {
			err = n.Validate()
		}
		if err != nil {
			return err
		}
		return a.with(needStore, func(ctx context.Context, l *link, _ []string) error {
			_, secret, err := l.AddNotice(ctx, n, f.secret)
			if err != nil {
				return err
			}
			if n.URL == "" {
				a.say("Notice %s tells of %s: %s.", n.Name, n.Scope(), strings.Join(n.On.Words(), ", "))
				return nil
			}
			a.say("Notice %s tells of %s: %s. Its secret is not shown again:", n.Name, n.Scope(), strings.Join(n.On.Words(), ", "))
			fmt.Fprintln(a.out, secret)
			return nil
		})(cmd, args)
	}
	return cmd
}

func noticeSetCmd(a *app) *cobra.Command {
	var f *noticeFlags
	cmd := &cobra.Command{
		Use: "set NAME", Short: "Change a notice",
		Long: `Set changes what is given. What is still to be delivered goes where the notice then
says.`,
		Example: `  muster notice set done --url https://example.org/other
  muster notice set done --secret whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIz`,
		Args: oneArg(noticeArg),
	}
	f = addNoticeFlags(a, cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		n, fields, err := f.read(cmd, args[0])
		if err != nil {
			return err
		}
		if len(fields) == 0 && f.secret == "" {
			return job.Errorf(job.Invalid, "nothing to change: give flags")
		}
		if len(fields) == 0 {
			fields = []string{"name"}
		}
		return a.with(needStore, func(ctx context.Context, l *link, _ []string) error {
			i, err := l.SetNotice(ctx, n, f.secret, fields...)
			if err == nil {
				a.say("Notice %s tells of %s: %s.", i.Name, i.Scope(), strings.Join(i.On.Words(), ", "))
			}
			return err
		})(cmd, args)
	}
	return cmd
}

// noticeColumn is one field of a listing of notices.
type noticeColumn struct {
	output.Column
	value func(*client.NoticeInfo) any
}

var noticeColumns = []noticeColumn{
	{output.Column{Name: "notice", Stretch: true}, func(i *client.NoticeInfo) any { return i.Name }},
	{output.Column{Name: "scope", Stretch: true}, func(i *client.NoticeInfo) any { return i.Scope() }},
	{output.Column{Name: "on"}, func(i *client.NoticeInfo) any { return i.On.Words() }},
	{output.Column{Name: "target", Stretch: true}, noticeTarget},
	{output.Column{Name: "pending", Right: true}, func(i *client.NoticeInfo) any { return i.Pending }},
	{output.Column{Name: "delivered", Right: true}, func(i *client.NoticeInfo) any { return i.Delivered }},
	{output.Column{Name: "dead", Right: true}, func(i *client.NoticeInfo) any { return i.Dead }},
	{output.Column{Name: "paused", Detail: true}, func(i *client.NoticeInfo) any { return i.Paused }},
	{output.Column{Name: "queue", Detail: true}, func(i *client.NoticeInfo) any { return hookQueue(i) }},
	{output.Column{Name: "give_up", Detail: true}, func(i *client.NoticeInfo) any { return cmp.Or(i.GiveUp, notice.DefaultGiveUp) }},
	{output.Column{Name: "last", Detail: true}, func(i *client.NoticeInfo) any { return i.Last }},
	{output.Column{Name: "made", Detail: true}, func(i *client.NoticeInfo) any { return i.Made }},
	{output.Column{Name: "error", Detail: true}, func(i *client.NoticeInfo) any { return unless(i.Error, "") }},
}

// noticeTarget is where a notice goes to.
func noticeTarget(i *client.NoticeInfo) any {
	if i.Job != nil {
		return jobText(i.Job)
	}
	return i.URL
}

func hookQueue(i *client.NoticeInfo) any {
	if i.Job == nil {
		return nil
	}
	return i.Job.QueueName()
}

func noticeListCmd(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use: "list", Aliases: []string{"ls"}, Short: "List the notices, with how many deliveries they made",
		Example: `  muster notice list`,
		Args:    noArgs,
		RunE: a.with(needData, func(ctx context.Context, l *link, _ []string) error {
			columns := make([]output.Column, len(noticeColumns))
			for i, c := range noticeColumns {
				columns[i] = c.Column
			}
			list, err := a.listing(columns...)
			if err != nil {
				return err
			}
			n := 0
			for i, err := range l.Notices(ctx) {
				if err != nil {
					return err
				}
				n++
				row := make([]any, len(noticeColumns))
				for c := range noticeColumns {
					row[c] = noticeColumns[c].value(i)
				}
				if err := list.Row(row...); err != nil {
					return err
				}
			}
			if n == 0 && a.table() {
				a.say("There are no notices; \"muster notice add\" makes one.")
			}
			return list.Close()
		}),
	}
	a.formatFlag(cmd, "")
	return cmd
}

func noticeShowCmd(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use: "show NAME", Short: "Show a notice: its settings and what came of it",
		Example: `  muster notice show done`,
		Args:    oneArg(noticeArg),
		RunE: a.with(needData, func(ctx context.Context, l *link, args []string) error {
			i, err := l.Notice(ctx, args[0])
			if err != nil {
				return err
			}
			list, err := a.listing(output.Column{Name: "setting"}, output.Column{Name: "value", Stretch: true})
			if err != nil {
				return err
			}
			for _, c := range noticeColumns {
				if err := list.Row(c.Name, c.value(i)); err != nil {
					return err
				}
			}
			return list.Close()
		}),
	}
	a.formatFlag(cmd, "")
	return cmd
}

func noticeTestCmd(a *app) *cobra.Command {
	return &cobra.Command{
		Use: "test NAME", Short: "Deliver a made-up event now, and tell whether it arrived",
		Example: `  muster notice test done`,
		Args:    oneArg(noticeArg),
		RunE: a.with(needStore, func(ctx context.Context, l *link, args []string) error {
			id, err := l.TestNotice(ctx, args[0])
			if err == nil {
				a.say("Delivered, as %s.", id)
			}
			return err
		}),
	}
}

func noticePauseCmd(a *app, pause bool) *cobra.Command {
	cmd := &cobra.Command{
		Use: "resume NAME", Short: "Let a paused notice tell again, also of what happened meanwhile",
		Example: `  muster notice resume done`,
		Args:    oneArg(noticeArg),
		RunE: a.with(needStore, func(ctx context.Context, l *link, args []string) error {
			i, err := l.SetNotice(ctx, &notice.Notice{Name: args[0], Paused: pause}, "", "paused")
			switch {
			case err != nil:
				return err
			case i.Paused:
				a.say("Notice %s is paused; what is to be told is kept.", i.Name)
			default:
				a.say("Notice %s tells of %s.", i.Name, i.Scope())
			}
			return nil
		}),
	}
	if pause {
		cmd.Use, cmd.Short, cmd.Example = "pause NAME", "Keep what is to be told until the notice is resumed", "  muster notice pause done"
	}
	return cmd
}

func noticeRmCmd(a *app) *cobra.Command {
	return &cobra.Command{
		Use: "rm NAME", Aliases: []string{"remove"}, Short: "Remove a notice, and all it has yet to deliver",
		Example: `  muster notice rm done`,
		Args:    oneArg(noticeArg),
		RunE: a.with(needStore, func(ctx context.Context, l *link, args []string) error {
			if err := l.RemoveNotice(ctx, args[0]); err != nil {
				return err
			}
			a.say("Notice %s is removed.", args[0])
			return nil
		}),
	}
}
