package cli

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/muster-queue/muster/cli/output"
	"github.com/muster-queue/muster/client"
	"github.com/muster-queue/muster/job"
)

func quotaCmd(a *app) *cobra.Command {
	q := &quota{app: a}
	cmd := &cobra.Command{
		Use: "quota [ACCOUNT...]", Short: "Show who has the machines, and what each account has left",
		Long: `Quota shows, for each account, what its running jobs take of the machines, by the
level at which they are paid, beside what its rate gives it; and below, for each
level, the rate, the running and the ready jobs, and the balance: for how long it
could pay for one worker more than its rate. A balance below zero is owed.
docs/quota.md explains levels, rates and balances.

Ready jobs stand at the level at which the next of them would start.`,
		Example: `  muster quota
  muster quota --watch
  muster quota physics -o json
  muster quota --pool lab`,
	}
	f := cmd.Flags()
	f.SortFlags = false
	f.BoolVarP(&q.watch, "watch", "w", false, "show it again and again, until Ctrl-C")
	f.StringVar(&q.every, "every", "2s", "with --watch: every so much `TIME`")
	poolFlag(cmd, &q.pool)
	a.formatFlag(cmd, "")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if err := q.settle(args); err != nil {
			return err
		}
		return a.with(needData, q.run)(cmd, args)
	}
	return cmd
}

// quota is what the command shows, and how often.
type quota struct {
	app    *app
	pool   string
	names  []string
	watch  bool
	every  string
	period time.Duration
	format output.Format
}

// leastPeriod keeps a watch from being a burden.
const leastPeriod = 100 * time.Millisecond

func (q *quota) settle(names []string) (err error) {
	q.names = names
	if q.format, err = output.ParseFormat(q.app.format); err != nil {
		return err
	}
	q.period, err = timeFlag("every", q.every, 0)
	if err == nil && q.period < leastPeriod {
		err = job.Errorf(job.Invalid, "--every %s: it must be at least %v", q.every, leastPeriod)
	}
	return err
}

func (q *quota) run(ctx context.Context, l *link, _ []string) error {
	if !q.watch {
		s, err := q.look(ctx, l)
		if err != nil {
			return err
		}
		return s.show(q.app.out, q.format)
	}
	screen := output.NewRedraw(q.app.out)
	for {
		s, err := q.look(ctx, l)
		if ctx.Err() != nil {
			return nil // Ctrl-C is how a watch ends
		}
		if err != nil {
			return err
		}
		if q.format != output.Table {
			err = s.show(q.app.out, q.format)
		} else {
			err = screen.Draw(func(canvas *output.Screen) error { return s.watched(canvas, q.app.now()) })
		}
		if err != nil || !pause(ctx, q.period) {
			return err
		}
	}
}

// look is how accounts stand now.
func (q *quota) look(ctx context.Context, l *link) (*sharing, error) {
	s := &sharing{}
	for a, err := range l.Accounts(q.pool).All(ctx) {
		if err != nil {
			return nil, err
		}
		s.running += sum(a.Running[:])
		if len(q.names) == 0 || slices.Contains(q.names, a.Name) {
			s.accounts = append(s.accounts, a)
		}
	}
	for _, name := range q.names {
		if !slices.ContainsFunc(s.accounts, func(a *client.AccountInfo) bool { return a.Name == name }) {
			return nil, job.Errorf(job.NotFound, "there is no account %s; \"muster account list\" shows those there are", name)
		}
	}
	if q.pool != "" {
		return s, nil
	}
	n, err := l.Summary(ctx)
	if err != nil {
		return nil, err
	}
	s.machines, s.others = n.Workers, max(n.Counts[job.Running]+n.Counts[job.Lost]-s.running, 0)
	return s, nil
}

// sharing is how accounts stand at a moment.
type sharing struct {
	accounts []*client.AccountInfo
	// running are the jobs of all accounts, others those that run and have none.
	running, others int64
	// machines is how many workers there are; zero: not known.
	machines int64
}

