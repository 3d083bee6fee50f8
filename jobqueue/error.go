package jobqueue

import (
	"context"
	"errors"
	"fmt"

	"github.com/muster-queue/muster/job"
)

// What Error.Err can be.
const (
	ErrInternalError  = "internal error"
	ErrUnknownCommand = "unknown command"
	ErrBadRequest     = "bad request (missing arguments?)"
	ErrBadJob         = "bad job (not in queue or correct sub-queue)"
	ErrMissingJob     = "corresponding job not found"
	ErrUnknown        = "unknown error"
	ErrClosedInt      = "queues closed due to SIGINT"
	ErrClosedTerm     = "queues closed due to SIGTERM"
	ErrClosedStop     = "queues closed due to manual Stop()"
	ErrQueueClosed    = "queue closed"
	ErrNoHost         = "could not determine the non-loopback ip address of this host"
	ErrNoServer       = "could not reach the server"
	ErrMustReserve    = "you must Reserve() a Job before passing it to other methods"
	ErrDBError        = "failed to use database"
)

// Error is what went wrong with a request. Err is one of the Err texts, or of the
// FailReason ones where that is why a job failed.
type Error struct {
	Queue string // of the request
	Op    string // the method that was called
	Item  string // what it was about: a job's key, an address, a file
	Err   string

	cause error
}

// Error says what failed, on what, why, and what muster said about it.
func (e Error) Error() string {
	s := fmt.Sprintf("jobqueue %s", e.Op)
	if e.Queue != "" {
		s += " in queue " + e.Queue
	}
	if e.Item != "" {
		s += " (" + e.Item + ")"
	}
	s += ": " + e.Err
	if e.cause != nil {
		s += ": " + e.cause.Error()
	}
	return s
}

// Unwrap is muster's own error, which has a kind (see package job); nil if there is
// none behind it.
func (e Error) Unwrap() error { return e.cause }

func wrong(op, queue, item, text string, cause error) error {
	return Error{Queue: queue, Op: op, Item: item, Err: text, cause: cause}
}

// failed is the error of a request that muster refused; nil for none.
func failed(op, queue, item string, err error) error {
	if err == nil {
		return nil
	}
	if e, ok := errors.AsType[Error](err); ok {
		return e
	}
	return wrong(op, queue, item, textOf(err), err)
}

// texts are those of the kinds of muster's errors.
var texts = map[job.ErrorKind]string{
	job.Internal: ErrInternalError, job.Unimplemented: ErrUnknownCommand, job.Invalid: ErrBadRequest,
	job.NotFound: ErrMissingJob, job.LostLease: ErrBadJob, job.Conflict: ErrBadJob, job.Exists: ErrBadJob,
	job.Unavailable: ErrNoServer, job.Timeout: ErrNoServer,
	job.Damaged: ErrDBError, job.NoSpace: ErrDBError,
}

func textOf(err error) string {
	var e *job.Error
	switch {
	case errors.Is(err, job.ErrClosed):
		return ErrQueueClosed
	case errors.Is(err, context.DeadlineExceeded):
		return ErrNoServer
	case !errors.As(err, &e):
		return ErrUnknown
	}
	if text, ok := texts[e.Kind]; ok {
		return text
	}
	return ErrUnknown
}
