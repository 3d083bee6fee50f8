package pebble

import (
	"context"
	"log/slog"
	"path/filepath"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/muster-queue/muster/store"
	"github.com/muster-queue/muster/store/storetest"
)

// testConfig is for stores of tests: small, and quiet about what is intended.
func testConfig(fs vfs.FS, dir string) Config {
	return Config{Dir: dir, FS: fs, MemTable: 1 << 20, Cache: 1 << 20, Log: slog.New(slog.DiscardHandler)}
}

func openTest(t *testing.T, cfg Config) *Store {
	t.Helper()
	s, err := Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return s
}

func factory(fs func() vfs.FS, dir func(*testing.T) string) storetest.Factory {
	return storetest.Factory{
		New: func(t *testing.T) store.Store { return openTest(t, testConfig(fs(), dir(t))) },
		Reopen: func(t *testing.T, s store.Store) store.Store {
			old := s.(*Store)
			if err := old.Close(); err != nil {
				t.Fatal(err)
			}
			return openTest(t, old.cfg)
		},
		Backup: func(t *testing.T, s store.Store) string {
			return filepath.Join(filepath.Dir(s.(*Store).dir), "backup")
		},
		OpenBackup: func(t *testing.T, s store.Store, dir string) store.Store {
			cfg := s.(*Store).cfg
			cfg.Dir += "-restored"
			if err := restore(t.Context(), cfg.FS, dir, cfg.Dir); err != nil {
				t.Fatal(err)
			}
			openTest(t, cfg).Close()
			return openTest(t, testConfig(cfg.FS, dir)) // the backup itself can be opened, too
		},
		Index: func(t *testing.T, s store.Store, name string) {
			if err := s.(*Store).Index(t.Context(), name); err != nil {
				t.Fatal(err)
			}
		},
		Stored: countRecords,
	}
}

func countRecords(t *testing.T, s store.Store) int {
	t.Helper()
	db, err := s.(*Store).database()
	if err != nil {
		t.Fatal(err)
	}
	defer db.release()
	n := 0
	err = db.scan([]byte{0}, []byte{255}, func(_, _ []byte) error { n++; return nil })
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestStoreInMemoryFS(t *testing.T) {
	storetest.Run(t, factory(func() vfs.FS { return vfs.NewMem() }, func(*testing.T) string { return "/data/store" }))
}

func TestStoreOnDisk(t *testing.T) {
	storetest.Run(t, factory(func() vfs.FS { return vfs.Default }, func(t *testing.T) string { return filepath.Join(t.TempDir(), "a", "store") }))
}

var _ = context.Background
