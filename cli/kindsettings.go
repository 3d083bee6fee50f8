package cli

import (
	"strconv"
	"strings"
	"time"

	"github.com/muster-queue/muster/cli/input"
	"github.com/muster-queue/muster/job"
	"github.com/muster-queue/muster/learn"
)

// kindSetting is a setting of learning: its name, what its flag is for, and how its
// text is read. An unsaid one is as it is for all kinds.
type kindSetting struct {
	name, help string
	set        func(s *learn.Settings, text string) error
}

func (s *kindSetting) flag() string { return strings.ReplaceAll(s.name, "_", "-") }

var kindSettings = []kindSetting{
	{"min_runs", "ask for what was learned from `N` counted runs on; 5 where nobody says", count(func(s *learn.Settings) *int { return &s.MinRuns })},
	{"quantile", "ask for what this `PART` of the runs needed at most; 0.95 where nobody says", setQuantile},
	{"half_life", "a run weighs half after `N` more; 500 where nobody says", count(func(s *learn.Settings) *int { return &s.HalfLife })},
	{"round_memory", "round memory up to multiples of `SIZE`; 100M where nobody says", bytesOf(job.Memory, func(s *learn.Settings) *int64 { return &s.RoundMemory })},
	{"round_disk", "round disk space up to multiples of `SIZE`; 100M where nobody says", bytesOf(job.Disk, func(s *learn.Settings) *int64 { return &s.RoundDisk })},
	{"round_time", "round time up to multiples of `TIME`; 30m where nobody says", setRoundTime},
	{"below", "`yes`: jobs that gave more than was learned, with the override no, get what was learned", turn(func(s *learn.Settings) *learn.Switch { return &s.Below })},
	{"off", "`yes`: learn nothing, and ask for nothing that was learned", turn(func(s *learn.Settings) *learn.Switch { return &s.Off })},
}

func count(at func(*learn.Settings) *int) func(*learn.Settings, string) error {
	return func(s *learn.Settings, text string) error {
		n, err := input.ParseWhole(text)
		if err == nil && n < 1 {
			err = job.Errorf(job.Invalid, "%d: at least 1", n)
		}
		*at(s) = int(n)
		return err
	}
}

func setQuantile(s *learn.Settings, text string) (err error) {
	if s.Quantile, err = strconv.ParseFloat(text, 64); err != nil || s.Quantile <= 0 {
		return job.Errorf(job.Invalid, "%q is not a part above 0 and at most 1, such as 0.95", text)
	}
	return nil
}

func bytesOf(name string, at func(*learn.Settings) *int64) func(*learn.Settings, string) error {
	return func(s *learn.Settings, text string) error {
		n, err := job.ParseGivenAmount(name, text)
		if err == nil && n < 1 {
			err = job.Errorf(job.Invalid, "nothing can be rounded up to multiples of 0")
		}
		*at(s) = n
		return err
	}
}

func setRoundTime(s *learn.Settings, text string) (err error) {
	if s.RoundTime, err = input.ParseTime(text); err == nil && s.RoundTime < time.Second {
		return job.Errorf(job.Invalid, "%v: at least a second", s.RoundTime)
	}
	return err
}

func turn(at func(*learn.Settings) *learn.Switch) func(*learn.Settings, string) error {
	return func(s *learn.Settings, text string) error {
		switch strings.ToLower(text) {
		case "yes", "true", "on", "1":
			*at(s) = learn.Yes
		case "no", "false", "off", "0":
			*at(s) = learn.No
		default:
			return job.Errorf(job.Invalid, "%q is neither yes nor no", text)
		}
		return nil
	}
}
