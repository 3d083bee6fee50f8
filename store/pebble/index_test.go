package pebble

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/muster-queue/muster/job"
	"github.com/muster-queue/muster/store"
	"github.com/muster-queue/muster/store/storetest"
)

// openNamespace makes a namespace in a store and loads it.
func openNamespace(t *testing.T, s *Store) store.Namespace {
	t.Helper()
	if err := s.Create(t.Context(), "default"); err != nil && !job.IsKind(err, job.Exists) {
		t.Fatal(err)
	}
	ns, err := s.Open(t.Context(), "default")
	if err != nil {
		t.Fatal(err)
	}
	if err := ns.Load(t.Context(), &storetest.Contents{}); err != nil {
		t.Fatal(err)
	}
	return ns
}

func mustCommit(t *testing.T, ns store.Namespace, c *job.Changes) {
	t.Helper()
	if err := storetest.Commit(ns, c); err != nil {
		t.Fatal(err)
	}
}

func mustIndex(t *testing.T, s *Store) {
	t.Helper()
	if err := s.Index(t.Context(), "default"); err != nil {
		t.Fatal(err)
	}
}

// TestIndexModel compares the index with what it should find, while segments of
// all sizes come, merge and go, and records are forgotten here and there.
func TestIndexModel(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	s := openTest(t, testConfig(vfs.NewMem(), "/s"))
	ns := openNamespace(t, s)
	kept := map[uint64]job.Finished{}
	end := uint64(1)
	for round := range 40 {
		var c job.Changes
		for range rng.IntN(1 << rng.IntN(12)) {
			end += 1 + rng.Uint64N(3)*rng.Uint64N(2) // numbers may be missing
			f := storetest.End(end, storetest.Job(job.Seq(rng.IntN(3000))))
			f.Group = job.GroupID(rng.IntN(4))
			c.Finished = append(c.Finished, f)
			kept[end] = f
		}
		mustCommit(t, ns, &c)
		mustIndex(t, s)
		forget(t, ns, rng, kept, round)
		if round%10 == 9 {
			s = reopenTest(t, s)
			ns = openNamespace(t, s)
		}
		if round%4 == 3 {
			checkIndex(t, ns, kept)
		}
	}
	segs := s.named("default").segments.list()
	if len(segs) == 0 || len(segs) > 14 {
		t.Errorf("%d segments for %d records", len(segs), len(kept))
	}
	var all []job.Finished
	for _, f := range kept {
		all = append(all, f)
	}
	mustCommit(t, ns, &job.Changes{Forgotten: all})
	mustIndex(t, s)
	if segs := s.named("default").segments.list(); len(segs) > 0 {
		t.Errorf("%d segments are left of nothing", len(segs))
	}
}

func reopenTest(t *testing.T, s *Store) *Store {
	t.Helper()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	return openTest(t, s.cfg)
}

// forget forgets some records: the oldest, or any.
func forget(t *testing.T, ns store.Namespace, rng *rand.Rand, kept map[uint64]job.Finished, round int) {
	t.Helper()
	var ends []uint64
	for end := range kept {
		ends = append(ends, end)
	}
	slices.Sort(ends)
	if round%2 == 0 {
		rng.Shuffle(len(ends), func(i, j int) { ends[i], ends[j] = ends[j], ends[i] })
	}
	var c job.Changes
	for _, end := range ends[:len(ends)/10] {
		c.Forgotten = append(c.Forgotten, kept[end])
		delete(kept, end)
	}
	mustCommit(t, ns, &c)
}

func checkIndex(t *testing.T, ns store.Namespace, kept map[uint64]job.Finished) {
	t.Helper()
	newest := map[job.Digest]uint64{}
	groups := map[job.GroupID][]uint64{}
	for end, f := range kept {
		newest[f.Digest] = max(newest[f.Digest], end)
		groups[f.Group] = append(groups[f.Group], end)
	}
	digests, ends := make([]job.Digest, 3000), make([]uint64, 3000)
	for i := range digests {
		digests[i] = storetest.Job(job.Seq(i)).Digest
	}
	if err := ns.FindMany(digests, ends); err != nil {
		t.Fatal(err)
	}
	for i, d := range digests {
		if ends[i] != newest[d] {
			t.Fatalf("key %d: found %d, want %d", i, ends[i], newest[d])
		}
	}
	for group := job.GroupID(1); group < 4; group++ {
		want := groups[group]
		slices.Sort(want)
		slices.Reverse(want)
		var got []uint64
		before := uint64(0)
		if len(want) > 3 {
			before = want[2]
			want = want[3:]
		}
		err := ns.History(before, group, func(f *job.Finished) bool { got = append(got, f.End); return true })
		if err != nil || !slices.Equal(got, want) {
			t.Fatalf("group %d has %d records, want %d (%v)", group, len(got), len(want), err)
		}
	}
}

// TestFilter: everything added is found, little else is.
func TestFilter(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for _, n := range []int{0, 1, 100, 50_000} {
		f := newFilter(n)
		keys := make([]uint64, n)
		for i := range keys {
			keys[i] = rng.Uint64()
			f.add(keys[i])
		}
		for _, k := range keys {
			if !f.has(k) {
				t.Fatalf("one of %d keys is missing", n)
			}
		}
		wrong := 0
		for range 100_000 {
			if f.has(rng.Uint64()) {
				wrong++
			}
		}
		if wrong > 1500 {
			t.Errorf("%d of 100,000 absent keys seem to be among %d", wrong, n)
		}
	}
}
