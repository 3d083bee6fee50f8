package schedule

import (
	"cmp"
	"slices"

	"github.com/muster-queue/muster/job"
)

// threshold is how much quota above or below nothing, at a level, moves runs
// between levels: ten minutes of one worker.
const threshold = 600

// Move is a run that changed its level, since its account has much more quota
// there, or much less, than it uses.
type Move struct {
	Seq      job.Seq
	From, To Level
	// Cost is what the run had cost by then.
	Cost Balance
}

// Moves are the runs whose level the last call of Pass changed. The slice is valid
// until the next call.
func (s *Scheduler) Moves() []Move { return s.moves }

// endLevel does what a level ends with, when all that could be placed is: it moves
// runs between levels, and preempts.
func (s *Scheduler) endLevel() {
	if s.hunt == nil && len(s.restless) > 0 {
		slices.SortFunc(s.restless, byTurn)
		for _, a := range s.restless {
			if a.known {
				s.reprioritise(a, s.stage)
			}
		}
		s.startHunt()
	}
	if s.hunt == nil || s.goHunting() {
		s.hunt = nil
		if s.stage++; s.stage == Free {
			s.calm()
		}
	}
}

// byTurn compares accounts of one level: the longest unserved comes first.
func byTurn(a, b *account) int {
	return cmp.Or(cmp.Compare(a.served, b.served), cmp.Compare(a.tie, b.tie), cmp.Compare(a.name, b.name))
}

// reprioritise moves runs of the account down from the level when it is deep in
// debt there and has more running than its rate allows, the cheapest first; or up
// to it when there is much left and fewer run, the dearest first. What is free since
// its fan-out has no room stays so.
func (s *Scheduler) reprioritise(a *account, p Level) {
	slack := a.Rate[p] - a.spend[p]
	switch {
	case a.overdrawn(p):
		runs := s.byCost(a.runs[p])
		for i := 0; i < len(runs) && slack < 0; i++ {
			slack += runs[i].share
			s.shift(runs[i], p+1)
		}
	case a.ample(p):
		var lower []*hold
		for level := p + 1; level <= Free; level++ {
			lower = append(lower, a.runs[level]...)
		}
		paid := a.paid()
		for runs := s.byCost(lower); len(runs) > 0 && slack > 0; runs = runs[:len(runs)-1] {
			dearest := runs[len(runs)-1]
			if dearest.level == Free && a.MaxFanout > 0 {
				if paid[dearest.fanout] >= a.MaxFanout {
					continue
				}
				paid[dearest.fanout]++
			}
			slack -= dearest.share
			s.shift(dearest, p)
		}
	}
}

// paid is how many runs are paid for by fan-out, where that matters.
func (a *account) paid() map[*fanout]int {
	if a.MaxFanout == 0 {
		return nil
	}
	n := map[*fanout]int{}
	for _, runs := range a.runs[:Free] {
		for _, h := range runs {
			n[h.fanout]++
		}
	}
	return n
}

// byCost is a sorted copy, the cheapest first.
func (s *Scheduler) byCost(runs []*hold) []*hold {
	type priced struct {
		*hold
		cost Balance
	}
	list := make([]priced, 0, len(runs))
	for _, h := range runs {
		list = append(list, priced{h, h.costAt(s.now)})
	}
	slices.SortFunc(list, func(a, b priced) int {
		switch {
		case a.cost.Less(b.cost):
			return -1
		case b.cost.Less(a.cost):
			return 1
		}
		return cmp.Compare(a.seq, b.seq)
	})
	sorted := make([]*hold, len(list))
	for i := range list {
		sorted[i] = list[i].hold
	}
	return sorted
}

// shift moves a run to another level and tells of it.
func (s *Scheduler) shift(h *hold, to Level) {
	s.budget--
	s.moves = append(s.moves, Move{Seq: h.seq, From: h.level, To: to, Cost: h.costAt(s.now)})
	if to > h.level && !s.shifted { // others may preempt it now, or another after it
		s.shifted = true
		s.encourage()
	}
	s.move(h, to)
}
