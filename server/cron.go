package server

import (
	"context"

	"github.com/muster-queue/muster/api"
	v1 "github.com/muster-queue/muster/api/muster/v1"
	"github.com/muster-queue/muster/cron"
	"github.com/muster-queue/muster/engine"
	"github.com/muster-queue/muster/job"
)

// AddSchedule makes a schedule.
func (s *cronService) AddSchedule(ctx context.Context, m *v1.AddScheduleRequest) (*v1.ScheduleInfo, error) {
	ns, err := s.namespace(ctx, m.Namespace)
	if err != nil {
		return nil, err
	}
	schedule, err := readSchedule(m.Schedule, callerOf(ctx).Account)
	if err != nil {
		return nil, err
	}
	return scheduleAnswer(ns.AddSchedule(audited(ctx), *schedule, once(ctx, m.RequestId)))
}

// SetSchedule changes a schedule: as a whole, or the fields named.
func (s *cronService) SetSchedule(ctx context.Context, m *v1.SetScheduleRequest) (*v1.ScheduleInfo, error) {
	ns, err := s.namespace(ctx, m.Namespace)
	if err != nil {
		return nil, err
	}
	edit, err := scheduleEditor(m, callerOf(ctx).Account)
	if err != nil {
		return nil, err
	}
	return scheduleAnswer(ns.ModifySchedule(audited(ctx), m.Schedule.GetName(), edit, once(ctx, m.RequestId)))
}

// scheduleEditor makes of a request what changes a schedule.
func scheduleEditor(m *v1.SetScheduleRequest, account string) (func(*cron.Schedule) error, error) {
	fields := m.UpdateMask.GetPaths()
	if len(fields) == 0 {
		given, err := readSchedule(m.Schedule, account)
		return func(s *cron.Schedule) error {
			*s = *given
			return nil
		}, err
	}
	if err := applyMask(&v1.Schedule{}, m.Schedule, fields); err != nil {
		return nil, err
	}
	return func(s *cron.Schedule) error {
		whole := api.FromSchedule(s)
		if err := applyMask(whole, m.Schedule, fields); err != nil {
			return err
		}
		edited, err := readSchedule(whole, account)
		if err == nil {
			edited.Name = s.Name // it was named, not changed
			*s = *edited
		}
		return err
	}, nil
}

// readSchedule reads the schedule of a message, whose jobs the account pays for, if
// the token has one.
func readSchedule(m *v1.Schedule, account string) (*cron.Schedule, error) {
	s, err := api.ToSchedule(m)
	if err != nil {
		return nil, err
	}
	if m.GetJob() == nil {
		return nil, job.Errorf(job.Invalid, "schedule.job: there is none; say what is to be done")
	}
	s.Job, err = readJob(m.GetJob(), &job.Job{}, account)
	return s, job.Wrap(err, "read the job of schedule", s.Name)
}

// RemoveSchedule forgets a schedule.
func (s *cronService) RemoveSchedule(ctx context.Context, m *v1.RemoveScheduleRequest) (*v1.RemoveScheduleResponse, error) {
	ns, err := s.namespace(ctx, m.Namespace)
	if err != nil {
		return nil, err
	}
	return &v1.RemoveScheduleResponse{}, ns.RemoveSchedule(audited(ctx), m.Name, once(ctx, m.RequestId))
}

// GetSchedule is one schedule as it stands.
func (s *cronService) GetSchedule(ctx context.Context, m *v1.GetScheduleRequest) (*v1.ScheduleInfo, error) {
	ns, err := s.namespace(ctx, m.Namespace)
	if err != nil {
		return nil, err
	}
	return scheduleAnswer(ns.Schedule(ctx, m.Name))
}

// ListSchedules is a page of schedules in the order of their names.
func (s *cronService) ListSchedules(ctx context.Context, m *v1.ListSchedulesRequest) (*v1.ListSchedulesResponse, error) {
	ns, err := s.namespace(ctx, m.Namespace)
	if err != nil {
		return nil, err
	}
	after, size, err := pageOf("schedules", m.PageToken, m.PageSize)
	if err != nil {
		return nil, err
	}
	list, err := ns.Schedules(ctx, after, size)
	if err != nil {
		return nil, err
	}
	a := &v1.ListSchedulesResponse{}
	for i := range list {
		a.Schedules = append(a.Schedules, scheduleInfo(&list[i]))
	}
	if len(list) == size {
		a.NextPageToken = nextPage("schedules", list[size-1].Name)
	}
	return a, nil
}

// RunSchedule makes a job of a schedule now.
func (s *cronService) RunSchedule(ctx context.Context, m *v1.RunScheduleRequest) (*v1.ScheduleInfo, error) {
	ns, err := s.namespace(ctx, m.Namespace)
	if err != nil {
		return nil, err
	}
	return scheduleAnswer(ns.RunSchedule(audited(ctx), m.Name, once(ctx, m.RequestId)))
}

func scheduleAnswer(s engine.ScheduleState, err error) (*v1.ScheduleInfo, error) {
	if err != nil {
		return nil, err
	}
	return scheduleInfo(&s), nil
}

func scheduleInfo(s *engine.ScheduleState) *v1.ScheduleInfo {
	m := &v1.ScheduleInfo{
		Schedule: api.FromSchedule(&s.Schedule), Made: stamp(s.Made), Next: stamp(s.Next),
		Fired: s.Fired, Skipped: s.Skipped, Missed: s.Missed, Error: text(s.Error),
	}
	if l := &s.Last; l.Key != "" {
		m.Last = &v1.LastFiring{
			Key: api.KeyText(l.Key), At: stamp(l.At), Made: stamp(l.Made), Ended: stamp(l.Ended),
			State: l.State.String(), ExitCode: l.Exit,
		}
		if l.Reason != job.ReasonNone {
			m.Last.Reason = l.Reason.Word()
		}
	}
	return m
}
