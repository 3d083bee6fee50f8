package job

import (
	"slices"
	"strings"
	"time"
	_ "time/tzdata" // a machine without time zones knows them too
)

// Window is a time in which jobs may start: daily, by the clock on the wall of a
// zone, or once, between two moments.
type Window struct {
	// From and To are times of day: how much the clock shows beyond midnight. A To
	// that is not after From is on the next day. Both are zero in a dated window.
	From time.Duration `cbor:"1,keyasint,omitempty"`
	To   time.Duration `cbor:"2,keyasint,omitempty"`
	// Days are the days on which it opens; none: all.
	Days Days `cbor:"3,keyasint,omitempty"`
	// Zone is the name of the time zone; empty: UTC.
	Zone string `cbor:"4,keyasint,omitempty"`
	// Since and Until bound a dated window; zero: on that side it is open.
	Since Time `cbor:"5,keyasint,omitempty"`
	Until Time `cbor:"6,keyasint,omitempty"`
}

// Days is a set of days of the week, Sunday the lowest bit.
type Days uint8

const (
	allDays Days = 1<<7 - 1
	day          = 24 * time.Hour
)

var dayNames = [...]string{"sun", "mon", "tue", "wed", "thu", "fri", "sat"}

// Has reports whether the day is among them; where none are, it is.
func (d Days) Has(w time.Weekday) bool { return d == 0 || d&(1<<w) != 0 }

// Dated reports whether the window is open once.
func (w *Window) Dated() bool { return w.Since != 0 || w.Until != 0 }

// Validate checks a window. Errors: Invalid.
func (w *Window) Validate() error {
	if w.Dated() {
		switch {
		case w.From != 0 || w.To != 0 || w.Days != 0 || w.Zone != "":
			return Errorf(Invalid, "a window is daily or between two moments, not both")
		case w.Since < 0 || w.Until < 0 || w.Until != 0 && w.Until <= w.Since:
			return Errorf(Invalid, "window %v ends before it begins", w)
		}
		return nil
	}
	switch {
	case w.From < 0 || w.From >= day || w.To <= 0 || w.To > day || w.From%time.Second != 0 || w.To%time.Second != 0:
		return Errorf(Invalid, "window: from %v to %v; give two times of a day, in seconds", w.From, w.To)
	case w.From == w.To:
		return Errorf(Invalid, "window %v ends when it begins; for the whole day write 00:00-24:00", w)
	case w.Days&^allDays != 0:
		return Errorf(Invalid, "window: there are seven days in a week")
	}
	_, err := zoneOf(w.Zone)
	return err
}

// zoneOf is a time zone by name; empty: UTC.
func zoneOf(name string) (*time.Location, error) {
	if name == "Local" {
		return nil, Errorf(Invalid, "time zone %q means another on each machine; name it, as Europe/London", name)
	}
	z, err := time.LoadLocation(name)
	if err != nil {
		return nil, Errorf(Invalid, "there is no time zone %.60q; write one as UTC or Europe/London", name)
	}
	return z, nil
}

// String is the window as ParseWindow reads it: "mon-fri 08:00-18:00 Europe/London",
// "22:00-06:00 UTC", "2030-01-02T08:00:00Z..2030-01-05T00:00:00Z".
func (w Window) String() string {
	if w.Dated() {
		return moment(w.Since) + ".." + moment(w.Until)
	}
	zone := w.Zone
	if zone == "" {
		zone = "UTC"
	}
	text := clockText(w.From) + "-" + clockText(w.To) + " " + zone
	if w.Days != 0 && w.Days != allDays {
		text = w.Days.String() + " " + text
	}
	return text
}

func moment(t Time) string {
	if t == 0 {
		return ""
	}
	return t.Std().Format(time.RFC3339Nano)
}

func clockText(d time.Duration) string {
	two := func(n time.Duration) string { return string([]byte{byte('0' + n/10), byte('0' + n%10)}) }
	text := two(d/time.Hour) + ":" + two(d/time.Minute%60)
	if s := d / time.Second % 60; s != 0 {
		text += ":" + two(s)
	}
	return text
}

// String is the days as ParseWindow reads them, from Monday on: "mon-fri", "tue,sun".
func (d Days) String() string {
	var parts []string
	for i := 1; i <= 7; i++ {
		first := i
		for i <= 7 && d&(1<<(i%7)) != 0 {
			i++
		}
		switch last := i - 1; {
		case last < first:
		case last == first:
			parts = append(parts, dayNames[first%7])
		case last == first+1:
			parts = append(parts, dayNames[first%7], dayNames[last%7])
		default:
			parts = append(parts, dayNames[first%7]+"-"+dayNames[last%7])
		}
	}
	return strings.Join(parts, ",")
}

// windowLike tells a window from an amount.
func windowLike(text string) bool {
	return strings.ContainsAny(text, ":<") || strings.Contains(text, "..")
}

// ParseWindow reads a window: "08:00-18:00", with days before it and a time zone after it
// if wanted ("mon-fri 22:00-06:00 Europe/London"), or two moments
// ("2030-01-02T08:00:00Z..2030-01-05T00:00:00Z"), of which one may be left out. wr's
// forms are understood as well ("16:00:00 < time < 20:00:00"). Errors: Invalid.
func ParseWindow(text string) (Window, error) {
	w, err := parseWindow(strings.TrimSpace(text))
	if err == nil {
		err = w.Validate()
	}
	if err != nil {
		return Window{}, err
	}
	return w, nil
}

