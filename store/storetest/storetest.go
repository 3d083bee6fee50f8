// Package storetest is the suite every store passes: what package store's
// interfaces promise, as tests. The tests of each implementation call Run.
package storetest

import (
	"bytes"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/muster-queue/muster/job"
	"github.com/muster-queue/muster/store"
)

// Factory makes the stores of one implementation.
type Factory struct {
	// New makes an empty store.
	New func(t *testing.T) store.Store
	// Reopen closes a store and opens what it kept; nil if it keeps nothing.
	Reopen func(t *testing.T, s store.Store) store.Store
	// Backup is a directory for a backup that is absent; nil if there are none.
	Backup func(t *testing.T, s store.Store) string
	// OpenBackup opens the backup of a store in a directory.
	OpenBackup func(t *testing.T, s store.Store, dir string) store.Store
	// Index makes Reach of a namespace complete; nil if it always is.
	Index func(t *testing.T, s store.Store, name string)
	// Stored counts the records a namespace's store holds in all, for tests that
	// nothing stays behind; nil if that cannot be told.
	Stored func(t *testing.T, s store.Store) int
}

// Run runs the suite.
func Run(t *testing.T, f Factory) {
	tests := []struct {
		name string
		test func(*testing.T, Factory)
	}{
		{"namespaces", testNamespaces},
		{"epoch", testEpoch},
		{"must be loaded first", testLoadFirst},
		{"load round trip", testRoundTrip},
		{"rows go", testRowsGo},
		{"live states", testLive},
		{"order", testOrder},
		{"commit takes what it needs", testCommitCopies},
		{"find", testFind},
		{"find again", testFindAgain},
		{"reach", testReach},
		{"history", testHistory},
		{"history by group", testHistoryByGroup},
		{"attempts", testAttempts},
		{"several attempts", testAttemptRows},
		{"keys of live jobs", testLiveKeys},
		{"complete jobs by key", testFinishedByKey},
		{"complete jobs of a queue", testFinishedIn},
		{"amended history", testAmended},
		{"payloads", testPayloads},
		{"payload ranges", testPayloadsFrom},
		{"large payloads", testLargePayloads},
		{"blobs", testBlobs},
		{"requests", testRequests},
		{"events", testEvents},
		{"documents", testDocuments},
		{"forgotten and deleted", testNothingStays},
		{"destroy", testDestroy},
		{"namespaces are apart", testApart},
		{"backup", testBackup},
		{"backup again", testBackupAgain},
		{"concurrency", testConcurrency},
		{"closed", testClosed},
		{"health and stats", testHealth},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) { tt.test(t, f) })
	}
}

// open makes a namespace in a new store and loads it.
func open(t *testing.T, f Factory) (store.Store, store.Namespace) {
	t.Helper()
	s := f.New(t)
	ok(t, s.Create(t.Context(), "default"))
	return s, own(t, s, "default")
}

// own opens a namespace and loads it.
func own(t *testing.T, s store.Store, name string) store.Namespace {
	t.Helper()
	ns, err := s.Open(t.Context(), name)
	ok(t, err)
	ok(t, ns.Load(t.Context(), &Contents{}))
	return ns
}

// reopen closes and opens a store where that keeps anything, and loads the
// namespace again.
func reopen(t *testing.T, f Factory, s store.Store, ns store.Namespace) (store.Store, store.Namespace) {
	t.Helper()
	if f.Reopen == nil {
		return s, ns
	}
	ok(t, ns.Close())
	s = f.Reopen(t, s)
	return s, own(t, s, "default")
}

func index(t *testing.T, f Factory, s store.Store) {
	t.Helper()
	if f.Index != nil {
		f.Index(t, s, "default")
	}
}

// Commit commits changes and waits for them.
func Commit(ns store.Namespace, c *job.Changes) error {
	under, err := ns.Commit(c)
	if err != nil {
		return err
	}
	return under.Wait()
}

func commit(t *testing.T, ns store.Namespace, c *job.Changes) {
	t.Helper()
	ok(t, Commit(ns, c))
}

