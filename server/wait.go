package server

import (
	"context"

	"google.golang.org/grpc"

	"github.com/muster-queue/muster/api"
	v1 "github.com/muster-queue/muster/api/muster/v1"
	"github.com/muster-queue/muster/engine"
	"github.com/muster-queue/muster/job"
)

// maxAwaited bounds the jobs that can be waited for one by one.
const maxAwaited = 10_000

// WaitJobs tells the counts as they change and ends when no selected job is
// unfinished. It follows the state, not events: nothing can be missed.
func (s *jobsService) WaitJobs(m *v1.WaitJobsRequest, stream grpc.ServerStreamingServer[v1.WaitJobsResponse]) error {
	ctx := stream.Context()
	ns, err := s.namespace(ctx, m.Namespace)
	if err != nil {
		return err
	}
	count, err := counter(ns, m)
	if err != nil {
		return err
	}
	s.watchers.Add(1)
	defer s.watchers.Add(-1)
	changed := watchChanges(ctx, ns, engine.Cursor{})
	for {
		if _, err := changed.wait(ctx); err != nil {
			return err
		}
		c, err := changed.count(ctx, count)
		if err != nil {
			return err
		}
		done := c.Live() == c[job.Buried]
		if err := stream.Send(&v1.WaitJobsResponse{Counts: api.FromCounts(&c), Done: done}); err != nil || done {
			return err
		}
	}
}

type countFunc func(context.Context) (job.Counts, error)

// counter counts what a request selects.
func counter(ns *engine.Namespace, m *v1.WaitJobsRequest) (countFunc, error) {
	if len(m.Jobs) > 0 {
		return namedCounter(ns, m)
	}
	if m.Queue == "" || m.Group == "" {
		return func(ctx context.Context) (job.Counts, error) {
			r, err := ns.Counts(ctx, engine.CountsRequest{Queue: m.Queue, Group: m.Group})
			if err != nil {
				return job.Counts{}, err
			}
			return r.Total, nil
		}, nil
	}
	// The jobs of a queue that are in a group too have no counter of their own.
	f := engine.Filter{Queue: m.Queue, Group: m.Group}
	return func(ctx context.Context) (c job.Counts, err error) {
		groups, _, err := ns.Outcomes(ctx, engine.OutcomesRequest{Filter: f, Limit: 1})
		for _, g := range groups {
			c[g.State] += g.Count
		}
		return c, err
	}, nil
}

// namedCounter counts jobs one by one. Those that ended are not looked at again:
// a wait is for an end, not for what happens after. Jobs that are not there, or
// not any more, are not waited for.
func namedCounter(ns *engine.Namespace, m *v1.WaitJobsRequest) (countFunc, error) {
	if m.Queue != "" || m.Group != "" {
		return nil, job.Errorf(job.Invalid, "jobs: name jobs, or a queue or group, not both")
	}
	if len(m.Jobs) > maxAwaited {
		return nil, job.Errorf(job.Invalid, "jobs: %d are named; at most %d", len(m.Jobs), maxAwaited)
	}
	waiting, err := jobIDs(m.Jobs)
	if err != nil {
		return nil, err
	}
	var ended job.Counts
	return func(ctx context.Context) (job.Counts, error) {
		c := ended
		left := waiting[:0:0]
		for _, id := range waiting {
			info, err := ns.Get(ctx, id, false, false)
			if job.IsKind(err, job.NotFound) {
				continue
			}
			if err != nil {
				return c, err
			}
			state := info.Live.State
			c[state]++
			if state == job.Complete || state == job.Buried {
				ended[state]++
			} else {
				left = append(left, id)
			}
		}
		waiting = left
		return c, nil
	}, nil
}
