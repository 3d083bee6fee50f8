package cli

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/muster-queue/muster/cli/output"
	"github.com/muster-queue/muster/job"
)

func infoCmd(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "info",
		Short:   "Show which server is used, and how it does",
		Example: `  muster info`,
		Args:    noArgs,
		RunE:    a.with(needServer, func(ctx context.Context, l *link, _ []string) error { return a.info(ctx, l) }),
	}
	a.formatFlag(cmd, "")
	return cmd
}

func (a *app) info(ctx context.Context, l *link) error {
	i, err := l.Info(ctx)
	if err != nil {
		return err
	}
	s, err := l.Stats(ctx, "")
	if err != nil {
		return err
	}
	list, err := a.listing(output.Column{Name: "name"}, output.Column{Name: "value", Stretch: true})
	if err != nil {
		return err
	}
	for _, row := range []struct {
		name  string
		value any
	}{
		{"address", i.Address}, {"http", i.HTTPAddress}, {"host", i.Host}, {"pid", i.PID}, {"version", i.Version}, {"mode", i.Mode},
		{"started", i.Started}, {"store", i.Store}, {"data", i.Data}, {"pools", strings.Join(i.Pools, " ")}, {"role", i.Role},
		{"certificate_until", i.CertificateUntil},
		{"jobs", s.Counts.Total()}, {"running", s.Counts[job.Running]}, {"until_end", s.UntilEnd},
		{"workers", s.Workers}, {"watchers", s.Watchers}, {"namespaces", s.Namespaces}, {"memory", output.Bytes(s.MemoryBytes)},
		{"disk_used", output.Bytes(s.DiskBytes)}, {"disk_free", output.Bytes(s.DiskFreeBytes)}, {"sync_p50", s.SyncP50}, {"unhealthy", s.Unhealthy},
	} {
		if a.table() && output.Human(row.value) == "" {
			continue
		}
		if err := list.Row(row.name, row.value); err != nil {
			return err
		}
	}
	return list.Close()
}

func versionCmd(a *app) *cobra.Command {
	return &cobra.Command{
		Use:     "version",
		Short:   "Show the version",
		Example: `  muster version`,
		Args:    noArgs,
		RunE: func(*cobra.Command, []string) error {
			fmt.Fprintln(a.out, "muster", a.Version)
			return nil
		},
	}
}
