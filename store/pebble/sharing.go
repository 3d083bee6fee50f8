package pebble

import (
	"context"
	"errors"

	pdb "github.com/cockroachdb/pebble/v2"

	"github.com/muster-queue/muster/job"
)

// Events implements store.Namespace.
func (n *namespace) Events(log job.EventLog, before uint64, visit func(*job.EventRow) bool) error {
	db, err := n.reader()
	if err != nil {
		return err
	}
	defer db.release()
	id, kind := n.shared.id, logKinds[log]
	end := id.end(kind)
	if before != 0 {
		end = id.key64(nil, kind, before)
	}
	iter, err := db.db.NewIter(&pdb.IterOptions{LowerBound: id.key(nil, kind), UpperBound: end})
	if err != nil {
		return n.store.readError("read the log", err)
	}
	for ok := iter.Last(); ok && err == nil; ok = iter.Prev() {
		var row job.EventRow
		if err = job.Decode(iter.Value(), &row); err == nil && !visit(&row) {
			break
		}
	}
	return n.store.readError("read the log", errors.Join(err, iter.Error(), iter.Close()))
}

// errEnough ends a scan early.
var errEnough = errors.New("enough")

// Documents implements store.Namespace.
func (n *namespace) Documents(room, prefix string, visit func(key string, body []byte) bool) error {
	db, err := n.reader()
	if err != nil {
		return err
	}
	defer db.release()
	whole := n.shared.id.document(nil, room, "")
	from := n.shared.id.document(nil, room, prefix)
	err = db.scan(from, after(from), func(key, value []byte) error {
		body, err := n.store.content(value)
		if err == nil && !visit(string(key[len(whole):]), body) {
			err = errEnough
		}
		return err
	})
	if errors.Is(err, errEnough) {
		return nil
	}
	return n.store.readError("read documents", err)
}

// HasDocuments implements store.Store.
func (s *Store) HasDocuments(_ context.Context, name string, rooms ...string) (bool, error) {
	n := s.named(name)
	if n == nil {
		return false, noNamespace(name)
	}
	reader := &namespace{store: s, shared: n}
	found := false
	for _, room := range rooms {
		err := reader.Documents(room, "", func(string, []byte) bool {
			found = true
			return false
		})
		if found || err != nil {
			return found, err
		}
	}
	return false, nil
}
