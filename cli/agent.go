package cli

import (
	"cmp"
	"context"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/muster-queue/muster/agent"
	"github.com/muster-queue/muster/agent/run"
	"github.com/muster-queue/muster/cli/input"
	"github.com/muster-queue/muster/job"
)

func agentCmd(a *app) *cobra.Command {
	var dir, secrets, until, grace string
	var noCgroup, cap bool
	cmd := &cobra.Command{
		Use:   "agent",
		Short: "Run jobs of a server on this machine",
		Long: `Agent connects this machine to a server and runs its jobs, as many as fit. It
stays connected through restarts of the server; when it is stopped (Ctrl-C,
SIGTERM), its jobs are given back and run elsewhere.`,
		Example: `  muster agent
  muster agent --server head:7411 --ca ca.pem --token-file worker.token --cpus 8 -m 24G
  muster agent --resource licence=2 --label disk:ssd --label site:north`,
		Args: noArgs,
	}
	f := cmd.Flags()
	f.SortFlags = false
	capacity := addCapacityFlags(cmd)
	f.StringVar(&dir, "dir", "", "the state `DIR`ectory; one agent lives in it at a time (default: agent in the data directory)")
	f.StringVar(&secrets, "secrets", "", "the `DIR`ectory of files that jobs name as secrets, file:NAME (default: secrets in the data directory)")
	f.StringVar(&until, "for", "", "leave after this `TIME`, when the machine is taken away; no job that may run longer is taken")
	f.StringVar(&grace, "grace", "", "the `TIME` running jobs have to end when the agent is stopped; 0 when not given")
	f.BoolVar(&cap, "cpu-cap", false, "cores are the most that a job gets, not only its share")
	f.BoolVar(&noCgroup, "no-cgroup", false, "do without control groups")
	logs := addLogFlags(cmd)
	cmd.RunE = a.with(needServer, func(ctx context.Context, l *link, _ []string) error {
		cfg := agent.Config{Client: l.Client, Namespace: a.namespace, Dir: dir, NoCgroup: noCgroup, Version: a.Version, Run: run.Config{CPUCap: cap, Adopt: true, Program: program()}}
		if cfg.Dir == "" {
			cfg.Dir = filepath.Join(dataDir(), "agent")
		}
		cfg.Secrets = cmp.Or(secrets, filepath.Join(dataDir(), "secrets"))
		for _, x := range []struct{ flag, text string }{{"for", until}, {"grace", grace}} {
			d, err := optionalTime(x.flag, x.text)
			if err != nil {
				return err
			}
			switch {
			case x.flag == "grace":
				cfg.StopGrace = d
			case d > 0:
				cfg.Until = a.now().Add(d)
			}
		}
		return a.runAgent(ctx, cfg, capacity, logs)
	})
	return cmd
}

func (a *app) runAgent(ctx context.Context, cfg agent.Config, c *capacityFlags, logs *logFlags) (err error) {
	if cfg.Capacity, err = c.capacity(); err != nil {
		return err
	}
	if cfg.Labels, err = c.labelled(); err != nil {
		return err
	}
	if cfg.Logger, err = logs.logger(a); err != nil {
		return err
	}
	worker, err := agent.New(ctx, cfg)
	if err != nil {
		return err
	}
	a.closers = append(a.closers, worker.Close)
	err = worker.Run(ctx)
	if ctx.Err() != nil {
		return nil // told to stop
	}
	return err
}

// optionalTime reads the time of a flag, zero when it was not given.
func optionalTime(flag, text string) (time.Duration, error) {
	if text == "" {
		return 0, nil
	}
	d, err := input.ParseTime(text)
	return d, job.Wrap(err, "", "--"+flag)
}
