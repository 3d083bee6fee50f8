package worker

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	musterv1 "github.com/muster-queue/muster/api/muster/v1"
	"github.com/muster-queue/muster/client"
	"github.com/muster-queue/muster/job"
)

func TestStopLetsFunctionsEnd(t *testing.T) {
	bubble(t, func(t *testing.T, f *fake, c *client.Client) {
		f.grant("k", minute, 0)
		stop := start(t, Config{Client: c}, func(ctx context.Context, _ *Attempt) error {
			time.Sleep(10 * second)
			return ctx.Err()
		})
		time.Sleep(5 * second)
		f.grant("another", minute, 0)
		if err := stop(); err != nil {
			t.Error(err)
		}
		if got := time.Since(f.begin); got != 10*second {
			t.Errorf("stopped after %v", got)
		}
		if len(f.times(musterv1.Report_complete)) != 1 || len(f.grants) != 1 {
			t.Errorf("reported %v, and left %d jobs", f.noted, len(f.grants))
		}
	})
}

func TestStopEndsContextsAfterTheGrace(t *testing.T) {
	bubble(t, func(t *testing.T, f *fake, c *client.Client) {
		f.grant("k", minute, 0)
		var at time.Duration
		var why error
		stop := start(t, Config{Client: c, Grace: 7 * second}, ending(f, &at, &why))
		time.Sleep(second)
		if err := stop(); err != nil {
			t.Error(err)
		}
		if at != 8*second || !errors.Is(why, ErrStopping) {
			t.Errorf("the context ended after %v with %v", at, why)
		}
		// It was not the job's fault, so it costs the job nothing.
		last := f.noted[len(f.noted)-1]
		if last.action != musterv1.Report_release || last.report.Result.GetReason() != job.ReasonSignal.Word() {
			t.Errorf("reported %v", last.report)
		}
	})
}

func TestStopLeavesDeafFunctionsBehind(t *testing.T) {
	bubble(t, func(t *testing.T, f *fake, c *client.Client) {
		f.grant("k", minute, 0)
		wake := make(chan struct{})
		stop := start(t, Config{Client: c, Grace: 7 * second}, func(context.Context, *Attempt) error {
			<-wake
			return nil
		})
		time.Sleep(second)
		if err := stop(); job.KindOf(err) != job.Timeout {
			t.Errorf("stopped with %v", err)
		}
		if got := time.Since(f.begin); got != 15*second {
			t.Errorf("stopped after %v", got)
		}
		close(wake)
	})
}

func TestHeartbeats(t *testing.T) {
	bubble(t, func(t *testing.T, f *fake, c *client.Client) {
		stop := start(t, Config{Client: c, Heartbeat: 10 * second}, func(context.Context, *Attempt) error { return nil })
		time.Sleep(35 * second)
		if err := stop(); err != nil {
			t.Error(err)
		}
		if diff := cmp.Diff(map[string]int{"there": 4, "left": 1}, f.there); diff != "" {
			t.Error(diff)
		}
	})
}

func TestQueuesAreFoundLater(t *testing.T) {
	bubble(t, func(t *testing.T, f *fake, c *client.Client) {
		var ran []time.Duration
		stop := start(t, Config{Client: c, Refresh: 5 * second}, func(context.Context, *Attempt) error {
			ran = append(ran, time.Since(f.begin))
			return nil
		})
		time.Sleep(12 * second)
		f.grant("k", minute, 0)
		time.Sleep(10 * second)
		if err := stop(); err != nil {
			t.Error(err)
		}
		if diff := cmp.Diff([]time.Duration{15 * second}, ran); diff != "" {
			t.Error(diff)
		}
	})
}

func TestReportsWaitForTheServer(t *testing.T) {
	bubble(t, func(t *testing.T, f *fake, c *client.Client) {
		f.set(func() { f.down = true })
		for _, key := range []string{"a", "b", "c"} {
			f.grant(key, 10*minute, 0)
		}
		stop := start(t, Config{Client: c, Concurrency: 2}, func(context.Context, *Attempt) error { return nil })
		time.Sleep(3 * minute)
		synctest.Wait()
		f.set(func() { f.down = false })
		if err := stop(); err != nil {
			t.Error(err)
		}
		if got := f.times(musterv1.Report_complete); len(got) != 3 || got[0] < 3*minute {
			t.Errorf("completed at %v", got)
		}
	})
}

func TestRunWorksOnce(t *testing.T) {
	bubble(t, func(t *testing.T, f *fake, c *client.Client) {
		w, err := New(Config{Client: c})
		if err != nil {
			t.Fatal(err)
		}
		ended, end := context.WithCancel(t.Context())
		end()
		if err := w.Run(ended); err != nil {
			t.Error(err)
		}
		if err := w.Run(ended); job.KindOf(err) != job.Conflict {
			t.Errorf("the second run: %v", err)
		}
	})
}

func TestWhatIsNoWorker(t *testing.T) {
	c, err := client.New(client.Config{Address: "127.0.0.1:1"})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for name, cfg := range map[string]Config{
		"no client": {}, "a name with a line end": {Client: c, Name: "a\nb"}, "too short a lease": {Client: c, Lease: 1},
		"a negative margin": {Client: c, Margin: -second}, "a negative grace": {Client: c, Grace: -second},
	} {
		if _, err := New(cfg); job.KindOf(err) != job.Invalid || err == nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}
