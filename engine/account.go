package engine

import (
	"context"
	"maps"
	"time"

	"github.com/muster-queue/muster/job"
	"github.com/muster-queue/muster/schedule"
)

// AccountState is an account as it stands.
type AccountState struct {
	job.Account
	// Balance is what it has at the time At.
	Balance job.Quota `cbor:"20,keyasint"`
	At      time.Time `cbor:"21,keyasint"`
	// Running and Workers are what it has running, by level and last for free: how
	// many jobs, and how much of workers they take. A job that was promised the
	// place of another is counted, the one that is being stopped for it is not.
	Running [job.QuotaLevels + 1]int64   `cbor:"22,keyasint"`
	Workers [job.QuotaLevels + 1]float64 `cbor:"23,keyasint"`
	// Ready is how many of its jobs could run.
	Ready int64 `cbor:"24,keyasint"`
}

// MaxAccounts is how many accounts a namespace may have.
const MaxAccounts = 10_000

// AddAccount makes an account, with a balance to begin with; what waits or runs
// under its name is its own from now on. by, here and below, is who asks, for the
// log. Errors: Invalid, Exists, Exhausted.
func (n *Namespace) AddAccount(ctx context.Context, a job.Account, balance job.Quota, by string, once ...Once) (AccountState, error) {
	if err := a.Validate(); err != nil {
		return AccountState{}, err
	}
	if _, err := job.QuotaOf(balance[:]...); err != nil {
		return AccountState{}, job.Wrap(err, "balance of account", a.Name)
	}
	return doOnce(ctx, n, "add account", one(once), func(w *writer) (AccountState, error) {
		switch _, there := w.ledger.accounts[a.Name]; {
		case there:
			return AccountState{}, job.Errorf(job.Exists, "add account %s: there is one of that name", a.Name)
		case len(w.ledger.accounts) >= MaxAccounts:
			return AccountState{}, job.Errorf(job.Exhausted, "add account %s: there are %d already, which is as many as a namespace may have", a.Name, MaxAccounts)
		}
		w.setAccount(&a)
		w.sched.SetBalance(a.Name, schedule.Balance(balance), w.state.Now())
		details := a.Settings()
		if balance != (job.Quota{}) {
			details["balance"] = balance.String()
		}
		w.record(job.EventRow{Kind: job.EventAccountAdded, Account: a.Name, Who: by, Details: details})
		return w.accountState(a.Name), nil
	})
}

// ModifyAccount changes an account: edit gets a copy of its settings, and may change
// all but the name. The balance stays. Errors: NotFound, Invalid, what edit says.
func (n *Namespace) ModifyAccount(ctx context.Context, name string, edit func(*job.Account) error, by string, once ...Once) (AccountState, error) {
	return doOnce(ctx, n, "modify account", one(once), func(w *writer) (AccountState, error) {
		old := w.ledger.accounts[name]
		if old == nil {
			return AccountState{}, errNoAccount(name)
		}
		a := cloneAccount(old)
		if err := edit(&a); err != nil {
			return AccountState{}, err
		}
		if a.Name != name {
			return AccountState{}, job.Errorf(job.Invalid, "account %s cannot be renamed; add another one", name)
		}
		if err := a.Validate(); err != nil {
			return AccountState{}, err
		}
		changed := job.Differences(old.Settings(), a.Settings())
		w.setAccount(&a)
		if len(changed) > 0 {
			w.record(job.EventRow{Kind: job.EventAccountChanged, Account: name, Who: by, Details: changed})
		}
		return w.accountState(name), nil
	})
}

// ResetAccount makes an account's balance zero, debts too. Errors: NotFound.
func (n *Namespace) ResetAccount(ctx context.Context, name, by string, once ...Once) (AccountState, error) {
	return doOnce(ctx, n, "reset account", one(once), func(w *writer) (AccountState, error) {
		if w.ledger.accounts[name] == nil {
			return AccountState{}, errNoAccount(name)
		}
		was := w.accountState(name).Balance
		w.sched.ResetBalance(name)
		w.fresh = true
		w.record(job.EventRow{Kind: job.EventAccountReset, Account: name, Who: by, Details: map[string]string{"balance": was.String()}})
		return w.accountState(name), nil
	})
}

