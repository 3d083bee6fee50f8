package simulate

import (
	"cmp"
	"math"
	"slices"
	"time"

	"github.com/muster-queue/muster/job"
	"github.com/muster-queue/muster/schedule"
)

// Result is what a simulation found.
type Result struct {
	Name string
	// Duration is how much time was simulated.
	Duration time.Duration
	// Jobs that came; Done and Left are what became of them.
	Jobs, Done, Left int64
	// Stuck: it was to last until all jobs are done, but those that are left never run.
	Stuck bool
	// Workers is how many there were on average.
	Workers float64
	// Uses are of the resources that workers have, by name.
	Uses []Use
	// Accounts are by name; those that are none but named by jobs are among them, and
	// one without a name for jobs that name none.
	Accounts []AccountResult
	// Every is the time between Samples.
	Every   time.Duration
	Samples []Sample
	// Notes tell of what an operator may not have meant.
	Notes []string
	// Passes is how often the scheduler was asked.
	Passes int64
}

// Use is how much of a resource was taken.
type Use struct {
	Resource string
	// Given is what jobs took and Capacity what there was, in its unit (a core, a
	// byte, one of anything else) times seconds.
	Given, Capacity float64
}

// Part is how much of it was taken, 0 to 1.
func (u *Use) Part() float64 {
	if u.Capacity == 0 {
		return 0
	}
	return u.Given / u.Capacity
}

// AccountResult is what became of an account.
type AccountResult struct {
	Name string
	// Known: it is an account, not just a name.
	Known bool
	// Rate is what it gained on average, in workers.
	Rate job.Quota
	// Used is what its runs took until they ended or were told to, in worker-seconds
	// by level, the last for free. Stopping is what preempted runs took after that.
	Used     [levels]float64
	Stopping float64
	// Lost is the part of both that came to nothing: runs that were preempted, or
	// whose worker left.
	Lost float64
	// Jobs that came, Done of them, Left the others, Waiting those of them that never
	// started.
	Jobs, Done, Left, Waiting int64
	// Wait is the time from coming to the first start. A job that never started
	// counts with the time it waited until the end, or with Never where that has none,
	// so that starving shows.
	Wait Times
	// Turnaround is the mean time from coming to being done.
	Turnaround time.Duration
	// Preempted is how many of its runs were preempted, Preempts how many others were
	// for it, Dropped how many ended with their worker.
	Preempted, Preempts, Dropped int64
	// Promoted and Demoted are how often a run changed its level.
	Promoted, Demoted int64
	// Balance is what it has at the end, in worker-seconds.
	Balance job.Quota
}

// Total is all that the account took, in worker-seconds.
func (a *AccountResult) Total() float64 {
	sum := a.Stopping
	for _, v := range a.Used {
		sum += v
	}
	return sum
}

// Never is a time that has no end.
const Never = time.Duration(math.MaxInt64)

// Times are how a set of times is spread.
type Times struct{ Mean, P50, P95, Max time.Duration }

// timesOf sorts the times. The quantiles are of the nearest rank: times that occurred.
func timesOf(list []time.Duration) (t Times) {
	if len(list) == 0 {
		return t
	}
	slices.Sort(list)
	sum := 0.0
	for _, d := range list {
		sum += d.Seconds()
	}
	last := list[len(list)-1]
	mean := Never
	if last != Never {
		mean = time.Duration(sum / float64(len(list)) * float64(time.Second))
	}
	rank := func(percent int) time.Duration { return list[(len(list)*percent+99)/100-1] }
	return Times{
		Mean: mean, P50: rank(50), P95: rank(95), Max: last,
	}
}

