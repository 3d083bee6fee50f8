package schedule

import (
	"math"
	"slices"

	"github.com/muster-queue/muster/job"
)

// party is what is served in one order: the jobs of an account, without those of
// queues that have a weight of their own, which are a party each. Who is served
// next is decided between accounts, then between the parties of one; what of a
// party is served, by the order of service.
type party struct {
	account *account
	queue   *queue // the one with a weight; nil for all others
	lanes   int

	// The lanes with ready jobs of open queues, in the order of service: of
	// commands, of data, and of commands for which there is no agent.
	commands, data, stranded index[*lane]
	// agenda is what is to be tried; spill what waits for the free stage, since
	// its fan-out has no room for more that is paid.
	agenda, spill agenda
	all           *walker             // the walk over everything, if one is under way
	walks         map[*worker]*walker // those for one worker each
	front         *walker             // of a pass in strict mode
	news          int                 // entries since the last pass
}

type partyKey struct {
	account *account
	queue   *queue
}

// partyOf is the party that serves the queue for the account.
func (s *Scheduler) partyOf(a *account, q *queue) *party {
	if q.Weight == 0 {
		q = nil
	}
	k := partyKey{a, q}
	p := s.byParty[k]
	if p == nil {
		p = &party{account: a, queue: q, walks: map[*worker]*walker{}}
		s.byParty[k] = p
		s.parties = append(s.parties, p)
		a.parties = append(a.parties, p)
	}
	return p
}

// leave notes that a lane is no more part of the party.
func (s *Scheduler) leave(p *party) {
	if p.lanes--; p.lanes > 0 {
		return
	}
	p.clear()
	delete(s.byParty, partyKey{p.account, p.queue})
	s.parties = without(s.parties, p)
	p.account.parties = without(p.account.parties, p)
	s.discardAccount(p.account)
}

// without takes x out of a list where order does not matter.
func without[T comparable](list []T, x T) []T {
	if i := slices.Index(list, x); i >= 0 {
		return withoutAt(list, i)
	}
	return list
}

// withoutAt takes out what is at i; the last one comes there.
func withoutAt[T any](list []T, i int) []T {
	var zero T
	last := len(list) - 1
	list[i], list[last] = list[last], zero
	return list[:last]
}

// busy reports whether there is something to be tried.
func (p *party) busy() bool { return len(p.agenda) > 0 || len(p.spill) > 0 }

// bid is what a party has to offer next: a task, and when its turn comes.
type bid struct {
	party  *party
	agenda *agenda
	level  Level
	sweep  uint64
}

// less reports whether it is b's turn before that of o.
func (b *bid) less(o *bid) bool {
	x, y := b.party.account, o.party.account
	switch {
	case b.level != o.level:
		return b.level < o.level
	case b.sweep != o.sweep:
		return b.sweep < o.sweep
	case x.served != y.served:
		return x.served < y.served
	}
	return x.tie < y.tie
}

// bid is the party's next one; false when it has nothing to try, or may not.
func (p *party) bid() (bid, bool) {
	a := p.account
	b := bid{party: p, agenda: &p.agenda, level: a.level}
	if len(p.agenda) == 0 || a.barred() {
		b.agenda, b.level = &p.spill, Free
		if len(p.spill) == 0 || a.NoFree {
			return b, false
		}
	}
	b.sweep = (*b.agenda)[0].at.sweep()
	return b, true
}

// next is the bid to be served next; its party is nil when nobody has anything to
// try.
func (s *Scheduler) next() bid {
	if len(s.parties) == 1 {
		if b, ok := s.parties[0].bid(); ok {
			return b
		}
		return bid{}
	}
	s.bids = s.bids[:0]
	for _, p := range s.parties {
		if b, ok := p.bid(); ok {
			s.bids = append(s.bids, b)
		}
	}
	return best(s.bids)
}

// best is the bid to be served: the account's whose turn it is, and of its parties
// the one with the best queue, by the rule of weights.
func best(bids []bid) bid {
	if len(bids) == 0 {
		return bid{}
	}
	first, rivals := 0, 0
	for i := 1; i < len(bids); i++ {
		switch {
		case bids[i].less(&bids[first]):
			first, rivals = i, 0
		case !bids[first].less(&bids[i]):
			rivals++
		}
	}
	if rivals == 0 {
		return bids[first]
	}
	var same []bid
	var queues []Contender
	for _, b := range bids {
		if b.party.account == bids[first].party.account && !bids[first].less(&b) {
			same, queues = append(same, b), append(queues, b.contender())
		}
	}
	winner := Fairest(queues)
	return same[slices.Index(queues, winner)]
}

// contender is the queue that the bid is for. A walk that has not begun could meet
// any queue, so it comes first.
func (b *bid) contender() Contender {
	q := b.party.queue
	if q == nil {
		t := (*b.agenda)[0]
		switch {
		case t.offer != nil:
			q = t.offer.lane.queue
		case len(t.walk.open) > 0:
			q = t.walk.open[0].lane.queue
		default:
			return Contender{Priority: math.MaxInt64}
		}
	}
	return Contender{Queue: q.id, Priority: q.Priority, Weight: job.Share(q.Weight), Pending: q.running, Served: q.served}
}
