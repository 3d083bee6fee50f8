package cli

import (
	"context"
	"iter"
	"slices"

	"github.com/spf13/cobra"

	"github.com/muster-queue/muster/api"
	"github.com/muster-queue/muster/cli/output"
	"github.com/muster-queue/muster/client"
	"github.com/muster-queue/muster/job"
)

// export is what is written of which jobs.
type export struct {
	*selection
	options client.ExportOptions
}

func exportCmd(a *app) *cobra.Command {
	x := &export{}
	cmd := &cobra.Command{
		Use:   "export [KEY...]",
		Short: "Write jobs or their attempts for other programs",
		Long: `Export writes every selected job, or with --attempts every attempt of them, as one
JSON object a line or as CSV. It needs as little memory for millions as for one.
Without a selection it writes all jobs there are.`,
		Example: `  muster export > jobs.jsonl
  muster export --attempts -i align -o csv > attempts.csv
  muster export --attempts --since 7d | jq 'select(.reason == "ram") | .asked_memory'`,
	}
	x.selection = a.addSelectionFlags(cmd)
	cmd.Flags().BoolVar(&x.options.Attempts, "attempts", false, "every attempt, instead of every job with its last")
	cmd.Flags().BoolVar(&x.options.Output, "with-output", false, "also what is kept of the output")
	a.formatFlag(cmd, "json or jsonl (one object a line), csv, plain (TABs between fields, no header) or table")
	cmd.Flags().Lookup("output").DefValue = "json"
	a.format = "table"
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if !cmd.Flags().Changed("output") {
			a.format = "json"
		}
		if err := x.settle(args); err != nil {
			return err
		}
		return a.with(needData, func(ctx context.Context, l *link, _ []string) error { return x.write(ctx, l) })(cmd, args)
	}
	return cmd
}

// columns are the fields of a job, or those of an attempt.
func (x *export) columns() []jobColumn {
	columns := jobColumns
	if x.options.Attempts {
		columns = attemptColumns
	}
	if x.options.Output {
		columns = slices.Concat(columns, outputColumns)
	}
	return columns
}

func (x *export) write(ctx context.Context, l *link) error {
	fields := x.columns()
	columns := make([]output.Column, len(fields))
	for i := range fields {
		columns[i] = fields[i].Column
	}
	list, err := x.app.listing(columns...)
	if err != nil {
		return err
	}
	cells := make([]any, len(fields))
	for i, err := range x.infos(ctx, l) {
		if err != nil {
			return err
		}
		for c := range fields {
			cells[c] = fields[c].value(i)
		}
		row := cells
		if x.app.table() { // which keeps its first rows
			row = append([]any(nil), cells...)
		}
		if err := list.Row(row...); err != nil {
			return err
		}
	}
	return list.Close()
}

// infos are the selected jobs, each with the attempt it is about.
func (x *export) infos(ctx context.Context, l *link) iter.Seq2[*client.Info, error] {
	if !x.named() {
		return l.Export(ctx, x.filter, x.options)
	}
	return func(yield func(*client.Info, error) bool) {
		for i, err := range x.selected(ctx, l, client.Detail{Output: x.options.Output}) {
			if err != nil || !x.options.Attempts {
				if !yield(i, err) || err != nil {
					return
				}
				continue
			}
			attempts, err := l.Attempts(ctx, refOf(i), x.options.Output)
			for _, a := range attempts {
				one := *i
				one.Attempt = a
				if !yield(&one, nil) {
					return
				}
			}
			if err != nil {
				yield(nil, err)
				return
			}
		}
	}
}

