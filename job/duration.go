package job

import (
	"strconv"
	"strings"
	"time"
)

// ParseDuration reads a length of time as people write it: Go's form ("90s",
// "1h30m"), before which weeks and days may stand ("1w2d", "2d12h"). It is not
// negative and at most MaxTime. Errors: Invalid.
func ParseDuration(s string) (time.Duration, error) {
	rest := strings.TrimSpace(s)
	var total time.Duration
	for _, u := range []struct {
		unit string
		size time.Duration
	}{{"w", 7 * 24 * time.Hour}, {"d", 24 * time.Hour}} {
		head, tail, ok := strings.Cut(rest, u.unit)
		if !ok {
			continue
		}
		n, err := strconv.ParseFloat(head, 64)
		if err != nil || !(n >= 0 && n < float64(MaxTime/u.size)) {
			return 0, notDuration(s)
		}
		total += time.Duration(n * float64(u.size))
		rest = tail
	}
	if rest == "" && total > 0 || rest == "0" {
		return total, nil
	}
	d, err := time.ParseDuration(rest)
	if err != nil || d < 0 || d+total > MaxTime {
		return 0, notDuration(s)
	}
	return total + d, nil
}

func notDuration(s string) error {
	return Errorf(Invalid, `%q is not a time; write e.g. "90s", "1h30m" or "2d" (at most ten years)`, s)
}
