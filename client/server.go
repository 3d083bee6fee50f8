package client

import (
	"context"
	"time"

	"github.com/muster-queue/muster/api"
	musterv1 "github.com/muster-queue/muster/api/muster/v1"
	"github.com/muster-queue/muster/job"
)

// ServerInfo is what a server is.
type ServerInfo struct {
	// Address is that of gRPC, HTTPAddress that of HTTP.
	Address, HTTPAddress string
	Host                 string
	Port, HTTPPort, PID  int
	// Mode is started, draining, paused or stopping.
	Mode    string
	Pools   []string
	Version string
	// Store is the kind of store, Data its directory.
	Store, Data string
	Started     time.Time
	// Role and Token are of who asks.
	Role, Token      string
	CertificateUntil time.Time
}

// Info tells about the server.
func (c *Client) Info(ctx context.Context) (*ServerInfo, error) {
	m, err := call(ctx, c, c.server.GetInfo, &musterv1.GetInfoRequest{})
	if err != nil {
		return nil, err
	}
	return &ServerInfo{
		Address: m.Address, HTTPAddress: m.HttpAddress, Host: m.Host, Port: int(m.Port), HTTPPort: int(m.HttpPort), PID: int(m.Pid),
		Mode: m.Mode, Pools: m.Pools, Version: m.Version, Store: m.Store, Data: m.Data, Started: stamp(m.Started),
		Role: m.Role, Token: m.Token, CertificateUntil: stamp(m.CertificateUntil),
	}, nil
}

// Stats are the numbers of a server, or of one namespace.
type Stats struct {
	Counts job.Counts
	// UntilEnd is the time until the slowest running job should end; zero when
	// it is not known.
	UntilEnd                              time.Duration
	Workers, Watchers, Namespaces         int64
	MemoryBytes, DiskBytes, DiskFreeBytes int64
	// SyncP50 is the median time of the disk's last syncs.
	SyncP50 time.Duration
	// Unhealthy is why no new work is accepted; empty when it is.
	Unhealthy string
}

// Stats has the numbers of a namespace; with an empty name, of all.
func (c *Client) Stats(ctx context.Context, namespace string) (*Stats, error) {
	m, err := call(ctx, c, c.server.GetStats, &musterv1.GetStatsRequest{Namespace: namespace})
	if err != nil {
		return nil, err
	}
	return &Stats{
		Counts: api.ToCounts(m.Counts), UntilEnd: m.UntilEnd.AsDuration(), Workers: m.Workers, Watchers: m.Watchers, Namespaces: m.Namespaces,
		MemoryBytes: m.MemoryBytes, DiskBytes: m.DiskBytes, DiskFreeBytes: m.FreeBytes, SyncP50: m.SyncP50.AsDuration(), Unhealthy: m.Unhealthy,
	}, nil
}

// Drain grants no more jobs of a namespace (empty: of all) and tells how many
// still run and when the slowest should end. It may be repeated. With stop the
// server stops when the last job has ended.
func (c *Client) Drain(ctx context.Context, namespace string, stop bool) (running int64, untilEnd time.Duration, err error) {
	m, err := call(ctx, c, c.server.Drain, &musterv1.DrainRequest{Namespace: namespace, Stop: stop})
	return m.GetRunning(), m.GetUntilEnd().AsDuration(), err
}

// Pause grants no more jobs of a namespace (empty: of all) until Resume, and
// tells how many are still held.
func (c *Client) Pause(ctx context.Context, namespace string) (running int64, err error) {
	m, err := call(ctx, c, c.server.Pause, &musterv1.PauseRequest{Namespace: namespace})
	return m.GetRunning(), err
}

// Resume ends a pause, and draining.
func (c *Client) Resume(ctx context.Context, namespace string) error {
	_, err := call(ctx, c, c.server.Resume, &musterv1.ResumeRequest{Namespace: namespace})
	return err
}

// Backup writes a consistent copy of all namespaces into a directory of the
// server's machine, and tells how many bytes and how long it took.
func (c *Client) Backup(ctx context.Context, dir string) (bytes int64, took time.Duration, err error) {
	m, err := call(ctx, c, c.server.Backup, &musterv1.BackupRequest{Dir: dir})
	return m.GetBytes(), m.GetTook().AsDuration(), err
}

// Shutdown stops the server. Jobs go on running for hold at most (zero: 24
// hours), waiting for a server; it tells how many do.
func (c *Client) Shutdown(ctx context.Context, hold time.Duration) (running int64, err error) {
	m, err := call(ctx, c, c.server.Shutdown, &musterv1.ShutdownRequest{Hold: api.FromDuration(hold)})
	return m.GetRunning(), err
}
