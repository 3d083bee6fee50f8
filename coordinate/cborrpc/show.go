package cborrpc

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// String is the value in CBOR's diagnostic notation, for messages and tests: b"x"
// is a byte string, "x" a text, 128(...) a tagged value.
func (v Value) String() string {
	var s shower
	return s.flat(v)
}

// Text is the value for people: as String, but Python's byte strings that are text
// are shown as text, tags are left out, and what does not fit into width columns
// goes over several lines, indented.
func (v Value) Text(width int) string {
	s := shower{forPeople: true}
	return s.lines(v, 0, width)
}

// shower writes values.
type shower struct {
	strings.Builder
	forPeople bool
}

func (s *shower) flat(v Value) string {
	if len(v) == 0 {
		return ""
	}
	s.Reset()
	s.show(v)
	return s.String()
}

// lines is the value behind so many columns that are taken already: on one line if
// it fits there, else with each of its items on a line.
func (s *shower) lines(v Value, indent, width int) string {
	flat := s.flat(v)
	if len(flat) <= width-indent || !v.IsMap() && !v.IsList() || v.Len() == 0 {
		return flat
	}
	begin, end := "[", "]"
	var items []string
	deeper := strings.Repeat(" ", indent+2)
	if v.IsMap() {
		begin, end = "{", "}"
		for key, value := range v.Entries() {
			items = append(items, deeper+s.flat(key)+": "+s.lines(value, indent+2, width))
		}
	} else {
		for item := range v.Items() {
			items = append(items, deeper+s.lines(item, indent+2, width))
		}
	}
	return begin + "\n" + strings.Join(items, ",\n") + "\n" + deeper[2:] + end
}

func (s *shower) show(v Value) {
	h := v.head()
	switch h.major {
	case majorUint, majorNegative:
		fmt.Fprint(s, whole(h))
	case majorBytes, majorText:
		text, _ := v.Str()
		if h.major == majorBytes && !(s.forPeople && utf8.ValidString(text)) {
			s.WriteByte('b')
		}
		s.WriteString(strconv.Quote(text))
	case majorArray:
		s.items(v)
	case majorMap:
		s.entries(v)
	case majorTag:
		s.tagged(v, h)
	default:
		s.simple(h)
	}
}

func (s *shower) tagged(v Value, h head) {
	if n, ok := v.big(h); ok && s.forPeople {
		s.WriteString(n.String())
		return
	}
	if s.forPeople {
		s.show(v[h.size:])
		return
	}
	fmt.Fprintf(s, "%d(", h.arg)
	s.show(v[h.size:])
	s.WriteByte(')')
}

func (s *shower) items(v Value) {
	s.WriteByte('[')
	separator := ""
	for item := range v.Items() {
		s.WriteString(separator)
		s.show(item)
		separator = ", "
	}
	s.WriteByte(']')
}

func (s *shower) entries(v Value) {
	s.WriteByte('{')
	separator := ""
	for key, value := range v.Entries() {
		s.WriteString(separator)
		s.show(key)
		s.WriteString(": ")
		s.show(value)
		separator = ", "
	}
	s.WriteByte('}')
}

func (s *shower) simple(h head) {
	if f, ok := h.float(); ok {
		text := strconv.FormatFloat(f, 'g', -1, 64)
		if !strings.ContainsAny(text, ".eNI") {
			text += ".0"
		}
		s.WriteString(text)
		return
	}
	switch h.arg {
	case simpleFalse, simpleTrue:
		s.WriteString(strconv.FormatBool(h.arg == simpleTrue))
	case simpleNull:
		s.WriteString("null")
	case simpleUndefined:
		s.WriteString("undefined")
	default:
		fmt.Fprintf(s, "simple(%d)", h.arg)
	}
}
