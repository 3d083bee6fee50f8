package server

import (
	"context"

	"google.golang.org/grpc"

	v1 "github.com/muster-queue/muster/api/muster/v1"
	"github.com/muster-queue/muster/engine"
	"github.com/muster-queue/muster/job"
)

type logStream = grpc.ServerStreamingServer[v1.StreamLogsResponse]

// StreamLogs is the output of an attempt: as its agent has it while it runs, as
// it was kept afterwards.
func (s *jobsService) StreamLogs(m *v1.StreamLogsRequest, stream logStream) error {
	ctx := stream.Context()
	ns, id, err := s.job(ctx, m.Namespace, m.Job)
	if err != nil {
		return err
	}
	if m.Stream != "" && m.Stream != "stdout" && m.Stream != "stderr" {
		return job.Errorf(job.Invalid, "stream: %.60q is unknown; use stdout, stderr or none for both", m.Stream)
	}
	if m.Tail < 0 {
		return job.Errorf(job.Invalid, "tail: %d is negative", m.Tail)
	}
	info, err := ns.Get(ctx, id, true, false)
	if err != nil {
		return err
	}
	if info.Live.State.Held() && (m.Attempt == 0 || m.Attempt == info.Live.Number) {
		return liveLogs(ctx, ns, info, m, stream)
	}
	return keptLogs(ctx, ns, info, m, stream)
}

// liveLogs passes on what the agent of a running attempt sends.
func liveLogs(ctx context.Context, ns *engine.Namespace, info *engine.Info, m *v1.StreamLogsRequest, stream logStream) error {
	ref := engine.Ref{Seq: info.Live.Seq, Attempt: info.Live.Attempt}
	ctx, end := context.WithCancelCause(ctx)
	defer end(nil)
	pieces := make(chan *v1.StreamLogsResponse)
	ended := make(chan error, 2)
	streams := []string{"stdout", "stderr"}
	if m.Stream != "" {
		streams = []string{m.Stream}
	}
	for _, name := range streams {
		order := engine.TailOrder{Stderr: name == "stderr", Offset: -m.Tail, Follow: m.Follow}
		go func() {
			ended <- ns.Tail(ctx, ref, order, func(c engine.TailChunk) error {
				return offer(ctx, pieces, &v1.StreamLogsResponse{Stream: name, Data: c.Data, Attempt: info.Live.Number})
			})
		}()
	}
	for left := len(streams); left > 0; {
		select {
		case p := <-pieces:
			if len(p.Data) > 0 {
				if err := stream.Send(p); err != nil {
					return err
				}
			}
		case err := <-ended:
			if err != nil {
				return err
			}
			left--
		}
	}
	return nil
}

func offer(ctx context.Context, pieces chan<- *v1.StreamLogsResponse, p *v1.StreamLogsResponse) error {
	select {
	case pieces <- p:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// keptLogs sends what was kept of an attempt that ended.
func keptLogs(ctx context.Context, ns *engine.Namespace, info *engine.Info, m *v1.StreamLogsRequest, stream logStream) error {
	a := info.Last
	if m.Attempt != 0 && (a == nil || a.Number != m.Attempt) {
		rows, err := ns.Attempts(ctx, engine.JobID{Queue: info.Job.QueueName(), Key: info.Job.Key})
		if err != nil {
			return err
		}
		a = nil
		for i := range rows {
			if rows[i].Number == m.Attempt {
				a = &rows[i].Attempt
			}
		}
		if a == nil {
			return job.Errorf(job.NotFound, "the job has no attempt %d", m.Attempt)
		}
	}
	if a == nil {
		return nil // it never ran: there is no output
	}
	if m.Stream != "stderr" {
		if err := sendKept(stream, "stdout", a.Number, &a.Result.Stdout, m.Tail); err != nil {
			return err
		}
	}
	if m.Stream == "stdout" {
		return nil
	}
	return sendKept(stream, "stderr", a.Number, &a.Result.Stderr, m.Tail)
}

func sendKept(stream logStream, name string, attempt uint32, o *job.Output, tail int64) error {
	head, end, omitted := o.Head, o.Tail, o.Omitted
	if tail > 0 {
		end = last(end, tail)
		head = last(head, max(tail-int64(len(o.Tail)), 0))
		if len(head) < len(o.Head) && len(head) == 0 {
			omitted = 0 // what is asked for begins after the gap
		}
	}
	if len(head) > 0 {
		if err := stream.Send(&v1.StreamLogsResponse{Stream: name, Data: head, Attempt: attempt}); err != nil {
			return err
		}
	}
	if len(end) == 0 && omitted == 0 {
		return nil
	}
	return stream.Send(&v1.StreamLogsResponse{Stream: name, Data: end, Attempt: attempt, Omitted: omitted})
}

func last(b []byte, n int64) []byte { return b[max(int64(len(b))-n, 0):] }
