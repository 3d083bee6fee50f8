package jobserver

import (
	"bytes"
	"errors"

	"github.com/muster-queue/muster/coordinate/cborrpc"
	"github.com/muster-queue/muster/engine"
	"github.com/muster-queue/muster/job"
)

// UpdateWorkUnit changes the state, data or lease of a work unit; the value tells
// whether anything changed.
func (jobs *JobServer) UpdateWorkUnit(workSpecName string, workUnitKey string, options map[string]any) (bool, string, error) {
	c, err := jobs.begin()
	if err != nil {
		return false, "", err
	}
	v, err := encode(options)
	if err != nil {
		return false, "", err
	}
	changed, err := c.updateWorkUnit(workSpecName, workUnitKey, v)
	text, err := message(err)
	return changed, text, err
}

// targets are what each status means to the engine.
var targets = map[WorkUnitStatus]engine.Target{
	0:         engine.TargetNone,
	Available: engine.TargetReady,
	Pending:   engine.TargetHeld,
	Finished:  engine.TargetComplete,
	Failed:    engine.TargetFailed,
}

func (c call) updateWorkUnit(spec, key string, v cborrpc.Value) (bool, error) {
	var o UpdateWorkUnitOptions
	if err := o.read(v); err != nil {
		return false, job.Wrap(err, "update_work_unit", spec)
	}
	r := engine.UpdateRequest{
		Queue: spec, Key: job.Key(key), To: targets[o.Status], Data: bytes.Clone(o.data), Worker: o.WorkerID, Defined: true,
	}
	if o.Status == 0 || o.Status == Pending {
		lease := o.LeaseDuration()
		r.Lease = &lease
	}
	result, err := c.Update(c.ctx, r)
	switch {
	case errors.Is(err, job.ErrNoJob):
		return false, notice("no such work unit key=" + keyName(key))
	case err != nil:
		return false, noSpec(err, spec)
	}
	return result.Changed, nil
}
