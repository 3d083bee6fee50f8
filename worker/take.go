package worker

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/muster-queue/muster/client"
	"github.com/muster-queue/muster/job"
)

// take asks for jobs and begins them until ctx ends. Functions run under work.
func (w *Worker) take(ctx, work context.Context) error {
	trouble := complaint{log: w.cfg.Logger, what: "no jobs can be taken"}
	var known queues
	for {
		n, ok := w.slots.wait(ctx)
		if !ok {
			return nil
		}
		err := w.refresh(ctx, &known)
		if err == nil {
			err = w.takeSome(ctx, work, &known, n)
		}
		if ctx.Err() != nil {
			return nil
		}
		if trouble.tell(err); err == nil {
			continue
		}
		if !passing(err) {
			return job.Wrap(err, "take jobs as worker", w.cfg.Name)
		}
		pause(ctx, again)
	}
}

// takeSome begins up to n jobs; it waits for the first, but not for longer than the
// list of queues is good for.
func (w *Worker) takeSome(ctx, work context.Context, known *queues, n int) error {
	wait := max(time.Until(known.until), 0)
	if len(known.byName) == 0 {
		pause(ctx, wait)
		return nil
	}
	asked := time.Now()
	asking, end := context.WithTimeout(ctx, wait+patience)
	defer end()
	grants, err := w.pull.Reserve(asking, min(n, maxReports), wait, client.Want{
		Queues: known.names, Runtimes: []string{w.cfg.Runtime}, OneQueue: true,
		AvailableMemory: w.cfg.Memory, Lease: w.cfg.Lease,
	})
	if err != nil {
		return err
	}
	if len(grants) == 0 && time.Since(asked) < wait/2 { // the server drains, or is paused
		pause(ctx, again)
	}
	return w.begin(work, known, grants)
}

// queues are those the worker takes from.
type queues struct {
	names  []string
	byName map[string]*served
	until  time.Time
}

// served is a queue with its task.
type served struct {
	*job.Queue
	name string
	task task
}

// refresh reads the list of queues when it has grown old.
func (w *Worker) refresh(ctx context.Context, known *queues) error {
	now := time.Now()
	if now.Before(known.until) {
		return nil
	}
	byName := map[string]*served{}
	for q, err := range w.ns.Queues(ctx) {
		if err != nil {
			return err
		}
		if s := w.serves(&q.Queue); s != nil {
			byName[q.Name] = s
		}
	}
	known.names = known.names[:0:0]
	for name := range byName {
		known.names = append(known.names, name)
	}
	slices.Sort(known.names)
	known.byName, known.until = byName, now.Add(w.cfg.Refresh)
	return nil
}

// serves is the queue with its task if the worker takes from it, else nil.
func (w *Worker) serves(q *job.Queue) *served {
	if q.Runtime != w.cfg.Runtime || len(w.cfg.Queues) > 0 && !slices.Contains(w.cfg.Queues, q.Name) {
		return nil
	}
	name := taskOf(q)
	t, ok := w.task(name)
	if !ok {
		return nil
	}
	return &served{Queue: q, name: name, task: t}
}

// begin hands jobs to their functions, in batches of one queue.
func (w *Worker) begin(work context.Context, known *queues, grants []*client.Grant) error {
	batches := map[*served][]*Attempt{}
	for _, g := range grants {
		a, s, err := w.attempt(known, g)
		if err != nil { // what cannot be read here, others may read
			w.cfg.Logger.Warn("a job was granted that cannot be begun; it goes back", "attempt", g.Attempt, "err", err)
			w.reports.add(item{report: client.GiveBack(g), answered: func(time.Time, error, job.Mark) {}})
			continue
		}
		batches[s] = append(batches[s], a)
	}
	for s, attempts := range batches {
		for batch := range slices.Chunk(attempts, s.task.size) {
			w.slots.take(len(batch))
			w.running.Go(func() {
				defer w.slots.give(len(batch))
				w.do(work, s.task.f, batch)
			})
		}
	}
	return nil
}

func (w *Worker) attempt(known *queues, g *client.Grant) (*Attempt, *served, error) {
	j, err := g.Job()
	if err != nil {
		return nil, nil, err
	}
	s := known.byName[j.Queue]
	if s == nil {
		return nil, nil, job.Errorf(job.Internal, "a job of queue %q, which was not asked for", j.Queue)
	}
	now := time.Now()
	return &Attempt{
		w: w, grant: g, queue: s.Queue, job: j, task: s.name, lease: g.Lease,
		told: make(chan struct{}), data: j.Data, began: now, renewed: now,
	}, s, nil
}

// slots are how many jobs the worker may have.
type slots struct {
	mu    sync.Mutex
	free  int
	freed chan struct{}
}

func newSlots(n int) *slots { return &slots{free: n, freed: make(chan struct{}, 1)} }

// wait waits until some are free; false when ctx ended.
func (s *slots) wait(ctx context.Context) (free int, ok bool) {
	for ctx.Err() == nil {
		s.mu.Lock()
		free := s.free
		s.mu.Unlock()
		if free > 0 {
			return free, true
		}
		select {
		case <-s.freed:
		case <-ctx.Done():
		}
	}
	return 0, false
}

func (s *slots) take(n int) { s.give(-n) }

func (s *slots) give(n int) {
	s.mu.Lock()
	s.free += n
	s.mu.Unlock()
	signal(s.freed)
}
