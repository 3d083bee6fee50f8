package cli

import (
	"context"
	"iter"

	"github.com/muster-queue/muster/cli/output"
	"github.com/muster-queue/muster/client"
	"github.com/muster-queue/muster/job"
)

// countColumn is a number of jobs in a listing: of one state or of several that
// mean the same to a person.
type countColumn struct {
	output.Column
	states []job.State
}

// countColumns are the numbers shown for groups and queues. A table leaves out
// the rarer ones where they are all zero.
var countColumns = []countColumn{
	{output.Column{Name: "ready", Right: true}, []job.State{job.Ready}},
	{output.Column{Name: "blocked", Right: true}, []job.State{job.Blocked}},
	{output.Column{Name: "delayed", Right: true}, []job.State{job.Delayed}},
	{output.Column{Name: "reserved", Right: true}, []job.State{job.Reserved}},
	{output.Column{Name: "running", Right: true}, []job.State{job.Running}},
	{output.Column{Name: "lost", Right: true}, []job.State{job.Lost}},
	{output.Column{Name: "buried", Right: true}, []job.State{job.Buried}},
	{output.Column{Name: "complete", Right: true}, []job.State{job.Complete}},
	{output.Column{Name: "total", Right: true}, []job.State{
		job.Blocked, job.Delayed, job.Ready, job.Reserved, job.Running, job.Lost, job.Buried, job.Complete,
	}},
}

// always are the states whose column stays when nobody is in them.
var always = map[string]bool{"ready": true, "running": true, "buried": true, "complete": true, "total": true}

func (c *countColumn) of(counts *job.Counts) (n int64) {
	for _, st := range c.states {
		n += counts[st]
	}
	return n
}

// countsTable lists named counts.
type countsTable struct {
	*output.Listing
}

// newCounts begins a listing of counts whose sum is known already.
func (a *app) newCounts(first string, sum *job.Counts, more ...output.Column) (*countsTable, error) {
	columns := []output.Column{{Name: first, Stretch: true}}
	for _, c := range countColumns {
		c.Detail = !always[c.Name] && c.of(sum) == 0
		columns = append(columns, c.Column)
	}
	list, err := a.listing(append(columns, more...)...)
	return &countsTable{list}, err
}

func (t *countsTable) row(name string, counts *job.Counts, more ...any) error {
	cells := []any{name}
	for _, c := range countColumns {
		n := c.of(counts)
		switch c.Name {
		case "total":
			cells = append(cells, n)
		default:
			cells = append(cells, output.Count{N: n, State: output.State(c.Name)})
		}
	}
	return t.Row(append(cells, more...)...)
}

// showCounts counts by group or by queue.
func (s *status) showCounts(ctx context.Context, l *link) error {
	total, err := l.Counts(ctx, s.filter.Queue, s.filter.Group)
	if err != nil {
		return err
	}
	if total.Total() == 0 && s.app.table() {
		if s.filter.Group+s.filter.Queue == "" {
			s.app.say("There are no jobs.")
			return nil
		}
		return s.sayNone(ctx, l)
	}
	by := "group"
	if s.byQueue {
		by = "queue"
	}
	t, err := s.app.newCounts(by, &total)
	if err != nil {
		return err
	}
	var all job.Counts
	rows := 0
	for c, err := range s.counts(ctx, l, &total) {
		if err != nil {
			return err
		}
		rows++
		all.Add(&c.Counts)
		if err := t.row(c.Name, &c.Counts); err != nil {
			return err
		}
	}
	if rest := notIn(&total, &all); rest.Total() > 0 {
		rows++
		all.Add(&rest)
		if err := t.row(s.nameless(), &rest); err != nil {
			return err
		}
	}
	if rows > 1 && s.app.table() {
		if err := t.row("(all)", &all); err != nil {
			return err
		}
	}
	if err := t.Close(); err != nil {
		return err
	}
	return s.app.notes(ctx, l, &all)
}

// notIn are the jobs of a total that are in no row. The rows were read after the total,
// and jobs went from state to state meanwhile: so many are left as are not in any row,
// whatever their states were.
func notIn(total, rows *job.Counts) (rest job.Counts) {
	left := total.Total() - rows.Total()
	for st := range rest {
		rest[st] = max(0, min(left, total[st]-rows[st]))
		left -= rest[st]
	}
	return rest
}

// nameless is the row of the jobs that no other row has, such as work units, which
// need not be in a group.
func (s *status) nameless() string {
	if s.app.table() {
		return "(no group)"
	}
	return ""
}

// counts are the rows: all groups or queues, or the one asked for.
func (s *status) counts(ctx context.Context, l *link, total *job.Counts) iter.Seq2[client.NamedCounts, error] {
	switch {
	case s.filter.Group != "" || s.filter.Queue != "":
		name := s.filter.Group
		if name == "" {
			name = s.filter.Queue
		}
		return func(yield func(client.NamedCounts, error) bool) {
			yield(client.NamedCounts{Name: name, Counts: *total}, nil)
		}
	case s.byQueue:
		return l.CountsByQueue(ctx)
	}
	return l.CountsByGroup(ctx)
}

// notes tell what a person should know beside the counts.
func (a *app) notes(ctx context.Context, l *link, c *job.Counts) error {
	if !a.table() {
		return nil
	}
	if c[job.Buried] > 0 {
		a.say("\n%s failed: \"muster status -b --outcomes\" shows why, \"muster kick\" tries again.", plural(c[job.Buried], "job"))
	}
	if l.embedded {
		if unfinished := c.Live() - c[job.Buried]; unfinished > 0 {
			a.say("\nNo server is running: \"muster server\" (or another \"muster run\") goes on with the %s.", plural(unfinished, "unfinished job"))
		}
		return nil
	}
	return a.serverNotes(ctx, l, c)
}

func (a *app) serverNotes(ctx context.Context, l *link, c *job.Counts) error {
	info, err := l.Info(ctx)
	if err != nil {
		return err
	}
	stats, err := l.Stats(ctx, l.Name())
	if err != nil {
		return err
	}
	switch {
	case stats.Unhealthy != "":
		a.say("\nThe server accepts no new jobs: %s", stats.Unhealthy)
	case info.Mode == "paused":
		a.say("\nThe server is paused: no job is started before \"muster resume\".")
	case info.Mode == "draining":
		a.say("\nThe server is draining: no job is started before \"muster resume\".")
	case stats.Workers == 0 && c[job.Ready] > 0 && !l.embedded:
		a.say("\nNo agent is connected: \"muster agent\" starts one on this machine.")
	}
	return nil
}
