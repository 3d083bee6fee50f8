package cli

import (
	"context"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/muster-queue/muster/client"
	"github.com/muster-queue/muster/job"
	"github.com/muster-queue/muster/simulate"
)

// history is a workload out of what the server has seen.
type history struct {
	from         bool
	queue        string
	since, until string
}

func (h *history) flags(f *pflag.FlagSet) {
	f.BoolVar(&h.from, "history", false, "the jobs that ran on the server, with its accounts and agents of now")
	f.StringVarP(&h.queue, "queue", "q", "", "with --history: only jobs of this `QUEUE`")
	f.StringVar(&h.since, "since", "", "with --history: what ran after this `TIME`, e.g. 7d (ago) or 2030-01-02T15:04:05Z; all when not given")
	f.StringVar(&h.until, "until", "", "with --history: what came before this `TIME`; now when not given")
}

// recall makes the workload.
func (s *simulation) recall(cmd *cobra.Command) (list []*simulate.Workload, err error) {
	err = s.app.with(needData, func(ctx context.Context, l *link, _ []string) error {
		w, err := s.remember(ctx, l)
		list = []*simulate.Workload{w}
		return err
	})(cmd, nil)
	return list, err
}

func (s *simulation) remember(ctx context.Context, l *link) (*simulate.Workload, error) {
	now := s.app.now()
	since, err := moment(s.since, time.Time{}, now)
	if err != nil {
		return nil, job.Wrap(err, "", "--since")
	}
	until, err := moment(s.until, now, now)
	if err != nil {
		return nil, job.Wrap(err, "", "--until")
	}
	if !since.Before(until) {
		return nil, job.Errorf(job.Invalid, "--since is not before --until")
	}
	past, err := s.past(ctx, l, since, until)
	if err != nil {
		return nil, err
	}
	if since.IsZero() {
		since = firstOf(past)
	}
	w := &simulate.Workload{
		Name: "history", Seed: simulate.DefaultSeed, Grace: simulate.DefaultGrace, Jobs: simulate.Recall(past, since),
	}
	if s.until != "" {
		w.Duration = until.Sub(since).Round(time.Second)
	}
	if err := addAccounts(ctx, l, w); err != nil {
		return nil, err
	}
	if err := addQueues(ctx, l, w); err != nil {
		return nil, err
	}
	return w, s.addAgents(ctx, l, w)
}

// moment is a time of the command line: a length of time ago, or a moment.
func moment(text string, none, now time.Time) (time.Time, error) {
	if text == "" {
		return none, nil
	}
	if d, err := job.ParseDuration(text); err == nil {
		return now.Add(-d), nil
	}
	for _, layout := range []string{time.RFC3339, "2006-01-02T15:04:05", "2006-01-02 15:04:05", "2006-01-02 15:04", time.DateOnly} {
		if t, err := time.ParseInLocation(layout, text, time.Local); err == nil {
			return t, nil
		}
	}
	return none, job.Errorf(job.Invalid, "%q is no time; write e.g. 7d (ago), 2030-01-02 or 2030-01-02T15:04:05Z", text)
}

// past are the commands that ran to an end in the time.
func (s *simulation) past(ctx context.Context, l *link, since, until time.Time) (list []simulate.Past, err error) {
	f := client.Filter{Queue: s.queue, States: []string{job.Complete.String(), job.Buried.String()}}
	for i, err := range l.List(ctx, f, client.Detail{}) {
		if err != nil {
			return nil, err
		}
		a := i.Attempt
		if i.Job == nil || !i.Job.IsCommand() || a == nil || a.Started.IsZero() || !a.Ended.After(since) || !i.Added.Before(until) {
			continue
		}
		list = append(list, simulate.Past{
			Account: i.Account, Queue: i.Queue, Priority: i.Priority, Labels: i.Job.Labels, Prefer: i.Job.Prefer, Needs: i.Job.Needs,
			Time: i.Job.Time, NotPreemptible: i.Job.NotPreemptible, Added: i.Added, Lasts: a.Ended.Sub(a.Started),
		})
		if len(list) > simulate.MaxJobs {
			return nil, job.Errorf(job.Invalid, "more than %d jobs ran; at most so many can be simulated: give --since, --until or --queue", simulate.MaxJobs)
		}
	}
	if len(list) == 0 {
		return nil, job.Errorf(job.NotFound, "no command has run to an end in that time; \"muster simulate --example\" shows a workload to begin with")
	}
	return list, nil
}

// firstOf is when the first job came.
func firstOf(list []simulate.Past) time.Time {
	first := list[0].Added
	for i := range list {
		if list[i].Added.Before(first) {
			first = list[i].Added
		}
	}
	return first
}

func addAccounts(ctx context.Context, l *link, w *simulate.Workload) error {
	for a, err := range l.Accounts("").All(ctx) {
		if err != nil {
			return err
		}
		w.Accounts = append(w.Accounts, simulate.NewAccount(a.Account, a.Balance))
	}
	return nil
}

func addQueues(ctx context.Context, l *link, w *simulate.Workload) error {
	used := map[string]bool{}
	for i := range w.Jobs {
		used[w.Jobs[i].Queue] = true
	}
	for q, err := range l.Queues(ctx) {
		if err != nil {
			return err
		}
		if used[q.Name] && (q.Priority != 0 || q.Weight != 0 || q.MaxRunning != 0) {
			w.Queues = append(w.Queues, simulate.Queue{Name: q.Name, Priority: q.Priority, Weight: q.Weight, MaxRunning: q.MaxRunning})
		}
	}
	return nil
}

// addAgents adds the agents that are there now. A stranger's capacity cannot be
// guessed, so without any there is nothing to simulate.
func (s *simulation) addAgents(ctx context.Context, l *link, w *simulate.Workload) error {
	for i, err := range l.Workers(ctx, client.WorkerFilter{}) {
		if err != nil {
			return err
		}
		if i.Agent && i.Alive {
			w.Workers = append(w.Workers, simulate.NewWorker(i.Name, i.Capacity, i.Labels))
		}
	}
	if len(w.Workers) > 0 {
		return nil
	}
	if s.save == "" {
		return job.Errorf(job.Conflict, "no agent is there at present, so it is not known what the jobs would run on; "+
			"--save FILE writes the workload, with a worker that is made up, for you to edit")
	}
	w.Workers = []simulate.Workers{{Name: "worker", Count: 1, Capacity: job.Resources{job.CPU: 8 * job.Thousandth, job.Memory: 32 << 30}}}
	s.app.say("No agent is there at present: the workload has a worker of 8 cores and 32G that is made up; write down what you have.")
	return nil
}
