package client

import (
	"context"
	"iter"

	"github.com/muster-queue/muster/api"
	musterv1 "github.com/muster-queue/muster/api/muster/v1"
	"github.com/muster-queue/muster/job"
)

// NamespaceInfo is a namespace as it stands.
type NamespaceInfo struct {
	Name                    string
	Counts                  job.Counts
	Queues, Groups, Workers int64
	Paused, Draining        bool
	// DefaultAccount pays for jobs that name no account, neither by themselves nor
	// by their queue.
	DefaultAccount string
	// Epoch is its incarnation, raised at each load.
	Epoch uint32
}

// CreateNamespace makes a namespace; Exists if it is there.
func (c *Client) CreateNamespace(ctx context.Context, name string) error {
	_, err := c.namespaces.CreateNamespace(ctx, &musterv1.CreateNamespaceRequest{Namespace: name})
	if err != nil {
		return c.failure(ctx, err)
	}
	return nil
}

// Namespaces lists the names of all namespaces, in order.
func (c *Client) Namespaces(ctx context.Context) iter.Seq2[string, error] {
	return pages(func(token string) ([]string, string, error) {
		m, err := call(ctx, c, c.namespaces.ListNamespaces, &musterv1.ListNamespacesRequest{PageToken: token})
		return m.GetNamespaces(), m.GetNextPageToken(), err
	})
}

// Summary sums the namespace up.
func (n *Namespace) Summary(ctx context.Context) (*NamespaceInfo, error) {
	m, err := call(ctx, n.c, n.c.namespaces.GetNamespace, &musterv1.GetNamespaceRequest{Namespace: n.name})
	if err != nil {
		return nil, err
	}
	return &NamespaceInfo{
		Name: m.Name, Counts: api.ToCounts(m.Counts), Queues: m.Queues, Groups: m.Groups, Workers: m.Workers,
		Paused: m.Paused, Draining: m.Draining, Epoch: m.Epoch, DefaultAccount: m.DefaultAccount,
	}, nil
}

// Destroy deletes the namespace with all it holds; while attempts are held only
// with force.
func (n *Namespace) Destroy(ctx context.Context, force bool) error {
	_, err := n.c.namespaces.DestroyNamespace(ctx, &musterv1.DestroyNamespaceRequest{Namespace: n.name, Force: force})
	if err != nil {
		return n.c.failure(ctx, err)
	}
	return nil
}
