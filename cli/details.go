package cli

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/muster-queue/muster/api"
	"github.com/muster-queue/muster/cli/output"
	"github.com/muster-queue/muster/client"
	"github.com/muster-queue/muster/coordinate/cborrpc"
	"github.com/muster-queue/muster/job"
)

// showOne shows all that is known of one job.
func (s *status) showOne(ctx context.Context, l *link) error {
	ref, err := resolve(ctx, l, s.filter.Queue, s.args[0])
	if err != nil {
		return err
	}
	i, err := l.Get(ctx, ref, client.Detail{Output: true, Environment: s.env})
	if err != nil {
		return err
	}
	attempts, err := l.Attempts(ctx, ref, false)
	if err != nil {
		return err
	}
	p := page{s.app}
	p.job(i)
	p.description(i.Job)
	if len(attempts) > 0 {
		if err := p.attempts(attempts, i.Job); err != nil {
			return err
		}
	}
	if i.Job != nil {
		p.data("data", i.Job.Data)
	}
	p.data("data of the attempt", attempt(i).Data)
	p.output("stdout", &result(i).Stdout)
	p.output("stderr", &result(i).Stderr)
	if text := strings.TrimRight(traceback(i), "\n"); text != "" {
		p.lines("traceback", strings.Split(text, "\n"))
	}
	p.lines("what the agent did", result(i).Log)
	p.lines("environment", i.Environment)
	return nil
}

// page prints what is known of one thing, part by part.
type page struct{ *app }

// line is a name and a value, if there is one.
func (p page) line(name, value string) {
	if value != "" {
		fmt.Fprintf(p.out, "%s %s\n", p.out.Paint(output.Bold, fmt.Sprintf("%-10s", name)), value)
	}
}

func (p page) job(i *client.Info) {
	p.line("job", output.Clean(api.KeyText(i.Key)))
	p.line("command", output.CleanLines(commandText(i)))
	p.line("directory", output.Clean(dirOf(i)))
	state := stateCell(i)
	text := p.out.Paint(output.StateColour(state), string(state))
	if !i.Since.IsZero() {
		text += " for " + output.Short(p.now().Sub(i.Since))
	}
	if i.Reason != job.ReasonNone && i.State != job.Complete {
		text += ", because: " + i.Reason.String()
	}
	if i.Stopping != job.MarkNone && i.State.Held() {
		text += " (" + i.Stopping.String() + ")"
	}
	p.line("state", text)
	p.line("message", output.Clean(result(i).Message))
	if !i.Due.IsZero() && i.State == job.Delayed {
		p.line("ready in", output.Short(i.Due.Sub(p.now())))
	}
	p.line("group", output.Clean(i.Group))
	p.line("queue", output.Clean(i.Queue))
	p.line("account", output.Clean(i.Account))
	p.line("kind", output.Clean(i.Kind))
	p.line("submitter", output.Clean(submitter(i)))
	p.line("priority", nonZero(i.Priority))
	p.dependencies(i)
	p.line("added", i.Added.Local().Format(time.DateTime))
	if i.State.Live() {
		tries := fmt.Sprintf("%d so far", i.Attempts)
		if !pulled(i) { // of data, a queue counts every attempt
			tries += fmt.Sprintf(", %d failures left", i.RetriesLeft)
		}
		p.line("tries", tries)
	}
}

// dependencies shows what a job waits for, and who waits for it.
func (p page) dependencies(i *client.Info) {
	for _, w := range i.Waits {
		p.line("waits for", output.Clean(w.Text))
	}
	var by []string
	for _, r := range i.AwaitedBy {
		by = append(by, shortened(r.Key))
	}
	if i.AwaitedByMore {
		by = append(by, "and others")
	}
	p.line("awaited by", output.Clean(strings.Join(by, ", ")))
	if i.Job != nil {
		p.line("dep groups", output.Clean(strings.Join(i.Job.DepGroups, ", ")))
	}
}

func nonZero(f float64) string {
	if f == 0 {
		return ""
	}
	return fmt.Sprint(f)
}

func (p page) description(j *job.Job) {
	if j == nil {
		return
	}
	needs := output.Human(j.Needs)
	if j.Time > 0 {
		needs = strings.TrimSpace(needs + " time=" + output.Short(j.Time))
	}
	p.line("needs", needs)
	p.line("labels", output.Clean(strings.Join(j.Labels, " ")))
	p.line("prefers", output.Clean(strings.Join(j.Prefer, " ")))
	if c := j.Command; c != nil {
		p.line("settings", output.Clean(strings.Join(c.Env, " ")))
		p.line("unset", output.Clean(strings.Join(c.EnvUnset, " ")))
		p.line("secrets", output.Clean(secretRefs(c)))
	}
}

// secretRefs says which variables get which secrets; their values nobody sees.
func secretRefs(c *job.Command) string {
	var refs []string
	for _, name := range slices.Sorted(maps.Keys(c.Secrets)) {
		refs = append(refs, name+"="+c.Secrets[name])
	}
	return strings.Join(refs, " ")
}

func (p page) attempts(list []*job.Attempt, j *job.Job) error {
	fmt.Fprintln(p.out)
	t := output.NewListing(p.out, output.Table,
		output.Column{Name: "attempt", Right: true}, output.Column{Name: "outcome"}, output.Column{Name: "exit"}, output.Column{Name: "reason", Stretch: true},
		output.Column{Name: "wall_time", Right: true}, output.Column{Name: "cpu_time", Right: true}, output.Column{Name: "peak_memory", Right: true},
		output.Column{Name: "asked", Stretch: true}, output.Column{Name: "host", Stretch: true}, output.Column{Name: "started"})
	for _, a := range list {
		i := &client.Info{Attempt: a, Job: j}
		outcome := a.Outcome.String()
		if a.Outcome == job.OutcomeNone {
			outcome, i.State = "running", job.Running
		}
		if err := t.Row(a.Number, outcome, exitCell(i), a.Result.Reason.String(), wallTime(i), a.Result.CPUTime,
			output.Bytes(a.Result.PeakMemory), asked(a), cmp.Or(a.Host, a.Worker), begun(i)); err != nil {
			return err
		}
	}
	return t.Close()
}

// asked is what the job needed then.
func asked(a *job.Attempt) string {
	needs := output.Human(a.Asked)
	if a.Time > 0 {
		needs = strings.TrimSpace(needs + " time=" + output.Short(a.Time))
	}
	return needs
}

// data shows a document of a job that carries data.
func (p page) data(name string, data []byte) {
	if len(data) == 0 {
		return
	}
	document, err := cborrpc.Parse(data)
	if err != nil {
		p.lines(name, []string{fmt.Sprintf("%d bytes that are no CBOR", len(data))})
		return
	}
	p.lines(name, strings.Split(document.Text(dataWidth), "\n"))
}

// dataWidth is how long a line of a document may be.
const dataWidth = 96

func (p page) output(name string, o *job.Output) {
	if o.Size() > 0 {
		p.lines(name, strings.Split(strings.TrimRight(o.Text(), "\n"), "\n"))
	}
	if o.Path != "" {
		fmt.Fprintf(p.out, "  all of it is in %s\n", output.Clean(o.Path))
	}
}

func (p page) lines(name string, lines []string) {
	if len(lines) == 0 {
		return
	}
	fmt.Fprintf(p.out, "\n%s\n", p.out.Paint(output.Bold, name))
	for _, l := range lines {
		fmt.Fprintf(p.out, "  %s\n", strings.ReplaceAll(output.CleanLines(l), "\n", "\n    "))
	}
}
