package bench

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/muster-queue/muster"
	"github.com/muster-queue/muster/client"
	"github.com/muster-queue/muster/job"
)

// drainWorkers is how many workers drain at once.
const drainWorkers = 8

// drain fills a queue with n jobs and measures how 8 workers, each with its own
// connection, empty it. work completes the jobs a worker gets until there are no
// more, counting them.
func (l *lab) drain(ctx context.Context, name string, n int, goal float64, work func(context.Context, *client.Worker, *drained) error) ([]Result, error) {
	h, err := l.open(ctx, nil)
	if err != nil {
		return nil, err
	}
	defer h.Stop()
	n = n / adders * adders
	if err := addOver(ctx, h, n, document); err != nil {
		return nil, err
	}
	d := &drained{want: int64(n)}
	began := time.Now()
	if err := d.all(ctx, h, work); err != nil {
		return nil, err
	}
	spent := time.Since(began)
	counts, err := h.Client().Namespace("").Counts(ctx, "bench", "")
	if err == nil && counts[job.Complete] != int64(n) {
		err = job.Errorf(job.Internal, "%d of %d jobs completed", counts[job.Complete], n)
	}
	return []Result{rate(name, n, spent, goal, &d.took)}, err
}

// drained is how far a drain is.
type drained struct {
	want int64
	done atomic.Int64
	took samples
}

func (d *drained) over() bool { return d.done.Load() >= d.want }

func (d *drained) all(ctx context.Context, h *muster.Handle, work func(context.Context, *client.Worker, *drained) error) error {
	g, ctx := errgroup.WithContext(ctx)
	for i := range drainWorkers {
		g.Go(func() error {
			c, err := dial(ctx, h)
			if err != nil {
				return err
			}
			defer c.Close()
			return work(ctx, c.Namespace("").Worker(fmt.Sprint("w", i), nil), d)
		})
	}
	return g.Wait()
}

// batches reserves and completes size jobs with each call.
func batches(size int) func(context.Context, *client.Worker, *drained) error {
	return func(ctx context.Context, w *client.Worker, d *drained) error {
		for !d.over() {
			began := time.Now()
			grants, err := w.Reserve(ctx, size, 0, client.Want{})
			if err != nil {
				return err
			}
			if len(grants) == 0 {
				return nil
			}
			reports := make([]client.Report, len(grants))
			for i, g := range grants {
				reports[i] = client.Complete(g, nil)
			}
			answers, err := w.Report(ctx, reports...)
			if err != nil {
				return err
			}
			for _, a := range answers {
				if a.Err != nil {
					return a.Err
				}
			}
			d.took.add(time.Since(began))
			d.done.Add(int64(len(grants)))
		}
		return nil
	}
}

func drainBatch(ctx context.Context, l *lab) ([]Result, error) {
	return l.drain(ctx, "drain/batch", l.jobs(500_000), 200_000, batches(100))
}

func drainUnary(ctx context.Context, l *lab) ([]Result, error) {
	return l.drain(ctx, "drain/unary", l.jobs(12_000), 5_000, batches(1))
}

// drainSingle streams jobs and reports, each in a message of its own, with 64
// credits in all.
func drainSingle(ctx context.Context, l *lab) ([]Result, error) {
	return l.drain(ctx, "drain/single", l.jobs(120_000), 40_000, func(ctx context.Context, w *client.Worker, d *drained) error {
		ctx, end := context.WithCancel(ctx)
		defer end()
		s := w.Session(ctx, client.SessionOptions{Credits: 64 / drainWorkers, Refused: func(job.AttemptID, error) { end() }})
		for !d.over() {
			wait, stop := context.WithTimeout(ctx, 200*time.Millisecond)
			g, err := s.Next(wait)
			stop()
			if errors.Is(err, context.DeadlineExceeded) {
				continue
			}
			if err == nil {
				err = s.Report(client.Complete(g, nil))
			}
			if err != nil {
				return err
			}
			if d.done.Add(1) == d.want {
				break
			}
		}
		return s.Close()
	})
}

// drainAlternating takes a job, completes it, waits until that is durable, and
// only then takes the next.
func drainAlternating(ctx context.Context, l *lab) ([]Result, error) {
	goal := drainWorkers / (2 * l.fsync.Seconds()) / 2
	rows, err := l.drain(ctx, "drain/alternating", l.jobs(12_000), goal, func(ctx context.Context, w *client.Worker, d *drained) error {
		s := w.Session(ctx, client.SessionOptions{Credits: 1})
		for !d.over() {
			began := time.Now()
			wait, stop := context.WithTimeout(ctx, 200*time.Millisecond)
			g, err := s.Next(wait)
			stop()
			if errors.Is(err, context.DeadlineExceeded) {
				continue
			}
			if err == nil {
				err = s.Report(client.Complete(g, nil))
			}
			if err == nil {
				err = s.Flush(ctx)
			}
			if err != nil {
				return err
			}
			d.took.add(time.Since(began))
			d.done.Add(1)
		}
		return s.Close()
	})
	for i := range rows {
		rows[i].Note = "goal: half of workers / (2 x fsync p50)"
	}
	return rows, err
}
