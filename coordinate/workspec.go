package coordinate

import (
	"time"

	"github.com/muster-queue/muster/coordinate/cborrpc"
	"github.com/muster-queue/muster/coordinate/internal/backend"
	"github.com/muster-queue/muster/engine"
	"github.com/muster-queue/muster/job"
)

// WorkSpecMeta are the settings of a work spec.
type WorkSpecMeta struct {
	// Priority is absolute between work specs, larger first; Weight shares what
	// those of equal priority get. One of no weight gets nothing.
	Priority int
	Weight   int
	Paused   bool
	// Continuous work specs make a work unit of their own, no sooner than Interval
	// after the last, when there is none.
	Continuous      bool
	CanBeContinuous bool
	Interval        time.Duration
	// NextContinuous is when the next such unit may be made, if that is later.
	NextContinuous time.Time
	// MinMemoryGb is what a worker must have, if it says what it has.
	MinMemoryGb float64
	// MaxRunning caps the pending units, MaxAttemptsReturned those of one request,
	// MaxRetries the attempts of one unit; zero means no cap.
	MaxRunning          int
	MaxAttemptsReturned int
	MaxRetries          int
	// NextWorkSpecName is where the outputs of finished units go.
	NextWorkSpecName string
	Runtime          string
	// AvailableCount and PendingCount are there when asked for.
	AvailableCount int
	PendingCount   int
}

// workSpec implements WorkSpec.
type workSpec struct {
	*namespace
	name string
}

// queue is the queue it is; NotFound if there is none, or one of another kind.
func (s *workSpec) queue() (engine.QueueInfo, error) {
	q, err := s.Queue(s.world.ctx, s.name)
	if err == nil && !q.Defined() {
		err = job.ErrNoQueue
	}
	return q, err
}

// Name implements WorkSpec.
func (s *workSpec) Name() string { return s.name }

// Data implements WorkSpec.
func (s *workSpec) Data() (map[string]any, error) {
	q, err := s.queue()
	if err != nil {
		return nil, gone(err)
	}
	return cborrpc.Value(q.Definition).Map()
}

// SetData implements WorkSpec.
func (s *workSpec) SetData(data map[string]any) error {
	var q job.Queue
	if err := SetDefinition(&q, data); err != nil {
		return err
	}
	if q.Name != s.name {
		return ErrChangedName
	}
	return s.change(func(present *job.Queue) { _ = backend.SetDefinition(present, q.Definition) }) // it has been checked
}

// change changes its settings.
func (s *workSpec) change(edit func(*job.Queue)) error {
	there := true
	err := s.UpdateQueue(s.world.ctx, s.name, func(q *job.Queue) {
		if there = q.Defined(); there {
			edit(q)
		}
	})
	if err == nil && !there {
		return ErrGone
	}
	return gone(err)
}

// Meta implements WorkSpec.
func (s *workSpec) Meta(withCounts bool) (WorkSpecMeta, error) {
	q, err := s.queue()
	if err != nil {
		return WorkSpecMeta{}, gone(err)
	}
	m := WorkSpecMeta{
		Priority: int(q.Priority), Weight: int(job.Share(q.Weight)), Paused: q.Paused,
		Continuous: q.Continuous, CanBeContinuous: q.CanBeContinuous, Interval: q.Interval, NextContinuous: q.Next,
		MinMemoryGb: float64(q.MinMemory) / (1 << 30), MaxRunning: int(q.MaxRunning),
		MaxAttemptsReturned: int(q.MaxPerRequest), MaxRetries: int(q.MaxAttempts),
		NextWorkSpecName: q.Then, Runtime: q.Runtime,
	}
	if withCounts {
		counts := countUnits(q.Counts)
		m.AvailableCount, m.PendingCount = counts[AvailableUnit], counts[PendingUnit]
	}
	return m, nil
}

// SetMeta implements WorkSpec.
func (s *workSpec) SetMeta(m WorkSpecMeta) error {
	return s.change(func(q *job.Queue) {
		q.Priority, q.Paused, q.Interval = int64(m.Priority), m.Paused, max(0, m.Interval)
		if q.Weight = int64(m.Weight); q.Weight <= 0 {
			q.Weight = -1 // nothing is ever given out
		}
		q.Continuous = m.Continuous && q.CanBeContinuous
		q.MinMemory = backend.Gigabytes(m.MinMemoryGb)
		q.MaxRunning, q.MaxPerRequest, q.MaxAttempts = int64(max(0, m.MaxRunning)), int64(max(0, m.MaxAttemptsReturned)), int64(max(0, m.MaxRetries))
	})
}

