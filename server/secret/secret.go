// Package secret seals values with a key that lies in a file of its own, apart
// from the store, so that neither the store nor its backups tell them. Package
// server is its only caller.
package secret

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"errors"
	"io/fs"
	"os"
	"sync"

	"github.com/muster-queue/muster/job"
	"github.com/muster-queue/muster/server/private"
)

// Sealer seals values and opens them again. Its methods may be called from many
// goroutines.
type Sealer struct {
	path string

	mu   sync.Mutex
	aead cipher.AEAD
}

// keyBytes is the length of the key: AES-256.
const keyBytes = 32

// New is a sealer with the key of a file; it is made when something is sealed for
// the first time.
func New(path string) *Sealer { return &Sealer{path: path} }

// Seal seals a value. It can be opened only as the one of that namespace and name,
// so what is stored cannot be moved to where others may read it.
func (s *Sealer) Seal(namespace, name string, value []byte) ([]byte, error) {
	aead, err := s.cipher(true)
	if err != nil {
		return nil, err
	}
	return aead.Seal(nil, nil, value, context(namespace, name)), nil //nolint:gosec // it makes its nonce by itself
}

// Open opens what Seal sealed. A Damaged error says that the key is another one,
// or what was stored was changed.
func (s *Sealer) Open(namespace, name string, sealed []byte) ([]byte, error) {
	aead, err := s.cipher(false)
	if err != nil {
		return nil, err
	}
	value, err := aead.Open(nil, nil, sealed, context(namespace, name))
	if err != nil {
		return nil, job.Errorf(job.Damaged, "the secret %s of namespace %s cannot be opened: it was sealed with another key than that of %s; put that key back, or set the secret again", name, namespace, s.path)
	}
	return value, nil
}

func context(namespace, name string) []byte {
	return []byte("muster secret\x00" + namespace + "\x00" + name)
}

// cipher reads the key, once; made says to make one where there is none.
func (s *Sealer) cipher(made bool) (cipher.AEAD, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.aead != nil {
		return s.aead, nil
	}
	key, err := os.ReadFile(s.path)
	if errors.Is(err, fs.ErrNotExist) && made {
		key = make([]byte, keyBytes)
		_, _ = rand.Read(key) // never fails
		err = private.WriteFile(s.path, key)
	}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, job.Errorf(job.Damaged, "the key of the secrets is not there: put %s back, or set the secrets again", s.path)
	case err != nil:
		return nil, job.Errorf(job.Internal, "the key of the secrets: %w", err)
	case len(key) != keyBytes:
		return nil, job.Errorf(job.Damaged, "the key of the secrets, %s, has %d bytes instead of %d; put the right one back", s.path, len(key), keyBytes)
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	s.aead, err = cipher.NewGCMWithRandomNonce(block)
	return s.aead, err
}
