package cron

import "time"

// Next is the first time after t, in the expression's zone; the zero time if there
// is none, and of "@after", which the clock does not decide.
//
// Daylight saving is as in Vixie cron. When the clocks go forward, what has a fixed
// minute and hour in the gap fires once, at the moment after it; when they go back,
// it fires in the first of the two hours only. What has a star for its minute or its
// hour follows the clock on the wall: not in a gap, and in both hours.
func (e *Expression) Next(t time.Time) time.Time {
	switch {
	case e.after != 0:
		return time.Time{}
	case e.every != 0:
		return e.nextEvery(t)
	}
	return e.nextFields(t)
}

func (e *Expression) nextEvery(t time.Time) time.Time {
	if t.Before(e.anchor) {
		t = e.anchor
	}
	n := int64(t.Sub(e.anchor)/e.every) + 1
	return e.anchor.Add(time.Duration(n) * e.every).In(e.zone)
}

// nextFields goes through the periods in which the zone's offset from UTC is
// constant. Civil times are written as times in UTC.
func (e *Expression) nextFields(t time.Time) time.Time {
	p := periodOf(t.In(e.zone))
	from := t.Add(p.offset).UTC() // civil, exclusive
	if !e.wild {
		from = later(from, p.first().Add(-1))
	}
	for {
		civil := e.nextCivil(from)
		if civil.IsZero() {
			return civil
		}
		at := later(civil.Add(-p.offset), p.start)
		if p.end.IsZero() || at.Before(p.end) {
			return at.In(e.zone)
		}
		p, from = e.following(&p, civil)
	}
}

// following is a later period with the civil time after which to look there: the
// next one or, where every civil time counts once, one near the next that matches.
func (e *Expression) following(p *period, civil time.Time) (period, time.Time) {
	if e.wild {
		next := periodOf(p.end.In(e.zone))
		return next, next.start.Add(next.offset - 1).UTC()
	}
	next := periodOf(later(p.end, civil.Add(-2*day)).In(e.zone))
	return next, next.first().Add(-1)
}

const day = 24 * time.Hour

func later(a, b time.Time) time.Time {
	if a.Before(b) {
		return b
	}
	return a
}

// period is a time in which the offset of a zone does not change; zero bounds are
// none.
type period struct {
	start, end     time.Time
	offset, before time.Duration
}

func periodOf(t time.Time) period {
	p := period{}
	p.start, p.end = t.ZoneBounds()
	p.offset = offsetOf(t)
	p.before = p.offset
	if !p.start.IsZero() {
		p.before = offsetOf(p.start.Add(-1))
	}
	return p
}

func offsetOf(t time.Time) time.Duration {
	_, seconds := t.Zone()
	return time.Duration(seconds) * time.Second
}

// first is the first civil time that the period has of its own: the clock would
// have shown it at the start if it had not been changed.
func (p *period) first() time.Time { return p.start.Add(p.before).UTC() }

// nextCivil is the first civil time after one; zero if there is none in the 40
// years in which all dates come round on all weekdays.
func (e *Expression) nextCivil(t time.Time) time.Time {
	for range 8 {
		if next := e.spec.Next(t); !next.IsZero() {
			return next
		}
		t = time.Date(t.Year()+5, 1, 1, 0, 0, -1, 0, time.UTC)
	}
	return time.Time{}
}
