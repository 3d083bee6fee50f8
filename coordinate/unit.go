package coordinate

import (
	"fmt"
	"time"

	"github.com/muster-queue/muster/coordinate/cborrpc"
	"github.com/muster-queue/muster/engine"
	"github.com/muster-queue/muster/job"
)

// WorkUnitMeta says when a work unit's turn is.
type WorkUnitMeta struct {
	// Priority: larger first.
	Priority float64
	// NotBefore holds the unit back until then.
	NotBefore time.Time
}

// workUnit implements WorkUnit.
type workUnit struct {
	spec *workSpec
	name string
}

// quoted is how messages show a name, which may be of any bytes.
func quoted(name string) string { return fmt.Sprintf("%.80q", name) }

// read reads the unit; brief leaves data out.
func (u *workUnit) read(brief bool) (*engine.Unit, error) {
	units, err := u.spec.Units(u.spec.world.ctx, engine.UnitsRequest{
		Queue: u.spec.name, Keys: []job.Key{job.Key(u.name)}, Brief: brief,
	})
	switch {
	case err != nil:
		return nil, gone(err)
	case units[0] == nil:
		return nil, ErrGone
	}
	return units[0], nil
}

// Name implements WorkUnit.
func (u *workUnit) Name() string { return u.name }

// Data implements WorkUnit.
func (u *workUnit) Data() (map[string]any, error) {
	unit, err := u.read(false)
	if err != nil {
		return nil, err
	}
	return cborrpc.Value(unit.Data()).Map()
}

// WorkSpec implements WorkUnit.
func (u *workUnit) WorkSpec() WorkSpec { return u.spec }

// Status implements WorkUnit.
func (u *workUnit) Status() (WorkUnitStatus, error) {
	unit, err := u.read(true)
	if err != nil {
		return AnyStatus, err
	}
	return statusOf(unit.State), nil
}

// Meta implements WorkUnit.
func (u *workUnit) Meta() (WorkUnitMeta, error) {
	unit, err := u.read(true)
	if err != nil {
		return WorkUnitMeta{}, err
	}
	return WorkUnitMeta{Priority: unit.Priority, NotBefore: unit.NotBefore}, nil
}

// SetMeta implements WorkUnit.
func (u *workUnit) SetMeta(meta WorkUnitMeta) error {
	if _, err := u.read(true); err != nil {
		return err
	}
	return gone(u.spec.SetUnitMeta(u.spec.world.ctx, u.spec.name, job.Key(u.name), meta.Priority, meta.NotBefore))
}

// Priority implements WorkUnit.
func (u *workUnit) Priority() (float64, error) {
	meta, err := u.Meta()
	return meta.Priority, err
}

// SetPriority implements WorkUnit.
func (u *workUnit) SetPriority(priority float64) error {
	if _, err := u.read(true); err != nil {
		return err
	}
	return u.spec.SetWorkUnitPriorities(WorkUnitQuery{Names: []string{u.name}}, priority)
}

// ActiveAttempt implements WorkUnit.
func (u *workUnit) ActiveAttempt() (Attempt, error) {
	unit, err := u.read(true)
	if err != nil || unit.Attempt == nil {
		return nil, err
	}
	return u.attempt(unit.Attempt), nil
}

func (u *workUnit) attempt(a *engine.UnitAttempt) *attempt {
	return &attempt{unit: u, worker: a.Worker, id: a.ID}
}

// ClearActiveAttempt implements WorkUnit.
func (u *workUnit) ClearActiveAttempt() error {
	_, err := u.spec.Update(u.spec.world.ctx, engine.UpdateRequest{
		Queue: u.spec.name, Key: job.Key(u.name), To: engine.TargetReady, Defined: true,
	})
	return gone(err)
}

// Attempts implements WorkUnit.
func (u *workUnit) Attempts() ([]Attempt, error) {
	rows, err := u.spec.UnitAttempts(u.spec.world.ctx, u.spec.name, job.Key(u.name))
	if err != nil {
		return nil, gone(err)
	}
	all := make([]Attempt, len(rows))
	for i := range rows {
		all[i] = u.attempt(&rows[i])
	}
	return all, nil
}

// NumAttempts implements WorkUnit.
func (u *workUnit) NumAttempts() (int, error) {
	unit, err := u.read(true)
	if err != nil {
		return 0, err
	}
	return int(unit.Attempts), nil
}
