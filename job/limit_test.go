package job

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestParseLimit(t *testing.T) {
	for text, want := range map[string]Limit{
		"5":             {Max: 5},
		" 0 ":           {},
		"100/minute":    {Max: 100, Period: time.Minute},
		"100 / min":     {Max: 100, Period: time.Minute},
		"1/s":           {Max: 1, Period: time.Second},
		"7/day":         {Max: 7, Period: 24 * time.Hour},
		"10/30s":        {Max: 10, Period: 30 * time.Second},
		"3/1d12h":       {Max: 3, Period: 36 * time.Hour},
		"any":           {Max: AnyNumber},
		"22:00-06:00":   {Max: AnyNumber, Windows: []Window{{From: 22 * time.Hour, To: 6 * time.Hour}}},
		"5;08:00-18:00": {Max: 5, Windows: []Window{{From: 8 * time.Hour, To: 18 * time.Hour}}},
		"2/hour; sat,sun 00:00-24:00; ..2030-01-01": {Max: 2, Period: time.Hour, Windows: []Window{
			{To: 24 * time.Hour, Days: 1<<0 | 1<<6}, {Until: TimeOf(time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC))},
		}},
	} {
		got, err := ParseLimit(text)
		if d := cmp.Diff(want, got); d != "" || err != nil {
			t.Errorf("%q: %v\n%s", text, err, d)
			continue
		}
		again, err := ParseLimit(got.String())
		if d := cmp.Diff(want, again); d != "" || err != nil {
			t.Errorf("%q, written as %q: %v\n%s", text, got.String(), err, d)
		}
	}
	for _, text := range []string{"", "-1", "-2", "x", "5/", "5/x", "5/0", "5/0s", "5/1ms", "5/11y", "5/9000d", "any/minute", "1e3", "1000000001", "5;", "5;x", "5;6", ";"} {
		if got, err := ParseLimit(text); !IsKind(err, Invalid) {
			t.Errorf("%q is %+v, %v", text, got, err)
		}
	}
}

func TestParseWindow(t *testing.T) {
	at := func(y int, m time.Month, d, h int) Time { return TimeOf(time.Date(y, m, d, h, 0, 0, 0, time.UTC)) }
	for text, want := range map[string]struct {
		Window
		text string
	}{
		"08:00-18:00":     {Window{From: 8 * time.Hour, To: 18 * time.Hour}, "08:00-18:00 UTC"},
		"8:00-18:00":      {Window{From: 8 * time.Hour, To: 18 * time.Hour}, "08:00-18:00 UTC"},
		"08:00-18:00 UTC": {Window{From: 8 * time.Hour, To: 18 * time.Hour}, "08:00-18:00 UTC"},
		"MON-Fri 22:00-06:00 Europe/London": {
			Window{From: 22 * time.Hour, To: 6 * time.Hour, Days: 0b111110, Zone: "Europe/London"}, "mon-fri 22:00-06:00 Europe/London"},
		"fri-mon 10:00-11:00":          {Window{From: 10 * time.Hour, To: 11 * time.Hour, Days: 0b1100011}, "mon,fri-sun 10:00-11:00 UTC"},
		"mon-sun 10:00-11:00":          {Window{From: 10 * time.Hour, To: 11 * time.Hour}, "10:00-11:00 UTC"},
		"22:00-00:00":                  {Window{From: 22 * time.Hour, To: 24 * time.Hour}, "22:00-24:00 UTC"},
		"00:00-00:00:30":               {Window{To: 30 * time.Second}, "00:00-00:00:30 UTC"},
		"16:00:00 < time < 20:00:00":   {Window{From: 16 * time.Hour, To: 20 * time.Hour}, "16:00-20:00 UTC"},
		"time < 20:00:00":              {Window{To: 20 * time.Hour}, "00:00-20:00 UTC"},
		"20:00 < time":                 {Window{From: 20 * time.Hour, To: 24 * time.Hour}, "20:00-24:00 UTC"},
		"datetime<2030-01-02 08:00:00": {Window{Until: at(2030, 1, 2, 8)}, "..2030-01-02T08:00:00Z"},
		"2030-01-02 08:00:00 < datetime < 2030-01-03 08:00:00": {
			Window{Since: at(2030, 1, 2, 8), Until: at(2030, 1, 3, 8)}, "2030-01-02T08:00:00Z..2030-01-03T08:00:00Z"},
		"2030-01-02T08:00:00+02:00..2030-01-05": {
			Window{Since: at(2030, 1, 2, 6), Until: at(2030, 1, 5, 0)}, "2030-01-02T06:00:00Z..2030-01-05T00:00:00Z"},
		"2030-01-02 .. ": {Window{Since: at(2030, 1, 2, 0)}, "2030-01-02T00:00:00Z.."},
	} {
		got, err := ParseWindow(text)
		if d := cmp.Diff(want.Window, got); d != "" || err != nil {
			t.Errorf("%q: %v\n%s", text, err, d)
			continue
		}
		if s := got.String(); s != want.text {
			t.Errorf("%q is written as %q, want %q", text, s, want.text)
		}
		again, err := ParseWindow(got.String())
		if d := cmp.Diff(got, again); d != "" || err != nil {
			t.Errorf("%q, written as %q: %v\n%s", text, got.String(), err, d)
		}
	}
	for _, text := range []string{
		"", "..", "8-18", "08:00", "08:00-", "-08:00", "25:00-26:00", "08:00-08:00", "24:00-08:00", "08:00-18:00 Nowhere/Land", "08:00-18:00 Local",
		"mon 08:00-18:00 UTC x", "monday 08:00-18:00", "mon-", "mon", "2030-01-05..2030-01-02", "2030-01-02..2030-01-02", "1900-01-01..", "..9999-01-01",
		"x < time", "time", "time < 08:00 < 09:00", "08:00 < clock < 09:00", "1 < 2 < time", "08:00.5-09:00", "2030-13-01..",
	} {
		if got, err := ParseWindow(text); !IsKind(err, Invalid) {
			t.Errorf("%q is %v, %v", text, got, err)
		}
	}
}

