// Package output is how the command line shows things: listings as a table for a
// person, or as JSON, CSV or plain text for a program, and the progress of jobs.
// Package cli is its only caller.
//
// A table fits the terminal and has colours only there. JSON is one object a
// line, so that a listing of millions can be read while it is written. Whatever
// comes from jobs is made harmless before a terminal sees it.
package output

import (
	"io"
	"os"

	"github.com/mattn/go-runewidth"
	"golang.org/x/term"

	"github.com/muster-queue/muster/job"
)

// Format is the form of a listing.
type Format uint8

// The forms of a listing.
const (
	// Table is for people.
	Table Format = iota
	// JSON is one object a line.
	JSON
	// CSV has a header line.
	CSV
	// Plain has TABs between fields and no header.
	Plain
)

// Formats are the words of the formats.
var Formats = []string{"table", "json", "csv", "plain"}

// ParseFormat reads a format's word or its first letter.
func ParseFormat(s string) (Format, error) {
	if s == "jsonl" { // as JSON is, here
		return JSON, nil
	}
	for i, word := range Formats {
		if s == word || s == word[:1] {
			return Format(i), nil
		}
	}
	return Table, job.Errorf(job.Invalid, "unknown output format %q; there are table, json, csv and plain", s)
}

// Screen is where output goes and what it can show.
type Screen struct {
	io.Writer
	// Terminal tells a terminal from a file or a pipe.
	Terminal bool
	// Width is its number of columns, Height that of its lines; zero: no limit.
	Width, Height int
	// Colour says whether to use it.
	Colour bool

	file *os.File // the terminal
}

// NewScreen looks what w is. NO_COLOR and TERM=dumb turn colours off.
func NewScreen(w io.Writer, getenv func(string) string) *Screen {
	s := &Screen{Writer: w}
	f, ok := w.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		return s
	}
	s.Terminal, s.file = true, f
	s.Colour = getenv("NO_COLOR") == "" && getenv("TERM") != "dumb"
	s.measure()
	return s
}

// measure looks how wide the terminal is now: windows change.
func (s *Screen) measure() {
	if s.file == nil {
		return
	}
	if width, height, err := term.GetSize(int(s.file.Fd())); err == nil {
		s.Width, s.Height = width, height
	}
}

// Fit cuts a line to what the terminal has left after used columns. Elsewhere
// nothing is cut.
func (s *Screen) Fit(used int, text string) string {
	const least = 20
	if s.Width == 0 {
		return text
	}
	return runewidth.Truncate(text, max(s.Width-used, least), "…")
}

// Colour is one of a terminal's.
type Colour string

// The colours used.
const (
	NoColour Colour = ""
	Red      Colour = "31"
	Green    Colour = "32"
	Yellow   Colour = "33"
	Blue     Colour = "34"
	Magenta  Colour = "35"
	Cyan     Colour = "36"
	Grey     Colour = "90"
	Bold     Colour = "1"
)

// Paint puts a text into a colour, where there are colours.
func (s *Screen) Paint(c Colour, text string) string {
	if !s.Colour || c == NoColour || text == "" {
		return text
	}
	return "\x1b[" + string(c) + "m" + text + "\x1b[0m"
}
