package storetest

import (
	"bytes"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/muster-queue/muster/job"
	"github.com/muster-queue/muster/store"
)

var ignoreOrder = cmpopts.IgnoreUnexported(Contents{})

func testDestroy(t *testing.T, f Factory) {
	s, ns := open(t, f)
	stored := func() int {
		if f.Stored == nil {
			return 0
		}
		return f.Stored(t, s)
	}
	ok(t, s.Create(t.Context(), "other"))
	before := stored()
	c := everything()
	c.Payloads = []job.Payload{description(1, 1, 10), description(1, 2, 100<<10)}
	c.Blobs = []job.Blob{BlobOf([]byte("blob"))}
	commit(t, ns, c)
	finish(t, ns, 1, 10)
	ok(t, s.Destroy(t.Context(), "default"))
	fails(t, "a commit to a destroyed namespace", Commit(ns, &job.Changes{Live: []job.Live{Job(1)}}), job.Conflict)
	if after := stored(); after > before {
		t.Fatalf("%d records are stored where there were %d", after, before)
	}
	ok(t, s.Create(t.Context(), "default"))
	ns = own(t, s, "default")
	s, ns = reopen(t, f, s, ns)
	got := Load(t, ns)
	same(t, "contents of the new one", got, &Contents{Meta: job.Meta{Epoch: ns.Epoch()}}, ignoreOrder)
	same(t, "history", len(visit(t, ns, 0, 0, 10)), 0)
	names, err := s.Namespaces(t.Context())
	ok(t, err)
	same(t, "namespaces", names, []string{"default", "other"})
}

func testApart(t *testing.T, f Factory) {
	s, a := open(t, f)
	ok(t, s.Create(t.Context(), "b"))
	b := own(t, s, "b")
	commit(t, a, &job.Changes{Live: []job.Live{Job(1)}, Payloads: []job.Payload{description(1, 1, 5)}})
	finish(t, a, 5, 6)
	index(t, f, s)
	same(t, "live jobs of the other", len(Load(t, b).Live), 0)
	same(t, "history of the other", len(visit(t, b, 0, 0, 10)), 0)
	p, err := b.PayloadsFrom(0, 10, 1000)
	ok(t, err)
	same(t, "descriptions of the other", len(p), 0)
	_, found, err := b.Find(Job(5).Digest)
	ok(t, err)
	same(t, "found in the other", found, false)
	ok(t, s.Destroy(t.Context(), "b"))
	same(t, "live jobs", Load(t, a).Live, []job.Live{Job(1)})
}

// fill makes contents worth a backup and returns a check for them.
func fill(t *testing.T, ns store.Namespace) (check func(t *testing.T, ns store.Namespace)) {
	t.Helper()
	c := everything()
	large := BlobOf(bytes.Repeat([]byte("x"), 200<<10))
	c.Payloads = []job.Payload{description(1, 1, 10), description(2, 1, 300<<10)}
	c.Blobs = []job.Blob{large, BlobOf([]byte("small"))}
	commit(t, ns, c)
	finished := finish(t, ns, 100, 120)
	return func(t *testing.T, ns store.Namespace) {
		t.Helper()
		got := Load(t, ns)
		same(t, "live jobs", got.Live, c.Live)
		same(t, "shapes", got.Shapes, c.Shapes)
		p, err := ns.Payloads([]job.PayloadRef{{Seq: 1, Version: 1}, {Seq: 2, Version: 1}})
		ok(t, err)
		samePayloads(t, p, c.Payloads)
		body, err := ns.Blob(large.Digest)
		ok(t, err)
		same(t, "blob", bytes.Equal(body, large.Body), true)
		for _, f := range finished {
			got, err := ns.Finished(f.End)
			ok(t, err)
			same(t, "history record", got, f)
		}
	}
}

func testBackup(t *testing.T, f Factory) {
	s, ns := open(t, f)
	if f.Backup == nil {
		fails(t, "a backup", s.Backup(t.Context(), t.TempDir()), job.Unimplemented)
		return
	}
	check := fill(t, ns)
	dir := f.Backup(t, s)
	ok(t, s.Backup(t.Context(), dir))
	commit(t, ns, &job.Changes{Gone: []job.Seq{1, 2}}) // is not in the backup
	copied := f.OpenBackup(t, s, dir)
	names, err := copied.Namespaces(t.Context())
	ok(t, err)
	same(t, "namespaces", names, []string{"default"})
	check(t, own(t, copied, "default"))
	same(t, "live jobs of the original", len(Load(t, ns).Live), 0)
}

