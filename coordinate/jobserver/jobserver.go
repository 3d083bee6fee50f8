// Package jobserver is what Coordinate's Python clients call: JobServer has their
// methods, as Go programs know them, and Handler serves the same methods over
// CBOR-RPC. Package server listens with it.
//
// The methods of JobServer answer in the way of the protocol: a value, a message
// that is not empty when what was asked for cannot be done (no such work spec,
// nothing to do, a lock that another holds), and an error for what is wrong with
// the call, or with the server.
package jobserver

import (
	"context"
	"errors"
	"time"

	"github.com/benbjohnson/clock"

	"github.com/muster-queue/muster/coordinate"
	"github.com/muster-queue/muster/coordinate/cborrpc"
	"github.com/muster-queue/muster/coordinate/internal/backend"
	"github.com/muster-queue/muster/engine"
	"github.com/muster-queue/muster/job"
)

// JobServer answers the calls of Coordinate's clients. Its methods may be called
// from any goroutine.
type JobServer struct {
	// Namespace is where the work is. It must be of package coordinate.
	Namespace coordinate.Namespace
	// GlobalConfig is what GetConfig answers; without one that is an error.
	GlobalConfig map[string]any
	// Clock tells the time for Now and heartbeats; default the namespace's own,
	// which leases and delays always go by.
	Clock clock.Clock
}

// call is one call of a method.
type call struct {
	backend.Backend
	ctx  context.Context
	jobs *JobServer
}

// begin begins a call of one of the Go methods.
func (jobs *JobServer) begin() (call, error) {
	b, ctx, err := coordinate.Backend(jobs.Namespace)
	return call{Backend: b, ctx: ctx, jobs: jobs}, err
}

// now is the present time.
func (c call) now() (time.Time, error) {
	if c.jobs.Clock != nil {
		return c.jobs.Clock.Now(), nil
	}
	return c.Now(c.ctx)
}

// notice is why something cannot be done, as the message of a pair.
type notice string

func (n notice) Error() string { return string(n) }

// message splits an error into the message of a pair and what is an error of the
// whole call: that a work spec is not there is no error to a client.
func message(err error) (string, error) {
	if n, ok := errors.AsType[notice](err); ok {
		return string(n), nil
	}
	if n, ok := errors.AsType[coordinate.ErrNoSuchWorkSpec](err); ok {
		return n.Error(), nil
	}
	return "", err
}

// pair is the answer of a method whose value is whether it was done.
func pair(err error) (bool, string, error) {
	text, rpc := message(err)
	return err == nil, text, rpc
}

// spec is the queue of a work spec; ErrNoSuchWorkSpec if there is none.
func (c call) spec(name string) (engine.QueueInfo, error) {
	q, err := c.Queue(c.ctx, name)
	if job.IsKind(err, job.NotFound) || err == nil && !q.Defined() {
		err = coordinate.ErrNoSuchWorkSpec{Name: name}
	}
	return q, err
}

// noSpec says that a queue which the engine does not know is no work spec.
func noSpec(err error, name string) error {
	if errors.Is(err, job.ErrNoQueue) {
		return coordinate.ErrNoSuchWorkSpec{Name: name}
	}
	return err
}

// encode makes the form in which all parameters are read.
func encode(v any) (cborrpc.Value, error) {
	encoded, err := cborrpc.Encode(v)
	return encoded, job.Wrap(err, "encode", "the parameters")
}
