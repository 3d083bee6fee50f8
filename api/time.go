package api

import (
	"math"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/muster-queue/muster/job"
)

// FromDuration is d as a message; zero is absent.
func FromDuration(d time.Duration) *durationpb.Duration {
	if d == 0 {
		return nil
	}
	return durationpb.New(d)
}

// ToDuration reads a duration; absent is zero. One that is malformed or longer
// than 290 years is an Invalid error that names the field.
func ToDuration(field string, m *durationpb.Duration) (time.Duration, error) {
	if m == nil {
		return 0, nil
	}
	d := m.AsDuration()
	if m.CheckValid() != nil || d == math.MaxInt64 || d == math.MinInt64 {
		return 0, job.Errorf(job.Invalid, "%s: %d s and %d ns is not a duration", field, m.Seconds, m.Nanos)
	}
	return d, nil
}

// FromTime is t as a message; the zero time is absent.
func FromTime(t time.Time) *timestamppb.Timestamp {
	if t.IsZero() {
		return nil
	}
	return timestamppb.New(t)
}

// ToTime reads a time in UTC; absent is the zero time. A malformed one is an
// Invalid error that names the field.
func ToTime(field string, m *timestamppb.Timestamp) (time.Time, error) {
	if m == nil {
		return time.Time{}, nil
	}
	if m.CheckValid() != nil {
		return time.Time{}, job.Errorf(job.Invalid, "%s: %d s and %d ns is not a time", field, m.Seconds, m.Nanos)
	}
	return m.AsTime(), nil
}

// i32 is n, as near as an int32 can be.
func i32(n int) int32 { return int32(min(max(n, math.MinInt32), math.MaxInt32)) }
