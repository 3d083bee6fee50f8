package client

import (
	"context"
	"iter"
	"time"

	"google.golang.org/protobuf/types/known/fieldmaskpb"

	"github.com/muster-queue/muster/api"
	musterv1 "github.com/muster-queue/muster/api/muster/v1"
	"github.com/muster-queue/muster/cron"
	"github.com/muster-queue/muster/job"
)

// ScheduleInfo is a schedule as it stands.
type ScheduleInfo struct {
	cron.Schedule
	Made time.Time
	// Next is when it fires next; zero when never, or not before its last job ended.
	Next time.Time
	// Fired counts jobs made, Skipped times at which the last job was unfinished,
	// Missed those that passed unseen and were not made up for.
	Fired, Skipped, Missed int64
	// Last is the job made last; without a key there is none.
	Last LastFiring
	// Error is why no job could be made at the last time.
	Error string
}

// LastFiring is the job that a schedule made last.
type LastFiring struct {
	Key job.Key
	// At is the time it is for; Made and Ended are when it was added and ended.
	At, Made, Ended time.Time
	// State is as of jobs, or absent when it was deleted.
	State  string
	Reason string
	Exit   int
}

// AddSchedule makes a schedule. Errors: Invalid, Exists.
func (n *Namespace) AddSchedule(ctx context.Context, s *cron.Schedule) (*ScheduleInfo, error) {
	return scheduleInfo(call(ctx, n.c, n.c.cron.AddSchedule, &musterv1.AddScheduleRequest{
		Namespace: n.name, Schedule: api.FromSchedule(s), RequestId: newID(),
	}))
}

// SetSchedule changes the named fields of a schedule (none: all): expression, zone,
// job, missed, missed_max, overlap, paused, start, end. Errors: NotFound, Invalid.
func (n *Namespace) SetSchedule(ctx context.Context, s *cron.Schedule, fields ...string) (*ScheduleInfo, error) {
	request := &musterv1.SetScheduleRequest{Namespace: n.name, Schedule: api.FromSchedule(s), RequestId: newID()}
	if len(fields) > 0 {
		request.UpdateMask = &fieldmaskpb.FieldMask{Paths: fields}
	}
	return scheduleInfo(call(ctx, n.c, n.c.cron.SetSchedule, request))
}

// RemoveSchedule forgets a schedule; the jobs it made stay. Errors: NotFound.
func (n *Namespace) RemoveSchedule(ctx context.Context, name string) error {
	_, err := call(ctx, n.c, n.c.cron.RemoveSchedule, &musterv1.RemoveScheduleRequest{Namespace: n.name, Name: name, RequestId: newID()})
	return err
}

// Schedule is one schedule as it stands. Errors: NotFound.
func (n *Namespace) Schedule(ctx context.Context, name string) (*ScheduleInfo, error) {
	return scheduleInfo(call(ctx, n.c, n.c.cron.GetSchedule, &musterv1.GetScheduleRequest{Namespace: n.name, Name: name}))
}

// Schedules lists the schedules in order of names.
func (n *Namespace) Schedules(ctx context.Context) iter.Seq2[*ScheduleInfo, error] {
	return pages(func(token string) ([]*ScheduleInfo, string, error) {
		m, err := call(ctx, n.c, n.c.cron.ListSchedules, &musterv1.ListSchedulesRequest{Namespace: n.name, PageSize: maxPage, PageToken: token})
		if err != nil {
			return nil, "", err
		}
		list, err := convert(m.Schedules, toScheduleInfo)
		return list, m.NextPageToken, err
	})
}

// RunSchedule makes a job of a schedule now. Errors: NotFound, those of adding.
func (n *Namespace) RunSchedule(ctx context.Context, name string) (*ScheduleInfo, error) {
	return scheduleInfo(call(ctx, n.c, n.c.cron.RunSchedule, &musterv1.RunScheduleRequest{Namespace: n.name, Name: name, RequestId: newID()}))
}

func scheduleInfo(m *musterv1.ScheduleInfo, err error) (*ScheduleInfo, error) {
	if err != nil {
		return nil, err
	}
	return toScheduleInfo(m)
}

func toScheduleInfo(m *musterv1.ScheduleInfo) (*ScheduleInfo, error) {
	s, err := api.ToSchedule(m.Schedule)
	if err != nil {
		return nil, answered(err)
	}
	i := &ScheduleInfo{
		Schedule: *s, Made: stamp(m.Made), Next: stamp(m.Next),
		Fired: m.Fired, Skipped: m.Skipped, Missed: m.Missed, Error: m.Error,
	}
	if l := m.Last; l != nil {
		key, err := api.ParseKey(l.Key)
		if err != nil {
			return nil, answered(err)
		}
		i.Last = LastFiring{
			Key: key, At: stamp(l.At), Made: stamp(l.Made), Ended: stamp(l.Ended), State: l.State, Reason: l.Reason, Exit: int(l.ExitCode),
		}
	}
	return i, nil
}
