package engine

import (
	"time"

	"github.com/muster-queue/muster/job"
)

// Clock is where all time in muster's server comes from; one is injected for
// everything. Timers come from package time, which testing/synctest simulates.
type Clock interface {
	// Wall is the machine's idea of the date; it may jump.
	Wall() time.Time
	// Mono is the time since some fixed moment; it never jumps.
	Mono() time.Duration
}

// MachineClock is the clock of this machine.
func MachineClock() Clock { return machineClock{start: time.Now()} }

type machineClock struct{ start time.Time }

func (c machineClock) Wall() time.Time     { return time.Now().Round(0) }
func (c machineClock) Mono() time.Duration { return time.Since(c.start) }

// maxSlew bounds how much faster or slower than the monotonic clock engine time
// may run to follow a wall clock that was stepped: 1 part in 2000, as adjtime
// does, far inside the 1 % margin of leases.
const maxSlew = 2000

// engineTime is a namespace's time: max(wall clock at start, last stored time)
// + monotonic time, slewed towards the wall clock. It never goes back.
type engineTime struct {
	clock Clock
	last  job.Time
	mono  time.Duration
}

// newEngineTime starts a namespace's time. A stored time more than maxStep away
// from the wall clock is refused, unless accept is set: delays, schedules and
// balances would all go wrong by that much.
func newEngineTime(c Clock, stored job.Time, maxStep time.Duration, accept bool) (*engineTime, error) {
	wall := job.TimeOf(c.Wall())
	if ahead := stored.Sub(wall); stored != 0 && ahead > maxStep && !accept {
		return nil, job.Errorf(job.Conflict,
			"this machine's clock says %s, %v before the last time stored (%s); correct the clock, or start with --accept-clock",
			wall.Std().Format(time.DateTime), ahead.Round(time.Second), stored.Std().Format(time.DateTime))
	}
	return &engineTime{clock: c, last: max(wall, stored), mono: c.Mono()}, nil
}

// now is the present engine time.
func (t *engineTime) now() job.Time {
	mono := t.clock.Mono()
	passed := mono - t.mono
	if passed <= 0 {
		return t.last
	}
	next := t.last.Add(passed)
	behind := job.TimeOf(t.clock.Wall()).Sub(next)
	limit := passed / maxSlew
	next = next.Add(max(-limit, min(limit, behind)))
	t.last, t.mono = next, mono
	return next
}

// wait is how long until engine time reaches at.
func (t *engineTime) wait(at job.Time) time.Duration { return at.Sub(t.last) }
