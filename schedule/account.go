package schedule

import (
	"cmp"
	"hash/fnv"
	"maps"
	"slices"
	"time"

	"github.com/muster-queue/muster/job"
)

// Account is what the scheduler must know of an account. As long as none is set,
// accounts do not matter (but see Config): all jobs are of one level and free.
type Account struct {
	// Rate is the quota gained per second: how many workers it may have at each
	// level in the long run.
	Rate Balance
	// Window is for how long quota is gathered: Rate times Window is the cap.
	Window time.Duration
	// MaxFanout is how many paid jobs that want the same labels may run at once;
	// zero means any number.
	MaxFanout int
	// LabelLimits is how many of its jobs may run at once on workers with the same
	// label, by the key of the label: what is before the first colon.
	LabelLimits map[string]int
	// NoFree: its jobs are never started for free.
	NoFree bool
}

// AccountState is an account's balance at a time. Together with what runs (see
// Charge) it is all that is to be stored of it.
type AccountState struct {
	Name    string
	Balance Balance
	At      job.Time
}

// account is an account, or a name that jobs give which is none.
type account struct {
	name  string
	known bool
	Account
	tie      uint64
	stepwise bool

	value Balance // at the time at
	at    job.Time
	spend Balance // a second, by what runs
	runs  [Levels + 1][]*hold
	// changed accounts are to be stored, stirred ones to be assessed. restless ones
	// are looked at when a level ends.
	changed, stirred, restless bool

	level   Level // as of the last call with a time
	served  uint64
	parties []*party
	ready   int64 // jobs of its shapes
	fanouts map[string]*fanout
	counts  map[string]int // of runs by label of the worker, those with a limit

	// eager accounts may be able to preempt; hunted is when that was last tried,
	// and not before rested it is again.
	eager          bool
	hunted, rested job.Time
}

// barred reports whether nothing of the account is to be started at present.
func (a *account) barred() bool { return a.level == Free && a.NoFree }

// SetAccount makes an account known, with nothing on it, or changes it.
func (s *Scheduler) SetAccount(name string, settings Account) {
	if !s.fair {
		s.share(true)
	}
	a := s.accountOf(name)
	settings.LabelLimits = maps.Clone(settings.LabelLimits)
	s.settleAccount(a)
	if !a.known {
		a.known, a.value, a.at = true, Balance{}, s.now
		s.numAccounts++
	}
	s.touch(a)
	s.resettle(a, settings)
}

// resettle gives the account other settings, and has everything of it be tried anew.
func (s *Scheduler) resettle(a *account, settings Account) {
	spread := (settings.MaxFanout > 0) != (a.MaxFanout > 0)
	if a.Account = settings; spread {
		s.respread(a)
	}
	s.recount(a)
	s.reassess(a)
}

// DropAccount forgets an account and its balance; its runs go on for free.
func (s *Scheduler) DropAccount(name string) {
	a := s.accounts[name]
	if a == nil || !a.known {
		return
	}
	for level := range Free {
		for _, h := range slices.Clone(a.runs[level]) {
			s.move(h, Free)
		}
	}
	a.known, a.value = false, Balance{}
	s.resettle(a, Account{})
	s.discardAccount(a)
	if s.numAccounts--; s.numAccounts == 0 && !s.cfg.Shared {
		s.share(false)
	}
}

// SetBalance sets what an account had at a time: after a reload what was stored,
// before any call with a later time. An account that is not known is left alone.
func (s *Scheduler) SetBalance(name string, b Balance, at job.Time) {
	if a := s.accounts[name]; a != nil && a.known {
		a.value, a.at = b, at
		s.touch(a)
		s.settleAccount(a)
		s.reassess(a)
	}
}

// ResetBalance takes everything off an account, debts too.
func (s *Scheduler) ResetBalance(name string) { s.SetBalance(name, Balance{}, s.now) }

// Balances are those of all accounts now, by name.
func (s *Scheduler) Balances(now job.Time) []AccountState {
	s.Advance(now)
	list := make([]AccountState, 0, s.numAccounts)
	for _, a := range s.accounts {
		if a.known {
			list = append(list, AccountState{a.name, a.balance(s.now), s.now})
		}
	}
	slices.SortFunc(list, func(a, b AccountState) int { return cmp.Compare(a.Name, b.Name) })
	return list
}