func ok(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func same(t *testing.T, what string, got, want any, opts ...cmp.Option) {
	t.Helper()
	if diff := cmp.Diff(want, got, append(opts, cmpopts.EquateApproxTime(time.Microsecond))...); diff != "" {
		t.Fatalf("%s differ (-want +got):\n%s", what, diff)
	}
}

// samePayloads compares descriptions; go-cmp takes seconds for large ones.
func samePayloads(t *testing.T, got, want []job.Payload) {
	t.Helper()
	same(t, "number of descriptions", len(got), len(want))
	for i := range want {
		if got[i].Seq != want[i].Seq || got[i].Version != want[i].Version || (got[i].Body == nil) != (want[i].Body == nil) || !bytes.Equal(got[i].Body, want[i].Body) {
			t.Fatalf("description %d: job %d version %d has %d bytes, want job %d version %d with %d bytes, or other ones", i,
				got[i].Seq, got[i].Version, len(got[i].Body), want[i].Seq, want[i].Version, len(want[i].Body))
		}
	}
}

// fails checks that an error is of a kind.
func fails(t *testing.T, what string, err error, kind job.ErrorKind) {
	t.Helper()
	if !job.IsKind(err, kind) {
		t.Fatalf("%s: got %v, want an error of kind %s", what, err, kind)
	}
}

// Contents collects what a namespace loads. It implements store.Loader.
type Contents struct {
	Meta      job.Meta
	Queues    []job.QueueRow
	Groups    []job.GroupRow
	Kinds     []job.KindRow
	Shapes    []job.ShapeRow
	Workers   []job.WorkerRow
	Locks     []job.LockRow
	Accounts  []job.AccountRow
	Charges   []job.ChargeRow
	Limits    []job.LimitRow
	Learned   []job.LearnedRow
	DepGroups []job.DepGroupRow
	Depends   []job.DependRow
	Live      []job.Live
	Keys      []job.KeyRow
	Finished  []job.Finished
	order     []string
}

func (c *Contents) note(what string) { c.order = append(c.order, what) }

func (c *Contents) LoadMeta(m job.Meta)        { c.note("meta"); c.Meta = m }
func (c *Contents) LoadQueue(r job.QueueRow)   { c.note("queue"); c.Queues = append(c.Queues, r) }
func (c *Contents) LoadGroup(r job.GroupRow)   { c.note("group"); c.Groups = append(c.Groups, r) }
func (c *Contents) LoadKind(r job.KindRow)     { c.note("kind"); c.Kinds = append(c.Kinds, r) }
func (c *Contents) LoadShape(r job.ShapeRow)   { c.note("shape"); c.Shapes = append(c.Shapes, r) }
func (c *Contents) LoadWorker(r job.WorkerRow) { c.note("worker"); c.Workers = append(c.Workers, r) }
func (c *Contents) LoadLock(r job.LockRow)     { c.note("lock"); c.Locks = append(c.Locks, r) }
func (c *Contents) LoadAccount(r job.AccountRow) {
	c.note("account")
	c.Accounts = append(c.Accounts, r)
}
func (c *Contents) LoadCharge(r job.ChargeRow) { c.note("charge"); c.Charges = append(c.Charges, r) }
func (c *Contents) LoadLimit(r job.LimitRow)   { c.note("limit"); c.Limits = append(c.Limits, r) }
func (c *Contents) LoadLearned(r job.LearnedRow) {
	c.note("learned")
	c.Learned = append(c.Learned, r)
}
func (c *Contents) LoadDepGroup(r job.DepGroupRow) {
	c.note("depgroup")
	c.DepGroups = append(c.DepGroups, r)
}
func (c *Contents) LoadDepend(r job.DependRow) { c.note("depend"); c.Depends = append(c.Depends, r) }
func (c *Contents) LoadLive(l *job.Live)       { c.note("live"); c.Live = append(c.Live, *l) }
func (c *Contents) LoadKey(k *job.KeyRow)      { c.note("key"); c.Keys = append(c.Keys, *k) }
func (c *Contents) LoadFinished(f *job.Finished) {
	c.note("finished")
	c.Finished = append(c.Finished, *f)
}

// Load loads a namespace into new Contents.
func Load(t *testing.T, ns store.Namespace) *Contents {
	t.Helper()
	c := &Contents{}
	ok(t, ns.Load(t.Context(), c))
	return c
}

// A fixed time for records, so that failures print alike.
var day = time.Date(2026, 3, 14, 15, 9, 26, 535897000, time.UTC)

// Job is a queued job for tests.
func Job(seq job.Seq) job.Live {
	return job.Live{
		Seq: seq, Digest: job.DigestOf("default", job.Key(fmt.Sprint("key", seq))), Place: uint64(seq), Queue: 1, Group: 2, Kind: 3, Shape: 4,
		State: job.Ready, Flags: job.FlagCommand, Version: 1, Size: 100, Retries: job.RetriesDefault,
		Added: job.TimeOf(day).Add(time.Duration(seq)), Since: job.TimeOf(day).Add(time.Duration(seq)),
	}
}

// End is the history record of a job for tests.
func End(end uint64, live job.Live) job.Finished {
	live.State = job.Complete
	return job.Finished{End: end, Ended: job.TimeOf(day).Add(time.Duration(end) * time.Second), Live: live}
}

// description is the payload of a job for tests.
func description(seq job.Seq, version uint32, size int) job.Payload {
	body := make([]byte, size)
	for i := range body {
		body[i] = byte(int(seq) + i*int(version))
	}
	return job.Payload{Seq: seq, Version: version, Body: body}
}

var errStop = errors.New("enough")
