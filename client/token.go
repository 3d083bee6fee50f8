package client

import (
	"context"
	"time"

	"github.com/muster-queue/muster/api"
	musterv1 "github.com/muster-queue/muster/api/muster/v1"
)

// Token is what is known of a token: not its secret.
type Token struct {
	// ID is what it is revoked by.
	ID, Name string
	// Role is admin, operator, submitter, worker or reader.
	Role string
	// Namespace is the only one it is good for; empty: all.
	Namespace, Account string
	// Expires is zero for one that never does, Used for one never used.
	Created, Expires, Used time.Time
}

// CreateToken makes a token of a name, role, namespace and account, good for a
// lifetime (zero: for ever). The secret is given only here.
func (c *Client) CreateToken(ctx context.Context, t Token, lifetime time.Duration) (made Token, secret string, err error) {
	m, err := c.tokens.CreateToken(ctx, &musterv1.CreateTokenRequest{
		Name: t.Name, Role: t.Role, Namespace: t.Namespace, Account: t.Account, Lifetime: api.FromDuration(lifetime),
	})
	if err != nil { // not repeated: a lost answer would leave a token nobody knows of
		return Token{}, "", c.failure(ctx, err)
	}
	return toToken(m.Token), m.Secret, nil
}

// Tokens lists all tokens.
func (c *Client) Tokens(ctx context.Context) ([]Token, error) {
	m, err := call(ctx, c, c.tokens.ListTokens, &musterv1.ListTokensRequest{})
	if err != nil {
		return nil, err
	}
	list := make([]Token, len(m.Tokens))
	for i, t := range m.Tokens {
		list[i] = toToken(t)
	}
	return list, nil
}

// RevokeToken makes a token worthless.
func (c *Client) RevokeToken(ctx context.Context, id string) error {
	_, err := call(ctx, c, c.tokens.RevokeToken, &musterv1.RevokeTokenRequest{Id: id})
	return err
}

func toToken(m *musterv1.Token) Token {
	return Token{
		ID: m.GetId(), Name: m.GetName(), Role: m.GetRole(), Namespace: m.GetNamespace(), Account: m.GetAccount(),
		Created: stamp(m.GetCreated()), Expires: stamp(m.GetExpires()), Used: stamp(m.GetUsed()),
	}
}
