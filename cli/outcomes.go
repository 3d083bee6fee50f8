package cli

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/muster-queue/muster/cli/output"
	"github.com/muster-queue/muster/client"
	"github.com/muster-queue/muster/coordinate/cborrpc"
	"github.com/muster-queue/muster/job"
)

// outcomeText says how jobs ended, in words.
func outcomeText(o *client.Outcome) string {
	switch {
	case o.Reason == job.ReasonNone:
		return o.State.String()
	case o.Exit > 0:
		return fmt.Sprintf("%s: %s (exit code %d)", o.State, o.Reason, o.Exit)
	}
	return fmt.Sprintf("%s: %s", o.State, o.Reason)
}

// showOutcomes groups jobs by how they stand and why.
func (s *status) showOutcomes(ctx context.Context, l *link) error {
	outcomes, partial, err := s.outcomesOf(ctx, l)
	if err != nil {
		return err
	}
	if s.app.table() {
		for i := range outcomes {
			s.app.printOutcome(&outcomes[i])
		}
		if len(outcomes) == 0 {
			return s.sayNone(ctx, l)
		}
		if partial {
			s.app.say("There are too many jobs to look at all of them: the numbers are lower bounds.")
		}
		return nil
	}
	list, err := s.app.listing(output.Column{Name: "state"}, output.Column{Name: "reason"}, output.Column{Name: "reason_text"},
		output.Column{Name: "exit_code"}, output.Column{Name: "count"}, output.Column{Name: "similar"}, output.Column{Name: "examples"})
	if err != nil {
		return err
	}
	for _, o := range outcomes {
		var examples []string
		for _, i := range o.Jobs {
			examples = append(examples, i.ID)
		}
		if err := list.Row(output.State(o.State.String()), o.Reason.Word(), o.Reason.String(), o.Exit, o.Count, o.Similar, examples); err != nil {
			return err
		}
	}
	return list.Close()
}

func (s *status) outcomesOf(ctx context.Context, l *link) ([]client.Outcome, bool, error) {
	limit := max(s.limit, 1)
	if !s.named() {
		return l.Outcomes(ctx, s.filter, limit, client.Detail{Output: true})
	}
	t := newTally(limit)
	for i, err := range s.selected(ctx, l, client.Detail{}) {
		if err != nil {
			return nil, false, err
		}
		t.add(i)
	}
	list, err := t.examples(ctx, l)
	return list, false, err
}

// tally groups jobs by how they stand, keeping a few of each.
type tally struct {
	limit int
	list  []client.Outcome
}

func newTally(limit int) *tally { return &tally{limit: limit} }

func (t *tally) add(i *client.Info) {
	at := slices.IndexFunc(t.list, func(o client.Outcome) bool { return o.State == i.State && o.Reason == i.Reason && o.Exit == i.Exit })
	if at < 0 {
		at = len(t.list)
		t.list = append(t.list, client.Outcome{State: i.State, Reason: i.Reason, Exit: i.Exit})
	}
	o := &t.list[at]
	o.Count++
	if len(o.Jobs) < t.limit {
		o.Jobs = append(o.Jobs, i)
	} else {
		o.Similar++
	}
}

// examples are the groups, most frequent first, with the output of their examples.
func (t *tally) examples(ctx context.Context, l *link) ([]client.Outcome, error) {
	slices.SortStableFunc(t.list, func(a, b client.Outcome) int { return int(b.Count - a.Count) })
	for _, o := range t.list {
		for n, i := range o.Jobs {
			full, err := l.Get(ctx, refOf(i), client.Detail{Output: true})
			if job.IsKind(err, job.NotFound) {
				continue // removed since
			}
			if err != nil {
				return nil, err
			}
			o.Jobs[n] = full
		}
	}
	return t.list, nil
}

// lastLines is how many lines of an example's stderr are shown.
const lastLines = 5

// printOutcome shows a group with its examples.
func (a *app) printOutcome(o *client.Outcome) {
	colour := output.Green
	if o.State == job.Buried {
		colour = output.Red
	} else if o.State != job.Complete {
		colour = output.NoColour
	}
	fmt.Fprintf(a.out, "%s %s\n", a.out.Paint(output.Bold, plural(o.Count, "job")), a.out.Paint(colour, outcomeText(o)))
	for _, i := range o.Jobs {
		a.printCommand("  ", i)
		for _, line := range a.evidence(i) {
			fmt.Fprintf(a.out, "      %s\n", a.out.Paint(output.Grey, line))
		}
	}
	if o.Similar > 0 {
		fmt.Fprintf(a.out, "  and %d more\n", o.Similar)
	}
}

// printCommand shows which job something is said of: on a terminal on one line.
func (a *app) printCommand(indent string, i *client.Info) {
	key := a.out.Fit(0, output.Clean(shortened(i.Key)))
	fmt.Fprintf(a.out, "%s%s  %s\n", indent, a.out.Paint(output.Cyan, key), a.out.Fit(len(indent)+len(key)+2, output.Clean(commandText(i))))
}

// evidence is what tells most about the end of a job: the agent's message and
// the last lines of stderr, or of stdout when that is empty, or of a traceback.
func (a *app) evidence(i *client.Info) []string {
	if i.State == job.Complete {
		return nil
	}
	r := result(i)
	var lines []string
	if r.Message != "" && r.Message != fmt.Sprintf("exit code %d", i.Exit) {
		lines = append(lines, output.Clean(r.Message))
	}
	if i.Reason == job.ReasonResource && i.Job != nil {
		lines = append(lines, "it needs "+output.Human(i.Job.Needs)+"; \"muster worker list\" shows what the machines have, --wait waits for a larger one")
	}
	text := r.Stderr.Text()
	if strings.TrimSpace(text) == "" {
		text = r.Stdout.Text()
	}
	if strings.TrimSpace(text) == "" {
		text = traceback(i)
	}
	text = strings.TrimRight(text, "\n")
	if text == "" {
		return lines
	}
	out := strings.Split(text, "\n")
	for _, l := range out[max(0, len(out)-lastLines):] {
		lines = append(lines, output.CleanLines(l))
	}
	return lines
}

// traceback is what workers of Coordinate, and those of package worker, leave in
// the data of a unit that failed.
func traceback(i *client.Info) string {
	if i.State != job.Buried || i.Attempt == nil {
		return ""
	}
	data, err := cborrpc.Parse(i.Attempt.Data)
	if err != nil {
		return ""
	}
	text, _ := data.Get("traceback").Str()
	return strings.ToValidUTF8(text, "?")
}
