package cli

import (
	"fmt"
	"io"
	"math"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/muster-queue/muster/cli/output"
	"github.com/muster-queue/muster/job"
	"github.com/muster-queue/muster/schedule"
	"github.com/muster-queue/muster/simulate"
)

// show prints results in the format asked for.
func (s *simulation) show(results []*simulate.Result) error {
	f, err := output.ParseFormat(s.app.format)
	switch {
	case err != nil:
		return err
	case f == output.JSON:
		return s.showJSON(results)
	case f != output.Table:
		return s.showRows(results)
	}
	for _, r := range results {
		s.summary(r)
	}
	if len(results) > 1 {
		return s.compare(results)
	}
	if err := s.shares(results[0]); err != nil {
		return err
	}
	fmt.Fprintln(s.app.out)
	return s.waits(results[0])
}

func (s *simulation) showJSON(results []*simulate.Result) error {
	for _, r := range results {
		b, err := r.JSON(s.samples)
		if err != nil {
			return err
		}
		if _, err := s.app.out.Write(append(b, '\n')); err != nil {
			return err
		}
	}
	return nil
}

// summary is a result in a few lines.
func (s *simulation) summary(r *simulate.Result) {
	fmt.Fprintln(s.app.out, joinedLines(headline(r), "; ", lineWidth)+".")
	for _, note := range r.Notes {
		fmt.Fprintf(s.app.out, "  %s\n", s.app.out.Paint(output.Yellow, output.Clean(note)))
	}
	_, _ = io.WriteString(s.app.out, "\n")
}

// headline is a result in parts of a sentence.
func headline(r *simulate.Result) []string {
	workers := tenths(r.Workers) + " workers"
	if workers == "1 workers" {
		workers = "1 worker"
	}
	became := fmt.Sprintf("%s, %d done", plural(r.Jobs, "job"), r.Done)
	if r.Left > 0 {
		became += fmt.Sprintf(", %d left", r.Left)
	}
	parts := []string{output.Clean(r.Name) + ": " + output.Short(r.Duration) + " on " + workers, became, plural(r.Preemptions(), "preemption")}
	for i := range r.Uses {
		u := &r.Uses[i]
		parts = append(parts, fmt.Sprintf("%.1f%% of %s used", 100*u.Part(), resourceName(u.Resource)))
	}
	return parts
}

// lineWidth is what a line of a headline may have.
const lineWidth = 80

// joinedLines joins parts, and begins a new line, set in, where one would be longer
// than that.
func joinedLines(parts []string, between string, width int) string {
	var b strings.Builder
	column := 0
	for i, part := range parts {
		n := utf8.RuneCountInString(part) + len(between)
		switch {
		case i == 0:
		case column+n > width:
			b.WriteString(strings.TrimRight(between, " ") + "\n  ")
			column = 2
		default:
			b.WriteString(between)
		}
		b.WriteString(part)
		column += n
	}
	return b.String()
}

// resourceName is a resource as people name many of it.
func resourceName(name string) string {
	switch name {
	case simulate.Slot:
		return "the slots"
	case job.CPU:
		return "the cores"
	case job.Memory:
		return "the memory"
	}
	return "the " + output.Clean(name)
}

// tenths is a number with one digit after the point, if that is not zero.
func tenths(f float64) string { return strings.TrimSuffix(fmt.Sprintf("%.1f", f), ".0") }

func accountName(a *simulate.AccountResult) string {
	if a.Name == "" {
		return "(none)"
	}
	return a.Name
}

// levelName is a level as a heading.
func levelName(l schedule.Level) string {
	if l == schedule.Free {
		return "free"
	}
	return fmt.Sprintf("level_%d", l)
}

// shares says who got how many workers, on average.
func (s *simulation) shares(r *simulate.Result) error {
	levels := r.InUse()
	columns := []output.Column{{Name: "account", Stretch: true}, {Name: "workers", Right: true}, {Name: "part", Right: true}}
	for _, l := range levels {
		columns = append(columns, output.Column{Name: levelName(l), Right: true})
	}
	list := output.NewListing(s.app.out, output.Table, append(columns, output.Column{Name: "lost", Right: true})...)
	all := 0.0
	for i := range r.Accounts {
		all += r.Accounts[i].Total()
	}
	for i := range r.Accounts {
		a := &r.Accounts[i]
		row := []any{accountName(a), tenths(r.Mean(a.Total())), percent(a.Total(), all)}
		for _, l := range levels {
			row = append(row, ofRate(r, a, l))
		}
		if err := list.Row(append(row, percent(a.Lost, a.Total()))...); err != nil {
			return err
		}
	}
	return list.Close()
}

// ofRate is what an account had at a level, and of what rate; nothing for nothing.
func ofRate(r *simulate.Result, a *simulate.AccountResult, l schedule.Level) string {
	had := tenths(r.Mean(a.Used[l]))
	switch {
	case l < schedule.Free && a.Rate[l] > 0:
		return had + " of " + tenths(a.Rate[l])
	case had == "0":
		return ""
	}
	return had
}

func percent(part, whole float64) string {
	if whole == 0 || part == 0 {
		return ""
	}
	return fmt.Sprintf("%.1f%%", 100*part/whole)
}

