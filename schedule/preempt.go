package schedule

import (
	"encoding/binary"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/muster-queue/muster/job"
)

// Preemption is a decision: the victim is to be stopped so that another job gets
// its place. From now on the victim costs nothing any more, and its account has
// got back what it had cost; the other job has left the ready set, has paid that
// sum, and holds a claim: the worker's resources are accounted for both, and the
// victim counts for its account's limits, until the caller tells with Release that
// it ended. The next Pass then places the other.
type Preemption struct {
	Worker job.WorkerID
	Victim job.Seq
	// Seq and Shape are of the job that gets the place, at Level. Cost is what the
	// victim had cost.
	Seq   job.Seq
	Shape job.ShapeID
	Level Level
	Cost  Balance
	// Was is the level the victim ran at.
	Was Level
}

// Preemptions are those of the last call of Pass. The slice is valid until the
// next call.
func (s *Scheduler) Preemptions() []Preemption { return s.preempted }

// SetPreemption says whether jobs may preempt others from now on.
func (s *Scheduler) SetPreemption(on bool) {
	s.cfg.NoPreemption = !on
	s.encourage()
}

// encourage lets every account try to preempt again: there may be new victims.
func (s *Scheduler) encourage() {
	for _, a := range s.accounts {
		a.eager = true
		if s.stir(a); s.underway {
			s.attend(a)
		}
	}
}

// hunt is the search for victims at a level: it goes through the runs of worse
// levels, the cheapest first, and looks for the first job in the order of service
// that fits in a victim's place and whose account can pay for it.
type hunt struct {
	level   Level
	hunters []*account
	victims []*hold
	// vain are the kinds of places that nobody wants.
	vain map[string]struct{}
}

// An account does not hunt again for huntRest for every huntEffort runs that were
// looked at: with news all the time, hunts would take all the time there is.
const (
	huntEffort = 256
	huntRest   = 2 * time.Millisecond
)

// startHunt begins the search at the level that ends.
func (s *Scheduler) startHunt() {
	s.hunt = &hunt{level: s.stage}
	if s.cfg.NoPreemption {
		return
	}
	for _, a := range s.restless {
		if a.level == s.stage && s.hungry(a) && s.now >= s.huntOf(a) {
			a.eager, a.hunted = false, s.now
			s.hunt.hunters = append(s.hunt.hunters, a)
		}
	}
	if len(s.hunt.hunters) == 0 {
		return
	}
	slices.SortFunc(s.hunt.hunters, byTurn)
	var runs []*hold
	for _, a := range s.accounts {
		for level := s.stage + 1; level <= Free; level++ {
			for _, h := range a.runs[level] {
				if h.preemptible() && h.born != s.passes {
					runs = append(runs, h)
				}
			}
		}
	}
	for _, a := range s.hunt.hunters {
		a.rested = s.now.Add(time.Duration(len(runs)/huntEffort) * huntRest)
	}
	s.budget -= len(runs) / 64
	s.hunt.victims, s.hunt.vain = s.byCost(runs), map[string]struct{}{}
}

// preemptible reports whether the run may ever be a victim: an agent can be told
// to stop it.
func (h *hold) preemptible() bool {
	return h.charged && !h.fixed && h.victim == nil && h.worker != nil && h.worker.takes()
}

// goHunting takes the search on, as far as the budget goes; it reports whether it
// came to the end.
func (s *Scheduler) goHunting() bool {
	hu := s.hunt
	for len(hu.victims) > 0 {
		if s.budget <= 0 {
			return false
		}
		s.budget--
		v := hu.victims[0]
		if hu.victims = hu.victims[1:]; v.level <= hu.level || !v.preemptible() || v.worker.preempted == s.passes {
			continue
		}
		cost := v.costAt(s.now)
		if !hu.affordable(cost) {
			return true
		}
		key := v.place()
		if _, vain := hu.vain[key]; vain {
			continue
		}
		if o := s.preemptor(hu, v, cost); o != nil {
			s.preempt(v, o, hu.level)
		} else if hu.alike() {
			hu.vain[key] = struct{}{}
		}
	}
	return true
}

