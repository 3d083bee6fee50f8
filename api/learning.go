package api

import (
	"math"

	"google.golang.org/protobuf/proto"

	musterv1 "github.com/muster-queue/muster/api/muster/v1"
	"github.com/muster-queue/muster/job"
	"github.com/muster-queue/muster/learn"
)

// ToLearning are the settings of a message, not validated but for what the message
// can say and settings cannot: zero is not the same as nothing. The error is Invalid.
func ToLearning(m *musterv1.KindSettings) (learn.Settings, error) {
	if m == nil {
		m = &musterv1.KindSettings{}
	}
	s := learn.Settings{
		MinRuns: int(m.GetMinRuns()), Quantile: m.GetQuantile(), HalfLife: int(m.GetHalfLife()),
		RoundMemory: m.GetRoundMemory(), RoundDisk: m.GetRoundDisk(), Below: toSwitch(m.Below), Off: toSwitch(m.Off),
	}
	for _, f := range []struct {
		name string
		zero bool
	}{
		{"min_runs", m.MinRuns != nil && s.MinRuns == 0}, {"quantile", m.Quantile != nil && (s.Quantile == 0 || math.IsNaN(s.Quantile))},
		{"half_life", m.HalfLife != nil && s.HalfLife == 0}, {"round_memory", m.RoundMemory != nil && s.RoundMemory == 0},
		{"round_disk", m.RoundDisk != nil && s.RoundDisk == 0},
	} {
		if f.zero {
			return s, job.Errorf(job.Invalid, "%s: zero; leave it out for what counts where nobody says", f.name)
		}
	}
	var err error
	s.RoundTime, err = ToDuration("round_time", m.GetRoundTime())
	return s, err
}

// FromLearning is s as a message.
func FromLearning(s learn.Settings) *musterv1.KindSettings {
	m := &musterv1.KindSettings{RoundTime: FromDuration(s.RoundTime), Below: fromSwitch(s.Below), Off: fromSwitch(s.Off)}
	if s.MinRuns != 0 {
		m.MinRuns = proto.Int32(int32(s.MinRuns))
	}
	if s.Quantile != 0 {
		m.Quantile = proto.Float64(s.Quantile)
	}
	if s.HalfLife != 0 {
		m.HalfLife = proto.Int32(int32(s.HalfLife))
	}
	if s.RoundMemory != 0 {
		m.RoundMemory = proto.Int64(s.RoundMemory)
	}
	if s.RoundDisk != 0 {
		m.RoundDisk = proto.Int64(s.RoundDisk)
	}
	return m
}

func toSwitch(on *bool) learn.Switch {
	if on == nil {
		return learn.Unsaid
	}
	return learn.SwitchOf(*on)
}

func fromSwitch(s learn.Switch) *bool {
	if s == learn.Unsaid {
		return nil
	}
	return proto.Bool(s == learn.Yes)
}
