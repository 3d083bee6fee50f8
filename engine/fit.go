package engine

import (
	"cmp"

	"github.com/muster-queue/muster/job"
	"github.com/muster-queue/muster/learn"
)

// fits has what was learned or raised stay below what machines have: a job for which a
// machine is large enough, as far as people said, must not wait for a larger one.
type fits struct {
	// look are shapes to be looked at, listed the same as a set; bounded are those that
	// were lowered, which again says are to be looked at, too.
	look            []job.ShapeID
	listed, bounded map[job.ShapeID]bool
	again           bool
	fitting         bool // what is told to the scheduler is being fitted
}

func newFits() fits { return fits{listed: map[job.ShapeID]bool{}, bounded: map[job.ShapeID]bool{}} }

// defined notes a shape that is new or changed, if it asks for what it was not given.
func (f *fits) defined(id job.ShapeID, a learn.Ask) {
	if !f.fitting && (a.Estimated(learn.Memory) || a.Estimated(learn.Disk)) {
		f.add(id)
	}
}

func (f *fits) add(id job.ShapeID) {
	if !f.listed[id] {
		f.listed[id] = true
		f.look = append(f.look, id)
	}
}

// dropped forgets a shape.
func (f *fits) dropped(id job.ShapeID) { delete(f.bounded, id) }

// agentsChanged has everything looked at again that depends on how large agents are.
func (w *writer) agentsChanged() {
	w.sizes.agentsChanged(w.state.Now())
	w.fits.again = true
}

// fit looks at some of the shapes there are to look at. Without an agent there is
// nothing to compare with.
func (w *writer) fit() {
	f := &w.fits
	if len(w.sessions) == 0 {
		return
	}
	if f.again {
		f.again = false
		for id := range f.bounded {
			f.add(id)
		}
	}
	n := min(len(f.look), refileMax)
	for _, id := range f.look[:n] {
		delete(f.listed, id)
		w.fitShape(id)
	}
	f.look = f.look[n:]
	w.more = w.more || len(f.look) > 0
}

// fitShape lowers what a shape asks for beyond what was given to what the agent has
// that comes nearest to it, of those on which what was given fits: an agent that is
// gone for a moment must not bury jobs.
func (w *writer) fitShape(id job.ShapeID) {
	w.fits.fitting = true
	defer func() { w.fits.fitting = false }()
	if w.fits.bounded[id] {
		delete(w.fits.bounded, id)
		for r := range learn.Time {
			w.state.Bound(id, r, 0)
		}
		w.feed()
	}
	if _, is := w.sched.Short(id); !is {
		return
	}
	has, ok := w.sched.Nearest(id, w.state.Must(id))
	if !ok {
		return
	}
	asks := w.state.Asked(id)
	for r := range learn.Time {
		if most := has[r.String()]; asks.Estimated(r) && asks.Needs[r.String()] > most {
			w.state.Bound(id, r, cmp.Or(most, learn.None))
		}
	}
	w.fits.bounded[id] = true
	w.feed()
}
