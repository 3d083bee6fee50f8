package engine

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/muster-queue/muster/cron"
	"github.com/muster-queue/muster/job"
)

// MaxSchedules is how many schedules a namespace may have.
const MaxSchedules = 10_000

// roomCron is where schedules are kept, by name.
const roomCron = "cron"

// ScheduleState is a schedule as it stands.
type ScheduleState struct {
	cron.Schedule
	// Body is its job, encoded.
	Body []byte   `cbor:"20,keyasint"`
	Made job.Time `cbor:"21,keyasint"`
	// Seen: all times up to it are done with.
	Seen job.Time `cbor:"22,keyasint"`
	// Fired counts the jobs made; Skipped the times at which the last job was
	// unfinished, Missed those that passed unseen, for which none was made.
	Fired   int64 `cbor:"23,keyasint,omitempty"`
	Skipped int64 `cbor:"24,keyasint,omitempty"`
	Missed  int64 `cbor:"25,keyasint,omitempty"`
	// Last is the job made last; its Seq is zero when there is none.
	Last LastFiring `cbor:"26,keyasint,omitzero"`
	// Error is why no job could be made at the last time; empty if one was.
	Error string `cbor:"27,keyasint,omitempty"`
	// Next is when it fires next; zero if it never does, or when that is not known
	// before the last job has ended.
	Next job.Time `cbor:"28,keyasint,omitempty"`
}

// LastFiring is the job that a schedule made last.
type LastFiring struct {
	Seq job.Seq `cbor:"1,keyasint,omitempty"`
	Key job.Key `cbor:"2,keyasint,omitempty"`
	// At is the time it is for, Made when it was added, Ended when it became
	// complete, buried or was deleted (State Absent).
	At     job.Time   `cbor:"3,keyasint,omitempty"`
	Made   job.Time   `cbor:"4,keyasint,omitempty"`
	Ended  job.Time   `cbor:"5,keyasint,omitempty"`
	State  job.State  `cbor:"6,keyasint,omitempty"`
	Reason job.Reason `cbor:"7,keyasint,omitempty"`
	Exit   int32      `cbor:"8,keyasint,omitempty"`
}

// AddSchedule makes a schedule, whose times begin now. Errors: Invalid, Exists,
// Exhausted.
func (n *Namespace) AddSchedule(ctx context.Context, s cron.Schedule, once ...Once) (ScheduleState, error) {
	if err := checkSchedule(&s); err != nil {
		return ScheduleState{}, err
	}
	return n.changeSchedule(ctx, "add schedule", once, func(w *writer) (*recurring, error) {
		switch {
		case w.cron.get(s.Name) != nil:
			return nil, job.Errorf(job.Exists, "add schedule %s: there is one of that name", s.Name)
		case len(w.cron.all) >= MaxSchedules:
			return nil, job.Errorf(job.Exhausted, "add schedule %s: there are %d already, which is as many as a namespace may have", s.Name, MaxSchedules)
		}
		made := &recurring{ScheduleState: ScheduleState{Schedule: s, Made: w.state.Now(), Seen: w.state.Now()}}
		if err := made.renew(); err != nil {
			return nil, err
		}
		if s.End != 0 && (s.End <= w.state.Now() || made.expression.After() == 0 && s.Next(made.expression, w.state.Now().Std()).IsZero()) {
			return nil, job.Errorf(job.Invalid, "schedule %s has no time to come: it ends at %s", s.Name, s.End.Std().UTC().Format(time.RFC3339))
		}
		w.record(job.EventRow{Kind: job.EventScheduleAdded, Who: whoOf(ctx), Details: s.Settings()})
		return made, nil
	})
}

// renew reads what was set anew.
func (s *recurring) renew() (err error) {
	if s.expression, err = s.Validate(s.Made.Std()); err == nil {
		s.Body, err = job.Encode(nil, s.Job)
	}
	return err
}

