package server

import (
	"context"
	"errors"
	"io"
)

// received is a stream's messages, read ahead by a goroutine of their own, so
// that a handler can wait for other things too. When nobody takes them, nothing
// more is read, and the client is held back by the flow control of its stream.
type received[T any] struct {
	messages chan *T
	err      error // why there are no more; nil at the client's orderly end
}

// receive starts to read; depth is how many messages may wait. It ends with the
// stream or with ctx, whichever is first.
func receive[T any](ctx context.Context, recv func() (*T, error), depth int) *received[T] {
	r := &received[T]{messages: make(chan *T, depth)}
	go func() {
		defer close(r.messages)
		for {
			m, err := recv()
			if err != nil {
				if !errors.Is(err, io.EOF) {
					r.err = err
				}
				return
			}
			select {
			case r.messages <- m:
			case <-ctx.Done():
				r.err = context.Cause(ctx)
				return
			}
		}
	}()
	return r
}
