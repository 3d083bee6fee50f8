package server

import (
	"context"
	"fmt"
	"slices"
	"time"

	"google.golang.org/grpc"

	"github.com/muster-queue/muster/api"
	v1 "github.com/muster-queue/muster/api/muster/v1"
	"github.com/muster-queue/muster/engine"
	"github.com/muster-queue/muster/job"
	"github.com/muster-queue/muster/queue"
)

// countsEvery is how often, at most, counts are told to who watches those.
const countsEvery = 250 * time.Millisecond

// maxEvents is from how many events on a message is sent, and how many names are
// read at once.
const maxEvents = engine.MaxPage

type watchStream = grpc.ServerStreamingServer[v1.WatchJobsResponse]

// WatchJobs tells what changes until the client goes away. A slow client misses
// events and is told so; it never slows the engine.
func (s *jobsService) WatchJobs(m *v1.WatchJobsRequest, stream watchStream) error {
	ctx := stream.Context()
	ns, err := s.namespace(ctx, m.Namespace)
	if err != nil {
		return err
	}
	from, err := parseCursor(m.From)
	if err != nil {
		return err
	}
	s.watchers.Add(1)
	defer s.watchers.Add(-1)
	count, err := counter(ns, &v1.WaitJobsRequest{Queue: m.Queue, Group: m.Group})
	if err != nil {
		return err
	}
	w := &watcher{ns: ns, request: m, stream: stream, at: m.From, count: count}
	switch m.Level {
	case "", "counts":
		return w.watchCounts(ctx, from)
	case "jobs":
		return ns.Watch(ctx, from, func(b engine.WatchBatch) error { return w.tell(ctx, &b) })
	}
	return job.Errorf(job.Invalid, "level: %.60q is unknown; use counts or jobs", m.Level)
}

// cursorFormat begins positions, so that a later release can change them.
const cursorFormat = "1"

func cursorText(c engine.Cursor) string {
	return fmt.Sprintf("%s-%d-%d-%d", cursorFormat, c.Epoch, c.Commit, c.Index)
}

func parseCursor(s string) (engine.Cursor, error) {
	var c engine.Cursor
	if s == "" {
		return c, nil
	}
	if len(s) < 64 {
		if n, err := fmt.Sscanf(s, cursorFormat+"-%d-%d-%d", &c.Epoch, &c.Commit, &c.Index); err == nil && n == 3 && cursorText(c) == s {
			return c, nil
		}
	}
	return engine.Cursor{}, job.Errorf(job.Invalid, "from: %.60q is not a position that this server gave out", s)
}

type watcher struct {
	ns      *engine.Namespace
	request *v1.WatchJobsRequest
	stream  watchStream
	count   countFunc // of a queue, a group, both or the namespace
	// at is the position before what is being sent: who breaks off in the middle
	// gets the rest again with some of what came before.
	at string
}

// tell sends a batch of events in order, those that are watched.
func (w *watcher) tell(ctx context.Context, b *engine.WatchBatch) error {
	m := &v1.WatchJobsResponse{Resync: b.Resync}
	for part := range slices.Chunk(b.Events, maxEvents) {
		names, err := w.names(ctx, part)
		if err != nil {
			return err
		}
		for i := range part {
			if e := w.event(&part[i], names); e != nil {
				m.Events = append(m.Events, e)
			}
		}
		if len(m.Events) < maxEvents {
			continue
		}
		m.Position = w.at
		if err := w.stream.Send(m); err != nil {
			return err
		}
		m = &v1.WatchJobsResponse{}
	}
	counts, err := w.count(ctx)
	if err != nil {
		return err
	}
	w.at = cursorText(b.Next)
	m.Counts, m.Position = api.FromCounts(&counts), w.at
	return w.stream.Send(m)
}

// names reads what the jobs of events are called, all at once.
func (w *watcher) names(ctx context.Context, events []queue.Event) (map[job.Seq]engine.Named, error) {
	seqs := make([]job.Seq, len(events))
	for i := range events {
		seqs[i] = events[i].Seq
	}
	return w.ns.Names(ctx, seqs)
}

// event is an event as a message; nil if its job is not watched. A job that was
// deleted meanwhile has only its number.
func (w *watcher) event(e *queue.Event, names map[job.Seq]engine.Named) *v1.JobEvent {
	m := &v1.JobEvent{
		At: stamp(e.At), Seq: uint64(e.Seq), From: e.From.String(), To: e.To.String(),
		Stopping: e.Mark.String(), Reason: e.Reason.Word(), ExitCode: e.Exit,
	}
	if !e.Attempt.IsZero() {
		m.Attempt = e.Attempt.String()
	}
	named, known := names[e.Seq]
	if !known {
		if w.request.Queue != "" || w.request.Group != "" || w.request.Kind != "" {
			return nil
		}
		return m
	}
	j := named.Job
	if !matches(w.request.Queue, j.QueueName()) || !matches(w.request.Group, j.Group) || !matches(w.request.Kind, j.Kind) {
		return nil
	}
	m.Id, m.Queue, m.Key = api.ID(job.DigestOf(j.QueueName(), j.Key)), text(j.QueueName()), api.KeyText(j.Key)
	m.Group, m.Kind, m.Worker = text(j.Group), text(j.Kind), text(named.Worker)
	return m
}

func matches(want, is string) bool { return want == "" || want == is }

// watchCounts tells the counts after changes, some times a second at most.
func (w *watcher) watchCounts(ctx context.Context, from engine.Cursor) error {
	c := watchChanges(ctx, w.ns, from)
	for resync := true; ; resync = false {
		at, err := c.wait(ctx)
		if err != nil {
			return err
		}
		counts, err := c.count(ctx, w.count)
		if err != nil {
			return err
		}
		if err := w.stream.Send(&v1.WatchJobsResponse{Counts: api.FromCounts(&counts), Resync: resync, Position: cursorText(at)}); err != nil {
			return err
		}
	}
}

// changes tells when something changed in a namespace, however often it does.
type changes struct {
	latest chan engine.Cursor // the newest position, if it was not taken yet
	failed chan error
	// paused ends when the next look may be taken.
	paused *time.Timer
}

// count counts, and has the next look wait ten times as long as that took, where
// counting takes long.
func (c *changes) count(ctx context.Context, count countFunc) (job.Counts, error) {
	began := time.Now()
	counts, err := count(ctx)
	c.paused = time.NewTimer(max(countsEvery, 10*time.Since(began)))
	return counts, err
}

// watchChanges starts to watch; it ends with ctx.
func watchChanges(ctx context.Context, ns *engine.Namespace, from engine.Cursor) *changes {
	c := &changes{latest: make(chan engine.Cursor, 1), failed: make(chan error, 1)}
	go func() {
		c.failed <- ns.Watch(ctx, from, func(b engine.WatchBatch) error {
			select {
			case <-c.latest:
			default:
			}
			c.latest <- b.Next
			return nil
		})
	}()
	return c
}

// wait blocks until something changed since the last call, but not before the
// pause after the last count is over.
func (c *changes) wait(ctx context.Context) (engine.Cursor, error) {
	if c.paused != nil {
		select {
		case <-c.paused.C:
		case <-ctx.Done():
			return engine.Cursor{}, context.Cause(ctx)
		}
	}
	select {
	case next := <-c.latest:
		return next, nil
	case err := <-c.failed:
		return engine.Cursor{}, err
	case <-ctx.Done():
		return engine.Cursor{}, context.Cause(ctx)
	}
}
