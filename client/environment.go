package client

import (
	"context"

	"github.com/muster-queue/muster/api"
	musterv1 "github.com/muster-queue/muster/api/muster/v1"
)

// PutEnvironment stores "NAME=value" settings, once per distinct content, and
// gives the digest that commands name them by.
func (n *Namespace) PutEnvironment(ctx context.Context, settings []string) (digest string, err error) {
	content, digest, err := api.Environment(settings)
	if err != nil {
		return "", err
	}
	has, err := call(ctx, n.c, n.c.environments.HasEnvironment, &musterv1.HasEnvironmentRequest{Namespace: n.name, Digest: digest})
	if err != nil || has.Has {
		return digest, err
	}
	_, err = call(ctx, n.c, n.c.environments.PutEnvironment, &musterv1.PutEnvironmentRequest{
		Namespace: n.name, Digest: digest, Content: content,
	})
	return digest, err
}

// Environment gets the settings stored under a digest.
func (n *Namespace) Environment(ctx context.Context, digest string) ([]string, error) {
	m, err := call(ctx, n.c, n.c.environments.GetEnvironment, &musterv1.GetEnvironmentRequest{Namespace: n.name, Digest: digest})
	if err != nil {
		return nil, err
	}
	settings, err := api.ParseEnvironment(m.Content)
	return settings, answered(err)
}
