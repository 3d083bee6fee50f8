package cli

import (
	"context"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/muster-queue/muster/cli/output"
	"github.com/muster-queue/muster/client"
	"github.com/muster-queue/muster/cron"
	"github.com/muster-queue/muster/job"
)

const scheduleArg = "the name of a schedule; \"muster cron list\" shows them"

func cronCmd(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "cron",
		Short: "Add jobs again and again, by the clock",
		Long: `Cron keeps schedules: each adds a job at its times, as long as a server runs. The
times are those of crontab, in a time zone; no time makes two jobs, whatever
restarts, and what is missed while no server runs is made up for as the schedule
says. docs/periodic.md has the rules.`,
		Args: noArgs,
	}
	cmd.AddCommand(cronAddCmd(a), cronSetCmd(a), cronListCmd(a), cronShowCmd(a), cronNextCmd(a),
		cronRunCmd(a), cronPauseCmd(a, true), cronPauseCmd(a, false), cronRmCmd(a))
	return cmd
}

// cronFlags are the settings of a schedule on the command line.
type cronFlags struct {
	submission
	zone, missed, overlap string
	missedMax             int
	start, end            string
	paused                bool
}

// cronFields are the flags of settings with their names in the API.
var cronFields = map[string]string{
	"tz": "zone", "missed": "missed", "missed-max": "missed_max", "overlap": "overlap", "start": "start", "end": "end", "paused": "paused",
}

func addCronFlags(a *app, cmd *cobra.Command) *cronFlags {
	f := &cronFlags{submission: submission{app: a}}
	fs := cmd.Flags()
	fs.SortFlags = false
	fs.StringVar(&f.zone, "tz", "", "the time `ZONE` of the times, e.g. Europe/Berlin (default UTC)")
	fs.StringVar(&f.missed, "missed", "", "`WHAT` about times that pass while no server runs: once (one job for all of them; the default), skip or all")
	fs.IntVar(&f.missedMax, "missed-max", 0, "with --missed all, make jobs for the newest `N` at most (default 10)")
	fs.StringVar(&f.overlap, "overlap", "", "`WHAT` at a time at which the last job is unfinished: skip (the default), allow, or replace, which cancels it")
	fs.StringVar(&f.start, "start", "", "no time before this `TIME`, e.g. 2d (from now) or 2030-01-02T15:04:05Z")
	fs.StringVar(&f.end, "end", "", "no time at or after this `TIME`")
	fs.BoolVar(&f.paused, "paused", false, "do not fire before \"muster cron resume\"")
	f.jobs = a.addJobFlags(cmd)
	return f
}

// read sets what the flags say, and names the fields that were given.
func (f *cronFlags) read(cmd *cobra.Command, s *cron.Schedule) (fields []string, err error) {
	s.Zone, s.MissedMax, s.Paused = f.zone, f.missedMax, f.paused
	if s.Missed, err = cron.ParseMissed(f.missed); err != nil {
		return nil, err
	}
	if f.missedMax != 0 && cmd.Flags().Changed("missed") && s.Missed != cron.MissedAll {
		return nil, job.Errorf(job.Invalid, "--missed-max is for --missed all; %s makes one job at most", s.Missed)
	}
	if s.Overlap, err = cron.ParseOverlap(f.overlap); err != nil {
		return nil, err
	}
	if s.Start, err = ahead(f.start, f.app.now()); err != nil {
		return nil, job.Wrap(err, "", "--start")
	}
	if s.End, err = ahead(f.end, f.app.now()); err != nil {
		return nil, job.Wrap(err, "", "--end")
	}
	for flag, field := range cronFields {
		if cmd.Flags().Changed(flag) {
			fields = append(fields, field)
		}
	}
	return fields, nil
}

// ahead is a moment as people write it, or a time from now.
func ahead(text string, now time.Time) (job.Time, error) {
	if d, err := job.ParseDuration(text); err == nil {
		return job.TimeOf(now.Add(d).Truncate(time.Second)), nil
	}
	t, err := moment(text, time.Time{}, now)
	return job.TimeOf(t), err
}

