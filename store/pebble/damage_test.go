package pebble

import (
	"fmt"
	"math/rand/v2"
	"path"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/muster-queue/muster/job"
	"github.com/muster-queue/muster/store"
)

// smallStore plays a script and returns the files it leaves: after an orderly end
// or, if not closed, of a moment at which everything was synced.
func smallStore(t *testing.T, s *script, closed bool) *vfs.MemFS {
	t.Helper()
	fs := vfs.NewCrashableMem()
	cfg := crashConfig(crashable{fs})
	st, err := Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	ns := openNamespace(t, st)
	for _, turn := range s.turns {
		mustCommit(t, ns, turn)
	}
	mustIndex(t, st)
	if !closed {
		image := clone(fs)
		_ = st.Close()
		return image
	}
	if err := st.Close(); err != nil {
		t.Fatal(err)
	}
	return fs
}

func clone(fs *vfs.MemFS) *vfs.MemFS {
	return fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: 100, RNG: rand.New(rand.NewPCG(1, 1))})
}

// files lists the files below a directory.
func files(t *testing.T, fs vfs.FS, dir string) []string {
	t.Helper()
	names, err := fs.List(dir)
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, name := range names {
		p := path.Join(dir, name)
		info, err := fs.Stat(p)
		if err != nil {
			t.Fatal(err)
		}
		if info.IsDir() {
			all = append(all, files(t, fs, p)...)
			continue
		}
		all = append(all, p)
	}
	return all
}

func content(t *testing.T, fs vfs.FS, name string) []byte {
	t.Helper()
	b, err := readFile(fs, name)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// put replaces a file's content.
func putFile(t *testing.T, fs vfs.FS, name string, b []byte) {
	t.Helper()
	f, err := fs.Create(name, category)
	if err == nil {
		_, err = f.Write(b)
	}
	if err == nil {
		err = f.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
}

// outcome opens a store that may be damaged and says what came of it: an error,
// or the number of turns that are there, as they should be.
func outcome(t *testing.T, s *script, fs *vfs.MemFS) (turns int, err error) {
	t.Helper()
	st, err := Open(crashConfig(fs))
	if err != nil {
		return 0, err
	}
	defer st.Close()
	names, err := st.Namespaces(t.Context())
	if err != nil || len(names) == 0 {
		return 0, err
	}
	ns, err := st.Open(t.Context(), "default")
	if err != nil {
		return 0, err
	}
	if _, err := s.load(t, ns); err != nil {
		return 0, err
	}
	return s.verify(t, ns, 0), checkIndexed(s, st, ns)
}

// checkIndexed lets the whole index be read.
func checkIndexed(s *script, st *Store, ns store.Namespace) error {
	for _, turn := range s.turns {
		for _, f := range turn.Finished {
			if _, _, err := ns.Find(f.Digest); err != nil {
				return err
			}
		}
	}
	return nil
}

// TestMissingFile: a store without one of its files is refused, or the reading of
// what was in it.
func TestMissingFile(t *testing.T) {
	s := newScript(3, 20)
	for _, closed := range []bool{true, false} {
		whole := smallStore(t, s, closed)
		for _, name := range files(t, whole, "/data/s") {
			fs := clone(whole)
			if err := fs.Remove(name); err != nil {
				t.Fatal(err)
			}
			checkOutcome(t, s, fs, "missing "+name, len(s.turns))
		}
	}
}

// checkOutcome: either everything is there, at least as much as given, or the
// error says that the store is damaged.
func checkOutcome(t *testing.T, s *script, fs *vfs.MemFS, what string, atLeast int) {
	t.Helper()
	turns, err := outcome(t, s, fs)
	switch {
	case err == nil && turns < atLeast:
		t.Errorf("%s: only %d of %d turns are there, and nobody says so", what, turns, len(s.turns))
	case err != nil && !job.IsKind(err, job.Damaged):
		t.Errorf("%s: %v (kind %s)", what, err, job.KindOf(err))
	case err != nil && !strings.Contains(err.Error(), "restore BACKUP"):
		t.Errorf("%s: the error does not say what to do: %v", what, err)
	}
}

// TestTornFile cuts files off at many places.
func TestTornFile(t *testing.T) {
	s := newScript(4, 12)
	for _, closed := range []bool{true, false} {
		whole := smallStore(t, s, closed)
		last := newestLog(t, whole)
		for _, name := range files(t, whole, "/data/s") {
			b := content(t, whole, name)
			for _, n := range places(len(b), 48/sparing(16)) {
				fs := clone(whole)
				putFile(t, fs, name, b[:n])
				atLeast := len(s.turns)
				if name == last && !closed {
					atLeast = 0 // like the tail that a crash leaves
				}
				checkOutcome(t, s, fs, fmt.Sprintf("%s (closed: %v) cut off at %d of %d", name, closed, n, len(b)), atLeast)
			}
		}
	}
}

// TestFlippedBit flips bits of files.
func TestFlippedBit(t *testing.T) {
	s := newScript(5, 12)
	for _, closed := range []bool{true, false} {
		whole := smallStore(t, s, closed)
		last := newestLog(t, whole)
		for _, name := range files(t, whole, "/data/s") {
			b := content(t, whole, name)
			for i, at := range places(len(b), 64/sparing(16)) {
				if at == len(b) {
					continue
				}
				fs := clone(whole)
				flipped := append([]byte{}, b...)
				flipped[at] ^= 1 << (i % 8)
				putFile(t, fs, name, flipped)
				atLeast := len(s.turns)
				if name == last && !closed {
					atLeast = 0
				}
				checkFlipped(t, s, fs, fmt.Sprintf("%s (closed: %v) with a bit flipped at %d of %d", name, closed, at, len(b)), atLeast)
			}
		}
	}
}

// checkFlipped is checkOutcome, but a format file may say that it is newer now.
func checkFlipped(t *testing.T, s *script, fs *vfs.MemFS, what string, atLeast int) {
	t.Helper()
	if strings.Contains(what, formatFile_) {
		if _, err := outcome(t, s, clone(fs)); job.IsKind(err, job.Conflict) {
			return
		}
	}
	checkOutcome(t, s, fs, what, atLeast)
}

// places are n numbers up to size, the first and the last among them.
func places(size, n int) []int {
	if size <= n {
		n = size
	}
	all := []int{}
	for i := range n {
		all = append(all, i*size/n)
	}
	return append(all, max(size-1, 0))
}

func newestLog(t *testing.T, fs vfs.FS) string {
	t.Helper()
	newest := ""
	for _, name := range files(t, fs, "/data/s") {
		if strings.HasSuffix(name, ".log") && name > newest {
			newest = name
		}
	}
	return newest
}

// TestEmptied: a directory that was emptied of its database is not taken for a
// new one.
func TestEmptied(t *testing.T) {
	s := newScript(6, 5)
	whole := smallStore(t, s, true)
	for _, gone := range []string{"/data/s/db-1", "/data/s/FORMAT", "/data/s/db-1/LOGS"} {
		fs := clone(whole)
		if err := fs.RemoveAll(gone); err != nil {
			t.Fatal(err)
		}
		for range 2 { // nor at a second try
			if _, err := Open(crashConfig(fs)); !job.IsKind(err, job.Damaged) {
				t.Errorf("without %s: %v", gone, err)
			}
		}
	}
}
