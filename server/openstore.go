package server

import (
	"context"
	"os"
	"path/filepath"
	"strings"

	"github.com/muster-queue/muster/job"
	"github.com/muster-queue/muster/store"
	"github.com/muster-queue/muster/store/memory"
	"github.com/muster-queue/muster/store/pebble"
)

// storeDir is the directory of a Pebble store, empty for a store in memory.
func (c *Config) storeDir(l Layout) (string, error) {
	kind, rest, ok := strings.Cut(c.Store, ":")
	switch {
	case c.Store == "" || ok && kind == "pebble" && rest == "":
		return l.Store(), nil
	case ok && kind == "pebble":
		return rest, nil
	case ok && kind == "memory" && rest == "":
		return "", nil
	case ok && (kind == "postgres" || kind == "postgresql"):
		return "", job.Errorf(job.Unimplemented, "store: this release cannot keep jobs in PostgreSQL yet; use pebble:DIR or memory:")
	}
	return "", job.Errorf(job.Invalid, "store: %.200q is none; use pebble:DIR or memory:", c.Store)
}

func (c *Config) checkStore() error {
	dir, err := c.storeDir(Layout{})
	if err == nil && dir == "" && c.Backup != "" && c.OpenStore == nil {
		err = job.Errorf(job.Invalid, "config: a store in memory cannot be backed up")
	}
	return err
}

// openStore opens the store: emptied first if it is ephemeral, restored from the
// backup if it is absent and that is there.
func (s *Server) openStore(ctx context.Context) error {
	st, err := s.findStore(ctx)
	if err != nil {
		return err
	}
	s.backup = &backup{store: st, dir: s.cfg.Backup, every: s.cfg.BackupEvery, log: s.log}
	s.store = st
	if s.cfg.Backup != "" {
		s.store = &noticing{Store: st, changed: s.backup.noticed}
	}
	return nil
}

func (s *Server) findStore(ctx context.Context) (store.Store, error) {
	if s.cfg.OpenStore != nil {
		return s.cfg.OpenStore()
	}
	dir, err := s.cfg.storeDir(s.layout)
	if err != nil {
		return nil, err
	}
	if dir == "" {
		return memory.New(), nil
	}
	if s.cfg.Ephemeral {
		if err := empty(dir); err != nil {
			return nil, err
		}
	}
	if err := s.restore(ctx, dir); err != nil {
		return nil, err
	}
	cfg := s.cfg.Pebble
	cfg.Dir = dir
	if cfg.Log == nil {
		cfg.Log = s.log
	}
	return pebble.Open(cfg)
}

// storeMark is a file that every Pebble store has.
const storeMark = "FORMAT"

// empty removes a store. Whatever else somebody keeps there is not touched.
func empty(dir string) error {
	there, err := filled(dir)
	if err != nil || !there {
		return err
	}
	if _, err := os.Stat(filepath.Join(dir, storeMark)); err != nil {
		return job.Errorf(job.Conflict, "%s is not empty and no store of muster: it is not emptied", dir)
	}
	if err := os.RemoveAll(dir); err != nil {
		return job.Errorf(job.Internal, "empty the store: %w", err)
	}
	return nil
}

func filled(dir string) (bool, error) {
	entries, err := os.ReadDir(dir)
	if os.IsNotExist(err) {
		return false, nil
	}
	if err != nil {
		return false, job.Errorf(job.Invalid, "look into the store's directory: %w", err)
	}
	return len(entries) > 0, nil
}

// restore makes an absent store from the backup, if there is one, and says so.
func (s *Server) restore(ctx context.Context, dir string) error {
	if s.cfg.Backup == "" {
		return nil
	}
	there, err := filled(dir)
	if err != nil || there {
		return err
	}
	if there, err = filled(s.cfg.Backup); err != nil || !there {
		return err
	}
	if err := pebble.Restore(ctx, s.cfg.Backup, dir); err != nil {
		return err
	}
	s.log.Warn("the store was absent and has been restored from the backup", "store", dir, "backup", s.cfg.Backup)
	s.restored = true
	return nil
}
