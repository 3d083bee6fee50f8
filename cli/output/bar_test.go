package output

import (
	"strings"
	"testing"

	"github.com/mattn/go-runewidth"
	"pgregory.net/rapid"
)

var levelParts = []Part{{Sign: "0", Colour: Green}, {Sign: "1", Colour: Cyan}, {Sign: "f", Colour: Grey}}

func bar(scale, mark float64, values ...float64) Bar {
	b := Bar{Scale: scale, Marked: mark >= 0, Mark: mark}
	for i, v := range values {
		p := levelParts[i]
		p.Value = v
		b.Parts = append(b.Parts, p)
	}
	return b
}

func TestBars(t *testing.T) {
	for _, c := range []struct {
		name string
		bar  Bar
		want string
	}{
		{"below the mark", bar(10, 8, 4, 2), "000011..|  "},
		{"at the mark", bar(10, 6, 4, 2), "000011|    "},
		{"beyond it", bar(10, 5, 4, 2, 4), "00001|1ffff"},
		{"the mark within a part", bar(10, 2, 10), "00|00000000"},
		{"nothing", bar(10, 3), "...|       "},
		{"no rate", bar(10, 0, 1), "|0         "},
		{"all of it", bar(10, 10, 10), "0000000000|"},
		{"more than all", bar(10, 10, 25), "0000000000|"},
		{"what is small is seen", bar(10, 10, 0.01, 0.01, 0.01), "01f.......|"},
		{"no room is left for more", bar(10, 10, 10, 0.01), "0000000000|"},
		{"without a mark", bar(10, -1, 5.5), "000000     "},
		{"no scale", bar(0, 0, 1), "           "},
	} {
		if got := c.bar.draw(&Screen{}, 11); got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
	if got, want := bar(4, 2, 3).draw(&Screen{Colour: true}, 5), "\x1b[32m██\x1b[0m\x1b[1m│\x1b[0m\x1b[32m█\x1b[0m "; got != want {
		t.Errorf("in colour: %q, want %q", got, want)
	}
}

// A bar is as wide as its column, whatever its numbers, in colours and without.
func TestBarsFit(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		number := rapid.OneOf(rapid.Float64Range(-10, 100), rapid.Float64())
		b := Bar{Scale: number.Draw(t, "scale"), Marked: rapid.Bool().Draw(t, "marked"), Mark: number.Draw(t, "mark")}
		for range rapid.IntRange(0, 6).Draw(t, "parts") {
			b.Parts = append(b.Parts, Part{Value: number.Draw(t, "value"), Sign: "x", Colour: Red})
		}
		s := &Screen{Colour: rapid.Bool().Draw(t, "colour")}
		width := rapid.IntRange(0, 80).Draw(t, "width")
		text := escapes.ReplaceAllString(b.draw(s, width), "")
		if n := runewidth.StringWidth(text); n != width {
			t.Fatalf("%q has %d columns, not %d", text, n, width)
		}
	})
}

func TestBarsTakeWhatIsLeft(t *testing.T) {
	for _, c := range []struct{ width, bar int }{{0, 32}, {20, 10}, {40, 30}, {80, 40}} {
		var b strings.Builder
		l := NewListing(&Screen{Writer: &b, Width: c.width}, Table, Column{Name: "n", Right: true}, Column{Name: "share", Bar: 40})
		for _, row := range [][]any{{12345678, bar(10, 10, 5)}, {2, bar(10, 10, 10)}, {3, nil}} {
			if err := l.Row(row...); err != nil {
				t.Fatal(err)
			}
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		lines := strings.Split(b.String(), "\n")
		want := "       2  " + strings.Repeat("0", c.bar-1) + "|"
		if lines[0] != "       N  SHARE" || lines[2] != want || lines[3] != "       3" {
			t.Errorf("width %d:\n%swant %q", c.width, b.String(), want)
		}
	}
}
