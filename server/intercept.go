package server

import (
	"context"
	"runtime/debug"
	"time"

	"google.golang.org/grpc"

	"github.com/muster-queue/muster/api"
	v1 "github.com/muster-queue/muster/api/muster/v1"
	"github.com/muster-queue/muster/job"
)

// busyRetry is when a caller who met too many others should try again.
const busyRetry = 250 * time.Millisecond

// unary is around every call with one answer, of a caller who was admitted: is
// there room, and what an error or a panic looks like outside.
func (s *Server) unary(ctx context.Context, request any, info *grpc.UnaryServerInfo, handle grpc.UnaryHandler) (_ any, err error) {
	defer s.recovered(info.FullMethod, &err)
	if public[info.FullMethod] {
		return handle(ctx, request)
	}
	leave, err := s.enter(info.FullMethod)
	if err != nil {
		return nil, api.Status(err)
	}
	defer leave()
	answer, err := handle(ctx, request)
	return answer, api.Status(err)
}

// streaming is around every stream. The stream ends when its token does.
func (s *Server) streaming(srv any, stream grpc.ServerStream, info *grpc.StreamServerInfo, handle grpc.StreamHandler) (err error) {
	defer s.recovered(info.FullMethod, &err)
	if public[info.FullMethod] {
		return handle(srv, stream)
	}
	h := callerOf(stream.Context())
	ctx, end := context.WithCancelCause(stream.Context())
	defer end(nil)
	if !h.Expires.IsZero() {
		var stop context.CancelFunc
		ctx, stop = context.WithDeadlineCause(ctx, h.Expires, errExpired)
		defer stop()
	}
	defer h.OnRevoke(end)()
	defer s.streams.add(end)()
	err = handle(srv, &serverStream{ServerStream: stream, ctx: ctx})
	if cause := context.Cause(ctx); cause != nil && stream.Context().Err() == nil {
		err = cause // the token ended, or the server does
	}
	return api.Status(err)
}

var errExpired = job.Errorf(job.Unauthenticated, "the token expired; ask for a new one")

// serverStream is a stream that ends with its context.
type serverStream struct {
	grpc.ServerStream
	ctx context.Context
}

func (s *serverStream) Context() context.Context { return s.ctx }

// RecvMsg refuses to go on after the end of the context, which the stream below
// does not know of.
func (s *serverStream) RecvMsg(m any) error {
	if err := s.ServerStream.RecvMsg(m); err != nil {
		return err
	}
	return context.Cause(s.ctx)
}

// recovered turns a panic into an internal error: a defect in the answer to one
// request is no reason to end all others.
func (s *Server) recovered(method string, err *error) {
	if p := recover(); p != nil {
		s.log.Error("a request failed by a defect", "method", method, "panic", p, "stack", string(debug.Stack()))
		*err = api.Status(job.Errorf(job.Internal, "%s failed by a defect of the server, which its log describes", method))
	}
}

// enter takes a place among the requests being answered. Workers' calls need
// none: they are bounded by the connections, may wait long for jobs, and their
// reports are never refused for load.
func (s *Server) enter(method string) (leave func(), err error) {
	if method == v1.Work_Reserve_FullMethodName || method == v1.Work_Report_FullMethodName {
		return func() {}, nil
	}
	select {
	case s.places <- struct{}{}:
		return func() { <-s.places }, nil
	default:
		return nil, &job.Error{Kind: job.Exhausted, RetryAfter: busyRetry,
			Err: job.Errorf(job.Exhausted, "the server answers %d requests at present, which is all it may; try again in %v", cap(s.places), busyRetry)}
	}
}
