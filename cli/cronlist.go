package cli

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/muster-queue/muster/api"
	"github.com/muster-queue/muster/cli/output"
	"github.com/muster-queue/muster/client"
	"github.com/muster-queue/muster/cron"
	"github.com/muster-queue/muster/job"
)

// cronColumn is one field of a listing of schedules.
type cronColumn struct {
	output.Column
	value func(*client.ScheduleInfo) any
}

var cronColumns = []cronColumn{
	{output.Column{Name: "schedule", Stretch: true}, func(i *client.ScheduleInfo) any { return i.Name }},
	{output.Column{Name: "times", Stretch: true}, func(i *client.ScheduleInfo) any { return i.Expression }},
	{output.Column{Name: "zone"}, func(i *client.ScheduleInfo) any { return unless(i.Zone, "") }},
	{output.Column{Name: "next"}, func(i *client.ScheduleInfo) any { return i.Next }},
	{output.Column{Name: "last"}, func(i *client.ScheduleInfo) any { return i.Last.Made }},
	{output.Column{Name: "result"}, func(i *client.ScheduleInfo) any { return output.State(i.Last.State) }},
	{output.Column{Name: "command", Stretch: true}, func(i *client.ScheduleInfo) any { return jobText(i.Job) }},
	{output.Column{Name: "reason", Detail: true}, func(i *client.ScheduleInfo) any { return unless(i.Last.Reason, "") }},
	{output.Column{Name: "exit_code", Detail: true}, lastExit},
	{output.Column{Name: "last_key", Detail: true}, func(i *client.ScheduleInfo) any { return unless(api.KeyText(i.Last.Key), "") }},
	{output.Column{Name: "last_time", Detail: true}, func(i *client.ScheduleInfo) any { return i.Last.At }},
	{output.Column{Name: "last_ended", Detail: true}, func(i *client.ScheduleInfo) any { return i.Last.Ended }},
	{output.Column{Name: "fired", Detail: true}, func(i *client.ScheduleInfo) any { return i.Fired }},
	{output.Column{Name: "skipped", Detail: true}, func(i *client.ScheduleInfo) any { return i.Skipped }},
	{output.Column{Name: "missed", Detail: true}, func(i *client.ScheduleInfo) any { return i.Missed }},
	{output.Column{Name: "if_missed", Detail: true}, func(i *client.ScheduleInfo) any { return i.Schedule.Missed.String() }},
	{output.Column{Name: "missed_max", Detail: true}, func(i *client.ScheduleInfo) any { return unless(i.MissedMax, 0) }},
	{output.Column{Name: "overlap", Detail: true}, func(i *client.ScheduleInfo) any { return i.Overlap.String() }},
	{output.Column{Name: "paused", Detail: true}, func(i *client.ScheduleInfo) any { return i.Paused }},
	{output.Column{Name: "start", Detail: true}, func(i *client.ScheduleInfo) any { return i.Start.Std() }},
	{output.Column{Name: "end", Detail: true}, func(i *client.ScheduleInfo) any { return i.End.Std() }},
	{output.Column{Name: "queue", Detail: true}, func(i *client.ScheduleInfo) any { return i.Job.QueueName() }},
	{output.Column{Name: "made", Detail: true}, func(i *client.ScheduleInfo) any { return i.Made }},
	{output.Column{Name: "error", Detail: true}, func(i *client.ScheduleInfo) any { return unless(i.Error, "") }},
}

// lastExit is the exit code of the last job, if that has ended.
func lastExit(i *client.ScheduleInfo) any {
	if i.Last.State != job.Complete.String() && i.Last.State != job.Buried.String() {
		return nil
	}
	return i.Last.Exit
}

// jobText is what a job does, for people.
func jobText(j *job.Job) string {
	if j == nil || j.Command == nil {
		return fmt.Sprintf("(%d bytes of data)", len(j.Data))
	}
	return j.Command.String()
}

