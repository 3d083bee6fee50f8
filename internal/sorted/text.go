package sorted

import (
	"encoding/binary"
	"math/bits"
)

// Common is how many bytes a and b begin with in common.
func Common(a, b []byte) int {
	n := min(len(a), len(b))
	i := 0
	for ; i+8 <= n; i += 8 {
		if x := binary.LittleEndian.Uint64(a[i:]) ^ binary.LittleEndian.Uint64(b[i:]); x != 0 {
			return i + bits.TrailingZeros64(x)/8
		}
	}
	for i < n && a[i] == b[i] {
		i++
	}
	return i
}

// Part is eight bytes of a text from one on that it has, or its end; see Order.
func Part(text []byte, from int) uint64 {
	if text = text[from:]; len(text) >= 8 {
		return binary.BigEndian.Uint64(text)
	}
	var part [8]byte
	copy(part[:], text)
	return binary.BigEndian.Uint64(part[:])
}
