package backend

import (
	"context"
	"time"

	"github.com/muster-queue/muster/engine"
	"github.com/muster-queue/muster/job"
)

// Source is where namespaces are.
type Source interface {
	Namespaces(ctx context.Context) ([]string, error)
	// Create makes a namespace; one that is there is an Exists error.
	Create(ctx context.Context, name string) error
	Destroy(ctx context.Context, name string) error
	// Open is the namespace of that name, there or not.
	Open(name string) Backend
}

// LocalSource is an engine in this process.
type LocalSource struct{ Engine *engine.Engine }

// Namespaces implements Source.
func (s LocalSource) Namespaces(ctx context.Context) ([]string, error) {
	return s.Engine.Namespaces(ctx)
}

// Create implements Source.
func (s LocalSource) Create(ctx context.Context, name string) error {
	return s.Engine.CreateNamespace(ctx, name)
}

// Destroy implements Source.
func (s LocalSource) Destroy(ctx context.Context, name string) error {
	return s.Engine.DestroyNamespace(ctx, name, true)
}

// Open implements Source.
func (s LocalSource) Open(name string) Backend { return Local{Engine: s.Engine, Name: name} }

// SetUnitMeta implements Backend.
func (l Local) SetUnitMeta(ctx context.Context, queue string, key job.Key, priority float64, notBefore time.Time) error {
	return in0(ctx, l, func(n *engine.Namespace) error {
		id := engine.Selector{IDs: []engine.JobID{{Queue: queue, Key: key}}}
		changed, err := n.Modify(ctx, id, func(j *job.Job) error {
			j.Priority, j.NotBefore = priority, notBefore
			return nil
		})
		if err != nil || changed.Changed > 0 {
			return err
		}
		return n.PrioritiseUnits(ctx, engine.UnitsSelector{Queue: queue, Keys: []job.Key{key}}, &priority, 0)
	})
}
