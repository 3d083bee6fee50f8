package client

import (
	"context"
	"time"

	musterv1 "github.com/muster-queue/muster/api/muster/v1"
	"github.com/muster-queue/muster/job"
)

// Secret is what is known of a secret that the server keeps: not its value.
type Secret struct {
	Name string
	Set  time.Time
	// Size of the value in bytes.
	Size int
	// By is the id of the token that set it.
	By string
}

// SetSecret keeps a value under a name, in place of one of that name (replaced).
// Nobody can read it back; commands get it by naming it in Secrets.
func (n *Namespace) SetSecret(ctx context.Context, name string, value []byte) (replaced bool, err error) {
	m, err := call(ctx, n.c, n.c.secrets.SetSecret, &musterv1.SetSecretRequest{Namespace: n.name, Name: name, Value: value})
	return m.GetReplaced(), err
}

// Secrets lists the secrets, sorted by name.
func (n *Namespace) Secrets(ctx context.Context) ([]Secret, error) {
	m, err := call(ctx, n.c, n.c.secrets.ListSecrets, &musterv1.ListSecretsRequest{Namespace: n.name})
	if err != nil {
		return nil, err
	}
	list := make([]Secret, len(m.Secrets))
	for i, s := range m.Secrets {
		list[i] = Secret{Name: s.Name, Set: stamp(s.Set), Size: int(s.Size), By: s.By}
	}
	return list, nil
}

// RemoveSecret forgets a secret; NotFound if there is none of that name.
func (n *Namespace) RemoveSecret(ctx context.Context, name string) error {
	_, err := n.c.secrets.RemoveSecret(ctx, &musterv1.RemoveSecretRequest{Namespace: n.name, Name: name})
	if err != nil { // not repeated: the repeat of one whose answer was lost would find nothing
		return n.c.failure(ctx, err)
	}
	return nil
}

// Revealed is what the command of an attempt may know: values of the server's secrets
// that it names, by the names of the secrets, and the token that it is lent, if it
// emulates another batch system.
type Revealed struct {
	Values map[string][]byte
	Token  string
}

// RevealSecrets is for agents: what the command of an attempt that the agent holds
// may know.
func (n *Namespace) RevealSecrets(ctx context.Context, id job.AttemptID, seq uint64) (Revealed, error) {
	m, err := call(ctx, n.c, n.c.secrets.RevealSecrets, &musterv1.RevealSecretsRequest{
		Namespace: n.name, Epoch: id.Epoch, N: id.N, Seq: seq,
	})
	return Revealed{Values: m.GetValues(), Token: m.GetToken()}, err
}
