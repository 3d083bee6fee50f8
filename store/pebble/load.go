package pebble

import (
	"context"
	"errors"

	pdb "github.com/cockroachdb/pebble/v2"

	"github.com/muster-queue/muster/job"
	"github.com/muster-queue/muster/store"
)

// Load implements store.Namespace. After a failure of the store it waits for
// the next attempt to open it.
func (n *namespace) Load(ctx context.Context, l store.Loader) error {
	db, err := n.adopt(ctx)
	if err != nil {
		return job.Wrap(err, "load namespace", n.shared.name)
	}
	defer db.release()
	ld := loading{ctx: ctx, db: db, ns: n, to: l}
	return job.Wrap(n.store.readError("read", ld.run()), "load namespace", n.shared.name)
}

// adopt makes the database in use the one this owner writes to.
func (n *namespace) adopt(ctx context.Context) (*database, error) {
	db, err := n.store.await(ctx)
	if err != nil {
		return nil, err
	}
	n.shared.mu.Lock()
	defer n.shared.mu.Unlock()
	if n.shared.epoch != n.epoch || n.closed || n.shared.gone {
		db.release()
		return nil, job.Errorf(job.Conflict, "namespace %s was taken over or given up: this owner may not load it any more", n.shared.name)
	}
	n.db = db
	return db, nil
}

// await is database, but waits for an attempt to open it under way.
func (s *Store) await(ctx context.Context) (*database, error) {
	s.mu.Lock()
	opened, down := s.opened, s.db == nil && !s.closed
	s.mu.Unlock()
	if down {
		select {
		case <-opened:
		case <-s.quit:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
	return s.database()
}

// loading is one pass over a namespace's records.
type loading struct {
	ctx context.Context
	db  *database
	ns  *namespace
	to  store.Loader
}

func (l *loading) run() error {
	meta, err := l.meta()
	if err == nil {
		err = l.rows()
	}
	if err == nil {
		err = l.live(meta.MinLive)
	}
	if err == nil {
		err = l.names(meta.MinLive)
	}
	if err == nil {
		err = l.finished()
	}
	return err
}

func (l *loading) meta() (job.Meta, error) {
	var meta job.Meta
	if err := l.db.find(l.key(kindMeta), &meta); err != nil {
		return meta, err
	}
	meta.Epoch = l.ns.epoch
	l.to.LoadMeta(meta)
	return meta, nil
}

func (l *loading) key(kind byte) []byte { return l.ns.shared.id.key(nil, kind) }

// each decodes the rows of a kind.
func each[T any](l *loading, kind byte, visit func(T)) error {
	from := l.key(kind)
	return l.db.scan(from, after(from), func(_, value []byte) error {
		var row T
		if err := job.Decode(value, &row); err != nil {
			return err
		}
		visit(row)
		return l.ctx.Err()
	})
}

func (l *loading) rows() error {
	return errors.Join(
		each(l, kindQueue, l.to.LoadQueue),
		each(l, kindGroup, l.to.LoadGroup),
		each(l, kindKind, l.to.LoadKind),
		each(l, kindShape, l.to.LoadShape),
		each(l, kindWorker, l.to.LoadWorker),
		each(l, kindLock, l.to.LoadLock),
		each(l, kindAccount, l.to.LoadAccount),
		each(l, kindCharge, l.to.LoadCharge),
		each(l, kindLimit, l.to.LoadLimit),
		each(l, kindLearned, l.to.LoadLearned),
		each(l, kindDepGroup, l.to.LoadDepGroup),
		each(l, kindDepend, l.to.LoadDepend),
	)
}

// checkEvery is after how many records a cancelled context is noticed.
const checkEvery = 1 << 12

func (l *loading) live(from job.Seq) error {
	id := l.ns.shared.id
	n := 0
	return l.db.scan(id.key64(nil, kindLive, uint64(from)), id.end(kindLive), func(key, value []byte) error {
		var live job.Live
		if err := decodeLive(value, seqOf(key), &live); err != nil {
			return err
		}
		l.to.LoadLive(&live)
		if n++; n%checkEvery == 0 {
			return l.ctx.Err()
		}
		return nil
	})
}

func (l *loading) finished() error {
	id := l.ns.shared.id
	from := id.key64(nil, kindHistory, l.ns.shared.reach.Load())
	return l.db.scan(from, id.end(kindHistory), func(key, value []byte) error {
		var f job.Finished
		if err := decodeFinished(value, last64(key), &f); err != nil {
			return err
		}
		l.to.LoadFinished(&f)
		return nil
	})
}

// scan visits the records from a key up to another, in order.
func (d *database) scan(from, to []byte, visit func(key, value []byte) error) error {
	return scan(d.db, from, to, visit)
}

// scan visits what is in the range, as view has it.
func scan(view pdb.Reader, from, to []byte, visit func(key, value []byte) error) (err error) {
	iter, err := view.NewIter(&pdb.IterOptions{LowerBound: from, UpperBound: to})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, iter.Close()) }()
	for ok := iter.First(); ok; ok = iter.Next() {
		value, err := iter.ValueAndErr()
		if err != nil {
			return err
		}
		if err := visit(iter.Key(), value); err != nil {
			return err
		}
	}
	return iter.Error()
}

// after is the end of the range of keys that begin with prefix.
func after(prefix []byte) []byte {
	end := append([]byte(nil), prefix...)
	for i := len(end) - 1; ; i-- {
		if end[i]++; end[i] != 0 {
			return end[:i+1]
		}
	}
}

// get decodes one record; it must be there.
func (d *database) get(key []byte, v any) error {
	found, err := d.lookup(key, v)
	if err == nil && !found {
		return job.Errorf(job.Damaged, "the record %q is missing", key)
	}
	return err
}

// find decodes one record, if it is there.
func (d *database) find(key []byte, v any) error {
	_, err := d.lookup(key, v)
	return err
}

func (d *database) lookup(key []byte, v any) (found bool, err error) {
	return d.value(key, func(value []byte) error { return job.Decode(value, v) })
}

// value hands one record to use, if it is there.
func (d *database) value(key []byte, use func([]byte) error) (found bool, err error) {
	value, closer, err := d.db.Get(key)
	if errors.Is(err, pdb.ErrNotFound) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	return true, errors.Join(use(value), closer.Close())
}

// lastEnd is the end number after the newest history record.
func (d *database) lastEnd(id nsID) (end uint64, err error) {
	iter, err := d.db.NewIter(&pdb.IterOptions{LowerBound: id.key(nil, kindHistory), UpperBound: id.end(kindHistory)})
	if err != nil {
		return 0, err
	}
	if iter.Last() {
		end = last64(iter.Key()) + 1
	}
	return end, errors.Join(iter.Error(), iter.Close())
}

// firstEnd is the end number of the oldest history record, or otherwise.
func (d *database) firstEnd(id nsID, otherwise uint64) (end uint64, err error) {
	iter, err := d.db.NewIter(&pdb.IterOptions{LowerBound: id.key(nil, kindHistory), UpperBound: id.end(kindHistory)})
	if err != nil {
		return 0, err
	}
	if end = otherwise; iter.First() {
		end = last64(iter.Key())
	}
	return end, errors.Join(iter.Error(), iter.Close())
}
