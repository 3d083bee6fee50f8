package simulate

import (
	"maps"
	"slices"
	"time"

	"github.com/muster-queue/muster/job"
	"github.com/muster-queue/muster/schedule"
)

// levels are those of quota and the free one.
const levels = schedule.Levels + 1

// ledger is what happened to an account, or to a name that jobs give which is none.
type ledger struct {
	name  string
	known bool

	// What runs now: shares of workers and runs, by level, and what is stopping.
	load     [levels]float64
	runs     [levels]int
	stopping float64
	ending   int // runs that are stopping
	at       job.Time
	// What that came to until then, in worker-seconds. lost is the part of it that
	// came to nothing.
	used         [levels]float64
	usedStopping float64
	lost         float64

	jobs, done, ready   int64
	preempted, preempts int64
	dropped             int64 // runs whose worker left
	promoted, demoted   int64
	waits               []time.Duration
	never               int64 // jobs that never started, at the end
	// turnaround is the sum of the times from coming to being done, in seconds.
	turnaround float64

	// rated is the rate times the time it held, until ratedAt.
	rate    job.Quota
	rated   job.Quota
	ratedAt job.Time
}

// settle brings the sums up to date.
func (l *ledger) settle(now job.Time) {
	seconds := now.Sub(l.at).Seconds()
	l.at = now
	if seconds == 0 {
		return
	}
	for i, n := range l.load {
		l.used[i] += n * seconds
	}
	l.usedStopping += l.stopping * seconds
}

// add adds a run to what runs, or with -1 takes it off. Sums of fractions leave
// traces: where nothing is left it is nothing.
func (l *ledger) add(t *task, n int) {
	if l.runs[t.level] += n; l.runs[t.level] == 0 {
		l.load[t.level] = 0
		return
	}
	l.load[t.level] += float64(n) * t.share
}

func (l *ledger) begins(t *task, now job.Time) {
	l.settle(now)
	l.add(t, 1)
}

func (l *ledger) moves(t *task, to schedule.Level, now job.Time) {
	l.settle(now)
	if to < t.level {
		l.promoted++
	} else {
		l.demoted++
	}
	l.add(t, -1)
	t.level = to
	l.add(t, 1)
}

// stops makes a run one that is stopping: nobody pays for it any more.
func (l *ledger) stops(t *task, now job.Time) {
	l.settle(now)
	l.add(t, -1)
	l.preempted++
	l.ending++
	l.stopping += t.share
}

func (l *ledger) ends(t *task, now job.Time) {
	l.settle(now)
	if t.state != stopping {
		l.add(t, -1)
		return
	}
	l.stopping -= t.share
	if l.ending--; l.ending == 0 {
		l.stopping = 0
	}
}

func (l *ledger) waited(d time.Duration) { l.waits = append(l.waits, d) }

func (l *ledger) completed(t *task, now job.Time) {
	l.done++
	l.turnaround += now.Sub(t.arrived).Seconds()
}

// setRate notes the account's rate from now on.
func (l *ledger) setRate(rate job.Quota, now job.Time) {
	l.settleRate(now)
	l.rate = rate
}

func (l *ledger) settleRate(now job.Time) {
	for i, r := range l.rate {
		l.rated[i] += r * now.Sub(l.ratedAt).Seconds()
	}
	l.ratedAt = now
}

// meters are how much of each resource there is and is taken.
type meters struct {
	names []string
	of    map[string]int
	list  []meter
	// workers is how many there are.
	workers meter
}

// meter is an amount that there is (has), the part of it that is taken (takes), and
// both times seconds until at.
type meter struct {
	has, takes       int64
	hadFor, takenFor float64
	at               job.Time
}

func (m *meter) settle(now job.Time) {
	seconds := now.Sub(m.at).Seconds()
	m.hadFor += float64(m.has) * seconds
	m.takenFor += float64(m.takes) * seconds
	m.at = now
}

// portion is an amount of a resource by its meter.
type portion struct {
	meter  int
	amount int64
}

// portions are resources by meter.
func (m *meters) portions(r job.Resources) (list []portion) {
	for _, name := range slices.Sorted(maps.Keys(r)) {
		i, ok := m.of[name]
		if !ok {
			i = len(m.list)
			m.of[name] = i
			m.names = append(m.names, name)
			m.list = append(m.list, meter{at: begin})
		}
		list = append(list, portion{i, r[name]})
	}
	return list
}

// add takes what n jobs need; a negative n gives it back.
func (m *meters) add(needs []portion, n int64, now job.Time) {
	for _, p := range needs {
		x := &m.list[p.meter]
		x.settle(now)
		x.takes += n * p.amount
	}
}

// grow adds workers, or takes them off.
func (m *meters) grow(capacity []portion, n int64, now job.Time) {
	m.workers.settle(now)
	m.workers.has += n
	for _, p := range capacity {
		x := &m.list[p.meter]
		x.settle(now)
		x.has += n * p.amount
	}
}