// show shows it once.
func (s *sharing) show(screen *output.Screen, format output.Format) error {
	if format != output.Table {
		return s.rows(screen, format)
	}
	if len(s.accounts) == 0 {
		_, err := fmt.Fprintln(screen, "There are no accounts: all jobs are equal. \"muster account add\" makes one.")
		return err
	}
	if err := s.chart(screen); err != nil {
		return err
	}
	fmt.Fprintln(screen)
	if err := s.levels(screen); err != nil {
		return err
	}
	if s.others > 0 {
		fmt.Fprintf(screen, "\n%s of no account %s for free.\n", plural(s.others, "job"), verb(s.others))
	}
	return nil
}

func verb(n int64) string {
	if n == 1 {
		return "runs"
	}
	return "run"
}

// watched shows it with the time.
func (s *sharing) watched(screen *output.Screen, now time.Time) error {
	fmt.Fprintf(screen, "%s\n\n", screen.Paint(output.Grey, now.Format("15:04:05")))
	return s.show(screen, output.Table)
}

// levelLook is how a level is shown; the last is that of what nobody pays for.
var levelLook = [job.QuotaLevels + 1]struct {
	word, sign string
	colour     output.Colour
}{
	{"0", "0", output.Green}, {"1", "1", output.Cyan}, {"2", "2", output.Blue},
	{"3", "3", output.Magenta}, {"4", "4", output.Yellow}, {"free", "f", output.Grey},
}

// level is a level as a cell of a table, in its colour.
type level int

// String is its word.
func (l level) String() string { return levelLook[l].word }

// Colour is that of its part in bars.
func (l level) Colour() output.Colour { return levelLook[l].colour }

// chart is a bar for each account: what it uses by level, and its rate.
func (s *sharing) chart(screen *output.Screen) error {
	used := "workers used, by level (| is the rate)"
	if screen.Colour {
		used = "workers used, by level (│ is the rate)"
	}
	list := output.NewListing(screen, output.Table, output.Column{Name: "account", Stretch: true},
		output.Column{Name: "workers", Right: true}, output.Column{Name: "share", Right: true}, output.Column{Name: used, Bar: 60})
	scale := 0.0
	for _, a := range s.accounts {
		scale = max(scale, sum(a.Workers[:]), sum(a.Rate[:]))
	}
	for _, a := range s.accounts {
		bar := output.Bar{Scale: scale, Marked: true, Mark: sum(a.Rate[:])}
		for n, w := range a.Workers {
			bar.Parts = append(bar.Parts, output.Part{Value: w, Sign: levelLook[n].sign, Colour: levelLook[n].colour})
		}
		if err := list.Row(a.Name, rounded(sum(a.Workers[:])), s.share(a), bar); err != nil {
			return err
		}
	}
	return list.Close()
}

// share is how much of the machines an account uses, where their number is known.
func (s *sharing) share(a *client.AccountInfo) any {
	if s.machines == 0 {
		return nil
	}
	return fmt.Sprintf("%.0f%%", 100*sum(a.Workers[:])/float64(s.machines))
}

// levels is a line for each level of each account that has or uses anything.
func (s *sharing) levels(screen *output.Screen) error {
	list := output.NewListing(screen, output.Table, output.Column{Name: "account", Stretch: true},
		output.Column{Name: "level"}, output.Column{Name: "rate", Right: true},
		output.Column{Name: "running", Right: true}, output.Column{Name: "ready", Right: true},
		output.Column{Name: "balance", Right: true}, output.Column{Name: "cap", Right: true}, output.Column{Name: "saved", Bar: 30})
	for _, a := range s.accounts {
		name := a.Name
		rows := levelRows(a)
		idle := !slices.ContainsFunc(rows, levelRow.shown)
		for i := range rows {
			r := &rows[i]
			if !r.shown() && !(idle && i == 0) {
				continue
			}
			balance, limit, bar := any(nil), any(nil), any(nil)
			if int(r.level) < job.QuotaLevels {
				balance, limit, bar = owing(r.balance), workTime(r.limit), r.bar()
			}
			rate := any(nil)
			if r.rate != 0 {
				rate = rounded(r.rate)
			}
			if err := list.Row(name, r.level, rate, unless(r.running, 0), unless(r.ready, 0), balance, limit, bar); err != nil {
				return err
			}
			name = ""
		}
	}
	return list.Close()
}

