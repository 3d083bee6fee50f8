package client

import (
	"context"
	"errors"
	"math/rand/v2"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/muster-queue/muster/api"
	"github.com/muster-queue/muster/job"
)

// Pauses between tries grow from the first to the longest.
const (
	firstPause   = 50 * time.Millisecond
	longestPause = 2 * time.Second
)

// retry is the state of one thing that is tried until it works or the patience
// is over.
type retry struct {
	patience time.Duration
	since    time.Time // of the first failure in a row
	pause    time.Duration
}

func (c *Client) retry() *retry { return &retry{patience: c.cfg.Patience} }

// worked forgets earlier failures.
func (r *retry) worked() { r.since, r.pause = time.Time{}, 0 }

// again waits before another try; it returns err when there shall be none.
func (r *retry) again(ctx context.Context, err error) error {
	wait, worth := r.next(err)
	if !worth {
		return err
	}
	t := time.NewTimer(wait)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return err
	}
}

// next is how long to wait after err, and whether to try again at all.
func (r *retry) next(err error) (time.Duration, bool) {
	var e *job.Error
	if !errors.As(err, &e) {
		return 0, false
	}
	if e.Kind != job.Unavailable && (e.Kind != job.Exhausted || e.RetryAfter <= 0) {
		return 0, false
	}
	now := time.Now()
	if r.since.IsZero() {
		r.since = now
	}
	r.pause = min(max(2*r.pause, firstPause), longestPause)
	wait := max(r.pause/2+rand.N(r.pause/2), e.RetryAfter)
	return wait, now.Add(wait).Sub(r.since) < r.patience
}

// call makes a call that is safe to repeat, until the server answers.
func call[Q, A any](ctx context.Context, c *Client, method func(context.Context, *Q, ...grpc.CallOption) (*A, error), request *Q) (*A, error) {
	r := c.retry()
	for {
		answer, err := method(ctx, request)
		if err == nil {
			return answer, nil
		}
		if err := r.again(ctx, c.failure(ctx, err)); err != nil {
			return nil, err
		}
	}
}

// callOnce makes a call that is not safe to repeat. It waits for a server that is
// away, as call does, but sends the request once: when the answer is lost, the
// outcome is unknown.
func callOnce[Q, A any](ctx context.Context, c *Client, method func(context.Context, *Q, ...grpc.CallOption) (*A, error), request *Q) (*A, error) {
	var opts []grpc.CallOption
	if c.cfg.Patience > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, c.cfg.Patience)
		defer cancel()
		opts = append(opts, grpc.WaitForReady(true))
	}
	answer, err := method(ctx, request, opts...)
	if err != nil {
		return nil, c.failure(ctx, err)
	}
	return answer, nil
}

// failure is what went wrong with a call, for people: errors of the server as
// they are, others with the server's address.
func (c *Client) failure(ctx context.Context, err error) error {
	s, _ := status.FromError(err)
	if len(s.Details()) > 0 {
		return api.FromStatus(err)
	}
	if cause := context.Cause(ctx); cause != nil {
		return job.Wrap(api.FromStatus(cause), "ask", "the server at "+c.cfg.Address)
	}
	if s.Code() != codes.Unavailable {
		return job.Wrap(api.FromStatus(err), "ask", "the server at "+c.cfg.Address)
	}
	return &job.Error{Kind: job.Unavailable, Op: "reach", Subject: "the server at " + c.cfg.Address, Err: errors.New(plain(s.Message()))}
}

// plain leaves the layers of the transport out of its message.
func plain(message string) string {
	for _, layer := range []string{"connection error: desc = ", "transport: "} {
		if i := strings.LastIndex(message, layer); i >= 0 {
			message = strings.Trim(message[i+len(layer):], `"`)
		}
	}
	message = strings.TrimPrefix(message, "Error while dialing: ")
	switch {
	case strings.Contains(message, "connection refused"):
		return message + "; is a server running? \"muster server\" starts one"
	case strings.Contains(message, "error reading server preface"):
		return message + "; it may want TLS: give the CA file of its certificate"
	case strings.Contains(message, "certificate"), strings.Contains(message, "first record does not look like a TLS handshake"):
		return message + "; is the right CA file given, and does the server use TLS?"
	}
	return message
}
