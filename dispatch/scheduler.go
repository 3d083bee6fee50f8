package dispatch

import (
	"cmp"
	"maps"
	"time"

	"github.com/muster-queue/muster/job"
	"github.com/muster-queue/muster/schedule"
)

// Scheduler estimates what runs where and what waits, and decides who gets what.
type Scheduler struct {
	core *schedule.Scheduler
	now  time.Time // of the last UpdateTime
	cfg  Config    // without the accounts

	payers   map[AccountID]*payer
	shapes   map[string]*shape
	requests map[RequestID]*request
	workers  map[WorkerID]*worker
	waiting  int // how many requests are queued
	passes   uint64
	// victims are the tasks that the last pass preempted, as they were.
	victims map[RequestID]TaskRequest

	// The scheduler below knows numbers.
	bySeq    map[job.Seq]*request
	lastSeq  job.Seq
	byNumber map[job.WorkerID]*worker
	numbers  numbers
	shapeIDs numbers

	// stalest is not after the news of any idle worker.
	stalest time.Time
	// balances are those at the time now, if they have been asked for.
	balances map[AccountID]Balance
	journal  *journal
}

// numbers gives small numbers from 1 on; those given back are given again.
type numbers struct {
	last uint32
	free []uint32
}

func (n *numbers) take() uint32 {
	if k := len(n.free); k > 0 {
		number := n.free[k-1]
		n.free = n.free[:k-1]
		return number
	}
	n.last++
	return n.last
}

func (n *numbers) give(number uint32) { n.free = append(n.free, number) }

// NewScheduler makes a scheduler that knows nothing yet, at a time.
func NewScheduler(t time.Time) *Scheduler {
	s := newScheduler(Config{})
	s.start(normal(t))
	return s
}

// NewWithConfig makes a scheduler with settings and accounts, which have nothing on
// them. Errors: Invalid.
func NewWithConfig(t time.Time, cfg Config) (*Scheduler, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	s := newScheduler(cfg)
	s.start(normal(t))
	for id, a := range cfg.AccountConfigs {
		s.setAccount(id, a)
	}
	return s, nil
}

// newScheduler makes one whose clock does not go yet.
func newScheduler(cfg Config) *Scheduler {
	cfg.BotExpiration = cmp.Or(cfg.BotExpiration, DefaultBotExpiration)
	cfg.RequestExpiration = cmp.Or(cfg.RequestExpiration, DefaultRequestExpiration)
	cfg.Recheck = cmp.Or(cfg.Recheck, DefaultRecheck)
	cfg.AccountConfigs = nil
	core := schedule.New(schedule.Config{
		MaxReservations: -1, NoPreemption: cfg.DisablePreemption, Recheck: cfg.Recheck, Shared: true, Stepwise: true,
	})
	return &Scheduler{
		core: core, cfg: cfg, payers: map[AccountID]*payer{}, shapes: map[string]*shape{}, requests: map[RequestID]*request{},
		workers: map[WorkerID]*worker{}, bySeq: map[job.Seq]*request{}, byNumber: map[job.WorkerID]*worker{}, stalest: lastTime,
	}
}

// start sets the clock going.
func (s *Scheduler) start(now time.Time) {
	s.now = now
	s.core.Advance(stamp(now))
}

// Config is a copy of the settings, with all accounts.
func (s *Scheduler) Config() Config {
	c := s.cfg
	c.AccountConfigs = map[AccountID]*AccountConfig{}
	for id, p := range s.payers {
		if p.config != nil {
			c.AccountConfigs[id] = p.config.clone()
		}
	}
	return c
}

// SetDisablePreemption says whether running tasks are to be left alone.
func (s *Scheduler) SetDisablePreemption(disable bool) {
	s.cfg.DisablePreemption = disable
	s.core.SetPreemption(!disable)
	s.journal.touch(configRecord, "")
}

// SetBotExpiration changes after how long without news an idle worker is forgotten;
// zero: the default. Errors: Invalid.
func (s *Scheduler) SetBotExpiration(d time.Duration) error {
	if d < 0 {
		return job.Errorf(job.Invalid, "bot expiration %v; it must not be negative", d)
	}
	s.cfg.BotExpiration = cmp.Or(d, DefaultBotExpiration)
	s.journal.touch(configRecord, "")
	return nil
}

// Time is the time of the latest UpdateTime, in UTC.
func (s *Scheduler) Time() time.Time { return s.now }

// UpdateTime brings costs and balances to a time, and forgets idle workers without
// news for too long. An earlier time than the last one is ignored.
func (s *Scheduler) UpdateTime(t time.Time) {
	if t = normal(t); t.Before(s.now) {
		return
	}
	if t.After(s.now) {
		s.now, s.balances = t, nil
		s.core.Settle(stamp(t))
		s.journal.touch(configRecord, "")
	}
	s.expire()
}

// GetBalances are the balances of all accounts.
func (s *Scheduler) GetBalances() map[AccountID]Balance { return maps.Clone(s.reckoned()) }

// reckoned are the balances at the time now.
func (s *Scheduler) reckoned() map[AccountID]Balance {
	if s.balances == nil {
		s.balances = map[AccountID]Balance{}
		for _, a := range s.core.Balances(stamp(s.now)) {
			s.balances[AccountID(a.Name)] = a.Balance
		}
	}
	return s.balances
}
