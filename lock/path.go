package lock

import (
	"encoding/hex"
	"iter"
	"math"
	"math/big"
	"reflect"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/muster-queue/muster/job"
)

// Path names a place in the tree by the labels that lead to it, in a notation
// of one line that people can type: labels joined by slashes, "backup/db1". The
// empty path is the root, everyone's ancestor.
//
// A label that is text stands as it is. What would be mistaken in it (a slash,
// a percent sign, a number sign at its beginning, control characters, bytes
// that are not UTF-8) is written %XX. Any other label begins with a number sign:
// #17, #-0.5, #true, #null, #(a,#2) for a tuple, a UUID by its 36 characters, and
// # alone for the empty text. Text and bytes are the same, so are 2 and 2.0.
//
// Only Parse and PathOf make paths; two are equal when their labels are.
type Path string

// Bounds of a path.
const (
	// MaxPath is its length in bytes, in the notation of Path.
	MaxPath = job.MaxKey
	// MaxLabels is the number of its labels.
	MaxLabels = 64
	maxNested = 8
	// maxBits is the size of a number, which must not exceed every float.
	maxBits = 1000
)

// PathOf is the path of these labels: strings and bytes, numbers of any kind,
// booleans, nil, UUIDs ([16]byte), and slices of such, which are tuples. What
// cannot be a label is an Invalid error.
func PathOf(labels ...any) (Path, error) {
	var b []byte
	for i, l := range labels {
		if i > 0 {
			b = append(b, '/')
		}
		var err error
		if b, err = appendLabel(b, l, 0); err != nil {
			return "", err
		}
	}
	return checked(b)
}

func checked(b []byte) (Path, error) {
	p := Path(b)
	if len(p) > MaxPath {
		return "", job.Errorf(job.Invalid, "a lock's path of %d bytes; it has at most %d", len(p), MaxPath)
	}
	if n := strings.Count(string(p), "/") + 1; n > MaxLabels {
		return "", job.Errorf(job.Invalid, "a lock's path of %d labels; it has at most %d", n, MaxLabels)
	}
	return p, nil
}

// String is the path as Parse reads it.
func (p Path) String() string { return string(p) }

// lineage visits the root, then every path on the way, then p itself.
func (p Path) lineage() iter.Seq[Path] {
	return func(yield func(Path) bool) {
		if !yield("") || p == "" {
			return
		}
		for i := range len(p) {
			if p[i] == '/' && !yield(p[:i]) {
				return
			}
		}
		yield(p)
	}
}

// below is what the paths of p's descendants begin with.
func (p Path) below() Path {
	if p == "" {
		return ""
	}
	return p + "/"
}

func appendLabel(b []byte, label any, depth int) ([]byte, error) {
	if i, ok := label.(*big.Int); ok && i != nil {
		if i.BitLen() > maxBits {
			return nil, job.Errorf(job.Invalid, "a label of a lock's path is a number of %d bits", i.BitLen())
		}
		return append(append(b, '#'), i.String()...), nil
	}
	v := reflect.ValueOf(label)
	switch v.Kind() {
	case reflect.Invalid:
		return append(b, "#null"...), nil
	case reflect.String:
		return appendText(b, v.String(), depth), nil
	case reflect.Bool:
		return strconv.AppendBool(append(b, '#'), v.Bool()), nil
	case reflect.Float32, reflect.Float64:
		return appendFloat(b, v.Float())
	case reflect.Slice:
		if v.Type().Elem().Kind() == reflect.Uint8 {
			return appendText(b, string(v.Bytes()), depth), nil
		}
		return appendTuple(b, v, depth)
	case reflect.Array:
		if id, ok := uuid(v); ok {
			return appendUUID(append(b, '#'), id), nil
		}
	}
	switch {
	case v.CanInt():
		return strconv.AppendInt(append(b, '#'), v.Int(), 10), nil
	case v.CanUint():
		return strconv.AppendUint(append(b, '#'), v.Uint(), 10), nil
	}
	return nil, job.Errorf(job.Invalid, "%T cannot be a label of a lock's path; text, numbers, booleans, null, UUIDs and tuples of them can", label)
}

func appendText(b []byte, s string, depth int) []byte {
	if s == "" {
		return append(b, '#')
	}
	for i := 0; i < len(s); {
		r, n := utf8.DecodeRuneInString(s[i:])
		if r == utf8.RuneError && n == 1 || r < ' ' || r == 0x7f || r == '/' || r == '%' ||
			r == '#' && i == 0 || depth > 0 && strings.ContainsRune("(,)", r) {
			b = append(b, '%', hexDigits[s[i]>>4], hexDigits[s[i]&15])
		} else {
			b = append(b, s[i:i+n]...)
		}
		i += n
	}
	return b
}

const hexDigits = "0123456789ABCDEF"

// appendFloat writes whole numbers as integers, for they are equal.
func appendFloat(b []byte, f float64) ([]byte, error) {
	b = append(b, '#')
	switch {
	case math.IsNaN(f):
		return nil, job.Errorf(job.Invalid, "a label of a lock's path is not a number (NaN), which is not equal to itself")
	case math.IsInf(f, 1):
		return append(b, "inf"...), nil
	case math.IsInf(f, -1):
		return append(b, "-inf"...), nil
	case f == math.Trunc(f) && math.Abs(f) < 1<<63:
		return strconv.AppendInt(b, int64(f), 10), nil
	}
	return strconv.AppendFloat(b, f, 'g', -1, 64), nil
}

func appendTuple(b []byte, v reflect.Value, depth int) ([]byte, error) {
	if depth == maxNested {
		return nil, job.Errorf(job.Invalid, "a label of a lock's path is nested more than %d deep", maxNested)
	}
	if v.Len() > MaxPath {
		return nil, job.Errorf(job.Invalid, "a label of a lock's path is a tuple of %d", v.Len())
	}
	b = append(b, "#("...)
	for i := range v.Len() {
		if i > 0 {
			b = append(b, ',')
		}
		var err error
		if b, err = appendLabel(b, v.Index(i).Interface(), depth+1); err != nil {
			return nil, err
		}
	}
	return append(b, ')'), nil
}

// uuid is v as a UUID, if it has sixteen bytes.
func uuid(v reflect.Value) (id [16]byte, ok bool) {
	if v.Len() != len(id) || v.Type().Elem().Kind() != reflect.Uint8 {
		return id, false
	}
	for i := range id {
		id[i] = byte(v.Index(i).Uint())
	}
	return id, true
}

// uuidLen is the length of a UUID as text.
const uuidLen = 36

func appendUUID(b []byte, id [16]byte) []byte {
	for i, part := range [][]byte{id[:4], id[4:6], id[6:8], id[8:10], id[10:]} {
		if i > 0 {
			b = append(b, '-')
		}
		b = hex.AppendEncode(b, part)
	}
	return b
}
