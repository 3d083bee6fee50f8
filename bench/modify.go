package bench

import (
	"context"
	"time"

	"github.com/muster-queue/muster/client"
	"github.com/muster-queue/muster/job"
)

// modify changes the memory and the priority of 100,000 waiting jobs by one request.
func modify(ctx context.Context, l *lab) ([]Result, error) {
	h, err := l.open(ctx, nil)
	if err != nil {
		return nil, err
	}
	defer h.Stop()
	n := l.jobs(100_000) / adders * adders
	if err := addOver(ctx, h, n, command); err != nil {
		return nil, err
	}
	c, err := dial(ctx, h)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	changes := &job.Job{Priority: 5, Needs: job.Resources{job.Memory: 2 << 30}}
	began := time.Now()
	done, err := c.Namespace("").Modify(ctx, client.Where(client.Filter{Group: "bench"}), changes, "priority", "needs.mem")
	if err == nil && done.Changed != int64(n) {
		err = job.Errorf(job.Internal, "%d of %d jobs were changed", done.Changed, n)
	}
	return []Result{{Name: "modify/100k", Value: time.Since(began).Seconds(), Unit: "s", Goal: 5, Below: true}}, err
}
