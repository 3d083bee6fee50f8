package api_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/muster-queue/muster/api"
	"github.com/muster-queue/muster/job"
)

func TestErrorsSurviveTheWire(t *testing.T) {
	for k := job.Internal; k <= job.NoSpace; k++ {
		want := job.Wrap(&job.Error{Kind: k, Err: errors.New("it broke"), RetryAfter: time.Second}, "add", "job x")
		got := api.FromStatus(api.Status(want))
		var e *job.Error
		if !errors.As(got, &e) || e.Kind != k || e.Op != "add" || e.Subject != "job x" || e.RetryAfter != time.Second {
			t.Errorf("%s came back as %#v", k, got)
		}
		if got.Error() != want.Error() {
			t.Errorf("%s: text %q came back as %q", k, want, got)
		}
	}
}

func TestTestableErrorsSurviveTheWire(t *testing.T) {
	for _, want := range []error{
		job.ErrLostLease, job.ErrNoJob, job.ErrNoQueue, job.ErrDraining, job.ErrClosed, job.ErrUnknownOutcome, job.ErrNoSpace,
	} {
		for _, sent := range []error{want, job.Wrap(want, "report", "job x"), job.Wrap(job.Wrap(want, "a", ""), "b", "c"), fmt.Errorf("while: %w", want)} {
			got := api.FromStatus(api.Status(sent))
			if !errors.Is(got, want) {
				t.Errorf("%v came back as %v, which errors.Is does not know", sent, got)
			}
			if got.Error() != sent.Error() {
				t.Errorf("text %q came back as %q", sent, got)
			}
		}
		for _, other := range []error{job.ErrLostLease, job.ErrNoJob} {
			if !errors.Is(other, want) && errors.Is(api.FromStatus(api.Status(want)), other) {
				t.Errorf("%v came back as %v too", want, other)
			}
		}
	}
}

func TestItemErrors(t *testing.T) {
	sent := job.Wrap(&api.ItemError{Item: 3, Line: 17, Err: job.Errorf(job.Invalid, "priority: NaN")}, "add", "")
	got := api.FromStatus(api.Status(sent))
	var item *api.ItemError
	if !errors.As(got, &item) || item.Item != 3 || item.Line != 17 || !job.IsKind(got, job.Invalid) {
		t.Fatalf("came back as %#v", got)
	}
	if got.Error() != "add: line 17: priority: NaN" {
		t.Errorf("text %q", got)
	}
}

func TestForeignErrors(t *testing.T) {
	for _, c := range []struct {
		err  error
		want job.ErrorKind
	}{
		{context.Canceled, job.Cancelled},
		{context.DeadlineExceeded, job.Timeout},
		{errors.New("?"), job.Internal},
		{status.Error(codes.Unavailable, "connection refused"), job.Unavailable},
		{status.Error(codes.ResourceExhausted, "message too large"), job.Exhausted},
		{status.Error(codes.Unimplemented, "unknown method"), job.Unimplemented},
		{status.Error(codes.Unknown, "x"), job.Internal},
		{status.Error(codes.OutOfRange, "x"), job.Invalid},
	} {
		if got := job.KindOf(api.FromStatus(api.Status(c.err))); got != c.want {
			t.Errorf("%v: kind %v, want %v", c.err, got, c.want)
		}
	}
	if api.Status(nil) != nil || api.FromStatus(nil) != nil || api.ToError(api.FromError(nil)) != nil {
		t.Error("no error became one")
	}
}
