package jobserver

import (
	"github.com/muster-queue/muster/coordinate/cborrpc"
	"github.com/muster-queue/muster/coordinate/internal/backend"
	"github.com/muster-queue/muster/engine"
	"github.com/muster-queue/muster/job"
)

// GetWork leases available work units of one work spec to a worker. When one is
// asked for, the value is a PythonTuple of work spec, key and data, each nil if
// there is no work; otherwise a list of them, perhaps empty.
func (jobs *JobServer) GetWork(workerID string, options map[string]any) (any, string, error) {
	c, err := jobs.begin()
	if err != nil {
		return nil, "", err
	}
	v, err := encode(options)
	if err != nil {
		return nil, "", err
	}
	grants, single, err := c.getWork(workerID, v)
	if err != nil {
		return nil, "", err
	}
	list := []any{}
	for i := range grants {
		data, err := outData(grants[i].Data).Map()
		if err != nil {
			return nil, "", err
		}
		list = append(list, cborrpc.PythonTuple{Items: []any{grants[i].Queue, []byte(grants[i].Key), data}})
	}
	switch {
	case !single:
		return list, "", nil
	case len(list) == 0:
		return cborrpc.PythonTuple{Items: []any{nil, nil, nil}}, "", nil
	}
	return list[0], "", nil
}

// getWork also tells whether only one unit was asked for.
func (c call) getWork(worker string, v cborrpc.Value) (grants []engine.Grant, single bool, err error) {
	var o GetWorkOptions
	if err := o.read(v); err != nil {
		return nil, false, job.Wrap(err, "get_work", worker)
	}
	grants, err = c.Reserve(c.ctx, engine.ReserveRequest{
		Worker: job.Worker{Name: worker}, N: min(o.MaxJobs, maxGetWork), Queues: o.WorkSpecNames,
		OneQueue: true, Defined: true, Runtimes: []string{""}, Lease: o.LeaseDuration(), AvailableMemory: backend.Gigabytes(o.AvailableGb),
	})
	return grants, o.MaxJobs == 1, err
}
