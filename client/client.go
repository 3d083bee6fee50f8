// Package client speaks to a muster server: it adds, finds, changes and watches
// jobs, takes work, and steers the server. Programs and the command line use it;
// it speaks in the types of package job and gives back its errors.
//
// Calls bear an unreachable server for Config.Patience. What they repeat is safe
// to repeat: nothing is lost or done twice.
package client

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"net"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/keepalive"

	musterv1 "github.com/muster-queue/muster/api/muster/v1"
	"github.com/muster-queue/muster/job"
)

// Config says where the server is and who asks.
type Config struct {
	// Address of the server's gRPC face, HOST:PORT.
	Address string
	// Token is sent with every call, in a header.
	Token string
	// TLS is used when set, and always for addresses that are not of this
	// machine. CAFile has the authority to trust, in PEM; empty: the system's.
	// TLSConfig, when set, is used as it is.
	TLS       bool
	CAFile    string
	TLSConfig *tls.Config
	// Patience is how long a call bears an unreachable or overloaded server
	// before it fails; zero means DefaultPatience, negative not at all.
	Patience time.Duration
	// MaxMessage bounds one message; zero means 64 MiB.
	MaxMessage int
	// Data is the data directory that the server was found by, if it was; programs
	// that shall reach the same server are told (Reach).
	Data string
	// Dialer, when set, opens connections in place of the network's.
	Dialer func(context.Context, string) (net.Conn, error)
}

// DefaultPatience is how long calls bear an unreachable server.
const DefaultPatience = 15 * time.Second

// Client is a connection to a server. It may be used from any goroutine.
type Client struct {
	cfg  Config
	conn *grpc.ClientConn

	namespaces   musterv1.NamespacesClient
	jobs         musterv1.JobsClient
	work         musterv1.WorkClient
	queues       musterv1.QueuesClient
	workers      musterv1.WorkersClient
	units        musterv1.UnitsClient
	locks        musterv1.LocksClient
	pools        musterv1.PoolsClient
	scheduler    musterv1.ExternalSchedulerClient
	cron         musterv1.CronClient
	notices      musterv1.NoticesClient
	accounts     musterv1.AccountsClient
	limits       musterv1.LimitsClient
	kinds        musterv1.KindsClient
	events       musterv1.EventsClient
	environments musterv1.EnvironmentsClient
	secrets      musterv1.SecretsClient
	server       musterv1.ServerClient
	tokens       musterv1.TokensClient
}

// Dial connects to a server and makes sure that it answers and knows the token.
// The error is Unavailable when none answers within ctx and the patience.
func Dial(ctx context.Context, cfg Config) (*Client, error) {
	c, err := New(cfg)
	if err != nil {
		return nil, err
	}
	if _, err := c.Info(ctx); err != nil {
		_ = c.Close()
		return nil, err
	}
	return c, nil
}

// New is Dial without asking the server anything.
func New(cfg Config) (*Client, error) {
	if cfg.Patience == 0 {
		cfg.Patience = DefaultPatience
	}
	if cfg.MaxMessage == 0 {
		cfg.MaxMessage = 64 << 20
	}
	opts, err := cfg.options()
	if err != nil {
		return nil, err
	}
	conn, err := grpc.NewClient("passthrough:///"+cfg.Address, opts...)
	if err != nil {
		return nil, job.Errorf(job.Invalid, "connect to %s: %w", cfg.Address, err)
	}
	return &Client{
		cfg: cfg, conn: conn, cron: musterv1.NewCronClient(conn), notices: musterv1.NewNoticesClient(conn),
		pools: musterv1.NewPoolsClient(conn), scheduler: musterv1.NewExternalSchedulerClient(conn),
		namespaces: musterv1.NewNamespacesClient(conn), jobs: musterv1.NewJobsClient(conn),
		work: musterv1.NewWorkClient(conn), queues: musterv1.NewQueuesClient(conn),
		workers: musterv1.NewWorkersClient(conn), locks: musterv1.NewLocksClient(conn),
		units: musterv1.NewUnitsClient(conn), accounts: musterv1.NewAccountsClient(conn), limits: musterv1.NewLimitsClient(conn), kinds: musterv1.NewKindsClient(conn),
		events: musterv1.NewEventsClient(conn), environments: musterv1.NewEnvironmentsClient(conn), secrets: musterv1.NewSecretsClient(conn),
		server: musterv1.NewServerClient(conn), tokens: musterv1.NewTokensClient(conn),
	}, nil
}