// RemoveAccount forgets an account and its balance. Jobs that name it stay as they
// are; what runs goes on, for free. Errors: NotFound.
func (n *Namespace) RemoveAccount(ctx context.Context, name, by string, once ...Once) error {
	_, err := doOnce(ctx, n, "remove account", one(once), func(w *writer) (struct{}, error) {
		a := w.ledger.accounts[name]
		if a == nil {
			return struct{}{}, errNoAccount(name)
		}
		details := a.Settings()
		details["balance"] = w.accountState(name).Balance.String()
		w.dropAccount(name)
		w.record(job.EventRow{Kind: job.EventAccountRemoved, Account: name, Who: by, Details: details})
		return struct{}{}, nil
	})
	return err
}

// Account is one account as it stands. Errors: NotFound.
func (n *Namespace) Account(ctx context.Context, name string) (AccountState, error) {
	return call(ctx, n, normal, func(w *writer) (AccountState, error) {
		if w.ledger.accounts[name] == nil {
			return AccountState{}, errNoAccount(name)
		}
		return w.accountState(name), nil
	})
}

// Accounts are all accounts as they stand, by name. Names that jobs give and nobody
// added are not among them.
func (n *Namespace) Accounts(ctx context.Context) ([]AccountState, error) {
	return call(ctx, n, normal, func(w *writer) ([]AccountState, error) {
		all := make([]AccountState, 0, len(w.ledger.accounts))
		for _, b := range w.sched.Balances(w.state.Now()) {
			all = append(all, w.stateOf(b))
		}
		return all, nil
	})
}

func errNoAccount(name string) error {
	return job.Errorf(job.NotFound, "there is no account %q", name)
}

// one is the first of what may be left out.
func one(once []Once) (o Once) {
	if len(once) > 0 {
		o = once[0]
	}
	return o
}

// setAccount makes an account known, or changes it.
func (w *writer) setAccount(a *job.Account) {
	kept := cloneAccount(a)
	if w.ledger.accounts == nil {
		w.ledger.accounts = map[string]*job.Account{}
	}
	w.ledger.accounts[a.Name] = &kept
	w.sched.SetAccount(a.Name, settingsOf(a))
	w.fresh = true // what waits may be served in another order
}

func (w *writer) dropAccount(name string) {
	delete(w.ledger.accounts, name)
	w.ledger.removed(name)
	w.sched.DropAccount(name)
	w.fresh = true
}

func (w *writer) accountState(name string) AccountState {
	for _, b := range w.sched.Balances(w.state.Now()) {
		if b.Name == name {
			return w.stateOf(b)
		}
	}
	return AccountState{}
}

func (w *writer) stateOf(b schedule.AccountState) AccountState {
	use := w.sched.Use(b.Name)
	return AccountState{
		Account: cloneAccount(w.ledger.accounts[b.Name]), Balance: job.Quota(b.Balance), At: b.At.Std(),
		Running: use.Runs, Workers: use.Workers, Ready: use.Ready,
	}
}

func cloneAccount(a *job.Account) job.Account {
	c := *a
	c.LabelLimits = maps.Clone(a.LabelLimits)
	return c
}

func settingsOf(a *job.Account) schedule.Account {
	return schedule.Account{
		Rate: schedule.Balance(a.Rate), Window: a.Window, MaxFanout: a.MaxFanout,
		LabelLimits: a.LabelLimits, NoFree: a.NoFree,
	}
}

// SetDefaultAccount says who pays for jobs that name no account, in queues that
// name none; empty: nobody. It need not exist. Errors: Invalid.
func (n *Namespace) SetDefaultAccount(ctx context.Context, name, by string, once ...Once) error {
	if name != "" {
		if err := job.CheckName("account", name); err != nil {
			return err
		}
	}
	_, err := doOnce(ctx, n, "set default account", one(once), func(w *writer) (struct{}, error) {
		was := w.state.Meta().Account
		w.state.SetAccount(name)
		w.feed()
		if name != was {
			w.record(job.EventRow{Kind: job.EventDefaultAccount, Account: name, Who: by, Details: map[string]string{"old": was, "new": name}})
		}
		return struct{}{}, nil
	})
	return err
}

// DefaultAccount is who pays for jobs that name no account, in queues that name none.
func (n *Namespace) DefaultAccount(ctx context.Context) (string, error) {
	return call(ctx, n, normal, func(w *writer) (string, error) { return w.state.Meta().Account, nil })
}
