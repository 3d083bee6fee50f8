package job

import (
	"slices"
	"strconv"
	"strings"
	"time"
)

// LimitUse is a job's share of a named limit: it counts Weight against it while
// it is held (one when zero).
type LimitUse struct {
	Name   string `cbor:"1,keyasint"`
	Weight int64  `cbor:"2,keyasint,omitempty"`
}

// Units is the weight as it counts.
func (u LimitUse) Units() int64 { return max(1, u.Weight) }

// String is the use as ParseLimitUse reads it: "NAME", or "NAME*WEIGHT".
func (u LimitUse) String() string {
	if u.Units() == 1 {
		return u.Name
	}
	return u.Name + "*" + strconv.FormatInt(u.Weight, 10)
}

// ParseLimitUse reads "NAME" or "NAME*WEIGHT". Errors: Invalid.
func ParseLimitUse(text string) (LimitUse, error) {
	name, weight, weighs := strings.Cut(strings.TrimSpace(text), "*")
	u := LimitUse{Name: strings.TrimSpace(name)}
	if weighs {
		n, err := strconv.ParseInt(strings.TrimSpace(weight), 10, 64)
		if err != nil || n < 1 {
			return u, Errorf(Invalid, "limit %q: the weight %q is not a number from 1 on; write NAME or NAME*WEIGHT", u.Name, weight)
		}
		u.Weight = n
	}
	return u, u.Validate()
}

// Validate checks name and weight. Errors: Invalid.
func (u LimitUse) Validate() error {
	if err := CheckLimitName(u.Name); err != nil {
		return err
	}
	if u.Weight < 0 || u.Weight > MaxUnits {
		return Errorf(Invalid, "limit %s: weight %d; it must be between 1 and %d", u.Name, u.Weight, int64(MaxUnits))
	}
	return nil
}

// CheckLimitName checks the name of a limit: it is a name without the characters
// that stand between the parts of a limit where it is written. Errors: Invalid.
func CheckLimitName(name string) error {
	if err := CheckName("limit", name); err != nil {
		return err
	}
	if strings.ContainsAny(name, ":*,/") || strings.TrimSpace(name) != name {
		return Errorf(Invalid, "limit %q: a limit's name has no colon, star, comma or slash in it, and no blank at its ends", name)
	}
	return nil
}

// checkLimits checks what a job counts against.
func checkLimits(uses []LimitUse) error {
	for i, u := range uses {
		if err := u.Validate(); err != nil {
			return err
		}
		if slices.ContainsFunc(uses[:i], func(o LimitUse) bool { return o.Name == u.Name }) {
			return Errorf(Invalid, "limit %s is named twice; name it once, with a weight", u.Name)
		}
	}
	return nil
}

// Limit is a named cap on the jobs that carry it: at most Max units of them are held
// at once or, with a Period, start within any time of that length. With Windows they
// start only while one of these is open. Zero means none may run; a limit is removed
// to lift it.
type Limit struct {
	Name string `cbor:"1,keyasint"`
	// Max is AnyNumber where only the windows matter.
	Max     int64         `cbor:"2,keyasint"`
	Period  time.Duration `cbor:"3,keyasint,omitempty"`
	Windows []Window      `cbor:"4,keyasint,omitempty"`
}

// AnyNumber as a limit's Max is no cap.
const AnyNumber = -1

// Bounds of a limit.
const (
	MaxUnits   = 1_000_000_000
	MinPeriod  = 100 * time.Millisecond
	MaxPeriod  = 366 * 24 * time.Hour
	MaxWindows = 32
)

// Rate reports whether the limit is on starts a period, not on what is held at once.
func (l *Limit) Rate() bool { return l.Period > 0 && l.Max >= 0 }

// Timed reports whether time alone can open or close the limit.
func (l *Limit) Timed() bool { return l.Rate() || len(l.Windows) > 0 }

// Validate checks a limit. Errors: Invalid.
func (l *Limit) Validate() error {
	if err := CheckLimitName(l.Name); err != nil {
		return err
	}
	bad := func(format string, args ...any) error {
		return Wrap(Errorf(Invalid, format, args...), "limit", l.Name)
	}
	switch {
	case l.Max < AnyNumber || l.Max > MaxUnits:
		return bad("%d units; it must be between 0 and %d", l.Max, int64(MaxUnits))
	case l.Period != 0 && (l.Period < MinPeriod || l.Period > MaxPeriod):
		return bad("a period of %v; it must be between %v and a year", l.Period, MinPeriod)
	case l.Period != 0 && l.Max == AnyNumber:
		return bad("any number a period is no limit; leave the period out")
	case l.Max == AnyNumber && len(l.Windows) == 0:
		return bad("any number at any time is no limit; remove it to lift it")
	case len(l.Windows) > MaxWindows:
		return bad("%d windows; at most %d", len(l.Windows), MaxWindows)
	}
	for i := range l.Windows {
		if err := l.Windows[i].Validate(); err != nil {
			return bad("%w", err)
		}
	}
	return nil
}

