package jobqueue

import (
	"context"
	"errors"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"github.com/muster-queue/muster/agent"
	"github.com/muster-queue/muster/agent/home"
	"github.com/muster-queue/muster/agent/keeper"
	"github.com/muster-queue/muster/agent/run"
	"github.com/muster-queue/muster/client"
	"github.com/muster-queue/muster/job"
)

// running is what runs the commands of a client: what an agent has, in a temporary
// directory. Its keeper ends the commands when this process dies.
type running struct {
	dir    string
	home   *home.Home
	keeper *keeper.Keeper
	runner *run.Runner
	using  sync.WaitGroup
	lost   chan struct{} // closed when the keeper is gone for good
}

// runner is made when it is needed first.
func (c *Client) runner() (*running, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ctx.Err() != nil {
		return nil, context.Cause(c.ctx)
	}
	if c.run == nil {
		r, err := newRunning()
		if err != nil {
			return nil, err
		}
		c.run = r
	}
	c.run.using.Add(1)
	return c.run, nil
}

func newRunning() (r *running, err error) {
	r = &running{lost: make(chan struct{})}
	if r.dir, err = os.MkdirTemp("", "jobqueue-"); err != nil {
		return nil, job.Errorf(job.Unavailable, "make a directory to run commands from: %w", err)
	}
	if r.home, err = home.Takeover(context.Background(), home.Config{Dir: r.dir}); err == nil {
		r.keeper, err = keeper.Start(r.home, func(error) { close(r.lost) })
	}
	if err == nil {
		r.runner, err = run.New(run.Config{Home: r.home})
	}
	if err != nil {
		r.close()
		return nil, err
	}
	return r, nil
}

// close waits for the commands, which have been told to end.
func (r *running) close() {
	r.using.Wait()
	if r.runner != nil {
		r.runner.Close()
	}
	if r.keeper != nil {
		_ = r.keeper.Close()
	}
	if r.home != nil {
		_ = r.home.Close()
	}
	_ = os.RemoveAll(r.dir)
}

// Signals that end a command that Execute runs.
var stops = []os.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGQUIT, syscall.SIGUSR1, syscall.SIGUSR2}

// Execute runs the command of a reserved job in a shell (empty: bash) and does what
// there is to do with it: it says that it has Started, Touches it, watches what it
// uses, ends all of it when it is cancelled, uses more than its RAM or Time, or this
// process gets a signal, and then has it Archived, Released or Buried. The error is
// nil only if it was archived; else it has the FailReason.
func (c *Client) Execute(j *Job, shell string) error {
	h, err := c.holding("Execute", j)
	if err != nil {
		return err
	}
	r, err := c.runner()
	if err != nil {
		return failed("Execute", c.Queue, j.Cmd, err)
	}
	defer r.using.Done()
	x := &execution{holding: h, running: r, of: j}
	result := x.run(shell)
	return x.settle(&result)
}

// execution is one run of a job by Execute.
type execution struct {
	*holding
	*running
	of    *Job
	ctx   context.Context
	stop  context.CancelCauseFunc
	began time.Time
	// signalled: this process was told to end.
	signalled bool
}

func (x *execution) run(shell string) job.Result {
	x.ctx, x.stop = context.WithCancelCause(x.client.ctx)
	defer x.stop(nil)
	env, secrets, err := x.environment()
	if err != nil {
		return unenvironed(err)
	}
	command := *x.job.Command
	if shell != "" {
		command.Shell = shell
	}
	x.began = time.Now()
	var others sync.WaitGroup
	done := make(chan struct{})
	start := make(chan int, 1)
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, stops...)
	defer signal.Stop(signals)
	others.Go(func() { x.obey(signals, done) })
	others.Go(func() { x.tellStart(start, done) })
	others.Go(func() { x.keepTouching(done) })
	result := x.runner.Run(x.ctx, run.Spec{
		Attempt: x.grant.Attempt, Number: x.grant.Number, Queue: x.client.Queue, Key: x.job.Key, Group: x.job.Group,
		Seq: x.grant.Seq, Account: x.job.Account, Command: &command, Secrets: secrets,
		Needs: x.grant.Limits, Time: x.grant.Time, Until: x.until(), Env: env,
		Started: func(pid int) { start <- pid },
	})
	close(done)
	others.Wait()
	if x.signalled && x.job.Time > 0 && time.Since(x.began) > x.job.Time && result.Reason == job.ReasonSignal {
		result.Reason = job.ReasonTime
	}
	return result
}

// environment is the captured one, none if nothing was captured, and what the
// command's secrets come to.
func (x *execution) environment() (env, secrets []string, err error) {
	if env, err = x.of.Env(); err != nil {
		return nil, nil, err
	}
	err = x.client.ask("Execute", x.of.Cmd, func(ctx context.Context) error {
		if id := x.job.Command.EnvID; env == nil && id != "" {
			if env, err = x.client.ns.Environment(ctx, id); err != nil {
				return err
			}
		}
		secrets, err = agent.Secrets(ctx, x.client.ns, "", x.grant, x.job.Command)
		return err
	})
	return env, secrets, err
}

