package cli

import (
	"context"
	"log/slog"

	"github.com/muster-queue/muster"
	"github.com/muster-queue/muster/agent"
	"github.com/muster-queue/muster/agent/run"
	"github.com/muster-queue/muster/server"
)

// embed opens the data directory in this process, with an agent when commands
// shall run, for as long as this command takes. Its leases are not extended when
// it closes: nothing goes on without it.
func (a *app) embed(ctx context.Context, n need) (*link, error) {
	log := slog.New(slog.NewTextHandler(a.err, &slog.HandlerOptions{Level: slog.LevelError}))
	cfg := muster.Config{Server: server.Config{
		Data: dataDir(), Listen: "127.0.0.1:0", HTTP: server.NoHTTP, Version: a.Version, Hold: -1, Logger: log,
	}}
	if n == needAgent {
		cfg.Agent = &agent.Config{Namespace: a.namespace, Run: run.Config{Adopt: true, Program: program()}, Logger: log}
	}
	m, err := muster.Open(ctx, cfg)
	if err != nil {
		return nil, err
	}
	a.closers = append(a.closers, m.Stop)
	return &link{Client: m.Client(), Namespace: m.Client().Namespace(a.namespace), embedded: true}, nil
}
