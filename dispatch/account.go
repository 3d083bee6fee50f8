package dispatch

import (
	"math"

	"github.com/muster-queue/muster/job"
	"github.com/muster-queue/muster/schedule"
)

// payer is who pays for requests: an account, or a name that is none.
type payer struct {
	id       AccountID
	config   *AccountConfig // nil: it is no account
	shapes   map[*shape]struct{}
	examined examined
}

// maxBalance is beyond all that can be gathered.
const maxBalance = 1e18

// AddAccount makes an account with a balance, or sets both of one that there is. No
// settings are the defaults; missing values of the balance are zero. Errors: Invalid.
func (s *Scheduler) AddAccount(id AccountID, cfg *AccountConfig, initial []float64) error {
	if err := cfg.validate(id); err != nil {
		return err
	}
	b, err := balanceOf(initial)
	if err != nil {
		return job.Wrap(err, "account", string(id))
	}
	s.setAccount(id, cfg)
	s.core.SetBalance(string(id), b, stamp(s.now))
	return nil
}

// balanceOf is a balance of at most five finite numbers.
func balanceOf(values []float64) (Balance, error) {
	b, err := schedule.BalanceOf(values...)
	for _, v := range b {
		if err == nil && math.Abs(v) > maxBalance {
			err = job.Errorf(job.Invalid, "a balance of %g worker-seconds; at most %g are kept", v, maxBalance)
		}
	}
	return b, err
}

// SetAccountConfig changes the settings of an account; its balance stays. Errors:
// NotFound, Invalid.
func (s *Scheduler) SetAccountConfig(id AccountID, cfg *AccountConfig) error {
	if p := s.payers[id]; p == nil || p.config == nil {
		return job.Errorf(job.NotFound, "there is no account %s", id)
	}
	if err := cfg.validate(id); err != nil {
		return err
	}
	s.setAccount(id, cfg)
	return nil
}

func (s *Scheduler) setAccount(id AccountID, cfg *AccountConfig) {
	p := s.payerOf(id)
	p.config = cfg.clone()
	s.core.SetAccount(string(id), p.config.settings())
	s.balances = nil
	s.journal.touch(accountRecord, string(id))
}

// DeleteAccount forgets an account with its balance. Its tasks go on for free.
func (s *Scheduler) DeleteAccount(id AccountID) {
	p := s.payers[id]
	if p == nil || p.config == nil {
		return
	}
	for _, w := range s.workers {
		if w.run != nil && w.run.shape.payer == p {
			s.touchRequest(w.run)
		}
	}
	p.config = nil
	s.core.DropAccount(string(id))
	s.balances = nil
	s.journal.touch(accountRecord, string(id))
	s.discardPayer(p)
}

// ResetBalance takes everything off an account, debts too. No account: nothing is done.
func (s *Scheduler) ResetBalance(id AccountID) {
	s.core.ResetBalance(string(id))
	s.balances = nil
}

func (s *Scheduler) payerOf(id AccountID) *payer {
	p := s.payers[id]
	if p == nil {
		p = &payer{id: id, shapes: map[*shape]struct{}{}}
		s.payers[id] = p
	}
	return p
}

// discardPayer forgets a payer that is no account and pays for nothing.
func (s *Scheduler) discardPayer(p *payer) {
	if p.config == nil && len(p.shapes) == 0 {
		delete(s.payers, p.id)
	}
}