// unenvironed is the end of a run whose environment could not be had: the job is
// given back when the server was away, and buried when that is not to blame.
func unenvironed(err error) job.Result {
	r := job.Result{ExitCode: -1, Reason: job.ReasonEnv, Message: err.Error()}
	if e, ok := errors.AsType[Error](err); ok && (e.Err == ErrNoServer || e.Err == ErrQueueClosed) {
		r.Reason = job.ReasonStart
	}
	return r
}

// until is when the command must have ended, on the clock since boot, if the lease
// is not renewed: some time before it ends, as agents do.
func (x *execution) until() time.Duration {
	return home.Now() + time.Until(x.grant.Deadline) - margin(x.grant.Lease)
}

// margin is that time: a tenth, two seconds at most for short leases.
func margin(lease time.Duration) time.Duration {
	return max(min(2*time.Second, lease/10), lease/100)
}

// obey ends the command when a signal or the loss of the keeper asks for it.
func (x *execution) obey(signals <-chan os.Signal, done <-chan struct{}) {
	select {
	case <-signals:
		x.signalled = true
		x.stop(run.ErrStopping)
	case <-x.lost:
		x.stop(run.ErrStopping)
	case <-done:
	}
}

// tellStart says that the command runs. Where the server is away, the end says it.
func (x *execution) tellStart(start <-chan int, done <-chan struct{}) {
	select {
	case pid := <-start:
		host, _ := os.Hostname()
		if err := x.client.Started(x.of, pid, host); isBadJob(err) {
			x.stop(run.ErrLease)
		}
	case <-done:
	}
}

// keepTouching keeps the lease while the command runs, and ends it when that is not
// possible any more.
func (x *execution) keepTouching(done <-chan struct{}) {
	ticker := time.NewTicker(x.client.cfg.TouchInterval)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
		case <-done:
			return
		}
		asked := home.Now()
		a, err := x.tell("Touch", client.Renew(x.grant, 0))
		switch {
		case isBadJob(err):
			x.stop(run.ErrLease)
			return
		case err == nil && a.Stopping != job.MarkNone:
			x.stop(stopCause(a.Stopping))
			return
		case err == nil:
			x.runner.Extend(x.grant.Attempt, asked+x.grant.Lease-margin(x.grant.Lease))
		}
	}
}

func isBadJob(err error) bool {
	e, ok := errors.AsType[Error](err)
	return ok && (e.Err == ErrBadJob || e.Err == ErrMissingJob)
}

// stopCause is what the server's wish to end an attempt means to who runs it.
func stopCause(m job.Mark) error {
	switch m {
	case job.MarkCancelled:
		return run.ErrCancelled
	case job.MarkPreempted:
		return run.ErrPreempted
	case job.MarkDeleted:
		return run.ErrDeleted
	}
	return run.ErrLease
}

// settle reports how the run ended, by the table of reasons that agents go by.
func (x *execution) settle(result *job.Result) error {
	x.result = result
	x.of.ended(result)
	x.of.FailReason = textOfReason(result.Reason, "")
	end := client.Release(x.grant, result).After(x.client.cfg.ReleaseDelay)
	switch {
	case result.Reason == job.ReasonNone:
		end = client.Complete(x.grant, result)
	case result.Reason.Final():
		end = client.Bury(x.grant, result)
	}
	a, err := x.report(end, result)
	if err != nil {
		return err
	}
	x.forget()
	x.became(x.of, a.State)
	if result.Reason == job.ReasonNone {
		return nil
	}
	x.of.FailReason = textOfReason(result.Reason, "")
	return wrong("Execute", x.client.Queue, x.of.Cmd, x.of.FailReason, job.Errorf(job.Conflict, "%s", result.Message))
}

// reportFor is how long the end of a run is reported to a server that is away.
const reportFor = 24 * time.Hour

// report tells of the end. A server that is away is waited for, unless this process
// was told to end.
func (x *execution) report(end client.Report, result *job.Result) (a client.Answer, err error) {
	reports := []client.Report{end}
	if result.Pid != 0 && x.started.IsZero() {
		reports = []client.Report{client.Start(x.grant), end}
	}
	for began := time.Now(); ; {
		a, err = x.tell("Execute", reports...)
		e, ok := errors.AsType[Error](err)
		if !ok || e.Err != ErrNoServer && e.Err != ErrQueueClosed || x.client.ctx.Err() != nil || x.signalled || time.Since(began) > reportFor {
			return a, err
		}
		select {
		case <-time.After(x.client.cfg.TouchInterval):
		case <-x.client.ctx.Done():
		}
	}
}