// AddWorkUnit implements WorkSpec.
func (s *workSpec) AddWorkUnit(name string, data map[string]any, meta WorkUnitMeta) (WorkUnit, error) {
	if err := s.AddWorkUnits([]WorkUnitItem{{Name: name, Data: data, Meta: meta}}); err != nil {
		return nil, err
	}
	return s.unit(name), nil
}

// WorkUnitItem is a work unit to be added.
type WorkUnitItem struct {
	Name string
	Data map[string]any
	Meta WorkUnitMeta
}

// addBatch is how many units are added at a time.
const addBatch = 5000

// AddWorkUnits implements WorkSpec.
func (s *workSpec) AddWorkUnits(units []WorkUnitItem) error {
	jobs := make([]*job.Job, len(units))
	for i, u := range units {
		data, err := cborrpc.Encode(u.Data)
		if err != nil {
			return job.Wrap(err, "add the work unit", quoted(u.Name))
		}
		jobs[i] = &job.Job{Queue: s.name, Key: job.Key(u.Name), Data: data, Priority: u.Meta.Priority, NotBefore: u.Meta.NotBefore}
	}
	for len(jobs) > 0 {
		n := min(len(jobs), addBatch)
		r := engine.AddRequest{Jobs: jobs[:n], Existing: job.ExistingReplace, Wait: true, Defined: true}
		if _, err := s.Add(s.world.ctx, r); err != nil {
			return gone(err)
		}
		jobs = jobs[n:]
	}
	return nil
}

func (s *workSpec) unit(name string) *workUnit { return &workUnit{spec: s, name: name} }

// WorkUnit implements WorkSpec.
func (s *workSpec) WorkUnit(name string) (WorkUnit, error) {
	u := s.unit(name)
	units, err := s.Units(s.world.ctx, engine.UnitsRequest{Queue: s.name, Keys: []job.Key{job.Key(name)}, Brief: true})
	switch {
	case err != nil:
		return nil, gone(err)
	case units[0] == nil:
		return nil, ErrNoSuchWorkUnit{Name: name}
	}
	return u, nil
}

// WorkUnits implements WorkSpec.
func (s *workSpec) WorkUnits(query WorkUnitQuery) (map[string]WorkUnit, error) {
	all := map[string]WorkUnit{}
	err := s.eachUnit(query, func(u *engine.Unit) { all[string(u.Key)] = s.unit(string(u.Key)) })
	return all, gone(err)
}

// CountWorkUnitStatus implements WorkSpec.
func (s *workSpec) CountWorkUnitStatus() (map[WorkUnitStatus]int, error) {
	q, err := s.queue()
	if err != nil {
		return nil, gone(err)
	}
	return countUnits(q.Counts), nil
}

// countUnits are the numbers of units by status, without zeros.
func countUnits(counts job.Counts) map[WorkUnitStatus]int {
	all := map[WorkUnitStatus]int{}
	for status, states := range unitStates {
		for _, state := range states {
			if n := int(counts[state]); n > 0 {
				all[status] += n
			}
		}
	}
	return all
}

// SetWorkUnitPriorities implements WorkSpec.
func (s *workSpec) SetWorkUnitPriorities(query WorkUnitQuery, priority float64) error {
	return gone(s.PrioritiseUnits(s.world.ctx, query.selector(s.name), &priority, 0))
}

// AdjustWorkUnitPriorities implements WorkSpec.
func (s *workSpec) AdjustWorkUnitPriorities(query WorkUnitQuery, adjustment float64) error {
	return gone(s.PrioritiseUnits(s.world.ctx, query.selector(s.name), nil, adjustment))
}

// DeleteWorkUnits implements WorkSpec.
func (s *workSpec) DeleteWorkUnits(query WorkUnitQuery) (int, error) {
	n, err := s.DeleteUnits(s.world.ctx, query.selector(s.name))
	return int(n), gone(err)
}
