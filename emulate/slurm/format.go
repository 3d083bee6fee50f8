package slurm

import (
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/muster-queue/muster/job"
)

// column is a field with how it is laid out.
type column struct {
	*field
	// literal stands in place of a field.
	literal string
	// width zero: as wide as it is. right: padded on the left. cut: what is longer
	// loses its end.
	width      int
	right, cut bool
	// after stands behind it.
	after string
}

// maxWidth bounds the width of a column.
const maxWidth = 4096

// parseFormat reads the format of squeue -o: text with "%[[.]WIDTH]LETTER".
func parseFormat(format string) ([]column, error) {
	return parseLetters(format, func(letter string) *field {
		return fieldWhere(func(f *field) bool { return f.letter == letter })
	})
}

func parseLetters(format string, named func(letter string) *field) ([]column, error) {
	var columns []column
	for format != "" {
		before, rest, found := strings.Cut(format, "%")
		if before != "" {
			columns = append(columns, column{literal: before})
		}
		if !found {
			break
		}
		if rest == "" {
			columns = append(columns, column{literal: "%"})
			break
		}
		var c column
		rest, c.right = strings.CutPrefix(rest, ".")
		digits := len(rest) - len(strings.TrimLeft(rest, "0123456789"))
		c.width, _ = strconv.Atoi(rest[:digits])
		c.width, c.cut = min(c.width, maxWidth), c.width > 0
		if rest = rest[digits:]; rest == "" {
			return nil, job.Errorf(job.Invalid, "Invalid job format specification: %s", format)
		}
		if rest[0] == '%' {
			columns, format = append(columns, column{literal: "%"}), rest[1:]
			continue
		}
		if c.field = named(rest[:1]); c.field == nil {
			return nil, job.Errorf(job.Invalid, "Invalid job format specification: %%%c", rest[0])
		}
		columns = append(columns, c)
		format = rest[1:]
	}
	return columns, nil
}

// parseLong reads the format of squeue -O: names with ":[.][WIDTH][SUFFIX]" and commas.
func parseLong(format string) ([]column, error) {
	var columns []column
	for one := range strings.SplitSeq(format, ",") {
		name, layout, _ := strings.Cut(one, ":")
		c := column{width: 20, cut: true}
		if layout != "" {
			layout, c.right = strings.CutPrefix(layout, ".")
			digits := len(layout) - len(strings.TrimLeft(layout, "0123456789"))
			if c.width, _ = strconv.Atoi(layout[:digits]); digits == 0 {
				c.width = 20
			}
			c.width, c.after = min(c.width, maxWidth), layout[digits:]
		}
		name = strings.ToLower(strings.TrimSpace(name))
		if name == "jobid" || name == "jobarrayid" || name != "" {
			c.field = fieldWhere(func(f *field) bool { return f.long == name })
		}
		if c.field == nil {
			return nil, job.Errorf(job.Invalid, "Invalid job format specification: %s", name)
		}
		columns = append(columns, c)
	}
	return columns, nil
}

// parseAccount reads the format of sacct -o: names with "%[-]WIDTH" and commas.
func parseAccount(format string) ([]column, error) {
	var columns []column
	for one := range strings.SplitSeq(format, ",") {
		name, width, sized := strings.Cut(strings.TrimSpace(one), "%")
		if name == "" {
			continue
		}
		c := column{width: 10, right: true}
		c.field = fieldWhere(func(f *field) bool { return f.account != "" && strings.EqualFold(f.account, name) })
		if c.field == nil {
			return nil, job.Errorf(job.Invalid, "Invalid field requested: \"%s\"", name)
		}
		if w := wider[c.account]; w > 0 {
			c.width = w
		}
		if sized {
			n, err := strconv.Atoi(width)
			if err != nil || n < -maxWidth || n > maxWidth {
				return nil, job.Errorf(job.Invalid, "Invalid field requested: %q", one)
			}
			if c.width = n; n < 0 {
				c.width, c.right = -n, false
			}
		}
		columns = append(columns, c)
	}
	return columns, nil
}

// wider are the columns of sacct that are wider than the others.
var wider = map[string]int{"JobID": 12, "JobIDRaw": 12, "Start": 19, "End": 19, "Submit": 19, "Eligible": 19, "NodeList": 15, "ExitCode": 8, "WorkDir": 20}

func fieldWhere(is func(*field) bool) *field {
	for i := range fields {
		if is(&fields[i]) {
			return &fields[i]
		}
	}
	return nil
}

// line lays out a line of a listing; get gives what a field shows.
func line(columns []column, get func(*field) string) string {
	var b strings.Builder
	for _, c := range columns {
		if c.field == nil {
			b.WriteString(c.literal)
			continue
		}
		b.WriteString(c.lay(get(c.field)))
		b.WriteString(c.after)
	}
	return b.String()
}

func (c *column) lay(text string) string {
	n := utf8.RuneCountInString(text)
	switch {
	case c.width == 0 || n == c.width:
		return text
	case n > c.width && c.cut:
		return string([]rune(text)[:c.width])
	case n > c.width:
		return string([]rune(text)[:c.width-1]) + "+"
	case c.right:
		return strings.Repeat(" ", c.width-n) + text
	}
	return text + strings.Repeat(" ", c.width-n)
}
