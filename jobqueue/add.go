package jobqueue

import (
	"context"
	"os"

	"github.com/muster-queue/muster/client"
	"github.com/muster-queue/muster/job"
)

// Add adds jobs to the queue, with the environment of this process, but what looks
// like a secret (see client.Capture). Those that are there, complete ones included,
// are left alone and counted as existed. Jobs are added in batches of a thousand:
// after an error the counts are of what was added before.
func (c *Client) Add(jobs []*Job) (added, existed int, err error) {
	for _, j := range jobs {
		if err := j.check(); err != nil {
			return 0, 0, wrong("Add", c.Queue, "", ErrBadRequest, err)
		}
	}
	if len(jobs) == 0 {
		return 0, 0, nil
	}
	rules, err := client.NewCapture(nil, nil, os.LookupEnv)
	if err != nil {
		return 0, 0, failed("Add", c.Queue, "", err)
	}
	var env string
	err = c.ask("Add", "", func(ctx context.Context) (err error) {
		kept, _ := rules.Of(os.Environ())
		env, err = c.ns.PutEnvironment(ctx, kept)
		return err
	})
	if err != nil {
		return 0, 0, err
	}
	sum, err := c.add(jobs, env)
	return int(sum.Added), int(sum.Existed), failed("Add", c.Queue, "", err)
}

// add is bounded by the client's patience with each batch, not as a whole.
func (c *Client) add(jobs []*Job, env string) (client.Added, error) {
	adder := c.ns.Add(c.ctx, client.AddOptions{Existing: job.ExistingKeep})
	for _, j := range jobs {
		if err := adder.Add(j.toMuster(c.Queue, env), 0); err != nil {
			break // Close tells why
		}
	}
	return adder.Close()
}
