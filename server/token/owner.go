package token

import (
	"errors"
	"io/fs"
	"os"
	"strings"
	"time"

	"github.com/muster-queue/muster/job"
	"github.com/muster-queue/muster/server/private"
)

// ownerName is the name of the token made at first start.
const ownerName = "owner"

// Owner sees to it that the file at path has a good admin token that only its
// owner can read, and returns that token. A well-formed token found there is
// kept, though the store lost it; anything else there is replaced.
func (s *Store) Owner(path string, now time.Time) (string, error) {
	secret, err := ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) && !job.IsKind(err, job.Invalid) {
		return "", err
	}
	if secret != "" {
		kept, err := s.keepOwner(path, secret, now)
		if err != nil || kept {
			return secret, err
		}
	}
	_, secret, err = s.Create(Token{Name: ownerName, Role: Admin}, now)
	if err != nil {
		return "", err
	}
	if err := private.WriteFile(path, []byte(secret+"\n")); err != nil {
		return "", job.Errorf(job.Internal, "write the first token: %w", err)
	}
	return secret, nil
}

// keepOwner goes on with the token of the file, unless others could read it or
// it is not an admin's any more.
func (s *Store) keepOwner(path, secret string, now time.Time) (bool, error) {
	info, err := os.Stat(path)
	if err != nil {
		return false, job.Errorf(job.Internal, "look at the token file: %w", err)
	}
	id, _ := idOf(secret)
	h, err := s.Check(secret, now)
	if info.Mode().Perm()&0o077 != 0 {
		// Others may have read it: it is worth nothing now.
		if h != nil {
			err = s.replaceOwner(id)
		}
		return false, err
	}
	if err == nil {
		return h.permanent(), nil
	}
	s.mu.RLock()
	_, known := s.holders[id]
	s.mu.RUnlock()
	if known {
		return false, nil
	}
	return true, s.Adopt(Token{Name: ownerName, Role: Admin}, secret, now)
}

// replaceOwner forgets an exposed token, even the last admin's: Owner makes
// another one next.
func (s *Store) replaceOwner(id string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	h := s.holders[id]
	delete(s.holders, id)
	h.revoke()
	return s.save()
}

// ReadFile reads the token in a file; one without a token is an Invalid error,
// one that is not there an error that is fs.ErrNotExist.
func ReadFile(path string) (string, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return "", job.Errorf(job.Internal, "read the token: %w", err)
	}
	secret := strings.TrimSpace(string(b))
	if _, ok := idOf(secret); !ok || len(secret) > longest {
		return "", job.Errorf(job.Invalid, "%s has no token in it", path)
	}
	return secret, nil
}
