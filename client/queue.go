package client

import (
	"context"
	"iter"
	"time"

	"google.golang.org/protobuf/types/known/fieldmaskpb"

	"github.com/muster-queue/muster/api"
	musterv1 "github.com/muster-queue/muster/api/muster/v1"
	"github.com/muster-queue/muster/job"
)

// QueueInfo is a queue with the counts of its jobs.
type QueueInfo struct {
	job.Queue
	Counts job.Counts
	// Next is when a continuous queue may make its next job, if it has to wait.
	Next time.Time
}

// SetQueue makes a queue, or changes the named fields of one (none: all).
func (n *Namespace) SetQueue(ctx context.Context, q *job.Queue, fields ...string) (*job.Queue, error) {
	request := &musterv1.SetQueueRequest{Namespace: n.name, Queue: api.FromQueue(q), RequestId: newID()}
	if len(fields) > 0 {
		request.UpdateMask = &fieldmaskpb.FieldMask{Paths: fields}
	}
	return n.queue(call(ctx, n.c, n.c.queues.SetQueue, request))
}

// Queue gets a queue; NotFound (job.ErrNoQueue) if it does not exist.
func (n *Namespace) Queue(ctx context.Context, name string) (*QueueInfo, error) {
	m, err := call(ctx, n.c, n.c.queues.GetQueue, &musterv1.GetQueueRequest{Namespace: n.name, Queue: name})
	if err != nil {
		return nil, err
	}
	return toQueueInfo(m)
}

// Queues lists the queues, in order of names.
func (n *Namespace) Queues(ctx context.Context) iter.Seq2[*QueueInfo, error] {
	return pages(func(token string) ([]*QueueInfo, string, error) {
		m, err := call(ctx, n.c, n.c.queues.ListQueues, &musterv1.ListQueuesRequest{Namespace: n.name, PageSize: maxPage, PageToken: token})
		if err != nil {
			return nil, "", err
		}
		list, err := convert(m.Queues, toQueueInfo)
		return list, m.NextPageToken, err
	})
}

// DeleteQueue removes a queue and tells how many jobs went with it; one that has
// jobs only with force.
func (n *Namespace) DeleteQueue(ctx context.Context, name string, force bool) (jobs int64, err error) {
	m, err := call(ctx, n.c, n.c.queues.DeleteQueue, &musterv1.DeleteQueueRequest{
		Namespace: n.name, Queue: name, Force: force, RequestId: newID(),
	})
	return m.GetJobs(), err
}

// PauseQueue grants no more of a queue's jobs; held ones go on.
func (n *Namespace) PauseQueue(ctx context.Context, name string) (*job.Queue, error) {
	return n.queue(call(ctx, n.c, n.c.queues.PauseQueue, &musterv1.GetQueueRequest{Namespace: n.name, Queue: name}))
}

// ResumeQueue grants a queue's jobs again.
func (n *Namespace) ResumeQueue(ctx context.Context, name string) (*job.Queue, error) {
	return n.queue(call(ctx, n.c, n.c.queues.ResumeQueue, &musterv1.GetQueueRequest{Namespace: n.name, Queue: name}))
}

// Prune removes the complete jobs of a queue that need not be kept any more, and
// tells how many.
func (n *Namespace) Prune(ctx context.Context, name string) (int64, error) {
	m, err := call(ctx, n.c, n.c.queues.PruneQueue, &musterv1.GetQueueRequest{Namespace: n.name, Queue: name})
	return m.GetRemoved(), err
}

func (n *Namespace) queue(m *musterv1.Queue, err error) (*job.Queue, error) {
	if err != nil {
		return nil, err
	}
	q, err := api.ToQueue(m)
	return q, answered(err)
}

func toQueueInfo(m *musterv1.QueueInfo) (*QueueInfo, error) {
	q, err := api.ToQueue(m.Queue)
	if err != nil {
		return nil, answered(err)
	}
	return &QueueInfo{Queue: *q, Counts: api.ToCounts(m.Counts), Next: stamp(m.Next)}, nil
}
