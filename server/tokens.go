package server

import (
	"context"
	"maps"
	"time"

	"github.com/muster-queue/muster/api"
	v1 "github.com/muster-queue/muster/api/muster/v1"
	"github.com/muster-queue/muster/job"
	"github.com/muster-queue/muster/server/token"
)

// CreateToken makes a token. An admin of one namespace makes tokens for that only.
func (s *tokensService) CreateToken(ctx context.Context, m *v1.CreateTokenRequest) (*v1.CreateTokenResponse, error) {
	role, err := token.ParseRole(m.Role)
	if err != nil {
		return nil, err
	}
	t := token.Token{Name: m.Name, Role: role, Namespace: m.Namespace, Account: m.Account}
	own := callerOf(ctx)
	if own.Namespace != "" {
		if t.Namespace, err = scope(ctx, m.Namespace); err != nil {
			return nil, err
		}
	}
	if own.Account != "" && t.Account != own.Account {
		return nil, job.Errorf(job.Denied, "account: the token is for account %s; it cannot make one for %.60q", own.Account, t.Account)
	}
	lifetime, err := api.ToDuration("lifetime", m.Lifetime)
	if err != nil {
		return nil, err
	}
	now := time.Now()
	switch {
	case lifetime < 0 || lifetime > job.MaxTime:
		return nil, job.Errorf(job.Invalid, "lifetime: %v; it must be positive and at most ten years", lifetime)
	case lifetime > 0:
		t.Expires = now.Add(lifetime).UTC().Truncate(time.Second)
	}
	t, secret, err := s.tokens.Create(t, now)
	if err != nil {
		return nil, err
	}
	s.noteToken(ctx, job.EventTokenMade, &t)
	return &v1.CreateTokenResponse{Token: tokenMessage(&t), Secret: secret}, nil
}

// ListTokens lists the tokens, those of its namespace for an admin of one.
func (s *tokensService) ListTokens(ctx context.Context, _ *v1.ListTokensRequest) (*v1.ListTokensResponse, error) {
	own := callerOf(ctx).Namespace
	m := &v1.ListTokensResponse{}
	for _, t := range s.tokens.List() {
		if own == "" || own == t.Namespace {
			m.Tokens = append(m.Tokens, tokenMessage(&t))
		}
	}
	return m, nil
}

// RevokeToken ends a token, and the streams it opened.
func (s *tokensService) RevokeToken(ctx context.Context, m *v1.RevokeTokenRequest) (*v1.RevokeTokenResponse, error) {
	was := s.tokenOf(m.Id)
	if own := callerOf(ctx).Namespace; own != "" && was.Namespace != own {
		return nil, job.Errorf(job.NotFound, "there is no token with the id %.40q in namespace %s", m.Id, own)
	}
	if err := s.tokens.Revoke(m.Id); err != nil {
		return nil, err
	}
	s.rates.forget(m.Id)
	s.noteToken(ctx, job.EventTokenRevoked, &was)
	return &v1.RevokeTokenResponse{}, nil
}

// tokenOf is the token of an id; its zero value if there is none.
func (s *tokensService) tokenOf(id string) token.Token {
	for _, t := range s.tokens.List() {
		if t.ID == id {
			return t
		}
	}
	return token.Token{}
}

// noteToken tells the log of a token's namespace, or of the default one, that it was
// made or revoked.
func (s *tokensService) noteToken(ctx context.Context, kind string, t *token.Token) {
	details := map[string]string{"token": t.ID, "name": t.Name, "role": string(t.Role), "namespace": t.Namespace}
	if !t.Expires.IsZero() && kind == job.EventTokenMade {
		details["expires"] = t.Expires.Format(time.RFC3339)
	}
	maps.DeleteFunc(details, func(_, value string) bool { return value == "" })
	s.note(ctx, t.Namespace, kind, details)
}

func tokenMessage(t *token.Token) *v1.Token {
	return &v1.Token{
		Id: t.ID, Name: t.Name, Role: string(t.Role), Namespace: t.Namespace, Account: t.Account,
		Created: api.FromTime(t.Created), Expires: api.FromTime(t.Expires), Used: api.FromTime(t.Used),
	}
}
