package engine

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"time"

	"github.com/muster-queue/muster/job"
	"github.com/muster-queue/muster/queue"
)

// MakeAttempt gives a job of a queue to a worker (empty: nobody known), whatever
// the job's state and the queue's settings: an attempt that holds it is revoked, a
// complete or buried job reopened. A lease of zero means the job's or queue's. The
// grant has Queue, Key and Data. Errors: job.ErrNoQueue, job.ErrNoJob, Conflict for
// a command, Invalid.
func (n *Namespace) MakeAttempt(ctx context.Context, worker, queueName string, key job.Key, lease time.Duration) (*Grant, error) {
	u, err := newUpdating(n, &UpdateRequest{Queue: queueName, Key: key, To: TargetHeld, Lease: &lease, Worker: worker})
	if err != nil {
		return nil, err
	}
	u.force = true
	if _, err := u.run(ctx); err != nil {
		return nil, job.Wrap(err, "make an attempt at job", JobID{Queue: queueName, Key: key}.String())
	}
	grants, err := n.fillGrants([]queue.Grant{u.made}, true)
	if err != nil || len(grants) == 0 {
		return nil, cmp.Or(err, job.ErrNoJob)
	}
	return &grants[0], nil
}

// UnitAttempts are the attempts at a job of a queue that is ordered by key, oldest
// first, with their data where it is or was not the job's. Errors: job.ErrNoQueue;
// job.ErrNoJob; Conflict if the queue is in another order.
func (n *Namespace) UnitAttempts(ctx context.Context, queueName string, key job.Key) ([]UnitAttempt, error) {
	b, err := n.byKey(ctx, queueName)
	if err != nil {
		return nil, err
	}
	found, err := b.find(ctx, []job.Key{key})
	if err != nil {
		return nil, err
	}
	if found[0] == nil {
		return nil, job.Wrap(job.ErrNoJob, "read attempts at job", JobID{Queue: queueName, Key: key}.String())
	}
	return n.attempts(found[0])
}

// attempts reads the attempts at a job.
func (n *Namespace) attempts(l *located) ([]UnitAttempt, error) {
	rows, err := n.store.Attempts(l.live.Seq)
	if err != nil {
		return nil, job.Wrap(err, "read attempts", "")
	}
	var all []UnitAttempt
	var refs []job.PayloadRef
	for i := range rows {
		if r := &rows[i]; !l.live.State.Held() || r.ID != l.live.Attempt { // a lease that ended and was given back has a row
			a := UnitAttempt{ID: r.ID, Number: r.Number, Outcome: r.Outcome, Granted: r.Granted}
			a.fill(&r.Attempt, false)
			all = append(all, a)
			refs = append(refs, job.PayloadRef{Seq: l.live.Seq, Version: r.Version})
		}
	}
	if l.live.State.Held() {
		all = append(all, *newUnit("", l).Attempt)
		refs = append(refs, job.PayloadRef{Seq: l.live.Seq, Version: l.live.GivenVersion})
	}
	payloads, err := n.store.Payloads(refs)
	if err != nil {
		return nil, job.Wrap(err, "read the data of attempts", "")
	}
	for i := range all {
		if all[i].Data == nil && refs[i].Version != l.live.Version {
			if all[i].Data, err = dataOf(payloads[i].Body); err != nil {
				return nil, err
			}
		}
	}
	return all, nil
}

// WorkerUnits are the jobs, in queues ordered by key, that a worker holds now, in
// the order of queue and key; with all also those whose newest attempt was its, of
// the complete ones as far as the last maxWorkerHistory go. An unknown worker has
// none.
func (n *Namespace) WorkerUnits(ctx context.Context, worker string, all bool) ([]*Unit, error) {
	held, err := n.heldUnits(ctx, []string{worker})
	if err != nil || !all {
		return held[worker], err
	}
	had, err := n.unitsHad(ctx, worker)
	if err != nil {
		return nil, err
	}
	units := append(held[worker], slices.DeleteFunc(had, func(u *Unit) bool {
		return slices.ContainsFunc(held[worker], func(h *Unit) bool { return h.Seq == u.Seq })
	})...)
	slices.SortFunc(units, byQueueAndKey)
	return units, nil
}

func byQueueAndKey(a, b *Unit) int {
	return cmp.Or(cmp.Compare(a.Queue, b.Queue), cmp.Compare(a.Key, b.Key))
}