// result closes the books.
func (s *simulator) result() *Result {
	if end := begin.Add(s.Duration); s.Duration > 0 {
		s.now = end
	} else if s.running == 0 {
		s.now = max(s.active, begin)
	}
	for len(s.samples) > 0 && s.samples[len(s.samples)-1].At > s.now.Sub(begin) {
		s.samples = s.samples[:len(s.samples)-1]
	}
	if n := len(s.samples); n == 0 || s.samples[n-1].At < s.now.Sub(begin) {
		s.sample()
	}
	differences(s.samples)
	r := &Result{
		Name: s.Name, Duration: s.now.Sub(begin), Jobs: s.jobs, Done: s.done, Left: int64(len(s.live)),
		Stuck: s.stuck(), Every: s.every, Samples: s.samples, Passes: s.passes, Workers: float64(s.meters.workers.has),
	}
	s.meters.workers.settle(s.now)
	if r.Duration > 0 {
		r.Workers = s.meters.workers.hadFor / r.Duration.Seconds()
	}
	r.Uses = s.meters.uses(s.now)
	s.waitOn()
	for _, l := range s.ledgers {
		r.Accounts = append(r.Accounts, l.result(s.now, r.Duration))
	}
	for i, a := range s.samples[len(s.samples)-1].Accounts {
		r.Accounts[i].Balance = a.Balance
	}
	r.Notes = s.notes()
	return r
}

// stuck reports whether the simulation ended because what is left never runs.
func (s *simulator) stuck() bool { return s.Duration == 0 && len(s.live) > 0 }

// waitOn counts the jobs that never started, with the time they waited.
func (s *simulator) waitOn() {
	for _, t := range s.live {
		if t.first != 0 {
			continue
		}
		wait := s.now.Sub(t.arrived)
		if s.stuck() {
			wait = Never
		}
		t.ledger.waited(wait)
		t.ledger.never++
	}
}

func (l *ledger) result(now job.Time, length time.Duration) AccountResult {
	l.settle(now)
	l.settleRate(now)
	a := AccountResult{
		Name: l.name, Known: l.known, Used: l.used, Stopping: l.usedStopping, Lost: l.lost,
		Jobs: l.jobs, Done: l.done, Left: l.jobs - l.done, Waiting: l.never, Wait: timesOf(l.waits),
		Preempted: l.preempted, Preempts: l.preempts, Dropped: l.dropped, Promoted: l.promoted, Demoted: l.demoted,
	}
	if l.done > 0 {
		a.Turnaround = time.Duration(l.turnaround / float64(l.done) * float64(time.Second))
	}
	for i, v := range l.rated {
		if length > 0 {
			a.Rate[i] = v / length.Seconds()
		}
	}
	return a
}

// uses are those of the resources that workers have, by name.
func (m *meters) uses(now job.Time) (list []Use) {
	for i, name := range m.names {
		x := &m.list[i]
		x.settle(now)
		if x.hadFor == 0 && x.has == 0 {
			continue
		}
		unit := float64(job.Thousandth)
		if job.IsBytes(name) {
			unit = 1
		}
		list = append(list, Use{Resource: name, Given: x.takenFor / unit, Capacity: x.hadFor / unit})
	}
	slices.SortFunc(list, func(a, b Use) int { return cmp.Compare(a.Resource, b.Resource) })
	return list
}

// Preemptions is how many there were.
func (r *Result) Preemptions() (n int64) {
	for i := range r.Accounts {
		n += r.Accounts[i].Preempted
	}
	return n
}

// InUse are the levels at which any account has a rate, or took more than traces on
// its way to another, the best first.
func (r *Result) InUse() (list []schedule.Level) {
	for level := range schedule.Level(levels) {
		for i := range r.Accounts {
			if a := &r.Accounts[i]; r.Mean(a.Used[level]) >= 0.05 || level < schedule.Free && a.Rate[level] > 0 {
				list = append(list, level)
				break
			}
		}
	}
	return list
}

// Mean is a number of worker-seconds as workers on average.
func (r *Result) Mean(workerSeconds float64) float64 {
	if r.Duration == 0 {
		return 0
	}
	return workerSeconds / r.Duration.Seconds()
}

// Account is what became of one; nil if there is none of the name.
func (r *Result) Account(name string) *AccountResult {
	for i := range r.Accounts {
		if r.Accounts[i].Name == name {
			return &r.Accounts[i]
		}
	}
	return nil
}

// Names are the accounts of all results, in order.
func Names(results []*Result) []string {
	var names []string
	for _, r := range results {
		for i := range r.Accounts {
			names = append(names, r.Accounts[i].Name)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}
