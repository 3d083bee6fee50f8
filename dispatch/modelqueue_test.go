package dispatch

import (
	"cmp"
	"maps"
	"slices"
)

// This is the model of the reconciler.

// assign is AssignTasks.
func (m *model) assign(t int, callers []*IdleWorker) (all []Assignment) {
	for _, id := range slices.Sorted(maps.Keys(m.queues)) {
		if q := m.queues[id]; t-q.enqueued >= 600 {
			if r := m.tasks[q.assign]; r != nil && r.worker == id {
				m.unassign(r.ID, t)
			}
			delete(m.queues, id)
		}
	}
	m.update(t)
	for _, w := range callers {
		q := m.queues[w.ID]
		if q == nil || m.tasks[q.assign] == nil || m.tasks[q.assign].worker != w.ID {
			m.idle(w.ID, w.Labels, t)
			delete(m.queues, w.ID)
		}
	}
	var back []modelTask
	for _, d := range m.pass() {
		q := &modelQueue{enqueued: m.now, assign: d.RequestID}
		if d.Type == AssignPreempting {
			old := m.queues[d.WorkerID]
			if old != nil && old.assign == d.TaskToAbort && !old.told {
				back = append(back, m.victims[d.TaskToAbort])
			} else {
				q.aborts = []RequestID{d.TaskToAbort}
			}
			if old != nil {
				q.aborts = append(q.aborts, old.aborts...)
			}
			q.spare(d.RequestID)
		}
		m.queues[d.WorkerID] = q
	}
	for _, v := range back {
		m.waiting(&v.TaskRequest, v.confirmed)
	}
	for _, w := range callers {
		if q := m.queues[w.ID]; q != nil {
			q.told = true
			all = append(all, Assignment{w.ID, q.assign, !m.tasks[q.assign].ProvisionableLabels.SubsetOf(w.Labels)})
		}
	}
	return all
}

func (q *modelQueue) spare(id RequestID) {
	q.aborts = slices.DeleteFunc(q.aborts, func(o RequestID) bool { return o == id })
}

func (m *model) tellRunning(id RequestID, w WorkerID, t int) {
	q := m.queues[w]
	if q != nil && slices.Contains(q.aborts, id) {
		return
	}
	m.running(id, w, t)
	if q != nil {
		q.told = q.told || q.assign == id
	}
	if q != nil && t >= q.enqueued {
		delete(m.queues, w)
	}
}

func (m *model) tellAbsent(id RequestID, t int) {
	m.absent(id, t)
	for _, q := range m.queues {
		if q.enqueued < t {
			q.spare(id)
		}
	}
	delete(m.errors, id)
}

func (m *model) cancellations() (all []Cancellation) {
	for id, text := range m.errors {
		all = append(all, Cancellation{RequestID: id, ErrorMessage: text})
	}
	for w, q := range m.queues {
		for _, id := range q.aborts {
			all = append(all, Cancellation{WorkerID: w, RequestID: id})
		}
	}
	slices.SortFunc(all, func(a, b Cancellation) int {
		return cmp.Or(cmp.Compare(a.WorkerID, b.WorkerID), cmp.Compare(a.RequestID, b.RequestID))
	})
	return all
}