// Settle brings all balances up to date. Quota above an account's cap is only
// spent, so what there is later depends on the times at which it was reckoned.
func (s *Scheduler) Settle(now job.Time) {
	s.Advance(now)
	for _, a := range s.accounts {
		s.settleAccount(a)
	}
}

// Changed are the accounts whose balance cannot be told from what was last taken
// here: what they run changed, or they were set. It is what to store, with the
// changes of the runs.
func (s *Scheduler) Changed() []AccountState {
	var list []AccountState
	for _, a := range s.changed {
		if a.changed = false; a.known {
			list = append(list, AccountState{a.name, a.value, a.at})
		}
	}
	clear(s.changed)
	s.changed = s.changed[:0]
	slices.SortFunc(list, func(a, b AccountState) int { return cmp.Compare(a.Name, b.Name) })
	return list
}

// Advance sets the clock, if it is behind.
func (s *Scheduler) Advance(now job.Time) { s.now = max(s.now, now) }

// balance is what the account has at a time, which is O(1).
func (a *account) balance(now job.Time) Balance {
	if now <= a.at || a.at == 0 {
		return a.value
	}
	return a.value.after(now.Sub(a.at), a.spend, a.Rate, a.Window, a.stepwise)
}

// settleAccount brings the account's value up to date, before something about it
// changes.
func (s *Scheduler) settleAccount(a *account) {
	if a.at == 0 { // set before there was a clock
		a.at = s.now
	}
	if a.known && s.now > a.at {
		a.value, a.at = a.balance(s.now), s.now
	}
}

// touch notes that the account's balance, or what is spent of it, changed.
func (s *Scheduler) touch(a *account) {
	if !a.changed {
		a.changed = true
		s.changed = append(s.changed, a)
	}
	s.stir(a)
}

// reassess makes everything of an account be tried anew.
func (s *Scheduler) reassess(a *account) {
	s.relevel(a)
	a.eager, a.rested = true, 0
	s.stir(a)
	s.retry(a)
}

func (s *Scheduler) retry(a *account) {
	for _, p := range a.parties {
		p.everything(s)
	}
}

// accountOf is the account of that name, also if none is known.
func (s *Scheduler) accountOf(name string) *account {
	if !s.fair {
		return s.everyone
	}
	a := s.accounts[name]
	if a == nil {
		a = newAccount(name, s.cfg.Seed)
		a.at, a.stepwise = s.now, s.cfg.Stepwise
		s.accounts[name] = a
	}
	return a
}

func newAccount(name string, seed uint64) *account {
	h := fnv.New64a()
	_, _ = h.Write([]byte(name))
	return &account{name: name, level: Free, tie: mix(h.Sum64() ^ seed), fanouts: map[string]*fanout{}, counts: map[string]int{}}
}

// mix spreads a number over all bits.
func mix(x uint64) uint64 {
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// discardAccount forgets an account that is not known and nothing refers to.
func (s *Scheduler) discardAccount(a *account) {
	if a.known || a == s.everyone || len(a.parties) > 0 || a.running() > 0 || len(a.fanouts) > 0 {
		return
	}
	if s.accounts[a.name] == a {
		delete(s.accounts, a.name)
	}
}

// running is how many jobs the account has running.
func (a *account) running() (n int) {
	for level := range a.runs {
		n += len(a.runs[level])
	}
	return n
}

// share begins to keep accounts apart, when the first is set, or ends it when the
// last one went. Everything is filed anew.
func (s *Scheduler) share(fair bool) {
	s.fair, s.nextAssess = fair, 0
	s.passes++ // what runs is no victim of a pass under way
	for _, sh := range s.shapes {
		waiting := sh.waiting
		s.post(sh, sh.lane.queue, sh.lane.limits, sh.lane.command)
		if sh.items.len() > 0 {
			s.enlist(sh)
			sh.waiting = waiting
		}
	}
	for _, h := range s.held {
		s.transfer(h)
	}
	s.everything()
}
