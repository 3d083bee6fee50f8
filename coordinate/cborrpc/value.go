package cborrpc

import (
	"encoding/binary"
	"iter"
	"math"
	"math/big"

	"github.com/muster-queue/muster/job"
)

// Value is one well-formed item of CBOR, still encoded. Documents of users pass
// through as Values from the wire to the store and back, so that each keeps its
// kinds of strings, numbers and lists at every depth, and costs no decoding.
type Value []byte

// Null is the value nobody gave.
var Null = Value{0xf6}

// The major types of CBOR.
const (
	majorUint = iota
	majorNegative
	majorBytes
	majorText
	majorArray
	majorMap
	majorTag
	majorOther
)

// The tags that Python's clients know.
const (
	tagBig      = 2
	tagNegative = 3
	tagMessage  = 24
	tagUUID     = 37
	tagTuple    = 128
)

const (
	simpleFalse     = 20
	simpleTrue      = 21
	simpleNull      = 22
	simpleUndefined = 23
	indefinite      = 31
	breakByte       = 0xff
)

// head is the first part of an item: its major type, the five bits after it,
// the argument they give, and how many bytes all that takes.
type head struct {
	major, info byte
	arg         uint64
	size        int
}

// readHead reads an item's head; ok is false where b ends too soon or the head
// is not one.
func readHead(b []byte) (h head, ok bool) {
	if len(b) == 0 {
		return h, false
	}
	h = head{major: b[0] >> 5, info: b[0] & 31, size: 1}
	if h.info < 24 {
		h.arg = uint64(h.info)
		return h, true
	}
	if h.info == indefinite {
		return h, h.major >= majorBytes && h.major <= majorMap
	}
	if h.info > 27 {
		return h, false
	}
	n := 1 << (h.info - 24)
	if len(b) < 1+n {
		return h, false
	}
	h.size += n
	switch n {
	case 1:
		h.arg = uint64(b[1])
	case 2:
		h.arg = uint64(binary.BigEndian.Uint16(b[1:]))
	case 4:
		h.arg = uint64(binary.BigEndian.Uint32(b[1:]))
	case 8:
		h.arg = binary.BigEndian.Uint64(b[1:])
	}
	return h, true
}

// head of a Value, which is known to be well-formed.
func (v Value) head() head {
	h, _ := readHead(v)
	return h
}

// IsNull tells whether the value is null or undefined.
func (v Value) IsNull() bool { return len(v) == 1 && (v[0] == 0xf6 || v[0] == 0xf7) }

// Bool reads a boolean, also written as 0 or 1.
func (v Value) Bool() (b, ok bool) {
	switch h := v.head(); {
	case h.major == majorOther && (h.arg == simpleFalse || h.arg == simpleTrue) && h.info < 24:
		return h.arg == simpleTrue, true
	case h.major == majorUint && h.arg <= 1:
		return h.arg == 1, true
	}
	return false, false
}

// Int reads a whole number of 64 bits.
func (v Value) Int() (n int64, ok bool) {
	h := v.head()
	if h.arg > math.MaxInt64 {
		return 0, false
	}
	switch h.major {
	case majorUint:
		return int64(h.arg), true
	case majorNegative:
		return -1 - int64(h.arg), true
	}
	return 0, false
}

// Number reads a number of any kind as a float, NaN and infinities among them.
func (v Value) Number() (f float64, ok bool) {
	h := v.head()
	switch h.major {
	case majorUint:
		return float64(h.arg), true
	case majorNegative:
		return -1 - float64(h.arg), true
	case majorTag:
		if n, ok := v.big(h); ok {
			f, _ = new(big.Float).SetInt(n).Float64()
			return f, true
		}
	case majorOther:
		return h.float()
	}
	return 0, false
}

// float reads the argument of a float's head.
func (h head) float() (float64, bool) {
	switch h.info {
	case 25:
		return halfFloat(uint16(h.arg)), true
	case 26:
		return float64(math.Float32frombits(uint32(h.arg))), true
	case 27:
		return math.Float64frombits(h.arg), true
	}
	return 0, false
}

// halfFloat is a float of 16 bits.
func halfFloat(h uint16) float64 {
	exponent, fraction := int(h>>10&31), float64(h&1023)
	var f float64
	switch exponent {
	case 0:
		f = math.Ldexp(fraction, -24)
	case 31:
		f = math.Inf(1)
		if fraction != 0 {
			f = math.NaN()
		}
	default:
		f = math.Ldexp(1024+fraction, exponent-25)
	}
	if h&0x8000 != 0 {
		f = -f
	}
	return f
}

// big reads a whole number beyond 64 bits.
func (v Value) big(h head) (*big.Int, bool) {
	if h.major != majorTag || h.arg != tagBig && h.arg != tagNegative {
		return nil, false
	}
	content := v[h.size:]
	if content.head().major != majorBytes {
		return nil, false
	}
	s, _ := content.Str()
	n := new(big.Int).SetBytes([]byte(s))
	if h.arg == tagNegative {
		n.Not(n)
	}
	return n, true
}

// Str reads a byte string or a text: to a Python 2 program one and the same.
func (v Value) Str() (s string, ok bool) {
	h := v.head()
	if h.major != majorBytes && h.major != majorText {
		return "", false
	}
	if h.info != indefinite {
		return string(v[h.size:]), true
	}
	var all []byte
	for rest := v[h.size:]; rest[0] != breakByte; {
		chunk, _ := readHead(rest)
		end := chunk.size + int(chunk.arg)
		all = append(all, rest[chunk.size:end]...)
		rest = rest[end:]
	}
	return string(all), true
}

