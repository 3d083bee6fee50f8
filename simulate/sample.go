package simulate

import (
	"time"

	"github.com/muster-queue/muster/job"
)

// Sample is how things stood at a time.
type Sample struct {
	At time.Duration
	// Capacity is how many workers there were.
	Capacity int64
	// Accounts are in the order of Result.Accounts.
	Accounts []AccountSample
}

// AccountSample is an account at the time of a sample.
type AccountSample struct {
	// Balance and Cap at each level, in worker-seconds.
	Balance, Cap job.Quota
	// Rate is what it is gaining, in workers; all levels together.
	Rate float64
	// Ready is how many of its jobs wait, Running how many run.
	Ready   int64
	Running int
	// Workers is how many it had on average since the last sample, by level; the last
	// is for free. At the beginning it is zero.
	Workers [levels]float64
	// Preempted is how many of its runs were since the last sample.
	Preempted int64

	// sums until now; Workers and Preempted follow from them.
	used      [levels]float64
	preempted int64
}

// manySamples is about how many there are when nobody says.
const manySamples = 360

// niceTimes are intervals between samples that people like.
var niceTimes = []time.Duration{
	time.Second, 2 * time.Second, 5 * time.Second, 10 * time.Second, 15 * time.Second, 30 * time.Second,
	time.Minute, 2 * time.Minute, 5 * time.Minute, 10 * time.Minute, 15 * time.Minute, 30 * time.Minute,
	time.Hour, 2 * time.Hour, 4 * time.Hour, 6 * time.Hour, 12 * time.Hour, 24 * time.Hour,
}

// startSampling chooses the interval and takes the first sample's place on the agenda.
func (s *simulator) startSampling() {
	s.every = s.Sample
	if s.every == 0 {
		s.every = niceInterval(s.Duration)
	}
	s.agenda.push(happening{at: begin, what: sampleDue})
}

// niceInterval is one that gives about manySamples in that time. When the length is
// not known the samples begin dense, and are thinned out.
func niceInterval(length time.Duration) time.Duration {
	for _, d := range niceTimes {
		if length/d <= manySamples {
			return d
		}
	}
	return (length / manySamples).Truncate(24*time.Hour) + 24*time.Hour
}

// sampleIfDue takes a sample when it is time, which is after all else.
func (s *simulator) sampleIfDue() {
	if len(s.agenda) == 0 || s.agenda[0].at != s.now || s.agenda[0].what != sampleDue {
		return
	}
	s.agenda.pop()
	s.sample()
	if s.Sample == 0 && s.Duration == 0 && len(s.samples) > 2*manySamples {
		s.thin()
	}
	next := s.now.Add(s.every)
	if late := s.now.Sub(begin) % s.every; late > 0 {
		next = s.now.Add(s.every - late)
	}
	s.agenda.push(happening{at: next, what: sampleDue})
}

// thin takes out every other sample.
func (s *simulator) thin() {
	kept := s.samples[:0]
	for i := 0; i < len(s.samples); i += 2 {
		kept = append(kept, s.samples[i])
	}
	clear(s.samples[len(kept):])
	s.samples = kept
	s.every *= 2
}

// sample notes how things stand.
func (s *simulator) sample() {
	x := Sample{At: s.now.Sub(begin), Capacity: s.meters.workers.has, Accounts: make([]AccountSample, len(s.ledgers))}
	for i, l := range s.ledgers {
		l.settle(s.now)
		a := &x.Accounts[i]
		a.used, a.preempted, a.Ready = l.used, l.preempted, l.ready
		for _, n := range l.runs {
			a.Running += n
		}
	}
	s.sampleAccounts(&x)
	s.samples = append(s.samples, x)
}

// sampleAccounts adds what only accounts have that are there.
func (s *simulator) sampleAccounts(x *Sample) {
	balances := s.sched.Balances(s.now)
	for i, j := 0, 0; i < len(s.ledgers) && j < len(balances); i++ {
		if s.ledgers[i].name != balances[j].Name {
			continue
		}
		a := &x.Accounts[i]
		a.Balance = job.Quota(balances[j].Balance)
		settings := s.settings[s.placeOf[i]].account("")
		for level, rate := range settings.Rate {
			a.Cap[level] = rate * settings.Window.Seconds()
			a.Rate += rate
		}
		j++
	}
}

// differences makes of the sums in samples what happened between them.
func differences(samples []Sample) {
	for i := len(samples) - 1; i > 0; i-- {
		seconds := (samples[i].At - samples[i-1].At).Seconds()
		for j := range samples[i].Accounts {
			a, before := &samples[i].Accounts[j], &samples[i-1].Accounts[j]
			a.Preempted = a.preempted - before.preempted
			for level := range a.Workers {
				a.Workers[level] = (a.used[level] - before.used[level]) / seconds
			}
		}
	}
}