// periods are the periods that have a name, the first of which is written.
var periods = []struct {
	length time.Duration
	names  []string
}{
	{time.Second, []string{"second", "sec", "s"}},
	{time.Minute, []string{"minute", "min", "m"}},
	{time.Hour, []string{"hour", "h"}},
	{24 * time.Hour, []string{"day", "d"}},
}

// anyWord is how AnyNumber is written.
const anyWord = "any"

// Amount is the number and its period, as ParseLimitAmount reads them: "5", "100/minute",
// "10/30s", "any".
func (l *Limit) Amount() string {
	if l.Max == AnyNumber {
		return anyWord
	}
	text := strconv.FormatInt(l.Max, 10)
	if l.Period == 0 {
		return text
	}
	for _, p := range periods {
		if p.length == l.Period {
			return text + "/" + p.names[0]
		}
	}
	return text + "/" + l.Period.String()
}

// String is the limit without its name: the amount and the windows.
func (l *Limit) String() string {
	parts := []string{l.Amount()}
	for _, w := range l.Windows {
		parts = append(parts, w.String())
	}
	return strings.Join(parts, "; ")
}

// ParseLimit reads an amount and windows with semicolons between: "5",
// "100/minute", "5; mon-fri 22:00-06:00". Where windows stand alone, any number may
// start in them. The limit has no name yet. Errors: Invalid.
func ParseLimit(text string) (Limit, error) {
	l := Limit{Max: AnyNumber}
	for i, part := range strings.Split(text, ";") {
		if i == 0 && !windowLike(part) {
			var err error
			if l.Max, l.Period, err = ParseLimitAmount(part); err != nil {
				return Limit{}, err
			}
			continue
		}
		w, err := ParseWindow(part)
		if err != nil {
			return Limit{}, err
		}
		l.Windows = append(l.Windows, w)
	}
	return l, nil
}

// ParseLimitAmount reads how many units: "5" at once, "100/minute" or "10/30s" in any time
// of that length, "any" for AnyNumber. Errors: Invalid.
func ParseLimitAmount(text string) (most int64, period time.Duration, err error) {
	number, per, rate := strings.Cut(strings.TrimSpace(text), "/")
	number, per = strings.TrimSpace(number), strings.TrimSpace(per)
	if number == anyWord && !rate {
		return AnyNumber, 0, nil
	}
	most, err = strconv.ParseInt(number, 10, 64)
	if err != nil || most < 0 || most > MaxUnits {
		return 0, 0, Errorf(Invalid, `%q is no limit; write how many at once, as "5", or how many in a time, as "100/minute" or "10/30s"`, text)
	}
	if !rate {
		return most, 0, nil
	}
	for _, p := range periods {
		if slices.Contains(p.names, per) {
			return most, p.length, nil
		}
	}
	if period, err = ParseDuration(per); err != nil || period < MinPeriod || period > MaxPeriod {
		return 0, 0, Errorf(Invalid, `limit %q: %q is no period; write second, minute, hour, day or a time, as "30s" (%v to a year)`, text, per, MinPeriod)
	}
	return most, period, nil
}

// Settings are a limit's settings as the log has them.
func (l *Limit) Settings() map[string]string {
	m := map[string]string{"amount": l.Amount()}
	if len(l.Windows) > 0 {
		texts := make([]string, len(l.Windows))
		for i, w := range l.Windows {
			texts[i] = w.String()
		}
		m["windows"] = strings.Join(texts, "; ")
	}
	return m
}

// LimitStart is units of a rate that were used up at a time.
type LimitStart struct {
	At    Time  `cbor:"1,keyasint"`
	Units int64 `cbor:"2,keyasint"`
}

// LimitRow is a stored limit. Of a rate it has what is used up, the oldest first;
// what is held follows from the jobs.
type LimitRow struct {
	Limit
	Started []LimitStart `cbor:"20,keyasint,omitempty"`
	Gone    bool         `cbor:"-"`
}

// ParseLimitGiven reads a limit as a job may name it: "NAME" or "NAME*WEIGHT" and, as
// wr's users know it, a colon and what the limit is to be from now on: "NAME:5",
// "NAME:100/minute", "NAME:22:00-06:00". set is nil where that is not said; with
// AnyNumber at any time, which "NAME:-1" says, the limit is to be lifted. Errors: Invalid.
func ParseLimitGiven(text string) (use LimitUse, set *Limit, err error) {
	name, amount, given := strings.Cut(text, ":")
	if use, err = ParseLimitUse(name); err != nil || !given {
		return use, nil, err
	}
	l := Limit{Max: AnyNumber}
	if amount = strings.TrimSpace(amount); amount != "-1" {
		if l, err = ParseLimit(amount); err != nil {
			return use, nil, err
		}
	}
	l.Name = use.Name
	return use, &l, nil
}

// Lifts reports whether the limit lets everything pass.
func (l *Limit) Lifts() bool { return l.Max == AnyNumber && len(l.Windows) == 0 }
