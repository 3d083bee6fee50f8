package simulate

import (
	"math"
	"time"

	"github.com/muster-queue/muster/job"
)

// Workload is what is simulated: who shares, what there is to share, and what
// comes. Decode reads it from a file. All times are since the beginning.
type Workload struct {
	Name string
	// Duration is how much time is simulated; zero: until every job is done.
	Duration time.Duration
	// Seed is what everything random follows from.
	Seed uint64
	// Grace is how long a preempted job takes to end.
	Grace time.Duration
	// Sample is the time between two samples; zero: so that there are some hundred.
	Sample time.Duration
	// NoPreemption: running jobs are left alone.
	NoPreemption bool

	Accounts []Account
	Queues   []Queue
	Workers  []Workers
	Jobs     []Stream
}

// Account is who pays, with what changes about it.
type Account struct {
	Name string
	// Arrive is when it is made.
	Arrive time.Duration
	Settings
	Changes []Change
}

// Settings are an account's; those that are nil are the default, or stay.
type Settings struct {
	// Rate is in workers, by level, and Window for how long they are gathered.
	Rate        *job.Quota
	Window      *time.Duration
	MaxFanout   *int
	LabelLimits map[string]int
	NoFree      *bool
	// Balance is what it has then, in worker-seconds.
	Balance *job.Quota
}

// Change are settings that an account gets at a time.
type Change struct {
	At time.Duration
	Settings
}

// Queue is a named family of jobs, with the settings of job.Queue.
type Queue struct {
	Name                         string
	Priority, Weight, MaxRunning int64
}

// Workers are Count workers that are alike. They come at Arrive and go at Leave,
// unless that is zero; what runs on them then is lost and begins anew.
type Workers struct {
	Name          string
	Count         int
	Capacity      job.Resources
	Labels        job.Labels
	Arrive, Leave time.Duration
}

// Stream is jobs that are alike but for when they come and how long they take.
type Stream struct {
	Name, Account, Queue string
	Priority             float64
	Labels, Prefer       job.Labels
	// Needs of one job. One that names neither slots nor cores takes one slot where
	// workers have slots, else one core where they have cores.
	Needs job.Resources
	// Time is the bound that the scheduler knows; it ends nothing.
	Time           time.Duration
	NotPreemptible bool

	Arrivals Arrivals
	Lasts    Lengths
	// Recorded, if not nil, are the jobs, in place of Arrivals and Lasts.
	Recorded []Recorded
}

// Arrivals say when the jobs of a stream come: Burst at once, Count in all (zero:
// any number), between From and Until (zero: the end). They come Every so often;
// or at random, Rate times a second; or at the times At; or else all at once.
type Arrivals struct {
	Every       time.Duration
	Rate        float64
	At          []time.Duration
	Burst       int
	Count       int64
	From, Until time.Duration
}

// Recorded is a job as it was seen: when it came and how long it ran.
type Recorded struct{ At, Lasts time.Duration }

// Defaults of what a workload does not say.
const (
	DefaultGrace = 10 * time.Second
	DefaultSeed  = 1
)

// Bounds of a workload.
const (
	MaxJobs     = 10_000_000
	MaxWorkers  = 100_000
	MaxAccounts = 1000
	MaxStreams  = 100_000
	MaxSamples  = 100_000
	maxCells    = 5_000_000 // samples times accounts
	maxChanges  = 10_000
)

// with is s, and where o says something, that.
func (s Settings) with(o *Settings) Settings {
	if o.Rate != nil {
		s.Rate = o.Rate
	}
	if o.Window != nil {
		s.Window = o.Window
	}
	if o.MaxFanout != nil {
		s.MaxFanout = o.MaxFanout
	}
	if o.LabelLimits != nil {
		s.LabelLimits = o.LabelLimits
	}
	if o.NoFree != nil {
		s.NoFree = o.NoFree
	}
	if o.Balance != nil {
		s.Balance = o.Balance
	}
	return s
}

