package worker

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/muster-queue/muster/client"
	"github.com/muster-queue/muster/job"
)

// reporter sends reports in batches, in order, and again for as long as the server
// cannot be reached: many attempts share one call.
type reporter struct {
	send func(context.Context, ...client.Report) ([]client.Answer, error)
	wake chan struct{} // there is something to send
	idle chan struct{} // there may be nothing left

	mu      sync.Mutex
	waiting []item
	trouble complaint
}

// item is a report on its way. Answered is told when it was sent, why it was
// refused, and whether the attempt shall end.
type item struct {
	report   client.Report
	size     int // of its data, in bytes
	answered func(sent time.Time, refusal error, stopping job.Mark)
}

// Bounds of one call.
const (
	maxReports = 1000
	maxBytes   = 16 << 20
)

// patience is how long one call may take, again how long to wait before the next
// after one that failed.
const (
	patience = 20 * time.Second
	again    = time.Second
)

func newReporter(send func(context.Context, ...client.Report) ([]client.Answer, error), log *slog.Logger) *reporter {
	return &reporter{
		send: send, wake: make(chan struct{}, 1), idle: make(chan struct{}, 1),
		trouble: complaint{log: log, what: "the server does not hear what became of jobs"},
	}
}

func (r *reporter) add(i item) {
	r.mu.Lock()
	r.waiting = append(r.waiting, i)
	r.mu.Unlock()
	signal(r.wake)
}

func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// run sends until life ends.
func (r *reporter) run(life context.Context) {
	for {
		batch := r.next()
		if len(batch) == 0 {
			signal(r.idle)
			select {
			case <-r.wake:
				continue
			case <-life.Done():
				return
			}
		}
		if !r.deliver(life, batch) {
			return
		}
	}
}

// next is what goes into one call; it stays waiting until it is answered.
func (r *reporter) next() []item {
	r.mu.Lock()
	defer r.mu.Unlock()
	n, size := 0, 0
	for n < len(r.waiting) && n < maxReports && (n == 0 || size+r.waiting[n].size <= maxBytes) {
		size += r.waiting[n].size
		n++
	}
	return slices.Clone(r.waiting[:n])
}

// deliver sends a batch until it is answered; false when life has ended.
func (r *reporter) deliver(life context.Context, batch []item) bool {
	for life.Err() == nil {
		sent := time.Now()
		answers, err := r.call(life, batch)
		if passing(err) {
			r.trouble.tell(err)
			pause(life, again)
			continue
		}
		if err != nil && len(batch) > 1 { // one of them may be why
			batch = batch[:1]
			continue
		}
		r.trouble.tell(nil)
		r.forget(len(batch))
		for i, item := range batch {
			if err != nil {
				item.answered(sent, err, job.MarkNone)
				continue
			}
			item.answered(sent, answers[i].Err, answers[i].Stopping)
		}
		return true
	}
	return false
}

// call bounds a call to a server that takes it and says nothing; a repeat is safe.
func (r *reporter) call(life context.Context, batch []item) ([]client.Answer, error) {
	ctx, end := context.WithTimeout(life, patience)
	defer end()
	return r.send(ctx, reportsOf(batch)...)
}

func (r *reporter) forget(n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	clear(r.waiting[:n])
	r.waiting = r.waiting[n:]
}

func (r *reporter) left() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.waiting)
}

// flush waits until all has been answered, for as long as the grace.
func (r *reporter) flush(grace time.Duration) error {
	timer := time.NewTimer(grace)
	defer timer.Stop()
	for r.left() > 0 {
		select {
		case <-r.idle:
		case <-timer.C:
			return job.Errorf(job.Unavailable, "%d reports could not be delivered within %v; the leases of those jobs run out by themselves", r.left(), grace)
		}
	}
	return nil
}

func reportsOf(batch []item) []client.Report {
	reports := make([]client.Report, len(batch))
	for i := range batch {
		reports[i] = batch[i].report
	}
	return reports
}

// passing tells trouble that time may heal.
func passing(err error) bool {
	if err == nil {
		return false
	}
	switch job.KindOf(err) {
	case job.Unavailable, job.Exhausted, job.NoSpace, job.Timeout, job.Cancelled:
		return true
	}
	return false
}

// pause waits, or until ctx ends.
func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
