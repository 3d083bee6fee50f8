// Package store is where a namespace's records are kept: one small interface in
// the words of the domain, with an implementation in memory, in Pebble (one
// directory, nothing to install) and later in PostgreSQL. Package engine is its
// only writer; servers read jobs, attempts and history through it.
//
// Everything committed is absolute (see job.Changes), so replay is harmless.
// Every implementation passes the suite in store/storetest.
package store

import (
	"context"
	"time"

	"github.com/muster-queue/muster/job"
)

// Store keeps namespaces.
type Store interface {
	// Namespaces lists the names of the namespaces that exist, sorted.
	Namespaces(ctx context.Context) ([]string, error)
	// Create makes a namespace; an existing one is an Exists error.
	Create(ctx context.Context, name string) error
	// Open takes ownership of a namespace: it durably raises its epoch, after
	// which every commit through an earlier Namespace fails. NotFound if absent.
	Open(ctx context.Context, name string) (Namespace, error)
	// HasDocuments reports whether the namespace has documents in any of the rooms,
	// without taking ownership of it. NotFound if absent.
	HasDocuments(ctx context.Context, name string, rooms ...string) (bool, error)
	// Destroy deletes a namespace with all it holds.
	Destroy(ctx context.Context, name string) error
	// Backup writes a consistent copy that Open of the same kind of store can
	// be pointed at. It does not disturb writers. A directory that already
	// holds an earlier backup is brought up to date, copying only what is new.
	Backup(ctx context.Context, dir string) error
	// Health is nil, or why the store accepts no writes at present (a NoSpace
	// or Damaged error). It recovers by itself when the cause is gone.
	Health() error
	// Stats are sizes and the latency of the disk.
	Stats() Stats
	Close() error
}

// Stats are facts about a store.
type Stats struct {
	Kind      string // "pebble", "memory"
	Dir       string
	DiskBytes int64
	FreeBytes int64 // on the disk of Dir
	// SyncP50 is the median time of the last fsyncs.
	SyncP50 time.Duration
}

// Namespace is an owned namespace. Commit and Load are called by its one writer;
// the reads may be called by anyone at any time and see what was committed.
type Namespace interface {
	// Epoch is the incarnation that Open raised.
	Epoch() uint32
	// Load reads everything a State is rebuilt from, in the order of Loader's
	// methods, live records in order of sequence. It can be called again after
	// a failed commit.
	Load(ctx context.Context, l Loader) error
	// Commit applies the changes atomically, after every earlier Commit. It
	// takes what it needs of c before it returns, usually before the changes
	// are durable; Commit.Wait blocks until they are. After an error of either,
	// the outcome is unknown: the caller forgets its state and loads again.
	Commit(c *job.Changes) (Commit, error)

	// Find looks a key digest up among the finished jobs. Those that finished
	// after the number reach (Reach at the time of the call) may be missing:
	// the caller knows them.
	Find(digest job.Digest) (End uint64, found bool, err error)
	// FindMany looks several up at once: ends[i] is the end number of digests[i],
	// or zero. It costs much less than one by one.
	FindMany(digests []job.Digest, ends []uint64) error
	// Reach is the end number up to which (exclusive) the index that Find and
	// the scans by group use is complete. It grows by itself, off the commit path.
	Reach() uint64
	// Finished reads a history record; NotFound if there is none.
	Finished(end uint64) (job.Finished, error)
	// FinishedMany reads several history records, in the order of ends; one that
	// is not there has the number zero.
	FinishedMany(ends []uint64) ([]job.Finished, error)
	// FinishedByKey reads complete jobs of a queue that is ordered by key, in that
	// order, at most limit behind the key after (nil: from the start).
	FinishedByKey(queue job.QueueID, after *job.Key, limit int) ([]job.Finished, error)
	// FinishedKeys finds complete jobs of such a queue, in the order of keys; what
	// is not there has the end number zero.
	FinishedKeys(queue job.QueueID, keys []job.Key) ([]job.Finished, error)
	// Attempts reads the attempts that ended of a job, oldest first.
	Attempts(seq job.Seq) ([]job.AttemptRow, error)
	// AttemptRows reads several attempts, in the order of refs; what is not there
	// has no number. Refs in order of sequence are read by range.
	AttemptRows(refs []job.AttemptRef) ([]job.AttemptRow, error)
	// Payloads reads several payloads, in the order of refs; a missing one has
	// a nil Body. Refs in order of sequence are read by range.
	Payloads(refs []job.PayloadRef) ([]job.Payload, error)
	// PayloadsFrom reads the newest payloads of consecutive jobs from seq on,
	// at most n and about maxBytes: read-ahead for jobs granted in order.
	PayloadsFrom(seq job.Seq, n, maxBytes int) ([]job.Payload, error)
	// History visits finished jobs from newest to oldest, those with an end
	// number below before (all when it is zero), until visit returns false. With
	// group set only those of the group.
	History(before uint64, group job.GroupID, visit func(*job.Finished) bool) error
	// FinishedIn visits the finished jobs of a queue from oldest to newest, those
	// with an end number of at least from, until visit returns false.
	FinishedIn(queue job.QueueID, from uint64, visit func(*job.Finished) bool) error
	// Requests finds a remembered outcome.
	Request(client, id string) (job.Request, bool, error)
	// Events visits a log from newest to oldest, entries with a number below
	// before (all when it is zero), until visit returns false.
	Events(log job.EventLog, before uint64, visit func(*job.EventRow) bool) error
	// Documents visits the documents of a room whose keys begin with prefix, in
	// order of keys, until visit returns false. The body is the visitor's to keep.
	Documents(room, prefix string, visit func(key string, body []byte) bool) error
	// Blob reads content by digest; NotFound if there is none.
	Blob(digest string) ([]byte, error)
	// HasBlob tells whether the content is there.
	HasBlob(digest string) (bool, error)

	// Close gives up ownership. Commits under way are waited for.
	Close() error
}

// Commit is a commit under way.
type Commit interface {
	// Wait blocks until the changes are durable, or failed to become so. It is
	// called exactly once.
	Wait() error
}

// Loader receives a namespace's records during Load.
type Loader interface {
	LoadMeta(job.Meta)
	LoadQueue(job.QueueRow)
	LoadGroup(job.GroupRow)
	LoadKind(job.KindRow)
	LoadShape(job.ShapeRow)
	LoadWorker(job.WorkerRow)
	LoadLock(job.LockRow)
	LoadAccount(job.AccountRow)
	// LoadCharge gets what runs cost, in order of sequence.
	LoadCharge(job.ChargeRow)
	LoadLimit(job.LimitRow)
	LoadLearned(job.LearnedRow)
	LoadDepGroup(job.DepGroupRow)
	// LoadDepend gets who waits for whom, in order of sequence, before the live jobs.
	LoadDepend(job.DependRow)
	LoadLive(*job.Live)
	// LoadKey gets the keys of live jobs, in order of sequence.
	LoadKey(*job.KeyRow)
	// LoadFinished gets the finished jobs from Reach on, whose keys Find does
	// not know yet.
	LoadFinished(*job.Finished)
}
