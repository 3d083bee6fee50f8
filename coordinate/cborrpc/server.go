package cborrpc

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"sync"
	"time"

	"golang.org/x/sync/semaphore"
)

// Config configures a Server. Handler is required.
type Config struct {
	Handler Handler
	// LogRequests logs every call, with how long it took.
	LogRequests bool
	// WriteTimeout is how long a client may take to read an answer; default five
	// minutes.
	WriteTimeout time.Duration
	Logger       *slog.Logger
}

// Server answers CBOR-RPC: the requests of one connection in order, those of
// different connections concurrently. Idle connections are never closed.
type Server struct {
	cfg   Config
	large *semaphore.Weighted
	// run ends when calls under way must end.
	run    context.Context
	endRun context.CancelFunc

	mu        sync.Mutex
	stopping  bool
	listeners map[net.Listener]bool
	conns     map[net.Conn]bool
	serving   sync.WaitGroup
}

// NewServer makes a server; Serve makes it listen.
func NewServer(cfg Config) *Server {
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.WriteTimeout == 0 {
		cfg.WriteTimeout = 5 * time.Minute
	}
	run, end := context.WithCancel(context.Background())
	return &Server{
		cfg: cfg, large: semaphore.NewWeighted(shareLarge), run: run, endRun: end,
		listeners: map[net.Listener]bool{}, conns: map[net.Conn]bool{},
	}
}

// Serve answers the connections of a listener until Stop, and then returns nil.
func (s *Server) Serve(l net.Listener) error {
	if !s.enter(func() { s.listeners[l] = true }) {
		return l.Close()
	}
	defer s.leave(func() { delete(s.listeners, l) })
	for pause := time.Duration(0); ; {
		c, err := l.Accept()
		switch {
		case s.stopped():
			if err == nil {
				_ = c.Close()
			}
			return nil
		case errors.Is(err, net.ErrClosed):
			return err
		case err != nil: // no file descriptors left, most likely
			pause = min(max(2*pause, 5*time.Millisecond), time.Second)
			s.cfg.Logger.Warn("accept a connection of Coordinate's clients", "error", err, "again_in", pause)
			s.rest(pause)
		default:
			pause = 0
			resetWhenClosed(c)
			if !s.enter(func() { s.conns[c] = true }) {
				_ = c.Close()
				continue
			}
			go s.serve(c)
		}
	}
}

// resetWhenClosed makes the end of a connection a reset, also when this process
// is killed: the Python client connects again after one and repeats its call,
// while of a connection closed in order it believes for ten seconds that more is
// to come, and then fails the call. An answer that a reset overtakes is asked for
// again.
func resetWhenClosed(c net.Conn) {
	if wrapped, ok := c.(interface{ NetConn() net.Conn }); ok {
		c = wrapped.NetConn()
	}
	if tcp, ok := c.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
}

// rest waits, but not longer than the server runs.
func (s *Server) rest(pause time.Duration) {
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-s.run.Done():
	}
}

// enter counts a listener or connection in, unless the server stops.
func (s *Server) enter(keep func()) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopping {
		return false
	}
	keep()
	s.serving.Add(1)
	return true
}

func (s *Server) leave(forget func()) {
	s.mu.Lock()
	forget()
	s.mu.Unlock()
	s.serving.Done()
}

func (s *Server) stopped() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.stopping
}

// Connections is how many clients are connected.
func (s *Server) Connections() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.conns)
}

// Stop closes the listeners and the silent connections, lets calls under way end
// until ctx does, and then ends those too.
func (s *Server) Stop(ctx context.Context) {
	s.mu.Lock()
	s.stopping = true
	for l := range s.listeners {
		_ = l.Close()
	}
	for c := range s.conns {
		_ = c.SetReadDeadline(time.Unix(1, 0)) // wakes who waits for a request
	}
	s.mu.Unlock()
	over := make(chan struct{})
	go func() { s.serving.Wait(); close(over) }()
	select {
	case <-over:
	case <-ctx.Done():
		s.cut()
		<-over
	}
	s.endRun()
}

// cut ends what is still under way.
func (s *Server) cut() {
	s.endRun()
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.conns {
		_ = c.Close()
	}
}

// serve answers one connection until the client leaves, sends what is not the
// protocol, or the server stops.
func (s *Server) serve(c net.Conn) {
	defer s.leave(func() { delete(s.conns, c) })
	defer func() { _ = c.Close() }()
	in := &reader{conn: c, large: s.large}
	for {
		err := s.exchange(in)
		switch {
		case err == nil && !s.stopped():
			continue
		case err == nil, errors.Is(err, io.EOF), s.stopped():
		default:
			s.cfg.Logger.Info("a connection of Coordinate's clients was closed", "client", c.RemoteAddr().String(), "error", err)
		}
		return
	}
}

// buffers are for answers; large ones are left to the collector.
var buffers = sync.Pool{New: func() any { return new([]byte) }}

const maxPooled = 1 << 20

// exchange reads one message and writes its answer, at once and complete: a
// client gives up on one that stalls.
func (s *Server) exchange(in *reader) error {
	message, release, err := in.next(s.run)
	if err != nil {
		return err
	}
	if release != nil {
		defer release()
	}
	buffer := buffers.Get().(*[]byte)
	defer func() {
		if cap(*buffer) <= maxPooled {
			buffers.Put(buffer)
		}
	}()
	answer, err := s.answer(s.run, message, startFrame(*buffer))
	if err != nil {
		return err
	}
	*buffer = answer
	if err := in.conn.SetWriteDeadline(time.Now().Add(s.cfg.WriteTimeout)); err != nil {
		return err
	}
	_, err = in.conn.Write(endFrame(answer))
	return err
}
