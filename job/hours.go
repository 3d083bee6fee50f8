package job

import (
	"slices"
	"time"
)

// Hours are the times at which one of several windows is open. Without any window
// they always are.
//
// A daily window goes by the clock on the wall: one that the clock passes over when
// daylight saving begins does not open on that day, and one in the hour that comes
// twice opens twice.
type Hours struct {
	windows []Window
	zones   []*time.Location
}

// HoursOf are the hours of valid windows. A zone that is not known any more is taken
// for UTC.
func HoursOf(windows []Window) Hours {
	h := Hours{windows: windows, zones: make([]*time.Location, len(windows))}
	for i := range windows {
		zone, err := zoneOf(windows[i].Zone)
		if err != nil {
			zone = time.UTC
		}
		h.zones[i] = zone
	}
	return h
}

// Open reports whether it is open at a time.
func (h *Hours) Open(at Time) bool {
	for i := range h.windows {
		if h.windows[i].open(at, h.zones[i]) {
			return true
		}
	}
	return len(h.windows) == 0
}

// Change is the next time after at when one of the windows opens or closes; zero if
// none ever does.
func (h *Hours) Change(at Time) (next Time) {
	for i := range h.windows {
		if t := h.windows[i].change(at, h.zones[i]); t != 0 && (next == 0 || t < next) {
			next = t
		}
	}
	return next
}

// Next is the first time from at on when they are open; zero if never.
func (h *Hours) Next(at Time) Time {
	if h.Open(at) {
		return at
	}
	return h.Change(at) // all are closed, so that it is when the first opens
}

func (w *Window) open(at Time, zone *time.Location) bool {
	if w.Dated() {
		return at >= w.Since && (w.Until == 0 || at < w.Until)
	}
	t := at.Std().In(zone)
	clock := time.Duration(t.Hour())*time.Hour + time.Duration(t.Minute())*time.Minute + time.Duration(t.Second())*time.Second
	today, yesterday := t.Weekday(), (t.Weekday()+6)%7
	if w.From < w.To {
		return clock >= w.From && clock < w.To && w.Days.Has(today)
	}
	return clock >= w.From && w.Days.Has(today) || clock < w.To && w.Days.Has(yesterday)
}

// changeDays is for how many days the next change of a daily window is looked for: a
// weekly one may be passed over by daylight saving.
const changeDays = 15

// change is the next time after at when the window opens or closes; zero if never.
func (w *Window) change(at Time, zone *time.Location) Time {
	if w.Dated() {
		switch {
		case at < w.Since:
			return w.Since
		case w.Until != 0 && at < w.Until:
			return w.Until
		}
		return 0
	}
	was := w.open(at, zone)
	t := at.Std().In(zone)
	var marks []Time
	for days := -1; days <= changeDays; days++ {
		marks = w.addMarks(marks, t.Year(), t.Month(), t.Day()+days, zone)
	}
	slices.Sort(marks)
	for _, m := range marks {
		if m > at && w.open(m, zone) != was {
			return m
		}
	}
	return 0
}

// addMarks adds the moments of a day at which the window could open or close: when the
// clock shows its times, by any offset the zone has around that day, when the day
// changes, and when the clock is changed.
func (w *Window) addMarks(marks []Time, year int, month time.Month, d int, zone *time.Location) []Time {
	midnight := time.Date(year, month, d, 0, 0, 0, 0, time.UTC)
	for _, probe := range [...]time.Duration{-day, 0, day, 2 * day} {
		local := midnight.Add(probe).In(zone)
		_, offset := local.Zone()
		shift := time.Duration(offset) * time.Second
		for _, clock := range [...]time.Duration{0, w.From, w.To} {
			marks = append(marks, TimeOf(midnight.Add(clock-shift)))
		}
		if _, end := local.ZoneBounds(); !end.IsZero() && end.Sub(local) <= day {
			marks = append(marks, TimeOf(end))
		}
	}
	return marks
}
