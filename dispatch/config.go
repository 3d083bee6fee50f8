package dispatch

import (
	"maps"
	"math"
	"time"
	"unicode/utf8"

	"github.com/muster-queue/muster/job"
	"github.com/muster-queue/muster/schedule"
)

// Defaults of Config.
const (
	DefaultBotExpiration     = 300 * time.Second
	DefaultRequestExpiration = 46 * time.Hour
	DefaultRecheck           = time.Second
)

// Config is a scheduler's settings. The zero value of a field is its default.
type Config struct {
	AccountConfigs map[AccountID]*AccountConfig
	// DisablePreemption: running tasks are left alone.
	DisablePreemption bool
	// BotExpiration is after how long without news an idle worker is forgotten (300 s).
	BotExpiration time.Duration
	// RequestExpiration is how long ago a request may have been enqueued to be put
	// back on the queue by Unassign (46 h); older ones are forgotten.
	RequestExpiration time.Duration
	// Recheck is how long an account that could preempt nobody waits before that is
	// tried again though nothing happened; quota changes with time (1 s). It is not
	// part of the stored form.
	Recheck time.Duration
}

// Validate checks the settings. Errors: Invalid.
func (c *Config) Validate() error {
	switch {
	case c.BotExpiration < 0:
		return job.Errorf(job.Invalid, "bot expiration %v; it must not be negative", c.BotExpiration)
	case c.RequestExpiration < 0:
		return job.Errorf(job.Invalid, "request expiration %v; it must not be negative", c.RequestExpiration)
	}
	for id, a := range c.AccountConfigs {
		if err := a.validate(id); err != nil {
			return err
		}
	}
	return nil
}

// AccountConfig is an account's settings.
type AccountConfig struct {
	// ChargeRate is the quota gained per second at each level: how many workers the
	// account may have there in the long run.
	ChargeRate Balance
	// MaxChargeSeconds is for how long quota is gathered: ChargeRate times
	// MaxChargeSeconds is the cap.
	MaxChargeSeconds float64
	// MaxFanout is how many tasks of the account that want the same labels may be
	// paid for at once; zero means any number.
	MaxFanout int32
	// PerLabelTaskLimits is how many of its tasks may run at once on workers with the
	// same label, by the key of the label: what is before the first colon.
	PerLabelTaskLimits map[string]int32
	// DisableFreeTasks: its tasks are never started for free.
	DisableFreeTasks bool
	Description      string
}

// ConfigOf is what an account of muster's own words is here.
func ConfigOf(a *job.Account) *AccountConfig {
	c := &AccountConfig{
		ChargeRate: Balance(a.Rate), MaxChargeSeconds: a.Window.Seconds(), MaxFanout: int32(a.MaxFanout),
		DisableFreeTasks: a.NoFree, Description: a.Description,
	}
	for key, n := range a.LabelLimits {
		if c.PerLabelTaskLimits == nil {
			c.PerLabelTaskLimits = map[string]int32{}
		}
		c.PerLabelTaskLimits[key] = int32(n)
	}
	return c
}

// Account is the account in muster's own words.
func (c *AccountConfig) Account(id AccountID) job.Account {
	a := job.Account{
		Name: string(id), Description: c.Description, Rate: job.Quota(c.ChargeRate), Window: c.window(),
		MaxFanout: int(c.MaxFanout), NoFree: c.DisableFreeTasks,
	}
	for key, n := range c.PerLabelTaskLimits {
		if a.LabelLimits == nil {
			a.LabelLimits = map[string]int{}
		}
		a.LabelLimits[key] = int(n)
	}
	return a
}

func (c *AccountConfig) window() time.Duration {
	return time.Duration(math.Round(min(c.MaxChargeSeconds, 2*job.MaxWindow.Seconds()) * float64(time.Second)))
}

// overflows reports whether a balance is beyond the cap at any level where quota is
// gathered: what is left of it later depends on when it is reckoned.
func (c *AccountConfig) overflows(b Balance) bool {
	for level, v := range b {
		if rate := c.ChargeRate[level]; rate > 0 && v > rate*c.window().Seconds() {
			return true
		}
	}
	return false
}

// validate checks the settings of an account of that name. Errors: Invalid.
func (c *AccountConfig) validate(id AccountID) error {
	switch {
	case c == nil:
		return job.CheckName("account", string(id))
	case !(c.MaxChargeSeconds >= 0):
		return job.Errorf(job.Invalid, "account %s: %v seconds of charge; it must be 0 or more", id, c.MaxChargeSeconds)
	case !utf8.ValidString(c.Description):
		return job.Errorf(job.Invalid, "account %s: the description is not UTF-8", id)
	}
	a := c.Account(id)
	return a.Validate()
}

// clone is a copy; that of nil are the defaults.
func (c *AccountConfig) clone() *AccountConfig {
	if c == nil {
		return &AccountConfig{}
	}
	o := *c
	o.PerLabelTaskLimits = nil
	if len(c.PerLabelTaskLimits) > 0 {
		o.PerLabelTaskLimits = maps.Clone(c.PerLabelTaskLimits)
	}
	return &o
}

// settings are the account as the scheduler below wants it.
func (c *AccountConfig) settings() schedule.Account {
	a := c.Account("")
	return schedule.Account{
		Rate: c.ChargeRate, Window: a.Window, MaxFanout: a.MaxFanout, LabelLimits: a.LabelLimits, NoFree: a.NoFree,
	}
}
