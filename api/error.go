package api

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	musterv1 "github.com/muster-queue/muster/api/muster/v1"
	"github.com/muster-queue/muster/job"
)

// ItemError is what is wrong with one item of a request that has several.
type ItemError struct {
	// Item is its place, from 1; Line the one its submitter gave, or zero.
	Item int
	Line int64
	Err  error
}

// Error names the line, or the place.
func (e *ItemError) Error() string {
	if e.Line > 0 {
		return fmt.Sprintf("line %d: %v", e.Line, e.Err)
	}
	return fmt.Sprintf("job %d: %v", e.Item, e.Err)
}

// Unwrap gives what is wrong.
func (e *ItemError) Unwrap() error { return e.Err }

// FromError is err as a message; nil for nil.
func FromError(err error) *musterv1.Error {
	if err == nil {
		return nil
	}
	m := &musterv1.Error{Kind: kindOf(err).String(), Message: valid(err.Error())}
	if e, ok := errors.AsType[*job.Error](err); ok {
		m.Op, m.Subject, m.RetryAfter = valid(e.Op), valid(e.Subject), FromDuration(e.RetryAfter)
		if e.Err != nil {
			m.Cause = valid(e.Err.Error())
		}
	}
	if item, ok := errors.AsType[*ItemError](err); ok {
		m.Item, m.Line = i32(item.Item), item.Line
	}
	return m
}

// ToError is the error a message carries, a *job.Error; nil for nil. The errors
// that callers test for are found in it by errors.Is.
func ToError(m *musterv1.Error) error {
	if m == nil {
		return nil
	}
	kind, _ := job.ParseErrorKind(m.Kind)
	e := &job.Error{Kind: kind, Err: &remote{text: m.Message, is: sentinel(kind, m.Message)}}
	if retry := m.RetryAfter.AsDuration(); retry > 0 {
		e.RetryAfter = retry
	}
	if framed := (&job.Error{Op: m.Op, Subject: m.Subject, Err: errors.New(m.Cause)}).Error(); framed == m.Message {
		e.Op, e.Subject, e.Err = m.Op, m.Subject, &remote{text: m.Cause, is: sentinel(kind, m.Cause)}
	}
	if m.Item > 0 || m.Line > 0 {
		e.Err = &itemError{error: e.Err, item: &ItemError{Item: int(m.Item), Line: m.Line, Err: e.Err}}
	}
	return e
}

// Status is err as the gRPC status that carries it; nil for nil. An error that
// is a status already stays what it is.
func Status(err error) error {
	if err == nil {
		return nil
	}
	var e *job.Error
	if _, ok := status.FromError(err); ok && !errors.As(err, &e) {
		return err
	}
	m := FromError(err)
	s := status.New(codes.Code(kindOf(err).GRPCCode()), m.Message)
	if detailed, bad := s.WithDetails(m); bad == nil {
		s = detailed
	}
	return s.Err()
}

// FromStatus is the *job.Error that a gRPC error carries, or one of the kind
// that its code means; nil for nil.
func FromStatus(err error) error {
	var e *job.Error
	if err == nil || errors.As(err, &e) {
		return err
	}
	s, ok := status.FromError(err)
	if !ok {
		return &job.Error{Kind: kindOf(err), Err: err}
	}
	for _, d := range s.Details() {
		if m, ok := d.(*musterv1.Error); ok {
			return ToError(m)
		}
	}
	return &job.Error{Kind: kindOfCode(s.Code()), Err: errors.New(s.Message())}
}

func kindOf(err error) job.ErrorKind {
	var e *job.Error
	switch {
	case errors.As(err, &e):
		return e.Kind
	case errors.Is(err, context.Canceled):
		return job.Cancelled
	case errors.Is(err, context.DeadlineExceeded):
		return job.Timeout
	}
	return job.Internal
}

func kindOfCode(code codes.Code) job.ErrorKind {
	switch code {
	case codes.OutOfRange:
		return job.Invalid
	case codes.Unknown:
		return job.Internal
	}
	for k := job.Internal; k <= job.NoSpace; k++ {
		if k.GRPCCode() == int(code) {
			return k
		}
	}
	return job.Internal
}

// remote is an error that happened elsewhere: its text, and which of the errors
// that callers test for it is.
type remote struct {
	text string
	is   error
}

func (r *remote) Error() string { return r.text }
func (r *remote) Unwrap() error { return r.is }

// itemError is an error whose text names its item already.
type itemError struct {
	error
	item *ItemError
}

func (r *itemError) Unwrap() error { return r.item }

var sentinels = []error{
	job.ErrLostLease, job.ErrNoJob, job.ErrNoQueue, job.ErrDraining,
	job.ErrClosed, job.ErrUnknownOutcome, job.ErrNoSpace,
}

// sentinel is the error that callers test for whose text ends the text of an
// error of the same kind, or nil.
func sentinel(kind job.ErrorKind, text string) error {
	for _, s := range sentinels {
		if job.KindOf(s) == kind && strings.HasSuffix(text, s.Error()) {
			return s
		}
	}
	return nil
}

// valid is s with what is not UTF-8 replaced, which messages cannot carry.
func valid(s string) string { return strings.ToValidUTF8(s, "\uFFFD") }
