package worker

import (
	"time"

	"github.com/muster-queue/muster/client"
	"github.com/muster-queue/muster/job"
)

// renewEvery is the longest time between renewals: it is also by their answers that
// a worker learns that a job was cancelled.
const renewEvery = 10 * time.Second

// keep renews the lease, or ends the attempt's context before the lease ends.
func (a *Attempt) keep() {
	margin := a.w.cfg.margin(a.lease)
	every := min((a.lease-margin)/3, renewEvery)
	for next := time.Now().Add(every); ; {
		giveUp := a.Deadline().Add(-margin)
		wake := giveUp
		if !a.w.cfg.NoRenewals && next.Before(giveUp) {
			wake = next
		}
		if !a.sleep(time.Until(wake)) {
			return
		}
		now := time.Now()
		if !now.Before(a.Deadline().Add(-margin)) {
			a.cancel(ErrLeaseEnds)
			return
		}
		if !a.w.cfg.NoRenewals && !now.Before(next) {
			a.renewOnce()
			next = now.Add(every)
		}
	}
}

// sleep is false when there is nothing to keep any more.
func (a *Attempt) sleep(d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-a.told:
	case <-a.ctx.Done():
	}
	return false
}

// renewOnce renews unless an earlier renewal is still on its way.
func (a *Attempt) renewOnce() {
	a.mu.Lock()
	defer a.mu.Unlock()
	if !a.renewing && !a.ended {
		a.renewing = true
		a.renew(func(err error) {
			a.mu.Lock()
			a.renewing = false
			a.mu.Unlock()
			if err != nil {
				a.w.cfg.Logger.Info("a lease was not renewed", "job", a.String(), "attempt", a.grant.Attempt, "err", err)
			}
		})
	}
}

// renew asks for the lease to begin anew, and brings the data along. It is called
// with mu held.
func (a *Attempt) renew(done func(error)) {
	report, size := client.Renew(a.grant, a.w.cfg.Lease), 0
	if a.unsaved && a.fits() == nil {
		report, size = report.With(a.data), len(a.data)
		a.unsaved = false
	}
	a.w.reports.add(item{report: report, size: size, answered: func(sent time.Time, refusal error, stopping job.Mark) {
		done(a.heed(sent, refusal, stopping))
	}})
}

// heed is what follows from the server's answer to a start or a renewal.
func (a *Attempt) heed(sent time.Time, refusal error, stopping job.Mark) error {
	switch {
	case refusal != nil && (job.KindOf(refusal) == job.LostLease || job.KindOf(refusal) == job.NotFound):
		a.cancel(job.ErrLostLease)
		return job.ErrLostLease
	case refusal != nil:
		return refusal
	case stopping != job.MarkNone:
		a.cancel(ErrCancelled)
		return ErrCancelled
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if sent.After(a.renewed) {
		a.renewed = sent
	}
	return nil
}