// job is what the arguments after the dashes and the flags describe.
func (f *cronFlags) job(ctx context.Context, l *link, name string, command []string) (*job.Job, error) {
	if len(command) == 0 {
		return nil, job.Errorf(job.Invalid, `a command is missing; it follows "--"`)
	}
	if err := notQuoted(command, "... --", "... --"); err != nil {
		return nil, err
	}
	j, err := f.prepare(ctx, l, name)
	if err != nil {
		return nil, err
	}
	j.Command.Argv = command
	return j, nil
}

// dashed splits arguments at "--".
func dashed(cmd *cobra.Command, args []string) (before, after []string) {
	if n := cmd.ArgsLenAtDash(); n >= 0 {
		return args[:n], args[n:]
	}
	return args, nil
}

func cronAddCmd(a *app) *cobra.Command {
	var f *cronFlags
	cmd := &cobra.Command{
		Use: "add NAME SCHEDULE [flags] -- COMMAND [ARGUMENT...]", Short: "Make a schedule, which adds a job at its times",
		Long: `Add makes a schedule. SCHEDULE is one word for the shell:

  "30 3 * * mon-fri"   minute, hour, day of the month, month, day of the week
  @hourly @daily @weekly @monthly @yearly
  "@every 90s"         an interval, counted from now or --start
  "@after 5m"          5 minutes after the last job has ended

The jobs run COMMAND with what the flags say, in this directory and environment,
as with "muster add". Their keys are NAME@TIME and their group is NAME, if none is
given; MUSTER_CRON and MUSTER_CRON_TIME tell them what they were made for.`,
		Example: `  muster cron add nightly '0 3 * * *' --tz Europe/Berlin -- ./backup.sh /data
  muster cron add poll '@after 5m' -q watch -- ./poll.sh
  muster cron add report '0 8 1 * *' --missed all -m 4G -t 2h -- ./report.py`,
	}
	f = addCronFlags(a, cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		args, command := dashed(cmd, args)
		if len(args) != 2 {
			return job.Errorf(job.Invalid, `%s needs a name, a schedule in quotes and, after "--", a command`, cmd.CommandPath())
		}
		s := &cron.Schedule{Name: args[0], Expression: args[1]}
		if _, err := f.read(cmd, s); err != nil {
			return err
		}
		if _, err := cron.Parse(s.Expression, s.Zone, a.now()); err != nil {
			return err
		}
		return a.with(needStore, func(ctx context.Context, l *link, _ []string) (err error) {
			if s.Job, err = f.job(ctx, l, s.Name, command); err != nil {
				return err
			}
			i, err := l.AddSchedule(ctx, s)
			if err != nil {
				return err
			}
			a.sayNext(i)
			f.names(s.Job.Account)
			f.warnOfAccounts(ctx, l)
			if l.embedded {
				a.say("No server is running: a schedule fires only while one does (\"muster server\").")
			}
			return nil
		})(cmd, nil)
	}
	return cmd
}

// sayNext tells when a schedule fires.
func (a *app) sayNext(i *client.ScheduleInfo) {
	switch {
	case i.Paused:
		a.say("Schedule %s is paused.", i.Name)
	case !i.Next.IsZero() && i.Next.After(a.now()):
		a.say("Schedule %s fires at %s, in %s.", i.Name, zoned(i.Next, i.Zone), output.Short(i.Next.Sub(a.now())))
	case !i.Next.IsZero():
		a.say("Schedule %s fires now.", i.Name)
	case strings.HasPrefix(i.Expression, "@after"):
		a.say("Schedule %s fires when its last job has ended.", i.Name)
	default:
		a.say("Schedule %s does not fire any more.", i.Name)
	}
}

// zoned is a time in the schedule's zone.
func zoned(t time.Time, zone string) string {
	if l, err := time.LoadLocation(zone); err == nil {
		t = t.In(l)
	}
	return t.Format("2006-01-02 15:04:05 MST")
}

