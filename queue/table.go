package queue

import (
	"encoding/binary"
	"math/bits"

	"github.com/muster-queue/muster/job"
)

// table finds slots by key digest: open addressing with linear probing, in
// shards that grow one by one, so that no turn copies much. An entry is 32 bits
// of hash over a slot; the digest itself is compared in the slab.
type table struct {
	seed   uint64
	shards [256]shard
}

type shard struct {
	entries []uint64
	n       int
}

// Bounds of a shard's size; it is full at 4/5 and grows by half.
const minShard = 8

func (t *table) hash(d *job.Digest) uint64 {
	a := binary.LittleEndian.Uint64(d[:8]) ^ t.seed
	b := binary.LittleEndian.Uint64(d[8:]) ^ 0x9e3779b97f4a7c15
	hi, lo := bits.Mul64(a|1, b)
	return hi ^ lo ^ a
}

func (t *table) find(recs *slab[rec], d *job.Digest) uint32 {
	h := t.hash(d)
	sh := &t.shards[h>>56]
	if sh.n == 0 {
		return 0
	}
	for i := sh.home(h); ; i = sh.next(i) {
		e := sh.entries[i]
		if e == 0 {
			return 0
		}
		if e>>32 == h&0xffffffff && recs.at(uint32(e)).digest == *d {
			return uint32(e)
		}
	}
}

// put enters a digest that is not there.
func (t *table) put(d *job.Digest, slot uint32) {
	h := t.hash(d)
	sh := &t.shards[h>>56]
	if sh.n*5 >= len(sh.entries)*4 {
		sh.resize(max(minShard, len(sh.entries)+len(sh.entries)/2))
	}
	sh.insert(h<<32 | uint64(slot))
	sh.n++
}

func (t *table) remove(d *job.Digest, slot uint32) {
	h := t.hash(d)
	sh := &t.shards[h>>56]
	want := h<<32 | uint64(slot)
	for i := sh.home(h); sh.entries[i] != 0; i = sh.next(i) {
		if sh.entries[i] == want {
			sh.clear(i)
			sh.n--
			break
		}
	}
	if len(sh.entries) > 8*minShard && sh.n*8 < len(sh.entries) {
		sh.resize(len(sh.entries) / 4)
	}
}

// home is where an entry of hash h would be best; only its low 32 bits count.
func (sh *shard) home(h uint64) int {
	return int((h & 0xffffffff) * uint64(len(sh.entries)) >> 32)
}

func (sh *shard) next(i int) int {
	if i++; i == len(sh.entries) {
		return 0
	}
	return i
}

func (sh *shard) insert(e uint64) {
	i := sh.home(e >> 32)
	for sh.entries[i] != 0 {
		i = sh.next(i)
	}
	sh.entries[i] = e
}

// clear empties place i and moves later entries of the run back over it.
func (sh *shard) clear(i int) {
	for j := sh.next(i); sh.entries[j] != 0; j = sh.next(j) {
		home := sh.home(sh.entries[j] >> 32)
		stays := i < home && home <= j
		if j < i {
			stays = i < home || home <= j
		}
		if !stays {
			sh.entries[i] = sh.entries[j]
			i = j
		}
	}
	sh.entries[i] = 0
}

func (sh *shard) resize(size int) {
	old := sh.entries
	sh.entries = make([]uint64, size)
	for _, e := range old {
		if e != 0 {
			sh.insert(e)
		}
	}
}
