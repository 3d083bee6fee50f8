package memory

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"strings"

	"github.com/muster-queue/muster/job"
)

type docKey struct{ room, key string }

// event is an entry of the log, encoded.
type event struct {
	n    uint64
	body []byte
}

func compareEvents(e event, n uint64) int { return cmp.Compare(e.n, n) }

func (e *encoded) encodeEvents(rows []job.EventRow) {
	for i := range rows {
		if e.err != nil {
			return
		}
		entry := event{n: rows[i].N}
		entry.body, e.err = job.Encode(nil, &rows[i])
		log := rows[i].Log()
		e.events[log] = append(e.events[log], entry)
	}
}

// encodeDocuments copies the bodies; what is gone has none.
func encodeDocuments(docs []job.Document) map[docKey][]byte {
	all := make(map[docKey][]byte, len(docs))
	for i := range docs {
		d := &docs[i]
		if all[docKey{d.Room, d.Key}] = nil; !d.Gone {
			all[docKey{d.Room, d.Key}] = append([]byte{}, d.Body...)
		}
	}
	return all
}

// applyEvents writes entries of the log and takes old ones away. Who reads it has
// the slice as it was.
func (r *records) applyEvents(c *job.Changes, rows *encoded) {
	for log, added := range rows.events {
		all := r.events[log]
		for _, e := range added {
			i, found := slices.BinarySearchFunc(all, e.n, compareEvents)
			switch {
			case i == len(all):
				all = append(all, e)
			case found:
				all = slices.Clone(all)
				all[i] = e
			default:
				all = slices.Insert(slices.Clone(all), i, e)
			}
		}
		if before := c.EventsBefore[log]; before != 0 {
			i, _ := slices.BinarySearchFunc(all, before, compareEvents)
			all = slices.Clone(all[i:])
		}
		r.events[log] = all
	}
}

// Events implements store.Namespace.
func (n *namespace) Events(log job.EventLog, before uint64, visit func(*job.EventRow) bool) error {
	n.mu.RLock()
	events := n.events[log]
	n.mu.RUnlock()
	if before != 0 {
		i, _ := slices.BinarySearchFunc(events, before, compareEvents)
		events = events[:i]
	}
	for _, e := range slices.Backward(events) {
		var row job.EventRow
		if err := job.Decode(e.body, &row); err != nil {
			return err
		}
		if !visit(&row) {
			return nil
		}
	}
	return nil
}

// Documents implements store.Namespace.
func (n *namespace) Documents(room, prefix string, visit func(key string, body []byte) bool) error {
	n.mu.RLock()
	found := map[string][]byte{}
	for k, body := range n.docs {
		if k.room == room && strings.HasPrefix(k.key, prefix) {
			found[k.key] = slices.Clone(body)
		}
	}
	n.mu.RUnlock()
	for _, key := range slices.Sorted(maps.Keys(found)) {
		if !visit(key, found[key]) {
			return nil
		}
	}
	return nil
}

// HasDocuments implements store.Store.
func (s *Store) HasDocuments(_ context.Context, name string, rooms ...string) (bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.names[name]
	if r == nil {
		return false, noNamespace(name)
	}
	r.mu.RLock()
	defer r.mu.RUnlock()
	for k := range r.docs {
		if slices.Contains(rooms, k.room) {
			return true, nil
		}
	}
	return false, s.open()
}
