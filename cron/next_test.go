package cron

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/muster-queue/muster/job"
)

func mustParse(t testing.TB, text, zone string, anchor time.Time) *Expression {
	t.Helper()
	e, err := Parse(text, zone, anchor)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func at(t testing.TB, s string) time.Time {
	t.Helper()
	v, err := time.Parse(time.RFC3339, s)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// What follows a moment, in several zones, around the days on which clocks change.
func TestNext(t *testing.T) {
	for _, c := range []struct {
		expression, zone, after, want string
	}{
		{"30 3 * * *", "UTC", "2030-01-02T03:29:59Z", "2030-01-02T03:30:00Z 2030-01-03T03:30:00Z"},
		{"*/20 8-9 * * mon-fri", "UTC", "2030-01-04T08:40:00Z", "2030-01-04T09:00:00Z 2030-01-04T09:20:00Z 2030-01-04T09:40:00Z 2030-01-07T08:00:00Z"},
		{"@hourly", "", "2030-01-02T03:00:00Z", "2030-01-02T04:00:00Z"},
		{"@Daily", "", "2030-01-02T00:00:00Z", "2030-01-03T00:00:00Z"},
		{"@weekly", "", "2030-01-02T00:00:00Z", "2030-01-06T00:00:00Z"},
		{"@monthly", "", "2030-01-02T00:00:00Z", "2030-02-01T00:00:00Z"},
		{"@yearly", "", "2030-01-02T00:00:00Z", "2031-01-01T00:00:00Z"},
		// Sunday is 0 and 7, and ends a range.
		{"0 0 * * 7", "", "2030-01-02T00:00:00Z", "2030-01-06T00:00:00Z"},
		{"0 0 * * sat-sun", "", "2030-01-01T00:00:00Z", "2030-01-05T00:00:00Z 2030-01-06T00:00:00Z 2030-01-12T00:00:00Z"},
		{"0 0 * * 5-7/2", "", "2030-01-01T00:00:00Z", "2030-01-04T00:00:00Z 2030-01-06T00:00:00Z 2030-01-11T00:00:00Z"},
		// Two days that restrict are either, a star with a step does not restrict.
		{"0 0 13 * fri", "", "2030-01-01T00:00:00Z", "2030-01-04T00:00:00Z 2030-01-11T00:00:00Z 2030-01-13T00:00:00Z"},
		{"0 0 */2 * fri", "", "2030-01-01T00:00:00Z", "2030-01-11T00:00:00Z 2030-01-25T00:00:00Z"},
		// Rare days.
		{"0 0 29 2 *", "", "2096-03-01T00:00:00Z", "2104-02-29T00:00:00Z"},
		{"0 12 29 2 mon", "Europe/Berlin", "2030-03-01T00:00:00Z", "2031-02-03T11:00:00Z"},
		// Berlin, 31 March 2030: 02:00 becomes 03:00.
		{"30 2 * * *", "Europe/Berlin", "2030-03-30T01:30:00Z", "2030-03-31T01:00:00Z 2030-04-01T00:30:00Z"},
		{"0,30 2 * * *", "Europe/Berlin", "2030-03-30T01:30:00Z", "2030-03-31T01:00:00Z 2030-04-01T00:00:00Z"},
		{"0 3 * * *", "Europe/Berlin", "2030-03-30T02:00:00Z", "2030-03-31T01:00:00Z 2030-04-01T01:00:00Z"},
		{"*/30 2 * * *", "Europe/Berlin", "2030-03-30T01:30:00Z", "2030-04-01T00:00:00Z"},
		{"30 * * * *", "Europe/Berlin", "2030-03-31T00:00:00Z", "2030-03-31T00:30:00Z 2030-03-31T01:30:00Z"},
		{"0 */2 * * *", "Europe/Berlin", "2030-03-30T23:30:00Z", "2030-03-31T02:00:00Z"},
		// Berlin, 27 October 2030: 03:00 becomes 02:00.
		{"30 2 * * *", "Europe/Berlin", "2030-10-26T00:30:00Z", "2030-10-27T00:30:00Z 2030-10-28T01:30:00Z"},
		{"30 2 * * *", "Europe/Berlin", "2030-10-27T01:10:00Z", "2030-10-28T01:30:00Z"},
		{"0 3 * * *", "Europe/Berlin", "2030-10-26T01:00:00Z", "2030-10-27T02:00:00Z"},
		{"30 * * * *", "Europe/Berlin", "2030-10-27T00:00:00Z", "2030-10-27T00:30:00Z 2030-10-27T01:30:00Z 2030-10-27T02:30:00Z"},
		{"*/30 2 * 10 sun", "Europe/Berlin", "2030-10-27T00:15:00Z", "2030-10-27T00:30:00Z 2030-10-27T01:00:00Z 2030-10-27T01:30:00Z 2031-10-05T00:00:00Z"},
		// New York; Lord Howe changes by half an hour; Samoa had no 30 December 2011.
		{"30 1 * * *", "America/New_York", "2030-11-02T05:30:00Z", "2030-11-03T05:30:00Z 2030-11-04T06:30:00Z"},
		{"15 2 * * *", "Australia/Lord_Howe", "2030-10-05T15:45:00Z", "2030-10-06T15:15:00Z"},
		{"0 12 * * *", "Pacific/Apia", "2011-12-29T22:00:00Z", "2011-12-30T10:00:00Z 2011-12-30T22:00:00Z"},
		// Half-hour zones, and midnight that does not exist.
		{"0 0 * * *", "Asia/Kolkata", "2030-01-01T00:00:00Z", "2030-01-01T18:30:00Z"},
		{"0 0 * * *", "America/Sao_Paulo", "2018-11-03T03:00:00Z", "2018-11-04T03:00:00Z 2018-11-05T02:00:00Z"},
		// Intervals are counted from the anchor, 2030-01-01T00:00:07Z.
		{"@every 90s", "", "2030-01-01T00:00:07Z", "2030-01-01T00:01:37Z 2030-01-01T00:03:07Z"},
		{"@every 1d", "Europe/Berlin", "2030-03-30T12:00:00Z", "2030-03-31T00:00:07Z 2030-04-01T00:00:07Z"},
		{"@every 1h", "", "2020-01-01T00:00:00Z", "2030-01-01T01:00:07Z"},
		{"@after 5m", "", "2030-01-01T00:00:00Z", ""},
	} {
		e := mustParse(t, c.expression, c.zone, at(t, "2030-01-01T00:00:07.9Z"))
		next := at(t, c.after)
		for i, want := range strings.Fields(c.want) {
			next = e.Next(next)
			if !next.Equal(at(t, want)) {
				t.Errorf("%q in %s after %s: time %d is %v, want %s", c.expression, c.zone, c.after, i, next, want)
				break
			}
		}
		if c.want == "" && !e.Next(next).IsZero() {
			t.Errorf("%q has a next time by the clock", c.expression)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	for _, c := range []struct{ text, zone, want string }{
		{"", "", "is no schedule"}, {"* * * *", "", "is no schedule"}, {"@reboot", "", "is no schedule"},
		{"TZ=UTC * * * * *", "", "is no schedule"}, {"TZ=", "", "is no schedule"}, {"@every", "", "is not a time"},
		{"@every 0s", "", "whole seconds"}, {"@every 1500ms", "", "whole seconds"}, {"@after -1s", "", "is not a time"},
		{"60 * * * *", "", "above maximum"}, {"* * * * mon-", "", "mon-"}, {"* * * * x-7", "", "no range"},
		{"* * * * 1-7/0", "", "no range"}, {"0 0 30 2 *", "", "no such day"}, {"0 0 31 4,6,9,11 *", "", "no such day"},
		{"@daily", "Mars/Olympus", "no time zone"}, {"@daily", "Local", "name the zone"}, {"@daily", "../../etc/passwd", "no time zone"},
		{strings.Repeat("*", 2000), "", "at most 1000"},
	} {
		_, err := Parse(c.text, c.zone, time.Time{})
		if !job.IsKind(err, job.Invalid) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%.40q in %q: %v, want %q", c.text, c.zone, err, c.want)
		}
	}
}

// spec is an expression as a test makes it: what a field may be, by hand.
type spec struct {
	minutes, hours, days, months, weekdays []int // nil: a star
}

func drawSpec(t *rapid.T) spec {
	some := func(name string, from, to int) []int {
		if rapid.Bool().Draw(t, name+" star") {
			return nil
		}
		l := rapid.SliceOfNDistinct(rapid.IntRange(from, to), 1, 4, rapid.ID[int]).Draw(t, name)
		slices.Sort(l)
		return l
	}
	return spec{some("minutes", 0, 59), some("hours", 0, 4), some("days", 24, 31), some("months", 9, 11), some("weekdays", 0, 6)}
}

func (s *spec) String() string {
	field := func(l []int) string {
		if l == nil {
			return "*"
		}
		return strings.Trim(strings.ReplaceAll(fmt.Sprint(l), " ", ","), "[]")
	}
	return strings.Join([]string{field(s.minutes), field(s.hours), field(s.days), field(s.months), field(s.weekdays)}, " ")
}

func (s *spec) matches(civil time.Time) bool {
	in := func(l []int, v int) bool { return l == nil || slices.Contains(l, v) }
	day, weekday := in(s.days, civil.Day()), in(s.weekdays, int(civil.Weekday()))
	if s.days != nil && s.weekdays != nil {
		day = slices.Contains(s.days, civil.Day()) || slices.Contains(s.weekdays, int(civil.Weekday()))
		weekday = true
	}
	return in(s.minutes, civil.Minute()) && in(s.hours, civil.Hour()) && in(s.months, int(civil.Month())) && day && weekday
}

// times are those from one moment up to another, minute by minute: what the clock on
// the wall shows, and what it leaves out at a jump, once.
func (s *spec) times(zone *time.Location, from, to time.Time) []time.Time {
	wild := s.minutes == nil || s.hours == nil
	var all []time.Time
	civil := func(t time.Time) time.Time {
		l := t.In(zone)
		return time.Date(l.Year(), l.Month(), l.Day(), l.Hour(), l.Minute(), 0, 0, time.UTC)
	}
	high := civil(from.Add(-3 * day)) // civil times up to it were shown
	for t := from.Add(-3 * day).Add(time.Minute); !t.After(to); t = t.Add(time.Minute) {
		now, hit := civil(t), false
		if wild {
			hit = s.matches(now)
		} else {
			for high.Before(now) {
				high = high.Add(time.Minute)
				hit = hit || s.matches(high)
			}
		}
		if hit && t.After(from) {
			all = append(all, t)
		}
	}
	return all
}

// Whatever the expression and the zone, what Next finds is what one finds who looks
// at a clock on a wall every minute.
func TestNextLikeAClockOnTheWall(t *testing.T) {
	zones := []string{"UTC", "Europe/Berlin", "Europe/Dublin", "America/New_York", "Australia/Lord_Howe", "America/St_Johns", "Africa/Casablanca"}
	rapid.Check(t, func(t *rapid.T) {
		zone := rapid.SampledFrom(zones).Draw(t, "zone")
		s := drawSpec(t)
		e, err := Parse(s.String(), zone, time.Time{})
		if job.IsKind(err, job.Invalid) && strings.Contains(err.Error(), "no such day") {
			t.Skip("no such day")
		}
		if err != nil {
			t.Fatal(err)
		}
		year := rapid.IntRange(2015, 2034).Draw(t, "year")
		from := time.Date(year, 9, 20, 0, 0, 0, 0, time.UTC).Add(time.Duration(rapid.IntRange(0, 60*24*60).Draw(t, "minute")) * time.Minute)
		to := from.Add(14 * day)
		var got []time.Time
		for next := e.Next(from); !next.IsZero() && !next.After(to); next = e.Next(next) {
			got = append(got, next.UTC())
		}
		want := s.times(e.zone, from, to)
		if !slices.EqualFunc(got, want, time.Time.Equal) {
			t.Fatalf("%s in %s from %v:\n got %v\nwant %v", &s, zone, from, got, want)
		}
	})
}

// Next goes forward, whatever was typed.
func FuzzParse(f *testing.F) {
	for _, s := range []string{"*/5 0-6/2 1,15 jan-mar sun", "@every 1h30m", "@after 5m", "TZ=x", "0 0 29 2 7", "* * * * fri-sun/2", "@", "1-"} {
		f.Add(s, "Europe/Berlin", int64(1900000000))
	}
	f.Fuzz(func(t *testing.T, text, zone string, unix int64) {
		from := time.Unix(unix%(1<<33), 0)
		e, err := Parse(text, zone, from)
		if err != nil {
			return
		}
		for range 3 {
			next := e.Next(from)
			if next.IsZero() {
				return
			}
			if !next.After(from) {
				t.Fatalf("%q in %q: after %v comes %v", text, zone, from, next)
			}
			from = next
		}
	})
}
