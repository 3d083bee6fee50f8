package client

import (
	"context"
	"iter"
	"time"

	"github.com/muster-queue/muster/api"
	musterv1 "github.com/muster-queue/muster/api/muster/v1"
	"github.com/muster-queue/muster/job"
)

// WorkerInfo is a worker as it stands.
type WorkerInfo struct {
	job.Worker
	// Free is what no job occupies; Held how many attempts it holds.
	Free job.Resources
	Held int64
	// Heard is when it was last heard; Alive whether it is thought to be there.
	Heard           time.Time
	Alive, Draining bool
	// Active: it announced itself for a time that has not passed; Left: it said
	// that it leaves.
	Active, Left bool
	Version      string
}

// WorkerInfo gets a worker by its name.
func (n *Namespace) WorkerInfo(ctx context.Context, name string) (*WorkerInfo, error) {
	m, err := call(ctx, n.c, n.c.workers.GetWorker, &musterv1.GetWorkerRequest{Namespace: n.name, Worker: name})
	if err != nil {
		return nil, err
	}
	return toWorkerInfo(m)
}

// WorkerFilter says which workers are listed; its zero value means those that are
// there.
type WorkerFilter struct {
	// Parent, if not empty, is the one whose children are meant.
	Parent string
	// Active leaves out those that did not announce themselves for a time that has
	// not passed; All lists those, too, that are long silent or left.
	Active, All bool
}

// Workers lists workers, in order of names.
func (n *Namespace) Workers(ctx context.Context, f WorkerFilter) iter.Seq2[*WorkerInfo, error] {
	return pages(func(token string) ([]*WorkerInfo, string, error) {
		m, err := call(ctx, n.c, n.c.workers.ListWorkers, &musterv1.ListWorkersRequest{
			Namespace: n.name, PageSize: maxPage, PageToken: token, All: f.All, Parent: f.Parent, Active: f.Active,
		})
		if err != nil {
			return nil, "", err
		}
		list, err := convert(m.Workers, toWorkerInfo)
		return list, m.NextPageToken, err
	})
}

// DrainWorker gives a worker no more jobs; with undo, jobs again.
func (n *Namespace) DrainWorker(ctx context.Context, name string, undo bool) (*WorkerInfo, error) {
	m, err := call(ctx, n.c, n.c.workers.DrainWorker, &musterv1.DrainWorkerRequest{Namespace: n.name, Worker: name, Undo: undo})
	if err != nil {
		return nil, err
	}
	return toWorkerInfo(m)
}

// Announce tells about a pulling worker: that it is there and what it is, or
// that it leaves.
func (n *Namespace) Announce(ctx context.Context, w *job.Worker, leave bool) error {
	_, err := call(ctx, n.c, n.c.workers.AnnounceWorker, &musterv1.AnnounceWorkerRequest{
		Namespace: n.name, Worker: api.FromWorker(w), Leave: leave,
	})
	return err
}

func toWorkerInfo(m *musterv1.WorkerInfo) (*WorkerInfo, error) {
	w, err := api.ToWorker(m.Worker)
	return &WorkerInfo{
		Worker: w, Free: m.Free, Held: m.Held, Heard: stamp(m.Heard), Alive: m.Alive, Draining: m.Draining,
		Active: m.Active, Left: m.Left, Version: m.Version,
	}, answered(err)
}
