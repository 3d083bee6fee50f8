package server

import (
	"context"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/muster-queue/muster/job"
	"github.com/muster-queue/muster/store"
)

// backup keeps an incremental copy of the store, off the path of requests.
type backup struct {
	store store.Store
	dir   string // empty: none
	every time.Duration
	log   *slog.Logger
	stale atomic.Bool // the store changed since the last copy
}

// noticed says that the store changed.
func (b *backup) noticed() {
	if !b.stale.Load() {
		b.stale.Store(true)
	}
}

// run refreshes the copy after changes, no more often than every so often.
func (b *backup) run(ctx context.Context) {
	if b.dir == "" {
		return
	}
	ticker := time.NewTicker(b.every)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			b.refresh(ctx)
		case <-ctx.Done():
			return
		}
	}
}

// refresh brings the copy up to date, if the store changed. A failure is told
// and tried again at the next turn: it is no reason to stop serving.
func (b *backup) refresh(ctx context.Context) {
	if b == nil || b.dir == "" || !b.stale.Swap(false) {
		return
	}
	if err := b.store.Backup(ctx, b.dir); err != nil {
		b.stale.Store(true)
		b.log.Error("the backup could not be refreshed; the last one stays", "dir", b.dir, "err", err)
	}
}

// noticing is a store that tells when it changes.
type noticing struct {
	store.Store
	changed func()
}

// Create makes a namespace.
func (s *noticing) Create(ctx context.Context, name string) error {
	defer s.changed()
	return s.Store.Create(ctx, name)
}

// Destroy deletes a namespace.
func (s *noticing) Destroy(ctx context.Context, name string) error {
	defer s.changed()
	return s.Store.Destroy(ctx, name)
}

// Open takes ownership of a namespace, which raises its epoch.
func (s *noticing) Open(ctx context.Context, name string) (store.Namespace, error) {
	defer s.changed()
	ns, err := s.Store.Open(ctx, name)
	if err != nil {
		return nil, err
	}
	return &noticingNamespace{Namespace: ns, changed: s.changed}, nil
}

type noticingNamespace struct {
	store.Namespace
	changed func()
}

// Commit applies changes.
func (n *noticingNamespace) Commit(c *job.Changes) (store.Commit, error) {
	commit, err := n.Namespace.Commit(c)
	n.changed()
	return commit, err
}
