package pebble

import (
	"log/slog"
	"runtime"
	"time"

	pdb "github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/sstable"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// Config says where a store is and what it may use. The zero value of every
// field but Dir is its default.
type Config struct {
	// Dir is the store's directory, made if it is absent.
	Dir string
	// FS is the file system Dir is on; the operating system's by default.
	FS vfs.FS
	// MemTable is how many bytes of new records are gathered in memory before
	// they are written as a table: 16 MiB. Up to four times as much is used
	// while the disk is behind.
	MemTable int64
	// Cache is how many bytes of tables are kept in memory: 48 MiB.
	Cache int64
	// Reserve is how many bytes must be free on the disk for new work to be
	// accepted: 1 % of the disk, but between 64 and 256 MiB.
	Reserve int64
	// SpaceEvery is how long a look at the free space is good for: 250 ms.
	SpaceEvery time.Duration
	// IndexEvery is how many finished jobs are gathered before they are indexed:
	// 50,000; IndexAfter is how long fewer wait: 2 s.
	IndexEvery int
	IndexAfter time.Duration
	// SweepAfter is how long files nothing refers to any more are left: 1 min.
	SweepAfter time.Duration
	// ReopenMax bounds the growing pause between attempts to open a database
	// again after a failure: 5 s.
	ReopenMax time.Duration
	// Log gets what an operator should know; slog.Default by default.
	Log *slog.Logger
}

// Sizes that are not worth a setting.
const (
	maxMemTables = 4
	tableSize    = 8 << 20
	blockSize    = 16 << 10
	maxOpenFiles = 512
	// largeContent is where content is moved to a file of its own.
	largeContent = 64 << 10
	minReserve   = 64 << 20
	maxReserve   = 256 << 20
)

func (c Config) withDefaults() Config {
	def(&c.FS, vfs.Default)
	def(&c.MemTable, 16<<20)
	def(&c.Cache, 48<<20)
	def(&c.SpaceEvery, 250*time.Millisecond)
	def(&c.IndexEvery, 50_000)
	def(&c.IndexAfter, 2*time.Second)
	def(&c.SweepAfter, time.Minute)
	def(&c.ReopenMax, 5*time.Second)
	def(&c.Log, slog.Default())
	return c
}

func def[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

// options are Pebble's, tuned for two cores, little memory, and keys that mostly
// arrive in order: records of new jobs are compressed fast or not at all where
// they are new; tables are small, so that little is written again at once. Pebble's
// Bloom filters are not used: the only keys that are looked for in vain have a
// filter of their own (see segment).
func (c *Config) options(cache *pdb.Cache, fs vfs.FS, listener *pdb.EventListener, log pdb.Logger) *pdb.Options {
	o := &pdb.Options{
		FS:                          fs,
		Cache:                       cache,
		FormatMajorVersion:          pdb.FormatTableFormatV6,
		MemTableSize:                uint64(c.MemTable),
		MemTableStopWritesThreshold: maxMemTables,
		L0CompactionThreshold:       4,
		L0StopWritesThreshold:       64,
		LBaseMaxBytes:               64 << 20,
		MaxOpenFiles:                maxOpenFiles,
		MaxManifestFileSize:         4 << 20,
		BytesPerSync:                1 << 20,
		WALBytesPerSync:             0,
		CompactionConcurrencyRange:  func() (int, int) { return 1, max(1, runtime.GOMAXPROCS(0)/2) },
		EventListener:               listener,
		Logger:                      log,
	}
	o.Experimental.SpanPolicyFunc = spans
	for i := range o.Levels {
		o.TargetFileSizes[i] = tableSize
		o.Levels[i].BlockSize = blockSize
		o.Levels[i].Compression = func() *sstable.CompressionProfile { return sstable.SnappyCompression }
	}
	o.Levels[0].Compression = func() *sstable.CompressionProfile { return sstable.NoCompression }
	return o
}