// ChildUnits are the jobs that each child of a worker holds now, by the child's
// name. Children without any are left out.
func (n *Namespace) ChildUnits(ctx context.Context, parent string) (map[string][]*Unit, error) {
	all := map[string][]*Unit{}
	for r := (WorkersRequest{Parent: parent, All: true, Limit: MaxPage}); parent != ""; {
		page, err := n.Workers(ctx, r)
		if err != nil {
			return nil, err
		}
		var names []string
		for i := range page {
			if r.After = page[i].Name; page[i].Held > 0 {
				names = append(names, r.After)
			}
		}
		held, err := n.heldUnits(ctx, names)
		if err != nil {
			return nil, err
		}
		maps.Copy(all, held)
		if len(page) < r.Limit {
			break
		}
	}
	return all, nil
}

// workerUnits are jobs found in memory, by queue and then as the worker's.
type workerUnits map[string][]*located

func (n *Namespace) heldUnits(ctx context.Context, workers []string) (map[string][]*Unit, error) {
	found, err := call(ctx, n, normal, func(w *writer) (workerUnits, error) {
		found := workerUnits{}
		for _, name := range workers {
			row, ok := w.state.WorkerNamed(name)
			if !ok {
				continue
			}
			for _, k := range w.state.HeldByKey(row.ID) {
				def, _ := w.state.Queue(k.Queue)
				found[def.Name] = append(found[def.Name], new(locatedLive(&k)))
			}
		}
		return found, nil
	})
	if err != nil {
		return nil, err
	}
	units, err := n.unitsOf(found)
	byWorker := map[string][]*Unit{}
	for _, u := range units {
		byWorker[u.Attempt.Worker] = append(byWorker[u.Attempt.Worker], u)
	}
	return byWorker, err
}

// unitsOf reads what is on disk of jobs of several queues.
func (n *Namespace) unitsOf(found workerUnits) (all []*Unit, err error) {
	for name, jobs := range found {
		units, err := n.units(name, jobs, false)
		if err != nil {
			return nil, err
		}
		all = append(all, slices.DeleteFunc(units, func(u *Unit) bool { return u == nil })...)
	}
	slices.SortFunc(all, byQueueAndKey)
	return all, nil
}

// maxWorkerHistory is how many complete jobs are looked through for those of a
// worker.
const maxWorkerHistory = 100_000

// unitsHad finds the jobs whose newest attempt is or was the worker's, by looking
// through all: programs rarely ask.
func (n *Namespace) unitsHad(ctx context.Context, worker string) ([]*Unit, error) {
	keys := map[string][]job.Key{}
	err := n.eachLive(ctx, &Filter{Worker: worker}, 0, true, nil, func(_ *found, j *job.Job) bool {
		keys[j.Queue] = append(keys[j.Queue], j.Key)
		return true
	})
	if err == nil {
		err = n.completedBy(ctx, worker, keys)
	}
	if err != nil {
		return nil, err
	}
	found := workerUnits{}
	for name, keys := range keys {
		b, err := n.byKey(ctx, name)
		if job.IsKind(err, job.NotFound) || job.IsKind(err, job.Conflict) {
			continue // deleted since, or in another order
		}
		if err == nil {
			found[name], err = b.find(ctx, keys)
		}
		if err != nil {
			return nil, err
		}
	}
	return n.unitsOf(found)
}

// completedBy adds the keys of the worker's complete jobs, by queue.
func (n *Namespace) completedBy(ctx context.Context, worker string, keys map[string][]job.Key) error {
	who, err := call(ctx, n, normal, func(w *writer) (job.WorkerID, error) {
		row, _ := w.state.WorkerNamed(worker)
		return row.ID, nil
	})
	if err != nil || who == 0 {
		return err
	}
	byID, left := map[job.QueueID][]job.Key{}, maxWorkerHistory
	err = n.store.History(0, 0, func(f *job.Finished) bool {
		if f.Worker == who && f.Keyed {
			byID[f.Queue] = append(byID[f.Queue], f.Key)
		}
		left--
		return left > 0 && ctx.Err() == nil
	})
	if err != nil {
		return job.Wrap(err, "read history", "")
	}
	_, err = call(ctx, n, normal, func(w *writer) (struct{}, error) {
		for id, part := range byID {
			if def, ok := w.state.Queue(id); ok {
				keys[def.Name] = append(keys[def.Name], part...)
			}
		}
		return struct{}{}, nil
	})
	return err
}
