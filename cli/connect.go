package cli

import (
	"context"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/muster-queue/muster/client"
	"github.com/muster-queue/muster/job"
)

// patience is how long commands that wait for jobs bear a server that is away:
// one that is restarted, perhaps with a new release.
const patience = 5 * time.Minute

// passingPatience is patience with the server of another "muster run": when that
// is done, it does not come back.
const passingPatience = 3 * time.Second

// settle makes flags that have a variable win over it. Package client reads the
// variables, and an agent or server started here hands them on.
func (a *app) settle(cmd *cobra.Command) error {
	for flag, name := range map[string]string{
		"server": client.EnvServer, "data": client.EnvData, "token-file": client.EnvTokenFile, "ca": client.EnvCA,
	} {
		if f := cmd.Flag(flag); f != nil && f.Changed {
			if err := os.Setenv(name, f.Value.String()); err != nil {
				return job.Errorf(job.Invalid, "--%s: %w", flag, err)
			}
		}
	}
	if a.namespace == "" {
		a.namespace, _ = a.lookup("MUSTER_NAMESPACE")
	}
	return nil
}

// dataDir is the data directory that flags and environment name.
func dataDir() string {
	if dir := os.Getenv(client.EnvData); dir != "" {
		return dir
	}
	return client.DefaultData()
}

// need says what a command wants when no server runs here.
type need uint8

const (
	// needData: open the data directory for the moment, if it is there.
	needData need = iota
	// needStore: open it, and make it if it is not there.
	needStore
	// needAgent: and run commands.
	needAgent
	// needServer: nothing but a server will do.
	needServer
)

// connect finds the server, or opens the data directory in this process. What
// it opens is closed at the end of the program. A directory that another process
// has just opened is waited for: soon it tells where its server is, or is free.
func (a *app) connect(ctx context.Context, n need) (*link, error) {
	deadline := a.now().Add(busyDirectory)
	for {
		l, err := a.find(ctx, n)
		if !job.IsKind(err, job.Conflict) || a.now().After(deadline) || !pause(ctx, 100*time.Millisecond) {
			return l, err
		}
	}
}

// busyDirectory is how long a data directory may be taken without a server that
// answers: one with millions of jobs takes some seconds to come up.
const busyDirectory = 30 * time.Second

// pause waits, unless ctx ends before.
func pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

func (a *app) find(ctx context.Context, n need) (*link, error) {
	cfg, err := client.Discover()
	if err == nil {
		l, derr := a.dial(ctx, cfg)
		if derr == nil || os.Getenv(client.EnvServer) != "" || !job.IsKind(derr, job.Unavailable) {
			return l, derr
		}
		err = derr // a local server that was killed
	}
	absent := job.IsKind(err, job.NotFound)
	switch {
	case !absent && !job.IsKind(err, job.Unavailable) || n == needServer:
		return nil, err
	case n == needData && absent && !exists(dataDir()):
		return nil, errNothingYet
	}
	return a.embed(ctx, n)
}

// errNothingYet: the data directory is not there, for nobody has used it.
var errNothingYet = job.Errorf(job.NotFound, "there are no jobs here yet; \"muster run -f FILE\" runs the commands of a file, "+
	"\"muster server\" starts a server")

// link is a server to talk to.
type link struct {
	*client.Client
	*client.Namespace
	// embedded: the server is in this process and ends with it. passing: it is in
	// another "muster run", and ends with that.
	embedded, passing bool
}

// dial tries the server once, before it becomes patient with it.
func (a *app) dial(ctx context.Context, cfg client.Config) (*link, error) {
	impatient := cfg
	if os.Getenv(client.EnvServer) == "" {
		impatient.Patience = -1
	}
	probe, err := client.Dial(ctx, impatient)
	if err != nil {
		return nil, err
	}
	defer probe.Close()
	info, err := probe.Info(ctx)
	if err != nil {
		return nil, err
	}
	passing := info.HTTPAddress == "" && info.PID != 0 // see embed
	if cfg.Patience = patience; passing {
		cfg.Patience = passingPatience
	}
	c, err := client.New(cfg)
	if err != nil {
		return nil, err
	}
	a.closers = append(a.closers, c.Close)
	return &link{Client: c, Namespace: c.Namespace(a.namespace), passing: passing}, nil
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// with makes a command's function of one that needs a server. When that was the
// server of another command, which ended meanwhile, all is done once more: every
// change is safe to repeat.
func (a *app) with(n need, do func(ctx context.Context, l *link, args []string) error) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error {
		for {
			l, err := a.connect(cmd.Context(), n)
			if err != nil {
				return err
			}
			err = do(cmd.Context(), l, args)
			if !job.IsKind(err, job.Unavailable) || !l.passing || a.told.n > 0 || cmd.Context().Err() != nil {
				return err
			}
		}
	}
}

// counting counts what is written.
type counting struct {
	io.Writer
	n int
}

// Write writes, and counts.
func (c *counting) Write(b []byte) (int, error) {
	n, err := c.Writer.Write(b)
	c.n += n
	return n, err
}
