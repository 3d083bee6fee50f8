package server

import (
	"context"
	"net"
	"time"

	"github.com/muster-queue/muster/coordinate"
	"github.com/muster-queue/muster/coordinate/cborrpc"
	"github.com/muster-queue/muster/coordinate/jobserver"
	"github.com/muster-queue/muster/job"
)

// DefaultCoordinateAddress is where Coordinate's clients look for a server.
const DefaultCoordinateAddress = "127.0.0.1:5932"

// CoordinateConfig configures the face for Coordinate's clients. Their protocol
// knows neither tokens nor TLS: whoever reaches the address may do everything that
// it offers, which is the work specs of the default namespace and their units.
type CoordinateConfig struct {
	// Listen is the address; empty means that there is no such face.
	Listen string
	// Open allows an address that others can reach.
	Open bool
	// Global is what get_config answers; nil means an error.
	Global map[string]any
	// LogRequests logs every call.
	LogRequests bool
}

func (c *CoordinateConfig) validate() error {
	if c.Listen == "" {
		if c.Open || c.Global != nil || c.LogRequests {
			return job.Errorf(job.Invalid, "config: something is said about Coordinate's clients, but not that they are served; --coordinate does")
		}
		return nil
	}
	if err := checkAddress("coordinate", c.Listen); err != nil {
		return err
	}
	if !c.Open && !loopback(c.Listen) {
		return job.Errorf(job.Invalid,
			"config: %s can be reached by others, and Coordinate's protocol has no authentication: whoever connects may read and delete all work specs; if that is meant, say so with --coordinate-open", c.Listen)
	}
	return nil
}

// coordinateFace answers Coordinate's clients.
type coordinateFace struct {
	rpc      *cborrpc.Server
	listener net.Listener
}

// listenCoordinate opens the listener for Coordinate's clients, if they are served.
func (s *Server) listenCoordinate() error {
	c := &s.cfg.Coordinate
	if c.Listen == "" {
		return nil
	}
	jobs := &jobserver.JobServer{GlobalConfig: c.Global}
	var err error
	if jobs.Namespace, err = coordinate.New(s.run, s.engine).Namespace(""); err != nil {
		return err
	}
	handler, err := jobs.Handler()
	if err != nil {
		return err
	}
	l, err := net.Listen("tcp", c.Listen)
	if err != nil {
		return job.Errorf(job.Unavailable, "listen for Coordinate's clients on %s: %w; does another server run there?", c.Listen, withoutAddress(err))
	}
	s.coordinate.listener = limited(l, s.cfg.MaxConnections)
	s.coordinate.rpc = cborrpc.NewServer(cborrpc.Config{Handler: handler, LogRequests: c.LogRequests, Logger: s.log})
	return nil
}

// serveCoordinate answers them.
func (s *Server) serveCoordinate() {
	if f := s.coordinate; f.rpc != nil {
		s.work.Go(func() { s.fail("serving Coordinate's clients", f.rpc.Serve(f.listener)) })
	}
}

// close lets calls under way end, and then all connections.
func (f *coordinateFace) close(grace time.Duration) {
	if f.rpc == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), grace)
	defer cancel()
	f.rpc.Stop(ctx)
	_ = f.listener.Close() // also one that was never served
}
