// Package simulate runs a described workload through the scheduler in simulated
// time, and tells who gets what: shares, waits, preemptions, work that is lost.
// It is how an operator tries a change of quota before making it. The command
// line calls it.
//
// What decides is package schedule itself. What is simulated is what surrounds it:
// jobs that come and take their time, workers that come and go, and preempted jobs
// that need a grace to end and begin anew later. There is no clock and no chance:
// the same workload and seed give the same result.
package simulate

import (
	"context"
	"math"
	"time"

	"github.com/muster-queue/muster/job"
	"github.com/muster-queue/muster/schedule"
)

// Progress is how far a simulation is.
type Progress struct {
	// Now is the simulated time since the beginning, of Duration in all (zero: not
	// known).
	Now, Duration time.Duration
	Jobs, Done    int64
}

// Options of Run.
type Options struct {
	// Progress, if not nil, is called now and then.
	Progress func(Progress)
	// Trace, if not nil, is told all that happens to jobs.
	Trace func(Event)
}

// Run simulates a workload. It ends early with the context's error. Errors:
// Invalid, if the workload cannot be simulated.
func Run(ctx context.Context, w *Workload, o Options) (*Result, error) {
	own := w.clone()
	own.settle()
	if err := own.validate(); err != nil {
		return nil, err
	}
	s := newSimulator(own, o)
	if err := s.run(ctx); err != nil {
		return nil, err
	}
	return s.result(), nil
}

// begin is the time that simulations begin at; the scheduler takes zero for none.
const begin = job.Time(1_000_000_000 * time.Second)

// idleTime is how long nothing may run or happen before a simulation without an
// end is over: what is left then never runs.
const idleTime = 24 * time.Hour

// simulator is a simulation under way.
type simulator struct {
	*Workload
	Options
	sched  *schedule.Scheduler
	now    job.Time
	agenda agenda

	sources  []*source
	shapes   map[string]*shape
	ofStream []*shape
	queues   map[string]job.QueueID
	settings []Settings // of each account now
	placeOf  []int      // of a ledger's account in Accounts, -1 if it is none
	changes  []change

	machines []machine
	groups   []group
	ledgers  []*ledger // by name
	meters   meters

	live    map[job.Seq]*task
	last    job.Seq
	running int
	open    int // streams of which more jobs come

	jobs, done int64
	passes     int64
	active     job.Time // when something last happened
	wake       job.Time // when the scheduler wants to be asked, if it wakes
	wakes      bool
	samples    []Sample
	every      time.Duration
}

// run lets happen what does, in turn, until the end.
func (s *simulator) run(ctx context.Context) error {
	for round := 0; ; round++ {
		if round%256 == 0 {
			if err := s.report(ctx); err != nil {
				return err
			}
		}
		at, ok := s.nextTime()
		if !ok {
			return nil
		}
		s.now = at
		s.sched.Advance(at)
		happened, err := s.happen()
		if err != nil {
			return err
		}
		// What happens only in order to look changes nothing.
		if happened || s.wakes && s.wake <= s.now {
			s.pass()
		}
		s.sampleIfDue()
	}
}

func (s *simulator) report(ctx context.Context) error {
	if s.Progress != nil {
		s.Progress(Progress{Now: s.now.Sub(begin), Duration: s.Duration, Jobs: s.jobs, Done: s.done})
	}
	return context.Cause(ctx)
}

// calledOff reports whether something will not happen: the end of a try that ended
// otherwise, or of the grace of one that did.
func (s *simulator) calledOff(h *happening) bool {
	if h.what != runEnds && h.what != graceEnds {
		return false
	}
	t := s.live[h.seq]
	return t == nil || t.try != h.try || t.state == waiting
}

// nextTime is when the scheduler wants to be asked, or something happens; false at
// the end.
func (s *simulator) nextTime() (job.Time, bool) {
	if s.Duration == 0 && s.open == 0 && (len(s.live) == 0 || s.running == 0 && s.now.Sub(s.active) > idleTime) {
		return 0, false
	}
	for len(s.agenda) > 0 && s.calledOff(&s.agenda[0]) {
		s.agenda.pop()
	}
	at, ok := s.agenda.next()
	if s.wakes && (!ok || s.wake < at) {
		at, ok = s.wake, true
	}
	if s.Duration > 0 && at > begin.Add(s.Duration) {
		ok = false
	}
	return at, ok
}

// happen does everything of the present moment but sampling, and reports whether
// there was anything.
func (s *simulator) happen() (happened bool, err error) {
	for len(s.agenda) > 0 && s.agenda[0].at == s.now && s.agenda[0].what != sampleDue {
		h := s.agenda.pop()
		if s.calledOff(&h) {
			continue
		}
		s.active, happened = s.now, true
		switch h.what {
		case runEnds:
			s.runEnds(s.live[h.seq])
		case graceEnds:
			s.again(s.live[h.seq])
		case workersLeave:
			s.leave(h.n)
		case workersArrive:
			s.arrive(h.n)
		case accountChanges:
			s.change(h.n)
		case jobArrives:
			err = s.jobArrives(h.n)
		}
		if err != nil {
			return true, err
		}
	}
	return happened, nil
}

// pass asks the scheduler until it has nothing more to say.
func (s *simulator) pass() {
	for more := true; more; {
		var placed []schedule.Placement
		placed, more = s.sched.Pass(s.now, math.MaxInt)
		s.passes++
		for i := range placed {
			s.start(&placed[i])
		}
		for _, m := range s.sched.Moves() {
			s.move(&m)
		}
		for _, p := range s.sched.Preemptions() {
			s.preempt(&p)
		}
	}
	s.wake, s.wakes = s.sched.NextWake(s.now)
	s.wake = max(s.wake, s.now+1)
}