func parseWindow(text string) (Window, error) {
	if strings.Contains(text, "<") {
		return parseComparison(text)
	}
	if since, until, dated := strings.Cut(text, ".."); dated {
		return dateWindow(text, since, until)
	}
	fields := strings.Fields(text)
	var w Window
	var err error
	if len(fields) > 1 && !strings.Contains(fields[0], ":") {
		if w.Days, err = parseDays(fields[0]); err != nil {
			return w, err
		}
		fields = fields[1:]
	}
	if len(fields) == 0 || len(fields) > 2 {
		return w, notWindow(text)
	}
	from, to, ok := strings.Cut(fields[0], "-")
	if !ok {
		return w, notWindow(text)
	}
	if w.From, w.To, err = clockTimes(text, from, to); err != nil {
		return w, err
	}
	if len(fields) == 2 && fields[1] != "UTC" {
		w.Zone = fields[1]
	}
	return w, nil
}

func notWindow(text string) error {
	return Errorf(Invalid, `%.80q is no window; write "08:00-18:00", "mon-fri 22:00-06:00 Europe/London" or "2030-01-02T08:00:00Z..2030-01-05T00:00:00Z"`, text)
}

// parseComparison reads wr's forms: a time, or a date with a time, before or after the
// word it is compared with, or both.
func parseComparison(text string) (Window, error) {
	parts := strings.Split(text, "<")
	for i := range parts {
		parts[i] = strings.TrimSpace(parts[i])
	}
	word := slices.IndexFunc(parts, func(p string) bool { return p == "time" || p == "datetime" })
	if word < 0 || word > 1 || len(parts) > word+2 || len(parts) < 2 {
		return Window{}, Errorf(Invalid, `%.80q is no window; write "16:00:00 < time < 20:00:00", or with datetime instead of time and dates before the times`, text)
	}
	dated := parts[word] == "datetime"
	before, after := "", ""
	if word == 1 {
		before = parts[0]
	}
	if word+1 < len(parts) {
		after = parts[word+1]
	}
	if dated {
		return dateWindow(text, before, after)
	}
	if before == "" {
		before = "00:00"
	}
	if after == "" {
		after = "24:00"
	}
	from, to, err := clockTimes(text, before, after)
	return Window{From: from, To: to}, err
}

func clockTimes(text, from, to string) (a, b time.Duration, err error) {
	if a, err = parseClock(text, from); err == nil {
		b, err = parseClock(text, to)
	}
	if b == 0 {
		b = day // midnight at its end
	}
	return a, b, err
}

// parseClock reads a time of day: 08:00, 08:00:30, and 24:00.
func parseClock(text, s string) (time.Duration, error) {
	if s == "24:00" || s == "24:00:00" {
		return day, nil
	}
	for _, layout := range []string{"15:04", "15:04:05"} {
		if t, err := time.Parse(layout, s); err == nil && t.Nanosecond() == 0 {
			return time.Duration(t.Hour())*time.Hour + time.Duration(t.Minute())*time.Minute + time.Duration(t.Second())*time.Second, nil
		}
	}
	return 0, notWindow(text)
}

// momentLayouts are how a moment may be written, in UTC where no zone is given.
var momentLayouts = []string{time.RFC3339, "2006-01-02T15:04:05", "2006-01-02 15:04:05", "2006-01-02T15:04", "2006-01-02 15:04", time.DateOnly}

func dateWindow(text, since, until string) (w Window, err error) {
	for _, side := range []struct {
		s  string
		to *Time
	}{{since, &w.Since}, {until, &w.Until}} {
		s := strings.TrimSpace(side.s)
		if s == "" {
			continue
		}
		if *side.to, err = parseMoment(text, s); err != nil {
			return w, err
		}
	}
	if !w.Dated() {
		return w, notWindow(text)
	}
	return w, nil
}

func parseMoment(text, s string) (Time, error) {
	for _, layout := range momentLayouts {
		if t, err := time.Parse(layout, s); err == nil {
			if t.Year() < 1971 || t.Year() > 2200 {
				return 0, Errorf(Invalid, "window %.80q: the year %d is none in which jobs start", text, t.Year())
			}
			return TimeOf(t), nil
		}
	}
	return 0, notWindow(text)
}

// parseDays reads days with commas between, or from one to another: "mon-fri,sun".
func parseDays(text string) (Days, error) {
	var days Days
	for part := range strings.SplitSeq(strings.ToLower(text), ",") {
		first, last, span := strings.Cut(part, "-")
		if !span {
			last = first
		}
		from, to := slices.Index(dayNames[:], first), slices.Index(dayNames[:], last)
		if from < 0 || to < 0 {
			return 0, Errorf(Invalid, `%.60q are no days; write them as "mon-fri" or "sat,sun"`, text)
		}
		for d := from; ; d = (d + 1) % 7 {
			if days |= 1 << d; d == to {
				break
			}
		}
	}
	if days == allDays {
		days = 0
	}
	return days, nil
}
