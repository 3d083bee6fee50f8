package client

import (
	"context"
	"errors"
	"io"
	"iter"

	musterv1 "github.com/muster-queue/muster/api/muster/v1"
)

// LogOptions say which output is wanted.
type LogOptions struct {
	// Attempt is its number; zero: the last one.
	Attempt uint32
	// Stream is "stdout" or "stderr"; empty: both.
	Stream string
	// Follow goes on until the attempt ends.
	Follow bool
	// Tail is about how many bytes at the end of what there is; zero: all.
	Tail int64
}

// LogChunk is a piece of output.
type LogChunk struct {
	Stream  string
	Attempt uint32
	Data    []byte
	// Omitted is how many bytes were left out before Data.
	Omitted int64
}

// Logs is the output of an attempt, live while it runs.
func (n *Namespace) Logs(ctx context.Context, ref Ref, o LogOptions) iter.Seq2[LogChunk, error] {
	return func(yield func(LogChunk, error) bool) {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		stream, err := n.c.jobs.StreamLogs(ctx, &musterv1.StreamLogsRequest{
			Namespace: n.name, Job: ref.message(), Attempt: o.Attempt, Stream: o.Stream, Follow: o.Follow, Tail: o.Tail,
		})
		for err == nil {
			var m *musterv1.StreamLogsResponse
			if m, err = stream.Recv(); err == nil {
				if !yield(LogChunk{Stream: m.Stream, Attempt: m.Attempt, Data: m.Data, Omitted: m.Omitted}, nil) {
					return
				}
			}
		}
		if !errors.Is(err, io.EOF) {
			yield(LogChunk{}, n.c.failure(ctx, err))
		}
	}
}
