package api

import (
	musterv1 "github.com/muster-queue/muster/api/muster/v1"
	"github.com/muster-queue/muster/cron"
	"github.com/muster-queue/muster/job"
)

// ToSchedule is the schedule of a message, not validated. The error is Invalid and
// names the field.
func ToSchedule(m *musterv1.Schedule) (*cron.Schedule, error) {
	s := &cron.Schedule{
		Name: m.GetName(), Expression: m.GetExpression(), Zone: m.GetZone(), MissedMax: int(m.GetMissedMax()), Paused: m.GetPaused(),
	}
	var err error
	if s.Missed, err = cron.ParseMissed(m.GetMissed()); err != nil {
		return nil, err
	}
	if s.Overlap, err = cron.ParseOverlap(m.GetOverlap()); err != nil {
		return nil, err
	}
	start, err := ToTime("start", m.GetStart())
	if err != nil {
		return nil, err
	}
	end, err := ToTime("end", m.GetEnd())
	if err != nil {
		return nil, err
	}
	s.Start, s.End = job.TimeOf(start), job.TimeOf(end)
	if m.GetJob() != nil {
		s.Job, err = ToJob(m.Job)
	}
	return s, err
}

// FromSchedule is s as a message.
func FromSchedule(s *cron.Schedule) *musterv1.Schedule {
	m := &musterv1.Schedule{
		Name: valid(s.Name), Expression: valid(s.Expression), Zone: valid(s.Zone), MissedMax: i32(s.MissedMax),
		Missed: s.Missed.String(), Overlap: s.Overlap.String(), Paused: s.Paused,
		Start: FromTime(s.Start.Std()), End: FromTime(s.End.Std()),
	}
	if s.Job != nil {
		m.Job = FromJob(s.Job)
	}
	return m
}
