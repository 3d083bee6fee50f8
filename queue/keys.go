package queue

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"slices"

	"github.com/muster-queue/muster/internal/sorted"
	"github.com/muster-queue/muster/job"
)

// keyArena has the keys of live jobs of queues that are ordered by key, each with
// the slot of its job, in cells that never move and that the collector does not
// look into. A reference to a cell is what such a job has for its place.
type keyArena struct {
	chunks []*keyChunk
	// open are the chunks with room, by class, as stacks.
	open [len(keyClasses)][]uint32
	// probe is the key behind the reference 0: one that is looked for.
	probe []byte
	// freed are the cells of jobs that left, until the scheduler was told.
	freed []uint32
	order sorted.Order[uint32]
}

// init must be called once.
func (k *keyArena) init() {
	k.order = sorted.Order[uint32]{
		Before: k.before,
		Common: func(a, b *uint32) int { return sorted.Common(k.at(*a), k.at(*b)) },
		Part:   func(ref *uint32, from int) uint64 { return sorted.Part(k.at(*ref), from) },
	}
}

// A chunk has cells of one size, counted in units of 4 bytes. A cell that is
// taken has the slot, the length of the key as a varint, and the key; one that
// was given back begins with the number of the next such cell.
type keyChunk struct {
	bytes       [chunkUnits * unit]byte
	class       uint8
	used, fresh uint16 // cells taken; cells ever taken
	free        uint16 // the first cell given back, counted from 1
}

const (
	unit       = 4
	chunkUnits = 1 << chunkBits
	chunkBits  = 12
	slotBytes  = 4
)

// keyClasses are the sizes of cells; the last has room for a key of job.MaxKey.
var keyClasses = [...]uint16{
	2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 22, 24, 26, 28, 30, 32, 36, 40, 44, 48, 56, 64, 80, 96, 112, 128, 160, 192, 256, 341, 409, 512, 682, 1028,
}

// put keeps a copy of a key.
func (k *keyArena) put(slot uint32, key job.Key) (ref uint32) {
	var head [slotBytes + binary.MaxVarintLen16]byte
	binary.LittleEndian.PutUint32(head[:], slot)
	n := slotBytes + binary.PutUvarint(head[slotBytes:], uint64(len(key)))
	c := classOf(n + len(key))
	ref = k.take(c)
	cell := k.cell(ref)
	copy(cell[copy(cell, head[:n]):], key)
	return ref
}

// classOf is the smallest class with room for so many bytes.
func classOf(size int) int {
	class, _ := slices.BinarySearch(keyClasses[:], uint16((size+unit-1)/unit))
	return class
}

func (k *keyArena) take(class int) (ref uint32) {
	open := k.open[class]
	if len(open) == 0 {
		if len(k.chunks) == 0 {
			k.chunks = append(k.chunks, nil) // no reference is 0
		}
		open = append(open, uint32(len(k.chunks)))
		k.chunks = append(k.chunks, nil)
	}
	n := open[len(open)-1]
	c := k.chunks[n]
	if c == nil {
		c = &keyChunk{class: uint8(class)}
		k.chunks[n] = c
	}
	i := c.take()
	if int(c.used) == c.cells() {
		open = open[:len(open)-1]
	}
	k.open[class] = open
	return n<<chunkBits | uint32(i)*uint32(keyClasses[class])
}

func (c *keyChunk) cells() int { return chunkUnits / int(keyClasses[c.class]) }

func (c *keyChunk) take() (cell uint16) {
	c.used++
	if c.free == 0 {
		c.fresh++
		return c.fresh - 1
	}
	cell = c.free - 1
	c.free = binary.LittleEndian.Uint16(c.bytes[int(cell)*int(keyClasses[c.class])*unit:])
	return cell
}

// cell is the bytes from a cell's beginning on.
func (k *keyArena) cell(ref uint32) []byte {
	return k.chunks[ref>>chunkBits].bytes[ref%chunkUnits*unit:]
}

// at is the key behind a reference; valid until the cell is given back.
func (k *keyArena) at(ref uint32) []byte {
	if ref == 0 {
		return k.probe
	}
	b := k.cell(ref)[slotBytes:]
	n, skip := uint32(b[0]), uint32(1)
	if n >= 0x80 {
		n, skip = n&0x7f|uint32(b[1])<<7, 2
	}
	return b[skip : skip+n : skip+n]
}

// slot is the slot of the job that has the key.
func (k *keyArena) slot(ref uint32) uint32 { return binary.LittleEndian.Uint32(k.cell(ref)) }

// give gives a cell back once the scheduler knows that its job is not ready
// any more.
func (k *keyArena) give(ref uint32) { k.freed = append(k.freed, ref) }

// release does what give put off.
func (k *keyArena) release() {
	for _, ref := range k.freed {
		k.free(ref)
	}
	k.freed = k.freed[:0]
}

func (k *keyArena) free(ref uint32) {
	n := ref >> chunkBits
	c := k.chunks[n]
	cell := ref % chunkUnits / uint32(keyClasses[c.class])
	binary.LittleEndian.PutUint16(c.bytes[ref%chunkUnits*unit:], c.free)
	c.free = uint16(cell + 1)
	if int(c.used) == c.cells() {
		k.open[c.class] = append(k.open[c.class], n)
	}
	if c.used--; c.used == 0 {
		k.chunks[n] = nil
	}
}

// before orders references by their keys.
func (k *keyArena) before(a, b *uint32) bool { return bytes.Compare(k.at(*a), k.at(*b)) < 0 }

// look makes the reference 0 stand for a key that is looked for.
func (k *keyArena) look(key job.Key) *uint32 {
	k.probe = append(k.probe[:0], key...)
	return new(uint32)
}

// sort sorts references by their keys. Most keys differ soon after what all have
// in common, so only that much of each is read again and again.
func (k *keyArena) sort(refs []uint32) {
	if slices.IsSortedFunc(refs, func(a, b uint32) int { return bytes.Compare(k.at(a), k.at(b)) }) {
		return
	}
	type entry struct {
		part uint64
		ref  uint32
	}
	common := k.common(refs)
	all := make([]entry, len(refs))
	for i, ref := range refs {
		all[i] = entry{sorted.Part(k.at(ref), common), ref}
	}
	slices.SortFunc(all, func(a, b entry) int {
		if a.part != b.part {
			return cmp.Compare(a.part, b.part)
		}
		return bytes.Compare(k.at(a.ref), k.at(b.ref))
	})
	for i := range all {
		refs[i] = all[i].ref
	}
}

// common is how many bytes all keys begin with in common.
func (k *keyArena) common(refs []uint32) int {
	first := k.at(refs[0])
	n := len(first)
	for _, ref := range refs {
		n = min(n, sorted.Common(first[:n], k.at(ref)))
	}
	return n
}
