package dispatch

import (
	"cmp"
	"slices"
	"time"
)

// Snapshot is how a pool stands at a time, as flat rows; each list is sorted by ID.
type Snapshot struct {
	Accounts []AccountSnapshot
	Tasks    []TaskSnapshot
	Workers  []WorkerSnapshot
}

// AccountSnapshot is an account and what it has.
type AccountSnapshot struct {
	ID           AccountID
	Pool         string
	Balance      Balance
	SnapshotTime time.Time
}

// TaskSnapshot is a request, queued or running.
type TaskSnapshot struct {
	ID        RequestID
	Pool      string
	AccountID AccountID
	// WorkerID is where it runs; empty: it is queued.
	WorkerID                        WorkerID
	BaseLabels, ProvisionableLabels Labels // sorted
	SnapshotTime                    time.Time
}

// WorkerSnapshot is a worker.
type WorkerSnapshot struct {
	ID   WorkerID
	Pool string
	// TaskID is what it runs; empty: it is idle.
	TaskID       RequestID
	Labels       Labels // sorted
	SnapshotTime time.Time
}

// ToSnapshot is how everything stands, under the name of a pool.
func (s *Scheduler) ToSnapshot(pool string) *Snapshot {
	snap := &Snapshot{}
	for id, b := range s.reckoned() {
		snap.Accounts = append(snap.Accounts, AccountSnapshot{id, pool, b, s.now})
	}
	for id, r := range s.requests {
		row := TaskSnapshot{
			ID: id, Pool: pool, AccountID: r.shape.payer.id, BaseLabels: slices.Clone(r.shape.base),
			ProvisionableLabels: slices.Clone(r.shape.provisionable), SnapshotTime: s.now,
		}
		if r.worker != nil {
			row.WorkerID = r.worker.id
		}
		snap.Tasks = append(snap.Tasks, row)
	}
	for id, w := range s.workers {
		row := WorkerSnapshot{ID: id, Pool: pool, Labels: slices.Clone(w.labels), SnapshotTime: s.now}
		if w.run != nil {
			row.TaskID = w.run.id
		}
		snap.Workers = append(snap.Workers, row)
	}
	slices.SortFunc(snap.Accounts, func(a, b AccountSnapshot) int { return cmp.Compare(a.ID, b.ID) })
	slices.SortFunc(snap.Tasks, func(a, b TaskSnapshot) int { return cmp.Compare(a.ID, b.ID) })
	slices.SortFunc(snap.Workers, func(a, b WorkerSnapshot) int { return cmp.Compare(a.ID, b.ID) })
	return snap
}
