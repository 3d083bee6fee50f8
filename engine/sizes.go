package engine

import (
	"time"

	"github.com/muster-queue/muster/job"
	"github.com/muster-queue/muster/queue"
)

// sizeCheck buries jobs that no present agent is large enough for, so that they
// are reported and not queued for ever. With agents present, a job that is added
// is checked at once; jobs that were there before wait a grace after the agents
// changed, for a larger one may be on its way, and so do those that become ready
// later.
type sizeCheck struct {
	grace time.Duration
	// due is when to look through the shapes that changed; zero: none did.
	due job.Time
}

func newSizeCheck(grace time.Duration) sizeCheck { return sizeCheck{grace: grace} }

func (c *sizeCheck) agentsChanged(now job.Time) { c.due = now.Add(c.grace) }

// becameReady has a job looked at that became ready other than by an add: what it
// waited for ended, its time came, it was changed.
func (c *sizeCheck) becameReady(now job.Time) {
	if c.due == 0 {
		c.due = now.Add(c.grace)
	}
}

func (c *sizeCheck) next() (job.Time, bool) { return c.due, c.due != 0 }

// refuseTooLarge buries a job just added when it is too large.
func (w *writer) refuseTooLarge(a *AddItem) {
	if a.State != job.Ready || len(w.sessions) == 0 {
		return
	}
	l, ok := w.state.BySeq(a.Seq)
	if !ok || l.Flags&(job.FlagWait) != 0 || l.Flags&job.FlagCommand == 0 {
		return
	}
	if !w.tooLarge(l.Shape) {
		return
	}
	if err := w.state.Bury(l.Seq, job.ReasonResource); err == nil {
		a.State = job.Buried
		w.feed()
	}
}

// tooLarge reports whether no agent is large enough for a shape, by what it must have.
func (w *writer) tooLarge(id job.ShapeID) bool {
	_, is := w.sched.TooLarge(id)
	if is {
		w.fitShape(id)
		_, is = w.sched.TooLarge(id)
	}
	return is
}

// sizesATurn bounds how many jobs one turn buries for being too large.
const sizesATurn = 1000

// checkSizes looks through all shapes when the grace is over.
func (w *writer) checkSizes(now job.Time) {
	if w.sizes.due == 0 || now < w.sizes.due {
		return
	}
	w.sizes.due = 0
	if len(w.sessions) == 0 {
		return // nothing is too large for nobody; the next agent sets it again
	}
	short, more := w.sched.Impossible(sizesATurn)
	buried := 0
	for _, s := range short {
		shape, ok := w.state.Shape(s.Shape)
		if !ok || shape.Wait || !w.tooLarge(s.Shape) {
			continue
		}
		left, _, done := w.state.Scan(0, queue.Filter{States: 1 << job.Ready, Shape: s.Shape}, sizesATurn-buried, sizesATurn*100)
		for _, l := range left {
			if w.state.Bury(l.Seq, job.ReasonResource) == nil {
				buried++
			}
		}
		more = more || !done
	}
	w.feed()
	if more && buried > 0 {
		w.sizes.due, w.more = now, true
	}
}
