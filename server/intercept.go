package server

import (
	"context"
	"errors"
	"runtime/debug"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/status"

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
	if err := s.lentStill(ctx); err != nil {
		return nil, api.Status(err)
	}
	answer, err := handle(ctx, request)
	s.logError(ctx, info.FullMethod, err)
	return answer, api.Status(err)
}

// stream is around every stream. It ends when its token does, and when the
// server stops; an agent's ends by itself then, after the agent was told.
func (s *Server) stream(srv any, stream grpc.ServerStream, info *grpc.StreamServerInfo, handle grpc.StreamHandler) (err error) {
	defer s.recovered(info.FullMethod, &err)
	if public[info.FullMethod] {
		return handle(srv, stream)
	}
	if err := s.lentStill(stream.Context()); err != nil {
		return api.Status(err)
	}
	c := callOf(stream.Context())
	end := func(why error) { endStream(stream.Context(), why) }
	defer s.watchLent(stream.Context(), end)()
	defer c.OnRevoke(end)()
	if c.drop != nil {
		defer c.drop()
	}
	if info.FullMethod != v1.Agents_Attach_FullMethodName {
		defer s.streams.add(end)()
	}
	err = handle(srv, stream)
	// Why the server ended the stream says more than that it was cancelled.
	if why, ok := errors.AsType[*job.Error](context.Cause(stream.Context())); ok {
		err = why
	}
	s.logError(stream.Context(), info.FullMethod, err)
	return api.Status(err)
}

// logError logs what a request is answered with, if that was asked for.
func (s *Server) logError(ctx context.Context, method string, err error) {
	if err != nil && s.cfg.LogErrors {
		s.log.Warn("a request was answered with an error", "method", method, "who", who(ctx), "err", err)
	}
}

// endStream ends a stream from outside its handler, which may be waiting for the
// client. The status goes first: gRPC itself would say no more than "cancelled".
func endStream(ctx context.Context, why error) {
	type finisher interface{ WriteStatus(*status.Status) error }
	if f, ok := grpc.ServerTransportStreamFromContext(ctx).(finisher); ok {
		_ = f.WriteStatus(status.Convert(api.Status(why)))
	}
	callOf(ctx).cancel(why)
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
