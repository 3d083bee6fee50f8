package dispatch_test

import (
	"context"
	"fmt"
	"time"

	"github.com/muster-queue/muster/dispatch"
)

// A task is assigned to the worker that asks, and assigned again until it is known to
// run there.
func Example() {
	ctx, start := context.Background(), time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC)
	after := func(d time.Duration) time.Time { return start.Add(d) }
	scheduler, reconciler := dispatch.NewScheduler(start), dispatch.New()

	// The team may have two workers at any time, and saves quota for an hour.
	team := &dispatch.AccountConfig{ChargeRate: dispatch.Balance{2}, MaxChargeSeconds: 3600}
	if err := scheduler.AddAccount("team", team, nil); err != nil {
		fmt.Println(err)
	}
	err := reconciler.NotifyTaskWaiting(ctx, scheduler, dispatch.NullEventSink, &dispatch.TaskWaitingRequest{
		RequestID: "build-7", AccountID: "team", EnqueueTime: start, Time: start,
		BaseLabels: dispatch.Labels{"os:linux"}, ProvisionableLabels: dispatch.Labels{"toolchain:14"},
	})
	if err != nil {
		fmt.Println(err)
	}

	worker := &dispatch.IdleWorker{ID: "rack3-12", Labels: dispatch.Labels{"os:linux", "ssd:yes"}}
	ask := func(d time.Duration) {
		list := reconciler.AssignTasks(ctx, scheduler, after(d), dispatch.NullEventSink, worker)
		if len(list) == 0 {
			fmt.Println(worker.ID, "has nothing to do")
		}
		for _, a := range list {
			fmt.Printf("%s runs %s, provision: %v\n", a.WorkerID, a.RequestID, a.ProvisionRequired)
		}
	}
	ask(1 * time.Second)
	ask(2 * time.Second) // the answer was lost on its way

	err = reconciler.NotifyTaskRunning(ctx, scheduler, dispatch.NullEventSink, &dispatch.TaskRunningRequest{
		RequestID: "build-7", WorkerID: "rack3-12", Time: after(3 * time.Second),
	})
	if err != nil {
		fmt.Println(err)
	}
	ask(time.Minute) // it is idle again, so the task has ended
	// Output:
	// rack3-12 runs build-7, provision: true
	// rack3-12 runs build-7, provision: true
	// rack3-12 has nothing to do
}
