package server

import (
	"context"
	"slices"
	"strings"

	"github.com/muster-queue/muster/api"
	v1 "github.com/muster-queue/muster/api/muster/v1"
	"github.com/muster-queue/muster/engine"
	"github.com/muster-queue/muster/job"
)

// accounts are the accounts of something that shares workers out: a namespace, or
// a pool of an external scheduler in it. by is who asks, for the log.
type accounts interface {
	AddAccount(ctx context.Context, a job.Account, balance job.Quota, by string, once ...engine.Once) (engine.AccountState, error)
	ModifyAccount(ctx context.Context, name string, edit func(*job.Account) error, by string, once ...engine.Once) (engine.AccountState, error)
	ResetAccount(ctx context.Context, name, by string, once ...engine.Once) (engine.AccountState, error)
	RemoveAccount(ctx context.Context, name, by string, once ...engine.Once) error
	Account(ctx context.Context, name string) (engine.AccountState, error)
	// Accounts are in order of names.
	Accounts(ctx context.Context) ([]engine.AccountState, error)
}

// accountsOf finds the accounts that a request is about.
func (s *Server) accountsOf(ctx context.Context, namespace, pool string) (accounts, error) {
	name, err := scope(ctx, namespace)
	if err != nil {
		return nil, err
	}
	if pool != "" {
		return s.external.Accounts(name, pool), nil
	}
	return s.engine.Namespace(ctx, name)
}

// editedAccounts is accountsOf for a caller that wants to change them. A token that
// is for one account may use it, not set its own share.
func (s *Server) editedAccounts(ctx context.Context, namespace, pool string) (accounts, error) {
	if own := callerOf(ctx).Account; own != "" {
		return nil, job.Errorf(job.Denied, "the token is for account %s: its jobs are paid by it, but accounts are changed with a token that is for none", own)
	}
	return s.accountsOf(ctx, namespace, pool)
}

// AddAccount makes an account.
func (s *accountsService) AddAccount(ctx context.Context, m *v1.AddAccountRequest) (*v1.AccountInfo, error) {
	in, err := s.editedAccounts(ctx, m.Namespace, m.Pool)
	if err != nil {
		return nil, err
	}
	a, err := readAccount(m.Account)
	if err != nil {
		return nil, err
	}
	balance, err := api.ToQuota("balance", m.Balance)
	if err != nil {
		return nil, err
	}
	return accountAnswer(in.AddAccount(ctx, *a, balance, who(ctx), once(ctx, m.RequestId)))
}

// SetAccount changes an account: as a whole, or the fields named.
func (s *accountsService) SetAccount(ctx context.Context, m *v1.SetAccountRequest) (*v1.AccountInfo, error) {
	in, err := s.editedAccounts(ctx, m.Namespace, m.Pool)
	if err != nil {
		return nil, err
	}
	edit, err := accountEditor(m)
	if err != nil {
		return nil, err
	}
	return accountAnswer(in.ModifyAccount(ctx, m.Account.GetName(), edit, who(ctx), once(ctx, m.RequestId)))
}

// accountEditor makes of a request what changes an account.
func accountEditor(m *v1.SetAccountRequest) (func(*job.Account) error, error) {
	given, err := readAccount(m.Account)
	if err != nil {
		return nil, err
	}
	fields := m.UpdateMask.GetPaths()
	if len(fields) == 0 {
		return func(a *job.Account) error {
			*a = *given
			return nil
		}, nil
	}
	return func(a *job.Account) error {
		whole := api.FromAccount(a)
		if err := applyMask(whole, m.Account, fields); err != nil {
			return err
		}
		edited, err := readAccount(whole)
		if err == nil {
			edited.Name = a.Name // it was named, not changed
			*a = *edited
		}
		return err
	}, nil
}

// readAccount reads the account of a message; one without a window gets the usual
// one.
func readAccount(m *v1.Account) (*job.Account, error) {
	a, err := api.ToAccount(m)
	if err == nil && a.Window == 0 {
		a.Window = job.DefaultWindow
	}
	return a, err
}

// ResetAccount makes a balance zero.
func (s *accountsService) ResetAccount(ctx context.Context, m *v1.ResetAccountRequest) (*v1.AccountInfo, error) {
	in, err := s.editedAccounts(ctx, m.Namespace, m.Pool)
	if err != nil {
		return nil, err
	}
	return accountAnswer(in.ResetAccount(ctx, m.Account, who(ctx), once(ctx, m.RequestId)))
}

// RemoveAccount removes an account.
func (s *accountsService) RemoveAccount(ctx context.Context, m *v1.RemoveAccountRequest) (*v1.RemoveAccountResponse, error) {
	in, err := s.editedAccounts(ctx, m.Namespace, m.Pool)
	if err != nil {
		return nil, err
	}
	return &v1.RemoveAccountResponse{}, in.RemoveAccount(ctx, m.Account, who(ctx), once(ctx, m.RequestId))
}

// GetAccount is an account as it stands.
func (s *accountsService) GetAccount(ctx context.Context, m *v1.GetAccountRequest) (*v1.AccountInfo, error) {
	in, err := s.accountsOf(ctx, m.Namespace, m.Pool)
	if err != nil {
		return nil, err
	}
	return accountAnswer(in.Account(ctx, m.Account))
}

// ListAccounts is a page of accounts in the order of their names.
func (s *accountsService) ListAccounts(ctx context.Context, m *v1.ListAccountsRequest) (*v1.ListAccountsResponse, error) {
	in, err := s.accountsOf(ctx, m.Namespace, m.Pool)
	if err != nil {
		return nil, err
	}
	after, size, err := pageOf("accounts", m.PageToken, m.PageSize)
	if err != nil {
		return nil, err
	}
	list, err := in.Accounts(ctx)
	if err != nil {
		return nil, err
	}
	from, found := slices.BinarySearchFunc(list, after, func(a engine.AccountState, name string) int { return strings.Compare(a.Name, name) })
	if found {
		from++
	}
	a := &v1.ListAccountsResponse{}
	list = list[from:]
	if len(list) > size {
		list, a.NextPageToken = list[:size], nextPage("accounts", list[size-1].Name)
	}
	for i := range list {
		a.Accounts = append(a.Accounts, accountInfo(&list[i]))
	}
	return a, nil
}

// SetDefaultAccount says who pays where nothing else does.
func (s *accountsService) SetDefaultAccount(ctx context.Context, m *v1.SetDefaultAccountRequest) (*v1.SetDefaultAccountResponse, error) {
	if _, err := s.editedAccounts(ctx, m.Namespace, ""); err != nil {
		return nil, err
	}
	ns, err := s.namespace(ctx, m.Namespace)
	if err != nil {
		return nil, err
	}
	return &v1.SetDefaultAccountResponse{}, ns.SetDefaultAccount(ctx, m.Account, who(ctx))
}

func accountAnswer(a engine.AccountState, err error) (*v1.AccountInfo, error) {
	if err != nil {
		return nil, err
	}
	return accountInfo(&a), nil
}

func accountInfo(a *engine.AccountState) *v1.AccountInfo {
	return &v1.AccountInfo{
		Account: api.FromAccount(&a.Account), Balance: api.FromQuota(a.Balance), At: api.FromTime(a.At),
		Running: levels(a.Running[:]), Workers: levels(a.Workers[:]), Ready: a.Ready,
	}
}

// levels has a number for each level, up to the last that is not zero.
func levels[T int64 | float64](list []T) []T {
	n := len(list)
	for n > 0 && list[n-1] == 0 {
		n--
	}
	return list[:n]
}
