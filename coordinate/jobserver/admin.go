package jobserver

import (
	"github.com/muster-queue/muster/coordinate/cborrpc"
	"github.com/muster-queue/muster/coordinate/internal/backend"
	"github.com/muster-queue/muster/engine"
	"github.com/muster-queue/muster/job"
)

// errNoConfig is the answer of a server that was given no configuration.
var errNoConfig = job.Errorf(job.NotFound, "no config to get")

// GetConfig is the global configuration.
func (jobs *JobServer) GetConfig() (map[string]any, string, error) {
	if jobs.GlobalConfig == nil {
		return nil, "", errNoConfig
	}
	return jobs.GlobalConfig, "", nil
}

// Now is the server's time in seconds since 1970.
func (jobs *JobServer) Now() (int, error) {
	c, err := jobs.begin()
	if err != nil {
		return 0, err
	}
	now, err := c.now()
	return int(now.Unix()), err
}

// Archive removes finished work units beyond the number and age that their
// queue keeps; without such settings it removes nothing. The value is nil.
func (jobs *JobServer) Archive(options map[string]any) (any, error) {
	c, err := jobs.begin()
	if err != nil {
		return nil, err
	}
	v, err := encode(options)
	if err == nil {
		err = c.archive(v)
	}
	return nil, err
}

func (c call) archive(v cborrpc.Value) error {
	var o ArchiveOptions
	if err := o.read(v); err != nil {
		return job.Wrap(err, "archive", "")
	}
	names := o.WorkSpecNames
	if len(names) == 0 {
		err := backend.EachSpec(c.ctx, c.Backend, "", func(q engine.QueueInfo) bool {
			names = append(names, q.Name)
			return true
		})
		if err != nil {
			return err
		}
	}
	for _, name := range names {
		if _, err := c.spec(name); err != nil {
			if _, err := message(err); err != nil {
				return err
			}
			continue
		}
		if _, err := c.Prune(c.ctx, name); err != nil && !job.IsKind(err, job.NotFound) {
			return err
		}
	}
	return nil
}
