package token

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/muster-queue/muster/job"
)

var now = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func open(t *testing.T, path string) *Store {
	t.Helper()
	s, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func create(t *testing.T, s *Store, tok Token) (Token, string) {
	t.Helper()
	made, secret, err := s.Create(tok, now)
	if err != nil {
		t.Fatal(err)
	}
	return made, secret
}

func TestTokensOutliveTheStoreAndAreNotInItsFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tokens.json")
	made, secret := create(t, open(t, path), Token{Name: "ci", Role: Submitter, Namespace: "a", Account: "x", Expires: now.Add(time.Hour)})

	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	_, random, _ := strings.Cut(secret, ".")
	if strings.Contains(string(b), random) {
		t.Error("the secret is in the file")
	}
	if info, _ := os.Stat(path); info.Mode().Perm() != 0o600 {
		t.Errorf("the file has mode %v", info.Mode())
	}
	h, err := open(t, path).Check(secret, now)
	if err != nil {
		t.Fatal(err)
	}
	if h.Token != made {
		t.Errorf("got %+v, want %+v", h.Token, made)
	}
}

func TestCheckRefuses(t *testing.T) {
	s := open(t, "")
	_, secret := create(t, s, Token{Role: Worker, Expires: now.Add(time.Hour)})
	_, other := create(t, s, Token{Role: Worker})
	id, random, _ := strings.Cut(secret, ".")
	otherID, _, _ := strings.Cut(other, ".")
	for name, c := range map[string]struct {
		secret string
		at     time.Time
		says   string
	}{
		"none":        {"", now, "carries no token"},
		"malformed":   {"x", now, "not known"},
		"other's id":  {otherID + "." + random, now, "not known"},
		"unknown id":  {strings.Repeat("0", len(id)) + "." + random, now, "not known"},
		"cut short":   {secret[:len(secret)-1], now, "not known"},
		"one changed": {secret[:len(secret)-1] + flip(secret[len(secret)-1]), now, "not known"},
		"expired":     {secret, now.Add(2 * time.Hour), "expired"},
	} {
		_, err := s.Check(c.secret, c.at)
		if !job.IsKind(err, job.Unauthenticated) || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v, want unauthenticated and %q", name, err, c.says)
		}
	}
	if _, err := s.Check(secret, now); err != nil {
		t.Errorf("the right one: %v", err)
	}
}

func flip(c byte) string {
	if c == 'A' {
		return "B"
	}
	return "A"
}

func TestRevokingEndsWhatTheTokenBegan(t *testing.T) {
	s := open(t, "")
	create(t, s, Token{Role: Admin})
	made, secret := create(t, s, Token{Role: Reader})
	h, err := s.Check(secret, now)
	if err != nil {
		t.Fatal(err)
	}
	var ended []error
	h.OnRevoke(func(err error) { ended = append(ended, err) })
	h.OnRevoke(func(error) { t.Error("a forgotten one was called") })()
	if err := s.Revoke(made.ID); err != nil {
		t.Fatal(err)
	}
	if len(ended) != 1 || !job.IsKind(ended[0], job.Unauthenticated) {
		t.Errorf("ended with %v", ended)
	}
	if _, err := s.Check(secret, now); !job.IsKind(err, job.Unauthenticated) {
		t.Errorf("check after: %v", err)
	}
	late := make(chan error, 1)
	h.OnRevoke(func(err error) { late <- err })
	if err := <-late; err == nil {
		t.Error("who comes late is not told")
	}
	if err := s.Revoke(made.ID); !job.IsKind(err, job.NotFound) {
		t.Errorf("again: %v", err)
	}
}

func TestTheLastAdminStays(t *testing.T) {
	s := open(t, "")
	first, _ := create(t, s, Token{Role: Admin})
	create(t, s, Token{Role: Admin, Expires: now.Add(time.Hour)})
	create(t, s, Token{Role: Admin, Namespace: "a"})
	if err := s.Revoke(first.ID); !job.IsKind(err, job.Conflict) {
		t.Fatalf("revoked: %v", err)
	}
	create(t, s, Token{Role: Admin})
	if err := s.Revoke(first.ID); err != nil {
		t.Errorf("with another one: %v", err)
	}
}

func TestTokensAreValidated(t *testing.T) {
	s := open(t, "")
	for _, tok := range []Token{
		{},
		{Role: "root"},
		{Role: Reader, Name: "a\nb"},
		{Role: Reader, Namespace: strings.Repeat("n", 300)},
		{Role: Reader, Account: "\x00"},
	} {
		if _, _, err := s.Create(tok, now); !job.IsKind(err, job.Invalid) {
			t.Errorf("%+v: %v", tok, err)
		}
	}
}

func TestDamagedFiles(t *testing.T) {
	for name, text := range map[string]string{
		"torn":  `{"format":1,"tokens":[{"id":`,
		"newer": `{"format":9,"tokens":[]}`,
	} {
		path := filepath.Join(t.TempDir(), "tokens.json")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Open(path); !job.IsKind(err, job.Damaged) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestOwner(t *testing.T) {
	dir := t.TempDir()
	tokens, file := filepath.Join(dir, "tokens.json"), filepath.Join(dir, "token")
	owner := func() string {
		t.Helper()
		s := open(t, tokens)
		secret, err := s.Owner(file, now)
		if err != nil {
			t.Fatal(err)
		}
		h, err := s.Check(secret, now)
		if err != nil || h.Role != Admin {
			t.Fatalf("the owner's token is %v, %v", h, err)
		}
		if kept, err := ReadFile(file); err != nil || kept != secret {
			t.Fatalf("the file has %q, %v", kept, err)
		}
		if info, _ := os.Stat(file); info.Mode().Perm() != 0o600 {
			t.Fatalf("the file has mode %v", info.Mode())
		}
		return secret
	}
	change := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}

	first := owner()
	if again := owner(); again != first {
		t.Error("a second start made another token")
	}
	change(os.Remove(tokens))
	if again := owner(); again != first {
		t.Error("without tokens.json the token of the file was not kept")
	}
	change(os.Chmod(file, 0o644))
	second := owner()
	if second == first {
		t.Error("a token others could read was kept")
	}
	if _, err := open(t, tokens).Check(first, now); err == nil {
		t.Error("a token others could read is still good")
	}
	change(os.WriteFile(file, []byte("no token\n"), 0o600))
	if third := owner(); third == second {
		t.Error("what is no token was kept")
	}
	change(os.Remove(file))
	owner()
}

func TestCreateIsUndoneWhenItCannotBeKept(t *testing.T) {
	dir := t.TempDir()
	s := open(t, filepath.Join(dir, "gone", "tokens.json"))
	if _, _, err := s.Create(Token{Role: Admin}, now); err == nil {
		t.Fatal("no error")
	}
	if n := len(s.List()); n != 0 {
		t.Errorf("%d tokens", n)
	}
	if _, err := ReadFile(filepath.Join(dir, "absent")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("absent: %v", err)
	}
}