func (cfg *Config) options() ([]grpc.DialOption, error) {
	secure, err := cfg.transport()
	if err != nil {
		return nil, err
	}
	opts := []grpc.DialOption{
		grpc.WithTransportCredentials(secure),
		grpc.WithPerRPCCredentials(bearer(cfg.Token)),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(cfg.MaxMessage), grpc.MaxCallSendMsgSize(cfg.MaxMessage)),
		grpc.WithConnectParams(grpc.ConnectParams{
			Backoff:           backoff.Config{BaseDelay: firstPause, Multiplier: 1.6, Jitter: 0.2, MaxDelay: longestPause},
			MinConnectTimeout: 5 * time.Second,
		}),
		grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: 30 * time.Second, Timeout: 20 * time.Second}),
		grpc.WithInitialWindowSize(1 << 20), grpc.WithInitialConnWindowSize(4 << 20),
	}
	if cfg.Dialer != nil {
		opts = append(opts, grpc.WithContextDialer(cfg.Dialer))
	}
	return opts, nil
}

// transport decides between TLS and plain: a token never travels in the clear
// between machines.
func (cfg *Config) transport() (credentials.TransportCredentials, error) {
	if _, _, err := net.SplitHostPort(cfg.Address); err != nil && cfg.Dialer == nil {
		return nil, job.Errorf(job.Invalid, "server address %.100q is not of the form HOST:PORT", cfg.Address)
	}
	switch {
	case cfg.TLSConfig != nil:
		return credentials.NewTLS(cfg.TLSConfig), nil
	case cfg.CAFile != "":
		pool, err := readCA(cfg.CAFile)
		if err != nil {
			return nil, err
		}
		return credentials.NewTLS(&tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}), nil
	case cfg.TLS || cfg.Dialer == nil && !loopback(cfg.Address):
		return credentials.NewTLS(&tls.Config{MinVersion: tls.VersionTLS12}), nil
	}
	return insecure.NewCredentials(), nil
}

// loopback tells whether an address is of this machine.
func loopback(address string) bool {
	host, _, err := net.SplitHostPort(address)
	ip := net.ParseIP(host)
	return err == nil && (host == "localhost" || ip != nil && ip.IsLoopback())
}

// bearer is the token as gRPC asks for it: it goes into a header.
type bearer string

// GetRequestMetadata is the header of a call.
func (b bearer) GetRequestMetadata(context.Context, ...string) (map[string]string, error) {
	if b == "" {
		return nil, nil
	}
	return map[string]string{"authorization": "Bearer " + string(b)}, nil
}

// RequireTransportSecurity is false: Config.transport allows plain connections
// only within a machine.
func (b bearer) RequireTransportSecurity() bool { return false }

// Address is where the server is.
func (c *Client) Address() string { return c.cfg.Address }

// Close ends the connection. Calls under way fail.
func (c *Client) Close() error { return c.conn.Close() }

// Namespace is a handle on a namespace, whether it exists or not; empty means
// the default one.
func (c *Client) Namespace(name string) *Namespace {
	if name == "" {
		name = job.DefaultNamespace
	}
	return &Namespace{c: c, name: name}
}

// Namespace is a handle on one namespace.
type Namespace struct {
	c    *Client
	name string
}

// Name is the namespace's name.
func (n *Namespace) Name() string { return n.name }

// newID is a random word for request ids and sessions.
func newID() string { return strings.ToLower(rand.Text()) }
