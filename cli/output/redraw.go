package output

import (
	"bytes"
	"fmt"
	"io"
	"strings"
)

// Redraw shows what draw writes, again and again: on a terminal in place of what
// was there before, elsewhere below it, with an empty line between. What a
// terminal has no room for is left out.
type Redraw struct {
	screen *Screen
	drawn  bool
}

// NewRedraw begins.
func NewRedraw(s *Screen) *Redraw { return &Redraw{screen: s} }

// Draw shows the next picture.
func (r *Redraw) Draw(draw func(*Screen) error) error {
	r.screen.measure()
	var b bytes.Buffer
	canvas := *r.screen
	canvas.Writer = &b
	if err := draw(&canvas); err != nil {
		return err
	}
	text := b.String()
	switch {
	case r.screen.Terminal:
		text = r.frame(strings.Split(strings.TrimSuffix(text, "\n"), "\n"))
	case r.drawn:
		text = "\n" + text
	}
	r.drawn = true
	_, err := io.WriteString(r.screen, text)
	return err
}

// frame moves to the top and writes the lines over those before.
func (r *Redraw) frame(lines []string) string {
	if room := r.screen.Height - 1; r.screen.Height > 1 && len(lines) > room {
		left := len(lines) - room + 1
		lines = append(lines[:room-1:room-1], fmt.Sprintf("… and %d lines more", left))
	}
	begin := "\x1b[H"
	if !r.drawn {
		begin = "\x1b[2J\x1b[H"
	}
	return begin + strings.Join(lines, "\x1b[K\n") + "\x1b[K\n\x1b[J"
}
