package schedule

import "github.com/muster-queue/muster/job"

// Charge is what a run costs. To be stored with the run, and given back in Hold
// after a reload; the zero value is a run that costs nothing.
type Charge struct {
	// Account is the name of who pays; empty: that of its shape.
	Account string
	Level   Level
	// Cost is what it had cost At.
	Cost Balance
	At   job.Time
	// Share is how much of a worker it takes: the largest part of any resource.
	Share float64
}

// Charge is what the run of a job costs; false if the job does not run.
func (s *Scheduler) Charge(seq job.Seq) (Charge, bool) {
	h := s.held[seq]
	if h == nil {
		return Charge{}, false
	}
	return Charge{Account: h.payer, Level: h.level, Cost: h.costAt(s.now), At: max(s.now, h.paid), Share: h.share}, true
}

// costAt is what the run has cost up to now.
func (h *hold) costAt(now job.Time) Balance {
	c := h.cost
	if h.charged && h.level < Free && now > h.paid {
		c[h.level] += now.Sub(h.paid).Seconds() * h.share
	}
	return c
}

// pay begins to charge a run.
func (s *Scheduler) pay(h *hold, level Level, cost Balance) {
	h.level, h.cost, h.paid = level, cost, s.now
	if h.share == 0 {
		h.share = shareOf(h.demand, h.worker)
	}
	h.born = s.passes
	if !h.prefetched {
		s.charge(h)
	}
}

// resume goes on to charge a run that was stored.
func (s *Scheduler) resume(h *hold, c Charge) {
	level := c.Level
	if c.Share == 0 || !h.account.known {
		level = Free
	}
	h.share = c.Share
	s.pay(h, level, c.Cost)
	if h.born = 0; c.Share == 0 && (h.worker == nil || !h.worker.present) {
		h.share = 0 // known when it says what it has
	}
	if c.At != 0 {
		h.paid = c.At
	}
}

// charge makes the run one of those that its account pays for.
func (s *Scheduler) charge(h *hold) {
	a := h.account
	s.settleAccount(a)
	h.charged, h.paid = true, s.now
	h.run = len(a.runs[h.level])
	a.runs[h.level] = append(a.runs[h.level], h)
	if h.level < Free {
		if h.share == 0 {
			h.share = shareOf(h.demand, h.worker)
		}
		a.spend[h.level] += h.share
		s.touch(a)
	}
	s.stir(a)
}

// uncharge ends that: cost is what it was in all.
func (s *Scheduler) uncharge(h *hold) {
	if !h.charged {
		return
	}
	a := h.account
	s.settleAccount(a)
	h.cost, h.paid, h.charged = h.costAt(s.now), s.now, false
	runs := a.runs[h.level]
	last := len(runs) - 1
	runs[h.run] = runs[last]
	runs[h.run].run = h.run
	runs[last] = nil
	a.runs[h.level] = runs[:last]
	s.stir(a)
	if h.level == Free {
		return
	}
	s.touch(a)
	if a.spend[h.level] -= h.share; last == 0 {
		a.spend[h.level] = 0 // sums of fractions leave traces
	}
}

// move makes the run one of another level.
func (s *Scheduler) move(h *hold, to Level) {
	s.uncharge(h)
	h.level = to
	s.charge(h)
}

// transfer gives a run to the account that it belongs to by now.
func (s *Scheduler) transfer(h *hold) {
	charged := h.charged
	s.uncharge(h)
	s.untally(h)
	h.account, h.level = s.accountOf(h.payer), Free
	h.tally()
	if charged {
		s.charge(h)
	}
}

// shareOf is how much of a worker a demand takes: all of one that said nothing of
// what it has.
func shareOf(d *demand, w *worker) float64 {
	if w == nil || !w.present || !w.bounded {
		return 1
	}
	part := 0.0
	for i, v := range d.col {
		part = max(part, ratio(v, w.capacity.col[i]))
	}
	for _, x := range d.rest {
		part = max(part, ratio(x.v, w.capacity.get(x.name)))
	}
	return part
}

func ratio(need, has int64) float64 {
	if need <= 0 {
		return 0
	}
	return min(1, float64(need)/float64(max(has, 1)))
}
