package picture

import (
	"math"
	"strconv"
	"strings"
	"time"
)

// scale is the upright axis of a panel: from low to high, with a tick at each step,
// in a unit of so many.
type scale struct {
	low, high, step float64
	unit            float64
}

// newScale has about four ticks; it always shows zero.
func newScale(low, high, unit float64) scale {
	low, high = min(low/unit, 0), max(high/unit, 0)
	if high == low {
		high = 1
	}
	step := niceStep((high - low) / 4)
	return scale{low: low * 1.05, high: max(math.Ceil(high/step-1e-9)*step, 0), step: step, unit: unit}
}

// niceStep is 1, 2 or 5 times a power of ten, and not less.
func niceStep(least float64) float64 {
	power := math.Pow(10, math.Floor(math.Log10(least)))
	for _, f := range []float64{1, 2, 5} {
		if f*power >= least*(1-1e-9) {
			return f * power
		}
	}
	return 10 * power
}

// ticks are the values with a label.
func (s *scale) ticks() (list []float64) {
	first := math.Ceil(s.low/s.step - 1e-9)
	for i := range int(math.Round(s.high/s.step-first)) + 1 {
		list = append(list, (first+float64(i))*s.step)
	}
	return list
}

// at is where a value is, 0 at the lower end and 1 at the upper.
func (s *scale) at(v float64) float64 { return (v/s.unit - s.low) / (s.high - s.low) }

// label is a tick's text.
func (s *scale) label(v float64) string {
	digits := max(0, int(-math.Floor(math.Log10(s.step)+1e-9)))
	t := strconv.FormatFloat(v, 'f', digits, 64)
	if strings.Trim(t, "-0.") == "" {
		return "0"
	}
	return t
}

// timeSteps are those between ticks of the time axis.
var timeSteps = []time.Duration{
	time.Second, 2 * time.Second, 5 * time.Second, 10 * time.Second, 30 * time.Second,
	time.Minute, 2 * time.Minute, 5 * time.Minute, 10 * time.Minute, 15 * time.Minute, 30 * time.Minute,
	time.Hour, 2 * time.Hour, 3 * time.Hour, 6 * time.Hour, 12 * time.Hour,
	24 * time.Hour, 48 * time.Hour, 7 * 24 * time.Hour, 14 * 24 * time.Hour, 28 * 24 * time.Hour, 91 * 24 * time.Hour, 364 * 24 * time.Hour,
}

// timeStep is one with at most so many ticks.
func timeStep(length time.Duration, ticks int) time.Duration {
	for _, s := range timeSteps {
		if length/s <= time.Duration(ticks) {
			return s
		}
	}
	return timeSteps[len(timeSteps)-1] * 10
}

// timeLabel is a time since the beginning: "0", "30m", "6h", "1d12h".
func timeLabel(d time.Duration) string {
	if d == 0 {
		return "0"
	}
	var b strings.Builder
	for _, u := range []struct {
		size time.Duration
		unit string
	}{{24 * time.Hour, "d"}, {time.Hour, "h"}, {time.Minute, "m"}, {time.Second, "s"}} {
		if n := d / u.size; n > 0 {
			b.WriteString(strconv.FormatInt(int64(n), 10) + u.unit)
			d %= u.size
		}
	}
	return b.String()
}
