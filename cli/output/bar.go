package output

import (
	"math"
	"strings"
)

// Bar is a cell of a table that shows parts beside each other: blocks in the
// colours of the parts, where there are colours, else their signs.
type Bar struct {
	Parts []Part
	// Scale is the value that takes all of the width: the same for all bars of a
	// column that are to be compared.
	Scale float64
	// Marked says that a line stands at Mark.
	Marked bool
	Mark   float64
}

// Part is a part of a bar.
type Part struct {
	Value float64
	// Sign is one column wide.
	Sign   string
	Colour Colour
}

// Signs of bars.
const (
	block     = "█"
	mark      = "│"
	plainMark = "|"
	dot       = "·"
	plainDot  = "."
)

// draw is the bar in exactly width columns.
func (b Bar) draw(s *Screen, width int) string {
	cells := width
	if b.Marked {
		cells-- // the mark stands between cells
	}
	if cells < 1 || !(b.Scale > 0) {
		return strings.Repeat(" ", max(width, 0))
	}
	at := -1
	if b.Marked {
		at = b.column(b.Mark, cells)
	}
	line := &barLine{screen: s, mark: at}
	sum := 0.0
	for _, p := range b.Parts {
		if !(p.Value > 0) {
			continue
		}
		sum += p.Value
		// What is there is seen, however small.
		line.add(p.Colour, p.Sign, block, min(max(b.column(sum, cells), line.used+1), cells))
	}
	// What is left of the rate.
	line.add(Grey, plainDot, dot, max(at, line.used))
	line.add(NoColour, " ", " ", cells)
	line.close()
	return line.String()
}

// column is how many cells a value takes.
func (b Bar) column(v float64, cells int) int {
	return int(math.Round(min(max(v/b.Scale, 0), 1) * float64(cells)))
}

// barLine collects the cells of a bar, with the mark where it belongs.
type barLine struct {
	strings.Builder
	screen *Screen
	mark   int // the cell that it stands before; -1: none
	used   int
}

// add adds cells up to a number.
func (l *barLine) add(c Colour, plain, sign string, upTo int) {
	if !l.screen.Colour {
		sign = plain
	}
	if l.mark >= l.used && l.mark < upTo {
		l.repeat(c, sign, l.mark)
		l.close()
	}
	l.repeat(c, sign, upTo)
}

func (l *barLine) repeat(c Colour, sign string, upTo int) {
	if n := upTo - l.used; n > 0 {
		l.WriteString(l.screen.Paint(c, strings.Repeat(sign, n)))
		l.used = upTo
	}
}

// close writes the mark, if it has not been written yet.
func (l *barLine) close() {
	if l.mark < 0 {
		return
	}
	l.mark = -1
	if l.screen.Colour {
		l.WriteString(l.screen.Paint(Bold, mark))
	} else {
		l.WriteString(plainMark)
	}
}
