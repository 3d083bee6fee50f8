package pebble

import (
	"context"
	"sync"
	"sync/atomic"

	pdb "github.com/cockroachdb/pebble/v2"

	"github.com/muster-queue/muster/job"
	"github.com/muster-queue/muster/store"
)

// shared is what all owners of a namespace, past and present, have in common.
type shared struct {
	store *Store
	name  string
	id    nsID

	// mu orders commits and changes of ownership.
	mu    sync.Mutex
	epoch uint32
	gone  bool
	// trimmed is up to where live states were deleted as a range.
	trimmed job.Seq

	// last is the newest commit; reads wait until it is visible.
	last atomic.Pointer[commit]

	// reach is where the index of history ends, ended the end number of the newest
	// commit plus one; forgot is set when there may be index to delete.
	segments segments
	reach    atomic.Uint64
	ended    atomic.Uint64
	forgot   atomic.Bool
	wake     chan struct{}
	stop     context.CancelFunc
	indexer  sync.WaitGroup
}

func newShared(s *Store, name string, id nsID) *shared {
	return &shared{store: s, name: name, id: id, wake: make(chan struct{}, 1)}
}

// read reads what a namespace needs before it is opened.
func (n *shared) read(db *database) error {
	n.segments.work.Lock()
	defer n.segments.work.Unlock()
	var epoch uint32
	if err := db.find(n.id.key(nil, kindEpoch), &epoch); err != nil {
		return err
	}
	n.mu.Lock()
	n.epoch = max(n.epoch, epoch)
	n.mu.Unlock()
	var reach uint64
	if err := db.find(n.id.key(nil, kindReach), &reach); err != nil {
		return err
	}
	ended, err := db.lastEnd(n.id)
	if err != nil {
		return err
	}
	n.reach.Store(reach)
	n.ended.Store(max(ended, reach))
	n.forgot.Store(true)
	return n.readSegments(db)
}

// namespace is an owner's hold on a namespace.
type namespace struct {
	store  *Store
	shared *shared
	epoch  uint32
	// db is the database this owner loaded from, and may write to; closed is set
	// when it gave the namespace up. Both are guarded by shared.mu.
	db     *database
	closed bool
}

var _ store.Namespace = (*namespace)(nil)

// Open implements store.Store.
func (s *Store) Open(_ context.Context, name string) (store.Namespace, error) {
	db, err := s.database()
	if err != nil {
		return nil, err
	}
	defer db.release()
	n := s.named(name)
	if n == nil {
		return nil, noNamespace(name)
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.gone {
		return nil, noNamespace(name)
	}
	n.epoch++ // even if this fails: nobody else gets the number
	epoch := n.epoch
	v, err := job.Encode(nil, epoch)
	if err != nil {
		return nil, err
	}
	err = db.write(func(b *pdb.Batch) error { return b.Set(n.id.key(nil, kindEpoch), v, nil) })
	if err != nil {
		return nil, job.Wrap(err, "open namespace", name)
	}
	return &namespace{store: s, shared: n, epoch: epoch, db: db}, nil
}

// Epoch implements store.Namespace.
func (n *namespace) Epoch() uint32 { return n.epoch }

// Close implements store.Namespace.
func (n *namespace) Close() error {
	n.shared.mu.Lock()
	defer n.shared.mu.Unlock()
	n.closed = true
	if n.db == nil || !n.db.acquire() {
		return nil
	}
	defer n.db.release()
	return n.db.flushLog()
}

// reader is the database for a read, acquired, in which every commit that
// returned is visible.
func (n *namespace) reader() (*database, error) {
	if last := n.shared.last.Load(); last != nil {
		last.visible()
	}
	return n.store.database()
}