// waits says what became of the jobs.
func (s *simulation) waits(r *simulate.Result) error {
	list := output.NewListing(s.app.out, output.Table,
		output.Column{Name: "account", Stretch: true}, output.Column{Name: "jobs", Right: true}, output.Column{Name: "done", Right: true},
		output.Column{Name: "wait", Right: true}, output.Column{Name: "half_within", Right: true}, output.Column{Name: "95%", Right: true},
		output.Column{Name: "longest", Right: true}, output.Column{Name: "preempted", Right: true}, output.Column{Name: "preempts", Right: true})
	for i := range r.Accounts {
		a := &r.Accounts[i]
		if err := list.Row(accountName(a), a.Jobs, a.Done, wait(a.Wait.Mean), wait(a.Wait.P50), wait(a.Wait.P95), wait(a.Wait.Max), a.Preempted, a.Preempts); err != nil {
			return err
		}
	}
	return list.Close()
}

func wait(d time.Duration) string {
	if d == simulate.Never {
		return "never"
	}
	return output.Short(d)
}

// waitField is a wait for programs: nothing for one without an end.
func waitField(d time.Duration) any {
	if d == simulate.Never {
		return ""
	}
	return d
}

// measure is a number of an account that is compared.
type measure struct {
	name  string
	value func(r *simulate.Result, a *simulate.AccountResult) float64
	show  func(float64) string
}

func showTime(f float64) string {
	if math.IsInf(f, 1) {
		return wait(simulate.Never)
	}
	return wait(time.Duration(f * float64(time.Second)))
}

// waitSeconds is a wait as a measure; one without an end is infinite.
func waitSeconds(d time.Duration) float64 {
	if d == simulate.Never {
		return math.Inf(1)
	}
	return d.Seconds()
}

func showCount(f float64) string { return fmt.Sprintf("%.0f", f) }

// measures are those of comparisons.
func measures() []measure {
	type result = *simulate.Result
	type account = *simulate.AccountResult
	return []measure{
		{"workers", func(r result, a account) float64 { return r.Mean(a.Total()) }, tenths},
		{"done", func(_ result, a account) float64 { return float64(a.Done) }, showCount},
		{"left", func(_ result, a account) float64 { return float64(a.Left) }, showCount},
		{"wait", func(_ result, a account) float64 { return waitSeconds(a.Wait.Mean) }, showTime},
		{"wait of 95%", func(_ result, a account) float64 { return waitSeconds(a.Wait.P95) }, showTime},
		{"preempted", func(_ result, a account) float64 { return float64(a.Preempted) }, showCount},
		{"lost workers", func(r result, a account) float64 { return r.Mean(a.Lost) }, tenths},
	}
}

// compare shows several results side by side, and how the last differs from the
// first. What is zero everywhere is left out.
func (s *simulation) compare(results []*simulate.Result) error {
	columns := []output.Column{{Name: "account", Stretch: true}, {Name: "measure"}}
	for _, r := range results {
		columns = append(columns, output.Column{Name: r.Name, Right: true, Stretch: true})
	}
	list := output.NewListing(s.app.out, output.Table, append(columns, output.Column{Name: "change", Right: true})...)
	for _, name := range simulate.Names(results) {
		title := name
		if name == "" {
			title = "(none)"
		}
		for _, m := range measures() {
			row, some := m.row(results, name)
			if !some {
				continue
			}
			if err := list.Row(append([]any{title, m.name}, row...)...); err != nil {
				return err
			}
			title = ""
		}
	}
	return list.Close()
}

// row is the measure of an account in all results, and its change; false if there is
// nothing to see.
func (m *measure) row(results []*simulate.Result, name string) (row []any, some bool) {
	var first, last float64
	known := 0
	for i, r := range results {
		a := r.Account(name)
		if a == nil {
			row = append(row, "")
			continue
		}
		known++
		v := m.value(r, a)
		some = some || m.show(v) != m.show(0)
		row = append(row, m.show(v))
		if i == 0 {
			first = v
		}
		last = v
	}
	if known < len(results) {
		return append(row, ""), some
	}
	return append(row, changeText(first, last)), some
}

// changeText is by how much a number changed.
func changeText(from, to float64) string {
	switch {
	case from == to:
		return "="
	case math.IsInf(from, 0) || math.IsInf(to, 0):
		return ""
	case from == 0:
		return "new"
	}
	part := 100 * (to - from) / from
	if part > 999 {
		return fmt.Sprintf("x%.0f", to/from)
	}
	return fmt.Sprintf("%+.1f%%", part)
}

// showRows prints a row for each account of each result, for programs.
func (s *simulation) showRows(results []*simulate.Result) error {
	columns := []output.Column{{Name: "workload"}, {Name: "account"}, {Name: "workers"}}
	for l := range schedule.Level(schedule.Levels + 1) {
		columns = append(columns, output.Column{Name: levelName(l)})
	}
	for _, name := range []string{"stopping", "lost", "jobs", "done", "left", "wait", "wait_p50", "wait_p95", "wait_max", "turnaround", "preempted", "preempts", "dropped"} {
		columns = append(columns, output.Column{Name: name})
	}
	list, err := s.app.listing(columns...)
	if err != nil {
		return err
	}
	for _, r := range results {
		for i := range r.Accounts {
			a := &r.Accounts[i]
			row := []any{r.Name, a.Name, r.Mean(a.Total())}
			for _, v := range a.Used {
				row = append(row, r.Mean(v))
			}
			row = append(row, r.Mean(a.Stopping), r.Mean(a.Lost), a.Jobs, a.Done, a.Left,
				waitField(a.Wait.Mean), waitField(a.Wait.P50), waitField(a.Wait.P95), waitField(a.Wait.Max),
				a.Turnaround, a.Preempted, a.Preempts, a.Dropped)
			if err := list.Row(row...); err != nil {
				return err
			}
		}
	}
	return list.Close()
}
