package token

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"io/fs"
	"os"
	"strings"
	"sync"

	"github.com/muster-queue/muster/job"
	"github.com/muster-queue/muster/server/private"
)

// Lent is what a token says that is lent to an attempt, for its command to use. It is
// good for as long as the attempt is held, which whoever checks it must find out.
type Lent struct {
	Namespace string        `cbor:"1,keyasint"`
	Attempt   job.AttemptID `cbor:"2,keyasint"`
	Seq       job.Seq       `cbor:"3,keyasint"`
	// Account is the one that pays for the job; empty if it named none.
	Account string `cbor:"4,keyasint,omitempty"`
}

// Holder is the token as one of those that are kept: a submitter's, for the job's
// namespace and account.
func (l *Lent) Holder() *Holder {
	return &Holder{Token: Token{
		ID: "attempt " + l.Attempt.String(), Name: "lent to a job of " + l.Namespace,
		Role: Submitter, Namespace: l.Namespace, Account: l.Account,
	}}
}

// Lender makes lent tokens and knows its own again. They are kept nowhere: each has
// what it says in it, authenticated (HMAC-SHA-256) with the key of a file, so that
// a server that was started again knows them, too. Its methods may be called by anyone
// at any time.
type Lender struct {
	path string

	mu  sync.Mutex
	key []byte
}

// NewLender is a lender with the key of a file; it is made with the first token.
func NewLender(path string) *Lender { return &Lender{path: path} }

const (
	lentPrefix = "lent."
	keyBytes   = 32
	// longestLent is more than any lent token's length.
	longestLent = 4096
)

// IsLent tells by its form whether a token is a lent one.
func IsLent(secret string) bool { return strings.HasPrefix(secret, lentPrefix) }

// Lend makes a token.
func (l *Lender) Lend(t *Lent) (string, error) {
	key, err := l.secretKey(true)
	if err != nil {
		return "", err
	}
	body, err := job.Encode(nil, t)
	if err != nil {
		return "", err
	}
	said := base64.RawURLEncoding.EncodeToString(body)
	return lentPrefix + said + "." + base64.RawURLEncoding.EncodeToString(sum(key, said)), nil
}

// Check reads a lent token. One that this lender did not make is an Unauthenticated
// error. Nothing of it is looked at before it is known to be the lender's own.
func (l *Lender) Check(secret string) (*Lent, error) {
	said, mac, ok := strings.Cut(strings.TrimPrefix(secret, lentPrefix), ".")
	if !ok || len(secret) > longestLent || !IsLent(secret) {
		return nil, errUnknown
	}
	key, err := l.secretKey(false)
	if err != nil {
		return nil, err
	}
	given, err := base64.RawURLEncoding.DecodeString(mac)
	if err != nil || key == nil || !hmac.Equal(given, sum(key, said)) {
		return nil, errUnknown
	}
	body, err := base64.RawURLEncoding.DecodeString(said)
	if err != nil {
		return nil, errUnknown
	}
	t := new(Lent)
	return t, job.Wrap(job.Decode(body, t), "read", "the lent token")
}

func sum(key []byte, said string) []byte {
	h := hmac.New(sha256.New, key)
	h.Write([]byte("muster lent token\x00" + said))
	return h.Sum(nil)
}

// secretKey reads the key, once; made says to make one where there is none. Without
// that, there being none is no error: no token was lent yet.
func (l *Lender) secretKey(made bool) ([]byte, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.key != nil {
		return l.key, nil
	}
	key, err := os.ReadFile(l.path)
	if errors.Is(err, fs.ErrNotExist) {
		if !made {
			return nil, nil
		}
		key = make([]byte, keyBytes)
		_, _ = rand.Read(key) // never fails
		err = private.WriteFile(l.path, key)
	}
	switch {
	case err != nil:
		return nil, job.Errorf(job.Internal, "the key of lent tokens: %w", err)
	case len(key) != keyBytes:
		return nil, job.Errorf(job.Damaged, "the key of lent tokens, %s, has %d bytes instead of %d; remove it, and another one is made", l.path, len(key), keyBytes)
	}
	l.key = key
	return key, nil
}
