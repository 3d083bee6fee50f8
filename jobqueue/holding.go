package jobqueue

import (
	"bytes"
	"context"
	"time"

	"github.com/muster-queue/muster/client"
	"github.com/muster-queue/muster/job"
)

// holding is a job that a client has reserved.
type holding struct {
	client  *Client
	grant   *client.Grant
	job     *job.Job
	started time.Time
	pid     int
	// result is how the run ended; nil before Ended.
	result *job.Result
}

// holding is what this client has of a job, or of one with the same identity.
func (c *Client) holding(op string, j *Job) (*holding, error) {
	if j == nil {
		return nil, wrong(op, c.Queue, "", ErrBadRequest, job.Errorf(job.Invalid, "the job is nil"))
	}
	h := j.held
	if h == nil {
		c.mu.Lock()
		h = c.held[keyOf(j.Cmd, j.Cwd)]
		c.mu.Unlock()
	}
	if h == nil || h.client != c {
		return nil, wrong(op, c.Queue, j.Cmd, ErrMustReserve, nil)
	}
	return h, nil
}

// tell reports about a job and gives the answer to the last report. The job is not
// this client's any more after its end was told.
func (h *holding) tell(op string, reports ...client.Report) (last client.Answer, err error) {
	c, item := h.client, string(h.job.Key)
	err = c.ask(op, item, func(ctx context.Context) error {
		answers, err := c.worker.Report(ctx, reports...)
		for _, a := range answers {
			if last = a; a.Err != nil {
				return badJob(a.Err)
			}
		}
		return err
	})
	return last, err
}

// badJob: that a job which this client had reserved is gone is the same to wr's
// clients as that it is another's.
func badJob(err error) error {
	if job.IsKind(err, job.NotFound) {
		return job.Errorf(job.LostLease, "%w", err)
	}
	return err
}

func (h *holding) forget() {
	c := h.client
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.held[h.job.Key] == h {
		delete(c.held, h.job.Key)
	}
}

// Started says that the job's command runs, as which process and where.
func (c *Client) Started(j *Job, pid int, host string) error {
	h, err := c.holding("Started", j)
	if err != nil {
		return err
	}
	if pid <= 0 {
		return wrong("Started", c.Queue, j.Cmd, ErrBadRequest, job.Errorf(job.Invalid, "%d is no process", pid))
	}
	if _, err := h.tell("Started", client.Start(h.grant)); err != nil {
		return err
	}
	if h.started.IsZero() {
		h.started = time.Now()
		j.Attempts++
	}
	h.pid, h.result = pid, nil
	j.Pid, j.Host, j.State = pid, host, stateWord(job.Running)
	return nil
}

// Touch says that the job is still being worked on: it stays this client's for
// another ItemTTR. The error is ErrBadJob when it is this client's no more, or was
// cancelled: then what runs of it shall be ended.
func (c *Client) Touch(j *Job) error {
	h, err := c.holding("Touch", j)
	if err != nil {
		return err
	}
	return h.touch("Touch")
}

func (h *holding) touch(op string) error {
	a, err := h.tell(op, client.Renew(h.grant, 0))
	if err == nil && a.Stopping != job.MarkNone {
		err = wrong(op, h.client.Queue, string(h.job.Key), ErrBadJob, stopCause(a.Stopping))
	}
	return err
}

// Ended says how the run of a started job ended; peakram is in MB. Archive, Release
// or Bury follows, and takes it to the server.
func (c *Client) Ended(j *Job, exitcode, peakram int, cputime time.Duration, stdout, stderr []byte) error {
	h, err := c.holding("Ended", j)
	if err != nil {
		return err
	}
	if h.started.IsZero() {
		return wrong("Ended", c.Queue, j.Cmd, ErrBadJob, job.Errorf(job.Conflict, "it was not started"))
	}
	if err := h.touch("Ended"); err != nil {
		return err
	}
	h.result = &job.Result{
		Exited: true, ExitCode: exitcode, PeakMemory: int64(max(peakram, 0)) * MB, CPUTime: max(cputime, 0),
		WallTime: time.Since(h.started), Pid: h.pid, Stdout: output(stdout), Stderr: output(stderr),
	}
	j.ended(h.result)
	return nil
}

// output keeps the beginning and the end of what was printed.
func output(b []byte) job.Output {
	if len(b) <= 2*job.DefaultKeep {
		return job.Output{Head: bytes.Clone(b)}
	}
	return job.Output{
		Head: bytes.Clone(b[:job.DefaultKeep]), Tail: bytes.Clone(b[len(b)-job.DefaultKeep:]),
		Omitted: int64(len(b) - 2*job.DefaultKeep),
	}
}

// ran is whether the command ran to its end with that success.
func (h *holding) ran(well bool) bool { return h.result != nil && (h.result.ExitCode == 0) == well }

// Archive says that the job is done: it exited with 0, as Ended was told. It leaves
// the queue for the history, where it is kept.
func (c *Client) Archive(j *Job) error {
	h, err := c.holding("Archive", j)
	if err != nil {
		return err
	}
	if !h.ran(true) {
		return wrong("Archive", c.Queue, j.Cmd, ErrBadRequest, job.Errorf(job.Conflict, "it has not exited with 0, as far as Ended was told"))
	}
	return h.finish("Archive", j, client.Complete(h.grant, h.result))
}

// Release gives the job back, to be run again after a delay. If it ran and failed,
// as Ended was told, that costs one of its Retries, and it is buried when there are
// none left. Otherwise it costs nothing.
func (c *Client) Release(j *Job, failreason string, delay time.Duration) error {
	h, err := c.holding("Release", j)
	if err != nil {
		return err
	}
	if delay < 0 {
		return wrong("Release", c.Queue, j.Cmd, ErrBadRequest, job.Errorf(job.Invalid, "a delay of %v", delay))
	}
	r := h.outcome()
	if h.ran(false) {
		r.Reason, r.Message = reasonOf(failreason, costs, job.ReasonWorker)
	} else {
		r.Reason, r.Message = reasonOf(failreason, job.Reason.Innocent, job.ReasonSignal)
	}
	return h.finish("Release", j, client.Release(h.grant, r).After(delay))
}

// costs: a failure for the reason costs a retry, no more and no less.
func costs(r job.Reason) bool { return !r.Innocent() && !r.Final() }

// Bury sets the job aside until a person has it kicked.
func (c *Client) Bury(j *Job, failreason string) error {
	h, err := c.holding("Bury", j)
	if err != nil {
		return err
	}
	r := h.outcome()
	r.Reason, r.Message = reasonOf(failreason, func(job.Reason) bool { return true }, job.ReasonWorker)
	return h.finish("Bury", j, client.Bury(h.grant, r))
}

// outcome is a copy of the result.
func (h *holding) outcome() *job.Result {
	if h.result == nil {
		return &job.Result{ExitCode: -1, Pid: h.pid}
	}
	r := *h.result
	return &r
}

// finish reports the end of the attempt and what that makes of the job.
func (h *holding) finish(op string, j *Job, end client.Report) error {
	a, err := h.tell(op, end)
	if err != nil {
		return err
	}
	h.forget()
	h.became(j, a.State)
	return nil
}

// became notes in the job where its end has led.
func (h *holding) became(j *Job, to job.State) {
	j.State, j.ReservedBy = stateWord(to), ""
	if i, err := h.client.get("Get", client.Ref{Queue: h.client.Queue, Key: h.job.Key}, client.Detail{}); err == nil && i != nil {
		now := fromInfo(i)
		j.UntilBuried, j.FailReason = now.UntilBuried, now.FailReason
	}
}
