package engine

import (
	"context"

	"github.com/muster-queue/muster/job"
)

// Announce makes a pulling worker known before it asks for jobs, or says that it
// leaves; what it holds keeps its leases.
func (n *Namespace) Announce(ctx context.Context, a job.Worker, leaves bool) error {
	_, err := call(ctx, n, urgent, func(w *writer) (struct{}, error) {
		if !leaves {
			id, _ := w.state.Join(a)
			return struct{}{}, w.state.Heard(id)
		}
		row, ok := w.state.WorkerNamed(a.Name)
		if !ok {
			return struct{}{}, job.Errorf(job.NotFound, "no worker is called %q", a.Name)
		}
		w.state.Leave(row.ID)
		w.feed()
		return struct{}{}, nil
	})
	return err
}

// DrainWorker gives a worker no more jobs, or (on false) jobs again. What it has
// it finishes. It is kept over restarts of the server, and ends with the worker:
// an agent that is started anew gets jobs again.
func (n *Namespace) DrainWorker(ctx context.Context, name string, on bool) error {
	_, err := call(ctx, n, urgent, func(w *writer) (struct{}, error) {
		row, ok := w.state.WorkerNamed(name)
		if !ok {
			return struct{}{}, job.Errorf(job.NotFound, "no worker is called %q", name)
		}
		if err := w.state.DrainWorker(row.ID, on); err != nil {
			return struct{}{}, err
		}
		if s := w.sessions[row.ID]; s != nil {
			w.setWorker(s, &row.Worker, s.prefetch)
		}
		w.fresh = w.fresh || !on // its waiting reserves may be served now
		return struct{}{}, nil
	})
	return err
}
