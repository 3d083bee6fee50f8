package cborrpc

import (
	"encoding/json"
	"math"
	"unicode/utf8"
)

// JSON is the value as JSON has it, for programs that only read it: byte strings
// that are text become text, and what JSON has no form for (other byte strings,
// keys that are no text, infinite numbers) a text that shows it as String does.
func (v Value) JSON() []byte {
	if len(v) == 0 {
		return []byte("null")
	}
	return v.appendJSON(nil)
}

func (v Value) appendJSON(b []byte) []byte {
	h := v.head()
	n, isBig := v.big(h)
	switch {
	case v.IsNull():
		return append(b, "null"...)
	case isBig:
		return n.Append(b, 10)
	case v.IsMap():
		return v.appendObject(b)
	case v.IsList():
		separator := byte('[')
		for item := range v.Items() {
			b = item.appendJSON(append(b, separator))
			separator = ','
		}
		if separator == '[' {
			b = append(b, '[')
		}
		return append(b, ']')
	case h.major == majorTag:
		return v[h.size:].appendJSON(b)
	}
	return v.appendScalar(b, h)
}

func (v Value) appendObject(b []byte) []byte {
	separator := byte('{')
	for key, value := range v.Entries() {
		name, ok := key.Str()
		if !ok || !utf8.ValidString(name) {
			name = key.String()
		}
		b = append(appendText(append(b, separator), name), ':')
		b = value.appendJSON(b)
		separator = ','
	}
	if separator == '{' {
		b = append(b, '{')
	}
	return append(b, '}')
}

func (v Value) appendScalar(b []byte, h head) []byte {
	text, isText := v.Str()
	f, isFloat := h.float()
	switch {
	case isText && utf8.ValidString(text):
		return appendText(b, text)
	case isText, isFloat && (math.IsNaN(f) || math.IsInf(f, 0)):
		return appendText(b, v.String())
	case isFloat:
		number, _ := json.Marshal(f) // a finite one
		return append(b, number...)
	case h.major == majorUint, h.major == majorNegative, h.arg == simpleFalse, h.arg == simpleTrue:
		return append(b, v.String()...)
	}
	return appendText(b, v.String())
}

func appendText(b []byte, text string) []byte {
	quoted, _ := json.Marshal(text) // texts always can be
	return append(b, quoted...)
}
