// Package token keeps the tokens that requests to a server carry: who their
// holder is, what it may do, and until when. A token's secret is shown once,
// when it is made; only its SHA-256 is stored. Package server is its only caller.
package token

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/muster-queue/muster/job"
)

// Token is what is known of a token, its secret apart.
type Token struct {
	// ID is the public first part of the token, to list and revoke it by.
	ID   string `json:"id"`
	Name string `json:"name,omitempty"`
	Role Role   `json:"role"`
	// Namespace is the only one it is good for; empty means all.
	Namespace string `json:"namespace,omitempty"`
	// Account is the only one its jobs are charged to; empty means any.
	Account string    `json:"account,omitempty"`
	Created time.Time `json:"created"`
	// Expires is zero for a token that is good for ever.
	Expires time.Time `json:"expires,omitzero"`
	// Used is when it was last seen, as of the last write of the file.
	Used time.Time `json:"used,omitzero"`
	// Hash is the SHA-256 of the whole token in hexadecimal.
	Hash string `json:"sha256"`
}

// Validate checks what a person chooses of a token.
func (t *Token) Validate() error {
	if _, err := ParseRole(string(t.Role)); err != nil {
		return err
	}
	for _, f := range []struct{ field, value string }{{"name", t.Name}, {"namespace", t.Namespace}, {"account", t.Account}} {
		if f.value == "" {
			continue
		}
		if err := job.CheckName(f.field, f.value); err != nil {
			return err
		}
	}
	return nil
}

// Sizes of a token's two parts, in bytes before encoding.
const (
	idBytes     = 8
	secretBytes = 32
)

// longest is more than any token's length, so that absurd ones are not hashed.
const longest = 256

// newSecret makes a token: its id, a dot and 43 characters of randomness.
func newSecret() (id, secret string) {
	var b [idBytes + secretBytes]byte
	_, _ = rand.Read(b[:]) // never fails
	id = hex.EncodeToString(b[:idBytes])
	return id, id + "." + base64.RawURLEncoding.EncodeToString(b[idBytes:])
}

// idOf is the id part of a token that has the right form.
func idOf(secret string) (string, bool) {
	id, random, ok := strings.Cut(secret, ".")
	return id, ok && len(id) == 2*idBytes && len(random) == base64.RawURLEncoding.EncodedLen(secretBytes)
}

func hashOf(secret string) string {
	sum := sha256.Sum256([]byte(secret))
	return hex.EncodeToString(sum[:])
}

// Holder is a token in use. Streams that live long ask it whether the token is
// still good.
type Holder struct {
	Token

	used    atomic.Int64 // Unix nanoseconds of the last use
	mu      sync.Mutex
	revoked bool
	next    uint64
	ends    map[uint64]func(error)
}

// errRevoked ends what a revoked token began.
var errRevoked = job.Errorf(job.Unauthenticated, "the token was revoked; ask for a new one")

// errUnknown does not tell a wrong secret from an unknown id.
var errUnknown = job.Errorf(job.Unauthenticated, "the token is not known to this server; is it of another server, or was it revoked?")

// Err is nil while the token is good.
func (h *Holder) Err(now time.Time) error {
	if !h.Expires.IsZero() && now.After(h.Expires) {
		return job.Errorf(job.Unauthenticated, "the token %s (%s) expired at %s; ask for a new one",
			h.ID, h.Name, h.Expires.UTC().Format(time.DateTime))
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.revoked {
		return errRevoked
	}
	return nil
}

// OnRevoke has end called when the token is revoked, at once if it was. The
// function returned takes that back.
func (h *Holder) OnRevoke(end func(error)) (forget func()) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.revoked {
		go end(errRevoked)
		return func() {}
	}
	if h.ends == nil {
		h.ends = map[uint64]func(error){}
	}
	h.next++
	n := h.next
	h.ends[n] = end
	return func() {
		h.mu.Lock()
		delete(h.ends, n)
		h.mu.Unlock()
	}
}

func (h *Holder) revoke() {
	h.mu.Lock()
	h.revoked = true
	ends := h.ends
	h.ends = nil
	h.mu.Unlock()
	for _, end := range ends {
		end(errRevoked)
	}
}

// matches compares in constant time.
func (h *Holder) matches(secret string) bool {
	return subtle.ConstantTimeCompare([]byte(h.Hash), []byte(hashOf(secret))) == 1
}
