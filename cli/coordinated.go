package cli

import (
	"log/slog"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/muster-queue/muster/cli/input"
	"github.com/muster-queue/muster/job"
	"github.com/muster-queue/muster/server"
)

// coordinateFlags say how Coordinate's clients are served.
type coordinateFlags struct {
	config string
}

// addCoordinateFlags adds them to those of a server.
func (s *serverFlags) addCoordinateFlags(f *pflag.FlagSet) {
	f.StringVar(&s.cfg.Coordinate.Listen, "coordinate", "", "serve Coordinate's clients, on 127.0.0.1:5932 or this `ADDRESS`")
	f.Lookup("coordinate").NoOptDefVal = server.DefaultCoordinateAddress
	f.BoolVar(&s.cfg.Coordinate.Open, "coordinate-open", false, "allow that address to be one that others reach; their protocol has no authentication")
	f.StringVar(&s.coordinate.config, "coordinate-config", "", "the YAML `FILE` that Coordinate's clients are given as configuration")
}

// readGlobal reads the configuration that clients are given.
func (s *serverFlags) readGlobal() (err error) {
	if s.coordinate.config == "" {
		return nil
	}
	s.cfg.Coordinate.Global, err = input.ReadDocument(s.coordinate.config)
	return err
}

// oldDaemon are the flags of Coordinate's daemon that need translating.
type oldDaemon struct {
	serverFlags
	backend    string
	format     string
	logMetrics bool
	period     string
}

// coordinatedName is the name of Coordinate's daemon.
const coordinatedName = "coordinated"

func coordinatedCmd(a *app) *cobra.Command {
	d := &oldDaemon{}
	d.noAgent = true
	cmd := &cobra.Command{
		Use:   coordinatedName,
		Short: "Run a server for Coordinate's clients, with the flags of its daemon",
		Long: `Coordinated is "muster server --coordinate --no-agent" under the name and with
the flags that Coordinate's daemon had, also with a single dash each. Work specs
and units are kept on disk, unless -backend memory is given, and are seen with all
other muster commands.

It listens on this machine only: the protocol has no authentication. For workers on
other machines give the address and say that it is meant:

  muster coordinated -cborrpc :5932 -coordinate-open

The daemon's REST interface is not offered; -http is where muster's own interface
and page are, with a token. -log-metrics and -metric-period have no effect: figures
are at /metrics of that interface at any time.`,
		Example: `  muster coordinated
  muster coordinated -cborrpc 127.0.0.1:5932 -backend memory -config global.yaml`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return d.run(cmd, a) },
	}
	f := cmd.Flags()
	f.SortFlags = false
	f.StringVar(&d.cfg.Coordinate.Listen, "cborrpc", server.DefaultCoordinateAddress, "the `ADDRESS` for Coordinate's clients, [HOST]:PORT")
	f.BoolVar(&d.cfg.Coordinate.Open, "coordinate-open", false, "allow that address to be one that others reach")
	f.StringVar(&d.cfg.Listen, "listen", server.DefaultAddress, "the `ADDRESS` for muster's own clients")
	f.StringVar(&d.cfg.HTTP, "http", "", "the `ADDRESS` of muster's HTTP interface; off: none (default: the port after that of --listen)")
	f.StringVar(&d.backend, "backend", "", "where work is kept: memory, or `pebble:DIR` (default: the data directory)")
	f.StringVar(&d.coordinate.config, "config", "", "the YAML `FILE` that clients are given as configuration")
	f.BoolVar(&d.cfg.Coordinate.LogRequests, "log-requests", false, "log every request")
	f.StringVar(&d.format, "log-format", "text", "the log's `FORMAT`: text or json")
	f.BoolVar(&d.logMetrics, "log-metrics", false, "no effect; see /metrics of the HTTP interface")
	f.StringVar(&d.period, "metric-period", "", "no effect `TIME`")
	return cmd
}

func (d *oldDaemon) run(cmd *cobra.Command, a *app) error {
	if err := d.translate(); err != nil {
		return err
	}
	log, err := d.logs.logger(a)
	if err != nil {
		return err
	}
	d.warn(cmd, log)
	d.capacity = &capacityFlags{}
	return d.serverFlags.run(cmd.Context(), a)
}

// translate makes a server's flags of the daemon's.
func (d *oldDaemon) translate() error {
	d.logs = &logFlags{level: "info"}
	switch d.format {
	case "text":
	case "json":
		d.logs.json = true
	default:
		return job.Errorf(job.Invalid, "-log-format %s: there are text and json", d.format)
	}
	kind, where, _ := strings.Cut(d.backend, ":")
	switch {
	case kind == "memory":
		d.cfg.Store = "memory:"
	case kind == "pebble" && where != "", d.backend == "":
		d.cfg.Store = d.backend
	default:
		return job.Errorf(job.Invalid, "-backend %s: there are memory and pebble:DIR; work of another daemon is not taken over, load it anew", d.backend)
	}
	return nil
}

// warn tells what flags mean something else now.
func (d *oldDaemon) warn(cmd *cobra.Command, log *slog.Logger) {
	if d.logMetrics || d.period != "" {
		log.Warn("metrics are not logged; they are at /metrics of the HTTP interface at any time")
	}
	if cmd.Flags().Changed("http") && d.cfg.HTTP != server.NoHTTP {
		log.Warn("-http is muster's own HTTP interface, with tokens; Coordinate's REST interface is not offered", "address", d.cfg.HTTP)
	}
}

// twoDashes lets the flags of Coordinate's daemon begin with one dash, as they did.
func twoDashes(args []string) []string {
	i := 0
	for i < len(args) && strings.HasPrefix(args[i], "-") {
		if i++; !strings.Contains(args[i-1], "=") {
			i++ // the value of a flag of all commands
		}
	}
	if i >= len(args) || args[i] != coordinatedName {
		return args
	}
	args = slices.Clone(args)
	for j := i + 1; j < len(args) && args[j] != "--"; j++ {
		if s := args[j]; len(s) > 2 && s[0] == '-' && s[1] != '-' {
			args[j] = "-" + s
		}
	}
	return args
}
