package cborrpc

import (
	"fmt"
	"strconv"
	"strings"
)

// String is the value in CBOR's diagnostic notation, for messages and tests: b"x"
// is a byte string, "x" a text, 128(...) a tagged value.
func (v Value) String() string {
	if len(v) == 0 {
		return ""
	}
	var b strings.Builder
	v.show(&b)
	return b.String()
}

func (v Value) show(b *strings.Builder) {
	h := v.head()
	switch h.major {
	case majorUint, majorNegative:
		fmt.Fprint(b, whole(h))
	case majorBytes, majorText:
		s, _ := v.Str()
		if h.major == majorBytes {
			b.WriteByte('b')
		}
		b.WriteString(strconv.Quote(s))
	case majorArray:
		v.showItems(b)
	case majorMap:
		v.showEntries(b)
	case majorTag:
		fmt.Fprintf(b, "%d(", h.arg)
		v[h.size:].show(b)
		b.WriteByte(')')
	default:
		v.showSimple(b, h)
	}
}

func (v Value) showItems(b *strings.Builder) {
	b.WriteByte('[')
	separator := ""
	for item := range v.Items() {
		b.WriteString(separator)
		item.show(b)
		separator = ", "
	}
	b.WriteByte(']')
}

func (v Value) showEntries(b *strings.Builder) {
	b.WriteByte('{')
	separator := ""
	for key, value := range v.Entries() {
		b.WriteString(separator)
		key.show(b)
		b.WriteString(": ")
		value.show(b)
		separator = ", "
	}
	b.WriteByte('}')
}

func (v Value) showSimple(b *strings.Builder, h head) {
	if f, ok := h.float(); ok {
		s := strconv.FormatFloat(f, 'g', -1, 64)
		if !strings.ContainsAny(s, ".eNI") {
			s += ".0"
		}
		b.WriteString(s)
		return
	}
	switch h.arg {
	case simpleFalse, simpleTrue:
		b.WriteString(strconv.FormatBool(h.arg == simpleTrue))
	case simpleNull:
		b.WriteString("null")
	case simpleUndefined:
		b.WriteString("undefined")
	default:
		fmt.Fprintf(b, "simple(%d)", h.arg)
	}
}
