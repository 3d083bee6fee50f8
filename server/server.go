// Package server makes the namespaces of an engine reachable: gRPC and
// HTTP/JSON listeners with TLS and tokens, health, discovery, backups, and an
// orderly start and stop around a data directory. The root package starts one
// inside a program, which is also how the command line does it.
package server

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/health"
	"google.golang.org/grpc/test/bufconn"

	"github.com/muster-queue/muster/dispatch/external"
	"github.com/muster-queue/muster/engine"
	"github.com/muster-queue/muster/job"
	"github.com/muster-queue/muster/notice/webhook"
	"github.com/muster-queue/muster/server/certificate"
	"github.com/muster-queue/muster/server/secret"
	"github.com/muster-queue/muster/server/token"
	"github.com/muster-queue/muster/store"
)

// Server is a running server.
type Server struct {
	cfg     Config
	layout  Layout
	log     *slog.Logger
	started time.Time

	lock   *dirLock
	store  store.Store
	engine *engine.Engine
	// external runs the pools of outside dispatchers.
	external *external.Scheduler
	tokens   *token.Store
	owner    string // the first token
	sealer   *secret.Sealer
	lender   *token.Lender
	cert     *certificate.Source
	backup   *backup
	// restored: the store was absent and was made from the backup.
	restored bool

	// streaming are the methods with streams.
	streaming map[string]bool
	rates     *rates
	places    chan struct{}
	streams   streams
	parked    parked
	// watchers are the callers that watch or wait at present.
	watchers atomic.Int64
	drains   drains

	grpc     *grpc.Server
	health   *health.Server
	memory   *bufconn.Listener
	http     *http.Server
	inner    *grpc.ClientConn // of the HTTP face to gRPC
	listener net.Listener
	web      net.Listener // nil: no HTTP
	where    Discovery
	// coordinate is empty unless Coordinate's clients are served.
	coordinate coordinateFace

	run      context.Context // ends when the stop begins
	endRun   context.CancelFunc
	work     sync.WaitGroup
	mode     atomic.Pointer[string]
	stopOnce sync.Once
	done     chan struct{}
	reason   error
}

// ErrStopped and ErrDrained are why a server that was told to has ended.
var (
	ErrStopped = job.Errorf(job.Unavailable, "the server was stopped")
	ErrDrained = job.Errorf(job.Unavailable, "the server was drained: its last job has ended")
)

// Start runs a server; it can be reached when Start returns. ctx bounds the
// start only. Among its errors are Conflict (another server runs on the data
// directory), Damaged (the store cannot be read) and Invalid.
func Start(ctx context.Context, cfg Config) (*Server, error) {
	cfg = cfg.withDefaults()
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	s := &Server{
		cfg: cfg, log: cfg.Logger, started: time.Now(),
		rates:  newRates(cfg.RequestRate),
		places: make(chan struct{}, cfg.MaxInFlight),
		done:   make(chan struct{}),
	}
	s.run, s.endRun = context.WithCancel(context.Background())
	s.setMode("starting")
	if err := s.start(ctx); err != nil {
		s.endRun()
		s.closeAll()
		return nil, err
	}
	return s, nil
}

// start does the steps in order; closeAll undoes those that were done.
func (s *Server) start(ctx context.Context) error {
	for _, step := range []func(context.Context) error{
		s.openDirectory, s.openStore, s.openEngine, s.endDrain, s.openTokens, s.listen, s.serve, s.announce,
	} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	s.setMode("started")
	return nil
}

func (s *Server) openDirectory(context.Context) error {
	var err error
	if s.cfg.Data != "" { // what is told to others holds wherever they are
		if s.cfg.Data, err = filepath.Abs(s.cfg.Data); err != nil {
			return job.Errorf(job.Invalid, "find the data directory %s: %w", s.cfg.Data, err)
		}
	}
	s.layout = Layout{s.cfg.Data}
	if s.cfg.Data == "" {
		dir, err := os.MkdirTemp("", "muster-")
		if err != nil {
			return job.Errorf(job.Internal, "make a temporary data directory: %w", err)
		}
		s.layout.Dir = dir
	}
	if err := s.layout.make(); err != nil {
		return err
	}
	lock, err := s.layout.acquire()
	s.lock = lock
	return err
}

func (s *Server) openEngine(ctx context.Context) error {
	cfg := s.cfg.Engine
	if cfg.Webhook == nil {
		cfg.Webhook = webhook.New().Send
	}
	e, err := engine.New(ctx, cfg, s.store)
	s.engine = e
	if err == nil {
		s.external = external.New(e, s.cfg.External)
	}
	return err
}

func (s *Server) openTokens(context.Context) error {
	tokens, err := token.Open(s.layout.Tokens())
	if err != nil {
		return err
	}
	s.tokens = tokens
	s.sealer = secret.New(s.layout.SecretKey())
	s.lender = token.NewLender(s.layout.LendKey())
	s.owner, err = tokens.Owner(s.layout.Token(), time.Now())
	return err
}

// announce tells the world, once everything can be reached.
func (s *Server) announce(context.Context) error {
	s.where = s.discovery()
	if err := s.where.write(s.layout.Discovery()); err != nil {
		return err
	}
	s.engine.Listening()
	s.work.Go(func() { s.keepHealth(s.run) })
	s.work.Go(func() { s.backup.run(s.run) })
	s.log.Info("the server is up", "grpc", s.where.Address, "http", s.where.HTTPAddress, "coordinate", s.where.CoordinateAddress, "data", s.layout.Dir)
	return nil
}

// Engine runs the server's namespaces, for callers in the same process.
func (s *Server) Engine() *engine.Engine { return s.engine }

// Where tells how to reach the server.
func (s *Server) Where() Discovery { return s.where }

// Layout tells where the server's files are.
func (s *Server) Layout() Layout { return s.layout }

// Restored tells whether the store was absent and was restored from the backup.
func (s *Server) Restored() bool { return s.restored }

// Token is the admin token made at first start.
func (s *Server) Token() string { return s.owner }

// Dial connects to the server without a network, for clients in the same
// process; they need a token all the same.
func (s *Server) Dial(ctx context.Context) (net.Conn, error) { return s.memory.DialContext(ctx) }

// Logger is where the server writes its log.
func (s *Server) Logger() *slog.Logger { return s.log }

// Done is closed when the server has ended.
func (s *Server) Done() <-chan struct{} { return s.done }

// Wait blocks until the server has ended and tells why: ErrStopped, ErrDrained,
// what a caller of Stop said, or what broke.
func (s *Server) Wait() error {
	<-s.done
	return s.reason
}

// setMode is one of starting, started, stopping; what namespaces add to it
// (draining, paused) they know themselves.
func (s *Server) setMode(mode string) { s.mode.Store(&mode) }
