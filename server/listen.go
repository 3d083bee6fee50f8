package server

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"os"
	"strconv"
	"sync"

	"google.golang.org/grpc"
	"google.golang.org/grpc/health"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/test/bufconn"

	"github.com/muster-queue/muster/job"
	"github.com/muster-queue/muster/server/certificate"
)

// Buffers of a connection: small, for there may be ten thousand agents; those
// of writes are shared, since most connections are silent most of the time.
const (
	readBuffer   = 2 << 10
	writeBuffer  = 16 << 10
	memoryBuffer = 256 << 10
	// What a client may send ahead. Fixed, since gRPC would measure the network
	// with a ping for every few messages to find out.
	streamWindow     = 1 << 20
	connectionWindow = 4 << 20
)

// listen opens the listeners. The one in memory is for the HTTP face and for
// clients in this process; like the others it asks for tokens.
func (s *Server) listen(context.Context) error {
	if err := s.openCertificate(); err != nil {
		return err
	}
	s.memory = bufconn.Listen(memoryBuffer)
	var err error
	if s.listener, err = s.listenOn(s.cfg.Listen); err != nil {
		return err
	}
	if s.cfg.HTTP != NoHTTP {
		if s.web, err = s.listenOn(s.cfg.HTTP); err != nil {
			return err
		}
	}
	return s.listenCoordinate()
}

// secured tells whether an address is served with TLS: all but loopback.
func (s *Server) secured(address string) bool {
	return s.cfg.TLS || s.cfg.CertFile != "" || !loopback(address)
}

func (s *Server) listenOn(address string) (net.Listener, error) {
	l, err := net.Listen("tcp", address)
	if err != nil {
		return nil, job.Errorf(job.Unavailable, "listen on %s: %w; does another server run there?", address, withoutAddress(err))
	}
	l = limited(l, s.cfg.MaxConnections)
	if s.secured(address) {
		l = tls.NewListener(l, s.cert.Config())
	}
	return l, nil
}

// withoutAddress is why the network refused, of which the address is told already.
func withoutAddress(err error) error {
	if op, ok := errors.AsType[*net.OpError](err); ok {
		return op.Err
	}
	return err
}

// openCertificate finds or makes the certificate, if one is needed.
func (s *Server) openCertificate() (err error) {
	needed := s.secured(s.cfg.Listen) || s.cfg.HTTP != NoHTTP && s.secured(s.cfg.HTTP)
	switch {
	case !needed:
		return nil
	case s.cfg.CertFile != "":
		s.cert, err = certificate.FromFiles(s.cfg.CertFile, s.cfg.KeyFile, s.log)
	default:
		files := certificate.Files{CA: s.layout.CA(), CAKey: s.layout.CAKey(), Cert: s.layout.Cert()}
		s.cert, err = certificate.SelfMade(files, s.hosts(), s.log)
	}
	if err == nil {
		s.work.Go(func() { s.cert.Run(s.run) })
	}
	return err
}

// hosts are the names and addresses a certificate made here is for: this
// machine's, and those configured.
func (s *Server) hosts() []string {
	hosts := []string{"localhost", "127.0.0.1", "::1"}
	if name, err := os.Hostname(); err == nil && name != "" {
		hosts = append(hosts, name)
	}
	for _, address := range []string{s.cfg.Listen, s.cfg.HTTP} {
		host, _, _ := net.SplitHostPort(address)
		if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
			hosts = append(hosts, machineAddresses()...)
		} else {
			hosts = append(hosts, host)
		}
	}
	return unique(append(hosts, s.cfg.Hosts...))
}

func machineAddresses() []string {
	addresses, err := net.InterfaceAddrs()
	if err != nil {
		return nil
	}
	var all []string
	for _, a := range addresses {
		if n, ok := a.(*net.IPNet); ok && !n.IP.IsLinkLocalUnicast() {
			all = append(all, n.IP.String())
		}
	}
	return all
}

func unique(all []string) []string {
	seen := map[string]bool{"": true}
	kept := all[:0]
	for _, s := range all {
		if !seen[s] {
			seen[s] = true
			kept = append(kept, s)
		}
	}
	return kept
}

