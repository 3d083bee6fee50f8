package engine

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/muster-queue/muster/job"
)

// A queue keeps so many attempts of a job, the newest, however often that is tried.
func TestAQueueKeepsSoManyAttempts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := setup(t, Config{})
		try(t, b.ns.SetQueue(b.ctx, job.Queue{Name: "q", KeepAttempts: 3, Retries: new(1000)}))
		b.add(t, data("a"))
		for range 50 {
			g := b.reserve(t, ReserveRequest{N: 1})
			b.report(t, Report{Ref: refTo(g[0]), Kind: ReportRelease, Delay: new(time.Duration(0))})
		}
		b.Stop(0)
		b.start(t, Config{})
		rows, err := b.ns.Attempts(b.ctx, JobID{Queue: "q", Key: "a"})
		if err != nil || len(rows) != 3 || rows[0].Number != 48 || rows[2].Number != 50 {
			t.Fatalf("%d attempts, %v", len(rows), err)
		}
		i, err := b.ns.Get(b.ctx, JobID{Queue: "q", Key: "a"}, false, false)
		if err != nil || i.Last == nil || i.Last.Number != 50 || i.Live.Number != 50 {
			t.Fatalf("%+v, %v", i, err)
		}
	})
}
