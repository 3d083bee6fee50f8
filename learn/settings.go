package learn

import (
	"strconv"
	"time"

	"github.com/muster-queue/muster/job"
)

// Settings say how is learned: those of all kinds, and over them those of one.
// What is zero is not said.
type Settings struct {
	// MinRuns is how many runs must be counted before what was learned is asked for.
	MinRuns int `cbor:"1,keyasint,omitempty"`
	// Quantile is the part of the runs that what is asked for suffices for.
	Quantile float64 `cbor:"2,keyasint,omitempty"`
	// HalfLife is after how many further runs a run weighs half.
	HalfLife int `cbor:"3,keyasint,omitempty"`
	// RoundMemory, RoundDisk (bytes) and RoundTime are what is rounded up to.
	RoundMemory int64         `cbor:"4,keyasint,omitempty"`
	RoundDisk   int64         `cbor:"5,keyasint,omitempty"`
	RoundTime   time.Duration `cbor:"6,keyasint,omitempty"`
	// Below is whether jobs that gave more than was learned, with the override no,
	// get less than they gave; Off, whether nothing is learned or asked for.
	Below Switch `cbor:"7,keyasint,omitempty"`
	Off   Switch `cbor:"8,keyasint,omitempty"`
}

// Switch is on, off or not said.
type Switch uint8

// The positions of a Switch.
const (
	Unsaid Switch = iota
	No
	Yes
)

// SwitchOf is yes or no.
func SwitchOf(on bool) Switch {
	if on {
		return Yes
	}
	return No
}

// Policy are settings that are all said.
type Policy struct {
	MinRuns, HalfLife int
	Quantile          float64
	Round             Amounts
	Below, Off        bool
}

// MB is the unit in which memory and disk are rounded and grow.
const MB = 1 << 20

// Defaults are the settings where nobody says anything.
var Defaults = Settings{
	MinRuns: 5, Quantile: 0.95, HalfLife: 500,
	RoundMemory: 100 * MB, RoundDisk: 100 * MB, RoundTime: 30 * time.Minute, Below: No, Off: No,
}

// With are the settings, but what over says is as that.
func (s Settings) With(over Settings) Settings {
	pick(&s.MinRuns, over.MinRuns)
	pick(&s.Quantile, over.Quantile)
	pick(&s.HalfLife, over.HalfLife)
	pick(&s.RoundMemory, over.RoundMemory)
	pick(&s.RoundDisk, over.RoundDisk)
	pick(&s.RoundTime, over.RoundTime)
	pick(&s.Below, over.Below)
	pick(&s.Off, over.Off)
	return s
}

func pick[T comparable](v *T, over T) {
	var unsaid T
	if over != unsaid {
		*v = over
	}
}

// policy has the defaults for what is not said.
func (s Settings) policy() Policy {
	s = Defaults.With(s)
	return Policy{
		MinRuns: s.MinRuns, HalfLife: s.HalfLife, Quantile: s.Quantile,
		Round: Amounts{s.RoundMemory, s.RoundDisk, int64(s.RoundTime)}, Below: s.Below == Yes, Off: s.Off == Yes,
	}
}

// Settings are the policy's, all said.
func (p *Policy) Settings() Settings {
	return Settings{
		MinRuns: p.MinRuns, Quantile: p.Quantile, HalfLife: p.HalfLife,
		RoundMemory: p.Round[Memory], RoundDisk: p.Round[Disk], RoundTime: Duration(p.Round[Time]),
		Below: SwitchOf(p.Below), Off: SwitchOf(p.Off),
	}
}

// Texts are the settings that are said, by name, as people read them.
func (s Settings) Texts() map[string]string {
	texts := map[string]string{}
	put := func(name string, said bool, text string) {
		if said {
			texts[name] = text
		}
	}
	put("min_runs", s.MinRuns != 0, strconv.Itoa(s.MinRuns))
	put("quantile", s.Quantile != 0, strconv.FormatFloat(s.Quantile, 'g', -1, 64))
	put("half_life", s.HalfLife != 0, strconv.Itoa(s.HalfLife))
	put("round_memory", s.RoundMemory != 0, job.FormatAmount(job.Memory, s.RoundMemory))
	put("round_disk", s.RoundDisk != 0, job.FormatAmount(job.Disk, s.RoundDisk))
	put("round_time", s.RoundTime != 0, s.RoundTime.String())
	put("below", s.Below != Unsaid, strconv.FormatBool(s.Below == Yes))
	put("off", s.Off != Unsaid, strconv.FormatBool(s.Off == Yes))
	return texts
}

// Validate refuses settings that make no sense. The error is Invalid.
func (s Settings) Validate() error {
	switch {
	case s.MinRuns < 0 || s.MinRuns > 1_000_000:
		return job.Errorf(job.Invalid, "%d runs before what was learned is asked for; choose 1 to 1000000", s.MinRuns)
	case !(s.Quantile >= 0 && s.Quantile <= 1):
		return job.Errorf(job.Invalid, "a quantile of %v; choose one above 0 and at most 1, such as 0.95", s.Quantile)
	case s.HalfLife != 0 && (s.HalfLife < 10 || s.HalfLife > 100_000):
		return job.Errorf(job.Invalid, "a half-life of %d runs; choose 10 to 100000", s.HalfLife)
	case s.RoundMemory < 0 || s.RoundMemory > 1<<40 || s.RoundDisk < 0 || s.RoundDisk > 1<<40:
		return job.Errorf(job.Invalid, "memory or disk rounded up to negative amounts, or to more than 1T")
	case s.RoundTime < 0 || s.RoundTime > 30*24*time.Hour:
		return job.Errorf(job.Invalid, "time rounded up to multiples of %v; choose at most 30 days", s.RoundTime)
	case s.Below > Yes || s.Off > Yes:
		return job.Errorf(job.Invalid, "a switch is neither on nor off")
	}
	return nil
}
