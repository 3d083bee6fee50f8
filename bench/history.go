package bench

import (
	"context"
	"path/filepath"
	"time"

	"github.com/muster-queue/muster"
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
	if err := writeHistory(ctx, filepath.Join(data, "store"), finished); err != nil {
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

// writeHistory stores n finished jobs as the engine would have, without running
// them: it is only a set-up.
func writeHistory(ctx context.Context, dir string, n int) error {
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
		c, err := ns.Commit(finishedPart(ns.Epoch(), from, min(part, n-from)))
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

func finishedPart(epoch uint32, from, n int) *job.Changes {
	total := int64(from + n)
	c := &job.Changes{
		Meta: &job.Meta{
			Epoch: epoch, NextSeq: job.Seq(total + 1), NextAttempt: 1, NextEnd: uint64(total + 1), Seed: 1,
			NextQueue: 2, NextGroup: 2, NextKind: 2, NextShape: 2, NextWorker: 1, MinLive: job.Seq(total + 1),
		},
		Queues: []job.QueueRow{{ID: 1, Def: job.Queue{Name: job.DefaultQueue}, Done: total}},
		Groups: []job.GroupRow{{ID: 1, Name: "history", Done: total}},
	}
	for i := range n {
		seq := job.Seq(from + i + 1)
		j := command(from + i)
		c.Finished = append(c.Finished, job.Finished{End: uint64(seq), Ended: 1, Live: job.Live{
			Seq: seq, Digest: job.DigestOf(job.DefaultQueue, j.Command.Key()), Queue: 1, Group: 1,
			State: job.Complete, Flags: job.FlagCommand, Version: 1, Number: 1, Starts: 1,
		}})
	}
	return c
}