func TestParseLimitGiven(t *testing.T) {
	for text, want := range map[string]struct {
		use LimitUse
		set *Limit
	}{
		"irods":             {LimitUse{Name: "irods"}, nil},
		" irods * 3 ":       {LimitUse{Name: "irods", Weight: 3}, nil},
		"irods:5":           {LimitUse{Name: "irods"}, &Limit{Name: "irods", Max: 5}},
		"irods*2:5/minute":  {LimitUse{Name: "irods", Weight: 2}, &Limit{Name: "irods", Max: 5, Period: time.Minute}},
		"irods:-1":          {LimitUse{Name: "irods"}, &Limit{Name: "irods", Max: AnyNumber}},
		"n:22:00-06:00":     {LimitUse{Name: "n"}, &Limit{Name: "n", Max: AnyNumber, Windows: []Window{{From: 22 * time.Hour, To: 6 * time.Hour}}}},
		"n:time < 06:00:00": {LimitUse{Name: "n"}, &Limit{Name: "n", Max: AnyNumber, Windows: []Window{{To: 6 * time.Hour}}}},
	} {
		use, set, err := ParseLimitGiven(text)
		if d := cmp.Diff(want.use, use) + cmp.Diff(want.set, set); d != "" || err != nil {
			t.Errorf("%q: %v\n%s", text, err, d)
		}
	}
	for _, text := range []string{"", ":5", "a*0", "a*-1", "a*x", "a**2", "a:x", "a/b", "a:5:6", "a*2000000000"} {
		if use, set, err := ParseLimitGiven(text); !IsKind(err, Invalid) {
			t.Errorf("%q is %+v, %+v, %v", text, use, set, err)
		}
	}
}

func TestLimitsThatAreNone(t *testing.T) {
	ok := Window{From: time.Hour, To: 2 * time.Hour}
	for name, l := range map[string]Limit{
		"no name":           {Max: 1},
		"a colon":           {Name: "a:b", Max: 1},
		"a blank":           {Name: " a", Max: 1},
		"negative":          {Name: "a", Max: -2},
		"too many":          {Name: "a", Max: MaxUnits + 1},
		"too short":         {Name: "a", Max: 1, Period: time.Millisecond},
		"too long":          {Name: "a", Max: 1, Period: 400 * 24 * time.Hour},
		"any a period":      {Name: "a", Max: AnyNumber, Period: time.Hour, Windows: []Window{ok}},
		"any at any time":   {Name: "a", Max: AnyNumber},
		"too many windows":  {Name: "a", Max: 1, Windows: make([]Window, MaxWindows+1)},
		"no window":         {Name: "a", Max: 1, Windows: []Window{{}}},
		"both sorts":        {Name: "a", Max: 1, Windows: []Window{{From: 1, Since: 1}}},
		"parts of a second": {Name: "a", Max: 1, Windows: []Window{{From: 1, To: time.Hour}}},
		"an eighth day":     {Name: "a", Max: 1, Windows: []Window{{From: time.Hour, To: 2 * time.Hour, Days: 1 << 7}}},
		"negative moments":  {Name: "a", Max: 1, Windows: []Window{{Since: -5}}},
	} {
		if err := l.Validate(); !IsKind(err, Invalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
	good := Limit{Name: "a", Max: 1, Period: time.Hour, Windows: []Window{ok, {Since: 5}}}
	if err := good.Validate(); err != nil {
		t.Error(err)
	}
	twice := Job{Command: &Command{Line: "true"}, Limits: []LimitUse{{Name: "a"}, {Name: "a", Weight: 2}}}
	twice.Normalise()
	if err := twice.Validate(); !IsKind(err, Invalid) {
		t.Errorf("a limit twice: %v", err)
	}
}

// What is read is valid, apart from its name, and is read again from what it is
// written as.
func FuzzParseLimit(f *testing.F) {
	for _, s := range []string{"5", "100/minute", "10/30s; mon-fri 22:00-06:00 Europe/London", "any; 2030-01-02..", "1; 16:00:00 < time < 20:00:00"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		l, err := ParseLimit(text)
		if err != nil {
			if !IsKind(err, Invalid) {
				t.Fatalf("%q: %v", text, err)
			}
			return
		}
		again, err := ParseLimit(l.String())
		if d := cmp.Diff(l, again); d != "" || err != nil {
			t.Fatalf("%q, written as %q: %v\n%s", text, l.String(), err, d)
		}
		if l.Name = "l"; !l.Lifts() && len(l.Windows) <= MaxWindows {
			if err := l.Validate(); err != nil {
				t.Fatalf("%q: %v", text, err)
			}
		}
	})
}
