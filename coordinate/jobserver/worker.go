package jobserver

import (
	"bytes"
	"math"
	"time"

	"github.com/muster-queue/muster/coordinate/cborrpc"
	"github.com/muster-queue/muster/engine"
	"github.com/muster-queue/muster/job"
)

// How long a heartbeat lasts when it says what cannot be, and the longest.
const (
	negativeBeat = 300 * time.Second
	longBeat     = time.Hour
	maxBeat      = 24 * time.Hour
)

// WorkerHeartbeat makes a worker known, or says that it is still there, for that
// many seconds. An empty parent means none.
func (jobs *JobServer) WorkerHeartbeat(workerID, mode string, expireSeconds int, data map[string]any, parent string) (bool, string, error) {
	c, err := jobs.begin()
	if err != nil {
		return false, "", err
	}
	v, err := encode(data)
	if err != nil {
		return false, "", err
	}
	text, err := c.workerHeartbeat(heartbeat{workerID, mode, float64(expireSeconds), v, parent})
	return err == nil, text, err
}

// heartbeat is what a worker says of itself.
type heartbeat struct {
	worker, mode string
	seconds      float64
	data         cborrpc.Value
	parent       string
}

// lasts is how long it lasts, and what to tell the client about that.
func (h *heartbeat) lasts() (time.Duration, string) {
	switch {
	case math.IsNaN(h.seconds) || h.seconds < 0:
		return negativeBeat, "expire_seconds is negative; the heartbeat lasts 300 seconds"
	case h.seconds > maxBeat.Seconds():
		return longBeat, "expire_seconds is more than a day; the heartbeat lasts an hour"
	}
	return duration(h.seconds), ""
}

func (c call) workerHeartbeat(h heartbeat) (text string, err error) {
	if !isNull(h.data) {
		if h.data, err = document(h.data, "data"); err != nil {
			return "", job.Wrap(err, "worker_heartbeat", h.worker)
		}
	}
	now, err := c.now()
	if err != nil {
		return "", err
	}
	lasts, text := h.lasts()
	w := job.Worker{Name: h.worker, Parent: h.parent, Mode: h.mode, Data: bytes.Clone(h.data), Expires: now.Add(lasts)}
	return text, c.Announce(c.ctx, w, false)
}

// WorkerUnregister says that a worker has left; its leases run on.
func (jobs *JobServer) WorkerUnregister(workerID string) (bool, string, error) {
	c, err := jobs.begin()
	if err != nil {
		return false, "", err
	}
	return pair(c.workerUnregister(workerID))
}

func (c call) workerUnregister(worker string) error {
	err := c.Announce(c.ctx, job.Worker{Name: worker}, true)
	if job.IsKind(err, job.NotFound) {
		return notice("no worker " + keyName(worker))
	}
	return err
}

// eachWorker calls do with every active worker.
func (c call) eachWorker(do func(*engine.WorkerInfo)) error {
	after := ""
	for {
		page, err := c.Workers(c.ctx, engine.WorkersRequest{Active: true, After: after, Limit: engine.MaxPage})
		if err != nil {
			return err
		}
		for i := range page {
			if !page[i].Agent {
				do(&page[i])
			}
		}
		if len(page) < engine.MaxPage {
			return nil
		}
		after = page[len(page)-1].Name
	}
}

// ListWorkerModes tells the mode of each active worker.
func (jobs *JobServer) ListWorkerModes() (map[string]string, error) {
	c, err := jobs.begin()
	if err != nil {
		return nil, err
	}
	return c.listWorkerModes()
}

func (c call) listWorkerModes() (map[string]string, error) {
	modes := map[string]string{}
	err := c.eachWorker(func(w *engine.WorkerInfo) { modes[w.Name] = w.Mode })
	return modes, err
}

// ModeCounts counts the active workers by their mode.
func (jobs *JobServer) ModeCounts() (map[string]int, error) {
	c, err := jobs.begin()
	if err != nil {
		return nil, err
	}
	return c.modeCounts()
}

func (c call) modeCounts() (map[string]int, error) {
	counts := map[string]int{}
	err := c.eachWorker(func(w *engine.WorkerInfo) { counts[w.Mode]++ })
	return counts, err
}

// WorkerStats counts the active workers, and those of them with a parent.
func (jobs *JobServer) WorkerStats() (map[string]int, error) {
	c, err := jobs.begin()
	if err != nil {
		return nil, err
	}
	return c.workerStats()
}

func (c call) workerStats() (map[string]int, error) {
	all, children := 0, 0
	err := c.eachWorker(func(w *engine.WorkerInfo) {
		all++
		if w.Parent != "" {
			children++
		}
	})
	return map[string]int{"num_workers": all, "num_children": children, "num_expirable": all}, err
}

// GetWorkerInfo is what an active worker said of itself, and how many seconds ago
// in age_seconds; nil if there is no such worker.
func (jobs *JobServer) GetWorkerInfo(workerID string) (map[string]any, string, error) {
	c, err := jobs.begin()
	if err != nil {
		return nil, "", err
	}
	info, err := c.getWorkerInfo(workerID)
	return info, "", err
}

func (c call) getWorkerInfo(worker string) (map[string]any, error) {
	w, err := c.Worker(c.ctx, worker)
	if job.IsKind(err, job.NotFound) {
		return nil, nil
	}
	if err != nil || !w.Active || w.Agent {
		return nil, err
	}
	now, err := c.Now(c.ctx)
	if err != nil {
		return nil, err
	}
	info := map[string]any{}
	for key, value := range outData(w.Data).Entries() {
		name, _ := key.Str()
		info[name] = value
	}
	info["age_seconds"] = max(0, now.Sub(w.Heard).Seconds())
	return info, nil
}

// GetChildWorkUnits lists the work units that the children of a worker hold.
func (jobs *JobServer) GetChildWorkUnits(workerID string) (map[string][]map[string]any, string, error) {
	c, err := jobs.begin()
	if err != nil {
		return nil, "", err
	}
	all, err := c.getChildWorkUnits(workerID)
	for _, units := range all {
		for _, m := range units {
			data, err := m["work_unit_data"].(cborrpc.Value).Map()
			if err != nil {
				return nil, "", err
			}
			m["work_unit_data"] = data
		}
	}
	return all, "", err
}

func (c call) getChildWorkUnits(parent string) (map[string][]map[string]any, error) {
	children, err := c.ChildUnits(c.ctx, parent)
	if err != nil && !job.IsKind(err, job.NotFound) {
		return nil, err
	}
	specs := map[string]bool{}
	all := map[string][]map[string]any{}
	for child, units := range children {
		list := []map[string]any{}
		for _, u := range units {
			isSpec, known := specs[u.Queue]
			if !known {
				_, err := c.spec(u.Queue)
				isSpec = err == nil
				specs[u.Queue] = isSpec
			}
			if isSpec {
				list = append(list, childUnit(child, u))
			}
		}
		all[child] = list
	}
	return all, nil
}

// childUnit describes a unit by its current attempt, whoever has that.
func childUnit(child string, u *engine.Unit) map[string]any {
	m := map[string]any{
		"work_spec_name": u.Queue, "work_unit_key": []byte(u.Key), "work_unit_data": unitData(u),
		"worker_id": child, "expires": int64(0),
	}
	if a := u.Attempt; a != nil {
		m["worker_id"] = a.Worker
		if !a.Deadline.IsZero() {
			m["expires"] = a.Deadline.Unix()
		}
	}
	return m
}
