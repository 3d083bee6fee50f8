package token

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/muster-queue/muster/job"
	"github.com/muster-queue/muster/server/private"
)

// Max is how many tokens a server keeps.
const Max = 10_000

// maxFile bounds what is read of a token file.
const maxFile = 16 << 20

// format is the version of the file's layout.
const format = 1

// Store keeps tokens in one file, which is replaced as a whole at each change.
// Its methods may be called by anyone at any time.
type Store struct {
	path string

	mu      sync.RWMutex
	holders map[string]*Holder
}

type file struct {
	Format int     `json:"format"`
	Tokens []Token `json:"tokens"`
}

// Open reads the tokens of a file; one that is not there has none. With an
// empty path the tokens are kept in memory only.
func Open(path string) (*Store, error) {
	s := &Store{path: path, holders: map[string]*Holder{}}
	if path == "" {
		return s, nil
	}
	f, err := read(path)
	if err != nil {
		return nil, err
	}
	for _, t := range f.Tokens {
		s.holders[t.ID] = &Holder{Token: t}
	}
	return s, nil
}

func read(path string) (file, error) {
	f := file{Format: format}
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return f, nil
	}
	if err == nil && info.Size() > maxFile {
		return f, job.Errorf(job.Damaged, "token file %s has %d bytes; at most %d are expected", path, info.Size(), maxFile)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return f, job.Errorf(job.Internal, "read the tokens: %w", err)
	}
	if err := json.Unmarshal(b, &f); err != nil {
		return f, job.Errorf(job.Damaged, "token file %s cannot be read (%w); restore it, or delete it and make new tokens", path, err)
	}
	if f.Format > format {
		return f, job.Errorf(job.Damaged, "token file %s was written by a newer release (format %d); use that", path, f.Format)
	}
	return f, nil
}

// Create makes a token from what t says and returns it with its secret, which
// cannot be had again.
func (s *Store) Create(t Token, now time.Time) (Token, string, error) {
	if err := t.Validate(); err != nil {
		return Token{}, "", err
	}
	id, secret := newSecret()
	t.ID, t.Hash, t.Created, t.Used = id, hashOf(secret), now.UTC().Truncate(time.Second), time.Time{}
	return t, secret, s.insert(t)
}

// Adopt takes a secret made elsewhere into the store, as t says.
func (s *Store) Adopt(t Token, secret string, now time.Time) error {
	id, ok := idOf(secret)
	if !ok {
		return job.Errorf(job.Invalid, "this is not the form of a token")
	}
	if err := t.Validate(); err != nil {
		return err
	}
	t.ID, t.Hash, t.Created = id, hashOf(secret), now.UTC().Truncate(time.Second)
	return s.insert(t)
}

func (s *Store) insert(t Token) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.holders) >= Max {
		return job.Errorf(job.Exhausted, "there are %d tokens already; revoke some first", Max)
	}
	if _, ok := s.holders[t.ID]; ok {
		return job.Errorf(job.Exists, "token %s is there already", t.ID)
	}
	s.holders[t.ID] = &Holder{Token: t}
	if err := s.save(); err != nil {
		delete(s.holders, t.ID)
		return err
	}
	return nil
}

// Revoke ends a token and what it began; NotFound if there is none of that id.
// The last admin token that never expires cannot be revoked: nobody could make
// another.
func (s *Store) Revoke(id string) error {
	s.mu.Lock()
	h, err := s.remove(id)
	s.mu.Unlock()
	if err != nil {
		return err
	}
	h.revoke()
	return nil
}

func (s *Store) remove(id string) (*Holder, error) {
	h, ok := s.holders[id]
	if !ok {
		return nil, job.Errorf(job.NotFound, "there is no token with the id %.40q", id)
	}
	if h.permanent() && s.permanents() == 1 {
		return nil, job.Errorf(job.Conflict, "token %s is the last one of role admin; make another one first", id)
	}
	delete(s.holders, id)
	if err := s.save(); err != nil {
		s.holders[id] = h
		return nil, err
	}
	return h, nil
}

// permanent tells whether the token can always make others.
func (t *Token) permanent() bool {
	return t.Role == Admin && t.Namespace == "" && t.Expires.IsZero()
}

func (s *Store) permanents() int {
	n := 0
	for _, h := range s.holders {
		if h.permanent() {
			n++
		}
	}
	return n
}

// List is all tokens in order of their making.
func (s *Store) List() []Token {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.list()
}

func (s *Store) list() []Token {
	all := make([]Token, 0, len(s.holders))
	for _, h := range s.holders {
		t := h.Token
		if used := h.used.Load(); used != 0 {
			t.Used = time.Unix(0, used).UTC().Truncate(time.Second)
		}
		all = append(all, t)
	}
	slices.SortFunc(all, func(a, b Token) int {
		if c := a.Created.Compare(b.Created); c != 0 {
			return c
		}
		return strings.Compare(a.ID, b.ID)
	})
	return all
}

// Check finds the holder of a secret. A token that is wrong, unknown or expired
// is an Unauthenticated error.
func (s *Store) Check(secret string, now time.Time) (*Holder, error) {
	if secret == "" {
		return nil, job.Errorf(job.Unauthenticated, "the request carries no token; send the header \"Authorization: Bearer TOKEN\"")
	}
	id, ok := idOf(secret)
	if !ok || len(secret) > longest {
		return nil, errUnknown
	}
	s.mu.RLock()
	h := s.holders[id]
	s.mu.RUnlock()
	if h == nil || !h.matches(secret) {
		return nil, errUnknown
	}
	if err := h.Err(now); err != nil {
		return nil, err
	}
	h.used.Store(now.UnixNano())
	return h, nil
}

// Flush writes when the tokens were last used.
func (s *Store) Flush() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.save()
}

func (s *Store) save() error {
	if s.path == "" {
		return nil
	}
	b, err := json.MarshalIndent(file{Format: format, Tokens: s.list()}, "", "  ")
	if err != nil {
		return job.Errorf(job.Internal, "write the tokens: %w", err)
	}
	if err := private.WriteFile(s.path, append(b, '\n')); err != nil {
		return job.Errorf(job.Internal, "write the tokens: %w", err)
	}
	return nil
}