// account is the settings with the defaults.
func (s *Settings) account(name string) job.Account {
	a := job.Account{Name: name, Window: job.DefaultWindow, LabelLimits: s.LabelLimits}
	if s.Rate != nil {
		a.Rate = *s.Rate
	}
	if s.Window != nil {
		a.Window = *s.Window
	}
	if s.MaxFanout != nil {
		a.MaxFanout = *s.MaxFanout
	}
	if s.NoFree != nil {
		a.NoFree = *s.NoFree
	}
	return a
}

// settingsOf are all settings of an account with its balance.
func settingsOf(a *job.Account, balance job.Quota) Settings {
	return Settings{
		Rate: &a.Rate, Window: &a.Window, MaxFanout: &a.MaxFanout, LabelLimits: a.LabelLimits, NoFree: &a.NoFree, Balance: &balance,
	}
}

// NewAccount is an account of a server as it is now, its balance in whole
// worker-seconds.
func NewAccount(a job.Account, balance job.Quota) Account {
	for i := range balance {
		balance[i] = math.Round(balance[i]) + 0 // no negative zero
	}
	return Account{Name: a.Name, Settings: settingsOf(&a, balance)}
}

// NewWorker is a worker of a server as it is now. Its bytes are rounded up by at most
// a hundredth, for people to read: what it ran fits on it.
func NewWorker(name string, capacity job.Resources, labels job.Labels) Workers {
	capacity = capacity.Clone()
	for resource, n := range capacity {
		if job.IsBytes(resource) {
			capacity[resource] = roundedUp(n)
		}
	}
	return Workers{Name: name, Count: 1, Capacity: capacity, Labels: labels}
}

// roundedUp is a number of bytes with one digit after the point, or without one from
// a hundred on, in the largest unit of which it has ten.
func roundedUp(n int64) int64 {
	for unit := int64(1 << 40); unit > 1; unit >>= 10 {
		switch {
		case n >= 100*unit:
			return (n + unit - 1) / unit * unit
		case n >= 10*unit:
			tenths := math.Ceil(10 * float64(n) / float64(unit))
			return int64(math.Round(tenths / 10 * float64(unit)))
		}
	}
	return n
}

// settle fills in what was not said.
func (w *Workload) settle() {
	unit := w.unit()
	for i := range w.Jobs {
		s := &w.Jobs[i]
		if s.Needs[Slot] == 0 && s.Needs[job.CPU] == 0 && unit != "" {
			s.Needs = s.Needs.Clone()
			s.Needs[unit] = job.Thousandth
		}
		if s.Queue == "" {
			s.Queue = job.DefaultQueue
		}
		a := &s.Arrivals
		if a.Burst == 0 {
			a.Burst = 1
		}
		if a.Count == 0 && a.once() {
			a.Count = int64(a.Burst)
		}
	}
}

// unit is the resource that every job takes one of, if it does not say.
func (w *Workload) unit() string {
	for _, unit := range []string{Slot, job.CPU} {
		for i := range w.Workers {
			if w.Workers[i].Capacity[unit] > 0 {
				return unit
			}
		}
	}
	return ""
}

// Slot is the resource of workers that run a number of jobs, whatever they need.
const Slot = "slot"

// once reports whether the jobs come all at once.
func (a *Arrivals) once() bool { return a.Every == 0 && a.Rate == 0 && a.At == nil }

// expected is about how many jobs of the stream come in that time; those that come
// for ever are endless.
func (s *Stream) expected(length time.Duration) float64 {
	a := &s.Arrivals
	if s.Recorded != nil {
		return float64(len(s.Recorded))
	}
	until := a.Until
	if length > 0 && (until == 0 || until > length) {
		until = length
	}
	n := math.Inf(1)
	switch span := (until - a.From).Seconds(); {
	case a.once():
	case a.At != nil:
		n = float64(len(a.At) * a.Burst)
	case until == 0:
	case a.Every > 0:
		n = (math.Floor(span/a.Every.Seconds()) + 1) * float64(a.Burst)
	default:
		n = span * a.Rate * float64(a.Burst)
	}
	if a.Count > 0 {
		n = min(n, float64(a.Count))
	}
	return max(n, 0)
}
