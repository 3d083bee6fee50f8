package secret_test

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/muster-queue/muster/job"
	"github.com/muster-queue/muster/server/secret"
)

func TestSealedValuesOpenOnlyAsWhatTheyAre(t *testing.T) {
	path := filepath.Join(t.TempDir(), "secret.key")
	value := []byte("hunter2\n\xff=")
	sealed, err := secret.New(path).Seal("default", "db", value)
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(sealed, []byte("hunter2")) {
		t.Fatal("the value is in what was sealed")
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the key's file: %v, %v", info.Mode(), err)
	}
	again := secret.New(path) // after a restart
	if got, err := again.Open("default", "db", sealed); err != nil || !bytes.Equal(got, value) {
		t.Errorf("opened %q, %v", got, err)
	}
	for _, other := range [][2]string{{"team", "db"}, {"default", "other"}} {
		if _, err := again.Open(other[0], other[1], sealed); !job.IsKind(err, job.Damaged) {
			t.Errorf("opened as %v: %v", other, err)
		}
	}
	for i := range sealed {
		broken := bytes.Clone(sealed)
		broken[i] ^= 1
		if _, err := again.Open("default", "db", broken); !job.IsKind(err, job.Damaged) {
			t.Fatalf("byte %d changed: %v", i, err)
		}
	}
	if twice, _ := again.Seal("default", "db", value); bytes.Equal(twice, sealed) {
		t.Error("the same value sealed twice looks the same")
	}
}

func TestKeyThatIsMissingOrWrong(t *testing.T) {
	path := filepath.Join(t.TempDir(), "secret.key")
	if _, err := secret.New(path).Open("n", "s", make([]byte, 64)); !job.IsKind(err, job.Damaged) {
		t.Errorf("no key: %v", err)
	}
	if err := os.WriteFile(path, []byte("short"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := secret.New(path).Seal("n", "s", nil); !job.IsKind(err, job.Damaged) {
		t.Errorf("a short key: %v", err)
	}
}
