package server

import (
	"context"
	"time"

	"github.com/muster-queue/muster/job"
	"github.com/muster-queue/muster/queue"
)

// errLentOver refuses a lent token whose attempt is over.
var errLentOver = job.Errorf(job.Unauthenticated, "the token was lent to an attempt that is over; what a job leaves behind cannot use the server in its name")

// lentStill refuses a caller whose token is lent to an attempt that is not held any more.
func (s *Server) lentStill(ctx context.Context) error {
	lent := callOf(ctx).lent
	if lent == nil {
		return nil
	}
	ns, err := s.engine.Namespace(ctx, lent.Namespace)
	if err == nil {
		err = ns.Holds(ctx, queue.Ref{Seq: lent.Seq, Attempt: lent.Attempt})
	}
	if job.IsKind(err, job.LostLease) || job.IsKind(err, job.NotFound) {
		return errLentOver
	}
	return err
}

// lentCheck is how often the stream of a caller with a lent token asks whether the
// attempt is still held.
const lentCheck = 5 * time.Second

// watchLent ends a stream when the attempt is over that its caller's token is lent to.
// Call what it returns when the stream has ended.
func (s *Server) watchLent(ctx context.Context, end func(error)) (stop func()) {
	if callOf(ctx).lent == nil {
		return func() {}
	}
	ctx, stop = context.WithCancel(ctx)
	go func() {
		tick := time.NewTicker(lentCheck)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
			if err := s.lentStill(ctx); job.IsKind(err, job.Unauthenticated) {
				end(err)
				return
			}
		}
	}()
	return stop
}
