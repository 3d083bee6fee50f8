package engine

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/muster-queue/muster/job"
)

// UnitsRequest asks for jobs of one queue by key, live and complete.
type UnitsRequest struct {
	Queue string
	// Keys, if not nil, asks for exactly these, in this order; the answer has nil
	// for those that are not there. What follows but Brief is ignored then.
	Keys []job.Key
	// States are those wanted; nil means all, empty none.
	States []job.State
	// After leaves out this key and smaller ones; nil begins at the start.
	After *job.Key
	// Limit is the most that are returned, 1 to MaxUnits.
	Limit int
	// Brief leaves data out.
	Brief bool
}

// MaxUnits is the most units a request may ask for at once.
const MaxUnits = 10_000

// Unit is a job of a queue that is ordered by key, with its data.
type Unit struct {
	Seq       job.Seq
	Queue     string
	Key       job.Key
	State     job.State
	Priority  float64
	NotBefore time.Time
	// Own is the job's own data.
	Own []byte
	// Attempts is the number of the newest attempt.
	Attempts uint32
	// Attempt is the current one: it holds the job, or completed or buried it;
	// nil otherwise.
	Attempt *UnitAttempt
}

// UnitAttempt is an attempt of a unit.
type UnitAttempt struct {
	ID      job.AttemptID
	Number  uint32
	Worker  string
	Outcome job.Outcome
	// Deadline is when the lease ends; zero once the attempt has ended, as Ended
	// is before.
	Granted, Deadline, Ended time.Time
	// Data is the attempt's own; nil when it has none.
	Data []byte
}

// Data is what readers of the unit see: the data of its current attempt, if that
// has its own, else the unit's.
func (u *Unit) Data() []byte {
	if u.Attempt != nil && u.Attempt.Data != nil {
		return u.Attempt.Data
	}
	return u.Own
}

// UnitsSelector selects jobs of one queue; all conditions that are given
// combine. One without any selects nothing, unless All.
type UnitsSelector struct {
	Queue string
	// Keys, if not nil, are those meant.
	Keys []job.Key
	// States, if not nil, are the states they must be in.
	States []job.State
	// After leaves out this key and smaller ones.
	After *job.Key
	// Limit is the most that are selected, in the order of keys; zero: no limit.
	Limit int
	// All selects every job of the queue, if there is no other condition.
	All bool
}

// Units reads jobs of a queue that is ordered by key, in that order, or those of
// the keys asked for. A unit is in the answer once, in the state it was in at some
// moment of the call. Errors: job.ErrNoQueue, Conflict if the queue is in another
// order, Invalid.
func (n *Namespace) Units(ctx context.Context, r UnitsRequest) ([]*Unit, error) {
	if r.Keys == nil && (r.Limit < 1 || r.Limit > MaxUnits) || len(r.Keys) > MaxUnits {
		return nil, job.Errorf(job.Invalid, "read jobs by key: at most %d, and at least one, can be asked for at once", MaxUnits)
	}
	b, err := n.byKey(ctx, r.Queue)
	if err != nil {
		return nil, err
	}
	if r.Keys != nil {
		found, err := b.find(ctx, r.Keys)
		if err != nil {
			return nil, err
		}
		return n.units(r.Queue, found, r.Brief)
	}
	return b.read(ctx, r)
}

// read reads a page. It is only short where the queue ends: in the place of units
// that are deleted meanwhile come later ones.
func (b *byKey) read(ctx context.Context, r UnitsRequest) ([]*Unit, error) {
	var all []*Unit
	for {
		found, err := b.list(ctx, &r)
		if err != nil {
			return nil, err
		}
		units, err := b.ns.units(r.Queue, found, r.Brief)
		if err != nil {
			return nil, err
		}
		units = slices.DeleteFunc(units, func(u *Unit) bool { return u == nil })
		all = append(all, units...)
		if len(found) < r.Limit || len(units) == len(found) {
			return all, nil
		}
		r.After, r.Limit = &found[len(found)-1].key, r.Limit-len(units)
	}
}

// setOf is the set of the states; nil means all.
func setOf(states []job.State) uint16 {
	if states == nil {
		return 1<<job.NumStates - 1
	}
	var set uint16
	for _, s := range states {
		set |= 1 << s
	}
	return set
}

// find looks keys up; nil for what is not there.
func (b *byKey) find(ctx context.Context, keys []job.Key) ([]*located, error) {
	found := make([]*located, len(keys))
	err := b.named(ctx, keys, func(_ *writer, i int, l *located) { found[i] = new(*l) })
	return found, err
}

// list reads a page.
func (b *byKey) list(ctx context.Context, r *UnitsRequest) ([]*located, error) {
	var found []*located
	states, after := setOf(r.States), r.After
	for len(found) < r.Limit && states != 0 {
		var page []*located
		next, err := b.page(ctx, states, after, min(r.Limit-len(found), MaxPage), func(_ *writer, l *located) {
			page = append(page, new(*l))
		})
		if err == nil {
			page, err = b.settle(ctx, page, states)
		}
		if err != nil {
			return nil, err
		}
		found = append(found, page...)
		if next == nil {
			break
		}
		after = next
	}
	return found, nil
}

