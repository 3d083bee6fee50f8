package bench

import (
	"context"
	"time"

	"github.com/muster-queue/muster/agent"
	"github.com/muster-queue/muster/client"
	"github.com/muster-queue/muster/job"
)

func runExec(ctx context.Context, l *lab) ([]Result, error) {
	return l.runs(ctx, "run/true-exec", 1500, job.Command{Argv: []string{"true"}})
}

func runSh(ctx context.Context, l *lab) ([]Result, error) {
	return l.runs(ctx, "run/true-sh", 1000, job.Command{Argv: []string{"sh", "-c", "true"}})
}

func runBash(ctx context.Context, l *lab) ([]Result, error) {
	return l.runs(ctx, "run/true-bash", 700, job.Command{Argv: []string{"bash", "-c", "true"}})
}

// runs measures one local agent with a command that does nothing.
func (l *lab) runs(ctx context.Context, name string, goal float64, c job.Command) ([]Result, error) {
	h, err := l.open(ctx, &agent.Config{})
	if err != nil {
		return nil, err
	}
	defer h.Stop()
	n := l.jobs(int(goal) * 2)
	ns := h.Client().Namespace("")
	if _, err := h.Client().Pause(ctx, ""); err != nil {
		return nil, err
	}
	adder := ns.Add(ctx, client.AddOptions{})
	for i := range n {
		cmd := c
		cmd.Dir, cmd.DirGiven = "/", true
		if err := adder.Add(&job.Job{Key: document(i).Key, Command: &cmd}, 0); err != nil {
			return nil, err
		}
	}
	if _, err := adder.Close(); err != nil {
		return nil, err
	}
	began := time.Now()
	if err := h.Client().Resume(ctx, ""); err != nil {
		return nil, err
	}
	counts, err := ns.Wait(ctx, client.WaitFor{}, nil)
	if err == nil && counts[job.Complete] != int64(n) {
		err = job.Errorf(job.Internal, "%d of %d commands completed", counts[job.Complete], n)
	}
	return []Result{rate(name, n, time.Since(began), goal, &samples{})}, err
}

// cancelLatency measures the time from the order to the signal's effect: the
// command's end as its agent reports it.
func cancelLatency(ctx context.Context, l *lab) ([]Result, error) {
	h, err := l.open(ctx, &agent.Config{})
	if err != nil {
		return nil, err
	}
	defer h.Stop()
	ns := h.Client().Namespace("")
	var took samples
	for i := range 20 {
		key := document(i).Key
		j := &job.Job{Key: key, Command: &job.Command{Argv: []string{"sleep", "60"}, Dir: "/", DirGiven: true}}
		if _, _, err := ns.AddJobs(ctx, client.AddOptions{}, j); err != nil {
			return nil, err
		}
		if err := until(ctx, ns, job.Running, 1); err != nil {
			return nil, err
		}
		began := time.Now()
		if _, err := ns.Cancel(ctx, client.Select(client.Ref{Key: key})); err != nil {
			return nil, err
		}
		if err := until(ctx, ns, job.Buried, int64(i+1)); err != nil {
			return nil, err
		}
		took.add(time.Since(began))
	}
	return []Result{{
		Name: "cancel/latency", Value: ms(took.percentile(99)) / 1000, Unit: "s", Goal: 1, Below: true,
		P50: ms(took.percentile(50)), P99: ms(took.percentile(99)), Note: "order to the end of the command, durable",
	}}, nil
}

// until waits, by watching, until so many jobs are in a state.
func until(ctx context.Context, ns *client.Namespace, state job.State, n int64) error {
	for step, err := range ns.Watch(ctx, client.WatchOptions{}) {
		if err != nil {
			return err
		}
		if step.Counts[state] >= n {
			return nil
		}
	}
	return job.Errorf(job.Internal, "the watch ended")
}
