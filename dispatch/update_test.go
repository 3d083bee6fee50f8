package dispatch_test

import (
	"testing"
	"time"

	"github.com/muster-queue/muster/dispatch"
	"github.com/muster-queue/muster/job"
)

// News that are nil are refused, and a worker that is nil gets nothing.
func TestNil(t *testing.T) {
	now := time.Unix(1000, 0)
	s, r, ctx := dispatch.NewScheduler(now), dispatch.New(), t.Context()
	for what, err := range map[string]error{
		"waiting": r.NotifyTaskWaiting(ctx, s, nil, nil),
		"running": r.NotifyTaskRunning(ctx, s, nil, nil),
		"absent":  r.NotifyTaskAbsent(ctx, s, nil, nil),
	} {
		if !job.IsKind(err, job.Invalid) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if got := r.AssignTasks(ctx, s, now, nil, nil, &dispatch.IdleWorker{}); len(got) != 0 {
		t.Errorf("assigned %v", got)
	}
}