// affordable reports whether any account can pay that much.
func (hu *hunt) affordable(cost Balance) bool {
	return slices.ContainsFunc(hu.hunters, func(a *account) bool { return cost.Less(a.value) })
}

// alike reports whether places that look alike are: not to those who count labels.
func (hu *hunt) alike() bool {
	return !slices.ContainsFunc(hu.hunters, func(a *account) bool { return len(a.LabelLimits) > 0 })
}

// place is the same for victims in whose place the same jobs fit.
func (h *hold) place() string {
	w := h.worker
	var b []byte
	for _, m := range w.member {
		b = binary.LittleEndian.AppendUint32(b, m.at)
		b = binary.LittleEndian.AppendUint64(b, m.bits)
	}
	room := w.free.clone()
	room.add(&h.demand.amounts, 1)
	var key strings.Builder
	key.Write(b)
	key.WriteString(room.key())
	key.WriteString(strconv.FormatInt(int64(w.until), 36))
	if w.reserved != nil {
		key.WriteString(" " + strconv.FormatUint(uint64(w.id), 36))
	}
	return key.String()
}

// preemptor is the first offer in the order of service that fits in the victim's
// place, of an account that can pay; nil if there is none.
func (s *Scheduler) preemptor(hu *hunt, v *hold, cost Balance) *offer {
	w := v.worker
	room := w.free.clone()
	room.add(&v.demand.amounts, 1)
	reach := columnsOf(&room)
	if w.until != 0 {
		reach[colUntil] = int64(w.until)
	}
	for _, a := range hu.hunters {
		if !cost.Less(a.value) || a.atLimit(w) {
			continue
		}
		wanted := func(o *offer) bool {
			return o.last() && !s.throttled(o.shape) && o.shape.demand.restFit(&room) &&
				(w.reserved == nil || o.shape.outranks(w.reserved))
		}
		if o := s.firstOf(a, w, reach, wanted); o != nil {
			return o
		}
	}
	return nil
}

// firstOf is the first offer of the account, of those wanted, that fits on the
// worker with that much room.
func (s *Scheduler) firstOf(a *account, w *worker, room vec, wanted func(*offer) bool) *offer {
	bound := func(l *lane, _ rank) (vec, bool) { return room.at(s.now), l == nil || l.open() }
	var bids []bid
	for _, p := range a.parties {
		walk := walker{order: &p.commands, bound: bound, wanted: wanted, suits: func(l *lane) bool { return w.in(l.class) }}
		if o, r, ok := walk.next(s); ok {
			bids = append(bids, bid{party: p, agenda: &agenda{{at: r, offer: o}}})
		}
	}
	b := best(bids)
	if b.party == nil {
		return nil
	}
	return (*b.agenda)[0].offer
}

// preempt gives the place of a victim to the first job of the offer.
func (s *Scheduler) preempt(v *hold, o *offer, level Level) {
	sh, w, a, was := o.shape, v.worker, o.lane.account, v.level
	s.settleAccount(a)
	s.uncharge(v)
	cost := v.cost
	v.stopped = true
	if v.account.known {
		v.account.value = v.account.value.Add(cost)
		s.touch(v.account)
		s.attend(v.account)
	}
	a.value = a.value.Sub(cost)
	s.attend(a)
	w.preempted = s.passes
	it := sh.items.pop()
	s.preempted = append(s.preempted, Preemption{
		Worker: w.id, Victim: v.seq, Seq: it.Seq, Shape: sh.id, Level: level, Cost: cost, Was: was,
	})
	h := s.hold(sh, w, &Held{Seq: it.Seq, Shape: sh.id, Worker: w.id, Since: s.now})
	s.useRates(h.limits)
	s.pay(h, level, cost)
	h.claim(v, it, cost)
	s.served(sh)
	slices.SortFunc(s.hunt.hunters, byTurn)
	sh.waiting = 0
	s.cancelReservation(sh)
	s.taken(sh, &it)
	s.settle(sh)
}