// attemptColumns are the fields of an attempt.
var attemptColumns = []jobColumn{
	{output.Column{Name: "job", Stretch: true}, func(i *client.Info) any { return shortened(i.Key) }},
	{output.Column{Name: "attempt", Right: true}, func(i *client.Info) any { return attempt(i).Number }},
	{output.Column{Name: "outcome"}, func(i *client.Info) any { return attempt(i).Outcome.String() }},
	{output.Column{Name: "exit"}, func(i *client.Info) any { return exitCell(i) }},
	{output.Column{Name: "reason"}, func(i *client.Info) any { return result(i).Reason.Word() }},
	{output.Column{Name: "wall_time", Right: true}, func(i *client.Info) any { return result(i).WallTime }},
	{output.Column{Name: "cpu_time", Right: true}, func(i *client.Info) any { return result(i).CPUTime }},
	{output.Column{Name: "peak_memory", Right: true}, func(i *client.Info) any { return output.Bytes(result(i).PeakMemory) }},
	{output.Column{Name: "peak_disk", Right: true, Detail: true}, func(i *client.Info) any { return output.Bytes(result(i).PeakDisk) }},
	{output.Column{Name: "asked_cpus", Right: true, Detail: true}, func(i *client.Info) any { return float64(attempt(i).Asked[job.CPU]) / job.Thousandth }},
	{output.Column{Name: "asked_memory", Right: true, Detail: true}, func(i *client.Info) any { return output.Bytes(attempt(i).Asked[job.Memory]) }},
	{output.Column{Name: "asked_disk", Right: true, Detail: true}, func(i *client.Info) any { return output.Bytes(attempt(i).Asked[job.Disk]) }},
	{output.Column{Name: "asked", Detail: true}, func(i *client.Info) any { return output.Human(attempt(i).Asked) }},
	{output.Column{Name: "asked_time", Right: true, Detail: true}, func(i *client.Info) any { return attempt(i).Time }},
	{output.Column{Name: "host", Stretch: true}, func(i *client.Info) any { return attempt(i).Host }},
	{output.Column{Name: "group", Stretch: true}, func(i *client.Info) any { return i.Group }},
	{output.Column{Name: "command", Stretch: true}, func(i *client.Info) any { return commandText(i) }},
	{output.Column{Name: "granted", Detail: true}, func(i *client.Info) any { return attempt(i).Granted }},
	{output.Column{Name: "started", Detail: true}, func(i *client.Info) any { return begun(i) }},
	{output.Column{Name: "ended", Detail: true}, func(i *client.Info) any { return attempt(i).Ended }},
	{output.Column{Name: "signal", Detail: true}, func(i *client.Info) any { return result(i).Signal }},
	{output.Column{Name: "reason_text", Detail: true}, func(i *client.Info) any { return result(i).Reason.String() }},
	{output.Column{Name: "message", Detail: true}, func(i *client.Info) any { return result(i).Message }},
	{output.Column{Name: "worker", Detail: true}, func(i *client.Info) any { return attempt(i).Worker }},
	{output.Column{Name: "pid", Detail: true}, func(i *client.Info) any { return result(i).Pid }},
	{output.Column{Name: "attempt_id", Detail: true}, func(i *client.Info) any { return attempt(i).ID.String() }},
	{output.Column{Name: "key", Detail: true}, func(i *client.Info) any { return api.KeyText(i.Key) }},
	{output.Column{Name: "id", Detail: true}, func(i *client.Info) any { return i.ID }},
	{output.Column{Name: "seq", Detail: true}, func(i *client.Info) any { return uint64(i.Seq) }},
	{output.Column{Name: "queue", Detail: true}, func(i *client.Info) any { return i.Queue }},
	{output.Column{Name: "kind", Detail: true}, func(i *client.Info) any { return i.Kind }},
	{output.Column{Name: "account", Detail: true}, func(i *client.Info) any { return i.Account }},
	{output.Column{Name: "submitter", Detail: true}, func(i *client.Info) any { return submitter(i) }},
}

// outputColumns are what is kept of the output.
var outputColumns = []jobColumn{
	{output.Column{Name: "stdout", Detail: true}, func(i *client.Info) any { return result(i).Stdout.Text() }},
	{output.Column{Name: "stderr", Detail: true}, func(i *client.Info) any { return result(i).Stderr.Text() }},
}