// settle looks those of a page up again that are unread, and leaves them out if
// they are in another state by now.
func (b *byKey) settle(ctx context.Context, page []*located, states uint16) ([]*located, error) {
	var keys []job.Key
	for _, l := range page {
		if l.unread() {
			keys = append(keys, l.key)
		}
	}
	if len(keys) == 0 {
		return page, nil
	}
	again, err := b.find(ctx, keys)
	if err != nil {
		return nil, err
	}
	for i, l := range page {
		if l.unread() {
			page[i], again = again[0], again[1:]
		}
	}
	return slices.DeleteFunc(page, func(l *located) bool { return l == nil || states&(1<<l.live.State) == 0 }), nil
}

// units reads from disk what is kept there of jobs; nil for those that are not
// there, or not any more.
func (n *Namespace) units(queueName string, found []*located, brief bool) ([]*Unit, error) {
	units := make([]*Unit, len(found))
	order := make([]int, 0, len(found)) // by number, as the store has them
	for i, l := range found {
		if l != nil {
			units[i] = newUnit(queueName, l)
			order = append(order, i)
		}
	}
	slices.SortFunc(order, func(a, b int) int { return cmp.Compare(units[a].Seq, units[b].Seq) })
	if err := n.readAttempts(units, order, brief); err != nil || brief {
		return units, err
	}
	return units, n.readData(units, found, order)
}

// readData reads the units' descriptions, and the data that their attempts were
// given or made their own, where that is not the units'. Those that were deleted
// since become nil.
func (n *Namespace) readData(units []*Unit, found []*located, order []int) error {
	var refs []job.PayloadRef
	for _, of := range order {
		refs = append(refs, job.PayloadRef{Seq: units[of].Seq, Version: found[of].live.Version})
		if units[of].apart(&found[of].live) {
			refs = append(refs, job.PayloadRef{Seq: units[of].Seq, Version: found[of].live.GivenVersion})
		}
	}
	payloads, err := n.store.Payloads(refs)
	if err != nil {
		return job.Wrap(err, "read descriptions", "")
	}
	for _, of := range order {
		u, own := units[of], payloads[0]
		if payloads = payloads[1:]; u.apart(&found[of].live) {
			if u.Attempt.Data, err = dataOf(payloads[0].Body); err != nil {
				return err
			}
			payloads = payloads[1:]
		}
		if own.Body == nil {
			units[of] = nil
		} else if err := u.describe(own.Body); err != nil {
			return err
		}
	}
	return nil
}

// apart reports whether the current attempt's data is in a payload of its own.
func (u *Unit) apart(l *job.Live) bool {
	return u.Attempt != nil && u.Attempt.Data == nil && l.GivenVersion != l.Version
}

// dataOf is the data in a stored description; nil if it was deleted.
func dataOf(body []byte) ([]byte, error) {
	if body == nil {
		return nil, nil
	}
	j := new(job.Job)
	if err := job.Decode(body, j); err != nil {
		return nil, job.Wrap(err, "read a description", "")
	}
	return j.Data, nil
}

// newUnit is what the state record tells.
func newUnit(queueName string, l *located) *Unit {
	u := &Unit{
		Seq: l.live.Seq, Queue: queueName, Key: l.key, State: l.live.State,
		Priority: l.live.Priority, Attempts: l.live.Number,
	}
	if u.State == job.Delayed {
		u.NotBefore = l.live.Due.Std()
	}
	if decided(&l.live) {
		u.Attempt = &UnitAttempt{
			ID: l.live.Attempt, Number: l.live.Number, Worker: l.worker, Outcome: l.live.Outcome,
			Granted: l.live.Granted.Std(), Deadline: l.deadline.Std(),
		}
	}
	return u
}

// decided reports whether an attempt holds the job, or completed or buried it.
func decided(l *job.Live) bool {
	switch l.State {
	case job.Reserved, job.Running, job.Lost:
		return true
	case job.Complete, job.Buried:
		return l.Outcome == job.OutcomeComplete || l.Outcome == job.OutcomeBuried || l.Outcome == job.OutcomeCancelled
	}
	return false
}

// describe fills in what the description says.
func (u *Unit) describe(body []byte) error {
	j := new(job.Job)
	if err := job.Decode(body, j); err != nil {
		return job.Wrap(err, "read a description", "")
	}
	if u.Own = j.Data; u.State != job.Delayed {
		u.NotBefore = j.NotBefore
	}
	return nil
}

// readAttempts reads what is stored of the units' current attempts.
func (n *Namespace) readAttempts(units []*Unit, order []int, brief bool) error {
	var refs []job.AttemptRef
	var of []*UnitAttempt
	for _, i := range order {
		if a := units[i].Attempt; a != nil {
			refs = append(refs, job.AttemptRef{Seq: units[i].Seq, Number: a.Number})
			of = append(of, a)
		}
	}
	if len(refs) == 0 {
		return nil
	}
	rows, err := n.store.AttemptRows(refs)
	if err != nil {
		return job.Wrap(err, "read attempts", "")
	}
	for i, a := range of {
		if rows[i].ID == a.ID && a.Outcome != job.OutcomeNone { // else its lease ended and was given back
			a.fill(&rows[i].Attempt, brief)
		}
	}
	return nil
}

func (a *UnitAttempt) fill(row *job.Attempt, brief bool) {
	a.Worker, a.Ended = cmp.Or(a.Worker, row.Worker), row.Ended
	if !brief {
		a.Data = row.Data
	}
}
