package engine

import (
	"context"

	"github.com/muster-queue/muster/job"
	"github.com/muster-queue/muster/queue"
)

// Announce makes a pulling worker known with all it says of itself, until
// a.Expires, or says that it leaves; what it holds keeps its leases. It is
// remembered for a while after it expired, left, or was heard of last. Asking for
// jobs needs no announcement. Errors: Invalid; NotFound for an unknown one that
// leaves; Conflict for an agent's name.
func (n *Namespace) Announce(ctx context.Context, a job.Worker, leaves bool) error {
	a.Agent = false
	if err := a.Validate(); err != nil {
		return err
	}
	_, err := call(ctx, n, urgent, func(w *writer) (struct{}, error) {
		if err := w.state.Pulls(a.Name); err != nil {
			return struct{}{}, err
		}
		if !leaves {
			w.state.Join(a)
			return struct{}{}, nil
		}
		row, ok := w.state.WorkerNamed(a.Name)
		if !ok {
			return struct{}{}, errNoWorker(a.Name)
		}
		w.state.Leave(row.ID)
		w.feed()
		return struct{}{}, nil
	})
	return err
}

func errNoWorker(name string) error { return job.Errorf(job.NotFound, "no worker is called %q", name) }

// meet is the number of a worker who asks for a job by name, made known if it is
// not; zero for nobody.
func (w *writer) meet(name string) job.WorkerID {
	if name == "" {
		return 0
	}
	return w.state.Meet(job.Worker{Name: name})
}

// DrainWorker gives a worker no more jobs, or (on false) jobs again. What it has
// it finishes. It is kept over restarts of the server, and ends with the worker:
// an agent that is started anew gets jobs again.
func (n *Namespace) DrainWorker(ctx context.Context, name string, on bool) error {
	_, err := call(ctx, n, urgent, func(w *writer) (struct{}, error) {
		row, ok := w.state.WorkerNamed(name)
		if !ok {
			return struct{}{}, errNoWorker(name)
		}
		if err := w.state.DrainWorker(row.ID, on); err != nil {
			return struct{}{}, err
		}
		kind := job.EventWorkerResumed
		if on {
			kind = job.EventWorkerDrained
		}
		if on != row.Drained {
			w.record(job.EventRow{Kind: kind, Worker: name, Who: whoOf(ctx)})
		}
		if s := w.sessions[row.ID]; s != nil {
			w.setWorker(s, &row.Worker, s.prefetch)
		}
		w.fresh = w.fresh || !on // its waiting reserves may be served now
		return struct{}{}, nil
	})
	return err
}

// Workers lists workers in the order of their names. What it costs does not depend
// on workers that are not asked for.
func (n *Namespace) Workers(ctx context.Context, r WorkersRequest) ([]WorkerInfo, error) {
	if r.Limit <= 0 || r.Limit > MaxPage {
		r.Limit = MaxPage
	}
	filter := queue.WorkerFilter{Parent: r.Parent, Active: r.Active, Left: r.All}
	return call(ctx, n, normal, func(w *writer) ([]WorkerInfo, error) {
		var all []WorkerInfo
		for _, row := range w.state.Workers(filter, r.After, r.Limit) {
			all = append(all, w.workerInfo(&row))
		}
		return all, nil
	})
}

// Worker is one worker by name.
func (n *Namespace) Worker(ctx context.Context, name string) (WorkerInfo, error) {
	return call(ctx, n, normal, func(w *writer) (WorkerInfo, error) {
		row, ok := w.state.WorkerNamed(name)
		if !ok {
			return WorkerInfo{}, errNoWorker(name)
		}
		return w.workerInfo(&row), nil
	})
}

func (w *writer) workerInfo(row *queue.WorkerInfo) WorkerInfo {
	i := WorkerInfo{Worker: row.Worker, ID: row.ID, Heard: row.Heard.Std(), Held: row.Held, Active: row.Active, Left: row.Left}
	s := w.sessions[row.ID]
	i.Connected = s != nil || !row.Agent && !row.Silent && !row.Left
	i.Draining = row.Drained || s != nil && s.draining
	if row.Agent {
		i.Free = row.Capacity.Clone()
		for _, h := range w.state.Held(row.ID) {
			if h.State != job.Reserved {
				i.Free.Sub(w.state.Granted(h.Seq).Needs)
			}
		}
	}
	return i
}
