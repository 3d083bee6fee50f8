package output

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"io"
	"strings"

	"github.com/mattn/go-runewidth"
)

// Column is one field of a listing.
type Column struct {
	// Name is the JSON name and, in capitals, the table's heading.
	Name string
	// Right aligns numbers. Stretch columns give way when a table is too wide.
	Right, Stretch bool
	// Detail columns are left out of tables.
	Detail bool
	// Bar columns hold a Bar each, in tables only: they share what the terminal has
	// left, up to so many columns.
	Bar int
}

// Listing writes rows in one format, as they come.
type Listing struct {
	screen  *Screen
	format  Format
	columns []Column
	csv     *csv.Writer
	rows    [][]any // of a table, until its widths are known
	widths  []int
}

// measured is how many rows the widths of a table are measured by; the rows
// after them are written at once.
const measured = 1000

// NewListing begins a listing.
func NewListing(s *Screen, f Format, columns ...Column) *Listing {
	l := &Listing{screen: s, format: f, columns: columns}
	if f == CSV {
		l.csv = csv.NewWriter(s)
		names := make([]string, len(columns))
		for i, c := range columns {
			names[i] = c.Name
		}
		_ = l.csv.Write(names) // Close reports what went wrong
	}
	return l
}

// Row adds a row: a value for each column.
func (l *Listing) Row(values ...any) error {
	switch l.format {
	case JSON:
		return l.jsonRow(values)
	case CSV:
		return l.csv.Write(exacts(values))
	case Plain:
		cells := exacts(values)
		for i := range cells {
			cells[i] = Clean(cells[i])
		}
		_, err := io.WriteString(l.screen, strings.Join(cells, "\t")+"\n")
		return err
	}
	if l.widths != nil {
		return l.tableRow(values)
	}
	l.rows = append(l.rows, values)
	if len(l.rows) == measured {
		return l.flush()
	}
	return nil
}

// Close writes what is left. A table without rows is nothing at all.
func (l *Listing) Close() error {
	if l.csv != nil {
		l.csv.Flush()
		return l.csv.Error()
	}
	return l.flush()
}

func exacts(values []any) []string {
	cells := make([]string, len(values))
	for i, v := range values {
		cells[i] = exact(v)
	}
	return cells
}

func (l *Listing) jsonRow(values []any) error {
	var b bytes.Buffer
	for i, v := range values {
		b.WriteByte("{,"[min(i, 1)])
		name, _ := json.Marshal(l.columns[i].Name) // a string of ours
		value, err := jsonValue(v)
		if err != nil {
			return err
		}
		b.Write(name)
		b.WriteByte(':')
		b.Write(value)
	}
	b.WriteString("}\n")
	_, err := l.screen.Write(b.Bytes())
	return err
}

// flush measures the rows so far and writes the head of the table and them.
func (l *Listing) flush() error {
	if len(l.rows) == 0 {
		return nil
	}
	l.measure()
	heads := make([]any, len(l.columns))
	for i, c := range l.columns {
		heads[i] = heading(c.Name)
	}
	if err := l.line(heads, func(int) Colour { return Bold }); err != nil {
		return err
	}
	for _, r := range l.rows {
		if err := l.tableRow(r); err != nil {
			return err
		}
	}
	l.rows = nil
	return nil
}

func heading(name string) string { return strings.ToUpper(strings.ReplaceAll(name, "_", " ")) }

func (l *Listing) tableRow(values []any) error {
	cells := make([]any, len(values))
	for i, v := range values {
		if bar, ok := v.(Bar); ok {
			cells[i] = bar
		} else if !l.columns[i].Detail {
			cells[i] = Human(v)
		}
	}
	return l.line(cells, func(i int) Colour { return colourOf(values[i]) })
}

// line writes cells, texts cut and padded to the widths and bars drawn as wide,
// two blanks apart.
func (l *Listing) line(cells []any, colour func(int) Colour) error {
	var b strings.Builder
	for i, cell := range cells {
		if l.columns[i].Detail {
			continue
		}
		if b.Len() > 0 {
			b.WriteString("  ")
		}
		if bar, ok := cell.(Bar); ok {
			b.WriteString(bar.draw(l.screen, l.widths[i]))
		} else {
			b.WriteString(l.cell(i, cell.(string), colour(i)))
		}
	}
	_, err := io.WriteString(l.screen, strings.TrimRight(b.String(), " ")+"\n")
	return err
}

// cell is a text, cut and padded to the width of its column.
func (l *Listing) cell(i int, text string, c Colour) string {
	width := l.widths[i]
	if l.screen.Width > 0 {
		text = runewidth.Truncate(text, width, "…")
	}
	pad := strings.Repeat(" ", max(0, width-runewidth.StringWidth(text)))
	if l.columns[i].Right {
		return pad + l.screen.Paint(c, text)
	}
	return l.screen.Paint(c, text) + pad
}

// measure finds the widths: those of the widest cells, less where the table
// would not fit. Without a terminal nothing is cut.
func (l *Listing) measure() {
	l.widths = make([]int, len(l.columns))
	for i, c := range l.columns {
		if c.Detail {
			continue
		}
		l.widths[i] = runewidth.StringWidth(heading(c.Name))
		if c.Bar > 0 {
			l.widths[i] = max(l.widths[i], leastBar)
			continue
		}
		for _, r := range l.rows {
			l.widths[i] = max(l.widths[i], runewidth.StringWidth(Human(r[i])))
		}
	}
	l.shrink()
	l.stretch()
}

// Widths of bars: at least, and where there is no terminal.
const (
	leastBar = 10
	usualBar = 32
)

// total is how wide the table is.
func (l *Listing) total() int {
	total := -2
	for i, w := range l.widths {
		if !l.columns[i].Detail {
			total += w + 2
		}
	}
	return total
}

// stretch gives bars what the terminal has left.
func (l *Listing) stretch() {
	var bars []int
	for i, c := range l.columns {
		if c.Bar > 0 && !c.Detail {
			bars = append(bars, i)
		}
	}
	left := l.screen.Width - l.total()
	for k, i := range bars {
		most := l.columns[i].Bar
		if l.screen.Width == 0 {
			l.widths[i] = max(l.widths[i], min(usualBar, most))
			continue
		}
		more := max(min(left/(len(bars)-k), most-l.widths[i]), 0)
		l.widths[i] += more
		left -= more
	}
}

// shrink takes from the widest of the columns that give way until all fit.
func (l *Listing) shrink() {
	const least = 8
	total := l.total()
	for l.screen.Width > 0 && total > l.screen.Width {
		widest := -1
		for i, c := range l.columns {
			if c.Stretch && l.widths[i] > least && (widest < 0 || l.widths[i] > l.widths[widest]) {
				widest = i
			}
		}
		if widest < 0 {
			return
		}
		l.widths[widest]--
		total--
	}
}
