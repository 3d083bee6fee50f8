package coordinate

import (
	"time"

	"github.com/muster-queue/muster/coordinate/cborrpc"
	"github.com/muster-queue/muster/engine"
	"github.com/muster-queue/muster/job"
)

// attempt implements Attempt.
type attempt struct {
	unit   *workUnit
	worker string
	id     job.AttemptID
}

// WorkUnit implements Attempt.
func (a *attempt) WorkUnit() WorkUnit { return a.unit }

// Worker implements Attempt.
func (a *attempt) Worker() Worker { return a.unit.spec.worker(a.worker) }

// read finds the attempt in its unit's history.
func (a *attempt) read() (*engine.UnitAttempt, error) {
	rows, err := a.unit.spec.UnitAttempts(a.unit.spec.world.ctx, a.unit.spec.name, job.Key(a.unit.name))
	if err != nil {
		return nil, gone(err)
	}
	for i := range rows {
		if rows[i].ID == a.id {
			return &rows[i], nil
		}
	}
	return nil, ErrGone
}

// Status implements Attempt.
func (a *attempt) Status() (AttemptStatus, error) {
	row, err := a.read()
	if err != nil {
		return Pending, err
	}
	switch row.Outcome {
	case job.OutcomeNone:
		return Pending, nil
	case job.OutcomeComplete:
		return Finished, nil
	case job.OutcomeBuried:
		return Failed, nil
	case job.OutcomeReleased:
		return Retryable, nil
	}
	return Expired, nil
}

// Data implements Attempt.
func (a *attempt) Data() (map[string]any, error) {
	row, err := a.read()
	if err != nil {
		return nil, err
	}
	if row.Data != nil {
		return cborrpc.Value(row.Data).Map()
	}
	unit, err := a.unit.read(false)
	if err != nil {
		return nil, err
	}
	return cborrpc.Value(unit.Own).Map()
}

// StartTime implements Attempt.
func (a *attempt) StartTime() (time.Time, error) {
	row, err := a.read()
	if err != nil {
		return time.Time{}, err
	}
	return row.Granted.UTC(), nil
}

// EndTime implements Attempt.
func (a *attempt) EndTime() (time.Time, error) {
	row, err := a.read()
	if err != nil {
		return time.Time{}, err
	}
	return row.Ended.UTC(), nil
}

// ExpirationTime implements Attempt.
func (a *attempt) ExpirationTime() (time.Time, error) {
	row, err := a.read()
	if err != nil {
		return time.Time{}, err
	}
	if row.Deadline.IsZero() {
		return row.Ended.UTC(), nil
	}
	return row.Deadline.UTC(), nil
}

// update asks for a change of this very attempt.
func (a *attempt) update(r engine.UpdateRequest, data map[string]any) error {
	if data != nil {
		encoded, err := cborrpc.Encode(data)
		if err != nil {
			return err
		}
		r.Data = encoded
	}
	r.Queue, r.Key, r.Attempt, r.Worker, r.Defined = a.unit.spec.name, job.Key(a.unit.name), a.id, a.worker, true
	_, err := a.unit.spec.Update(a.unit.spec.world.ctx, r)
	switch job.KindOf(err) {
	case job.LostLease:
		return ErrLostLease
	case job.Conflict:
		return ErrNotPending
	}
	return gone(err)
}

// Renew implements Attempt.
func (a *attempt) Renew(extend time.Duration, data map[string]any) error {
	return a.update(engine.UpdateRequest{Lease: &extend}, data)
}

// Expire implements Attempt.
func (a *attempt) Expire(data map[string]any) error {
	return a.update(engine.UpdateRequest{To: engine.TargetReady}, data)
}

// Finish implements Attempt.
func (a *attempt) Finish(data map[string]any) error {
	return a.update(engine.UpdateRequest{To: engine.TargetComplete}, data)
}

// Fail implements Attempt.
func (a *attempt) Fail(data map[string]any) error {
	return a.update(engine.UpdateRequest{To: engine.TargetFailed}, data)
}

// Retry implements Attempt.
func (a *attempt) Retry(data map[string]any, delay time.Duration) error {
	return a.update(engine.UpdateRequest{To: engine.TargetRetry, Delay: delay}, data)
}
