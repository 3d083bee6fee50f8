package external

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/muster-queue/muster/dispatch"
	"github.com/muster-queue/muster/engine"
	"github.com/muster-queue/muster/job"
)

// MaxAccounts is how many accounts a pool may have.
const MaxAccounts = engine.MaxAccounts

// Accounts are the accounts of a pool: the same in other hands as those of a
// namespace (engine.Namespace). What they have is as of the pool's time, which goes
// on with what its dispatcher says.
type Accounts struct {
	s    *Scheduler
	pool id
}

// Accounts are the accounts of a pool, whether it exists or not.
func (s *Scheduler) Accounts(namespace, pool string) *Accounts {
	return &Accounts{s: s, pool: id{namespace, pool}}
}

// edit changes one account. What is done again under the id of a request that was
// done changes nothing.
func (a *Accounts) edit(ctx context.Context, name string, once []engine.Once, do func(*turn) error) (engine.AccountState, error) {
	return ask(ctx, a.s, a.pool, op{phase: change}, func(t *turn) (engine.AccountState, error) {
		if len(once) == 0 || once[0].RequestID == "" {
			err := do(t)
			return t.state.account(name), err
		}
		if !t.state.didBefore(once[0]) {
			if err := do(t); err != nil {
				return engine.AccountState{}, err
			}
			t.state.remember(once[0], t.now)
		}
		return t.state.account(name), t.put()
	})
}

// AddAccount makes an account with a balance to begin with. Errors: Invalid, Exists,
// Exhausted, and NotFound for the pool.
func (a *Accounts) AddAccount(ctx context.Context, account job.Account, balance job.Quota, by string, once ...engine.Once) (engine.AccountState, error) {
	if err := account.Validate(); err != nil {
		return engine.AccountState{}, err
	}
	return a.edit(ctx, account.Name, once, func(t *turn) error {
		s := t.state.Scheduler
		if _, there := s.AccountConfig(dispatch.AccountID(account.Name)); there {
			return job.Errorf(job.Exists, "add account %s: there is one of that name in pool %s", account.Name, t.id.name)
		}
		if s.Accounts() >= MaxAccounts {
			return job.Errorf(job.Exhausted, "add account %s: there are %d already, which is as many as a pool may have", account.Name, MaxAccounts)
		}
		if err := s.AddAccount(dispatch.AccountID(account.Name), dispatch.ConfigOf(&account), balance[:]); err != nil {
			return err
		}
		details := account.Settings()
		if balance != (job.Quota{}) {
			details["balance"] = balance.String()
		}
		t.auditAccount(job.EventAccountAdded, account.Name, by, details)
		return nil
	})
}

// ModifyAccount changes an account: edit gets a copy of its settings, and may change
// all but the name. The balance stays. Errors: NotFound, Invalid, what edit says.
func (a *Accounts) ModifyAccount(ctx context.Context, name string, edit func(*job.Account) error, by string, once ...engine.Once) (engine.AccountState, error) {
	return a.edit(ctx, name, once, func(t *turn) error {
		was, err := t.accountNamed(name)
		if err != nil {
			return err
		}
		changed := was
		changed.LabelLimits = maps.Clone(was.LabelLimits)
		if err := edit(&changed); err != nil {
			return err
		}
		if changed.Name != name {
			return job.Errorf(job.Invalid, "account %s cannot be renamed; add another one", name)
		}
		if err := changed.Validate(); err != nil {
			return err
		}
		if differ := job.Differences(was.Settings(), changed.Settings()); len(differ) > 0 {
			t.auditAccount(job.EventAccountChanged, name, by, differ)
		}
		return t.state.Scheduler.SetAccountConfig(dispatch.AccountID(name), dispatch.ConfigOf(&changed))
	})
}

