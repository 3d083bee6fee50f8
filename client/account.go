package client

import (
	"context"
	"iter"
	"time"

	"google.golang.org/protobuf/types/known/fieldmaskpb"

	"github.com/muster-queue/muster/api"
	musterv1 "github.com/muster-queue/muster/api/muster/v1"
	"github.com/muster-queue/muster/job"
)

// Accounts are those of a namespace, or of a pool of an external scheduler in it.
type Accounts struct {
	n    *Namespace
	pool string
}

// Accounts are the accounts of a pool of an external scheduler; empty: those that
// pay for the namespace's own jobs.
func (n *Namespace) Accounts(pool string) *Accounts { return &Accounts{n: n, pool: pool} }

// AccountInfo is an account as it stands.
type AccountInfo struct {
	job.Account
	// Balance is its quota At, in worker-seconds at each level.
	Balance job.Quota
	At      time.Time
	// Running are its jobs that run, and Workers what they take of machines, by
	// level; the last number is of those that run for free.
	Running [job.QuotaLevels + 1]int64
	Workers [job.QuotaLevels + 1]float64
	// Ready is how many of its jobs could run now.
	Ready int64
}

// Cap is how much quota it may gather at each level, in worker-seconds.
func (a *AccountInfo) Cap() (limit job.Quota) {
	for level, r := range a.Rate {
		limit[level] = r * a.Window.Seconds()
	}
	return limit
}

// Add makes an account with a balance to begin with; Exists if it is there. One
// without a window gets job.DefaultWindow.
func (s *Accounts) Add(ctx context.Context, a *job.Account, balance job.Quota) (*AccountInfo, error) {
	return s.info(call(ctx, s.n.c, s.n.c.accounts.AddAccount, &musterv1.AddAccountRequest{
		Namespace: s.n.name, Pool: s.pool, Account: api.FromAccount(a), Balance: api.FromQuota(balance), RequestId: newID(),
	}))
}

// Set changes the named fields of an account (none: all): description, rate,
// window, max_fanout, label_limits, no_free. Its balance stays.
func (s *Accounts) Set(ctx context.Context, a *job.Account, fields ...string) (*AccountInfo, error) {
	request := &musterv1.SetAccountRequest{Namespace: s.n.name, Pool: s.pool, Account: api.FromAccount(a), RequestId: newID()}
	if len(fields) > 0 {
		request.UpdateMask = &fieldmaskpb.FieldMask{Paths: fields}
	}
	return s.info(call(ctx, s.n.c, s.n.c.accounts.SetAccount, request))
}

// Reset makes the balance of an account zero.
func (s *Accounts) Reset(ctx context.Context, name string) (*AccountInfo, error) {
	return s.info(call(ctx, s.n.c, s.n.c.accounts.ResetAccount, &musterv1.ResetAccountRequest{
		Namespace: s.n.name, Pool: s.pool, Account: name, RequestId: newID(),
	}))
}

// Remove removes an account. What runs of it goes on, for free.
func (s *Accounts) Remove(ctx context.Context, name string) error {
	_, err := call(ctx, s.n.c, s.n.c.accounts.RemoveAccount, &musterv1.RemoveAccountRequest{
		Namespace: s.n.name, Pool: s.pool, Account: name, RequestId: newID(),
	})
	return err
}

// Get is an account; NotFound if it does not exist.
func (s *Accounts) Get(ctx context.Context, name string) (*AccountInfo, error) {
	return s.info(call(ctx, s.n.c, s.n.c.accounts.GetAccount, &musterv1.GetAccountRequest{
		Namespace: s.n.name, Pool: s.pool, Account: name,
	}))
}

// All lists the accounts, in order of names.
func (s *Accounts) All(ctx context.Context) iter.Seq2[*AccountInfo, error] {
	return pages(func(token string) ([]*AccountInfo, string, error) {
		m, err := call(ctx, s.n.c, s.n.c.accounts.ListAccounts, &musterv1.ListAccountsRequest{
			Namespace: s.n.name, Pool: s.pool, PageSize: maxPage, PageToken: token,
		})
		if err != nil {
			return nil, "", err
		}
		list, err := convert(m.Accounts, toAccountInfo)
		return list, m.NextPageToken, err
	})
}

// SetDefaultAccount says who pays for jobs that name no account, neither by
// themselves nor by their queue; empty: nobody.
func (n *Namespace) SetDefaultAccount(ctx context.Context, name string) error {
	_, err := call(ctx, n.c, n.c.accounts.SetDefaultAccount, &musterv1.SetDefaultAccountRequest{Namespace: n.name, Account: name})
	return err
}

func (s *Accounts) info(m *musterv1.AccountInfo, err error) (*AccountInfo, error) {
	if err != nil {
		return nil, err
	}
	return toAccountInfo(m)
}

func toAccountInfo(m *musterv1.AccountInfo) (*AccountInfo, error) {
	a, err := api.ToAccount(m.Account)
	if err != nil {
		return nil, answered(err)
	}
	i := &AccountInfo{Account: *a, At: stamp(m.At), Ready: m.Ready}
	i.Balance, err = api.ToQuota("balance", m.Balance)
	copy(i.Running[:], m.Running)
	copy(i.Workers[:], m.Workers)
	return i, answered(err)
}
