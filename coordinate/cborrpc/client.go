package cborrpc

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"sync"

	"golang.org/x/sync/semaphore"

	"github.com/muster-queue/muster/job"
)

// Client speaks to a server as the Python client does: one connection, one call
// at a time, strings and the keys of its maps as byte strings. Its methods may be
// called from any goroutine; they wait for one another.
type Client struct {
	mu   sync.Mutex
	conn net.Conn
	in   *reader
	out  *bufio.Writer
	id   int64
}

// Dial connects to a server.
func Dial(ctx context.Context, address string) (*Client, error) {
	var d net.Dialer
	c, err := d.DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, job.Errorf(job.Unavailable, "connect to the Coordinate server at %s: %w", address, err)
	}
	return NewClient(c), nil
}

// NewClient is a client over a connection, which it closes.
func NewClient(c net.Conn) *Client {
	return &Client{
		conn: c, out: bufio.NewWriterSize(c, 16<<10),
		in: &reader{conn: c, large: semaphore.NewWeighted(shareLarge)},
	}
}

// Close ends the connection.
func (c *Client) Close() error { return c.conn.Close() }

// RemoteError is an error that the server answered with.
type RemoteError struct{ Message string }

func (e *RemoteError) Error() string { return e.Message }

// Call calls a method and returns its result. A failure that the server reports
// is a *RemoteError; after any other error the connection is of no more use.
// Cancelling ctx closes the connection: the protocol has no other way.
func (c *Client) Call(ctx context.Context, method string, params ...any) (Value, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	stop := context.AfterFunc(ctx, func() { _ = c.conn.Close() })
	defer stop()
	c.id++
	answer, err := c.exchange(ctx, method, params)
	if err != nil {
		if ctx.Err() != nil {
			err = context.Cause(ctx)
		}
		return nil, job.Wrap(err, "call", method)
	}
	return readAnswer(answer, c.id)
}

func (c *Client) exchange(ctx context.Context, method string, params []any) ([]byte, error) {
	if params == nil {
		params = []any{}
	}
	b := AppendBytes(AppendMap(nil, 3), "params")
	b, err := appendAny(b, params, MaxDepth)
	if err != nil {
		return nil, err
	}
	b = AppendInt(AppendBytes(b, "id"), c.id)
	b = AppendBytes(AppendBytes(b, "method"), method)
	if _, err = c.out.Write(Frame(b)); err == nil {
		err = c.out.Flush()
	}
	if err != nil {
		return nil, err
	}
	answer, release, err := c.in.next(ctx)
	if release != nil {
		release()
	}
	if errors.Is(err, io.EOF) {
		err = job.Errorf(job.Unavailable, "the server closed the connection")
	}
	return answer, err
}

// readAnswer takes an answer apart.
func readAnswer(message []byte, id int64) (Value, error) {
	v, err := Parse(message)
	if err != nil {
		return nil, err
	}
	var result, failure Value
	answered := false
	for key, value := range v.Entries() {
		switch {
		case key.is("id"):
			n, ok := value.Int()
			answered = ok && n == id
		case key.is("result"):
			result = value
		case key.is("error"):
			failure = value
		}
	}
	switch {
	case !answered:
		return nil, job.Errorf(job.Internal, "the answer is to another request")
	case result != nil:
		return result, nil
	}
	text, _ := failure.orNull().Get("message").orNull().Str()
	if text == "" {
		text = "the server sent neither result nor error"
	}
	return nil, &RemoteError{Message: text}
}
