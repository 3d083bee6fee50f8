package job

import (
	"errors"
	"fmt"
	"io/fs"
	"time"
)

// ErrorKind tells errors apart for programs. The list is closed and only grows;
// each kind has one exit code, one gRPC status and one HTTP status.
type ErrorKind uint8

// The kinds of errors.
const (
	// Internal: a defect of muster.
	Internal ErrorKind = iota
	// Invalid: the request itself is wrong; the message names the field.
	Invalid
	NotFound
	Exists
	// Conflict: right request, wrong moment (the job is running, has ended, …).
	Conflict
	// LostLease: the attempt no longer holds the job.
	LostLease
	Unauthenticated
	Denied
	// Exhausted: a bound was reached; RetryAfter may say when to try again.
	Exhausted
	// Unavailable: try again; the outcome may be unknown.
	Unavailable
	// Damaged: stored data cannot be read; nothing was changed.
	Damaged
	Unimplemented
	Cancelled
	Timeout
	// NoSpace: the disk is full; no new work is accepted until there is space.
	NoSpace
	numKinds int = iota
)

// kinds is the one table of exit codes, gRPC codes (numbers of
// google.golang.org/grpc/codes) and HTTP statuses.
var kinds = [numKinds]struct {
	word             string
	exit, grpc, http int
}{
	Internal:        {"internal", 70, 13, 500},
	Invalid:         {"invalid", 64, 3, 400},
	NotFound:        {"not_found", 66, 5, 404},
	Exists:          {"exists", 73, 6, 409},
	Conflict:        {"conflict", 65, 9, 409},
	LostLease:       {"lost_lease", 75, 10, 409},
	Unauthenticated: {"unauthenticated", 77, 16, 401},
	Denied:          {"denied", 77, 7, 403},
	Exhausted:       {"exhausted", 75, 8, 429},
	Unavailable:     {"unavailable", 69, 14, 503},
	Damaged:         {"damaged", 74, 15, 500},
	Unimplemented:   {"unimplemented", 69, 12, 501},
	Cancelled:       {"cancelled", 130, 1, 499},
	Timeout:         {"timeout", 75, 4, 504},
	NoSpace:         {"no_space", 74, 8, 507},
}

// String is the kind's word, as the wire carries it.
func (k ErrorKind) String() string { return kinds[k].word }

// ExitCode is what a command that failed so exits with.
func (k ErrorKind) ExitCode() int { return kinds[k].exit }

// GRPCCode is the number of the gRPC status.
func (k ErrorKind) GRPCCode() int { return kinds[k].grpc }

// HTTPStatus is the HTTP status.
func (k ErrorKind) HTTPStatus() int { return kinds[k].http }

// ParseErrorKind reads a kind's word.
func ParseErrorKind(word string) (ErrorKind, bool) {
	for i := range kinds {
		if kinds[i].word == word {
			return ErrorKind(i), true
		}
	}
	return Internal, false
}

// Error says what was being done, to what, what went wrong and its kind.
type Error struct {
	Kind ErrorKind
	// Op is what was being done, Subject to what; both may be empty.
	Op, Subject string
	Err         error
	// RetryAfter, when positive, is when trying again makes sense.
	RetryAfter time.Duration
}

// Error is "op subject: what went wrong".
func (e *Error) Error() string {
	s := e.Op
	if e.Subject != "" {
		if s != "" {
			s += " "
		}
		s += e.Subject
	}
	switch {
	case e.Err == nil && s == "":
		return e.Kind.String()
	case e.Err == nil:
		return s + ": " + e.Kind.String()
	case s == "":
		return e.Err.Error()
	}
	return s + ": " + e.Err.Error()
}

// Unwrap gives what went wrong.
func (e *Error) Unwrap() error { return e.Err }

// Errorf makes an error of a kind; %w works as in fmt.Errorf.
func Errorf(kind ErrorKind, format string, args ...any) error {
	return &Error{Kind: kind, Err: fmt.Errorf(format, args...)}
}

// Wrap says what was being done, to what, when err happened; the kind stays.
func Wrap(err error, op, subject string) error {
	if err == nil {
		return nil
	}
	e := &Error{Kind: KindOf(err), Op: op, Subject: subject, Err: err}
	if p, ok := err.(*fs.PathError); ok && p.Path == subject { //nolint:errorlint // not if something was said about it
		e.Err = p.Err // it would say the file's name once more
	}
	if inner, ok := errors.AsType[*Error](err); ok {
		e.RetryAfter = inner.RetryAfter
	}
	return e
}

// KindOf is the kind of the outermost Error in err's chain; Internal if none.
func KindOf(err error) ErrorKind {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Kind
	}
	return Internal
}

// IsKind reports whether err is of the kind.
func IsKind(err error, kind ErrorKind) bool { return err != nil && KindOf(err) == kind }

// Errors callers test for with errors.Is.
var (
	ErrLostLease = Errorf(LostLease, "the attempt no longer holds the job; its report changes nothing")
	ErrNoJob     = Errorf(NotFound, "no such job")
	ErrNoQueue   = Errorf(NotFound, "no such queue")
	ErrDraining  = Errorf(Conflict, "the server is draining and gives out no jobs")
	ErrClosed    = Errorf(Unavailable, "the server is stopping")
	// ErrUnknownOutcome answers whoever waited for a commit that failed: the
	// change may or may not have been stored.
	ErrUnknownOutcome = Errorf(Unavailable, "unavailable: outcome unknown; ask again, the same request is safe to repeat")
	ErrNoSpace        = Errorf(NoSpace, "the disk of the server's data directory is full; free some space, it carries on by itself")
)
