package cron

import (
	"cmp"
	"time"
)

// Due says for which times a schedule fires now, oldest first, when it was looked
// at up to and including last before; and how many of the times between were
// missed, by those that more count as MaxMissed+1. A time that is late by less than
// Grace is not missed.
func (s *Schedule) Due(e *Expression, last, now time.Time) (fire []time.Time, missed int) {
	keep := cmp.Or(s.MissedMax, DefaultMissedMax)
	times := e.newest(s.from(last), s.to(now), MaxMissed+1)
	late := 0
	for late < len(times) && now.Sub(times[late]) >= Grace {
		late++
	}
	made := 0
	switch {
	case s.Missed == MissedAll:
		made = min(late, keep)
	case s.Missed == MissedOnce && late == len(times):
		made = min(late, 1)
	}
	return times[late-made:], late - made
}

// from is the later of last and the moment before the schedule's start.
func (s *Schedule) from(last time.Time) time.Time {
	if s.Start == 0 {
		return last
	}
	return later(last, s.Start.Std().Add(-1))
}

// to is the earlier of now and the moment before the schedule's end.
func (s *Schedule) to(now time.Time) time.Time {
	if end := s.End.Std(); s.End != 0 && !now.Before(end) {
		return end.Add(-1)
	}
	return now
}

// Next is when the schedule fires after a time, but for pauses; zero if never.
func (s *Schedule) Next(e *Expression, last time.Time) time.Time {
	next := e.Next(s.from(last))
	if s.End != 0 && !next.Before(s.End.Std()) {
		return time.Time{}
	}
	return next
}

// newest are the last n times after from and up to to, oldest first. It looks back
// over longer and longer spans, so that a year of minutes costs no more than a few.
func (e *Expression) newest(from, to time.Time, n int) []time.Time {
	for span := time.Hour; ; span *= 4 {
		start := to.Add(-span)
		whole := !start.After(from) || span > maxSpan
		if whole {
			start = from
		}
		var times []time.Time
		for t := e.Next(start); !t.IsZero() && !t.After(to); t = e.Next(t) {
			times = append(times, t)
			if len(times) == 2*n {
				times = append(times[:0], times[n:]...)
			}
		}
		if whole || len(times) >= n {
			return times[max(0, len(times)-n):]
		}
	}
}

// maxSpan is where looking back in spans ends.
const maxSpan = 40 * 365 * day