// ResetAccount makes an account's balance zero, debts too. Errors: NotFound.
func (a *Accounts) ResetAccount(ctx context.Context, name, by string, once ...engine.Once) (engine.AccountState, error) {
	return a.edit(ctx, name, once, func(t *turn) error {
		if _, err := t.accountNamed(name); err != nil {
			return err
		}
		t.auditAccount(job.EventAccountReset, name, by, map[string]string{"balance": t.state.account(name).Balance.String()})
		t.state.Scheduler.ResetBalance(dispatch.AccountID(name))
		return nil
	})
}

// RemoveAccount forgets an account and its balance. What runs of it goes on, for
// free. Errors: NotFound.
func (a *Accounts) RemoveAccount(ctx context.Context, name, by string, once ...engine.Once) error {
	_, err := a.edit(ctx, name, once, func(t *turn) error {
		was, err := t.accountNamed(name)
		if err != nil {
			return err
		}
		details := was.Settings()
		details["balance"] = t.state.account(name).Balance.String()
		t.auditAccount(job.EventAccountRemoved, name, by, details)
		t.state.Scheduler.DeleteAccount(dispatch.AccountID(name))
		return nil
	})
	return err
}

// Account is one account as it stands. Errors: NotFound.
func (a *Accounts) Account(ctx context.Context, name string) (engine.AccountState, error) {
	return ask(ctx, a.s, a.pool, op{phase: look}, func(t *turn) (engine.AccountState, error) {
		_, err := t.accountNamed(name)
		return t.state.account(name), err
	})
}

// Accounts are all accounts as they stand, by name.
func (a *Accounts) Accounts(ctx context.Context) ([]engine.AccountState, error) {
	return ask(ctx, a.s, a.pool, op{phase: look}, func(t *turn) ([]engine.AccountState, error) {
		names := slices.Sorted(maps.Keys(t.state.Scheduler.GetBalances()))
		list := make([]engine.AccountState, len(names))
		for i, name := range names {
			list[i] = t.state.account(string(name))
		}
		return list, nil
	})
}

func (t *turn) accountNamed(name string) (job.Account, error) {
	c, ok := t.state.Scheduler.AccountConfig(dispatch.AccountID(name))
	if !ok {
		return job.Account{}, job.Errorf(job.NotFound, "there is no account %q in pool %s", name, t.id.name)
	}
	return c.Account(dispatch.AccountID(name)), nil
}

// account is an account as it stands; nothing if there is none of that name.
func (s *state) account(name string) engine.AccountState {
	id := dispatch.AccountID(name)
	c, ok := s.Scheduler.AccountConfig(id)
	if !ok {
		return engine.AccountState{}
	}
	use := s.Scheduler.Use(id)
	return engine.AccountState{
		Account: c.Account(id), Balance: job.Quota(s.Scheduler.Balance(id)), At: s.Scheduler.Time(),
		Running: use.Runs, Workers: use.Workers, Ready: use.Ready,
	}
}

func (t *turn) auditAccount(kind, account, by string, details map[string]string) {
	t.rows = append(t.rows, job.EventRow{Kind: kind, Pool: t.id.name, Account: account, Who: by, Details: details})
}

// done is a request that was done.
type done struct {
	Client string    `cbor:"1,keyasint"`
	ID     string    `cbor:"2,keyasint"`
	At     time.Time `cbor:"3,keyasint"`
}

// Requests that were done are remembered for an hour, the latest of a pool.
const (
	rememberFor  = time.Hour
	rememberMost = 256
)

func (s *state) didBefore(once engine.Once) bool {
	return slices.ContainsFunc(s.done, func(d done) bool { return d.Client == once.Client && d.ID == once.RequestID })
}

func (s *state) remember(once engine.Once, now time.Time) {
	s.done = slices.DeleteFunc(s.done, func(d done) bool { return now.Sub(d.At) > rememberFor })
	if len(s.done) >= rememberMost {
		s.done = slices.Delete(s.done, 0, 1)
	}
	s.done = append(s.done, done{once.Client, once.RequestID, now})
}
