package token

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/muster-queue/muster/job"
)

func TestLentTokensAreKnownAgainAndNoOthers(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lend.key")
	want := Lent{Namespace: "team", Attempt: job.AttemptID{Epoch: 3, N: 77}, Seq: 12, Account: "proteome"}
	if _, err := NewLender(path).Check("lent.YQ.YQ"); !job.IsKind(err, job.Unauthenticated) {
		t.Errorf("before the first was lent: %v", err)
	}
	secret, err := NewLender(path).Lend(&want)
	if err != nil || !IsLent(secret) {
		t.Fatalf("%q, %v", secret, err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the key's file: %v, %v", info, err)
	}
	again := NewLender(path) // after a restart
	if got, err := again.Check(secret); err != nil || *got != want {
		t.Errorf("%+v, %v", got, err)
	}
	if h := want.Holder(); h.Role != Submitter || h.Namespace != "team" || h.Account != "proteome" {
		t.Errorf("its holder: %+v", h.Token)
	}
	for i := range len(secret) - 1 { // the last letter has bits that mean nothing
		broken := []byte(secret)
		broken[i] = 'A' + (broken[i]+1)%26
		if _, err := again.Check(string(broken)); !job.IsKind(err, job.Unauthenticated) {
			t.Fatalf("letter %d changed: %v", i, err)
		}
	}
	if _, err := NewLender(filepath.Join(t.TempDir(), "other")).Check(secret); !job.IsKind(err, job.Unauthenticated) {
		t.Errorf("of another server: %v", err)
	}
	if _, err := open(t, "").Check(secret, now); !job.IsKind(err, job.Unauthenticated) {
		t.Errorf("as one of those that are kept: %v", err)
	}
}

func FuzzLent(f *testing.F) {
	l := NewLender(filepath.Join(f.TempDir(), "lend.key"))
	secret, err := l.Lend(&Lent{Namespace: "default", Seq: 1})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(secret)
	f.Add("lent..")
	f.Fuzz(func(t *testing.T, text string) {
		got, err := l.Check(text)
		if err == nil && (got.Namespace != "default" || got.Seq != 1) {
			t.Errorf("%q is %+v", text, got)
		}
	})
}
