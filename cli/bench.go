package cli

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/muster-queue/muster/bench"
	"github.com/muster-queue/muster/job"
)

func benchCmd(a *app) *cobra.Command {
	var (
		cfg    bench.Config
		asJSON bool
	)
	names, extra := bench.Names()
	cmd := &cobra.Command{
		Use:   "bench [NAME...]",
		Short: "Measure how fast muster is on this machine",
		Long: `Bench measures muster on this machine, with throw-away servers of its own; the
queue in the data directory is not touched. Everything is durable: a reply counts
after its fsync. Without names all rows are measured, which takes two minutes;
those marked * only when they are named. The first word of a name, such as drain
or coordinate, stands for all rows that begin with it.

Rows: ` + rowList(names, extra),
		Example: `  muster bench
  muster bench add/grpc drain
  muster bench --json --dir /scratch`,
		ValidArgs: names,
		RunE: func(cmd *cobra.Command, args []string) error {
			exe, err := os.Executable()
			if err != nil {
				return job.Errorf(job.Unavailable, "find the muster program: %w", err)
			}
			cfg.Server = []string{exe, "server"}
			return bench.Run(cmd.Context(), cfg, args, benchWriter(a, asJSON))
		},
	}
	f := cmd.Flags()
	f.SortFlags = false
	f.BoolVar(&asJSON, "json", false, "one JSON object a line: name, value, unit, fsync_p50_ms, ...")
	f.StringVar(&cfg.Dir, "dir", "", "measure on the disk of this `DIR`ectory (default: that of temporary files)")
	f.Float64Var(&cfg.Scale, "scale", 1, "this many times the usual numbers of jobs")
	return cmd
}

func rowList(names []string, extra map[string]bool) string {
	list := make([]string, len(names))
	for i, n := range names {
		list[i] = n
		if extra[n] {
			list[i] += "*"
		}
	}
	return strings.Join(list, ", ") + "."
}

// benchWriter shows each row as it is known.
func benchWriter(a *app, asJSON bool) func(bench.Result) {
	if asJSON {
		enc := json.NewEncoder(a.Stdout)
		return func(r bench.Result) { _ = enc.Encode(r) }
	}
	head := "row\tvalue\tunit\tgoal\tp50 ms\tp99 ms\trss MB\tfsync p50 ms\tnote"
	return func(r bench.Result) {
		w := tabwriter.NewWriter(a.Stdout, 20, 0, 2, ' ', 0)
		if head != "" {
			fmt.Fprintln(w, head)
			head = ""
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%.3f\t%s\n", r.Name, figure(r.Value), r.Unit, goal(&r),
			figure(r.P50), figure(r.P99), figure(r.RSS), r.FsyncP50, r.Note)
		_ = w.Flush()
	}
}

func goal(r *bench.Result) string {
	if r.Goal == 0 {
		return ""
	}
	sign, mark := "≥", "reached"
	if r.Below {
		sign = "≤"
	}
	if !r.Reached() {
		mark = "missed"
	}
	return fmt.Sprintf("%s %s %s", sign, figure(r.Goal), mark)
}

// figure is a value with three digits that mean something, and nothing for zero.
func figure(v float64) string {
	switch {
	case v == 0:
		return ""
	case v >= 1000:
		return fmt.Sprintf("%.0f", v)
	case v >= 10:
		return fmt.Sprintf("%.1f", v)
	}
	return fmt.Sprintf("%.3f", v)
}
