package output

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"testing"
)

var escapes = regexp.MustCompile("\x1b\\[[0-9;]*[a-zA-Z]")

func lines(n int) func(*Screen) error {
	return func(s *Screen) error {
		for i := range n {
			fmt.Fprintln(s, "line", i+1)
		}
		return nil
	}
}

func TestRedrawWithoutATerminalAddsBelow(t *testing.T) {
	var b strings.Builder
	r := NewRedraw(&Screen{Writer: &b})
	for n := 1; n <= 2; n++ {
		if err := r.Draw(lines(n)); err != nil {
			t.Fatal(err)
		}
	}
	if got, want := b.String(), "line 1\n\nline 1\nline 2\n"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestRedrawOnATerminalDrawsOver(t *testing.T) {
	var b strings.Builder
	r := NewRedraw(&Screen{Writer: &b, Terminal: true, Width: 80, Height: 4})
	for _, n := range []int{2, 3, 9} {
		if err := r.Draw(lines(n)); err != nil {
			t.Fatal(err)
		}
	}
	pictures := strings.Split(b.String(), "\x1b[H")[1:]
	want := []string{
		"line 1\x1b[K\nline 2\x1b[K\n\x1b[J",
		"line 1\x1b[K\nline 2\x1b[K\nline 3\x1b[K\n\x1b[J",
		"line 1\x1b[K\nline 2\x1b[K\n… and 7 lines more\x1b[K\n\x1b[J",
	}
	if !strings.HasPrefix(b.String(), "\x1b[2J\x1b[H") || strings.Count(b.String(), "\x1b[2J") != 1 {
		t.Errorf("the screen is cleared once, at the beginning: %q", b.String())
	}
	for i := range want {
		if pictures[i] != want[i] {
			t.Errorf("picture %d: %q, want %q", i+1, pictures[i], want[i])
		}
	}
}

func TestRedrawDrawsNothingOfWhatFailed(t *testing.T) {
	var b strings.Builder
	bad := errors.New("bad")
	err := NewRedraw(&Screen{Writer: &b}).Draw(func(s *Screen) error {
		fmt.Fprintln(s, "half")
		return bad
	})
	if !errors.Is(err, bad) || b.Len() > 0 {
		t.Errorf("%v, %q", err, b.String())
	}
}