func testBackupAgain(t *testing.T, f Factory) {
	if f.Backup == nil {
		t.Skip("this store has no backups")
	}
	s, ns := open(t, f)
	dir := f.Backup(t, s)
	ok(t, s.Backup(t.Context(), dir))
	check := fill(t, ns)
	for range 3 {
		ok(t, s.Backup(t.Context(), dir))
	}
	s, ns = reopen(t, f, s, ns)
	check(t, ns)
	commit(t, ns, &job.Changes{Payloads: []job.Payload{description(900, 1, 10)}})
	ok(t, s.Backup(t.Context(), dir))
	copied := own(t, f.OpenBackup(t, s, dir), "default")
	check(t, copied)
	p, err := copied.Payloads([]job.PayloadRef{{Seq: 900, Version: 1}})
	ok(t, err)
	samePayloads(t, p, []job.Payload{description(900, 1, 10)})
}

// testConcurrency has readers, index and backups beside two writers.
func testConcurrency(t *testing.T, f Factory) {
	s, first := open(t, f)
	ok(t, s.Create(t.Context(), "second"))
	second := own(t, s, "second")
	const turns, each = 60, 20
	var writers, readers sync.WaitGroup
	var done atomic.Bool
	report := func(err error) {
		if err != nil {
			t.Error(err)
		}
	}
	for _, ns := range []store.Namespace{first, second} {
		writers.Go(func() { write(ns, turns, each, report) })
		readers.Go(func() {
			for !done.Load() {
				readAll(ns, report)
			}
		})
	}
	if f.Backup != nil {
		dir := f.Backup(t, s)
		writers.Go(func() { report(s.Backup(t.Context(), dir)); report(s.Backup(t.Context(), dir)) })
	}
	writers.Wait()
	done.Store(true)
	readers.Wait()
	for _, ns := range []store.Namespace{first, second} {
		got := Load(t, ns)
		same(t, "live jobs", len(got.Live), turns*each/2)
		same(t, "history", len(visit(t, ns, 0, 0, turns*each)), turns*each/2)
	}
}

// write adds jobs, each second one complete, with commits under way.
func write(ns store.Namespace, turns, each int, report func(error)) {
	var under []store.Commit
	end := uint64(1)
	for turn := range turns {
		var c job.Changes
		for i := range each {
			seq := job.Seq(turn*each + i)
			c.Payloads = append(c.Payloads, description(seq, 1, 50))
			if i%2 == 0 {
				c.Live = append(c.Live, Job(seq))
				continue
			}
			c.Finished = append(c.Finished, End(end, Job(seq)))
			end++
		}
		u, err := ns.Commit(&c)
		if err != nil {
			report(err)
			return
		}
		under = append(under, u)
	}
	for _, u := range under {
		report(u.Wait())
	}
}

// readAll reads a bit of everything; what is read must fit together.
func readAll(ns store.Namespace, report func(error)) {
	last := ^uint64(0)
	report(ns.History(0, 0, func(f *job.Finished) bool {
		if f.End >= last {
			report(errStop)
		}
		last = f.End
		return true
	}))
	report(ns.History(0, 2, func(f *job.Finished) bool { return f.Group == 2 }))
	ahead, err := ns.PayloadsFrom(3, 10, 1000)
	report(err)
	for _, p := range ahead {
		if !cmp.Equal(p, description(p.Seq, 1, 50)) {
			report(errStop)
		}
	}
	_, _, err = ns.Find(Job(1).Digest)
	report(err)
}

func testClosed(t *testing.T, f Factory) {
	s, ns := open(t, f)
	commit(t, ns, &job.Changes{Live: []job.Live{Job(1)}})
	ok(t, s.Close())
	ok(t, s.Close())
	if err := Commit(ns, &job.Changes{Live: []job.Live{Job(2)}}); err == nil {
		t.Fatal("a commit to a closed store is accepted")
	}
	if _, err := s.Open(t.Context(), "default"); err == nil {
		t.Fatal("a namespace of a closed store is opened")
	}
	if s.Health() == nil {
		t.Fatal("a closed store is healthy")
	}
}

func testHealth(t *testing.T, f Factory) {
	s, ns := open(t, f)
	ok(t, s.Health())
	commit(t, ns, everything())
	if st := s.Stats(); st.Kind == "" {
		t.Fatalf("stats %+v have no kind", st)
	}
}
