package schedule

import (
	"fmt"

	"github.com/muster-queue/muster/job"
)

// hold is an attempt that is accounted: on its queue, and on its worker.
type hold struct {
	seq        job.Seq
	of         *shape // also when that was dropped
	queue      *queue
	demand     *demand
	worker     *worker // nil when nobody in particular holds it
	pos        int     // in worker.holds
	ends       job.Time
	prefetched bool
	fixed      bool // never a victim
	limits     *limitSet
	untold     bool // it was granted, and not heard of since

	// What it costs, see Charge: cost is what it was at paid. A charged run is in
	// its account's runs of that level, at run; payer is the name its shape gave.
	payer   string
	account *account
	charged bool
	level   Level
	share   float64
	cost    Balance
	paid    job.Time
	run     int
	born    uint64 // the pass that placed it

	fanout *fanout
	labels []string // those counted for the account's limits

	// stopped runs were preempted, by claimant. A claimant waits for its victim's
	// end, and is ripe when it came; item is where it was, price what it paid.
	stopped  bool
	claimant *hold
	victim   *hold
	ripe     bool
	given    bool // it was placed, and not heard of since
	item     Item
	price    Balance
}

// Hold accounts an attempt that was granted (after a reload), or changes one:
// a prefetched job that started, a start that was later than the grant. Pass and
// Pull hold what they place. The shape must be defined; a later change of it
// does not matter to what is held.
func (s *Scheduler) Hold(h Held) {
	old := s.held[h.Seq]
	if old != nil && old.is(&h) {
		s.update(old, &h)
		return
	}
	var claimant *hold
	if old != nil {
		if h.Charge == (Charge{}) {
			h.Charge, _ = s.Charge(h.Seq)
		}
		if old.worker != nil && old.worker.id == h.Worker {
			claimant, old.claimant = old.claimant, nil // it goes on waiting
		}
		s.Release(h.Seq)
	}
	sh := s.shapes[h.Shape]
	if sh == nil {
		panic(fmt.Sprintf("schedule: job %d held with undefined shape %d", h.Seq, h.Shape))
	}
	var w *worker
	if h.Worker != 0 {
		w = s.workerOf(h.Worker)
	}
	o := s.hold(sh, w, &h)
	s.resume(o, h.Charge)
	if claimant != nil {
		s.Stopping(o.seq, true)
		claimant.claim(o, claimant.item, claimant.price)
	}
	if victim := s.held[h.Victim]; victim != nil && victim.worker == w {
		s.Stopping(victim.seq, true)
		o.claim(victim, h.Item, h.Price)
	}
}

// is reports whether the attempt is of that shape on that worker.
func (h *hold) is(o *Held) bool {
	if h.worker == nil {
		return o.Worker == 0 && h.of.id == o.Shape
	}
	return h.worker.id == o.Worker && h.of.id == o.Shape
}

// update changes start and kind of an attempt.
func (s *Scheduler) update(o *hold, h *Held) {
	o.ends = o.demand.ends(h.Since)
	o.unclaim()
	o.ripe, o.given, o.untold = false, false, false
	w := o.worker
	if w == nil {
		return
	}
	if o.prefetched != h.Prefetched {
		o.prefetched = h.Prefetched
		if h.Prefetched {
			w.backlog++
			s.uncharge(o)
		} else {
			w.backlog--
			s.charge(o)
		}
		s.refileWorker(w)
		s.wake(w)
	}
	s.replan(w)
}

func (s *Scheduler) hold(sh *shape, w *worker, h *Held) *hold {
	payer, account := sh.account, sh.lane.account
	if name := h.Charge.Account; name != "" {
		payer, account = name, s.accountOf(name)
	}
	o := &hold{
		seq: h.Seq, of: sh, queue: sh.lane.queue, demand: sh.demand, worker: w,
		ends: sh.demand.ends(h.Since), prefetched: h.Prefetched, fixed: sh.fixed,
		payer: payer, account: account, limits: sh.lane.limits,
	}
	s.held[h.Seq] = o
	s.count(o.queue, 1)
	s.countLimits(o.limits, 1)
	o.tally()
	if w == nil {
		return o
	}
	o.pos = len(w.holds)
	w.holds = append(w.holds, o)
	w.free.add(&o.demand.amounts, -1)
	if o.prefetched {
		w.backlog++
	}
	s.refileWorker(w)
	s.replan(w)
	return o
}

// Release ends the account of an attempt; false if it was not held. A job that
// waited for its end is placed by the next Pass.
func (s *Scheduler) Release(seq job.Seq) bool {
	o := s.held[seq]
	if o == nil {
		return false
	}
	delete(s.held, seq)
	if c := o.claimant; c != nil {
		c.unclaim()
		c.ripe = true
		s.ripe = append(s.ripe, c)
	}
	o.unclaim()
	s.uncharge(o)
	s.untally(o)
	s.discardAccount(o.account)
	s.count(o.queue, -1)
	s.discard(o.queue)
	if o.untold {
		s.unuseRates(o.limits)
	}
	s.countLimits(o.limits, -1)
	w := o.worker
	if w == nil {
		return true
	}
	last := len(w.holds) - 1
	w.holds[o.pos] = w.holds[last]
	w.holds[o.pos].pos = o.pos
	w.holds[last] = nil
	w.holds = w.holds[:last]
	w.free.add(&o.demand.amounts, 1)
	if o.prefetched {
		w.backlog--
	}
	s.refileWorker(w)
	s.replan(w)
	s.wake(w)
	s.forget(w)
	return true
}
