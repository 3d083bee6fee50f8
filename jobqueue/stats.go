package jobqueue

import (
	"context"
	"strconv"
	"time"

	"github.com/muster-queue/muster/client"
	"github.com/muster-queue/muster/job"
)

// What ServerInfo.Mode can be, beside muster's paused and stopping.
const (
	ServerModeNormal = "started"
	ServerModeDrain  = "draining"
)

// ServerInfo is where a server is, and what.
type ServerInfo struct {
	// Addr is HOST:PORT, Host the machine's name, WebPort empty if there is no page.
	Addr, Host, Port, WebPort string
	PID                       int
	// Deployment and Scheduler are known of servers from Serve on this machine.
	Deployment, Scheduler string
	// Mode is one of the ServerMode constants.
	Mode string
}

// ServerStats are how many jobs there are, in all queues. Running are those that a
// client or an agent has, Ready those that could run.
type ServerStats struct {
	*ServerInfo
	Delayed, Ready, Running, Buried int
	// ETC is the time until the slowest running job should have ended.
	ETC time.Duration
}

// ServerStats asks the server how it is.
func (c *Client) ServerStats() (s *ServerStats, err error) {
	err = c.ask("ServerStats", c.cfg.Addr, func(ctx context.Context) error {
		s, err = statsOf(ctx, c.conn, c.found.served)
		return err
	})
	return s, err
}

func statsOf(ctx context.Context, conn *client.Client, about served) (*ServerStats, error) {
	i, err := conn.Info(ctx)
	if err != nil {
		return nil, err
	}
	n, err := conn.Stats(ctx, "")
	if err != nil {
		return nil, err
	}
	s := &ServerStats{
		ServerInfo: &ServerInfo{
			Addr: i.Address, Host: i.Host, Port: strconv.Itoa(i.Port), PID: i.PID,
			Deployment: about.Deployment, Scheduler: about.Scheduler, Mode: i.Mode,
		},
		Delayed: int(n.Counts[job.Delayed]), Ready: int(n.Counts[job.Ready]), Buried: int(n.Counts[job.Buried]),
		Running: int(n.Counts[job.Reserved] + n.Counts[job.Running] + n.Counts[job.Lost]), ETC: n.UntilEnd,
	}
	if i.HTTPPort != 0 {
		s.WebPort = strconv.Itoa(i.HTTPPort)
	}
	return s, nil
}

// DrainServer has the server give out no more jobs and stop when the last running
// one has ended. It tells how many run, and the time until the slowest of them
// should have ended; it may be repeated to see how far it is.
func (c *Client) DrainServer() (running int, etc time.Duration, err error) {
	err = c.ask("DrainServer", c.cfg.Addr, func(ctx context.Context) error {
		n, untilEnd, err := c.conn.Drain(ctx, "", true)
		running, etc = int(n), untilEnd
		return err
	})
	return running, etc, err
}

// ShutdownServer stops the server at once and tells whether it has. Nothing is lost:
// jobs that run are taken up again by their clients, or run again, when there is a
// server again.
func (c *Client) ShutdownServer() bool {
	err := c.ask("ShutdownServer", c.cfg.Addr, func(ctx context.Context) error {
		_, err := c.conn.Shutdown(ctx, 0)
		return err
	})
	if err != nil {
		return false
	}
	return c.awaitGone()
}

// awaitGone waits until the server answers no more.
func (c *Client) awaitGone() bool {
	ctx, cancel := context.WithTimeout(c.ctx, c.cfg.Timeout)
	defer cancel()
	cfg := c.found.client
	cfg.Patience = -1
	conn, err := client.New(cfg)
	if err != nil {
		return false
	}
	defer conn.Close()
	for {
		_, err := conn.Info(ctx)
		if ctx.Err() != nil {
			return false
		}
		if err != nil && job.IsKind(err, job.Unavailable) {
			return true
		}
		timer := time.NewTimer(20 * time.Millisecond)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return false
		}
	}
}