// checkSchedule refuses what the engine could not add.
func checkSchedule(s *cron.Schedule) error {
	if _, err := s.Validate(time.Time{}); err != nil {
		return err
	}
	_, err := prepare(s.JobAt(time.Unix(0, 0)))
	return job.Wrap(err, "the job of schedule", s.Name)
}

// ModifySchedule changes a schedule: edit gets its settings, and may change all but
// the name; it must not write into the job, but may set another. What was missed while
// it was paused, or was other times before, is not made up for. Errors: NotFound,
// Invalid, what edit says.
func (n *Namespace) ModifySchedule(ctx context.Context, name string, edit func(*cron.Schedule) error, once ...Once) (ScheduleState, error) {
	return n.changeSchedule(ctx, "modify schedule", once, func(w *writer) (*recurring, error) {
		old := w.cron.get(name)
		if old == nil {
			return nil, errNoSchedule(name)
		}
		s := *old
		if err := edit(&s.Schedule); err != nil {
			return nil, err
		}
		if s.Name != name {
			return nil, job.Errorf(job.Invalid, "schedule %s cannot be renamed; add another one", name)
		}
		if err := checkSchedule(&s.Schedule); err != nil {
			return nil, err
		}
		if s.Expression != old.Expression || s.Zone != old.Zone || s.Paused != old.Paused || s.Start != old.Start {
			s.Seen, s.Error = w.state.Now(), ""
		}
		if err := s.renew(); err != nil {
			return nil, err
		}
		if changed := job.Differences(old.Settings(), s.Settings()); len(changed) > 0 {
			changed["schedule"] = name
			w.record(job.EventRow{Kind: job.EventScheduleChanged, Who: whoOf(ctx), Details: changed})
		}
		return &s, nil
	})
}

func (n *Namespace) changeSchedule(ctx context.Context, verb string, once []Once, change func(*writer) (*recurring, error)) (ScheduleState, error) {
	state, err := doOnce(ctx, n, verb, one(once), func(w *writer) (ScheduleState, error) {
		s, err := change(w)
		if err == nil {
			err = w.keepSchedule(s)
		}
		if err != nil {
			return ScheduleState{}, err
		}
		return w.stateNow(s), nil
	})
	if err != nil || state.Job != nil {
		return state, err
	}
	state.Job = new(job.Job) // an answer that was remembered has it encoded
	return state, job.Decode(state.Body, state.Job)
}

// RemoveSchedule forgets a schedule; the jobs it made stay. Errors: NotFound.
func (n *Namespace) RemoveSchedule(ctx context.Context, name string, once ...Once) error {
	_, err := doOnce(ctx, n, "remove schedule", one(once), func(w *writer) (struct{}, error) {
		s := w.cron.get(name)
		if s == nil {
			return struct{}{}, errNoSchedule(name)
		}
		w.cron.remove(name)
		w.documents = append(w.documents, job.Document{Room: roomCron, Key: name, Gone: true})
		w.record(job.EventRow{Kind: job.EventScheduleRemoved, Who: whoOf(ctx), Details: s.Settings()})
		return struct{}{}, nil
	})
	return err
}

// Schedule is one schedule as it stands. Errors: NotFound.
func (n *Namespace) Schedule(ctx context.Context, name string) (ScheduleState, error) {
	return call(ctx, n, normal, func(w *writer) (ScheduleState, error) {
		s := w.cron.get(name)
		if s == nil {
			return ScheduleState{}, errNoSchedule(name)
		}
		return w.stateNow(s), nil
	})
}

// Schedules are at most limit schedules in order of names, those after a name.
func (n *Namespace) Schedules(ctx context.Context, after string, limit int) ([]ScheduleState, error) {
	return call(ctx, n, normal, func(w *writer) ([]ScheduleState, error) {
		var all []ScheduleState
		for _, name := range slices.Sorted(maps.Keys(w.cron.all)) {
			if name > after && len(all) < limit {
				all = append(all, w.stateNow(w.cron.get(name)))
			}
		}
		return all, nil
	})
}

func errNoSchedule(name string) error {
	return job.Errorf(job.NotFound, "there is no schedule %q", name)
}
