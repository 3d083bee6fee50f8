package coordinate

import (
	"time"

	"github.com/muster-queue/muster/coordinate/internal/backend"
	"github.com/muster-queue/muster/engine"
	"github.com/muster-queue/muster/job"
)

// namespace implements Namespace.
type namespace struct {
	backend.Backend
	world *world
	name  string
}

// gone makes ErrGone of what is not there.
func gone(err error) error {
	if job.IsKind(err, job.NotFound) {
		return ErrGone
	}
	return err
}

// Name implements Namespace.
func (n *namespace) Name() string { return n.name }

// Destroy implements Namespace.
func (n *namespace) Destroy() error {
	return gone(n.world.source.Destroy(n.world.ctx, realName(n.name)))
}

// SetWorkSpec implements Namespace.
func (n *namespace) SetWorkSpec(spec map[string]any) (WorkSpec, error) {
	definition, err := backend.Definition(spec)
	if err != nil {
		return nil, err
	}
	q, err := backend.SetWorkSpec(n.world.ctx, n.Backend, definition)
	if err != nil {
		return nil, gone(err)
	}
	return n.spec(q.Name), nil
}

func (n *namespace) spec(name string) *workSpec { return &workSpec{namespace: n, name: name} }

// WorkSpec implements Namespace.
func (n *namespace) WorkSpec(name string) (WorkSpec, error) {
	s := n.spec(name)
	if _, err := s.queue(); err != nil {
		return nil, n.noSpec(err, name)
	}
	return s, nil
}

// noSpec says that a work spec is not there, unless the whole namespace is not.
func (n *namespace) noSpec(err error, name string) error {
	if gone(err) != ErrGone { //nolint:errorlint // it is the very value
		return err
	}
	if _, err := n.Now(n.world.ctx); err != nil {
		return gone(err)
	}
	return ErrNoSuchWorkSpec{Name: name}
}

// DestroyWorkSpec implements Namespace.
func (n *namespace) DestroyWorkSpec(name string) error {
	_, err := n.spec(name).queue()
	if err == nil {
		_, err = n.DeleteQueue(n.world.ctx, name, true)
	}
	return n.noSpec(err, name)
}

// WorkSpecNames implements Namespace.
func (n *namespace) WorkSpecNames() ([]string, error) {
	names := []string{}
	err := n.eachSpec(func(q engine.QueueInfo) { names = append(names, q.Name) })
	return names, err
}

func (n *namespace) eachSpec(do func(engine.QueueInfo)) error {
	return gone(backend.EachSpec(n.world.ctx, n.Backend, "", func(q engine.QueueInfo) bool {
		do(q)
		return true
	}))
}

// newWorker is how long a worker that nobody knew is active.
const newWorker = 15 * time.Minute

// Worker implements Namespace.
func (n *namespace) Worker(name string) (Worker, error) {
	ctx := n.world.ctx
	_, err := n.Backend.Worker(ctx, name)
	if job.IsKind(err, job.NotFound) {
		var now time.Time
		if now, err = n.Now(ctx); err == nil {
			err = n.Announce(ctx, job.Worker{Name: name, Expires: now.Add(newWorker)}, false)
		}
	}
	if err != nil {
		return nil, gone(err)
	}
	return n.worker(name), nil
}

func (n *namespace) worker(name string) *worker { return &worker{namespace: n, name: name} }

// Workers implements Namespace.
func (n *namespace) Workers() (map[string]Worker, error) {
	all := map[string]Worker{}
	err := n.eachWorker(engine.WorkersRequest{All: true}, func(w *engine.WorkerInfo) { all[w.Name] = n.worker(w.Name) })
	return all, err
}

// eachWorker goes through the workers that are no agents.
func (n *namespace) eachWorker(r engine.WorkersRequest, do func(*engine.WorkerInfo)) error {
	r.Limit = engine.MaxPage
	for {
		page, err := n.Backend.Workers(n.world.ctx, r)
		if err != nil {
			return gone(err)
		}
		for i := range page {
			if !page[i].Agent {
				do(&page[i])
			}
		}
		if len(page) < r.Limit {
			return nil
		}
		r.After = page[len(page)-1].Name
	}
}
