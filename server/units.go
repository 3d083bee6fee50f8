package server

import (
	"context"

	"google.golang.org/protobuf/proto"

	"github.com/muster-queue/muster/api"
	v1 "github.com/muster-queue/muster/api/muster/v1"
	"github.com/muster-queue/muster/engine"
	"github.com/muster-queue/muster/job"
)

// Listings of units: how many one has that does not say, how many bytes of them
// an answer has (one more at most), and how many are read first, when it is not
// known yet how large they are.
const (
	defaultUnits = 1000
	unitsBytes   = 4 << 20
	unitsFirst   = 32
)

// ListUnits lists units in the order of their keys, or those of the keys asked for.
func (s *unitsService) ListUnits(ctx context.Context, m *v1.ListUnitsRequest) (*v1.ListUnitsResponse, error) {
	ns, err := s.namespace(ctx, m.Namespace)
	if err != nil {
		return nil, err
	}
	l := unitLister{ns: ns, left: int(m.Limit), step: unitsFirst, answer: &v1.ListUnitsResponse{}}
	l.ask = engine.UnitsRequest{Queue: m.Queue, Keys: unitKeys(m.Keys), After: afterKey(m.After), Brief: m.Brief}
	if l.ask.States, err = unitStates(m.States); err != nil {
		return nil, err
	}
	switch {
	case l.ask.Keys != nil:
		l.left = len(l.ask.Keys)
	case m.Limit == 0:
		l.left = defaultUnits
	}
	if l.left < 0 || l.left > engine.MaxUnits {
		return nil, job.Errorf(job.Invalid, "%d units are asked for; at most %d", l.left, engine.MaxUnits)
	}
	return l.answer, l.run(ctx)
}

// unitLister collects units until there are enough, or their answer is large.
type unitLister struct {
	ns     *engine.Namespace
	ask    engine.UnitsRequest
	left   int
	step   int
	bytes  int
	answer *v1.ListUnitsResponse
}

func (l *unitLister) run(ctx context.Context) error {
	named := l.ask.Keys
	for {
		step := min(l.left, l.step)
		if l.ask.Brief {
			step = l.left
		}
		if l.ask.Limit = step; named != nil {
			l.ask.Keys, named = named[:step], named[step:]
		}
		units, err := l.ns.Units(ctx, l.ask)
		if err != nil || !l.add(units) {
			return err
		}
		l.left -= len(units)
		if len(units) < step || l.left == 0 {
			return nil
		}
		if last := units[step-1]; last != nil {
			l.ask.After = &last.Key
		}
		l.step *= 4
	}
}

// add adds units to the answer; false means that it is large enough.
func (l *unitLister) add(units []*engine.Unit) bool {
	for _, u := range units {
		if l.bytes > unitsBytes {
			l.answer.Cut = true
			return false
		}
		m := unitMessage(u)
		l.bytes += proto.Size(m)
		l.answer.Units = append(l.answer.Units, m)
	}
	return true
}

// DeleteUnits removes units.
func (s *unitsService) DeleteUnits(ctx context.Context, m *v1.DeleteUnitsRequest) (*v1.DeleteUnitsResponse, error) {
	ns, err := s.namespace(ctx, m.Namespace)
	if err != nil {
		return nil, err
	}
	sel, err := unitSelector(m.Queue, m.Select)
	if err != nil {
		return nil, err
	}
	deleted, err := ns.DeleteUnits(ctx, sel)
	return &v1.DeleteUnitsResponse{Deleted: deleted}, err
}

// PrioritiseUnits changes priorities.
func (s *unitsService) PrioritiseUnits(ctx context.Context, m *v1.PrioritiseUnitsRequest) (*v1.PrioritiseUnitsResponse, error) {
	ns, err := s.namespace(ctx, m.Namespace)
	if err != nil {
		return nil, err
	}
	sel, err := unitSelector(m.Queue, m.Select)
	if err != nil {
		return nil, err
	}
	return &v1.PrioritiseUnitsResponse{}, ns.PrioritiseUnits(ctx, sel, m.Set, m.Adjust)
}

func unitSelector(queue string, m *v1.UnitSelector) (engine.UnitsSelector, error) {
	s := engine.UnitsSelector{Queue: queue, Keys: unitKeys(m.GetKeys()), After: afterKey(m.GetAfter()), Limit: int(m.GetLimit()), All: m.GetAll()}
	if s.Limit < 0 {
		return s, job.Errorf(job.Invalid, "limit: %d is negative", s.Limit)
	}
	var err error
	s.States, err = unitStates(m.GetStates())
	return s, err
}

// unitKeys are the keys of a message; nil when it names none.
func unitKeys(m *v1.UnitKeys) []job.Key {
	if m == nil {
		return nil
	}
	list := make([]job.Key, len(m.Keys))
	for i, key := range m.Keys {
		list[i] = job.Key(key)
	}
	return list
}

// unitStates are the states of a message; nil when it does not restrict them.
func unitStates(m *v1.UnitStates) ([]job.State, error) {
	if m == nil {
		return nil, nil
	}
	list, err := states(m.States)
	if list == nil {
		list = []job.State{}
	}
	return list, err
}

// afterKey is the key of a message's optional field.
func afterKey(field []byte) *job.Key {
	if field == nil {
		return nil
	}
	key := job.Key(field)
	return &key
}

// unitMessage is a unit as a message, empty for nil.
func unitMessage(u *engine.Unit) *v1.Unit {
	if u == nil {
		return &v1.Unit{}
	}
	return &v1.Unit{
		Queue: text(u.Queue), Key: []byte(u.Key), Seq: uint64(u.Seq), State: u.State.String(), Priority: u.Priority,
		NotBefore: api.FromTime(u.NotBefore), Data: u.Own, Attempts: u.Attempts, Attempt: unitAttempt(u.Attempt),
	}
}

func unitAttempt(a *engine.UnitAttempt) *v1.UnitAttempt {
	if a == nil {
		return nil
	}
	return &v1.UnitAttempt{
		Id: a.ID.String(), Number: a.Number, Worker: text(a.Worker), Outcome: a.Outcome.String(),
		Granted: api.FromTime(a.Granted), Deadline: api.FromTime(a.Deadline), Ended: api.FromTime(a.Ended), Data: a.Data,
	}
}