// is compares a string with s, without a copy in the usual case.
func (v Value) is(s string) bool {
	h := v.head()
	if (h.major == majorBytes || h.major == majorText) && h.info != indefinite {
		return string(v[h.size:]) == s
	}
	own, ok := v.Str()
	return ok && own == s
}

// IsText tells a text from a byte string.
func (v Value) IsText() bool { return v.head().major == majorText }

// list is the array in a list or a tuple.
func (v Value) list() (Value, head, bool) {
	h := v.head()
	if h.major == majorTag && h.arg == tagTuple {
		v = v[h.size:]
		h = v.head()
	}
	return v, h, h.major == majorArray
}

// IsList tells whether the value is a list or a tuple.
func (v Value) IsList() bool {
	_, _, ok := v.list()
	return ok
}

// IsMap tells whether the value is a map.
func (v Value) IsMap() bool { return v.head().major == majorMap }

// Items are the elements of a list or a tuple; none of anything else.
func (v Value) Items() iter.Seq[Value] {
	return func(yield func(Value) bool) {
		array, h, ok := v.list()
		if !ok {
			return
		}
		rest := array[h.size:]
		for i := uint64(0); h.info == indefinite || i < h.arg; i++ {
			if h.info == indefinite && rest[0] == breakByte {
				return
			}
			n := rest.size()
			if !yield(rest[:n]) {
				return
			}
			rest = rest[n:]
		}
	}
}

// Len counts the elements of a list or tuple, or the entries of a map.
func (v Value) Len() int {
	array, h, ok := v.list()
	if (ok || h.major == majorMap) && h.info != indefinite {
		return int(h.arg)
	}
	n := 0
	for range array.Items() {
		n++
	}
	for range v.Entries() {
		n++
	}
	return n
}

// Entries are the keys and values of a map; none of anything else.
func (v Value) Entries() iter.Seq2[Value, Value] {
	return func(yield func(Value, Value) bool) {
		h := v.head()
		if h.major != majorMap {
			return
		}
		rest := v[h.size:]
		for i := uint64(0); h.info == indefinite || i < h.arg; i++ {
			if h.info == indefinite && rest[0] == breakByte {
				return
			}
			n := rest.size()
			m := n + rest[n:].size()
			if !yield(rest[:n], rest[n:m]) {
				return
			}
			rest = rest[m:]
		}
	}
}

// Get is the value of a map's entry with that name, or nil if there is none, or
// null, which means the same. Of several the last counts.
func (v Value) Get(name string) (found Value) {
	for key, value := range v.Entries() {
		if key.is(name) {
			found = value
		}
	}
	if found.IsNull() {
		return nil
	}
	return found
}

// errEnd and the like are what is wrong with bytes that are no CBOR.
var (
	errMalformed = job.Errorf(job.Invalid, "this is not CBOR, or it was cut off")
	errDeep      = job.Errorf(job.Invalid, "the value is nested deeper than %d levels", MaxDepth)
)

// MaxDepth bounds how deep values nest.
const MaxDepth = 96

// Parse checks that b begins with one well-formed item and returns it. What
// follows is ignored, as it always was. The Value shares b.
func Parse(b []byte) (Value, error) {
	n, err := skip(b, MaxDepth)
	if err != nil {
		return nil, err
	}
	return Value(b[:n:n]), nil
}

// size is the length of the item a well-formed sequence begins with.
func (v Value) size() int {
	n, _ := skip(v, MaxDepth)
	return n
}

// skip is the length of the item that b begins with.
func skip(b []byte, depth int) (int, error) {
	if depth == 0 {
		return 0, errDeep
	}
	h, ok := readHead(b)
	if !ok {
		return 0, errMalformed
	}
	switch h.major {
	case majorBytes, majorText:
		if h.info == indefinite {
			return skipChunks(b, h.major)
		}
		if h.arg > uint64(len(b)-h.size) {
			return 0, errMalformed
		}
		return h.size + int(h.arg), nil
	case majorArray:
		return skipItems(b, h, h.arg, depth)
	case majorMap:
		if h.arg > math.MaxInt64/2 {
			return 0, errMalformed
		}
		return skipItems(b, h, h.arg*2, depth)
	case majorTag:
		n, err := skip(b[h.size:], depth-1)
		return h.size + n, err
	case majorOther:
		if h.info == 24 && h.arg < 32 {
			return 0, errMalformed // must have been written shorter
		}
	}
	return h.size, nil
}

// skipItems is the length of an array or map with its n items.
func skipItems(b []byte, h head, n uint64, depth int) (int, error) {
	at := h.size
	if h.info != indefinite && n > uint64(len(b)-at) {
		return 0, errMalformed // each takes a byte at least
	}
	for i := uint64(0); ; i++ {
		if h.info != indefinite && i == n {
			return at, nil
		}
		if h.info == indefinite && at < len(b) && b[at] == breakByte {
			if h.major == majorMap && i%2 == 1 {
				return 0, errMalformed
			}
			return at + 1, nil
		}
		size, err := skip(b[at:], depth-1)
		if err != nil {
			return 0, err
		}
		at += size
	}
}

// skipChunks is the length of a string that comes in pieces.
func skipChunks(b []byte, major byte) (int, error) {
	for at := 1; ; {
		if at < len(b) && b[at] == breakByte {
			return at + 1, nil
		}
		h, ok := readHead(b[at:])
		if !ok || h.major != major || h.info == indefinite || h.arg > uint64(len(b)-at-h.size) {
			return 0, errMalformed
		}
		at += h.size + int(h.arg)
	}
}
