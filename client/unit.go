package client

import (
	"cmp"
	"context"
	"time"

	"github.com/muster-queue/muster/api"
	musterv1 "github.com/muster-queue/muster/api/muster/v1"
	"github.com/muster-queue/muster/job"
)

// Unit is a job of a queue that is ordered by key, as those see it who go by keys:
// with its data, and the attempt that is current.
type Unit struct {
	Queue    string
	Key      job.Key
	Seq      job.Seq
	State    job.State
	Priority float64
	// NotBefore is until when it is held back.
	NotBefore time.Time
	// Own is the unit's own data.
	Own []byte
	// Attempts is the number of the newest attempt.
	Attempts uint32
	// Attempt is the current one: it holds the unit, or completed or buried it;
	// nil otherwise.
	Attempt *UnitAttempt
}

// Data is what readers of the unit see: the data of its current attempt, if that
// has its own, else the unit's.
func (u *Unit) Data() []byte {
	if u.Attempt != nil && u.Attempt.Data != nil {
		return u.Attempt.Data
	}
	return u.Own
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

// UnitsRequest asks for units of a queue.
type UnitsRequest struct {
	Queue string
	// Keys, if not nil, asks for exactly these, in this order; nil stands for
	// those that are not there. Of the rest only Brief is heeded then.
	Keys []job.Key
	// States are those wanted; nil means all, empty none.
	States []job.State
	// After leaves out this key and smaller ones; nil begins at the start.
	After *job.Key
	// Limit is the most that are wanted; zero means a thousand.
	Limit int
	// Brief leaves data out.
	Brief bool
}

// Units reads units in the order of their keys, or those of the keys asked for.
func (n *Namespace) Units(ctx context.Context, r UnitsRequest) ([]*Unit, error) {
	q := &musterv1.ListUnitsRequest{
		Namespace: n.name, Queue: r.Queue, Keys: unitKeys(r.Keys), States: unitStates(r.States), After: afterKey(r.After),
		Limit: int32(min(cmp.Or(r.Limit, maxPage), maxUnits)), Brief: r.Brief,
	}
	var all []*Unit
	for {
		m, err := call(ctx, n.c, n.c.units.ListUnits, q)
		if err != nil {
			return nil, err
		}
		page, err := convert(m.Units, toUnit)
		if err != nil {
			return nil, err
		}
		all = append(all, page...)
		if !m.Cut || len(page) == 0 {
			return all, nil
		}
		q.After = m.Units[len(page)-1].Key
		if q.Limit -= int32(len(page)); q.Keys != nil {
			q.Keys.Keys = q.Keys.Keys[len(page):]
		}
	}
}

// maxUnits is more than a listing may have.
const maxUnits = 1 << 20

// UnitSelector selects units of a queue; all conditions that are given combine.
// One without any selects nothing, unless All.
type UnitSelector struct {
	Queue string
	// Keys and States, if not nil, are those meant.
	Keys   []job.Key
	States []job.State
	// After leaves out this key and smaller ones.
	After *job.Key
	// Limit is the most that are selected, in the order of keys; zero: no limit.
	Limit int
	All   bool
}

func (s *UnitSelector) message() *musterv1.UnitSelector {
	return &musterv1.UnitSelector{
		Keys: unitKeys(s.Keys), States: unitStates(s.States), After: afterKey(s.After), Limit: int32(min(s.Limit, 1<<30)), All: s.All,
	}
}

// DeleteUnits deletes units in whatever state, and tells how many.
func (n *Namespace) DeleteUnits(ctx context.Context, s UnitSelector) (int64, error) {
	m, err := call(ctx, n.c, n.c.units.DeleteUnits, &musterv1.DeleteUnitsRequest{Namespace: n.name, Queue: s.Queue, Select: s.message()})
	return m.GetDeleted(), err
}

// PrioritiseUnits sets the priority of units in whatever state or, with set nil,
// adds adjust to it.
func (n *Namespace) PrioritiseUnits(ctx context.Context, s UnitSelector, set *float64, adjust float64) error {
	request := &musterv1.PrioritiseUnitsRequest{Namespace: n.name, Queue: s.Queue, Select: s.message(), Set: set, Adjust: adjust}
	if set != nil {
		_, err := call(ctx, n.c, n.c.units.PrioritiseUnits, request)
		return err
	}
	_, err := callOnce(ctx, n.c, n.c.units.PrioritiseUnits, request)
	return err
}

func unitKeys(keys []job.Key) *musterv1.UnitKeys {
	if keys == nil {
		return nil
	}
	return &musterv1.UnitKeys{Keys: each(keys, func(k job.Key) []byte { return []byte(k) })}
}

func unitStates(states []job.State) *musterv1.UnitStates {
	if states == nil {
		return nil
	}
	return &musterv1.UnitStates{States: each(states, job.State.String)}
}

// afterKey is a key as an optional field has it.
func afterKey(key *job.Key) []byte {
	if key == nil {
		return nil
	}
	return append([]byte{}, *key...)
}

// toUnit is the unit of a message; nil for one that is not there.
func toUnit(m *musterv1.Unit) (*Unit, error) {
	if m.State == "" {
		return nil, nil
	}
	var f firstError
	u := &Unit{
		Queue: m.Queue, Key: job.Key(m.Key), Seq: job.Seq(m.Seq), State: take(&f, job.ParseState, m.State), Priority: m.Priority,
		NotBefore: stamp(m.NotBefore), Own: m.Data, Attempts: m.Attempts,
	}
	if m.Attempt != nil {
		u.Attempt = take(&f, toUnitAttempt, m.Attempt)
	}
	return u, answered(f.err)
}

func toUnitAttempt(m *musterv1.UnitAttempt) (*UnitAttempt, error) {
	var f firstError
	a := &UnitAttempt{
		ID: take(&f, job.ParseAttemptID, m.Id), Number: m.Number, Worker: m.Worker, Outcome: take(&f, api.ParseOutcome, m.Outcome),
		Granted: stamp(m.Granted), Deadline: stamp(m.Deadline), Ended: stamp(m.Ended), Data: m.Data,
	}
	return a, f.err
}
