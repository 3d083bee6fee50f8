package bench

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/muster-queue/muster"
	"github.com/muster-queue/muster/agent"
	"github.com/muster-queue/muster/client"
	"github.com/muster-queue/muster/engine"
	"github.com/muster-queue/muster/job"
	"github.com/muster-queue/muster/server"
)

const (
	adders    = 4
	batchSize = 1000
)

// open starts a muster for a measurement.
func (l *lab) open(ctx context.Context, a *agent.Config) (*muster.Handle, error) {
	return muster.Open(ctx, muster.Config{Agent: a, Server: server.Config{
		Data: l.fresh(), Listen: "127.0.0.1:0", HTTP: server.NoHTTP, RequestRate: -1,
	}})
}

// dial connects to it over loopback, as any client does.
func dial(ctx context.Context, h *muster.Handle) (*client.Client, error) {
	return client.Dial(ctx, client.Config{Address: h.Server().Where().Address, Token: h.Server().Token()})
}

// command is a unique command of 100 bytes. It is made in the time that is
// measured, so at little cost.
func command(i int) *job.Job {
	made := new(struct {
		job     job.Job
		command job.Command
	})
	line := strconv.AppendInt(append(make([]byte, 0, len(padding)), "true # "...), int64(i), 10)
	line = append(line, padding[:cap(line)-len(line)]...)
	made.command = job.Command{Line: string(line), Dir: "/"}
	made.job = job.Job{Group: "bench", Command: &made.command}
	return &made.job
}

var padding = " " + strings.Repeat("x", 99)

// document is a job for pulling workers.
func document(i int) *job.Job {
	return &job.Job{Queue: "bench", Key: job.Key(fmt.Sprintf("%09d", i)), Data: make([]byte, 100)}
}

func addInProcess(ctx context.Context, l *lab) ([]Result, error) {
	h, err := l.open(ctx, nil)
	if err != nil {
		return nil, err
	}
	defer h.Stop()
	r, err := addBatches(ctx, h, "add/in-process", l.jobs(1_200_000), 0)
	r.Goal = 500_000
	return []Result{r}, err
}

// addBatches adds n commands from 4 adders, 1,000 a batch.
func addBatches(ctx context.Context, h *muster.Handle, name string, n, first int) (Result, error) {
	ns, err := h.Namespace(ctx, "")
	if err != nil {
		return Result{}, err
	}
	var took samples
	each := n / adders
	began := time.Now()
	g, grouped := errgroup.WithContext(ctx)
	for a := range adders {
		g.Go(func() error { return addSome(grouped, ns, first+a*each, each, &took) })
	}
	if err := g.Wait(); err != nil {
		return Result{}, err
	}
	spent := time.Since(began)
	counts, err := ns.Counts(ctx, engine.CountsRequest{})
	if err == nil && counts.Total[job.Ready] != int64(each*adders) {
		err = job.Errorf(job.Internal, "%d of %d jobs are there", counts.Total[job.Ready], each*adders)
	}
	return rate(name, each*adders, spent, 0, &took), err
}

func addSome(ctx context.Context, ns *engine.Namespace, from, n int, took *samples) error {
	for done := 0; done < n; done += batchSize {
		jobs := make([]*job.Job, min(batchSize, n-done))
		for i := range jobs {
			jobs[i] = command(from + done + i)
		}
		began := time.Now()
		if _, err := ns.Add(ctx, engine.AddRequest{Jobs: jobs, Wait: true}); err != nil {
			return err
		}
		took.add(time.Since(began))
	}
	return nil
}

func addGRPC(ctx context.Context, l *lab) ([]Result, error) {
	h, err := l.open(ctx, nil)
	if err != nil {
		return nil, err
	}
	defer h.Stop()
	n := l.jobs(600_000)
	began := time.Now()
	if err := addOver(ctx, h, n, command); err != nil {
		return nil, err
	}
	return []Result{rate("add/grpc", n/adders*adders, time.Since(began), 200_000, &samples{})}, nil
}

// addOver adds n jobs over loopback from 4 adders.
func addOver(ctx context.Context, h *muster.Handle, n int, makeJob func(int) *job.Job) error {
	each := n / adders
	g, ctx := errgroup.WithContext(ctx)
	for a := range adders {
		g.Go(func() error {
			c, err := dial(ctx, h)
			if err != nil {
				return err
			}
			defer c.Close()
			adder := c.Namespace("").Add(ctx, client.AddOptions{Batch: batchSize})
			for i := range each {
				if err := adder.Add(makeJob(a*each+i), 0); err != nil {
					return err
				}
			}
			sum, err := adder.Close()
			if err == nil && sum.Added != int64(each) {
				err = job.Errorf(job.Internal, "%d of %d jobs were added", sum.Added, each)
			}
			return err
		})
	}
	return g.Wait()
}
