package cli

import (
	"context"
	"errors"
	"log/slog"
	"path/filepath"
	"sync"

	"github.com/muster-queue/muster/agent"
	"github.com/muster-queue/muster/client"
	"github.com/muster-queue/muster/job"
	"github.com/muster-queue/muster/server"
)

// embed opens the data directory in this process, with an agent when commands
// shall run, for as long as this command takes.
func (a *app) embed(ctx context.Context, n need) (*link, error) {
	cfg := server.Config{
		Data: dataDir(), Listen: "127.0.0.1:0", HTTP: server.NoHTTP, Version: a.Version, Hold: -1,
		Logger: slog.New(slog.NewTextHandler(a.err, &slog.HandlerOptions{Level: slog.LevelError})),
	}
	s, err := server.Start(ctx, cfg)
	if err != nil {
		return nil, err
	}
	c, err := client.New(client.Config{Address: s.Where().Address, Token: s.Token(), Patience: patience})
	if err != nil {
		s.Stop(-1, server.ErrStopped)
		return nil, err
	}
	var once sync.Once
	l := &link{Client: c, Namespace: c.Namespace(a.namespace)}
	l.stop = func() error {
		once.Do(func() { _ = c.Close(); s.Stop(-1, server.ErrStopped) })
		return nil
	}
	a.closers = append(a.closers, l.stop)
	if n == needAgent {
		err = a.embedAgent(ctx, agent.Config{Client: c, Namespace: a.namespace, Dir: filepath.Join(cfg.Data, "agent"), Logger: cfg.Logger})
	}
	return l, err
}

func (a *app) embedAgent(ctx context.Context, cfg agent.Config) error {
	worker, err := agent.New(ctx, cfg)
	if err != nil {
		return err
	}
	run, end := context.WithCancel(context.WithoutCancel(ctx))
	ended := make(chan error, 1)
	go func() { ended <- worker.Run(run) }()
	a.closers = append(a.closers, func() error {
		end()
		err := <-ended
		if errors.Is(err, context.Canceled) || job.IsKind(err, job.Cancelled) {
			err = nil
		}
		return errors.Join(err, worker.Close())
	})
	return nil
}
