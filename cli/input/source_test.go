package input

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/muster-queue/muster/job"
)

func count(t *testing.T, s *Source) (n int) {
	t.Helper()
	r, err := s.Reader()
	if err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := r.Next(); errors.Is(err, io.EOF) {
			return n
		} else if err != nil {
			t.Fatal(err)
		}
		n++
	}
}

func TestSourcesCanBeReadTwice(t *testing.T) {
	dir := t.TempDir()
	file, pipe := filepath.Join(dir, "jobs.txt"), filepath.Join(dir, "pipe")
	if err := os.WriteFile(file, []byte("a\nb\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	go func() { _ = os.WriteFile(pipe, []byte("a\nb\n"), 0o600) }()
	identities := map[string]string{}
	for _, path := range []string{file, pipe, Stdin} {
		s, err := OpenSource(path, strings.NewReader("a\nb\n"))
		if err != nil {
			t.Fatal(err)
		}
		if n, again := count(t, s), count(t, s); n != 2 || again != 2 {
			t.Errorf("%s: %d jobs, then %d", path, n, again)
		}
		identities[path] = s.Identity
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
	if identities[file] != file || identities[pipe] != identities[Stdin] || len(identities[Stdin]) != 64 {
		t.Errorf("identities %q", identities)
	}
}

func TestSourcesThatAreNone(t *testing.T) {
	dir := t.TempDir()
	if _, err := OpenSource(dir, nil); !job.IsKind(err, job.Invalid) {
		t.Errorf("a directory: %v", err)
	}
	if _, err := OpenSource(filepath.Join(dir, "none"), nil); !job.IsKind(err, job.NotFound) {
		t.Errorf("no file: %v", err)
	}
}
