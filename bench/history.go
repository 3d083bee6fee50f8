package bench

import (
	"context"
	"fmt"
	"path/filepath"
	"time"

	"github.com/muster-queue/muster"
	"github.com/muster-queue/muster/client"
	"github.com/muster-queue/muster/job"
	"github.com/muster-queue/muster/server"
	"github.com/muster-queue/muster/store"
	"github.com/muster-queue/muster/store/pebble"
)

// addWithHistory adds to a namespace in which 10 million jobs have finished, so
// that every key has to be looked up among theirs.
func addWithHistory(ctx context.Context, l *lab) ([]Result, error) {
	finished := l.jobs(10_000_000)
	data := l.fresh()
	if err := writeHistory(ctx, filepath.Join(data, "store"), finished, 1); err != nil {
		return nil, err
	}
	h, err := muster.Open(ctx, muster.Config{Server: server.Config{Data: data, Listen: "127.0.0.1:0", HTTP: server.NoHTTP}})
	if err != nil {
		return nil, err
	}
	defer h.Stop()
	r, err := addBatches(ctx, h, "add/in-process-10m", l.jobs(600_000), 2*finished)
	r.Goal, r.Note = 250_000, "with 10 million finished keys (times the scale)"
	return []Result{r}, err
}

// writeHistory stores n finished jobs of so many groups as the engine would have,
// without running them: it is only a set-up.
func writeHistory(ctx context.Context, dir string, n, groups int) error {
	st, err := pebble.Open(pebble.Config{Dir: dir})
	if err != nil {
		return err
	}
	defer st.Close()
	if err := st.Create(ctx, job.DefaultNamespace); err != nil {
		return err
	}
	ns, err := st.Open(ctx, job.DefaultNamespace)
	if err != nil {
		return err
	}
	defer ns.Close()
	const part = 10_000
	for from := 0; from < n; from += part {
		c, err := ns.Commit(finishedPart(ns.Epoch(), from, min(part, n-from), groups))
		if err == nil {
			err = c.Wait()
		}
		if err != nil {
			return err
		}
	}
	return indexed(ctx, ns, uint64(n))
}

// indexed waits until history is indexed, which a store does by itself in its
// own time.
func indexed(ctx context.Context, ns store.Namespace, n uint64) error {
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	limit := time.After(2 * time.Minute)
	for ns.Reach() < n/2 {
		select {
		case <-tick.C:
		case <-limit:
			return job.Errorf(job.Timeout, "history is not indexed in two minutes")
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return nil
}

func finishedPart(epoch uint32, from, n, groups int) *job.Changes {
	total := int64(from + n)
	c := &job.Changes{
		Meta: &job.Meta{
			Epoch: epoch, NextSeq: job.Seq(total + 1), NextAttempt: 1, NextEnd: uint64(total + 1), Seed: 1,
			NextQueue: 2, NextGroup: job.GroupID(groups + 1), NextKind: 2, NextShape: 2, NextWorker: 1, MinLive: job.Seq(total + 1),
		},
		Queues: []job.QueueRow{{ID: 1, Def: job.Queue{Name: job.DefaultQueue}, Done: total}},
	}
	for g := range groups {
		done := (int(total) - g + groups - 1) / groups
		c.Groups = append(c.Groups, job.GroupRow{ID: job.GroupID(g + 1), Name: fmt.Sprintf("history-%04d", g), Done: int64(done)})
	}
	for i := range n {
		seq := job.Seq(from + i + 1)
		j := command(from + i)
		c.Finished = append(c.Finished, job.Finished{End: uint64(seq), Ended: job.Time(seq), Used: used(from + i), Live: job.Live{
			Seq: seq, Digest: job.DigestOf(job.DefaultQueue, j.Command.Key()), Queue: 1, Group: job.GroupID((from+i)%groups + 1),
			State: job.Complete, Flags: job.FlagCommand, Version: 1, Number: 1, Starts: 1,
		}})
	}
	return c
}

// used is what a finished job used: memory, processor and wall time that differ.
func used(i int) job.Usage {
	return job.Usage{
		Memory: int64(50+i*7919%2000) << 20, CPU: time.Duration(1+i*104729%600) * time.Second, Wall: time.Duration(1+i*1299709%900) * time.Second,
	}
}

// summarise sums up a million jobs in 1,000 groups, over gRPC, as the command line does:
// after a start with nothing summed up yet, and then again and again.
func summarise(ctx context.Context, l *lab) ([]Result, error) {
	data := l.fresh()
	finished, groups := l.jobs(1_000_000), 1000
	if err := writeHistory(ctx, filepath.Join(data, "store"), finished, groups); err != nil {
		return nil, err
	}
	h, err := muster.Open(ctx, muster.Config{Server: server.Config{Data: data, Listen: "127.0.0.1:0", HTTP: server.NoHTTP, RequestRate: -1}})
	if err != nil {
		return nil, err
	}
	defer h.Stop()
	c, err := dial(ctx, h)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	var first time.Duration
	var took samples
	for i := range 50 {
		began, jobs := time.Now(), int64(0)
		for g, err := range c.Namespace("").Summaries(ctx, client.Groups{}, client.SummaryOptions{}) {
			if err != nil {
				return nil, err
			}
			jobs += g.Memory.Count
		}
		if spent := time.Since(began); i > 0 {
			took.add(spent)
		} else {
			first = spent
		}
		if jobs != int64(finished) {
			return nil, job.Errorf(job.Internal, "%d of %d jobs were summed up", jobs, finished)
		}
	}
	return []Result{{
		Name: "summary/million", Value: ms(took.percentile(50)), Unit: "ms", Goal: 50, Below: true, P50: ms(took.percentile(50)), P99: ms(took.percentile(99)),
		Note: fmt.Sprintf("1,000 groups; the first after a start without a checkpoint took %.0f ms", ms(first)),
	}}, nil
}
