package server

import (
	"bytes"
	"cmp"
	"context"
	"time"

	"github.com/muster-queue/muster/api"
	v1 "github.com/muster-queue/muster/api/muster/v1"
	"github.com/muster-queue/muster/engine"
	"github.com/muster-queue/muster/job"
	"github.com/muster-queue/muster/queue"
	"github.com/muster-queue/muster/server/token"
)

// secretRoom is where the documents of secrets are, by name.
const secretRoom = "secrets"

// maxSecrets bounds the secrets of a namespace.
const maxSecrets = job.MaxList

// storedSecret is what is stored of a secret.
type storedSecret struct {
	Set    time.Time `cbor:"1,keyasint"`
	By     string    `cbor:"2,keyasint,omitempty"`
	Size   int       `cbor:"3,keyasint"`
	Sealed []byte    `cbor:"4,keyasint"`
}

// SetSecret seals a value and keeps it.
func (s *secretsService) SetSecret(ctx context.Context, m *v1.SetSecretRequest) (*v1.SetSecretResponse, error) {
	ns, err := s.namespace(ctx, m.Namespace)
	if err != nil {
		return nil, err
	}
	if err := checkSecret(m); err != nil {
		return nil, err
	}
	old, err := findSecret(ns, m.Name)
	if err == nil && old == nil {
		err = roomForSecret(ns)
	}
	if err != nil {
		return nil, err
	}
	sealed, err := s.sealer.Seal(ns.Name(), m.Name, m.Value)
	if err != nil {
		return nil, err
	}
	body, err := job.Encode(nil, &storedSecret{Set: time.Now().UTC(), By: callerOf(ctx).ID, Size: len(m.Value), Sealed: sealed})
	if err != nil {
		return nil, err
	}
	err = ns.PutDocuments(ctx, []job.Document{{Room: secretRoom, Key: m.Name, Body: body}},
		job.EventRow{Kind: job.EventSecretSet, Who: who(ctx), Details: map[string]string{"secret": m.Name}})
	return &v1.SetSecretResponse{Replaced: old != nil}, err
}

func checkSecret(m *v1.SetSecretRequest) error {
	if err := job.CheckSecretName(m.Name); err != nil {
		return err
	}
	if len(m.Value) > job.MaxSecret {
		return job.Errorf(job.Invalid, "value: %d bytes; a secret has at most %d", len(m.Value), job.MaxSecret)
	}
	if bytes.IndexByte(m.Value, 0) >= 0 {
		return job.Errorf(job.Invalid, "value: it has a NUL byte, which no variable can carry")
	}
	return nil
}

// findSecret is a secret; nil if there is none.
func findSecret(ns *engine.Namespace, name string) (found *storedSecret, err error) {
	var body []byte
	err = ns.Documents(secretRoom, name, func(key string, b []byte) bool {
		if key == name {
			body = b
		}
		return false // of the keys that begin so, the name itself is the first
	})
	if err != nil || body == nil {
		return nil, err
	}
	found = new(storedSecret)
	return found, job.Wrap(job.Decode(body, found), "read the secret", name)
}

func roomForSecret(ns *engine.Namespace) error {
	count := 0
	err := ns.Documents(secretRoom, "", func(string, []byte) bool {
		count++
		return true
	})
	if err == nil && count >= maxSecrets {
		err = job.Errorf(job.Exhausted, "there are %d secrets in namespace %s, the most there may be; remove one first", count, ns.Name())
	}
	return err
}

// ListSecrets lists the secrets, without their values.
func (s *secretsService) ListSecrets(ctx context.Context, m *v1.ListSecretsRequest) (*v1.ListSecretsResponse, error) {
	ns, err := s.namespace(ctx, m.Namespace)
	if err != nil {
		return nil, err
	}
	out := &v1.ListSecretsResponse{}
	var bad error
	err = ns.Documents(secretRoom, "", func(name string, body []byte) bool {
		var st storedSecret
		bad = job.Wrap(job.Decode(body, &st), "read the secret", name)
		out.Secrets = append(out.Secrets, &v1.Secret{Name: name, Set: api.FromTime(st.Set), Size: int32(st.Size), By: st.By})
		return bad == nil
	})
	return out, cmp.Or(err, bad)
}

// RemoveSecret forgets a secret. Jobs that name it fail when they are started.
func (s *secretsService) RemoveSecret(ctx context.Context, m *v1.RemoveSecretRequest) (*v1.RemoveSecretResponse, error) {
	ns, err := s.namespace(ctx, m.Namespace)
	if err != nil {
		return nil, err
	}
	st, err := findSecret(ns, m.Name)
	if err == nil && st == nil {
		err = job.Errorf(job.NotFound, "there is no secret %.80q in namespace %s", m.Name, ns.Name())
	}
	if err != nil {
		return nil, err
	}
	err = ns.PutDocuments(ctx, []job.Document{{Room: secretRoom, Key: m.Name, Gone: true}},
		job.EventRow{Kind: job.EventSecretRemoved, Who: who(ctx), Details: map[string]string{"secret": m.Name}})
	return &v1.RemoveSecretResponse{}, err
}

// RevealSecrets opens the secrets that the command of a held attempt names, and lends it
// a token if it emulates another batch system.
func (s *secretsService) RevealSecrets(ctx context.Context, m *v1.RevealSecretsRequest) (*v1.RevealSecretsResponse, error) {
	ns, err := s.namespace(ctx, m.Namespace)
	if err != nil {
		return nil, err
	}
	held := queue.Ref{Seq: job.Seq(m.Seq), Attempt: job.AttemptID{Epoch: m.Epoch, N: m.N}}
	j, err := ns.HeldJob(ctx, held)
	if err != nil {
		return nil, err
	}
	out := &v1.RevealSecretsResponse{Values: map[string][]byte{}}
	if j.Command.Emulate != "" {
		if out.Token, err = s.lender.Lend(&token.Lent{Namespace: ns.Name(), Attempt: held.Attempt, Seq: held.Seq, Account: j.Account}); err != nil {
			return nil, err
		}
	}
	for variable, text := range j.Command.Secrets {
		ref, err := job.ParseSecretRef(text)
		if err != nil || ref.Source != job.SecretStore {
			continue
		}
		if out.Values[ref.Name], err = s.reveal(ns, ref.Name); err != nil {
			return nil, job.Wrap(err, "", "secret for "+variable)
		}
	}
	return out, nil
}

// reveal opens one secret.
func (s *secretsService) reveal(ns *engine.Namespace, name string) ([]byte, error) {
	st, err := findSecret(ns, name)
	switch {
	case err != nil:
		return nil, err
	case st == nil:
		return nil, job.Errorf(job.NotFound, "there is no secret %q in namespace %s; set it with: muster secret set %[1]s", name, ns.Name())
	}
	return s.sealer.Open(ns.Name(), name, st.Sealed)
}