func cronSetCmd(a *app) *cobra.Command {
	var f *cronFlags
	cmd := &cobra.Command{
		Use: "set NAME [SCHEDULE] [flags] [-- COMMAND [ARGUMENT...]]", Short: "Change a schedule",
		Long: `Set changes what is given. Flags of jobs change the job that is there; with a
command, the job is made anew of it and the flags. Jobs that were made already stay
as they are. Times before the change are not made up for when the times change.`,
		Example: `  muster cron set nightly '30 2 * * *'
  muster cron set nightly --overlap replace -m 8G
  muster cron set nightly -- ./backup.sh /data /home`,
	}
	f = addCronFlags(a, cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		args, command := dashed(cmd, args)
		if len(args) < 1 || len(args) > 2 {
			return job.Errorf(job.Invalid, "%s needs one argument: %s; a new schedule may follow, in quotes", cmd.CommandPath(), scheduleArg)
		}
		s := &cron.Schedule{Name: args[0]}
		fields, err := f.read(cmd, s)
		if err != nil {
			return err
		}
		if len(args) == 2 {
			s.Expression = args[1]
			fields = append(fields, "expression")
		}
		return a.with(needStore, func(ctx context.Context, l *link, _ []string) error { return f.set(ctx, l, s, fields, command) })(cmd, nil)
	}
	return cmd
}

func (f *cronFlags) set(ctx context.Context, l *link, s *cron.Schedule, fields, command []string) (err error) {
	switch {
	case len(command) > 0:
		s.Job, err = f.job(ctx, l, s.Name, command)
	case f.jobs.given():
		var i *client.ScheduleInfo
		if i, err = l.Schedule(ctx, s.Name); err == nil {
			s.Job, err = f.jobs.fill(i.Job)
		}
	}
	if err != nil {
		return err
	}
	if s.Job != nil {
		fields = append(fields, "job")
	}
	if len(fields) == 0 {
		return job.Errorf(job.Invalid, "nothing to change: give a schedule, flags or a command")
	}
	i, err := l.SetSchedule(ctx, s, fields...)
	if err == nil {
		f.app.sayNext(i)
	}
	return err
}

func cronNextCmd(a *app) *cobra.Command {
	var count int
	var zone string
	cmd := &cobra.Command{
		Use: "next NAME|SCHEDULE", Short: "Show the times to come of a schedule, or of one that is not made yet",
		Example: `  muster cron next nightly
  muster cron next '0 3 * * *' --tz Europe/Berlin -N 3`,
		Args: oneArg("the name of a schedule, or a schedule in quotes"),
	}
	cmd.Flags().IntVarP(&count, "count", "N", 5, "show `N` times")
	cmd.Flags().StringVar(&zone, "tz", "", "the time `ZONE` of a schedule in quotes (default UTC)")
	a.formatFlag(cmd, "")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if count < 1 || count > cron.MaxMissed {
			return job.Errorf(job.Invalid, "--count %d: it is from 1 to %d", count, cron.MaxMissed)
		}
		if strings.ContainsAny(args[0], " @") {
			s := &cron.Schedule{Expression: args[0], Zone: zone}
			return a.showTimes(s, a.now(), a.now(), count)
		}
		return a.with(needData, func(ctx context.Context, l *link, args []string) error {
			i, err := l.Schedule(ctx, args[0])
			if err != nil {
				return err
			}
			if i.Paused {
				a.say("Schedule %s is paused; these would be its times.", i.Name)
			}
			anchor := i.Made
			if i.Start != 0 {
				anchor = i.Start.Std()
			}
			return a.showTimes(&i.Schedule, anchor, a.now(), count)
		})(cmd, args)
	}
	return cmd
}

func (a *app) showTimes(s *cron.Schedule, anchor, now time.Time, count int) error {
	e, err := cron.Parse(s.Expression, s.Zone, anchor)
	if err != nil {
		return err
	}
	if e.After() != 0 {
		return job.Errorf(job.Invalid, "%s: its times follow the ends of its jobs, not the clock", e)
	}
	list, err := a.listing(output.Column{Name: "time"}, output.Column{Name: "utc"}, output.Column{Name: "in", Right: true})
	if err != nil {
		return err
	}
	for at := s.Next(e, now); !at.IsZero() && count > 0; count, at = count-1, s.Next(e, at) {
		if err := list.Row(zoned(at, s.Zone), at.UTC().Format(time.RFC3339), at.Sub(now)); err != nil {
			return err
		}
	}
	return list.Close()
}
