package server

import (
	"context"
	"sync"
	"time"

	"github.com/muster-queue/muster/engine"
	"github.com/muster-queue/muster/job"
)

// Bounds of what is remembered of sessions whose connection was lost.
const (
	parkedFor = 5 * time.Minute
	parkedMax = 10_000
)

// held are attempts.
type held map[engine.Ref]struct{}

// parked knows the sessions that have a name, by which they may come back after
// their connection was lost: those that are connected, and what the others had.
// It is memory only: after a restart leases end by themselves.
type parked struct {
	mu       sync.Mutex
	sessions map[string]*parkedSession
}

type parkedSession struct {
	// end ends it while it is connected, and left is closed when it has ended.
	end  func(error)
	left chan struct{}
	// had is what it had then, at that time.
	had held
	at  time.Time
}

// errCameBack ends a connection that the server did not know was lost.
var errCameBack = job.Errorf(job.Conflict, "the session was opened again over another connection")

// enter notes that a session is connected, and returns what it had before. An
// earlier connection of it is ended first.
func (p *parked) enter(ctx context.Context, name string, end func(error)) (held, error) {
	for {
		before, s := p.tryEnter(name, end)
		if s == nil {
			return before, nil
		}
		s.end(errCameBack)
		select {
		case <-s.left:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

// tryEnter enters, unless the session is connected.
func (p *parked) tryEnter(name string, end func(error)) (held, *parkedSession) {
	p.mu.Lock()
	defer p.mu.Unlock()
	var before held
	if s := p.sessions[name]; s != nil {
		select {
		case <-s.left:
			before = s.had
		default:
			return nil, s
		}
	}
	if p.sessions == nil {
		p.sessions = map[string]*parkedSession{}
	}
	p.sessions[name] = &parkedSession{end: end, left: make(chan struct{})}
	return before, nil
}

// leave notes that a session is not connected any more, and what it has.
func (p *parked) leave(name string, has held) {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := p.sessions[name]
	s.had, s.at = has, time.Now()
	close(s.left)
	if len(has) == 0 || len(p.sessions) > parkedMax {
		delete(p.sessions, name)
	}
	if len(p.sessions) > parkedMax/2 {
		p.sweep(s.at)
	}
}

func (p *parked) sweep(now time.Time) {
	for name, s := range p.sessions {
		if !s.at.IsZero() && now.Sub(s.at) > parkedFor {
			delete(p.sessions, name)
		}
	}
}
