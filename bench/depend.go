package bench

import (
	"context"
	"fmt"
	"time"

	"github.com/muster-queue/muster"
	"github.com/muster-queue/muster/engine"
	"github.com/muster-queue/muster/job"
)

// dependents is how many jobs depend on one another in each row.
const dependents = 100_000

// depend measures what dependencies cost: 100,000 commands in five dependency groups, of
// which each waits for the one before; 100,000 jobs that one waits for and 100,000 that
// wait for that, added and ended by one caller; and how fast a chain of 100,000 is worked
// off, by the first 2,000 of it, of which each must be durable before the next is taken.
func depend(ctx context.Context, l *lab) ([]Result, error) {
	var all []Result
	for _, row := range []struct {
		name string
		goal float64
		run  func(context.Context, *muster.Handle, int) error
	}{
		{"add/dependencies", 2, addStages},
		{"resolve/fan", 0, resolveFan},
		{"add/chain", 0, addChain},
	} {
		h, err := l.open(ctx, nil)
		if err != nil {
			return all, err
		}
		began := time.Now()
		err = row.run(ctx, h, l.jobs(dependents)/adders*adders)
		all = append(all, Result{Name: row.name, Value: time.Since(began).Seconds(), Unit: "s", Goal: row.goal, Below: true})
		if h.Stop(); err != nil {
			return all, err
		}
	}
	return all, nil
}

// stage is a command of one of five stages, each of which waits for the one before.
func stage(i int) *job.Job {
	j := command(i)
	j.DepGroups = []string{fmt.Sprint("stage", i%5)}
	if i%5 > 0 {
		j.Dependencies = []job.Dependency{{Group: fmt.Sprint("stage", i%5-1)}}
	}
	return j
}

func addStages(ctx context.Context, h *muster.Handle, n int) error { return addOver(ctx, h, n, stage) }

// link is a document that waits for the one before.
func link(i int) *job.Job {
	j := document(i)
	if i > 0 {
		j.Dependencies = []job.Dependency{{Key: document(i - 1).Key}}
	}
	return j
}

// linksEnded is how many of the chain are ended.
const linksEnded = 2000

func addChain(ctx context.Context, h *muster.Handle, n int) error {
	if err := addOver(ctx, h, n, link); err != nil {
		return err
	}
	return finishAll(ctx, h, min(n, linksEnded))
}

// resolveFan ends n jobs in one group, one that waits for them, and n that wait for that.
func resolveFan(ctx context.Context, h *muster.Handle, n int) error {
	if err := addOver(ctx, h, n, func(i int) *job.Job {
		j := document(i)
		j.DepGroups = []string{"first"}
		return j
	}); err != nil {
		return err
	}
	middle := document(n)
	middle.DepGroups, middle.Dependencies = []string{"middle"}, []job.Dependency{{Group: "first"}}
	ns, err := h.Namespace(ctx, "")
	if err != nil {
		return err
	}
	if _, err := ns.Add(ctx, engine.AddRequest{Jobs: []*job.Job{middle}}); err != nil {
		return err
	}
	if err := addOver(ctx, h, n, func(i int) *job.Job {
		j := document(n + 1 + i)
		j.Dependencies = []job.Dependency{{Group: "middle"}}
		return j
	}); err != nil {
		return err
	}
	return finishAll(ctx, h, 2*n+1)
}

// finishAll takes and completes what is ready until n jobs are complete.
func finishAll(ctx context.Context, h *muster.Handle, n int) error {
	ns, err := h.Namespace(ctx, "")
	if err != nil {
		return err
	}
	for done := 0; done < n; {
		grants, err := ns.Reserve(ctx, engine.ReserveRequest{Worker: job.Worker{Name: "bench"}, N: batchSize, Wait: time.Minute})
		if err != nil {
			return err
		}
		if len(grants) == 0 {
			return job.Errorf(job.Internal, "%d of %d jobs became ready", done, n)
		}
		reports := make([]engine.Report, len(grants))
		for i, g := range grants {
			reports[i] = engine.Report{Ref: engine.Ref{Seq: g.Seq, Attempt: g.Attempt}, Kind: engine.ReportComplete}
		}
		answers, err := ns.Report(ctx, "bench", reports)
		if err != nil {
			return err
		}
		for _, a := range answers {
			if a.Err != nil {
				return a.Err
			}
		}
		done += len(grants)
	}
	return nil
}
