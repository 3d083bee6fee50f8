package jobqueue

import (
	"context"
	"slices"

	"github.com/muster-queue/muster/client"
	"github.com/muster-queue/muster/job"
)

// GetByCmd gets the job of a command and directory; nil if there is none. What it
// printed comes with getstd, the environment it runs in with getenv.
func (c *Client) GetByCmd(cmd, cwd string, getstd, getenv bool) (*Job, error) {
	if cmd == "" && cwd == "" {
		return nil, wrong("GetByCmd", c.Queue, "", ErrBadRequest, job.Errorf(job.Invalid, "neither a command nor a key"))
	}
	i, err := c.get("GetByCmd", c.refOf([2]string{cmd, cwd}), client.Detail{Output: getstd, Environment: getenv})
	if err != nil || i == nil {
		return nil, err
	}
	return fromInfo(i), nil
}

// get is nil if there is no such job.
func (c *Client) get(op string, ref client.Ref, d client.Detail) (i *client.Info, err error) {
	err = c.ask(op, string(ref.Key), func(ctx context.Context) error {
		i, err = c.ns.Get(ctx, ref, d)
		if job.IsKind(err, job.NotFound) {
			return nil
		}
		return err
	})
	return i, err
}

// lookupMax is how many jobs are looked up at a time.
const lookupMax = 1000

// GetByCmds gets those jobs that exist of pairs of command and directory, or of ""
// and a key.
func (c *Client) GetByCmds(ccs [][2]string) ([]*Job, error) {
	list, err := c.lookup("GetByCmds", ccs)
	if err != nil {
		return nil, err
	}
	return jobsOf(list), nil
}

func (c *Client) lookup(op string, ccs [][2]string) (all []*client.Info, err error) {
	for some := range slices.Chunk(ccs, lookupMax) {
		refs := make([]client.Ref, len(some))
		for i, cc := range some {
			if refs[i] = c.refOf(cc); refs[i].Key == "" {
				return nil, wrong(op, c.Queue, "", ErrBadRequest, job.Errorf(job.Invalid, "pair %d has neither a command nor a key", i+1))
			}
		}
		err := c.ask(op, "", func(ctx context.Context) error {
			list, err := c.ns.Lookup(ctx, refs, client.Detail{})
			all = append(all, list...)
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	return all, nil
}

func jobsOf(list []*client.Info) []*Job {
	jobs := make([]*Job, len(list))
	for i, info := range list {
		jobs[i] = fromInfo(info)
	}
	return jobs
}

// GetByRepGroup gets the jobs of a RepGroup, complete ones included; with a state
// (see Job.State, and deletable: neither running nor complete) only those in it. With a
// limit greater than zero there are at most that many of each State, FailReason and
// Exitcode, and the last of them tells in Similar how many more there are. What they
// printed (getStd) and their environment (getEnv) come only with a limit of 1 to 5.
func (c *Client) GetByRepGroup(repgroup string, limit int, state string, getStd, getEnv bool) ([]*Job, error) {
	if repgroup == "" {
		return nil, wrong("GetByRepGroup", c.Queue, "", ErrBadRequest, job.Errorf(job.Invalid, "the RepGroup is empty"))
	}
	return c.query("GetByRepGroup", client.Filter{Queue: c.Queue, Group: repgroup}, limit, state, getStd, getEnv)
}

// GetIncomplete gets the jobs of the queue that are not complete, as GetByRepGroup
// does.
func (c *Client) GetIncomplete(limit int, state string, getStd, getEnv bool) ([]*Job, error) {
	if state == "" {
		return c.query("GetIncomplete", client.Filter{Queue: c.Queue, States: []string{"live"}}, limit, "", getStd, getEnv)
	}
	if state == job.Complete.String() {
		return nil, nil
	}
	return c.query("GetIncomplete", client.Filter{Queue: c.Queue}, limit, state, getStd, getEnv)
}

// Bounds of a limit: how many jobs of each outcome there can be, and up to which one
// they come in full.
const (
	limitMax  = 1000
	limitFull = 5
)

func (c *Client) query(op string, f client.Filter, limit int, state string, getStd, getEnv bool) (jobs []*Job, err error) {
	states, err := statesOf(state)
	if err != nil || limit < 0 {
		return nil, wrong(op, c.Queue, state, ErrBadRequest, err)
	}
	if len(states) > 0 {
		f.States = states
	}
	if limit == 0 {
		for i, err := range c.ns.List(c.ctx, f, client.Detail{}) {
			if err != nil {
				return nil, failed(op, c.Queue, f.Group, err)
			}
			jobs = append(jobs, fromInfo(i))
		}
		return jobs, nil
	}
	full := limit <= limitFull
	var outcomes []client.Outcome
	err = c.ask(op, f.Group, func(ctx context.Context) (err error) {
		outcomes, _, err = c.ns.Outcomes(ctx, f, min(limit, limitMax), client.Detail{Output: getStd && full, Environment: getEnv && full})
		return err
	})
	for _, o := range outcomes {
		alike := jobsOf(o.Jobs)
		if len(alike) > 0 {
			alike[len(alike)-1].Similar = int(o.Similar)
		}
		jobs = append(jobs, alike...)
	}
	return jobs, err
}