func cronListCmd(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use: "list", Aliases: []string{"ls"}, Short: "List the schedules: when they fire, and what came of the last time",
		Example: `  muster cron list
  muster cron list -o json`,
		Args: noArgs,
		RunE: a.with(needData, func(ctx context.Context, l *link, _ []string) error { return a.listSchedules(ctx, l) }),
	}
	a.formatFlag(cmd, "")
	return cmd
}

func (a *app) listSchedules(ctx context.Context, l *link) error {
	columns := make([]output.Column, len(cronColumns))
	for i, c := range cronColumns {
		columns[i] = c.Column
	}
	list, err := a.listing(columns...)
	if err != nil {
		return err
	}
	n := 0
	for i, err := range l.Schedules(ctx) {
		if err != nil {
			return err
		}
		n++
		if err := list.Row(a.cronRow(i)...); err != nil {
			return err
		}
	}
	if n == 0 && a.table() {
		a.say("There are no schedules; \"muster cron add\" makes one.")
	}
	return list.Close()
}

func (a *app) cronRow(i *client.ScheduleInfo) []any {
	row := make([]any, len(cronColumns))
	for c := range cronColumns {
		row[c] = cronColumns[c].value(i)
		if cronColumns[c].Name == "next" && a.table() {
			row[c] = a.nextCell(i)
		}
	}
	return row
}

// nextCell is when a schedule fires, as a table shows it.
func (a *app) nextCell(i *client.ScheduleInfo) any {
	switch {
	case i.Paused:
		return "paused"
	case i.Next.IsZero():
		return nil
	case i.Next.After(a.now()):
		return "in " + output.Short(i.Next.Sub(a.now()).Round(time.Second))
	}
	return "now"
}

func cronShowCmd(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use: "show NAME", Short: "Show a schedule: its settings and what came of it",
		Example: `  muster cron show nightly`,
		Args:    oneArg(scheduleArg),
		RunE: a.with(needData, func(ctx context.Context, l *link, args []string) error {
			i, err := l.Schedule(ctx, args[0])
			if err != nil {
				return err
			}
			list, err := a.listing(output.Column{Name: "setting"}, output.Column{Name: "value", Stretch: true})
			if err != nil {
				return err
			}
			for _, c := range cronColumns {
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

func cronRunCmd(a *app) *cobra.Command {
	return &cobra.Command{
		Use: "run NAME", Short: "Add a job of a schedule now; its times stay as they are",
		Example: `  muster cron run nightly`,
		Args:    oneArg(scheduleArg),
		RunE: a.with(needStore, func(ctx context.Context, l *link, args []string) error {
			i, err := l.RunSchedule(ctx, args[0])
			if err == nil {
				a.say("Job %s is added.", api.KeyText(i.Last.Key))
			}
			return err
		}),
	}
}

func cronPauseCmd(a *app, pause bool) *cobra.Command {
	cmd := &cobra.Command{
		Use: "resume NAME", Short: "Let a paused schedule fire again; what it missed is not made up for",
		Example: `  muster cron resume nightly`,
		Args:    oneArg(scheduleArg),
		RunE: a.with(needStore, func(ctx context.Context, l *link, args []string) error {
			i, err := l.SetSchedule(ctx, &cron.Schedule{Name: args[0], Paused: pause}, "paused")
			if err == nil {
				a.sayNext(i)
			}
			return err
		}),
	}
	if pause {
		cmd.Use, cmd.Short, cmd.Example = "pause NAME", "Let a schedule not fire until it is resumed", "  muster cron pause nightly"
	}
	return cmd
}

func cronRmCmd(a *app) *cobra.Command {
	return &cobra.Command{
		Use: "rm NAME", Aliases: []string{"remove"}, Short: "Remove a schedule; the jobs it made stay",
		Example: `  muster cron rm nightly`,
		Args:    oneArg(scheduleArg),
		RunE: a.with(needStore, func(ctx context.Context, l *link, args []string) error {
			if err := l.RemoveSchedule(ctx, args[0]); err != nil {
				return err
			}
			a.say("Schedule %s is removed.", args[0])
			return nil
		}),
	}
}
