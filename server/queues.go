package server

import (
	"context"

	"github.com/muster-queue/muster/api"
	v1 "github.com/muster-queue/muster/api/muster/v1"
	"github.com/muster-queue/muster/engine"
	"github.com/muster-queue/muster/job"
)

// SetQueue makes a queue, or changes one: as a whole, or the fields named.
func (s *queuesService) SetQueue(ctx context.Context, m *v1.SetQueueRequest) (*v1.Queue, error) {
	ns, err := s.namespace(ctx, m.Namespace)
	if err != nil {
		return nil, err
	}
	def, err := api.ToQueue(m.Queue)
	if err != nil {
		return nil, err
	}
	fields := m.UpdateMask.GetPaths()
	if len(fields) == 0 {
		if err = s.mayPay(ctx, ns, def); err == nil {
			err = ns.SetQueue(audited(ctx), *def, once(ctx, m.RequestId))
		}
	} else {
		err = updateQueue(ctx, ns, def.Name, m, fields)
	}
	if err != nil {
		return nil, err
	}
	return s.queue(ctx, ns, def.Name)
}

func updateQueue(ctx context.Context, ns *engine.Namespace, name string, m *v1.SetQueueRequest, fields []string) error {
	var bad error
	err := ns.UpdateQueue(audited(ctx), name, func(q *job.Queue) {
		whole := api.FromQueue(q)
		if bad = applyMask(whole, m.Queue, fields); bad != nil {
			return
		}
		whole.Name = name
		var edited *job.Queue
		if edited, bad = api.ToQueue(whole); bad == nil {
			bad = payable(ctx, q.Account, edited.Account)
		}
		if bad == nil {
			*q = *edited
		}
	}, once(ctx, m.RequestId))
	if bad != nil {
		return bad
	}
	return err
}

// mayPay refuses a queue that is set as a whole with another account, see payable.
func (s *queuesService) mayPay(ctx context.Context, ns *engine.Namespace, def *job.Queue) error {
	if callerOf(ctx).Account == "" {
		return nil
	}
	present, err := ns.Queue(ctx, def.Name)
	if err != nil && !job.IsKind(err, job.NotFound) {
		return err
	}
	return payable(ctx, present.Account, def.Account)
}

func (s *queuesService) queue(ctx context.Context, ns *engine.Namespace, name string) (*v1.Queue, error) {
	q, err := ns.Queue(ctx, name)
	if err != nil {
		return nil, err
	}
	return api.FromQueue(&q.Queue), nil
}

// GetQueue is a queue with its counts.
func (s *queuesService) GetQueue(ctx context.Context, m *v1.GetQueueRequest) (*v1.QueueInfo, error) {
	ns, err := s.namespace(ctx, m.Namespace)
	if err != nil {
		return nil, err
	}
	q, err := ns.Queue(ctx, m.Queue)
	if err != nil {
		return nil, err
	}
	return queueInfo(&q), nil
}

// ListQueues is a page of queues in the order of their names.
func (s *queuesService) ListQueues(ctx context.Context, m *v1.ListQueuesRequest) (*v1.ListQueuesResponse, error) {
	ns, err := s.namespace(ctx, m.Namespace)
	if err != nil {
		return nil, err
	}
	after, size, err := pageOf("queues", m.PageToken, m.PageSize)
	if err != nil {
		return nil, err
	}
	list, err := ns.Queues(ctx, after, size)
	if err != nil {
		return nil, err
	}
	a := &v1.ListQueuesResponse{}
	for i := range list {
		a.Queues = append(a.Queues, queueInfo(&list[i]))
	}
	if len(list) == size {
		a.NextPageToken = nextPage("queues", list[size-1].Name)
	}
	return a, nil
}

// DeleteQueue removes a queue, with force also its jobs.
func (s *queuesService) DeleteQueue(ctx context.Context, m *v1.DeleteQueueRequest) (*v1.DeleteQueueResponse, error) {
	ns, err := s.namespace(ctx, m.Namespace)
	if err != nil {
		return nil, err
	}
	jobs, err := ns.DeleteQueue(audited(ctx), m.Queue, m.Force, once(ctx, m.RequestId))
	if err != nil {
		return nil, err
	}
	return &v1.DeleteQueueResponse{Jobs: jobs}, nil
}

// PauseQueue grants no more of a queue's jobs.
func (s *queuesService) PauseQueue(ctx context.Context, m *v1.GetQueueRequest) (*v1.Queue, error) {
	return s.setPaused(ctx, m, true)
}

// ResumeQueue grants them again.
func (s *queuesService) ResumeQueue(ctx context.Context, m *v1.GetQueueRequest) (*v1.Queue, error) {
	return s.setPaused(ctx, m, false)
}

// PruneQueue removes the complete jobs of a queue that need not be kept.
func (s *queuesService) PruneQueue(ctx context.Context, m *v1.GetQueueRequest) (*v1.PruneQueueResponse, error) {
	ns, err := s.namespace(ctx, m.Namespace)
	if err != nil {
		return nil, err
	}
	removed, err := ns.Prune(ctx, m.Queue)
	return &v1.PruneQueueResponse{Removed: removed}, err
}

func (s *queuesService) setPaused(ctx context.Context, m *v1.GetQueueRequest, paused bool) (*v1.Queue, error) {
	ns, err := s.namespace(ctx, m.Namespace)
	if err != nil {
		return nil, err
	}
	if err := ns.UpdateQueue(audited(ctx), m.Queue, func(q *job.Queue) { q.Paused = paused }); err != nil {
		return nil, err
	}
	return s.queue(ctx, ns, m.Queue)
}

func queueInfo(q *engine.QueueInfo) *v1.QueueInfo {
	return &v1.QueueInfo{Queue: api.FromQueue(&q.Queue), Counts: api.FromCounts(&q.Counts), Next: api.FromTime(q.Next)}
}
