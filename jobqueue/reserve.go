package jobqueue

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"github.com/muster-queue/muster/client"
	"github.com/muster-queue/muster/job"
)

// longestWait is how long one request waits; a longer Reserve asks again.
const longestWait = time.Minute

// Reserve takes the next job of the queue: it is this client's, and nobody else's,
// for ItemTTR from now and from each Touch. It is nil if there is none in time, or
// the server is draining; a timeout of zero waits for ever.
func (c *Client) Reserve(timeout time.Duration) (*Job, error) {
	return c.reserve("Reserve", timeout, nil)
}

// ReserveScheduled is Reserve for the jobs of one scheduler group only: those that
// need the same (see Job.SchedulerGroup). An empty group means any.
func (c *Client) ReserveScheduled(timeout time.Duration, schedulerGroup string) (*Job, error) {
	var exactly *client.Exactly
	if schedulerGroup != "" {
		e, err := parseGroup(schedulerGroup)
		if err != nil {
			return nil, wrong("ReserveScheduled", c.Queue, schedulerGroup, ErrBadRequest, err)
		}
		exactly = &e
	}
	return c.reserve("ReserveScheduled", timeout, exactly)
}

func (c *Client) reserve(op string, timeout time.Duration, exactly *client.Exactly) (*Job, error) {
	if timeout < 0 {
		return nil, wrong(op, c.Queue, timeout.String(), ErrBadRequest, job.Errorf(job.Invalid, "a timeout is not negative"))
	}
	want := client.Want{Queues: []string{c.Queue}, Commands: true, Exactly: exactly, Lease: c.cfg.ItemTTR}
	for end := time.Now().Add(timeout); ; {
		wait := longestWait
		if timeout > 0 {
			wait = min(wait, max(time.Until(end), 0))
		}
		grants, err := c.take(op, wait, want)
		if err != nil {
			return nil, err
		}
		if len(grants) > 0 {
			return c.hold(op, grants[0])
		}
		if timeout > 0 && !time.Now().Before(end) {
			return nil, nil
		}
		if over, err := c.draining(op); over || err != nil {
			return nil, err
		}
	}
}

func (c *Client) take(op string, wait time.Duration, want client.Want) (grants []*client.Grant, err error) {
	err = c.askWithin(wait+c.cfg.Timeout, op, "", func(ctx context.Context) error {
		grants, err = c.worker.Reserve(ctx, 1, wait, want)
		return err
	})
	return grants, err
}

func (c *Client) draining(op string) (yes bool, err error) {
	err = c.ask(op, "", func(ctx context.Context) error {
		info, err := c.conn.Info(ctx)
		yes = err == nil && info.Mode == ServerModeDrain
		return err
	})
	return yes, err
}

// hold makes a job of what was granted.
func (c *Client) hold(op string, g *client.Grant) (*Job, error) {
	m, err := g.Job()
	if err != nil {
		return nil, failed(op, c.Queue, "", err)
	}
	h := &holding{client: c, grant: g, job: m}
	c.mu.Lock()
	c.held[m.Key] = h
	c.mu.Unlock()
	j := &Job{Exitcode: -1}
	// A job that cannot be looked at now is this client's all the same.
	_ = c.ask(op, string(m.Key), func(ctx context.Context) error {
		i, err := c.ns.Get(ctx, client.Ref{Queue: c.Queue, Key: m.Key}, client.Detail{Environment: true})
		if err == nil {
			j = fromInfo(i)
		}
		return err
	})
	j.describe(m)
	j.State, j.ReservedBy, j.held = stateWord(job.Reserved), c.ID, h
	return j, nil
}

// SchedulerGroup is what the job needs, as a word: jobs with the same word are run
// by runners that were started for that group. It is of the needs given; where
// others were learned, the server gives runners a group of those.
func (j *Job) SchedulerGroup() string {
	m := j.toMuster("", "")
	return groupOf(m.Needs, m.Time)
}

// groupOf writes needs as a word: "cpu=1,mem=500M,time=1h0m0s".
func groupOf(needs job.Resources, time time.Duration) string {
	var words []string
	for name, v := range needs {
		if v != 0 {
			words = append(words, name+"="+job.FormatAmount(name, v))
		}
	}
	slices.Sort(words)
	return strings.Join(append(words, "time="+time.String()), ",")
}

// parseGroup reads what groupOf writes.
func parseGroup(group string) (e client.Exactly, err error) {
	e.Needs = job.Resources{}
	timed := false
	for word := range strings.SplitSeq(group, ",") {
		name, value, _ := strings.Cut(word, "=")
		if name == "time" {
			e.Time, err = time.ParseDuration(value)
			timed = true
		} else if err = job.CheckName("resource", name); err == nil {
			e.Needs[name], err = job.ParseAmount(name, value)
		}
		if err != nil {
			return e, job.Errorf(job.Invalid, "scheduler group %.200q: %w", group, err)
		}
	}
	if !timed || e.Time < 0 {
		return e, job.Errorf(job.Invalid, "scheduler group %.200q: it is of the form cpu=1,mem=500M,time=1h0m0s", group)
	}
	return e, cmp.Or(e.Needs.Validate())
}
