package cli

import (
	"cmp"
	"context"
	"errors"
	"iter"
	"path/filepath"
	"time"

	"github.com/muster-queue/muster/api"
	"github.com/muster-queue/muster/cli/output"
	"github.com/muster-queue/muster/client"
	"github.com/muster-queue/muster/job"
)

// jobColumn is one field of a listing of jobs.
type jobColumn struct {
	output.Column
	value func(*client.Info) any
}

// jobColumns are all fields: those of the table first, then what only programs get.
var jobColumns = []jobColumn{
	{output.Column{Name: "job", Stretch: true}, func(i *client.Info) any { return shortened(i.Key) }},
	{output.Column{Name: "state"}, func(i *client.Info) any { return stateCell(i) }},
	{output.Column{Name: "exit"}, func(i *client.Info) any { return exitCell(i) }},
	{output.Column{Name: "reason"}, func(i *client.Info) any { return i.Reason.Word() }},
	{output.Column{Name: "tries", Right: true}, func(i *client.Info) any { return i.Attempts }},
	{output.Column{Name: "wall_time", Right: true}, func(i *client.Info) any { return wallTime(i) }},
	{output.Column{Name: "peak_memory", Right: true}, func(i *client.Info) any { return output.Bytes(result(i).PeakMemory) }},
	{output.Column{Name: "group", Stretch: true}, func(i *client.Info) any { return i.Group }},
	{output.Column{Name: "command", Stretch: true}, func(i *client.Info) any { return commandText(i) }},
	{output.Column{Name: "reason_text", Detail: true}, func(i *client.Info) any { return i.Reason.String() }},
	{output.Column{Name: "key", Detail: true}, func(i *client.Info) any { return api.KeyText(i.Key) }},
	{output.Column{Name: "id", Detail: true}, func(i *client.Info) any { return i.ID }},
	{output.Column{Name: "seq", Detail: true}, func(i *client.Info) any { return uint64(i.Seq) }},
	{output.Column{Name: "queue", Detail: true}, func(i *client.Info) any { return i.Queue }},
	{output.Column{Name: "kind", Detail: true}, func(i *client.Info) any { return i.Kind }},
	{output.Column{Name: "account", Detail: true}, func(i *client.Info) any { return i.Account }},
	{output.Column{Name: "priority", Detail: true}, func(i *client.Info) any { return i.Priority }},
	{output.Column{Name: "retries_left", Detail: true}, func(i *client.Info) any { return i.RetriesLeft }},
	{output.Column{Name: "cwd", Detail: true}, func(i *client.Info) any { return dirOf(i) }},
	{output.Column{Name: "host", Detail: true}, func(i *client.Info) any { return attempt(i).Host }},
	{output.Column{Name: "worker", Detail: true}, func(i *client.Info) any { return attempt(i).Worker }},
	{output.Column{Name: "pid", Detail: true}, func(i *client.Info) any { return result(i).Pid }},
	{output.Column{Name: "message", Detail: true}, func(i *client.Info) any { return result(i).Message }},
	{output.Column{Name: "cpu_time", Detail: true}, func(i *client.Info) any { return result(i).CPUTime }},
	{output.Column{Name: "peak_disk", Detail: true}, func(i *client.Info) any { return output.Bytes(result(i).PeakDisk) }},
	{output.Column{Name: "added", Detail: true}, func(i *client.Info) any { return i.Added }},
	{output.Column{Name: "started", Detail: true}, func(i *client.Info) any { return begun(i) }},
	{output.Column{Name: "ended", Detail: true}, func(i *client.Info) any { return attempt(i).Ended }},
	{output.Column{Name: "due", Detail: true}, func(i *client.Info) any { return i.Due }},
	{output.Column{Name: "submitter", Detail: true}, func(i *client.Info) any { return submitter(i) }},
}

// submitter is who added the job.
func submitter(i *client.Info) string {
	if i.Job == nil {
		return ""
	}
	return i.Job.Submitter
}

