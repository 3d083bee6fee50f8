package output

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/muster-queue/muster/job"
)

// Bytes is an amount of memory or disk: "1.5G" for people, a number for programs.
type Bytes int64

// String is the amount with a unit.
func (b Bytes) String() string {
	const units = "KMGTPE"
	if b < 1024 {
		return strconv.FormatInt(int64(b), 10) + "B"
	}
	f, i := float64(b)/1024, 0
	for f >= 1023.95 && i < len(units)-1 {
		f /= 1024
		i++
	}
	return strings.TrimSuffix(strconv.FormatFloat(f, 'f', 1, 64), ".0") + units[i:i+1]
}

// State is a job's state, in its colour.
type State string

var stateColours = map[State]Colour{
	"running": Blue, "reserved": Blue, "complete": Green, "buried": Red, "lost": Red,
	"delayed": Yellow, "blocked": Yellow, "stopping": Yellow,
}

// Count is a number of jobs in a state: zero is not worth a colour.
type Count struct {
	N     int64
	State State
}

// String is the number.
func (c Count) String() string { return strconv.FormatInt(c.N, 10) }

// MarshalJSON is the number.
func (c Count) MarshalJSON() ([]byte, error) { return strconv.AppendInt(nil, c.N, 10), nil }

// Coloured values have a colour of their own in tables.
type Coloured interface{ Colour() Colour }

// colourOf is the colour of a cell.
func colourOf(v any) Colour {
	switch v := v.(type) {
	case Coloured:
		return v.Colour()
	case State:
		return stateColours[v]
	case Count:
		if v.N == 0 {
			return Grey
		}
		return stateColours[v.State]
	}
	return NoColour
}

// Short writes a length of time for people, in at most two units.
func Short(d time.Duration) string {
	switch {
	case d < 0:
		return "0s"
	case d < time.Millisecond:
		return d.Round(time.Microsecond).String()
	case d < time.Second:
		return d.Round(time.Millisecond).String()
	case d < 10*time.Second:
		return strconv.FormatFloat(d.Seconds(), 'f', 1, 64) + "s"
	case d < time.Minute:
		return strconv.Itoa(int(d.Round(time.Second).Seconds())) + "s"
	case d < time.Hour:
		d = d.Round(time.Second)
		return fmt.Sprintf("%dm%02ds", int(d.Minutes()), int(d.Seconds())%60)
	case d < 48*time.Hour:
		d = d.Round(time.Minute)
		return fmt.Sprintf("%dh%02dm", int(d.Hours()), int(d.Minutes())%60)
	}
	d = d.Round(time.Hour)
	return fmt.Sprintf("%dd%02dh", int(d.Hours())/24, int(d.Hours())%24)
}

// Human is a value as a table shows it.
func Human(v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case job.Resources:
		return amounts(v)
	case string:
		return Clean(v)
	case State:
		return Clean(string(v))
	case Bytes:
		return blankIfZero(v == 0, v.String())
	case time.Duration:
		return blankIfZero(v == 0, Short(v))
	case time.Time:
		return blankIfZero(v.IsZero(), v.Local().Format("2006-01-02 15:04:05"))
	case []string:
		return Clean(strings.Join(v, " "))
	}
	return Clean(fmt.Sprint(v))
}

// amounts are resources with units that are easy to read.
func amounts(r job.Resources) string {
	words := make([]string, 0, len(r))
	for _, name := range slices.Sorted(maps.Keys(r)) {
		text := job.FormatAmount(name, r[name])
		if job.IsBytes(name) {
			text = Bytes(r[name]).String()
		}
		words = append(words, name+"="+text)
	}
	return Clean(strings.Join(words, " "))
}

func blankIfZero(zero bool, s string) string {
	if zero {
		return ""
	}
	return s
}

// exact is a value as CSV and plain text have it.
func exact(v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case Bytes:
		return strconv.FormatInt(int64(v), 10)
	case time.Duration:
		return strconv.FormatFloat(v.Seconds(), 'f', -1, 64)
	case time.Time:
		return blankIfZero(v.IsZero(), v.UTC().Format(time.RFC3339Nano))
	case []string:
		return strings.Join(v, " ")
	}
	return fmt.Sprint(v)
}

// jsonValue is a value as JSON has it: times in RFC 3339, lengths of time in
// seconds, amounts in bytes.
func jsonValue(v any) ([]byte, error) {
	switch t := v.(type) {
	case time.Duration:
		v = t.Seconds()
	case time.Time:
		if t.IsZero() {
			v = nil
		}
	}
	return json.Marshal(v)
}

// Clean makes a text harmless on one line of a terminal: control characters,
// which could move the cursor or worse, are written out.
func Clean(s string) string {
	if !unclean(s) {
		return s
	}
	var b strings.Builder
	for i, r := range s {
		switch {
		case r == utf8.RuneError && !strings.HasPrefix(s[i:], "\ufffd"):
			fmt.Fprintf(&b, `\x%02x`, s[i])
		case hostile(r):
			q := strconv.QuoteRune(r)
			b.WriteString(q[1 : len(q)-1])
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

func unclean(s string) bool { return !utf8.ValidString(s) || strings.IndexFunc(s, hostile) >= 0 }

// hostile characters control a terminal, or turn the direction of the text.
func hostile(r rune) bool { return unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) }

// CleanLines is Clean for a text of several lines, which stay lines.
func CleanLines(s string) string {
	lines := strings.Split(s, "\n")
	for i, l := range lines {
		lines[i] = strings.ReplaceAll(Clean(strings.ReplaceAll(strings.TrimSuffix(l, "\r"), "\t", "\ue000")), "\ue000", "\t")
	}
	return strings.Join(lines, "\n")
}

// StateColour is the colour of a state.
func StateColour(s State) Colour { return stateColours[s] }
