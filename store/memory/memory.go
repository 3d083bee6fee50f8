// Package memory keeps namespaces in memory: for tests, and for servers that
// start empty each time. Rows are kept encoded, so that what is loaded shares
// nothing with what was committed, as with any other store.
package memory

import (
	"context"
	"maps"
	"slices"
	"sync"

	"github.com/muster-queue/muster/job"
	"github.com/muster-queue/muster/store"
)

// Store is a set of namespaces in memory. It implements store.Store.
type Store struct {
	mu     sync.Mutex
	names  map[string]*records
	closed bool
}

var _ store.Store = (*Store)(nil)

// New makes an empty store.
func New() *Store { return &Store{names: map[string]*records{}} }

// Namespaces implements store.Store.
func (s *Store) Namespaces(context.Context) ([]string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Sorted(maps.Keys(s.names)), s.open()
}

// open is nil, or why nothing can be done any more.
func (s *Store) open() error {
	if s.closed {
		return job.Errorf(job.Unavailable, "the store in memory is closed")
	}
	return nil
}

// Create implements store.Store.
func (s *Store) Create(_ context.Context, name string) error {
	if err := job.CheckName("namespace", name); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.open(); err != nil {
		return err
	}
	if s.names[name] != nil {
		return job.Errorf(job.Exists, "namespace %s exists", name)
	}
	s.names[name] = newRecords(name)
	return nil
}

// Open implements store.Store.
func (s *Store) Open(_ context.Context, name string) (store.Namespace, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.open(); err != nil {
		return nil, err
	}
	r := s.names[name]
	if r == nil {
		return nil, noNamespace(name)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.epoch++
	return &namespace{records: r, epoch: r.epoch}, nil
}

// Destroy implements store.Store.
func (s *Store) Destroy(_ context.Context, name string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.open(); err != nil {
		return err
	}
	r := s.names[name]
	if r == nil {
		return noNamespace(name)
	}
	delete(s.names, name)
	r.end()
	return nil
}

func noNamespace(name string) error { return job.Errorf(job.NotFound, "no namespace %q", name) }

// Backup implements store.Store: there is nothing that could be pointed at.
func (s *Store) Backup(context.Context, string) error {
	return job.Errorf(job.Unimplemented, "a store in memory cannot be backed up; use --store pebble:DIR")
}

// Health implements store.Store.
func (s *Store) Health() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.open()
}

// Stats implements store.Store.
func (s *Store) Stats() store.Stats { return store.Stats{Kind: "memory"} }

// Close implements store.Store. Everything is forgotten.
func (s *Store) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	for _, r := range s.names {
		r.end()
	}
	clear(s.names)
	return nil
}
