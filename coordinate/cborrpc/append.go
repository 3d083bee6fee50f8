package cborrpc

import (
	"math"
	"unicode/utf8"
)

// AppendInt appends a whole number.
func AppendInt(b []byte, n int64) []byte {
	if n < 0 {
		return appendHead(b, majorNegative, uint64(-(n + 1)))
	}
	return appendHead(b, majorUint, uint64(n))
}

// AppendFloat appends a float of 64 bits, as Python does.
func AppendFloat(b []byte, f float64) []byte {
	bits := math.Float64bits(f)
	b = append(b, 0xfb)
	for shift := 56; shift >= 0; shift -= 8 {
		b = append(b, byte(bits>>shift))
	}
	return b
}

// AppendBool appends a boolean.
func AppendBool(b []byte, v bool) []byte {
	if v {
		return append(b, 0xf5)
	}
	return append(b, 0xf4)
}

// AppendBytes appends a byte string.
func AppendBytes[T ~string | ~[]byte](b []byte, s T) []byte {
	return append(appendHead(b, majorBytes, uint64(len(s))), s...)
}

// AppendString appends a text, or a byte string where s is not UTF-8, which
// clients could not read as text.
func AppendString(b []byte, s string) []byte {
	if !utf8.ValidString(s) {
		return AppendBytes(b, s)
	}
	return append(appendHead(b, majorText, uint64(len(s))), s...)
}

// AppendList appends the head of a list; its n elements follow.
func AppendList(b []byte, n int) []byte { return appendHead(b, majorArray, uint64(n)) }

// AppendTuple appends the head of a tuple; its n elements follow.
func AppendTuple(b []byte, n int) []byte {
	return AppendList(appendHead(b, majorTag, tagTuple), n)
}

// AppendMap appends the head of a map; its n keys and values follow.
func AppendMap(b []byte, n int) []byte { return appendHead(b, majorMap, uint64(n)) }

// appendHead appends the head of an item in its shortest form.
func appendHead(b []byte, major byte, arg uint64) []byte {
	m := major << 5
	switch {
	case arg < 24:
		return append(b, m|byte(arg))
	case arg < 1<<8:
		return append(b, m|24, byte(arg))
	case arg < 1<<16:
		return append(b, m|25, byte(arg>>8), byte(arg))
	case arg < 1<<32:
		return append(b, m|26, byte(arg>>24), byte(arg>>16), byte(arg>>8), byte(arg))
	}
	return append(b, m|27, byte(arg>>56), byte(arg>>48), byte(arg>>40), byte(arg>>32),
		byte(arg>>24), byte(arg>>16), byte(arg>>8), byte(arg))
}
