package pebble

import (
	"math/rand/v2"
	"os"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"github.com/muster-queue/muster/job"
	"github.com/muster-queue/muster/store"
)

// crash is what a disk held when the machine stopped at one operation.
type crash struct {
	fs        *vfs.MemFS
	op        errorfs.Op
	acked     int // turns that were acknowledged before
	namespace bool
}

// crasher takes images of a file system just before each sync, and before every
// some other operation.
type crasher struct {
	fs      *vfs.MemFS
	percent int
	every   int

	mu      sync.Mutex
	rng     *rand.Rand
	n       int
	syncs   int
	crashes []crash

	acked   atomic.Int64
	created atomic.Bool
}

func (c *crasher) MaybeError(op errorfs.Op) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch op.Kind {
	case errorfs.OpFileSync, errorfs.OpFileSyncData:
		if c.syncs++; c.syncs%sparing(4) != 0 {
			return nil
		}
	case errorfs.OpFileWrite, errorfs.OpFileWriteAt, errorfs.OpRename, errorfs.OpCreate,
		errorfs.OpRemove, errorfs.OpRemoveAll, errorfs.OpReuseForWrite, errorfs.OpLink, errorfs.OpMkdirAll:
		if c.n++; c.n%c.every != 0 {
			return nil
		}
	default:
		return nil
	}
	acked, created := int(c.acked.Load()), c.created.Load() // before the image
	image := c.fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: c.percent, RNG: c.rng})
	c.crashes = append(c.crashes, crash{image, op, acked, created})
	return nil
}

func (c *crasher) String() string { return "crasher" }

// run plays a script from the making of the store to its close, with commits
// under way, indexing and a second opening in the middle.
func (c *crasher) run(t *testing.T, s *script) {
	t.Helper()
	cfg := crashConfig(errorfs.Wrap(crashable{c.fs}, c))
	half := len(s.turns) / 2
	c.play(t, cfg, s.turns[:half], 0)
	c.play(t, cfg, s.turns[half:], half)
}

// crashable is the file system without its way to use a file again, which locks
// up when an image is taken at the same time.
type crashable struct{ *vfs.MemFS }

func (c crashable) ReuseForWrite(from, to string, category vfs.DiskWriteCategory) (vfs.File, error) {
	if err := c.Rename(from, to); err != nil {
		return nil, err
	}
	return c.OpenReadWrite(to, category)
}

func crashConfig(fs vfs.FS) Config {
	cfg := testConfig(fs, "/data/s")
	cfg.MemTable = 128 << 10 // so that logs and tables change often
	cfg.IndexEvery = 20
	return cfg
}

func (c *crasher) play(t *testing.T, cfg Config, turns []*job.Changes, before int) {
	t.Helper()
	st, err := Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := st.Close(); err != nil {
			t.Error(err)
		}
	}()
	ns := openNamespace(t, st)
	c.created.Store(true)
	var under []store.Commit
	for i, turn := range turns {
		u, err := ns.Commit(turn)
		if err != nil {
			t.Fatal(err)
		}
		if under = append(under, u); len(under) < 4 && i < len(turns)-1 {
			continue
		}
		for _, u := range under {
			if err := u.Wait(); err != nil {
				t.Fatal(err)
			}
			c.acked.Add(1)
		}
		under = under[:0]
	}
	for _, u := range under {
		if err := u.Wait(); err != nil {
			t.Fatal(err)
		}
		c.acked.Add(1)
	}
	mustIndex(t, st)
}

// sparing is how many cases a test may leave out between two when not everything
// is to be tested: n, else one. MUSTER_TEST_THOROUGH=1 asks for everything, which
// takes minutes.
func sparing(n int) int {
	if os.Getenv("MUSTER_TEST_THOROUGH") != "" {
		return 1
	}
	return n * raceSpares
}

// TestCrash stops the machine before syncs of a script and many another operation,
// with nothing, half or all of what was not synced on the disk.
func TestCrash(t *testing.T) {
	for _, percent := range []int{0, 50, 100} {
		c := &crasher{fs: vfs.NewCrashableMem(), percent: percent, every: 5 * sparing(5), rng: rand.New(rand.NewPCG(uint64(percent), 1))}
		s := newScript(uint64(percent), 30)
		c.run(t, s)
		t.Logf("%d crashes with %d %% of unsynced data", len(c.crashes), percent)
		for i := range c.crashes {
			checkCrash(t, s, &c.crashes[i])
		}
	}
}

func checkCrash(t *testing.T, s *script, c *crash) {
	t.Helper()
	st, err := Open(crashConfig(c.fs))
	if err != nil {
		t.Fatalf("crash before %+v: open: %v", c.op, err)
	}
	defer st.Close()
	names, err := st.Namespaces(t.Context())
	if err != nil || c.namespace && len(names) != 1 {
		t.Fatalf("crash before %+v: namespaces %v (%v)", c.op, names, err)
	}
	if len(names) == 0 {
		return
	}
	ns := openNamespace(t, st)
	n := s.verify(t, ns, c.acked)
	for _, turn := range s.turns[n:min(n+2, len(s.turns))] { // it goes on
		mustCommit(t, ns, turn)
	}
	mustIndex(t, st)
	checkFound(t, s, ns)
}

// checkFound checks that the index finds all of history, and nothing else.
func checkFound(t *testing.T, s *script, ns store.Namespace) {
	t.Helper()
	kept := map[job.Digest]uint64{}
	if err := ns.History(0, 0, func(f *job.Finished) bool { kept[f.Digest] = f.End; return true }); err != nil {
		t.Fatal(err)
	}
	for _, turn := range s.turns {
		for _, f := range turn.Finished {
			end, _, err := ns.Find(f.Digest)
			if err != nil || end != kept[f.Digest] {
				t.Fatalf("key of job %d: found %d, want %d (%v)", f.Seq, end, kept[f.Digest], err)
			}
		}
	}
}
