package client

import (
	"context"
	"errors"
	"io"
	"iter"
	"time"

	"github.com/muster-queue/muster/api"
	musterv1 "github.com/muster-queue/muster/api/muster/v1"
	"github.com/muster-queue/muster/job"
)

// WatchOptions say what to watch.
type WatchOptions struct {
	// From is the Position of an earlier step, to go on after it; empty: from
	// now on, beginning with a resync.
	From string
	// Events asks for each transition, not only for counts.
	Events bool
	// Queue, Group and Kind restrict what is watched.
	Queue, Group, Kind string
}

// Step is what happened since the step before.
type Step struct {
	Events []Event
	// Counts are those of what is watched, after the events.
	Counts job.Counts
	// Resync says that events may be missing: only Counts tell how things stand.
	Resync bool
	// Position is where to go on later.
	Position string
}

// Event is one transition of a job. Delivery is at least once, in order.
type Event struct {
	Position    string
	At          time.Time
	Seq         job.Seq
	Queue       string
	Key         job.Key
	ID          string
	Group, Kind string
	// From is absent for an added job, To for a deleted one.
	From, To job.State
	Stopping job.Mark
	Reason   job.Reason
	Exit     int
	Attempt  job.AttemptID
	Worker   string
}

// Watch tells what happens, until ctx ends or the loop is left. A lost
// connection is made again, and nothing is missed or a step says Resync.
func (n *Namespace) Watch(ctx context.Context, o WatchOptions) iter.Seq2[*Step, error] {
	return func(yield func(*Step, error) bool) {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		r := n.c.retry()
		for {
			err := n.watch(ctx, &o, func(s *Step) bool { r.worked(); return yield(s, nil) })
			if errors.Is(err, errLeft) {
				return
			}
			if err = r.again(ctx, err); err != nil {
				yield(nil, err)
				return
			}
		}
	}
}

// errLeft ends a stream because its reader wants no more.
var errLeft = errors.New("left")

// watch is one connection of Watch; it moves o.From on.
func (n *Namespace) watch(ctx context.Context, o *WatchOptions, yield func(*Step) bool) error {
	q := &musterv1.WatchJobsRequest{Namespace: n.name, From: o.From, Level: "counts", Queue: o.Queue, Group: o.Group, Kind: o.Kind}
	if o.Events {
		q.Level = "jobs"
	}
	stream, err := n.c.jobs.WatchJobs(ctx, q)
	for err == nil {
		var m *musterv1.WatchJobsResponse
		if m, err = stream.Recv(); err != nil {
			break
		}
		step, bad := toStep(m)
		if bad != nil {
			return bad
		}
		if !yield(step) {
			return errLeft
		}
		o.From = m.Position
	}
	return n.c.streamEnd(ctx, err)
}

// streamEnd is why a stream ended that never should: a server that ends it in
// peace is stopping.
func (c *Client) streamEnd(ctx context.Context, err error) error {
	if errors.Is(err, io.EOF) {
		return job.ErrClosed
	}
	return c.failure(ctx, err)
}

func toStep(m *musterv1.WatchJobsResponse) (*Step, error) {
	s := &Step{Counts: api.ToCounts(m.Counts), Resync: m.Resync, Position: m.Position}
	var err error
	s.Events, err = convert(m.Events, toEvent)
	return s, answered(err)
}

func toEvent(m *musterv1.JobEvent) (Event, error) {
	var f firstError
	e := Event{
		Position: m.Position, At: stamp(m.At), Seq: job.Seq(m.Seq), Queue: m.Queue, ID: m.Id, Group: m.Group, Kind: m.Kind,
		Key: take(&f, api.ParseKey, m.Key), From: take(&f, parseState, m.From), To: take(&f, parseState, m.To),
		Stopping: take(&f, api.ParseMark, m.Stopping), Reason: take(&f, job.ParseReason, m.Reason), Exit: int(m.ExitCode), Worker: m.Worker,
	}
	if m.Attempt != "" {
		e.Attempt = take(&f, job.ParseAttemptID, m.Attempt)
	}
	return e, f.err
}

// WaitFor says what to wait for: the jobs of a queue, of a group, of a group in
// a queue, or jobs one by one; with nothing, all of the namespace.
type WaitFor struct {
	Queue, Group string
	Jobs         []Ref
}

// Wait blocks until no job of what it waits for is unfinished: all are complete
// or buried. It gives the counts then. Progress, if not nil, is told the counts
// as they change, a few times a second at most.
func (n *Namespace) Wait(ctx context.Context, w WaitFor, progress func(job.Counts)) (job.Counts, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	r := n.c.retry()
	for {
		counts, done, err := n.wait(ctx, w, func(c job.Counts) {
			r.worked()
			if progress != nil {
				progress(c)
			}
		})
		if done {
			return counts, nil
		}
		if err = r.again(ctx, err); err != nil {
			return counts, err
		}
	}
}

func (n *Namespace) wait(ctx context.Context, w WaitFor, progress func(job.Counts)) (counts job.Counts, done bool, err error) {
	stream, err := n.c.jobs.WaitJobs(ctx, &musterv1.WaitJobsRequest{Namespace: n.name, Queue: w.Queue, Group: w.Group, Jobs: refs(w.Jobs)})
	for err == nil {
		var m *musterv1.WaitJobsResponse
		if m, err = stream.Recv(); err == nil {
			counts = api.ToCounts(m.Counts)
			progress(counts)
			if m.Done {
				return counts, true, nil
			}
		}
	}
	return counts, false, n.c.streamEnd(ctx, err)
}
