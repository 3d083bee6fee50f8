package schedule

import (
	"math"
	"strconv"
	"time"

	"github.com/muster-queue/muster/job"
)

// Levels is how many levels of quota there are. The best is 0.
const Levels = 5

// Level is a level of quota, 0 to 4; smaller is better.
type Level uint8

// String tells what is paid, as in "it runs at level 2".
func (l Level) String() string {
	if l >= Free {
		return "for free"
	}
	return "at level " + strconv.Itoa(int(l))
}

// Word is the level's number, or "free", as programs know it.
func (l Level) Word() string {
	if l >= Free {
		return "free"
	}
	return strconv.Itoa(int(l))
}

// Free is the level of what nobody pays for.
const Free Level = Levels

// Balance is quota, or what a run has cost, at each level: worker-seconds, one of
// a job that takes all of a worker.
type Balance [Levels]float64

// BalanceOf makes a balance, or rates, of at most five numbers; missing ones are
// zero.
func BalanceOf(values ...float64) (Balance, error) {
	var b Balance
	if len(values) > Levels {
		return b, job.Errorf(job.Invalid, "%d levels of quota are given; there are %d", len(values), Levels)
	}
	for i, v := range values {
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return Balance{}, job.Errorf(job.Invalid, "quota at level %d is %v; give a number", i, v)
		}
		b[i] = v
	}
	return b, nil
}

// Less compares the best levels first.
func (b Balance) Less(o Balance) bool {
	for i := range b {
		if b[i] != o[i] {
			return b[i] < o[i]
		}
	}
	return false
}

// Add is the sum.
func (b Balance) Add(o Balance) Balance {
	for i := range b {
		b[i] += o[i]
	}
	return b
}

// Sub is the difference.
func (b Balance) Sub(o Balance) Balance {
	for i := range b {
		b[i] -= o[i]
	}
	return b
}

// Level is the best level with anything left; Free if there is none.
func (b Balance) Level() Level {
	for i, v := range b {
		if v > 0 {
			return Level(i)
		}
	}
	return Free
}

// after is the balance when time has passed with runs that spend so much a
// second. What is spent goes first; then it is recharged, but only below the cap
// and never across it. What is above the cap only goes down by spending; from where
// it meets the cap on it is as if it had begun there, so that it does not matter in
// how many steps it is reckoned, and a restart changes nothing; but see
// Config.Stepwise.
func (b Balance) after(passed time.Duration, spend, rate Balance, window time.Duration, stepwise bool) Balance {
	for i, v := range b {
		e, limit := passed.Seconds(), rate[i]*window.Seconds()
		if above := v - limit; !stepwise && above > 0 && above < e*spend[i] {
			v, e = limit, e-above/spend[i]
		}
		v -= e * spend[i]
		if v < limit {
			v = min(limit, v+e*rate[i])
		}
		b[i] = v
	}
	return b
}
