package lsf

import (
	"strconv"
	"strings"
	"time"

	"github.com/muster-queue/muster/job"
)

func parseNumber(s string) (uint64, error) {
	n, err := strconv.ParseUint(s, 10, 62)
	if err == nil && n == 0 {
		err = job.Errorf(job.Invalid, "zero is no job")
	}
	return n, err
}

// parseMemory reads an amount of memory: megabytes, or with a unit behind it. A site of
// LSF may mean kilobytes by a bare number; here it is LSF_UNIT_FOR_LIMITS=MB.
func parseMemory(s string) (int64, error) {
	unit := int64(1 << 20)
	digits := strings.TrimSuffix(strings.ToUpper(s), "B")
	for suffix, size := range map[string]int64{"K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40} {
		if rest, ok := strings.CutSuffix(digits, suffix); ok {
			digits, unit = rest, size
			break
		}
	}
	f, err := strconv.ParseFloat(digits, 64)
	v := f * float64(unit)
	if err != nil || !(v >= 0 && v <= job.MaxAmount) {
		return 0, job.Errorf(job.Invalid, "%q is no amount of memory; write e.g. 2000 (megabytes) or 2GB", s)
	}
	return int64(v + 0.5), nil
}

// parseLimit reads a limit of time: [hours:]minutes, with "/host" behind it, which is
// left out.
func parseLimit(s string) (time.Duration, error) {
	span, _, _ := strings.Cut(s, "/")
	hours, minutes, both := strings.Cut(span, ":")
	if !both {
		hours, minutes = "0", hours
	}
	h, err1 := strconv.ParseUint(hours, 10, 20)
	m, err2 := strconv.ParseUint(minutes, 10, 31)
	d := time.Duration(h)*time.Hour + time.Duration(m)*time.Minute
	if err1 != nil || err2 != nil || d > job.MaxTime {
		return 0, job.Errorf(job.Invalid, "%q is no time; write [HOURS:]MINUTES", s)
	}
	return d, nil
}

// parseBegin reads when to begin: [[[year:]month:]day:]hour:minute, the next such time.
func parseBegin(s string, now time.Time) (time.Time, error) {
	bad := job.Errorf(job.Invalid, "%q is no time; write [[[YEAR:]MONTH:]DAY:]HOUR:MINUTE", s)
	parts := strings.Split(s, ":")
	if len(parts) < 2 || len(parts) > 5 {
		return time.Time{}, bad
	}
	n := make([]int, len(parts))
	for i, part := range parts {
		v, err := strconv.ParseUint(part, 10, 14)
		if err != nil {
			return time.Time{}, bad
		}
		n[i] = int(v)
	}
	year, month, day := now.Year(), int(now.Month()), now.Day()
	for i, into := range []*int{&day, &month, &year} {
		if at := len(n) - 3 - i; at >= 0 {
			*into = n[at]
		}
	}
	hour, minute := n[len(n)-2], n[len(n)-1]
	if hour > 23 || minute > 59 || day < 1 || day > 31 || month < 1 || month > 12 {
		return time.Time{}, bad
	}
	t := time.Date(year, time.Month(month), day, hour, minute, 0, 0, now.Location())
	for _, step := range [][3]int{{0, 0, 1}, {0, 1, 0}, {1, 0, 0}}[min(len(n)-2, 2):] {
		if t.Before(now) && len(n) < 5 {
			return t.AddDate(step[0], step[1], step[2]), nil
		}
	}
	return t, nil
}
