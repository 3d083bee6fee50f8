package cli

import (
	"os"
	"path/filepath"
	"testing"
)

// A simulation that fails leaves no file for its picture, and keeps one that was there.
func TestNoPictureOfNothing(t *testing.T) {
	dir := t.TempDir()
	old := filepath.Join(dir, "old.svg")
	if err := os.WriteFile(old, []byte("<svg/>"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"old.svg", "new.svg"} {
		s := &simulation{app: &app{}, picture: filepath.Join(dir, name)}
		p, err := s.openPicture(1)
		if err != nil {
			t.Fatal(err)
		}
		p.close()
	}
	list, err := os.ReadDir(dir)
	if err != nil || len(list) != 1 {
		t.Errorf("there are %v, %v", list, err)
	}
	if b, err := os.ReadFile(old); err != nil || string(b) != "<svg/>" {
		t.Errorf("%q, %v", b, err)
	}
}
