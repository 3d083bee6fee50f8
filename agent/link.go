package agent

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/muster-queue/muster/agent/run"
	"github.com/muster-queue/muster/api"
	v1 "github.com/muster-queue/muster/api/muster/v1"
	"github.com/muster-queue/muster/client"
	"github.com/muster-queue/muster/job"
)

// link keeps a connection to the server: it tells the desk of each that comes
// up or breaks, and what comes in.
type link struct {
	client *client.Client
	log    *slog.Logger
	up     chan *conn
	down   chan *conn
	in     chan incoming
}

type incoming struct {
	conn     *conn
	response *v1.AttachResponse
}

// Pauses between attempts to connect; up to half is added at random, so that
// thousands of agents do not come back in the same instant.
const (
	firstPause   = 100 * time.Millisecond
	longestPause = 5 * time.Second
)

func newLink(c *client.Client, log *slog.Logger) *link {
	return &link{client: c, log: log, up: make(chan *conn), down: make(chan *conn), in: make(chan incoming, 16)}
}

// run connects again and again until ctx ends.
func (l *link) run(ctx context.Context) {
	pause := firstPause
	for ctx.Err() == nil {
		began := time.Now()
		err := l.serve(ctx)
		if ctx.Err() != nil {
			return
		}
		if time.Since(began) > longestPause {
			pause = firstPause
		}
		l.log.Info("the server is away; attaching again", "err", api.FromStatus(err), "in", pause)
		select {
		case <-time.After(pause + rand.N(pause/2)):
		case <-ctx.Done():
		}
		pause = min(2*pause, longestPause)
	}
}

// serve is one connection's life. The desk hears of its end, unless it has gone
// home: then desk has ended.
func (l *link) serve(desk context.Context) error {
	ctx, end := context.WithCancel(desk)
	defer end()
	stream, err := l.client.Attach(ctx)
	if err != nil {
		return err
	}
	c := &conn{ctx: ctx, stream: stream, wake: make(chan struct{}, 1), end: end}
	select {
	case l.up <- c:
	case <-ctx.Done():
		return ctx.Err()
	}
	var writer sync.WaitGroup
	writer.Go(c.write)
	err = l.read(c)
	end()
	writer.Wait()
	select {
	case l.down <- c:
	case <-desk.Done():
	}
	return err
}

func (l *link) read(c *conn) error {
	for {
		r, err := c.stream.Recv()
		if err != nil {
			return err
		}
		select {
		case l.in <- incoming{conn: c, response: r}:
		case <-c.ctx.Done():
			return c.ctx.Err()
		}
	}
}

// conn is one connection. What is sent while the network is busy is merged into
// one message.
type conn struct {
	ctx    context.Context
	stream client.AgentStream
	end    context.CancelFunc

	mu      sync.Mutex
	pending *v1.AttachRequest
	closed  bool
	wake    chan struct{}

	tails map[uint64]context.CancelFunc // of the desk
}

// send queues a message; it never blocks.
func (c *conn) send(m *v1.AttachRequest) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.pending == nil {
		c.pending = m
	} else {
		// Lists are joined in order, a newer heartbeat takes the older one's place.
		if m.Heartbeat != nil {
			c.pending.Heartbeat = nil
		}
		proto.Merge(c.pending, m)
	}
	c.signal()
}

// close ends the stream in order, after what is queued.
func (c *conn) close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed = true
	c.signal()
}

func (c *conn) signal() {
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

func (c *conn) take() (m *v1.AttachRequest, closed bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	m, c.pending = c.pending, nil
	return m, c.closed
}

// write sends what is queued until the connection ends.
func (c *conn) write() {
	for {
		m, closed := c.take()
		if m != nil {
			if err := c.stream.Send(m); err != nil {
				c.end()
				return
			}
			continue
		}
		if closed {
			_ = c.stream.CloseSend()
			return
		}
		select {
		case <-c.wake:
		case <-c.ctx.Done():
			return
		}
	}
}

// tail begins or stops sending the live output of an attempt.
func (c *conn) tail(r *run.Runner, t *v1.Tail) {
	if stop := c.tails[t.Id]; stop != nil {
		stop()
		delete(c.tails, t.Id)
	}
	if t.Stop {
		return
	}
	if c.tails == nil {
		c.tails = map[uint64]context.CancelFunc{}
	}
	ctx, stop := context.WithCancel(c.ctx)
	c.tails[t.Id] = stop
	go c.follow(ctx, r, t)
}

// tailPause is how often the output of one attempt is sent at most, so that a
// chatty command costs the network little.
const tailPause = 100 * time.Millisecond

// follow sends output as it comes.
func (c *conn) follow(ctx context.Context, r *run.Runner, t *v1.Tail) {
	out, err := r.Tail(job.AttemptID{Epoch: t.Epoch, N: t.N}, t.Stream == "stderr", t.Offset)
	if err != nil {
		c.send(chunk(t, &v1.LogChunk{Error: err.Error()}))
		return
	}
	for {
		data, at, err := out.Next(ctx)
		switch {
		case errors.Is(err, io.EOF):
			c.send(chunk(t, &v1.LogChunk{Offset: at, End: true}))
			return
		case ctx.Err() != nil:
			return
		case err != nil:
			c.send(chunk(t, &v1.LogChunk{Error: err.Error()}))
			return
		}
		c.send(chunk(t, &v1.LogChunk{Offset: at, Data: data}))
		if !t.Follow {
			c.send(chunk(t, &v1.LogChunk{Offset: at + int64(len(data)), End: true}))
			return
		}
		select {
		case <-time.After(tailPause):
		case <-ctx.Done():
			return
		}
	}
}

func chunk(t *v1.Tail, l *v1.LogChunk) *v1.AttachRequest {
	l.Tail, l.Stream = t.Id, t.Stream
	return &v1.AttachRequest{Logs: []*v1.LogChunk{l}}
}
