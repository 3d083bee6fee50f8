package jobserver

import (
	"slices"

	"github.com/muster-queue/muster/coordinate"
	"github.com/muster-queue/muster/coordinate/cborrpc"
	"github.com/muster-queue/muster/coordinate/internal/backend"
	"github.com/muster-queue/muster/engine"
	"github.com/muster-queue/muster/job"
)

// SetWorkSpec makes a work spec, or replaces its dictionary and all settings that
// follow from that.
func (jobs *JobServer) SetWorkSpec(specMap map[string]any) (bool, string, error) {
	c, err := jobs.begin()
	if err != nil {
		return false, "", err
	}
	v, err := encode(specMap)
	if err == nil {
		err = c.setWorkSpec(v)
	}
	return pair(err)
}

func (c call) setWorkSpec(v cborrpc.Value) error {
	if !v.IsMap() {
		return job.Errorf(job.Invalid, "set_work_spec: the work spec must be a dictionary")
	}
	_, err := backend.SetWorkSpec(c.ctx, c.Backend, v)
	return err
}

// GetWorkSpec is the dictionary of a work spec; nil if there is none.
func (jobs *JobServer) GetWorkSpec(workSpecName string) (map[string]any, error) {
	c, err := jobs.begin()
	if err != nil {
		return nil, err
	}
	v, err := c.getWorkSpec(workSpecName)
	if err != nil {
		return nil, err
	}
	return v.Map()
}

// getWorkSpec is nil if there is no such work spec.
func (c call) getWorkSpec(name string) (cborrpc.Value, error) {
	q, err := c.spec(name)
	if text, err := message(err); err != nil || text != "" {
		return nil, err
	}
	return backend.OutSpec(q.Definition), nil
}

// GetWorkSpecMeta are the settings of a work spec: status, continuous, interval
// (in seconds), max_running, weight.
func (jobs *JobServer) GetWorkSpecMeta(workSpecName string) (map[string]any, string, error) {
	c, err := jobs.begin()
	if err != nil {
		return nil, "", err
	}
	q, err := c.spec(workSpecName)
	if err != nil {
		text, err := message(err)
		return nil, text, err
	}
	return specMeta(q), "", nil
}

func specMeta(q engine.QueueInfo) map[string]any {
	status := Runnable
	if q.Paused {
		status = Paused
	}
	return map[string]any{
		"status": status, "continuous": q.Continuous, "interval": q.Interval.Seconds(),
		"max_running": q.MaxRunning, "weight": job.Share(q.Weight),
	}
}

// ControlWorkSpec changes settings of a work spec, but not its dictionary.
func (jobs *JobServer) ControlWorkSpec(workSpecName string, options map[string]any) (bool, string, error) {
	c, err := jobs.begin()
	if err != nil {
		return false, "", err
	}
	v, err := encode(options)
	if err == nil {
		err = c.controlWorkSpec(workSpecName, v)
	}
	return pair(err)
}

func (c call) controlWorkSpec(name string, v cborrpc.Value) error {
	var o ControlWorkSpecOptions
	if err := o.read(v); err != nil {
		return job.Wrap(err, "control_work_spec", name)
	}
	var refused error
	err := c.UpdateQueue(c.ctx, name, func(q *job.Queue) { refused = o.apply(q) })
	if refused != nil {
		return refused
	}
	return noSpec(err, name)
}

// apply changes a queue's settings, or says why not.
func (o *ControlWorkSpecOptions) apply(q *job.Queue) error {
	switch {
	case !q.Defined():
		return coordinate.ErrNoSuchWorkSpec{Name: q.Name}
	case o.Continuous != nil && *o.Continuous && !q.CanBeContinuous:
		return notice(coordinate.ErrCannotBecomeContinuous.Error())
	}
	if o.Status != nil {
		q.Paused = *o.Status == Paused
	}
	if o.Continuous != nil {
		q.Continuous = *o.Continuous
	}
	if o.Weight != nil {
		if q.Weight = int64(*o.Weight); q.Weight <= 0 {
			q.Weight = -1 // never chosen
		}
	}
	if o.Interval != nil {
		q.Interval = max(0, duration(*o.Interval))
	}
	if o.MaxRunning != nil {
		q.MaxRunning = max(0, int64(*o.MaxRunning))
	}
	return nil
}

// ListWorkSpecs lists the dictionaries of work specs in the order of their names;
// the second value is the name of the first that the limit left out.
func (jobs *JobServer) ListWorkSpecs(options map[string]any) ([]map[string]any, string, error) {
	c, err := jobs.begin()
	if err != nil {
		return nil, "", err
	}
	v, err := encode(options)
	if err != nil {
		return nil, "", err
	}
	definitions, next, err := c.listWorkSpecs(v)
	specs := []map[string]any{}
	for _, d := range definitions {
		spec, err := d.Map()
		if err != nil {
			return nil, "", err
		}
		specs = append(specs, spec)
	}
	return specs, next, err
}

func (c call) listWorkSpecs(v cborrpc.Value) (specs []cborrpc.Value, next string, err error) {
	var o ListWorkSpecsOptions
	if err := o.read(v); err != nil || o.Limit <= 0 {
		return nil, "", job.Wrap(err, "list_work_specs", "")
	}
	err = backend.EachSpec(c.ctx, c.Backend, o.Start, func(q engine.QueueInfo) bool {
		if len(specs) == o.Limit {
			next = q.Name
			return false
		}
		specs = append(specs, backend.OutSpec(q.Definition))
		return true
	})
	return specs, next, err
}

// DelWorkSpec deletes a work spec with its work units.
func (jobs *JobServer) DelWorkSpec(workSpecName string) (bool, string, error) {
	c, err := jobs.begin()
	if err != nil {
		return false, "", err
	}
	return pair(c.delWorkSpec(workSpecName))
}

func (c call) delWorkSpec(name string) error {
	if _, err := c.spec(name); err != nil {
		return err
	}
	_, err := c.DeleteQueue(c.ctx, name, true)
	return noSpec(err, name)
}

// Clear deletes all work specs, and tells how many there were.
func (jobs *JobServer) Clear() (count int, err error) {
	c, err := jobs.begin()
	if err != nil {
		return 0, err
	}
	return c.clear()
}

func (c call) clear() (count int, err error) {
	var names []string
	err = backend.EachSpec(c.ctx, c.Backend, "", func(q engine.QueueInfo) bool {
		names = append(names, q.Name)
		return true
	})
	for name := range slices.Values(names) {
		if err != nil {
			break
		}
		switch _, err = c.DeleteQueue(c.ctx, name, true); {
		case err == nil:
			count++
		case job.IsKind(err, job.NotFound): // by another, meanwhile
			err = nil
		}
	}
	return count, err
}