func attempt(i *client.Info) *job.Attempt {
	if i.Attempt == nil {
		return &job.Attempt{}
	}
	return i.Attempt
}

func result(i *client.Info) *job.Result { return &attempt(i).Result }

func dirOf(i *client.Info) string {
	if r := result(i); r.Dir != "" {
		return r.Dir
	}
	if i.Job == nil || i.Job.Command == nil {
		return ""
	}
	return filepath.Clean(i.Job.Command.Dir)
}

func stateCell(i *client.Info) output.State {
	if i.Stopping != job.MarkNone && i.State.Held() {
		return "stopping"
	}
	return output.State(i.State.String())
}

// exitCell is the exit code of the last attempt, or the signal that ended it.
func exitCell(i *client.Info) any {
	r := result(i)
	switch {
	case r.Signal != "":
		return r.Signal
	case r.Exited:
		return r.ExitCode
	}
	return nil
}

// wallTime is that of the last attempt, so far when it runs.
func wallTime(i *client.Info) time.Duration {
	a, begun := attempt(i), begun(i)
	switch {
	case a.Result.WallTime > 0:
		return a.Result.WallTime
	case i.State == job.Running && !begun.IsZero():
		return time.Since(begun).Round(time.Millisecond)
	case pulled(i) && a.Outcome != job.OutcomeNone && !a.Ended.IsZero():
		return a.Ended.Sub(begun)
	}
	return 0
}

// begun is when the last attempt began: a worker that pulls a job with data begins
// when it is given it, and tells no times.
func begun(i *client.Info) time.Time {
	if a := attempt(i); pulled(i) && a.Started.IsZero() {
		return a.Granted
	}
	return attempt(i).Started
}

// pulled tells jobs with data from commands.
func pulled(i *client.Info) bool { return i.Job != nil && !i.Job.IsCommand() }

func (a *app) newJobs() (*output.Listing, error) {
	columns := make([]output.Column, len(jobColumns))
	for i, c := range jobColumns {
		columns[i] = c.Column
	}
	return a.listing(columns...)
}

func jobCells(i *client.Info) []any {
	cells := make([]any, len(jobColumns))
	for c := range jobColumns {
		cells[c] = jobColumns[c].value(i)
	}
	return cells
}

// sorted are the jobs that come first in the order asked for.
func (s *status) sorted(ctx context.Context, l *link, limit int) iter.Seq2[*client.Info, error] {
	return func(yield func(*client.Info, error) bool) {
		list, partial, err := l.Ordered(ctx, s.filter, client.Detail{}, s.sort, min(cmp.Or(limit, sortLimit), sortLimit))
		if err != nil {
			yield(nil, err)
			return
		}
		for _, i := range list {
			if !yield(i, nil) {
				return
			}
		}
		if len(list) == sortLimit && (limit == 0 || limit > sortLimit) {
			s.app.say("At most %d jobs are sorted, and these are the first; there may be more.", sortLimit)
		}
		if partial {
			s.app.say("There were too many jobs to look at them all: narrow the selection down, e.g. by --since.")
		}
	}
}

// sortLimit is how many jobs can be sorted.
const sortLimit = 1000

// tableLimit is how many jobs a table has when nobody says.
const tableLimit = 100

// showList lists jobs one by one.
func (s *status) showList(ctx context.Context, l *link) error {
	list, err := s.app.newJobs()
	if err != nil {
		return err
	}
	limit := s.limit
	if limit == 0 && s.app.table() {
		limit = tableLimit
	}
	n := 0
	infos := s.selected(ctx, l, client.Detail{})
	if s.sort != "" {
		infos = s.sorted(ctx, l, limit)
	}
	for i, err := range infos {
		if err != nil {
			return err
		}
		if limit > 0 && n == limit {
			defer s.app.say("\nThese are the first %d; --limit N shows more, -o json, csv or plain all.", n)
			break
		}
		n++
		if err := list.Row(jobCells(i)...); err != nil {
			return err
		}
	}
	if n > 0 {
		return list.Close()
	}
	return errors.Join(list.Close(), s.sayNone(ctx, l))
}