// serve answers on all listeners.
func (s *Server) serve(ctx context.Context) error {
	s.grpc = grpc.NewServer(s.grpcOptions()...)
	s.health = health.NewServer()
	s.register()
	for _, l := range []net.Listener{s.listener, s.memory} {
		s.work.Go(func() { s.fail("serving gRPC", s.grpc.Serve(l)) })
	}
	s.serveCoordinate()
	if s.web == nil {
		return nil
	}
	if err := s.openGateway(ctx); err != nil {
		return err
	}
	s.work.Go(func() { s.fail("serving HTTP", s.http.Serve(s.web)) })
	return nil
}

func (s *Server) grpcOptions() []grpc.ServerOption {
	return []grpc.ServerOption{
		grpc.InTapHandle(s.admit),
		grpc.UnaryInterceptor(s.unary),
		grpc.StreamInterceptor(s.stream),
		grpc.MaxRecvMsgSize(s.cfg.MaxMessage),
		grpc.MaxSendMsgSize(s.cfg.MaxMessage),
		grpc.MaxConcurrentStreams(s.cfg.MaxStreams),
		grpc.MaxHeaderListSize(16 << 10),
		grpc.ReadBufferSize(readBuffer),
		grpc.WriteBufferSize(writeBuffer),
		grpc.StaticStreamWindowSize(streamWindow),
		grpc.StaticConnWindowSize(connectionWindow),
		grpc.ConnectionTimeout(s.cfg.ConnectTimeout),
		grpc.KeepaliveParams(keepalive.ServerParameters{
			MaxConnectionIdle: s.cfg.IdleTimeout, Time: s.cfg.PingEvery, Timeout: s.cfg.PingTimeout,
		}),
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{
			MinTime: s.cfg.PingEvery / 3, PermitWithoutStream: true,
		}),
	}
}

// discovery is what others are told about where the server is.
func (s *Server) discovery() Discovery {
	d := Discovery{
		Address: reachable(s.listener.Addr()), TLS: s.secured(s.cfg.Listen),
		TokenFile: s.layout.Token(), PID: os.Getpid(), Version: s.cfg.Version, Started: s.started.UTC(),
	}
	if s.web != nil {
		d.HTTPAddress, d.HTTPTLS = reachable(s.web.Addr()), s.secured(s.cfg.HTTP)
	}
	if s.coordinate.listener != nil {
		d.CoordinateAddress = reachable(s.coordinate.listener.Addr())
	}
	if s.cert != nil && s.cfg.CertFile == "" {
		d.CAFile = s.layout.CA()
	}
	return d
}

// reachable is a listener's address as this machine can reach it.
func reachable(a net.Addr) string {
	t := a.(*net.TCPAddr)
	host := t.IP.String()
	if t.IP.IsUnspecified() {
		host = "localhost"
	}
	return net.JoinHostPort(host, strconv.Itoa(t.Port))
}

// limitedListener has at most a number of connections open; more wait in the
// kernel's queue.
type limitedListener struct {
	net.Listener
	places chan struct{}
	closed chan struct{}
	once   sync.Once
}

func limited(l net.Listener, n int) net.Listener {
	return &limitedListener{Listener: l, places: make(chan struct{}, n), closed: make(chan struct{})}
}

// Accept waits for a place, then for a connection.
func (l *limitedListener) Accept() (net.Conn, error) {
	select {
	case l.places <- struct{}{}:
	case <-l.closed:
		return nil, net.ErrClosed
	}
	c, err := l.Listener.Accept()
	if err != nil {
		<-l.places
		return nil, err
	}
	return &limitedConn{Conn: c, leave: sync.OnceFunc(func() { <-l.places })}, nil
}

// Close also ends an Accept that waits for a place.
func (l *limitedListener) Close() error {
	l.once.Do(func() { close(l.closed) })
	return l.Listener.Close()
}

type limitedConn struct {
	net.Conn
	leave func()
}

// NetConn is the connection itself, for what only that can do.
func (c *limitedConn) NetConn() net.Conn { return c.Conn }

// Close gives the place back.
func (c *limitedConn) Close() error {
	c.leave()
	return c.Conn.Close()
}
