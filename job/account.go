package job

import (
	"maps"
	"math"
	"slices"
	"time"
)

// QuotaLevels is how many levels of quota there are; level 0 is the best. What
// runs at the level after the last is free.
const QuotaLevels = 5

// Quota is quota, or what a run has cost, at each level: worker-seconds, one of a
// job that takes all of a worker.
type Quota [QuotaLevels]float64

// QuotaOf makes a quota, or rates, of at most five numbers; missing ones are
// zero. More, or one that is not finite, are Invalid.
func QuotaOf(values ...float64) (q Quota, err error) {
	if len(values) > len(q) {
		return q, Errorf(Invalid, "%d levels of quota; there are %d", len(values), len(q))
	}
	for _, v := range values {
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return q, Errorf(Invalid, "quota %v; it must be a finite number", v)
		}
	}
	copy(q[:], values)
	return q, nil
}

// Account is who pays for jobs.
type Account struct {
	Name        string `cbor:"1,keyasint"`
	Description string `cbor:"2,keyasint,omitempty"`
	// Rate is the quota gained per second: how many workers it may have at each
	// level in the long run.
	Rate Quota `cbor:"3,keyasint"`
	// Window is for how long quota is gathered: Rate times Window is the cap.
	Window time.Duration `cbor:"4,keyasint,omitempty"`
	// MaxFanout is how many paid jobs that want the same labels may run at once;
	// zero means any number.
	MaxFanout int `cbor:"5,keyasint,omitempty"`
	// LabelLimits is how many of its jobs may run at once on workers with the same
	// label, by the key of the label: what is before the first colon.
	LabelLimits map[string]int `cbor:"6,keyasint,omitempty"`
	// NoFree: its jobs are never started for free.
	NoFree bool `cbor:"7,keyasint,omitempty"`
}

// DefaultWindow is the window of an account that is made without one: with none at
// all it would gather no quota and never have any.
const DefaultWindow = time.Hour

// Bounds of an account's settings.
const (
	MaxRate         = 1e9
	MaxWindow       = 10 * 365 * 24 * time.Hour
	MaxLabelLimits  = 100
	MaxDescription  = 4096
	maxFanoutOrMore = math.MaxInt32
)

// Validate checks an account. Errors: Invalid.
func (a *Account) Validate() error {
	if err := CheckName("account", a.Name); err != nil {
		return err
	}
	bad := func(format string, args ...any) error {
		return Wrap(Errorf(Invalid, format, args...), "account", a.Name)
	}
	for level, r := range a.Rate {
		if !(r >= 0 && r <= MaxRate) {
			return bad("rate %v at level %d; it must be 0 to %g workers", r, level, MaxRate)
		}
	}
	switch {
	case a.Window < 0 || a.Window > MaxWindow:
		return bad("window %v; it must be between 0 and ten years", a.Window)
	case a.MaxFanout < 0 || a.MaxFanout > maxFanoutOrMore:
		return bad("fan-out %d; it must be positive, or 0 for any number", a.MaxFanout)
	case len(a.LabelLimits) > MaxLabelLimits:
		return bad("%d label limits; at most %d are kept", len(a.LabelLimits), MaxLabelLimits)
	case len(a.Description) > MaxDescription:
		return bad("a description of %d bytes; at most %d are kept", len(a.Description), MaxDescription)
	}
	for _, key := range slices.Sorted(maps.Keys(a.LabelLimits)) {
		if n := a.LabelLimits[key]; n < 0 || n > maxFanoutOrMore {
			return bad("limit %d for labels %q; it must not be negative", n, key)
		}
		if err := CheckName("label limit", key); err != nil {
			return bad("%w", err)
		}
		if LabelKey(key) != key {
			return bad("label limit for %q; name the key alone, which is what is before the first colon: %q", key, LabelKey(key))
		}
	}
	return nil
}

// AccountRow is a stored account with its balance at a time; with the charges of
// what runs (ChargeRow) that is what the balance is at any later one.
type AccountRow struct {
	Account
	Balance Quota `cbor:"20,keyasint"`
	At      Time  `cbor:"21,keyasint"`
	Gone    bool  `cbor:"-"`
}

// ChargeRow is what a run costs. A run without a row costs nothing.
type ChargeRow struct {
	Seq Seq `cbor:"1,keyasint"`
	// Level that it runs at, Cost what it had cost At, Share how much of a worker
	// it takes.
	Level uint8   `cbor:"2,keyasint,omitempty"`
	Cost  Quota   `cbor:"3,keyasint"`
	At    Time    `cbor:"4,keyasint"`
	Share float64 `cbor:"5,keyasint"`
	// Account pays for it.
	Account string `cbor:"8,keyasint,omitempty"`
	// Victim, if set, is the job on Worker whose place it has been promised: this
	// one is ready, and is granted when the victim has ended.
	Victim Seq      `cbor:"6,keyasint,omitempty"`
	Worker WorkerID `cbor:"7,keyasint,omitempty"`
	// Price is what it has paid for that place.
	Price *Quota `cbor:"9,keyasint,omitempty"`
	Gone  bool   `cbor:"-"`
}

// Document is a small record that rooms above the engine keep with a namespace,
// under a room of their own. The namespace knows nothing of its content.
type Document struct {
	Room string
	Key  string
	Body []byte
	Gone bool
}
