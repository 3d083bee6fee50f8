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

const (
	second = time.Second
	minute = time.Minute
)

// ending is a function that runs until its context ends, and tells when and why.
func ending(f *fake, at *time.Duration, why *error) Func {
	return func(ctx context.Context, _ *Attempt) error {
		<-ctx.Done()
		*at, *why = time.Since(f.begin), context.Cause(ctx)
		return *why
	}
}

func TestLeasesAreRenewedWhileAFunctionRuns(t *testing.T) {
	bubble(t, func(t *testing.T, f *fake, c *client.Client) {
		f.grant("k", 12*second, 0)
		stop := start(t, Config{Client: c}, func(ctx context.Context, a *Attempt) error {
			time.Sleep(30 * second)
			return ctx.Err()
		})
		time.Sleep(40 * second)
		// A third of what is left of 12 s without the margin of a tenth.
		want := []time.Duration{3600 * time.Millisecond, 7200 * time.Millisecond, 10800 * time.Millisecond}
		got := f.times(musterv1.Report_renew)
		if len(got) != 8 || !cmp.Equal(got[:3], want) {
			t.Errorf("renewed at %v", got)
		}
		if diff := cmp.Diff([]time.Duration{30 * second}, f.times(musterv1.Report_complete)); diff != "" {
			t.Error(diff)
		}
		if err := stop(); err != nil {
			t.Error(err)
		}
	})
}

func TestContextsEndInTime(t *testing.T) {
	lost := &musterv1.ReportAnswer{Error: &musterv1.Error{Kind: "lost_lease", Message: "lost"}}
	for name, c := range map[string]struct {
		cfg          Config
		lease, limit time.Duration
		prepare      func(f *fake)
		at           time.Duration
		why          error
		end          musterv1.Report_Action
		reason       job.Reason
	}{
		"the server is silent": {
			lease: minute, prepare: func(f *fake) { f.down = true }, at: 54 * second, why: ErrLeaseEnds,
		},
		"the margin is given": {
			cfg: Config{Margin: 20 * second}, lease: minute, prepare: func(f *fake) { f.down = true }, at: 40 * second, why: ErrLeaseEnds,
		},
		"nothing renews": {
			cfg: Config{NoRenewals: true}, lease: 10 * second, at: 9 * second, why: ErrLeaseEnds,
			end: musterv1.Report_release, reason: job.ReasonTime,
		},
		"the lease was lost": {
			lease: minute, prepare: func(f *fake) { f.answers[musterv1.Report_renew] = lost }, at: 10 * second, why: job.ErrLostLease,
			end: musterv1.Report_release, reason: job.ReasonSignal,
		},
		"cancelled": {
			lease: minute, at: 10 * second, why: ErrCancelled,
			prepare: func(f *fake) { f.answers[musterv1.Report_renew] = &musterv1.ReportAnswer{Stopping: "cancelled"} },
			end:     musterv1.Report_release, reason: job.ReasonSignal,
		},
		"the job's time is over": {
			lease: minute, limit: 25 * second, at: 25 * second, why: context.DeadlineExceeded,
			end: musterv1.Report_release, reason: job.ReasonTime,
		},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, f *fake, cl *client.Client) {
				if c.prepare != nil {
					f.set(func() { c.prepare(f) })
				}
				f.grant("k", c.lease, c.limit)
				var at time.Duration
				var why error
				c.cfg.Client = cl
				stop := start(t, c.cfg, ending(f, &at, &why))
				time.Sleep(2 * minute)
				synctest.Wait()
				if at != c.at || !errors.Is(why, c.why) {
					t.Errorf("the context ended after %v with %v, want %v with %v", at, why, c.at, c.why)
				}
				f.set(func() { f.down = false })
				if err := stop(); err != nil {
					t.Error(err)
				}
				if c.end == 0 {
					return
				}
				last := f.noted[len(f.noted)-1]
				if last.action != c.end || last.report.Result.GetReason() != c.reason.Word() {
					t.Errorf("reported %v", last.report)
				}
			})
		})
	}
}
