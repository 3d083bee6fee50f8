package pebble

import (
	"encoding/binary"
	"math/bits"
)

// filter is a Bloom filter in blocks of 32 bytes: a key has one bit in each of
// the eight words of one block, so that a look costs one access to memory. With
// 12 bits a key, one look in 200 for an absent key is in vain.
type filter []byte

const (
	filterBlock = 32
	bitsPerKey  = 12
)

func newFilter(keys int) filter {
	blocks := max(1, (keys*bitsPerKey+8*filterBlock-1)/(8*filterBlock))
	return make(filter, blocks*filterBlock)
}

// block is where a key's bits are. The key is random, its upper half chooses.
func (f filter) block(key uint64) filter {
	i, _ := bits.Mul64(key*0x9e3779b97f4a7c15, uint64(len(f)/filterBlock))
	return f[i*filterBlock:][:filterBlock]
}

// word is the bit of a key in word i of its block.
func word(key uint64, i int) uint32 {
	return 1 << (uint32(key) * filterSalts[i] >> 27)
}

var filterSalts = [8]uint32{0x47b6137b, 0x44974d91, 0x8824ad5b, 0xa2b7289d, 0x705495c7, 0x2df1424b, 0x9efc4947, 0x5c6bfb31}

func (f filter) add(key uint64) {
	b := f.block(key)
	for i := range 8 {
		binary.LittleEndian.PutUint32(b[4*i:], binary.LittleEndian.Uint32(b[4*i:])|word(key, i))
	}
}

// has is false when the key was never added.
func (f filter) has(key uint64) bool {
	b := f.block(key)
	missing := uint32(0)
	for i := range 8 {
		missing |= word(key, i) &^ binary.LittleEndian.Uint32(b[4*i:])
	}
	return missing == 0
}
