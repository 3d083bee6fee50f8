package cli

import (
	"context"
	"errors"

	"github.com/spf13/cobra"

	"github.com/muster-queue/muster"
	"github.com/muster-queue/muster/agent"
	"github.com/muster-queue/muster/agent/run"
	"github.com/muster-queue/muster/job"
	"github.com/muster-queue/muster/server"
)

// serverFlags say how a server runs.
type serverFlags struct {
	cfg         server.Config
	hold        string
	acceptClock bool
	noAgent     bool
	coordinate  coordinateFlags
	retention   retentionFlags
	capacity    *capacityFlags
	logs        *logFlags
}

func serverCmd(a *app) *cobra.Command { return (&serverFlags{}).command(a) }

func (s *serverFlags) command(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "server",
		Short: "Run a server, with an agent for this machine",
		Long: `Server keeps the queue and gives its jobs to agents: one of its own, unless
--no-agent is given, and those that connect from other machines. It runs until
Ctrl-C, SIGTERM or "muster stop".

It listens on this machine only. Another --listen address has TLS, with a
certificate made at the first start unless --cert and --key are given; agents and
people elsewhere need the file ca.pem of the data directory, and a token ("muster
token create").`,
		Example: `  muster server
  muster server --listen 0.0.0.0:7411 --host head.example.org --no-agent
  muster server --backup /backup/muster
  muster server --store memory: --ephemeral`,
		Args: serverArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return s.run(cmd.Context(), a) },
	}
	f := cmd.Flags()
	f.SortFlags = false
	f.StringVar(&s.cfg.Listen, "listen", server.DefaultAddress, "the `ADDRESS` to listen on, HOST:PORT")
	f.StringVar(&s.cfg.HTTP, "http", "", "the `ADDRESS` of the HTTP face; off: none (default: the port after that of --listen)")
	f.StringVar(&s.cfg.Store, "store", "", "where jobs are kept: `pebble:DIR` or memory: (default: store in the data directory)")
	f.BoolVar(&s.cfg.Ephemeral, "ephemeral", false, "start empty each time")
	f.StringVar(&s.cfg.Backup, "backup", "", "keep a copy in this `DIR`ectory up to date; the store is restored from it when it is absent")
	f.StringVar(&s.hold, "hold", "", "how long `TIME` agents may go on without a server after a planned stop; 24h when not given")
	f.BoolVar(&s.acceptClock, "accept-clock", false, "start although the machine's clock is over an hour away from the stored time")
	f.StringVar(&s.cfg.CertFile, "cert", "", "the `FILE` with the TLS certificate and its chain")
	f.StringVar(&s.cfg.KeyFile, "key", "", "the `FILE` with its key")
	f.StringSliceVar(&s.cfg.Hosts, "host", nil, "a further `NAME` or address that the certificate made here is for; may be repeated")
	f.BoolVar(&s.cfg.TLS, "tls", false, "TLS on the addresses of this machine too")
	s.addCoordinateFlags(f)
	s.addRetentionFlags(f)
	f.BoolVar(&s.noAgent, "no-agent", false, "run no jobs on this machine")
	s.capacity = addCapacityFlags(cmd)
	f.IntVar(&s.cfg.MaxConnections, "max-connections", 0, "at most `N` connections to each address; 20000 when not given")
	f.Float64Var(&s.cfg.RequestRate, "max-rate", 0, "at most `N` requests a second of each token; 50000 when not given")
	s.logs = addLogFlags(cmd)
	return cmd
}

func (s *serverFlags) run(ctx context.Context, a *app) error {
	cfg, err := s.config(a)
	if err != nil {
		return err
	}
	m, err := muster.Open(ctx, cfg)
	if err != nil {
		return err
	}
	defer context.AfterFunc(ctx, func() { _ = m.Stop() })() // Wait tells why
	if err := m.Wait(); !errors.Is(err, muster.ErrStopped) && !errors.Is(err, muster.ErrDrained) {
		return err
	}
	return nil
}

// config is what the flags ask for.
func (s *serverFlags) config(a *app) (cfg muster.Config, err error) {
	if s.cfg.Logger, err = s.logs.logger(a); err != nil {
		return cfg, err
	}
	if s.cfg.Hold, err = optionalTime("hold", s.hold); err != nil {
		return cfg, err
	}
	if err := s.readRetention(); err != nil {
		return cfg, err
	}
	if err := s.readGlobal(); err != nil {
		return cfg, err
	}
	s.cfg.Data, s.cfg.Version = dataDir(), a.Version
	s.cfg.Engine.AcceptClock = s.acceptClock
	cfg.Server = s.cfg
	if !s.noAgent {
		cfg.Agent, err = s.agent(a)
	}
	return cfg, err
}

// agent is the configuration of the server's own agent.
func (s *serverFlags) agent(a *app) (*agent.Config, error) {
	capacity, err := s.capacity.capacity()
	if err != nil {
		return nil, err
	}
	labels, err := s.capacity.labelled()
	if err != nil {
		return nil, err
	}
	return &agent.Config{
		Namespace: a.namespace, Capacity: capacity, Labels: labels, Run: run.Config{Adopt: true, Program: program()}, Logger: s.cfg.Logger,
	}, nil
}

// serverArgs takes none, and knows what the slip of the pen is.
func serverArgs(cmd *cobra.Command, args []string) error {
	if f := cmd.Flags().Lookup("coordinate"); len(args) > 0 && f != nil && f.Changed {
		return job.Errorf(job.Invalid, "%s takes no argument, not %q; an address for Coordinate's clients is given as --coordinate=%[2]s", cmd.CommandPath(), args[0])
	}
	return noArgs(cmd, args)
}
