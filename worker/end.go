package worker

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"time"

	"github.com/muster-queue/muster/client"
	"github.com/muster-queue/muster/job"
)

// Why the context of a function ends, as its cause. Other causes are
// job.ErrLostLease and context.DeadlineExceeded: the job's time is over.
var (
	// ErrLeaseEnds: the lease is about to end and could not be, or was not, renewed.
	ErrLeaseEnds = job.Errorf(job.LostLease, "the lease is about to end")
	// ErrStopping: the worker stops and the grace is over.
	ErrStopping = job.Errorf(job.Cancelled, "the worker stops")
	// ErrCancelled: somebody cancelled or deleted the job, or a better one takes its
	// place.
	ErrCancelled = job.Errorf(job.Cancelled, "the job is to be stopped")
)

// failure is an error with a say in what follows.
type failure struct {
	error
	again bool
	after time.Duration
}

func (f *failure) Unwrap() error { return f.error }

// Fail marks an error as final: the job is buried, and not tried again without a
// person's word.
func Fail(err error) error { return &failure{error: err} }

// Again marks an error as passing: the job is tried again after a delay. For a work
// unit each attempt counts against its queue's limit, and nothing else; for any
// other job it costs one of its retries.
func Again(err error, after time.Duration) error {
	return &failure{error: err, again: true, after: max(after, 0)}
}

// panicked is what a function's panic becomes.
type panicked struct {
	value any
	stack []byte
}

func (p *panicked) Error() string { return fmt.Sprintf("panic: %v", p.value) }

// Unwrap is the value of the panic, when that is an error.
func (p *panicked) Unwrap() error {
	err, _ := p.value.(error)
	return err
}

// protect calls a function; its panic is an error.
func protect(ctx context.Context, f BatchFunc, batch []*Attempt) (err error) {
	defer func() {
		if value := recover(); value != nil {
			err = &panicked{value, debug.Stack()}
		}
	}()
	return f(ctx, batch)
}

// result is what is kept of a failed attempt for people.
func (a *Attempt) result(err error) *job.Result {
	r := &job.Result{Reason: a.reason(err), Message: clip(err.Error()), WallTime: time.Since(a.began)}
	if p := (*panicked)(nil); errors.As(err, &p) {
		r.Stderr.Head = p.stack[:min(len(p.stack), maxText)]
	}
	return r
}

// maxText bounds what is kept of a message, and of a stack, in bytes.
const maxText = 16 << 10

func clip(text string) string { return text[:min(len(text), maxText)] }

// reason tells failures of the function from ends that were not its fault.
func (a *Attempt) reason(err error) job.Reason {
	cause := context.Cause(a.ctx)
	switch {
	case cause == nil || errors.As(err, new(*panicked)):
		return job.ReasonWorker
	case errors.Is(cause, context.DeadlineExceeded), errors.Is(cause, ErrLeaseEnds) && a.w.cfg.NoRenewals:
		return job.ReasonTime
	}
	return job.ReasonSignal // innocent: it costs none of the job's retries
}

// conclude makes the report of an end.
func (a *Attempt) conclude(err error) client.Report {
	if err == nil {
		return client.Complete(a.grant, &job.Result{Exited: true, WallTime: time.Since(a.began)})
	}
	result := a.result(err)
	f := (*failure)(nil)
	switch marked := errors.As(err, &f); {
	case marked && f.again:
		return client.Release(a.grant, result).After(f.after)
	case result.Reason == job.ReasonSignal:
		return client.Release(a.grant, result)
	case marked, a.queue.Defined():
		return client.Bury(a.grant, result)
	}
	return client.Release(a.grant, result)
}

// traceback is what a work unit's data says of a failure.
func traceback(err error) string {
	if p := (*panicked)(nil); errors.As(err, &p) {
		return clip(err.Error() + "\n\n" + string(p.stack))
	}
	return clip(err.Error())
}

// end reports the end, once.
func (a *Attempt) end(err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.ended {
		return
	}
	a.ended = true
	close(a.told)
	if tooLarge := a.fits(); tooLarge != nil {
		a.unsaved, a.data = false, nil
		err = first(err, Fail(tooLarge))
	}
	a.left.end(a)
	data, outputs := a.lastData(err), a.outputs
	if err != nil {
		outputs = nil
	}
	size := len(data)
	for _, j := range outputs {
		size += len(j.Data) + len(j.Key)
	}
	report := a.conclude(err).With(data, outputs...)
	a.w.reports.add(item{report: report, size: size, answered: func(_ time.Time, refusal error, _ job.Mark) {
		if refusal != nil {
			a.refused(refusal)
		}
	}})
}

// lastData is the data that the end carries; nil when the server has it.
func (a *Attempt) lastData(err error) []byte {
	if err != nil && a.queue.Defined() && a.reason(err) != job.ReasonSignal {
		return withTraceback(a.data, traceback(err))
	}
	if a.unsaved {
		return a.data
	}
	return nil
}

// refused: the server does not want the end. A lease that was lost is nothing to
// repair; what was wrong with the result itself is a failure of the function.
func (a *Attempt) refused(why error) {
	if job.KindOf(why) != job.Invalid {
		a.w.cfg.Logger.Info("the result of an attempt does not count", "job", a.String(), "attempt", a.grant.Attempt, "err", why)
		return
	}
	a.w.cfg.Logger.Warn("the result of an attempt was refused", "job", a.String(), "attempt", a.grant.Attempt, "err", why)
	result := a.result(job.Errorf(job.Invalid, "its result was refused: %w", why))
	a.w.reports.add(item{report: client.Bury(a.grant, result), answered: func(_ time.Time, refusal error, _ job.Mark) {
		if refusal != nil {
			a.w.cfg.Logger.Warn("nor could it be reported as failed", "job", a.String(), "err", refusal)
		}
	}})
}
