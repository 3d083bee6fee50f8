package server

import (
	"log/slog"
	"net"
	"strconv"
	"time"

	"github.com/muster-queue/muster/dispatch/external"
	"github.com/muster-queue/muster/engine"
	"github.com/muster-queue/muster/job"
	"github.com/muster-queue/muster/store"
	"github.com/muster-queue/muster/store/pebble"
)

// Default addresses. The HTTP face is on the port after that of gRPC.
const (
	DefaultAddress     = "127.0.0.1:7411"
	DefaultHTTPAddress = "127.0.0.1:7412"
	// NoHTTP as Config.HTTP leaves the HTTP face out.
	NoHTTP = "off"
)

// Config holds every tunable of a server. The zero value of each field means
// the default named beside it.
type Config struct {
	// Data is the directory for everything the server keeps; see Layout. Empty
	// means a temporary one, removed at the end.
	Data string
	// Listen is the address of gRPC; default DefaultAddress. Port 0 is any free
	// one.
	Listen string
	// HTTP is the address of HTTP/JSON; default the host of Listen and the port
	// after it. NoHTTP means none.
	HTTP string

	// Store names where namespaces are kept: "pebble:DIR" (default: directory
	// store in Data), or "memory:".
	Store string
	// OpenStore, if set, opens the store in place of Store; the server closes it.
	OpenStore func() (store.Store, error)
	// Ephemeral starts with an empty store each time.
	Ephemeral bool
	// Backup is a directory that is kept as an incremental copy of the store,
	// and restored from when the store is absent; empty means none. It is
	// refreshed after changes, at most every BackupEvery (default 30 s).
	Backup      string
	BackupEvery time.Duration

	// CertFile and KeyFile are a TLS certificate with its chain and its key, in
	// PEM; both are read again when they change. Without them addresses that
	// are not loopback get a certificate made here.
	CertFile, KeyFile string
	// TLS asks for TLS on loopback addresses too.
	TLS bool
	// Hosts are further names and addresses that the certificate made here is for.
	Hosts []string

	// Hold is how long agents may go on without a server after a planned stop;
	// default 24 hours, negative none.
	Hold time.Duration
	// LogErrors has every request that is answered with an error logged, as a warning.
	LogErrors bool
	// StopGrace is how long requests under way may take to end at a stop;
	// default 5 s.
	StopGrace time.Duration

	// MaxMessage bounds one message or HTTP body; default 64 MiB.
	MaxMessage int
	// MaxConnections bounds the connections of each listener; default 20,000.
	MaxConnections int
	// MaxStreams bounds the calls under way on one connection; default 1,000.
	MaxStreams uint32
	// MaxInFlight bounds the requests being answered at a time, streams and
	// workers' calls apart; default 10,000.
	MaxInFlight int
	// RequestRate bounds the requests a second of one token, with bursts of a
	// second's worth; default 50,000, negative none.
	RequestRate float64
	// ConnectTimeout bounds how long a new connection may take to say what it
	// is, headers of an HTTP request included; default 10 s.
	ConnectTimeout time.Duration
	// IdleTimeout closes connections without calls; default 15 minutes.
	IdleTimeout time.Duration
	// PingEvery is when a silent connection is asked whether it is there, and
	// PingTimeout how long it has to answer; defaults 30 s and 20 s.
	PingEvery, PingTimeout time.Duration

	// Coordinate configures the face for Coordinate's clients; without an address
	// there is none.
	Coordinate CoordinateConfig

	// Pebble configures a store in Pebble; its directory is that of Store.
	Pebble pebble.Config
	// Engine configures the engine.
	Engine engine.Config
	// External configures the pools of outside dispatchers.
	External external.Config
	// Version is shown to clients; default "dev".
	Version string
	Logger  *slog.Logger
}

func (c Config) withDefaults() Config {
	or(&c.Listen, DefaultAddress)
	or(&c.HTTP, httpBeside(c.Listen))
	or(&c.BackupEvery, 30*time.Second)
	or(&c.Hold, 24*time.Hour)
	or(&c.StopGrace, 5*time.Second)
	or(&c.MaxMessage, 64<<20)
	or(&c.MaxConnections, 20_000)
	or(&c.MaxStreams, 1_000)
	or(&c.MaxInFlight, 10_000)
	or(&c.RequestRate, 50_000)
	or(&c.ConnectTimeout, 10*time.Second)
	or(&c.IdleTimeout, 15*time.Minute)
	or(&c.PingEvery, 30*time.Second)
	or(&c.PingTimeout, 20*time.Second)
	or(&c.Version, "dev")
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.External.Logger == nil {
		c.External.Logger = c.Logger
	}
	if c.Engine.Logger == nil {
		c.Engine.Logger = c.Logger
	}
	return c
}

// or sets *v to the default d where it was left zero.
func or[T comparable](v *T, d T) {
	var zero T
	if *v == zero {
		*v = d
	}
}

// httpBeside is the port after that of gRPC on the same host; any free port
// beside any free port.
func httpBeside(listen string) string {
	host, port, err := net.SplitHostPort(listen)
	n, bad := strconv.Atoi(port)
	if err != nil || bad != nil {
		return DefaultHTTPAddress // validate refuses listen
	}
	if n != 0 {
		n++
	}
	return net.JoinHostPort(host, strconv.Itoa(n))
}

func (c *Config) validate() error {
	if err := checkAddress("listen", c.Listen); err != nil {
		return err
	}
	if c.HTTP != NoHTTP {
		if err := checkAddress("http", c.HTTP); err != nil {
			return err
		}
	}
	switch {
	case (c.CertFile == "") != (c.KeyFile == ""):
		return job.Errorf(job.Invalid, "config: a TLS certificate needs its key, and the other way round")
	case c.Ephemeral && c.Backup != "":
		return job.Errorf(job.Invalid, "config: a server that starts empty each time has nothing to back up; choose one of ephemeral and backup")
	case c.MaxMessage < 4096 || c.MaxConnections < 1 || c.MaxInFlight < 1:
		return job.Errorf(job.Invalid, "config: messages of at least 4096 bytes, one connection and one request must be allowed")
	}
	if err := c.Coordinate.validate(); err != nil {
		return err
	}
	return c.checkStore()
}

func checkAddress(field, address string) error {
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		return job.Errorf(job.Invalid, "config: %s: %q is not an address of the form HOST:PORT", field, address)
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil {
		return job.Errorf(job.Invalid, "config: %s: port %d of %q must be a number up to 65535", field, n, address)
	}
	return nil
}

// loopback tells whether only this machine can reach the address.
func loopback(address string) bool {
	host, _, _ := net.SplitHostPort(address)
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}
