package slurm

import (
	"strconv"
	"strings"
	"time"

	"github.com/muster-queue/muster/job"
)

// parseSize reads an amount of memory: megabytes, or with K, M, G or T behind it.
func parseSize(s string) (int64, error) {
	unit := int64(1 << 20)
	digits := strings.TrimSuffix(strings.ToUpper(s), "B")
	for suffix, size := range map[string]int64{"K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40} {
		if rest, ok := strings.CutSuffix(digits, suffix); ok {
			digits, unit = rest, size
			break
		}
	}
	n, err := strconv.ParseInt(digits, 10, 64)
	if err != nil || n < 0 || n > job.MaxAmount/unit {
		return 0, job.Errorf(job.Invalid, "%q is no amount of memory; write e.g. 2000M or 2G", s)
	}
	return n * unit, nil
}

// parseTime reads a limit of time: minutes, minutes:seconds, hours:minutes:seconds,
// days-hours, days-hours:minutes, days-hours:minutes:seconds. Zero is no limit.
func parseTime(s string) (time.Duration, error) {
	switch strings.ToUpper(s) {
	case "UNLIMITED", "INFINITE":
		return 0, nil
	}
	bad := job.Errorf(job.Invalid, "%q is no time; write MINUTES, HOURS:MINUTES:SECONDS or DAYS-HOURS:MINUTES:SECONDS", s)
	days, rest, dashed := strings.Cut(s, "-")
	units := []time.Duration{time.Hour, time.Minute, time.Second}
	var total time.Duration
	switch {
	case dashed:
		n, err := strconv.ParseUint(days, 10, 16)
		if err != nil {
			return 0, bad
		}
		total = time.Duration(n) * 24 * time.Hour
	default:
		rest = s
		if strings.Count(s, ":") < 2 {
			units = units[1:]
		}
	}
	parts := strings.Split(rest, ":")
	if len(parts) > len(units) {
		return 0, bad
	}
	for i, part := range parts {
		n, err := strconv.ParseUint(part, 10, 31)
		if err != nil {
			return 0, bad
		}
		total += time.Duration(n) * units[i]
	}
	if total < 0 || total > job.MaxTime {
		return 0, bad
	}
	return total, nil
}

// clockText is a span of time as Slurm's listings write it: 1-02:03:04 or 2:03:04,
// in short 3:04.
func clockText(d time.Duration, short bool) string {
	s := int64(d / time.Second)
	days, hours, minutes, seconds := s/86400, s/3600%24, s/60%60, s%60
	two := func(n int64) string { return string([]byte{byte('0' + n/10), byte('0' + n%10)}) }
	switch {
	case days > 0:
		return strconv.FormatInt(days, 10) + "-" + two(hours) + ":" + two(minutes) + ":" + two(seconds)
	case !short:
		return two(hours) + ":" + two(minutes) + ":" + two(seconds)
	case hours > 0:
		return strconv.FormatInt(hours, 10) + ":" + two(minutes) + ":" + two(seconds)
	}
	return strconv.FormatInt(minutes, 10) + ":" + two(seconds)
}

// stamp is a moment as Slurm writes it, in local time.
func stamp(t time.Time, none string) string {
	if t.IsZero() {
		return none
	}
	return t.Local().Format("2006-01-02T15:04:05")
}

// memoryText is an amount of memory as Slurm writes it.
func memoryText(n int64) string {
	for _, u := range []struct {
		size int64
		name string
	}{{1 << 40, "T"}, {1 << 30, "G"}, {1 << 20, "M"}, {1 << 10, "K"}} {
		if n >= u.size && n%u.size == 0 {
			return strconv.FormatInt(n/u.size, 10) + u.name
		}
	}
	return strconv.FormatInt((n+1<<20-1)>>20, 10) + "M"
}

// parseMoment reads when to begin: now, now+COUNT[UNIT], [DATE]THH:MM[:SS], DATE,
// HH:MM[:SS], today, tomorrow, midnight, noon, teatime.
func parseMoment(s string, now time.Time) (time.Time, error) {
	word := strings.ToLower(strings.TrimSpace(s))
	day := time.Date(now.Year(), now.Month(), now.Day(), 0, 0, 0, 0, now.Location())
	next := func(h, m, sec int) time.Time {
		t := day.Add(time.Duration(h)*time.Hour + time.Duration(m)*time.Minute + time.Duration(sec)*time.Second)
		if t.Before(now) {
			t = t.AddDate(0, 0, 1)
		}
		return t
	}
	switch word {
	case "now":
		return now, nil
	case "today":
		return day, nil
	case "tomorrow":
		return day.AddDate(0, 0, 1), nil
	case "midnight":
		return next(0, 0, 0), nil
	case "noon":
		return next(12, 0, 0), nil
	case "teatime":
		return next(16, 0, 0), nil
	}
	for _, sign := range []string{"+", "-"} {
		if rest, ok := strings.CutPrefix(word, "now"+sign); ok {
			d, err := parseCount(rest)
			if sign == "-" {
				d = -d
			}
			return now.Add(d), err
		}
	}
	for _, layout := range []string{"2006-01-02t15:04:05", "2006-01-02t15:04", "2006-01-02"} {
		if t, err := time.ParseInLocation(layout, word, now.Location()); err == nil {
			return t, nil
		}
	}
	for _, layout := range []string{"15:04:05", "15:04"} {
		if t, err := time.ParseInLocation(layout, word, now.Location()); err == nil {
			return next(t.Hour(), t.Minute(), t.Second()), nil
		}
	}
	return time.Time{}, job.Errorf(job.Invalid, "%q is no time; write e.g. now+1hour, 16:00 or 2030-01-31T12:00:00", s)
}

// parseCount reads "60", "5minutes", "2days".
func parseCount(s string) (time.Duration, error) {
	digits := strings.TrimRight(s, "abcdefghijklmnopqrstuvwxyz")
	n, err := strconv.ParseUint(digits, 10, 31)
	unit := strings.TrimSuffix(s[len(digits):], "s")
	for _, u := range []struct {
		name string
		size time.Duration
	}{{"", time.Second}, {"second", time.Second}, {"minute", time.Minute}, {"hour", time.Hour}, {"day", 24 * time.Hour}, {"week", 7 * 24 * time.Hour}} {
		if err == nil && unit == u.name {
			return min(time.Duration(n)*u.size, job.MaxTime), nil
		}
	}
	return 0, job.Errorf(job.Invalid, "%q is no span of time; write e.g. 60, 5minutes or 2days", s)
}
