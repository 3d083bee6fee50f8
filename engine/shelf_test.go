package engine

import (
	"context"
	"sync"

	"github.com/muster-queue/muster/job"
	"github.com/muster-queue/muster/store"
)

// shelf is a store whose commits a test can hold back or fail.
type shelf struct {
	store.Store
	mu   sync.Mutex
	gate chan struct{} // when set, commits wait for it to be closed
	fail error         // what the next commit fails with
	// committed, when set, is called with every change that the store took.
	committed func(*job.Changes)
	// meanwhile, when set, is called before the next descriptions are read.
	meanwhile func()
}

type shelfNamespace struct {
	store.Namespace
	shelf *shelf
}

type shelfCommit struct {
	store.Commit
	gate chan struct{}
	fail error
}

func (s *shelf) Open(ctx context.Context, name string) (store.Namespace, error) {
	ns, err := s.Store.Open(ctx, name)
	return shelfNamespace{ns, s}, err
}

func (n shelfNamespace) Commit(c *job.Changes) (store.Commit, error) {
	n.shelf.mu.Lock()
	defer n.shelf.mu.Unlock()
	if err := n.shelf.fail; err != nil {
		n.shelf.fail = nil
		return shelfCommit{fail: err, gate: n.shelf.gate}, nil
	}
	commit, err := n.Namespace.Commit(c)
	if err == nil && n.shelf.committed != nil {
		n.shelf.committed(c)
	}
	return shelfCommit{Commit: commit, gate: n.shelf.gate}, err
}

func (n shelfNamespace) Payloads(refs []job.PayloadRef) ([]job.Payload, error) {
	n.shelf.mu.Lock()
	meanwhile := n.shelf.meanwhile
	n.shelf.meanwhile = nil
	n.shelf.mu.Unlock()
	if meanwhile != nil {
		meanwhile()
	}
	return n.Namespace.Payloads(refs)
}

func (c shelfCommit) Wait() error {
	if c.gate != nil {
		<-c.gate
	}
	if c.fail != nil {
		return c.fail
	}
	return c.Commit.Wait()
}

func (s *shelf) hold() (release func()) {
	gate := make(chan struct{})
	s.mu.Lock()
	defer s.mu.Unlock()
	s.gate = gate
	return func() {
		s.mu.Lock()
		s.gate = nil
		s.mu.Unlock()
		close(gate)
	}
}

func (s *shelf) failNext(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fail = err
}