// levelRow is a level of an account.
type levelRow struct {
	level                level
	rate, balance, limit float64
	running, ready       int64
	workers              float64
}

// levelRows are the levels of an account, the last for what is free.
func levelRows(a *client.AccountInfo) []levelRow {
	rows := make([]levelRow, len(a.Running))
	next, limit := nextLevel(a), a.Cap()
	for n := range rows {
		rows[n] = levelRow{level: level(n), running: a.Running[n], workers: a.Workers[n]}
		if n < job.QuotaLevels {
			rows[n].rate, rows[n].balance, rows[n].limit = a.Rate[n], a.Balance[n], limit[n]
		}
		if n == next {
			rows[n].ready = a.Ready
		}
	}
	return rows
}

// nextLevel is the level at which the next job of an account would start.
func nextLevel(a *client.AccountInfo) int {
	for n, b := range a.Balance {
		if b > 0 {
			return n
		}
	}
	return job.QuotaLevels
}

func (r levelRow) shown() bool {
	return r.rate != 0 || r.balance != 0 || r.running != 0 || r.ready != 0
}

// bar is the balance beside its limit; what is owed is red.
func (r levelRow) bar() output.Bar {
	part := output.Part{Value: r.balance, Sign: "=", Colour: r.level.Colour()}
	if r.balance < 0 {
		part = output.Part{Value: -r.balance, Sign: "-", Colour: output.Red}
	}
	scale := cmp.Or(r.limit, math.Abs(r.balance))
	return output.Bar{Parts: []output.Part{part}, Scale: scale, Marked: true, Mark: scale}
}

// workTime is quota for people: the time of one worker.
func workTime(seconds float64) string {
	size := math.Abs(seconds)
	for _, u := range []struct {
		below, size float64
		unit        string
	}{{60, 1, "s"}, {3600, 60, "m"}, {100 * 3600, 3600, "h"}} {
		if size < u.below {
			return short(seconds/u.size) + u.unit
		}
	}
	return short(seconds/86400) + "d"
}

// owing is a balance in a table: red where it is owed.
type owing float64

// String is the balance as the time of one worker.
func (o owing) String() string { return workTime(float64(o)) }

// Colour warns.
func (o owing) Colour() output.Colour {
	if o < 0 {
		return output.Red
	}
	return output.NoColour
}

// short has at most one digit after the point, and that only where it says much.
func short(f float64) string {
	digits := 10.0
	switch size := math.Abs(f); {
	case size >= 1e6:
		return strconv.FormatFloat(f, 'g', 3, 64)
	case size >= 9.95:
		digits = 1
	}
	return rounded(math.Round(f*digits)/digits + 0) // + 0 makes -0 zero
}

// rows is a row for each level of each account, for programs.
func (s *sharing) rows(screen *output.Screen, format output.Format) error {
	list := output.NewListing(screen, format, output.Column{Name: "account"}, output.Column{Name: "level"},
		output.Column{Name: "rate"}, output.Column{Name: "balance"}, output.Column{Name: "cap"},
		output.Column{Name: "running"}, output.Column{Name: "workers"}, output.Column{Name: "ready"}, output.Column{Name: "at"})
	for _, a := range s.accounts {
		for _, r := range levelRows(a) {
			if err := list.Row(a.Name, r.level.String(), r.rate, r.balance, r.limit, r.running, r.workers, r.ready, a.At); err != nil {
				return err
			}
		}
	}
	return list.Close()
}
