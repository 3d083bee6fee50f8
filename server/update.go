package server

import (
	"context"
	"maps"
	"slices"

	"github.com/muster-queue/muster/api"
	v1 "github.com/muster-queue/muster/api/muster/v1"
	"github.com/muster-queue/muster/engine"
	"github.com/muster-queue/muster/job"
)

// targets are the words of the states an update may ask for.
var targets = map[string]engine.Target{
	"": engine.TargetNone, "ready": engine.TargetReady, "retry": engine.TargetRetry, "held": engine.TargetHeld,
	"complete": engine.TargetComplete, "buried": engine.TargetFailed,
}

// UpdateUnit changes a unit through its current attempt.
func (s *unitsService) UpdateUnit(ctx context.Context, m *v1.UpdateUnitRequest) (*v1.UpdateUnitResponse, error) {
	ns, err := s.namespace(ctx, m.Namespace)
	if err != nil {
		return nil, err
	}
	r, err := updateRequest(ctx, m)
	if err != nil {
		return nil, err
	}
	result, err := ns.Update(ctx, r)
	if err != nil {
		return nil, err
	}
	a := &v1.UpdateUnitResponse{Changed: result.Changed, State: result.State.String()}
	if !result.Attempt.IsZero() {
		a.Attempt = result.Attempt.String()
	}
	return a, nil
}

func updateRequest(ctx context.Context, m *v1.UpdateUnitRequest) (engine.UpdateRequest, error) {
	r := engine.UpdateRequest{
		Queue: m.Queue, Key: job.Key(m.Key), Data: m.Data, Worker: m.Worker, Defined: m.Defined,
		Once: once(ctx, m.RequestId),
	}
	to, ok := targets[m.To]
	if !ok {
		return r, job.Errorf(job.Invalid, "to: %.60q is unknown; use one of ready, retry, held, complete, buried", m.To)
	}
	r.To = to
	var err error
	if m.Attempt != "" {
		if r.Attempt, err = job.ParseAttemptID(m.Attempt); err != nil {
			return r, err
		}
	}
	if m.Lease != nil {
		lease, err := api.ToDuration("lease", m.Lease)
		if err != nil {
			return r, err
		}
		r.Lease = &lease
	}
	r.Delay, err = api.ToDuration("delay", m.Delay)
	return r, err
}

// MakeAttempt grants a unit to a worker, whatever its state.
func (s *unitsService) MakeAttempt(ctx context.Context, m *v1.MakeAttemptRequest) (*v1.Grant, error) {
	ns, err := s.namespace(ctx, m.Namespace)
	if err != nil {
		return nil, err
	}
	lease, err := api.ToDuration("lease", m.Lease)
	if err != nil {
		return nil, err
	}
	g, err := ns.MakeAttempt(ctx, m.Worker, m.Queue, job.Key(m.Key), lease)
	if err != nil {
		return nil, err
	}
	return whole(g)
}

// ListUnitAttempts is the history of a unit.
func (s *unitsService) ListUnitAttempts(ctx context.Context, m *v1.ListUnitAttemptsRequest) (*v1.ListUnitAttemptsResponse, error) {
	ns, err := s.namespace(ctx, m.Namespace)
	if err != nil {
		return nil, err
	}
	list, err := ns.UnitAttempts(ctx, m.Queue, job.Key(m.Key))
	if err != nil {
		return nil, err
	}
	a := &v1.ListUnitAttemptsResponse{Attempts: make([]*v1.UnitAttempt, len(list))}
	for i := range list {
		a.Attempts[i] = unitAttempt(&list[i])
	}
	return a, nil
}

// ListWorkerUnits are the units a worker holds, or had.
func (s *unitsService) ListWorkerUnits(ctx context.Context, m *v1.ListWorkerUnitsRequest) (*v1.ListWorkerUnitsResponse, error) {
	ns, err := s.namespace(ctx, m.Namespace)
	if err != nil {
		return nil, err
	}
	list, err := ns.WorkerUnits(ctx, m.Worker, m.All)
	if err != nil {
		return nil, err
	}
	return &v1.ListWorkerUnitsResponse{Units: unitMessages(list)}, nil
}

// ListChildUnits are the units that the children of a worker hold.
func (s *unitsService) ListChildUnits(ctx context.Context, m *v1.ListChildUnitsRequest) (*v1.ListChildUnitsResponse, error) {
	ns, err := s.namespace(ctx, m.Namespace)
	if err != nil {
		return nil, err
	}
	children, err := ns.ChildUnits(ctx, m.Parent)
	if err != nil {
		return nil, err
	}
	a := &v1.ListChildUnitsResponse{}
	for _, name := range slices.Sorted(maps.Keys(children)) {
		a.Children = append(a.Children, &v1.ChildUnits{Worker: text(name), Units: unitMessages(children[name])})
	}
	return a, nil
}

func unitMessages(list []*engine.Unit) []*v1.Unit {
	messages := make([]*v1.Unit, len(list))
	for i, u := range list {
		messages[i] = unitMessage(u)
	}
	return messages
}
