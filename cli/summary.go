package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/muster-queue/muster/api"
	"github.com/muster-queue/muster/cli/output"
	"github.com/muster-queue/muster/client"
	"github.com/muster-queue/muster/job"
)

// summaryView is what of groups is summed up.
type summaryView struct {
	app      *app
	groups   client.Groups
	options  client.SummaryOptions
	failures []*client.Summary // with buried jobs, shown after a table
}

func summaryCmd(a *app) *cobra.Command {
	s := &summaryView{app: a}
	cmd := &cobra.Command{
		Use:   "summary [GROUP]",
		Short: "Sum up what the jobs of groups used",
		Long: `Summary tells of each group how its jobs stand, and what its complete jobs used:
median and 95th percentile of memory, processor and wall time, the time from the
first start to the last end, and the wall time of all together. Means, deviations
and sums are in the other formats (-o json). It costs the same for any number of
jobs.`,
		Example: `  muster summary
  muster summary align --failures 3
  muster summary --group-prefix run7- --total
  muster summary -o csv > groups.csv`,
		Args: cobra.MaximumNArgs(1),
	}
	f := cmd.Flags()
	f.SortFlags = false
	f.StringVarP(&s.groups.Name, "group", "i", "", "this report `GROUP`")
	f.StringVar(&s.groups.Prefix, "group-prefix", "", "groups whose names begin with `TEXT`")
	f.StringVar(&s.groups.Part, "group-part", "", "groups with `TEXT` in their names")
	f.BoolVar(&s.options.Total, "total", false, "one summary of all of them together")
	f.IntVar(&s.options.Failures, "failures", 0, "also the buried jobs by reason and exit code, with `N` of each by key")
	a.formatFlag(cmd, "")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if len(args) > 0 {
			s.groups.Name = args[0]
		}
		return a.with(needData, func(ctx context.Context, l *link, _ []string) error { return s.show(ctx, l) })(cmd, args)
	}
	return cmd
}

// measureColumns are the fields of something that was used; a table has two of them.
func measureColumns(name string, detail bool) []output.Column {
	columns := make([]output.Column, 0, 5)
	for _, of := range []string{"median", "p95", "mean", "stddev", "sum"} {
		columns = append(columns, output.Column{Name: name + "_" + of, Right: true, Detail: detail || of == "mean" || of == "stddev" || of == "sum" && name != "wall"})
	}
	return columns
}

func (s *summaryView) show(ctx context.Context, l *link) error {
	columns := []output.Column{{Name: "group", Stretch: true}}
	for _, c := range countColumns {
		c.Detail = !always[c.Name] || c.Name == "total"
		columns = append(columns, c.Column)
	}
	columns = append(columns, measureColumns("memory", false)...)
	columns = append(columns, measureColumns("cpu", true)...)
	columns = append(columns, measureColumns("wall", false)...)
	columns = append(columns, measureColumns("disk", true)...)
	columns = append(columns, output.Column{Name: "elapsed", Right: true}, output.Column{Name: "first_started", Detail: true},
		output.Column{Name: "last_ended", Detail: true}, output.Column{Name: "failures", Detail: true})
	list, err := s.app.listing(columns...)
	if err != nil {
		return err
	}
	rows := 0
	for g, err := range l.Summaries(ctx, s.groups, s.options) {
		if err != nil {
			return err
		}
		rows++
		if err := list.Row(s.cells(g)...); err != nil {
			return err
		}
		if len(g.Failures) > 0 {
			s.failures = append(s.failures, g)
		}
	}
	if err := list.Close(); err != nil {
		return err
	}
	if rows == 0 {
		s.app.say("There is no such group.")
		if s.groups.Name != "" {
			return failed
		}
	}
	if s.app.table() {
		s.sayFailures()
	}
	return nil
}

func (s *summaryView) cells(g *client.Summary) []any {
	name := g.Name
	if s.options.Total {
		name = "(all)"
	}
	cells := []any{name}
	for _, c := range countColumns {
		n := c.of(&g.Counts)
		if c.Name == "total" {
			cells = append(cells, n)
		} else {
			cells = append(cells, output.Count{N: n, State: output.State(c.Name)})
		}
	}
	bytes := func(v float64) any { return output.Bytes(v) }
	seconds := func(v float64) any { return time.Duration(v * float64(time.Second)) }
	cells = append(cells, measured(&g.Memory, bytes)...)
	cells = append(cells, measured(&g.CPU, seconds)...)
	cells = append(cells, measured(&g.Wall, seconds)...)
	cells = append(cells, measured(&g.Disk, bytes)...)
	return append(cells, g.Elapsed, g.FirstStarted, g.LastEnded, failuresCell(g.Failures))
}

func measured(m *client.Measure, as func(float64) any) []any {
	return []any{as(m.Median), as(m.P95), as(m.Mean), as(m.Deviation), as(m.Sum)}
}

// failuresCell is the failures as other formats than a table have them.
type failuresCell []client.Failure

// failureObject is a failure in JSON.
type failureObject struct {
	Reason string   `json:"reason"`
	Exit   int      `json:"exit"`
	Count  int64    `json:"count"`
	Keys   []string `json:"keys"`
}

// MarshalJSON is a list of objects.
func (f failuresCell) MarshalJSON() ([]byte, error) {
	list := make([]failureObject, len(f))
	for i := range f {
		list[i] = failureObject{f[i].Reason.Word(), f[i].Exit, f[i].Count, make([]string, len(f[i].Jobs))}
		for k := range f[i].Jobs {
			list[i].Keys[k] = api.KeyText(f[i].Jobs[k].Key)
		}
	}
	return json.Marshal(list)
}

// String is a text for CSV: reason/exit=count and keys.
func (f failuresCell) String() string {
	words := make([]string, 0, len(f))
	for i := range f {
		parts := []string{fmt.Sprintf("%s/%d=%d", f[i].Reason.Word(), f[i].Exit, f[i].Count)}
		for _, ref := range f[i].Jobs {
			parts = append(parts, api.KeyText(ref.Key))
		}
		words = append(words, strings.Join(parts, ":"))
	}
	return strings.Join(words, " ")
}

func (s *summaryView) sayFailures() {
	for _, g := range s.failures {
		for i := range g.Failures {
			f := &g.Failures[i]
			text := fmt.Sprintf("\n%s: %s", output.Clean(g.Name), plural(f.Count, "job")) + " failed: " + f.Reason.String()
			if s.options.Total {
				text = "\n" + plural(f.Count, "job") + " failed: " + f.Reason.String()
			}
			if f.Reason == job.ReasonExit {
				text += fmt.Sprintf(" %d", f.Exit)
			}
			fmt.Fprintln(s.app.out, text)
			for _, ref := range f.Jobs {
				fmt.Fprintf(s.app.out, "  %s\n", output.Clean(api.KeyText(ref.Key)))
			}
		}
	}
}
