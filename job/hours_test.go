package job

import (
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestHours(t *testing.T) {
	for name, c := range map[string]struct {
		windows []string
		from    string // when it is looked at
		open    bool
		changes []string // then, one after the other
	}{
		"no window": {nil, "2026-03-01T00:00:00Z", true, []string{""}},
		"daily": {[]string{"08:00-18:00"}, "2026-03-01T00:00:00Z", false,
			[]string{"2026-03-01T08:00:00Z", "2026-03-01T18:00:00Z", "2026-03-02T08:00:00Z"}},
		"opens to the second": {[]string{"08:00-18:00"}, "2026-03-01T08:00:00Z", true, []string{"2026-03-01T18:00:00Z"}},
		"across midnight": {[]string{"22:00-06:00"}, "2026-03-01T23:00:00Z", true,
			[]string{"2026-03-02T06:00:00Z", "2026-03-02T22:00:00Z"}},
		"across midnight, of a day": {[]string{"fri 22:00-06:00"}, "2026-03-05T23:00:00Z", false, // a Thursday
			[]string{"2026-03-06T22:00:00Z", "2026-03-07T06:00:00Z", "2026-03-13T22:00:00Z"}},
		"the morning after belongs to its evening": {[]string{"fri 22:00-06:00"}, "2026-03-07T05:00:00Z", true, []string{"2026-03-07T06:00:00Z"}},
		"the morning before does not":              {[]string{"fri 22:00-06:00"}, "2026-03-06T05:00:00Z", false, []string{"2026-03-06T22:00:00Z"}},
		"all day": {[]string{"sat,sun 00:00-24:00"}, "2026-03-06T12:00:00Z", false,
			[]string{"2026-03-07T00:00:00Z", "2026-03-09T00:00:00Z", "2026-03-14T00:00:00Z"}},
		"in a zone": {[]string{"08:00-18:00 America/New_York"}, "2026-01-01T00:00:00Z", false, []string{"2026-01-01T13:00:00Z", "2026-01-01T23:00:00Z"}},
		// In London the clock goes from 01:00 to 02:00 on 29 March 2026, at 01:00 UTC, and
		// back from 02:00 to 01:00 on 25 October, at 01:00 UTC.
		"summer comes": {[]string{"00:30-03:00 Europe/London"}, "2026-03-28T12:00:00Z", false,
			[]string{"2026-03-29T00:30:00Z", "2026-03-29T02:00:00Z", "2026-03-29T23:30:00Z"}},
		"passed over": {[]string{"01:15-01:45 Europe/London"}, "2026-03-28T12:00:00Z", false, []string{"2026-03-30T00:15:00Z"}},
		"begins in the hour that is passed over": {[]string{"01:30-04:00 Europe/London"}, "2026-03-28T12:00:00Z", false,
			[]string{"2026-03-29T01:00:00Z", "2026-03-29T03:00:00Z"}},
		"winter comes": {[]string{"00:30-03:00 Europe/London"}, "2026-10-24T12:00:00Z", false,
			[]string{"2026-10-24T23:30:00Z", "2026-10-25T03:00:00Z"}},
		"twice": {[]string{"01:15-01:45 Europe/London"}, "2026-10-24T12:00:00Z", false,
			[]string{"2026-10-25T00:15:00Z", "2026-10-25T00:45:00Z", "2026-10-25T01:15:00Z", "2026-10-25T01:45:00Z", "2026-10-26T01:15:00Z"}},
		"dated": {[]string{"2026-03-05T00:00:00Z..2026-03-06T00:00:00Z"}, "2026-03-01T00:00:00Z", false,
			[]string{"2026-03-05T00:00:00Z", "2026-03-06T00:00:00Z", ""}},
		"without an end": {[]string{"2026-03-05.."}, "2026-03-01T00:00:00Z", false, []string{"2026-03-05T00:00:00Z", ""}},
		"until":          {[]string{"..2026-03-05"}, "2026-03-01T00:00:00Z", true, []string{"2026-03-05T00:00:00Z", ""}},
		"over":           {[]string{"..2026-02-05"}, "2026-03-01T00:00:00Z", false, []string{""}},
		"several": {[]string{"08:00-10:00", "2026-03-01T09:00:00Z..2026-03-01T11:00:00Z"}, "2026-03-01T00:00:00Z", false,
			[]string{"2026-03-01T08:00:00Z", "2026-03-01T11:00:00Z", "2026-03-02T08:00:00Z"}},
	} {
		t.Run(name, func(t *testing.T) {
			h := hours(t, c.windows)
			at := stamp(t, c.from)
			if h.Open(at) != c.open {
				t.Fatalf("open at %s: %v", c.from, !c.open)
			}
			open := c.open
			for _, change := range c.changes {
				want := stamp(t, change)
				got := nextFlip(&h, at)
				if got != want {
					t.Fatalf("after %v it changes at %v, want %v", at.Std(), got.Std(), want.Std())
				}
				if open = !open; want != 0 && h.Open(want) != open {
					t.Fatalf("at %s it is not other than before", change)
				}
				if open && want != 0 && h.Next(at) != want {
					t.Errorf("after %v it opens at %v, want %v", at.Std(), h.Next(at).Std(), want.Std())
				}
				at = want
			}
		})
	}
}

// nextFlip is when all windows together open or close next.
func nextFlip(h *Hours, at Time) Time {
	was := h.Open(at)
	at = h.Change(at)
	for at != 0 && h.Open(at) == was {
		at = h.Change(at)
	}
	return at
}

func hours(t interface{ Fatal(...any) }, texts []string) Hours {
	var windows []Window
	for _, text := range texts {
		w, err := ParseWindow(text)
		if err != nil {
			t.Fatal(err)
		}
		windows = append(windows, w)
	}
	return HoursOf(windows)
}

func stamp(t *testing.T, text string) Time {
	if text == "" {
		return 0
	}
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		t.Fatal(err)
	}
	return TimeOf(at)
}

// Between two changes it stays as it is: looked at every minute, it is as it was after
// the last change.
func TestHoursChangeOnlyAtChanges(t *testing.T) {
	zones := []string{"", "Europe/London", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu", "Pacific/Apia", "America/Sao_Paulo"}
	rapid.Check(t, func(t *rapid.T) {
		minute := func(name string) time.Duration {
			return time.Duration(rapid.IntRange(0, 1439).Draw(t, name)) * time.Minute
		}
		w := Window{From: minute("from"), To: minute("to") + time.Minute, Days: Days(rapid.IntRange(0, 127).Draw(t, "days")), Zone: rapid.SampledFrom(zones).Draw(t, "zone")}
		if w.Validate() != nil {
			t.Skip("no window")
		}
		h := HoursOf([]Window{w})
		at := TimeOf(time.Date(rapid.IntRange(2009, 2030).Draw(t, "year"), 1, rapid.IntRange(1, 366).Draw(t, "day"), 0, rapid.IntRange(0, 1439).Draw(t, "minute"), 0, 0, time.UTC))
		next, open := h.Change(at), h.Open(at)
		for end := at.Add(9 * 24 * time.Hour); at < end; at = at.Add(time.Minute) {
			if next != 0 && at >= next {
				open, next = !open, h.Change(at)
			}
			if h.Open(at) != open {
				t.Fatalf("%v: at %v it is open: %v; the next change should have been at %v", w, at.Std(), !open, next.Std())
			}
		}
	})
}
